//! Hands queued mails over. `sending` is committed before, `sent` after; where a stop came between, a folder is simply
//! written again, while of a server it is not known: then nothing is sent twice, and operations are told.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::super::Scheme;
use super::super::deciding::decide_orders;
use crate::clock;
use crate::config::Clock;
use crate::domain::calendar::plus;
use crate::domain::order::{Fact, Source, What};
use crate::domain::reminders::Template;
use crate::mail::compose::{ComposeError, Language, Letter, Line, Mail, compose};
use crate::mail::transport::{SendError, Transport};
use crate::store::exceptions::{self, NewException};
use crate::store::facts::{self, NewFact};
use crate::store::mails::{self, MailRow, ReminderRow};
use crate::store::orders::{self, StoredOrder};
use crate::store::{Tx, customers};

/// Mails under way at a time, and what is marked together.
const PAGE: i64 = 200;

#[derive(Default)]
pub struct Delivered {
    pub sent: i64,
    pub failed: i64,
    pub notices: i64,
}

pub async fn run(scheme: &Scheme, today: NaiveDate, now: DateTime<Utc>) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    let mut last = 0;
    loop {
        let mut tx = scheme.store.write().await?;
        let page = mails::unsent(&mut tx, last, PAGE).await?;
        let (Some(first), Some(end)) = (page.first(), page.last()) else { break };
        let (first, end) = (first.mail_no, end.mail_no);
        let (ready, given_up) = sort_out(&mut tx, scheme, page, today, now).await?;
        delivered.failed += give_up(&mut tx, today, &given_up).await?;
        let about = mails::reminders_in(&mut tx, first, end).await?;
        let letters = letters(&mut tx, scheme, &ready, &about).await?;
        let numbers: Vec<i64> = ready.iter().map(|mail| mail.mail_no).collect();
        mails::set_status(&mut tx, &numbers, "sending", None).await?;
        tx.commit().await?;

        let outcomes = hand_over(scheme, letters).await;
        note(scheme, today, now, &ready, &about, outcomes, &mut delivered).await?;
        (scheme.progress)(&format!("{today} mails: {} sent", delivered.sent));
        last = end;
    }
    Ok(delivered)
}

