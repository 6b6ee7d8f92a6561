//! Hands planned mails over, each looked at once more: what is paid, held or put off by now is withdrawn, and what leaves has
//! the amounts of this moment. `sending` is committed before a mail is on the wire, and only then; where a stop comes in
//! between, a folder is simply written again, while of a server it is not known. A notice is then sent again with its
//! Message-ID, since it is owed before a flag; a reminder is not, and operations are asked to look.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use tokio::task::JoinSet;

use super::super::Scheme;
use super::owed::{self, Collected, OwedOrder};
use super::{held_back_by, without_news};
use crate::clock;
use crate::config::Clock;
use crate::domain::calendar::{instant_of, plus};
use crate::domain::order::{Fact, Source, What};
use crate::domain::position::Owed;
use crate::domain::reminders::Template;
use crate::mail::compose::{ComposeError, Debited, Language, Letter, Line, Mail, compose};
use crate::mail::transport::SendError;
use crate::store::exceptions::{self, NewException};
use crate::store::facts::{self, NewFact};
use crate::store::mails::{self, MailRow, ReminderRow};
use crate::store::{Tx, customers, orders};

/// Mails that are looked at again together.
const PAGE: i64 = 200;

/// What the exception about mails that wait for the server is known by.
const MAIL_DELAYED: &str = "MAIL_DELAYED";

#[derive(Default)]
pub struct Delivered {
    pub sent: i64,
    pub withdrawn: i64,
    pub failed: i64,
    pub notices: i64,
    /// Mails that could not be handed over and are tried again today, and what went wrong with the first.
    pub waiting: i64,
    pub delayed: Option<String>,
}

/// A mail that is right, made ready to leave.
struct Ready {
    mail: MailRow,
    about: Vec<ReminderRow>,
    letter: Result<Mail, ComposeError>,
}

pub async fn run(scheme: &Scheme, today: NaiveDate, day: NaiveDate, now: DateTime<Utc>) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    let mut tx = scheme.store.read().await?;
    let unsure = without_news(&mut tx, scheme, today, day, now).await?;
    drop(tx);
    // On the business clock the day has all its hours.
    let end_of_day = instant_of(plus(day, 1).and_time(NaiveTime::MIN), scheme.config.zone);
    let by = if scheme.config.clock == Clock::Wall { now } else { end_of_day };
    let mut last = 0;
    loop {
        let mut tx = scheme.store.write().await?;
        let page = mails::to_send(&mut tx, day, by, last, PAGE).await?;
        let Some(end) = page.last().map(|mail| mail.mail_no) else { break };
        let (ready, withdrawn) = look_again(&mut tx, scheme, page, day, &unsure).await?;
        delivered.withdrawn += withdrawn;
        tx.commit().await?;
        hand_over(scheme, today, ready, &mut delivered).await?;
        (scheme.progress)(&format!("{day} mails: {} sent", delivered.sent));
        last = end;
    }
    if delivered.sent + delivered.withdrawn + delivered.failed + delivered.waiting > 0 {
        note_delay(scheme, today, &delivered).await?;
    }
    Ok(delivered)
}

/// Takes up what an earlier run left: mails that may have been sent, and those whose day is over.
pub async fn take_up(tx: &mut Tx, scheme: &Scheme, today: NaiveDate, day: NaiveDate) -> Result<i64> {
    let mut opened = Vec::new();
    for mail in mails::cut_off(tx).await? {
        let repeatable = scheme.transport.places().is_none() || mail.template == Template::Notice.name();
        if repeatable {
            mails::set_status(tx, &[mail.mail_no], "queued", None).await?;
        } else {
            let why = "a stop came while it was handed to the server; look for its Message-ID there";
            mails::set_status(tx, &[mail.mail_no], "unknown", Some(why)).await?;
            opened.push(about_mail("MAIL_UNKNOWN", &mail, why));
        }
    }
    for mail in mails::left_over(tx, day).await? {
        let why = "it could not be sent on its day";
        mails::set_status(tx, &[mail.mail_no], "failed", Some(why)).await?;
        opened.push(about_mail("MAIL_FAILED", &mail, why));
    }
    exceptions::open(tx, "", today, &opened).await?;
    Ok(i64::try_from(opened.len()).unwrap_or(i64::MAX))
}

