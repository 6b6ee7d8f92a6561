//! What customers are due to be written about on a day: steps of the ladder, notices, announced debits, and events.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::owed::{self, OwedOrder};
use crate::books::environment::Environment;
use crate::books::order_decisions::PAGE;
use crate::domain::calendar::{days_between, plus};
use crate::domain::decide::due::shortest_term;
use crate::domain::decide::during_day::Owed;
use crate::domain::decide::mail_events::MailEvent;
use crate::domain::decide::reminders::{Template, due_dates};
use crate::domain::terms::hold::HoldEffect;
use crate::scheme::Merchant;
use crate::store::mails::{self, MailStatus, PlannedStep, ReminderRow};
use crate::store::orders::{self, Moved};
use crate::store::{Tx, instructions, is_of_store, mail_events, positions};

/// An instalment, or an event of an order, that its customer receives a mail about.
pub struct Item<'s> {
    pub merchant: &'s str,
    pub order_id: String,
    pub customer_id: String,
    pub step: String,
    pub template: Template,
    pub about: About,
    /// Whether a hold of the order stops mails.
    pub no_contact: bool,
}

pub enum About {
    Owed(Owed),
    Event(MailEvent),
}

/// Returns the steps and notices of the day that were not handled before, and the number of merchants whose orders
/// cannot be decided. No mails about these orders are planned. The close skips these merchants too, and reports why.
pub async fn due_on_day<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    today: NaiveDate,
    day: NaiveDate,
) -> Result<(Vec<Item<'s>>, i64)> {
    let (mut due, mut left_out) = (Vec::new(), 0);
    for merchant in &environment.scheme.merchants {
        match tx.part(async |tx| due_of_merchant(tx, environment, merchant, today, day).await).await? {
            Ok(mut items) => due.append(&mut items),
            Err(why) if is_of_store(&why) => return Err(why),
            Err(why) => {
                tracing::error!(
                    merchant = merchant.id,
                    why = format!("{why:#}"),
                    "no mails are planned for the merchant's orders"
                );
                left_out += 1;
            }
        }
    }
    Ok((due, left_out))
}

/// Returns the items of one merchant: ladder steps by due date, and notices.
async fn due_of_merchant<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    merchant: &'s Merchant,
    today: NaiveDate,
    day: NaiveDate,
) -> Result<Vec<Item<'s>>> {
    let mut due = Vec::new();
    let mut ids = candidates(tx, merchant, today, day).await?;
    let mut events = untold(tx, merchant, day).await?;
    ids.extend(events.keys().cloned());
    ids.sort_unstable();
    ids.dedup();
    for page in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let page: Vec<&str> = page.iter().map(String::as_str).collect();
        let orders = owed::on_day(tx, environment, &merchant.id, &page, day).await?;
        let mut items: Vec<Item<'_>> =
            page.iter().filter_map(|id| orders.get(*id)).flat_map(|order| items(merchant, order, day)).collect();
        for order in page.iter().filter_map(|id| orders.get(*id)) {
            let told = events.remove(&order.stored.order.order_id).unwrap_or_default();
            items.extend(told.into_iter().map(|event| event_item(merchant, order, event)));
        }
        let ids: Vec<&str> = items.iter().map(|item| item.order_id.as_str()).collect();
        let had = mails::steps_planned(tx, &merchant.id, &ids).await?;
        let mut had_by_order: HashMap<&str, Vec<&PlannedStep>> = HashMap::new();
        for step in &had {
            had_by_order.entry(&step.order_id).or_default().push(step);
        }
        items.retain(|item| {
            let had = had_by_order.get(item.order_id.as_str());
            !had.is_some_and(|had| had.iter().any(|had| had.is_for(item, day)))
        });
        due.append(&mut items);
    }
    Ok(due)
}

