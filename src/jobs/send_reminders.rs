//! Writes to customers: the ladder step that is right today, and notices before a negative report. One mail a
//! customer a day, within their contact hours; each (instalment, step) at most once, for ever.
//!
//! A mail is written down before it is handed over. Deliberately there is no making up for steps of days gone by:
//! what was right yesterday is not right today.

mod deliver;

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::{Done, Scheme, assess_positions};
use crate::config::Clock;
use crate::domain::calendar::plus;
use crate::domain::customer::Customer;
use crate::domain::hold::Effect;
use crate::domain::reminders::{Template, due_dates};
use crate::store::mails::{self, MailRow, ReminderRow, StepHad};
use crate::store::positions::{self, OpenPosition};
use crate::store::{Tx, customers};

pub async fn run(scheme: &Scheme, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
    // Nobody is dunned for what they have paid: what came in since the last decision is decided first.
    assess_positions::run(scheme, today).await?;
    let mut tx = scheme.store.write().await?;
    let queued = queue(&mut tx, scheme, today, now).await?;
    tx.commit().await?;
    let delivered = deliver::run(scheme, today, now).await?;
    Ok(Done(vec![
        ("mails queued", queued.mails),
        ("suppressed", queued.suppressed),
        ("mails sent", delivered.sent),
        ("mails failed", delivered.failed),
        ("notices", delivered.notices),
    ]))
}

pub async fn dry_run(scheme: &Scheme, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = scheme.store.read().await?;
    let due = due_today(&mut tx, scheme, today).await?;
    let mut by_template: BTreeMap<Template, (i64, HashSet<&str>)> = BTreeMap::new();
    for item in &due {
        let (count, who) = by_template.entry(item.template).or_default();
        *count += 1;
        who.insert(&item.open.customer_id);
    }
    let line = |(template, (count, who)): (&Template, &(i64, HashSet<&str>))| {
        format!("{}: {count} instalments of {} customers would be reminded of", template.name(), who.len())
    };
    Ok(by_template.iter().map(line).collect())
}

/// An instalment about which its customer is to be written to.
struct Item<'s> {
    merchant: &'s str,
    open: OpenPosition,
    step: String,
    template: Template,
}

#[derive(Default)]
struct Queued {
    mails: i64,
    suppressed: i64,
}

/// What is right today and was not dealt with before: ladder steps by due date, and notices.
async fn due_today<'s>(tx: &mut Tx, scheme: &'s Scheme, today: NaiveDate) -> Result<Vec<Item<'s>>> {
    let mut due = Vec::new();
    for merchant in &scheme.config.merchants {
        let mut items = Vec::new();
        let mut steps: Vec<i64> =
            merchant.policy.versions.iter().flat_map(|terms| terms.reminder_steps.iter().copied()).collect();
        steps.sort_unstable();
        steps.dedup();
        for (due_on, step) in due_dates(&steps, today) {
            for open in positions::unpaid_due_on(tx, &merchant.id, due_on).await? {
                let terms = scheme.terms(&merchant.id, open.policy_version)?;
                if terms.reminder_steps.contains(&step) {
                    let template = Template::of_step(step);
                    items.push(Item { merchant: &merchant.id, open, step: step_name(step), template });
                }
            }
        }
        for open in positions::notice_due(tx, &merchant.id).await? {
            let step = format!("notice {today}");
            items.push(Item { merchant: &merchant.id, open, step, template: Template::Notice });
        }
        let ids: Vec<&str> = items.iter().map(|item| item.open.order_id.as_str()).collect();
        let had = mails::steps_had(tx, &merchant.id, &ids).await?;
        items.retain(|item| !had.iter().any(|had| had.is_for(item)));
        due.extend(items);
    }
    Ok(due)
}

/// −3, 0, +7: as people write days around a date.
fn step_name(step: i64) -> String {
    if step == 0 { "0".to_owned() } else { format!("{step:+}") }
}

impl StepHad {
    /// Whether this is the step that an item is due for. A notice counts from the day it fell due, however it is
    /// called: until one is sent, another is tried every day.
    fn is_for(&self, item: &Item<'_>) -> bool {
        let position = &item.open.position;
        if self.order_id != item.open.order_id || self.instalment != position.instalment {
            return false;
        }
        match item.template {
            Template::Notice => {
                let counts = position.credit.since.is_none_or(|since| self.business_date >= since);
                self.template == Template::Notice.name() && counts && !self.failed
            }
            _ => self.step == item.step,
        }
    }
}