fn about_mail(code: &str, mail: &MailRow, why: &str) -> NewException {
    let message = format!("mail {} to customer {}: {why}", mail.message_id, mail.customer_id);
    NewException { code: code.to_owned(), row_key: mail.message_id.clone(), message, ..NewException::default() }
}

/// What can leave, with the amounts of this moment, and how many mails are withdrawn because nothing in them is right any more.
async fn look_again(
    tx: &mut Tx,
    scheme: &Scheme,
    page: Vec<MailRow>,
    day: NaiveDate,
    unsure: &HashSet<&str>,
) -> Result<(Vec<Ready>, i64)> {
    let numbers = page.iter().map(|mail| mail.mail_no);
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    let mut about: BTreeMap<i64, Vec<ReminderRow>> = page.iter().map(|mail| (mail.mail_no, Vec::new())).collect();
    for reminder in mails::reminders_in(tx, first, last).await? {
        let of_mail = reminder.mail_no.filter(|_| reminder.suppressed.is_none());
        if let Some(rows) = of_mail.and_then(|number| about.get_mut(&number)) {
            rows.push(reminder);
        }
    }
    let mut orders: HashMap<&str, HashMap<String, OwedOrder<'_>>> = HashMap::new();
    for merchant in &scheme.config.merchants {
        let of_merchant = about.values().flatten().filter(|reminder| reminder.merchant_id == merchant.id);
        let mut ids: Vec<&str> = of_merchant.map(|reminder| reminder.order_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        orders.insert(&merchant.id, owed::on_day(tx, scheme, &merchant.id, &ids, day).await?);
    }
    let who: Vec<&str> = page.iter().map(|mail| mail.customer_id.as_str()).collect();
    let people = customers::load(tx, &who).await?;
    let failed: HashSet<String> = customers::with_failed_address(tx, &who).await?.into_iter().collect();

    let (mut ready, mut changed, mut withdrawn, mut milder) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for mut mail in page {
        let mut right = Vec::new();
        let mut reasons = Vec::new();
        for mut reminder in about.remove(&mail.mail_no).unwrap_or_default() {
            let order = orders.get(reminder.merchant_id.as_str()).and_then(|orders| orders.get(&reminder.order_id));
            let order = order.context("a reminder of an order that is not known")?;
            let owed = order.instalments.iter().find(|owed| owed.position.instalment == reminder.instalment);
            let owed = owed.context("a reminder of an instalment that is not known")?;
            let template = Template::parse(&reminder.template).context("a reminder with an unknown template")?;
            let reason = match failed.contains(&mail.customer_id) {
                true => Some("address failed before"),
                false => {
                    let now = order.not_any_more(owed, template, reminder.due_on);
                    now.or_else(|| held_back_by(unsure, &reminder.merchant_id, template))
                }
            };
            reminder.suppressed = reason.map(str::to_owned);
            reasons.extend(reason);
            reminder.owes(owed);
            changed.push(reminder.clone());
            if reason.is_none() {
                right.push((reminder, (order, owed)));
            }
        }
        let Some(template) = right.iter().filter_map(|(reminder, ..)| Template::parse(&reminder.template)).max() else {
            reasons.sort_unstable();
            reasons.dedup();
            (mail.status, mail.error) = ("withdrawn".to_owned(), Some(reasons.join(", ")));
            withdrawn.push(mail);
            continue;
        };
        if mail.template != template.name() {
            mail.template = template.name().to_owned();
            milder.push(mail.clone());
        }
        let customer = people.get(&mail.customer_id).context("a mail to a customer who is not known")?;
        let language = Language::of(&mail.locale);
        let lines = one_an_instalment(&right)
            .into_iter()
            .map(|(reminder, (order, owed))| line(scheme, reminder, order, owed, language, day));
        let letter = Letter {
            message_id: mail.message_id.clone(),
            to_name: customer.name.clone(),
            to_address: customer.email.clone(),
            language,
            template,
            business_date: day,
            sent_at: mail.send_at,
            lines: lines.collect::<Result<_>>()?,
        };
        let letter = compose(&letter, &scheme.sender, &scheme.templates);
        let about = right.into_iter().map(|(reminder, ..)| reminder).collect();
        ready.push(Ready { mail, about, letter });
    }
    let count = i64::try_from(withdrawn.len()).unwrap_or(i64::MAX);
    withdrawn.append(&mut milder);
    mails::save(tx, &withdrawn, &changed).await?;
    Ok((ready, count))
}

/// What a mail is about: of an instalment that has a ladder step and a notice on one day, only the graver, so that
/// nothing is asked for twice.
fn one_an_instalment<T>(right: &[(ReminderRow, T)]) -> Vec<&(ReminderRow, T)> {
    let mut lines: Vec<&(ReminderRow, T)> = Vec::new();
    let key = |row: &ReminderRow| (row.merchant_id.clone(), row.order_id.clone(), row.instalment);
    for line in right {
        match lines.iter_mut().find(|known| key(&known.0) == key(&line.0)) {
            Some(known) if Template::parse(&known.0.template) < Template::parse(&line.0.template) => *known = line,
            Some(_) => {}
            None => lines.push(line),
        }
    }
    lines
}

fn line(
    scheme: &Scheme,
    reminder: &ReminderRow,
    order: &OwedOrder<'_>,
    owed: &Owed,
    language: Language,
    day: NaiveDate,
) -> Result<Line> {
    let merchant = scheme.config.merchant(&reminder.merchant_id).context("a reminder of an unknown merchant")?;
    let chinese = merchant.name_zh.as_ref().filter(|_| language == Language::Zh);
    Ok(Line {
        template: Template::parse(&reminder.template).context("a reminder with an unknown template")?,
        merchant_name: chinese.unwrap_or(&merchant.name).clone(),
        order_id: reminder.order_id.clone(),
        item: order.stored.item.clone(),
        currency: order.stored.order.currency,
        outstanding_minor: reminder.outstanding_minor,
        fee_minor: reminder.late_fee_minor,
        due_on: reminder.due_on,
        days_past_due: reminder.days_past_due,
        flag_on: order.flag_on(day),
        fee_grows_on: owed.fee_grows_on,
        record_at_stake: order.record_is_at_stake(owed),
        debited: order.collected(owed, day).map(|collected| match collected {
            Collected::On(day) => Debited::On(day),
            Collected::UnderWay => Debited::UnderWay,
        }),
    })
}

/// Sends as many at once as the transport has places for. What ended and what leaves next is one transaction, so that only
/// mails on the wire are `sending`.
async fn hand_over(scheme: &Scheme, today: NaiveDate, ready: Vec<Ready>, delivered: &mut Delivered) -> Result<()> {
    let places = scheme.transport.places().unwrap_or(ready.len());
    let mut waiting = ready.into_iter();
    let mut on_the_wire: JoinSet<(Ready, Result<(), SendError>)> = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        let leaving: Vec<Ready> = waiting.by_ref().take(places - on_the_wire.len()).collect();
        if leaving.is_empty() && ended.is_empty() && on_the_wire.is_empty() {
            return Ok(());
        }
        let mut tx = scheme.store.write().await?;
        note(&mut tx, scheme, today, std::mem::take(&mut ended), delivered).await?;
        let numbers: Vec<i64> = leaving.iter().map(|ready| ready.mail.mail_no).collect();
        mails::set_status(&mut tx, &numbers, "sending", None).await?;
        tx.commit().await?;
        for mut ready in leaving {
            let transport = Arc::clone(&scheme.transport);
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

/// Records what became of mails. A notice that was sent is a fact of its order.
async fn note(
    tx: &mut Tx,
    scheme: &Scheme,
    today: NaiveDate,
    ended: Vec<(Ready, Result<(), SendError>)>,
    delivered: &mut Delivered,
) -> Result<()> {
    let (mut sent, mut opened) = (Vec::new(), Vec::new());
    for (ready, outcome) in ended {
        let mail = &ready.mail;
        let (code, status, why) = match outcome {
            Ok(()) => {
                sent.push(ready);
                continue;
            }
            Err(SendError::Unknown(why)) if mail.template == Template::Notice.name() => {
                delivered.wait(tx, mail, why).await?;
                continue;
            }
            Err(SendError::Transient(why)) => {
                delivered.wait(tx, mail, why).await?;
                continue;
            }
            Err(SendError::Unknown(why)) => {
                ("MAIL_UNKNOWN", "unknown", format!("{why}; look for its Message-ID there"))
            }
            Err(SendError::Permanent(why)) => ("MAIL_REFUSED", "failed", why),
            Err(SendError::Address(why)) => {
                customers::mail_failed(tx, &mail.customer_id, today).await?;
                ("MAIL_REFUSED", "failed", why)
            }
        };
        mails::set_status(tx, &[mail.mail_no], status, Some(&why)).await?;
        opened.push(about_mail(code, mail, &why));
        delivered.failed += 1;
    }
    exceptions::open(tx, "", today, &opened).await?;
    let numbers: Vec<i64> = sent.iter().map(|ready| ready.mail.mail_no).collect();
    mails::set_status(tx, &numbers, "sent", None).await?;
    delivered.sent += i64::try_from(sent.len()).unwrap_or(i64::MAX);
    for merchant in &scheme.config.merchants {
        let notices = notices(scheme, &merchant.id, today, &sent);
        delivered.notices += i64::try_from(notices.len()).unwrap_or(i64::MAX);
        facts::add(tx, &merchant.id, &notices).await?;
        let mut touched: Vec<&str> = notices.iter().map(|notice| notice.order_id.as_str()).collect();
        touched.dedup();
        orders::wake(tx, &merchant.id, &touched, today).await?;
    }
    Ok(())
}

impl Delivered {
    /// The mail waits for the next run of its day.
    async fn wait(&mut self, tx: &mut Tx, mail: &MailRow, why: String) -> Result<()> {
        tracing::warn!(mail = mail.mail_no, why, "mail not sent; it is tried again at the next run of today");
        mails::set_status(tx, &[mail.mail_no], "queued", Some(&why)).await?;
        self.waiting += 1;
        self.delayed.get_or_insert(why);
        Ok(())
    }
}

/// Mails that wait are an exception until they have left or their day is over.
async fn note_delay(scheme: &Scheme, today: NaiveDate, delivered: &Delivered) -> Result<()> {
    let mut tx = scheme.store.write().await?;
    match &delivered.delayed {
        Some(why) => {
            let message = format!("{} mails wait for the mail server: {why}", delivered.waiting);
            let is_open = !exceptions::open_keys(&mut tx, "", MAIL_DELAYED).await?.is_empty();
            let delay = NewException {
                code: MAIL_DELAYED.to_owned(),
                row_key: MAIL_DELAYED.to_owned(),
                message,
                ..NewException::default()
            };
            let opened: &[NewException] = if is_open { &[] } else { std::slice::from_ref(&delay) };
            exceptions::open(&mut tx, "", today, opened).await?;
        }
        None => exceptions::resolve(&mut tx, "", &[MAIL_DELAYED], &[MAIL_DELAYED], today).await?,
    }
    tx.commit().await
}

fn notices(scheme: &Scheme, merchant: &str, today: NaiveDate, sent: &[Ready]) -> Vec<NewFact> {
    let mut notices = Vec::new();
    for Ready { mail, about, .. } in sent {
        let is_notice =
            |reminder: &&ReminderRow| reminder.template == Template::Notice.name() && reminder.merchant_id == merchant;
        for reminder in about.iter().filter(is_notice) {
            let effective_at = match scheme.config.clock {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instalment_with_a_step_and_a_notice_on_one_day_is_asked_for_once() {
        let row = |order_id: &str, step: &str, template: Template| ReminderRow {
            merchant_id: "TEA".to_owned(),
            order_id: order_id.to_owned(),
            instalment: 1,
            step: step.to_owned(),
            business_date: NaiveDate::MIN,
            mail_no: Some(1),
            suppressed: None,
            template: template.name().to_owned(),
            due_on: NaiveDate::MIN,
            outstanding_minor: 10_000,
            late_fee_minor: 0,
            days_past_due: 3,
        };
        let about = [
            row("A", "+3", Template::Overdue),
            row("A", "notice", Template::Notice),
            row("B", "notice", Template::Notice),
            row("B", "+3", Template::Overdue),
            row("C", "+1", Template::Overdue),
        ];
        let about = about.map(|row| (row, ()));
        let lines: Vec<_> =
            one_an_instalment(&about).iter().map(|(row, ())| (&*row.order_id, &*row.template)).collect();
        assert_eq!(lines, [("A", "notice"), ("B", "notice"), ("C", "overdue")]);
    }
}
