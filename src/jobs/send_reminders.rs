//! Sends customers the reminder step that applies on the day, and notices before a negative report. A customer gets at
//! most one mail a day, when their contact hours first allow it. Each (instalment, step) is only ever sent once.
//!
//! The job works for the whole scheme, because a mail is about a customer's orders at all merchants. A merchant whose
//! orders cannot be decided is left out, and stops no mail about the others.
//!
//! The job plans one calendar day's mails and reviews each before it is sent. It deliberately never catches up on steps
//! of earlier days, because they no longer apply. A reminder that is not sent is recorded with its reason.

mod deliver;
mod items;
mod news;
mod owed;
pub mod preview;
mod review;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use self::items::{Item, due_on_day};
use self::news::{OPTED_OUT, held_back_by, without_news};
use crate::books::done::Done;
use crate::books::environment::{Environment, PlannedOn};
use crate::books::remote::undelivered;
use crate::domain::calendar::plus;
use crate::domain::decide::reminders::Template;
use crate::domain::facts::customer::Customer;
use crate::domain::words::count;
use crate::scheme::Clock;
use crate::store::mails::{self, MailRow, MailStatus};
use crate::store::{Tx, customers, delivery_failures, files, scheme};

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
pub fn mail_day(environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> NaiveDate {
    match environment.scheme.clock {
        Clock::Wall => now.with_timezone(&environment.scheme.zone).date_naive().max(today),
        Clock::Business => today,
    }
}

#[derive(Default)]
struct Planned {
    mails: i64,
    suppressed: i64,
    /// The number of merchants whose orders cannot be decided for now.
    left_out: i64,
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
    let opted_out: HashSet<String> = delivery_failures::opted_out(tx, &ids).await?.into_iter().collect();
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
            opted_out: opted_out.contains(customer_id),
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
    /// Whether the customer wants no more mails than notices.
    opted_out: bool,
    had_one_today: bool,
    cap_reached: bool,
    /// Whether the contact hours still allow a mail on this day.
    hour_left: bool,
    /// Merchants for which it is unknown who has paid.
    unsure: &'a BTreeSet<&'a str>,
}

impl Reachable<'_> {
    fn hindrance(&self, item: &Item<'_>) -> Option<&'static str> {
        if item.no_contact {
            Some("held")
        } else if let Some(reason) = held_back_by(self.unsure, item.merchant, item.template) {
            Some(reason)
        } else if self.customer.is_none() {
            Some("customer unknown")
        } else if self.address_failed {
            Some("address failed before")
        } else if self.opted_out && item.template != Template::Notice {
            Some(OPTED_OUT)
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