async fn queue(tx: &mut Tx, scheme: &Scheme, today: NaiveDate, now: DateTime<Utc>) -> Result<Queued> {
    // On the wall clock, a day that is being caught up with is over: its steps are not right any more.
    if scheme.config.clock == Clock::Wall && now.with_timezone(&scheme.config.zone).date_naive() != today {
        return Ok(Queued::default());
    }
    let mut by_customer: BTreeMap<String, Vec<Item<'_>>> = BTreeMap::new();
    for item in due_today(tx, scheme, today).await? {
        by_customer.entry(item.open.customer_id.clone()).or_default().push(item);
    }
    let ids: Vec<&str> = by_customer.keys().map(String::as_str).collect();
    let people = customers::load(tx, &ids).await?;
    let failed: HashSet<String> = customers::with_failed_address(tx, &ids).await?.into_iter().collect();
    let had = mails::mails_had(tx, &ids, plus(today, -6), today).await?;
    let had: HashMap<&str, (i64, NaiveDate)> =
        had.iter().map(|(id, count, last)| (id.as_str(), (*count, *last))).collect();

    let mut next_mail_no = mails::next_mail_no(tx).await?;
    let mut queued = Queued::default();
    let (mut letters, mut reminders) = (Vec::new(), Vec::new());
    for (customer_id, items) in &by_customer {
        let (count, last) = had.get(customer_id.as_str()).copied().unwrap_or((0, NaiveDate::MIN));
        let reachable = Reachable {
            customer: people.get(customer_id),
            address_failed: failed.contains(customer_id),
            had_one_today: last == today,
            cap_reached: count >= scheme.config.mail.weekly_cap,
        };
        let (write, suppress): (Vec<_>, Vec<_>) = items.iter().partition(|item| reachable.hindrance(item).is_none());
        for item in suppress {
            // A notice is owed before a flag; it stays due until it can be sent.
            if item.template != Template::Notice {
                let reason = reachable.hindrance(item).map(str::to_owned);
                reminders.push(item.row(today, None, reason));
                queued.suppressed += 1;
            }
        }
        let Some(customer) = reachable.customer.filter(|_| !write.is_empty()) else { continue };
        let send_at = scheme.config.mail.contact_hours.next_allowed(now, customer.time_zone);
        let in_time = match scheme.config.clock {
            // A later run of today will look again.
            Clock::Wall => send_at <= now,
            // The day has all its hours.
            Clock::Business => send_at.with_timezone(&scheme.config.zone).date_naive() == today,
        };
        if !in_time {
            continue;
        }
        let template = write.iter().map(|item| item.template).max().unwrap_or(Template::Upcoming);
        letters.push(MailRow {
            mail_no: next_mail_no,
            customer_id: customer_id.clone(),
            business_date: today,
            template: template.name().to_owned(),
            locale: customer.locale.clone(),
            message_id: message_id(scheme, today, next_mail_no),
            send_at,
            status: "queued".to_owned(),
            attempts: 0,
            error: None,
        });
        reminders.extend(write.iter().map(|item| item.row(today, Some(next_mail_no), None)));
        next_mail_no += 1;
        queued.mails += 1;
    }
    mails::queue(tx, &letters, &reminders).await?;
    Ok(queued)
}

/// One for ever, so that a repeat can be recognised.
fn message_id(scheme: &Scheme, today: NaiveDate, mail_no: i64) -> String {
    let domain = scheme.config.mail.from_address.rsplit_once('@').map_or("paylater.invalid", |(_, domain)| domain);
    format!("{}-{mail_no:06}@{domain}", today.format("%Y%m%d"))
}

/// What stands between a customer and a mail.
struct Reachable<'a> {
    customer: Option<&'a Customer>,
    address_failed: bool,
    had_one_today: bool,
    cap_reached: bool,
}

impl Reachable<'_> {
    fn hindrance(&self, item: &Item<'_>) -> Option<&'static str> {
        if item.open.position.stopped.has(Effect::Contact) {
            Some("held")
        } else if self.customer.is_none() {
            Some("customer unknown")
        } else if self.address_failed {
            Some("address failed before")
        } else if self.had_one_today {
            Some("one mail a day")
        } else if self.cap_reached && item.template != Template::Notice {
            Some("weekly cap")
        } else {
            None
        }
    }
}

impl Item<'_> {
    fn row(&self, today: NaiveDate, mail_no: Option<i64>, suppressed: Option<String>) -> ReminderRow {
        let position = &self.open.position;
        ReminderRow {
            merchant_id: self.merchant.to_owned(),
            order_id: self.open.order_id.clone(),
            instalment: position.instalment,
            step: self.step.clone(),
            business_date: today,
            mail_no,
            suppressed,
            template: self.template.name().to_owned(),
            due_on: position.due_on.unwrap_or(today),
            outstanding_minor: position.outstanding(),
            late_fee_minor: position.fee_owed(),
            days_past_due: position.days_past_due_on(today),
        }
    }
}
