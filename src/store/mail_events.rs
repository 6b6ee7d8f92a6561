//! What happened to orders that customers are told.

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use crate::domain::decide::mail_events::MailEvent;
use crate::domain::decide::reminders::Template;

const MAIL_EVENT: Table = Table {
    name: "mail_event",
    columns: &[
        "merchant_id",
        "order_id",
        "instalment",
        "step",
        "template",
        "decided_on",
        "happened_on",
        "amount_minor",
        "until",
    ],
    key: 4,
};

/// Saves the events of a day. Deciding the day again gives the same.
pub async fn save(tx: &mut Tx, merchant: &str, today: NaiveDate, events: &[(String, MailEvent)]) -> Result<()> {
    let mut cells = Vec::with_capacity(events.len() * MAIL_EVENT.columns.len());
    for (order_id, event) in events {
        cells.extend(row![
            merchant,
            order_id.as_str(),
            event.instalment,
            event.step.as_str(),
            event.template,
            today,
            event.day,
            event.minor,
            event.until,
        ]);
    }
    bulk::upsert(tx, &MAIL_EVENT, cells).await
}

/// The events of the days since..=to that are in no mail yet, by order.
pub async fn untold(tx: &mut Tx, merchant: &str, since: NaiveDate, to: NaiveDate) -> Result<Vec<(String, MailEvent)>> {
    let sql = "SELECT e.order_id, e.template, e.instalment, e.step, e.happened_on, e.amount_minor, e.until
               FROM mail_event e
               WHERE e.merchant_id = $1 AND e.decided_on BETWEEN $2 AND $3
                 AND NOT EXISTS (SELECT 1 FROM reminder r WHERE r.merchant_id = e.merchant_id AND r.order_id = e.order_id
                                 AND r.instalment = e.instalment AND r.step = e.step AND r.mail_no IS NOT NULL)
               ORDER BY e.order_id, e.instalment, e.step";
    let rows: Vec<EventRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(since).bind(to).fetch_all(c).await?);
    Ok(rows.into_iter().map(EventRow::into_event).collect())
}

/// All events of these orders.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<(String, MailEvent)>> {
    let sql = sql_for(
        tx,
        "SELECT order_id, template, instalment, step, happened_on, amount_minor, until FROM mail_event
         WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY order_id, instalment, step",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<EventRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().map(EventRow::into_event).collect())
}

#[derive(sqlx::FromRow)]
struct EventRow {
    order_id: String,
    template: Template,
    instalment: i64,
    step: String,
    happened_on: NaiveDate,
    amount_minor: Option<i64>,
    until: Option<NaiveDate>,
}

impl EventRow {
    fn into_event(self) -> (String, MailEvent) {
        let EventRow { template, instalment, step, happened_on: day, amount_minor: minor, until, .. } = self;
        (self.order_id, MailEvent { template, instalment, step, day, minor, until })
    }
}
