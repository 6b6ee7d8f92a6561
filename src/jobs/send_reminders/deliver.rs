//! Sends the planned mails. Each is reviewed again first: instalments that are paid, held or postponed are removed, and
//! the mail shows the current amounts. The status `sending` is committed just before a mail is handed to the transport.
//! If the daemon stops in between, a mail to a folder is written again. For a mail to a server, it is unknown whether
//! it was sent: a notice is sent again with its Message-ID, because it must precede a flag; a reminder is not sent
//! again, and an exception asks operations to check.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use tokio::task::JoinSet;

use super::review::{Ready, look_again};
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::{instant_of, plus};
use crate::domain::decide::reminders::Template;
use crate::domain::facts::fact::{Fact, What};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::owner::Owner;
use crate::domain::words::count;
use crate::mail::letter::ComposeError;
use crate::mail::transport::SendError;
use crate::scheme::Clock;
use crate::store::exceptions::{self, NewException};
use crate::store::facts::{self, NewFact};
use crate::store::mails::{self, MailRow, MailStatus, MailText, ReminderRow};
use crate::store::{Tx, customers, orders, scheme};

/// Mails that are reviewed together.
const PAGE: i64 = 200;

#[derive(Default)]
pub struct Delivered {
    pub sent: i64,
    pub withdrawn: i64,
    pub failed: i64,
    pub notices: i64,
    /// Mails that could not be sent and are tried again today, and the error of the first.
    pub waiting: i64,
    pub delayed: Option<String>,
}

pub async fn run(
    environment: &Environment,
    day: NaiveDate,
    now: DateTime<Utc>,
    unsure: &BTreeSet<&str>,
) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    // On the business clock, the whole day counts.
    let end_of_day = instant_of(plus(day, 1).and_time(NaiveTime::MIN), environment.scheme.zone);
    let by = if environment.scheme.clock == Clock::Wall { now } else { end_of_day };
    let mut last = 0;
    loop {
        environment.keep_going()?;
        let mut tx = environment.store.write().await?;
        let page = mails::to_send(&mut tx, day, by, last, PAGE).await?;
        let Some(end) = page.last().map(|mail| mail.mail_no) else { break };
        let (ready, withdrawn) = look_again(&mut tx, environment, page, day, unsure).await?;
        delivered.withdrawn += withdrawn;
        tx.commit().await?;
        hand_over(environment, ready, &mut delivered).await?;
        (environment.progress)(&format!("{day} mails: {} sent", delivered.sent));
        last = end;
    }
    if delivered.sent + delivered.withdrawn + delivered.failed + delivered.waiting > 0 {
        note_delay(environment, &delivered).await?;
    }
    Ok(delivered)
}

/// Handles the mails that an earlier run left: those that may have been sent, and those whose day is over.
pub async fn take_up(tx: &mut Tx, environment: &Environment, today: NaiveDate, day: NaiveDate) -> Result<i64> {
    let mut opened = Vec::new();
    for mail in mails::cut_off(tx).await? {
        let repeatable = environment.transport.places().is_none() || mail.template == Template::Notice;
        if repeatable {
            mails::set_status(tx, &[mail.mail_no], MailStatus::Queued, None).await?;
        } else {
            let why = format!("paylater stopped while it was handing the mail to the server; {}", look_for(&mail));
            mails::set_status(tx, &[mail.mail_no], MailStatus::Unknown, Some(&why)).await?;
            opened.push(about_mail(ExceptionCode::MailUnknown, &mail, &why));
        }
    }
    for mail in mails::left_over(tx, day).await? {
        let why = "it could not be sent on its day";
        mails::set_status(tx, &[mail.mail_no], MailStatus::Failed, Some(why)).await?;
        opened.push(about_mail(ExceptionCode::MailFailed, &mail, why));
    }
    exceptions::open(tx, Owner::Scheme, today, &opened).await?;
    Ok(i64::try_from(opened.len()).unwrap_or(i64::MAX))
}