/// What can be sent now, and what has to be given up: mails of a day that is over, and those that may have been sent
/// already. A mail outside its customer's contact hours is neither; it waits for a later run of its day.
async fn sort_out(
    tx: &mut Tx,
    scheme: &Scheme,
    page: Vec<MailRow>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<(Vec<MailRow>, Vec<(MailRow, &'static str)>)> {
    let repeatable = !matches!(*scheme.transport, Transport::Smtp(_));
    let on_the_wall = scheme.config.clock == Clock::Wall;
    let is_over = on_the_wall && now.with_timezone(&scheme.config.zone).date_naive() != today;
    let who: Vec<&str> = page.iter().map(|mail| mail.customer_id.as_str()).collect();
    let people = customers::load(tx, &who).await?;
    let mut ready = Vec::new();
    let mut given_up = Vec::new();
    for mail in page {
        let zone = people.get(&mail.customer_id).map_or(scheme.config.zone, |customer| customer.time_zone);
        if mail.status == "sending" && !repeatable {
            given_up.push((mail, "unknown"));
        } else if mail.business_date != today || is_over {
            given_up.push((mail, "failed"));
        } else if !on_the_wall || scheme.config.mail.contact_hours.next_allowed(now, zone) <= now {
            ready.push(mail);
        }
    }
    Ok((ready, given_up))
}

async fn give_up(tx: &mut Tx, today: NaiveDate, mails: &[(MailRow, &'static str)]) -> Result<i64> {
    let mut opened = Vec::new();
    for (mail, status) in mails {
        let (code, why) = match *status {
            "unknown" => {
                ("MAIL_UNKNOWN", "a stop came while it was handed to the server; look for its Message-ID there")
            }
            _ => ("MAIL_FAILED", "it could not be sent on its day"),
        };
        mails::set_status(tx, &[mail.mail_no], status, Some(why)).await?;
        opened.push(about_mail(code, mail, why));
    }
    exceptions::open(tx, "", today, &opened).await?;
    Ok(i64::try_from(mails.len()).unwrap_or(i64::MAX))
}

fn about_mail(code: &str, mail: &MailRow, why: &str) -> NewException {
    let message = format!("mail {} to customer {}: {why}", mail.message_id, mail.customer_id);
    NewException { code: code.to_owned(), row_key: mail.message_id.clone(), message, ..NewException::default() }
}

/// The mails themselves, made from what is recorded of them: the same mail every time. Err: why there is none.
async fn letters(
    tx: &mut Tx,
    scheme: &Scheme,
    ready: &[MailRow],
    about: &[ReminderRow],
) -> Result<Vec<Result<Mail, ComposeError>>> {
    let who: Vec<&str> = ready.iter().map(|mail| mail.customer_id.as_str()).collect();
    let people = customers::load(tx, &who).await?;
    let mut known: HashMap<(String, String), StoredOrder> = HashMap::new();
    for merchant in &scheme.config.merchants {
        let of_merchant = about.iter().filter(|reminder| reminder.merchant_id == merchant.id);
        let ids: Vec<&str> = of_merchant.map(|reminder| reminder.order_id.as_str()).collect();
        for stored in orders::load(tx, &merchant.id, &ids).await? {
            known.insert((merchant.id.clone(), stored.order.order_id.clone()), stored);
        }
    }
    let mut letters = Vec::with_capacity(ready.len());
    for mail in ready {
        let customer = people.get(&mail.customer_id).context("a mail to a customer who is not known")?;
        let language = Language::of(&mail.locale);
        let mut lines = Vec::new();
        for reminder in one_an_instalment(about, mail.mail_no) {
            let key = (reminder.merchant_id.clone(), reminder.order_id.clone());
            let stored = known.get(&key).context("a reminder of an order that is not known")?;
            lines.push(line(scheme, reminder, stored, language, mail.business_date)?);
        }
        let letter = Letter {
            message_id: mail.message_id.clone(),
            to_name: customer.name.clone(),
            to_address: customer.email.clone(),
            language,
            template: Template::parse(&mail.template).context("a mail with an unknown template")?,
            business_date: mail.business_date,
            sent_at: mail.send_at,
            lines,
        };
        letters.push(compose(&letter, &scheme.sender, &scheme.templates));
    }
    Ok(letters)
}

/// What a mail is about: of an instalment that has a ladder step and a notice on one day, only the graver, so that
/// nothing is asked for twice.
fn one_an_instalment(about: &[ReminderRow], mail_no: i64) -> Vec<&ReminderRow> {
    let mut rows: Vec<&ReminderRow> = Vec::new();
    for reminder in about.iter().filter(|reminder| reminder.mail_no == Some(mail_no)) {
        let key = |row: &ReminderRow| (row.merchant_id.clone(), row.order_id.clone(), row.instalment);
        match rows.iter_mut().find(|row| key(row) == key(reminder)) {
            Some(row) if Template::parse(&row.template) < Template::parse(&reminder.template) => *row = reminder,
            Some(_) => {}
            None => rows.push(reminder),
        }
    }
    rows
}

fn line(
    scheme: &Scheme,
    reminder: &ReminderRow,
    stored: &StoredOrder,
    language: Language,
    today: NaiveDate,
) -> Result<Line> {
    let merchant = scheme.config.merchant(&reminder.merchant_id).context("a reminder of an unknown merchant")?;
    let chinese = merchant.name_zh.as_ref().filter(|_| language == Language::Zh);
    let credit = scheme.terms(&reminder.merchant_id, stored.order.policy_version)?.credit;
    Ok(Line {
        template: Template::parse(&reminder.template).context("a reminder with an unknown template")?,
        merchant_name: chinese.unwrap_or(&merchant.name).clone(),
        order_id: reminder.order_id.clone(),
        item: stored.item.clone(),
        currency: stored.order.currency,
        outstanding_minor: reminder.outstanding_minor,
        fee_minor: reminder.late_fee_minor,
        due_on: reminder.due_on,
        days_past_due: reminder.days_past_due,
        flag_on: credit.map(|rule| plus(today, rule.flag_after)),
    })
}

/// Sends all at once; the transport bounds how many are on the wire.
async fn hand_over(scheme: &Scheme, letters: Vec<Result<Mail, ComposeError>>) -> Vec<Result<(), SendError>> {
    let mut under_way = Vec::with_capacity(letters.len());
    for letter in letters {
        let transport = Arc::clone(&scheme.transport);
        under_way.push(tokio::spawn(async move {
            match letter {
                Ok(mail) => transport.send(&mail).await,
                Err(why @ ComposeError::Address) => Err(SendError::Address(why.to_string())),
                Err(why) => Err(SendError::Permanent(why.to_string())),
            }
        }));
    }
    let mut outcomes = Vec::with_capacity(under_way.len());
    for task in under_way {
        let interrupted = |_| Err(SendError::Transient("sending was interrupted".to_owned()));
        outcomes.push(task.await.unwrap_or_else(interrupted));
    }
    outcomes
}

/// Records what became of each mail. A notice that was sent is a fact of its order, decided on at once.
async fn note(
    scheme: &Scheme,
    today: NaiveDate,
    now: DateTime<Utc>,
    ready: &[MailRow],
    about: &[ReminderRow],
    outcomes: Vec<Result<(), SendError>>,
    delivered: &mut Delivered,
) -> Result<()> {
    let mut tx = scheme.store.write().await?;
    let mut sent = Vec::new();
    let mut opened = Vec::new();
    for (mail, outcome) in ready.iter().zip(outcomes) {
        let (why, is_address) = match outcome {
            Ok(()) => {
                sent.push(mail);
                continue;
            }
            Err(SendError::Transient(why)) => {
                tracing::warn!(mail = mail.mail_no, why, "mail not sent; it is tried again at the next run of today");
                mails::set_status(&mut tx, &[mail.mail_no], "queued", Some(&why)).await?;
                continue;
            }
            Err(SendError::Permanent(why)) => (why, false),
            Err(SendError::Address(why)) => (why, true),
        };
        mails::set_status(&mut tx, &[mail.mail_no], "failed", Some(&why)).await?;
        if is_address {
            customers::mail_failed(&mut tx, &mail.customer_id, today).await?;
        }
        opened.push(about_mail("MAIL_REFUSED", mail, &why));
        delivered.failed += 1;
    }
    exceptions::open(&mut tx, "", today, &opened).await?;
    let numbers: Vec<i64> = sent.iter().map(|mail| mail.mail_no).collect();
    mails::set_status(&mut tx, &numbers, "sent", None).await?;
    delivered.sent += i64::try_from(sent.len()).unwrap_or(i64::MAX);
    for merchant in &scheme.config.merchants {
        let notices = notices(scheme, &merchant.id, today, now, &sent, about);
        delivered.notices += i64::try_from(notices.len()).unwrap_or(i64::MAX);
        facts::add(&mut tx, &merchant.id, &notices).await?;
        let mut touched: Vec<&str> = notices.iter().map(|notice| notice.order_id.as_str()).collect();
        touched.dedup();
        decide_orders(&mut tx, scheme, &merchant.id, &touched, today).await?;
    }
    tx.commit().await
}

fn notices(
    scheme: &Scheme,
    merchant: &str,
    today: NaiveDate,
    now: DateTime<Utc>,
    sent: &[&MailRow],
    about: &[ReminderRow],
) -> Vec<NewFact> {
    let mut notices = Vec::new();
    for reminder in about {
        let is_notice = reminder.template == Template::Notice.name() && reminder.merchant_id == merchant;
        let Some(mail) = sent.iter().find(|mail| is_notice && reminder.mail_no == Some(mail.mail_no)) else { continue };
        let effective_at = match scheme.config.clock {
            Clock::Wall => clock::now().max(now),
            Clock::Business => mail.send_at,
        };
        let fact = Fact {
            id: format!("{}:{}:{}", reminder.order_id, reminder.instalment, reminder.step),
            effective_at,
            effective_on: today,
            booked_on: today,
            source: Source::default(),
            what: What::Notice { instalment: reminder.instalment },
        };
        let note = Some(format!("mail {}", mail.message_id));
        notices.push(NewFact { order_id: reminder.order_id.clone(), fact, note, fingerprint: 0 });
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instalment_with_a_step_and_a_notice_on_one_day_is_asked_for_once() {
        let row = |order_id: &str, step: &str, template: Template, mail_no: i64| ReminderRow {
            merchant_id: "TEA".to_owned(),
            order_id: order_id.to_owned(),
            instalment: 1,
            step: step.to_owned(),
            business_date: NaiveDate::MIN,
            mail_no: Some(mail_no),
            suppressed: None,
            template: template.name().to_owned(),
            due_on: NaiveDate::MIN,
            outstanding_minor: 10_000,
            late_fee_minor: 0,
            days_past_due: 3,
        };
        let about = [
            row("A", "+3", Template::Overdue, 1),
            row("A", "notice", Template::Notice, 1),
            row("B", "notice", Template::Notice, 1),
            row("B", "+3", Template::Overdue, 1),
            row("C", "+1", Template::Overdue, 2),
        ];
        let lines: Vec<_> = one_an_instalment(&about, 1).iter().map(|row| (&*row.order_id, &*row.template)).collect();
        assert_eq!(lines, [("A", "notice"), ("B", "notice")]);
    }
}
