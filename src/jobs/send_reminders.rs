//! Sends customers the reminder step that applies on the day, and notices before a negative report. A customer gets at
//! most one mail a day, when their contact hours first allow it. Each (instalment, step) is only ever sent once.
//!
//! The job works for the whole scheme, because a mail is about a customer's orders at all merchants. A merchant whose
//! orders cannot be decided is left out, and stops no mail about the others.
//!
//! The job plans one calendar day's mails and reviews each before it is sent. It deliberately never catches up on steps
//! of earlier days, because they no longer apply. A reminder that is not sent is recorded with its reason.

mod deliver;
mod news;
mod owed;
mod review;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use self::news::{held_back_by, without_news};
use self::owed::OwedOrder;
use crate::books::done::Done;
use crate::books::environment::{Environment, PlannedOn};
use crate::books::order_decisions::PAGE;
use crate::books::remote::undelivered;
use crate::domain::calendar::{days_between, plus};
use crate::domain::decide::due::shortest_term;
use crate::domain::decide::during_day::Owed;
use crate::domain::decide::reminders::{Template, due_dates};
use crate::domain::facts::customer::Customer;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::words::count;
use crate::scheme::{Clock, Merchant};
use crate::store::mails::{self, MailRow, MailStatus, PlannedStep, ReminderRow};
use crate::store::orders::{self, Moved};
use crate::store::{Tx, customers, files, is_of_store, positions, scheme};

pub async fn run(environment: &Environment, now: DateTime<Utc>) -> Result<Done> {
    let mut planned = Planned::default();
    let mut tx = environment.store.write().await?;
    // On the wall clock, the books may close a day while the mails of the calendar day are sent.
    let today = scheme::open_day(&mut tx).await?;
    let day = mail_day(environment, today, now);
    let given_up = deliver::take_up(&mut tx, environment, today, day).await?;
    let unsure = without_news(&mut tx, environment, today, day, now).await?;
    let without = unsure.iter().map(|merchant| (*merchant).to_owned()).collect();
    let news = Some(PlannedOn { day, open: today, next_file_no: files::next_number(&mut tx).await?, without });
    if !environment.mails_planned.lock().is_ok_and(|planned| *planned == news) {
        planned = plan(&mut tx, environment, today, day, now, &unsure).await?;
    }
    tx.commit().await?;
    if let Ok(mut planned) = environment.mails_planned.lock() {
        *planned = news;
    }
    let delivered = deliver::run(environment, day, now, &unsure).await?;
    if let Some(why) = &delivered.delayed {
        let waiting = count(delivered.waiting, "mail");
        undelivered(vec![format!("not handed over, and left for the next run of today: {waiting}: {why}")])?;
    }
    Ok(Done(vec![
        ("mails planned", planned.mails),
        ("not planned", planned.suppressed),
        ("merchants left out", planned.left_out),
        ("mails sent", delivered.sent),
        ("withdrawn", delivered.withdrawn),
        ("mails failed", given_up + delivered.failed),
        ("notices", delivered.notices),
    ]))
}

pub async fn dry_run(environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    let (due, _) = due_on_day(&mut tx, environment, today, mail_day(environment, today, now)).await?;
    let mut by_template: BTreeMap<Template, (i64, HashSet<&str>)> = BTreeMap::new();
    for item in &due {
        let (instalments, who) = by_template.entry(item.template).or_default();
        *instalments += 1;
        who.insert(&item.customer_id);
    }
    let line = |(template, (instalments, who)): (&Template, &(i64, HashSet<&str>))| {
        let (instalments, customers) = (count(*instalments, "instalment"), count(who.len(), "customer"));
        format!("{}: {customers} would be reminded of {instalments}", template.name())
    };
    Ok(by_template.iter().map(line).collect())
}

/// The calendar day whose mails are sent. On the wall clock, this is the day of the clock, even while the close of an
/// earlier day is still pending: mails do not wait for the books.
fn mail_day(environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> NaiveDate {
    match environment.scheme.clock {
        Clock::Wall => now.with_timezone(&environment.scheme.zone).date_naive().max(today),
        Clock::Business => today,
    }
}

/// An instalment that its customer receives a mail about.
struct Item<'s> {
    merchant: &'s str,
    order_id: String,
    customer_id: String,
    step: String,
    template: Template,
    owed: Owed,
}