/// Returns an exception about a mail. The mail number depends on the runs that planned the mail, so the exception names
/// the customer and the day instead: a customer gets one mail a day.
fn about_mail(code: ExceptionCode, mail: &MailRow, why: &str) -> NewException {
    let (day, customer) = (mail.business_date, &mail.customer_id);
    let message = format!("mail of {day} to customer {customer}: {why}");
    NewException { row_key: format!("{day} {customer}"), ..NewException::new(code, message) }
}

fn look_for(mail: &MailRow) -> String {
    format!("search the mail server's log for the Message-ID {}", mail.message_id)
}

/// Sends as many mails at once as the transport allows. One transaction records the finished mails and marks the next
/// ones, so that only mails that are being sent have the status `sending`.
async fn hand_over(environment: &Environment, ready: Vec<Ready>, delivered: &mut Delivered) -> Result<()> {
    let places = environment.transport.places().unwrap_or(ready.len());
    let mut waiting = ready.into_iter();
    let mut on_the_wire: JoinSet<(Ready, Result<(), SendError>)> = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        // Asked to stop, it waits for the mails on the wire and hands over no more.
        let free = if environment.keep_going().is_ok() { places - on_the_wire.len() } else { 0 };
        let leaving: Vec<Ready> = waiting.by_ref().take(free).collect();
        if leaving.is_empty() && ended.is_empty() && on_the_wire.is_empty() {
            return Ok(());
        }
        let mut tx = environment.store.write().await?;
        note(&mut tx, environment, std::mem::take(&mut ended), delivered).await?;
        let numbers: Vec<i64> = leaving.iter().map(|ready| ready.mail.mail_no).collect();
        mails::set_status(&mut tx, &numbers, MailStatus::Sending, None).await?;
        mails::keep_texts(&mut tx, &texts(&leaving)).await?;
        tx.commit().await?;
        for mut ready in leaving {
            let transport = Arc::clone(&environment.transport);
            on_the_wire.spawn(async move {
                let refused = Err(ComposeError::Address);
                let sent = match std::mem::replace(&mut ready.letter, refused) {
                    Ok(mail) => transport.send(&mail).await,
                    Err(why @ ComposeError::Address) => Err(SendError::Address(why.to_string())),
                    Err(why) => Err(SendError::Permanent(why.to_string())),
                };
                (ready, sent)
            });
        }
        if let Some(first) = on_the_wire.join_next().await {
            ended.push(first.context("sending a mail was interrupted")?);
            while let Some(next) = on_the_wire.try_join_next() {
                ended.push(next.context("sending a mail was interrupted")?);
            }
        }
    }
}

/// The words of the mails that are about to be handed over.
fn texts(leaving: &[Ready]) -> Vec<(i64, MailText)> {
    let text = |ready: &Ready| {
        let mail = ready.letter.as_ref().ok()?;
        Some((ready.mail.mail_no, MailText { subject: mail.subject.clone(), body: mail.text.clone() }))
    };
    leaving.iter().filter_map(text).collect()
}