/// Returns the orders for which a step or a notice may apply on the day: their recorded due date matches a step of the
/// ladder, a notice is due, or their due date may have moved since. An order may be there several times.
async fn candidates(tx: &mut Tx, merchant: &Merchant, today: NaiveDate, day: NaiveDate) -> Result<Vec<String>> {
    let versions = &merchant.policy.versions;
    let mut steps: Vec<i64> = versions.iter().flat_map(|terms| terms.reminders.steps.iter().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    let mut ids = positions::notice_due(tx, &merchant.id).await?;
    for (due_on, _) in due_dates(&steps, day) {
        ids.append(&mut positions::unpaid_due_on(tx, &merchant.id, due_on).await?);
    }
    if merchant.policy.versions.iter().any(|terms| terms.reminders.events.contains(&Template::DebitAnnounced)) {
        ids.append(&mut instructions::planned_by(tx, &merchant.id, plus(day, ANNOUNCED_BEFORE)).await?);
    }
    if let Some(first) = steps.first() {
        let lead = (-first).max(0) - versions.iter().map(shortest_term).min().unwrap_or(0);
        let moved = Moved { today, day, placed_by: plus(day, lead) };
        let mut after = (NaiveDate::default(), String::new());
        loop {
            let page = orders::moved(tx, &merchant.id, &moved, (after.0, &after.1), PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            ids.extend(page.into_iter().map(|(_, id)| id));
        }
    }
    Ok(ids)
}

/// Debits are announced so many days before.
const ANNOUNCED_BEFORE: i64 = 2;

/// Days for which an event is news. What could not be told by then is not told any more.
const NEWS_FOR: i64 = 3;

/// Returns the events of a merchant that are still to be told, by order.
async fn untold(tx: &mut Tx, merchant: &Merchant, day: NaiveDate) -> Result<HashMap<String, Vec<MailEvent>>> {
    let mut events: HashMap<String, Vec<MailEvent>> = HashMap::new();
    if merchant.policy.versions.iter().any(|terms| !terms.reminders.events.is_empty()) {
        for (order_id, event) in mail_events::untold(tx, &merchant.id, plus(day, -NEWS_FOR), day).await? {
            events.entry(order_id).or_default().push(event);
        }
    }
    Ok(events)
}

fn event_item<'s>(merchant: &'s Merchant, order: &OwedOrder<'_>, event: MailEvent) -> Item<'s> {
    // A hold may stop mails, but not those about itself.
    let is_about_hold = matches!(event.template, Template::HoldBegun | Template::HoldEnded);
    let mut positions = order.instalments.iter().map(|owed| &owed.position);
    Item {
        merchant: &merchant.id,
        order_id: order.stored.order.order_id.clone(),
        customer_id: order.stored.order.customer_id.clone(),
        step: event.step.clone(),
        template: event.template,
        no_contact: !is_about_hold && positions.any(|position| position.hold_effects.has(HoldEffect::Contact)),
        about: About::Event(event),
    }
}

fn items<'s>(merchant: &'s Merchant, order: &OwedOrder<'_>, day: NaiveDate) -> Vec<Item<'s>> {
    let mut items = Vec::new();
    for owed in &order.instalments {
        let item = |step: String, template: Template| Item {
            merchant: &merchant.id,
            order_id: order.stored.order.order_id.clone(),
            customer_id: order.stored.order.customer_id.clone(),
            step,
            template,
            about: About::Owed(owed.clone()),
            no_contact: owed.position.hold_effects.has(HoldEffect::Contact),
        };
        let Some(due_on) = owed.position.due_on.filter(|_| owed.position.outstanding() > 0) else { continue };
        let step = days_between(due_on, day);
        if order.terms.reminders.steps.contains(&step) {
            items.push(item(step_name(step), Template::of_step(step)));
        }
        if order.is_noticed(owed) {
            items.push(item(format!("notice {day}"), Template::Notice));
        }
        if let Some(on) = order.announced(owed, day, ANNOUNCED_BEFORE) {
            items.push(item(format!("debit {on}"), Template::DebitAnnounced));
        }
    }
    items
}

/// The name of a step: −3, 0, +7.
fn step_name(step: i64) -> String {
    if step == 0 { "0".to_owned() } else { format!("{step:+}") }
}

impl PlannedStep {
    /// Whether this step handles an item for good. A step that was suppressed on the same day is checked again. A
    /// notice counts from the day it fell due, whatever its name: until one is sent, another is tried every day.
    fn is_for(&self, item: &Item<'_>, day: NaiveDate) -> bool {
        if self.order_id != item.order_id || self.instalment != item.instalment() {
            return false;
        }
        let on_its_way = self.mail.is_some_and(MailStatus::is_on_its_way) && self.suppressed.is_none();
        match item.template {
            Template::Notice => {
                let since = match &item.about {
                    About::Owed(owed) => owed.position.credit.since,
                    About::Event(_) => None,
                };
                let counts = since.is_none_or(|since| self.business_date >= since);
                let is_notice = self.template == Template::Notice && counts;
                is_notice && (on_its_way || self.mail.is_some() && self.business_date == day)
            }
            Template::Upcoming | Template::DueToday | Template::Overdue | Template::DebitAnnounced => {
                self.step == item.step && (self.mail.is_some() || self.business_date != day)
            }
            // What could not be told yesterday is told today, as long as it is news.
            Template::OrderAccepted
            | Template::PaymentReceived
            | Template::RefundNoted
            | Template::CreditPaidOut
            | Template::HoldEnded
            | Template::HoldBegun
            | Template::ExtensionAgreed
            | Template::ReportWithdrawn
            | Template::FeeCharged
            | Template::DebitFailed => self.step == item.step && self.mail.is_some(),
        }
    }
}

impl Item<'_> {
    /// The instalment it is about; 0 for the order as a whole.
    fn instalment(&self) -> i64 {
        match &self.about {
            About::Owed(owed) => owed.position.instalment,
            About::Event(event) => event.instalment,
        }
    }

    pub fn row(&self, day: NaiveDate, mail_no: Option<i64>, suppressed: Option<String>) -> ReminderRow {
        let mut row = ReminderRow {
            merchant_id: self.merchant.to_owned(),
            order_id: self.order_id.clone(),
            instalment: self.instalment(),
            step: self.step.clone(),
            business_date: day,
            mail_no,
            suppressed,
            template: self.template,
            due_on: match &self.about {
                About::Owed(owed) => owed.position.due_on.unwrap_or(day),
                About::Event(event) => event.day,
            },
            outstanding_minor: 0,
            late_fee_minor: 0,
            days_past_due: 0,
        };
        match &self.about {
            About::Owed(owed) => row.owes(owed),
            About::Event(event) => row.outstanding_minor = event.minor.unwrap_or(0),
        }
        row
    }
}