#[derive(Default)]
struct Planned {
    mails: i64,
    suppressed: i64,
    /// The number of merchants whose orders cannot be decided for now.
    left_out: i64,
}

/// Returns the steps and notices of the day that were not handled before, and the number of merchants whose orders
/// cannot be decided. No mails about these orders are planned. The close skips these merchants too, and reports why.
async fn due_on_day<'s>(
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
                tracing::error!(merchant = merchant.id, "no mails are planned for the merchant's orders: {why:#}");
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
    let ids = candidates(tx, merchant, today, day).await?;
    for page in ids.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let page: Vec<&str> = page.iter().map(String::as_str).collect();
        let orders = owed::on_day(tx, environment, &merchant.id, &page, day).await?;
        let mut items: Vec<Item<'_>> =
            page.iter().filter_map(|id| orders.get(*id)).flat_map(|order| items(merchant, order, day)).collect();
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
/// ladder, a notice is due, or their due date may have moved since.
async fn candidates(tx: &mut Tx, merchant: &Merchant, today: NaiveDate, day: NaiveDate) -> Result<Vec<String>> {
    let versions = &merchant.policy.versions;
    let mut steps: Vec<i64> = versions.iter().flat_map(|terms| terms.reminders.steps.iter().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    let mut ids = positions::notice_due(tx, &merchant.id).await?;
    for (due_on, _) in due_dates(&steps, day) {
        ids.append(&mut positions::unpaid_due_on(tx, &merchant.id, due_on).await?);
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
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
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
            owed: owed.clone(),
        };
        let Some(due_on) = owed.position.due_on.filter(|_| owed.position.outstanding() > 0) else { continue };
        let step = days_between(due_on, day);
        if order.terms.reminders.steps.contains(&step) {
            items.push(item(step_name(step), Template::of_step(step)));
        }
        if order.is_noticed(owed) {
            items.push(item(format!("notice {day}"), Template::Notice));
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
        let position = &item.owed.position;
        if self.order_id != item.order_id || self.instalment != position.instalment {
            return false;
        }
        let on_its_way = self.mail.is_some_and(MailStatus::is_on_its_way) && self.suppressed.is_none();
        match item.template {
            Template::Notice => {
                let counts = position.credit.since.is_none_or(|since| self.business_date >= since);
                let is_notice = self.template == Template::Notice && counts;
                is_notice && (on_its_way || self.mail.is_some() && self.business_date == day)
            }
            Template::Upcoming | Template::DueToday | Template::Overdue => {
                self.step == item.step && (self.mail.is_some() || self.business_date != day)
            }
        }
    }
}

async fn plan(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    day: NaiveDate,
    now: DateTime<Utc>,
    unsure: &BTreeSet<&str>,
) -> Result<Planned> {
    let mut by_customer: BTreeMap<String, Vec<Item<'_>>> = BTreeMap::new();
    let (due, left_out) = due_on_day(tx, environment, today, day).await?;
    for item in due {
        by_customer.entry(item.customer_id.clone()).or_default().push(item);
    }
    let ids: Vec<&str> = by_customer.keys().map(String::as_str).collect();
    let people = customers::load(tx, &ids).await?;
    let failed: HashSet<String> = customers::with_failed_address(tx, &ids).await?.into_iter().collect();
    let had = mails::planned_between(tx, &ids, plus(day, -6), day).await?;
    let had: HashMap<&str, (i64, NaiveDate)> =
        had.iter().map(|(id, count, last)| (id.as_str(), (*count, *last))).collect();

    let mut next_mail_no = mails::next_mail_no(tx).await?;
    let mut planned = Planned { left_out, ..Planned::default() };
    let (mut letters, mut reminders) = (Vec::new(), Vec::new());
    for (customer_id, items) in &by_customer {
        let (count, last) = had.get(customer_id.as_str()).copied().unwrap_or((0, NaiveDate::MIN));
        let customer = people.get(customer_id);
        let send_at =
            customer.map(|customer| environment.scheme.mail.contact_hours.next_allowed(now, customer.time_zone));
        let send_at = send_at.filter(|at| at.with_timezone(&environment.scheme.zone).date_naive() == day);
        let reachable = Reachable {
            customer,
            address_failed: failed.contains(customer_id),
            had_one_today: last == day,
            cap_reached: count >= environment.scheme.mail.weekly_cap,
            hour_left: send_at.is_some(),
            unsure,
        };
        let (write, suppress): (Vec<_>, Vec<_>) = items.iter().partition(|item| reachable.hindrance(item).is_none());
        for item in suppress {
            let reason = reachable.hindrance(item).map(str::to_owned);
            reminders.push(item.row(day, None, reason));
            planned.suppressed += 1;
        }
        let (Some(customer), Some(send_at), false) = (customer, send_at, write.is_empty()) else { continue };
        let template = write.iter().map(|item| item.template).max().unwrap_or(Template::Upcoming);
        letters.push(MailRow {
            mail_no: next_mail_no,
            customer_id: customer_id.clone(),
            business_date: day,
            template,
            locale: customer.locale.clone(),
            message_id: message_id(environment, day, next_mail_no),
            send_at,
            status: MailStatus::Queued,
            attempts: 0,
            error: None,
        });
        reminders.extend(write.iter().map(|item| item.row(day, Some(next_mail_no), None)));
        next_mail_no += 1;
        planned.mails += 1;
    }
    mails::save(tx, &letters, &reminders).await?;
    Ok(planned)
}

/// Returns the Message-ID of a mail. It never changes, so that a repeated mail can be recognised.
fn message_id(environment: &Environment, today: NaiveDate, mail_no: i64) -> String {
    let domain = environment.scheme.mail.from_address.rsplit_once('@').map_or("paylater.invalid", |(_, domain)| domain);
    format!("{}-{mail_no:06}@{domain}", today.format("%Y%m%d"))
}

/// The reasons that can prevent a mail to a customer.
struct Reachable<'a> {
    customer: Option<&'a Customer>,
    address_failed: bool,
    had_one_today: bool,
    cap_reached: bool,
    /// Whether the contact hours still allow a mail on this day.
    hour_left: bool,
    /// Merchants for which it is unknown who has paid.
    unsure: &'a BTreeSet<&'a str>,
}