/// Records the result of each mail. A sent notice becomes a fact of its order.
async fn note(
    tx: &mut Tx,
    environment: &Environment,
    ended: Vec<(Ready, Result<(), SendError>)>,
    delivered: &mut Delivered,
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    // The books may have closed a day since the run began.
    let today = scheme::open_day(tx).await?;
    let (mut sent, mut opened) = (Vec::new(), Vec::new());
    for (ready, outcome) in ended {
        let mail = &ready.mail;
        let (code, status, why) = match outcome {
            Ok(()) => {
                sent.push(ready);
                continue;
            }
            Err(SendError::Unknown(why)) if mail.template == Template::Notice => {
                delivered.wait(tx, mail, why).await?;
                continue;
            }
            Err(SendError::Transient(why)) => {
                delivered.wait(tx, mail, why).await?;
                continue;
            }
            Err(SendError::Unknown(why)) => {
                (ExceptionCode::MailUnknown, MailStatus::Unknown, format!("{why}; {}", look_for(mail)))
            }
            Err(SendError::Permanent(why)) => (ExceptionCode::MailRefused, MailStatus::Failed, why),
            Err(SendError::Address(why)) => {
                customers::mail_failed(tx, &mail.customer_id, today).await?;
                (ExceptionCode::MailRefused, MailStatus::Failed, why)
            }
        };
        mails::set_status(tx, &[mail.mail_no], status, Some(&why)).await?;
        opened.push(about_mail(code, mail, &why));
        delivered.failed += 1;
    }
    exceptions::open(tx, Owner::Scheme, today, &opened).await?;
    let numbers: Vec<i64> = sent.iter().map(|ready| ready.mail.mail_no).collect();
    mails::set_status(tx, &numbers, MailStatus::Sent, None).await?;
    delivered.sent += i64::try_from(sent.len()).unwrap_or(i64::MAX);
    for merchant in &environment.scheme.merchants {
        let notices = notices(environment, &merchant.id, today, &sent);
        delivered.notices += i64::try_from(notices.len()).unwrap_or(i64::MAX);
        facts::add(tx, &merchant.id, &notices).await?;
        let mut touched: Vec<&str> = notices.iter().map(|notice| notice.order_id.as_str()).collect();
        touched.dedup();
        orders::wake(tx, &merchant.id, &touched, today).await?;
    }
    Ok(())
}

impl Delivered {
    /// Keeps the mail queued for the next run of its day.
    async fn wait(&mut self, tx: &mut Tx, mail: &MailRow, why: String) -> Result<()> {
        tracing::warn!(mail = mail.mail_no, why, "the mail was not sent; the next run of today tries again");
        mails::set_status(tx, &[mail.mail_no], MailStatus::Queued, Some(&why)).await?;
        self.waiting += 1;
        self.delayed.get_or_insert(why);
        Ok(())
    }
}

/// Opens an exception while mails wait for the server, and resolves it when they are sent or their day is over.
async fn note_delay(environment: &Environment, delivered: &Delivered) -> Result<()> {
    let mut tx = environment.store.write().await?;
    let today = scheme::open_day(&mut tx).await?;
    // There is at most one for the scheme.
    let code = ExceptionCode::MailDelayed;
    match &delivered.delayed {
        Some(why) => {
            let message = format!("waiting for the mail server: {}: {why}", count(delivered.waiting, "mail"));
            let is_open = !exceptions::open_keys(&mut tx, Owner::Scheme, code).await?.is_empty();
            let row_key = code.name().to_owned();
            let delay = NewException { row_key, ..NewException::new(code, message) };
            let opened: &[NewException] = if is_open { &[] } else { std::slice::from_ref(&delay) };
            exceptions::open(&mut tx, Owner::Scheme, today, opened).await?;
        }
        None => exceptions::resolve(&mut tx, Owner::Scheme, &[code], &[code.name()], today).await?,
    }
    tx.commit().await
}

fn notices(environment: &Environment, merchant: &str, today: NaiveDate, sent: &[Ready]) -> Vec<NewFact> {
    let mut notices = Vec::new();
    for Ready { mail, about, .. } in sent {
        let is_notice =
            |reminder: &&ReminderRow| reminder.template == Template::Notice && reminder.merchant_id == merchant;
        for reminder in about.iter().filter(is_notice) {
            let effective_at = match environment.scheme.clock {
                Clock::Wall => clock::now(),
                Clock::Business => mail.send_at,
            };
            let fact = Fact {
                id: format!("{}:{}:{}", reminder.order_id, reminder.instalment, reminder.step),
                effective_at,
                effective_on: mail.business_date,
                booked_on: today,
                source: Source::default(),
                what: What::Notice { instalment: reminder.instalment },
            };
            let note = Some(format!("mail {}", mail.message_id));
            notices.push(NewFact { order_id: reminder.order_id.clone(), fact, note, fingerprint: 0 });
        }
    }
    notices
}
