//! The review of mails just before they are sent. It removes instalments that are paid, held or postponed, and updates
//! the amounts of the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::news::{OPTED_OUT, held_back_by};
use super::owed::{self, OwedOrder};
use crate::books::environment::Environment;
use crate::domain::calendar::days_between;
use crate::domain::decide::during_day::Owed;
use crate::domain::decide::mail_events::MailEvent;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::language_tag;
use crate::mail::compose::{Mail, compose};
use crate::mail::letter::{ComposeError, Letter, Line, News};
use crate::store::mails::{self, MailRow, MailStatus, ReminderRow};
use crate::store::{Tx, customers, delivery_failures, is_of_store, mail_events};

/// A reviewed mail, ready to send.
pub struct Ready {
    pub mail: MailRow,
    pub about: Vec<ReminderRow>,
    pub letter: Result<Mail, ComposeError>,
}

/// Returns the mails to send, with the current amounts, and the number of mails withdrawn because none of their
/// reminders applies any more.
pub async fn look_again(
    tx: &mut Tx,
    environment: &Environment,
    page: Vec<MailRow>,
    day: NaiveDate,
    unsure: &BTreeSet<&str>,
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
    let mut unknown: HashSet<&str> = HashSet::new();
    let mut events: HashMap<(String, String, i64, String), MailEvent> = HashMap::new();
    for merchant in &environment.scheme.merchants {
        let of_merchant = about.values().flatten().filter(|reminder| reminder.merchant_id == merchant.id);
        let mut ids: Vec<&str> = of_merchant.map(|reminder| reminder.order_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let is_event = |reminder: &&ReminderRow| !reminder.template.asks() && reminder.merchant_id == merchant.id;
        if about.values().flatten().any(|reminder| is_event(&reminder)) {
            for (order_id, event) in mail_events::of_orders(tx, &merchant.id, &ids).await? {
                events.insert((merchant.id.clone(), order_id, event.instalment, event.step.clone()), event);
            }
        }
        match tx.part(async |tx| owed::on_day(tx, environment, &merchant.id, &ids, day).await).await? {
            Ok(owed) => drop(orders.insert(&merchant.id, owed)),
            Err(why) if is_of_store(&why) => return Err(why),
            Err(why) => {
                tracing::error!(
                    merchant = merchant.id,
                    why = format!("{why:#}"),
                    "mails about the merchant's orders wait"
                );
                unknown.insert(&merchant.id);
            }
        }
    }
    let who: Vec<&str> = page.iter().map(|mail| mail.customer_id.as_str()).collect();
    let people = customers::load(tx, &who).await?;
    let failed: HashSet<String> = customers::with_failed_address(tx, &who).await?.into_iter().collect();
    let opted_out: HashSet<String> = delivery_failures::opted_out(tx, &who).await?.into_iter().collect();

    let (mut ready, mut changed, mut withdrawn, mut milder) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for mut mail in page {
        let mut reminders = about.get(&mail.mail_no).into_iter().flatten();
        if reminders.any(|reminder| unknown.contains(reminder.merchant_id.as_str())) {
            continue;
        }
        let (mut right, mut news) = (Vec::new(), Vec::new());
        let mut reasons = Vec::new();
        for mut reminder in about.remove(&mail.mail_no).unwrap_or_default() {
            let order = orders.get(reminder.merchant_id.as_str()).and_then(|orders| orders.get(&reminder.order_id));
            let order = order.context("a reminder of an order that is not known")?;
            let template = reminder.template;
            let subject = if template.asks() {
                let owed = order.instalments.iter().find(|owed| owed.position.instalment == reminder.instalment);
                Subject::Owed(owed.context("a reminder of an instalment that is not known")?)
            } else {
                let ReminderRow { merchant_id, order_id, instalment, step, .. } = reminder.clone();
                let event = events.get(&(merchant_id, order_id, instalment, step));
                Subject::Event(event.context("a mail about an event that is not known")?)
            };
            let reason = match failed.contains(&mail.customer_id) {
                true => Some("address failed before"),
                false if opted_out.contains(&mail.customer_id) && template != Template::Notice => Some(OPTED_OUT),
                false => {
                    let now = match subject {
                        Subject::Owed(owed) => order.not_any_more(owed, template, reminder.due_on),
                        Subject::Event(event) => order.not_told_any_more(event, day),
                    };
                    now.or_else(|| held_back_by(unsure, &reminder.merchant_id, template))
                }
            };
            reminder.suppressed = reason.map(str::to_owned);
            reasons.extend(reason);
            if let Subject::Owed(owed) = subject {
                reminder.owes(owed);
            }
            changed.push(reminder.clone());
            match subject {
                _ if reason.is_some() => {}
                Subject::Owed(owed) => right.push((reminder, (order, owed))),
                Subject::Event(event) => news.push((reminder, order, event)),
            }
        }
        let templates = right.iter().map(|(reminder, ..)| reminder.template);
        let Some(template) = templates.chain(news.iter().map(|(reminder, ..)| reminder.template)).max() else {
            reasons.sort_unstable();
            reasons.dedup();
            (mail.status, mail.error) = (MailStatus::Withdrawn, Some(reasons.join(", ")));
            withdrawn.push(mail);
            continue;
        };
        if mail.template != template {
            mail.template = template;
            milder.push(mail.clone());
        }
        let customer = people.get(&mail.customer_id).context("a mail to a customer who is not known")?;
        let lines =
            one_an_instalment(&right).into_iter().map(|(reminder, (order, owed))| line(reminder, order, owed, day));
        let wording = named_letter(&right, template).map(str::to_owned);
        let letter = Letter {
            message_id: mail.message_id.clone(),
            to_name: customer.name.clone(),
            to_address: customer.email.clone(),
            language: language_tag(&mail.locale),
            template,
            wording,
            business_date: day,
            sent_at: mail.send_at,
            lines: lines.collect::<Result<_>>()?,
            news: told(&news),
        };
        let letter = compose(&letter, &environment.sender, &environment.templates);
        let reminders = right.into_iter().map(|(reminder, ..)| reminder);
        let about = reminders.chain(news.into_iter().map(|(reminder, ..)| reminder)).collect();
        ready.push(Ready { mail, about, letter });
    }
    let count = i64::try_from(withdrawn.len()).unwrap_or(i64::MAX);
    withdrawn.append(&mut milder);
    mails::save(tx, &withdrawn, &changed).await?;
    Ok((ready, count))
}

/// What a reminder is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Owed(&'a Owed),
    Event(&'a MailEvent),
}

/// The events of a mail, the gravest first.
fn told(news: &[(ReminderRow, &OwedOrder<'_>, &MailEvent)]) -> Vec<News> {
    let mut told: Vec<News> = news
        .iter()
        .map(|(reminder, order, event)| News {
            template: event.template,
            merchant_id: reminder.merchant_id.clone(),
            order_id: reminder.order_id.clone(),
            item: order.stored.item.clone(),
            currency: order.stored.order.currency,
            instalment: event.instalment,
            instalments: i64::try_from(order.instalments.len()).unwrap_or(i64::MAX),
            day: event.day,
            minor: event.minor,
            until: event.until,
            dues: order.dues(),
            settled: order.is_settled(),
        })
        .collect();
    told.sort_by_key(|news| Reverse(news.template));
    told
}

/// Returns the reminders that a mail lists. If an instalment has a ladder step and a notice on the same day, only the
/// more serious one is listed, so that no amount is requested twice.
fn one_an_instalment<T>(right: &[(ReminderRow, T)]) -> Vec<&(ReminderRow, T)> {
    let mut lines: Vec<&(ReminderRow, T)> = Vec::new();
    let key = |row: &ReminderRow| (row.merchant_id.clone(), row.order_id.clone(), row.instalment);
    for line in right {
        match lines.iter_mut().find(|known| key(&known.0) == key(&line.0)) {
            Some(known) if known.0.template < line.0.template => *known = line,
            Some(_) => {}
            None => lines.push(line),
        }
    }
    lines
}

/// The letter that the ladder names for the latest step of the gravest template.
fn named_letter<'s>(right: &[(ReminderRow, (&OwedOrder<'s>, &Owed))], template: Template) -> Option<&'s str> {
    let gravest = right.iter().filter(|(reminder, _)| reminder.template == template);
    let named = gravest.filter_map(|(reminder, (order, _))| {
        let step = days_between(reminder.due_on, reminder.business_date);
        Some((step, order.terms.reminders.letters.get(&step)?.as_str()))
    });
    named.max_by_key(|(step, _)| *step).map(|(_, letter)| letter)
}