impl Reachable<'_> {
    fn hindrance(&self, item: &Item<'_>) -> Option<&'static str> {
        if item.owed.position.hold_effects.has(HoldEffect::Contact) {
            Some("held")
        } else if let Some(reason) = held_back_by(self.unsure, item.merchant, item.template) {
            Some(reason)
        } else if self.customer.is_none() {
            Some("customer unknown")
        } else if self.address_failed {
            Some("address failed before")
        } else if self.had_one_today {
            Some("one mail a day")
        } else if self.cap_reached && item.template != Template::Notice {
            Some("weekly cap")
        } else if !self.hour_left {
            Some("no hour left in the customer's time zone")
        } else {
            None
        }
    }
}

impl Item<'_> {
    fn row(&self, day: NaiveDate, mail_no: Option<i64>, suppressed: Option<String>) -> ReminderRow {
        let mut row = ReminderRow {
            merchant_id: self.merchant.to_owned(),
            order_id: self.order_id.clone(),
            instalment: self.owed.position.instalment,
            step: self.step.clone(),
            business_date: day,
            mail_no,
            suppressed,
            template: self.template,
            due_on: self.owed.position.due_on.unwrap_or(day),
            outstanding_minor: 0,
            late_fee_minor: 0,
            days_past_due: 0,
        };
        row.owes(&self.owed);
        row
    }
}

impl ReminderRow {
    /// Sets the current amounts.
    fn owes(&mut self, owed: &Owed) {
        let position = &owed.position;
        self.outstanding_minor = position.outstanding();
        self.late_fee_minor = position.fee_owed();
        self.days_past_due = position.days_past_due_on(self.business_date);
    }
}
