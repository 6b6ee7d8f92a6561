//! A mail about an order as it would read now. Nothing is planned or sent.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};

use super::{owed, review};
use crate::books::environment::Environment;
use crate::domain::calendar::days_between;
use crate::domain::decide::during_day::Owed;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::language_tag;
use crate::mail::compose::{Mail, compose};
use crate::mail::letter::Letter;
use crate::store::Tx;
use crate::store::customers;
use crate::store::mails::ReminderRow;

/// What to show.
pub struct Wanted<'a> {
    pub merchant: &'a str,
    pub order_id: &'a str,
    /// The letter; by default the one that fits the oldest instalment.
    pub letter: Option<&'a str>,
    /// By default the customer's.
    pub language: Option<&'a str>,
    pub day: NaiveDate,
    pub at: DateTime<Utc>,
}

/// Composes the mail.
pub async fn preview(tx: &mut Tx, environment: &Environment, wanted: &Wanted<'_>) -> Result<Mail> {
    let Wanted { merchant, order_id, letter, language, day, at } = *wanted;
    let orders = owed::on_day(tx, environment, merchant, &[order_id], day).await?;
    let order = orders.get(order_id).with_context(|| format!("order {order_id} of {merchant} is not known"))?;
    let due = order.instalments.iter().find(|owed| owed.position.outstanding() > 0 && owed.position.due_on.is_some());
    let owed = due.or_else(|| order.instalments.iter().find(|owed| owed.position.due_on.is_some()));
    let owed = owed.with_context(|| format!("order {order_id} has no due date yet, so that no mail asks for it"))?;
    let template = letter.and_then(Template::parse).unwrap_or_else(|| usual(owed, day));
    ensure!(
        template.asks(),
        "{}: write the name of a letter that asks for an amount, such as overdue",
        template.name()
    );
    let customer_id = &order.stored.order.customer_id;
    let people = customers::load(tx, &[customer_id.as_str()]).await?;
    let customer = people.get(customer_id).context("the customer is not known")?;
    let reminder = ReminderRow {
        merchant_id: merchant.to_owned(),
        order_id: order_id.to_owned(),
        instalment: owed.position.instalment,
        step: String::new(),
        business_date: day,
        mail_no: None,
        suppressed: None,
        template,
        due_on: owed.position.due_on.unwrap_or(day),
        outstanding_minor: owed.position.outstanding(),
        late_fee_minor: owed.position.fee_owed(),
        days_past_due: owed.position.days_past_due_on(day),
    };
    let letter = Letter {
        message_id: format!("preview-{}@paylater.invalid", day.format("%Y%m%d")),
        to_name: customer.name.clone(),
        to_address: customer.email.clone(),
        language: language_tag(language.unwrap_or(&customer.locale)),
        template,
        wording: letter.filter(|name| Template::parse(name).is_none()).map(str::to_owned),
        business_date: day,
        sent_at: at,
        lines: vec![review::line(&reminder, order, owed, day)?],
        news: Vec::new(),
    };
    Ok(compose(&letter, &environment.sender, &environment.templates)?)
}

/// The letter that a step of the ladder would bring on a day.
fn usual(owed: &Owed, day: NaiveDate) -> Template {
    owed.position.due_on.map_or(Template::Upcoming, |due_on| Template::of_step(days_between(due_on, day)))
}