pub(super) fn line(reminder: &ReminderRow, order: &OwedOrder<'_>, owed: &Owed, day: NaiveDate) -> Result<Line> {
    let (paid_minor, refunded_minor) = order.paid_and_refunded();
    let debited = order.debited(owed, day)?;
    Ok(Line {
        template: reminder.template,
        merchant_id: reminder.merchant_id.clone(),
        order_id: reminder.order_id.clone(),
        item: order.stored.item.clone(),
        currency: order.stored.order.currency,
        instalment: owed.position.instalment,
        instalments: i64::try_from(order.instalments.len()).unwrap_or(i64::MAX),
        order_minor: order.stored.order.amount_minor,
        paid_minor,
        refunded_minor,
        outstanding_minor: reminder.outstanding_minor,
        fee_minor: reminder.late_fee_minor,
        due_on: reminder.due_on,
        days_past_due: reminder.days_past_due,
        flag_on: order.flag_on(owed, reminder.template, day),
        next_fee: order.next_fee(owed, day)?,
        record_at_stake: order.record_is_at_stake(owed),
        debited,
        may_extend: order.may_extend(day),
        may_give_back: order.may_give_back(day),
    })
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
            template,
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
        let lines: Vec<_> = one_an_instalment(&about).iter().map(|(row, ())| (&*row.order_id, row.template)).collect();
        assert_eq!(lines, [("A", Template::Notice), ("B", Template::Notice), ("C", Template::Overdue)]);
    }
}
