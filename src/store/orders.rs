//! Orders, and the index of orders to decide next.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::as_text::{any_day, any_name, day};
use super::bulk::{self, Cell, Table, row};
use super::engine::{Tx, as_one, held_in, key_set, on_engine, rows, sql_for, text_for};
use super::journal::currency;
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::DeclineCode;

const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        "merchant_id",
        "order_id",
        "customer_id",
        "amount_minor",
        "currency",
        "ordered_at",
        "ordered_on",
        "item",
        "declined",
        "credit_score",
        "agreement_id",
        "term",
        "policy_version",
        "content",
        "booked_on",
        "file_no",
        "line",
        "owed_minor",
        "past_due_from",
        "closed_on",
        "next_action_on",
    ],
    key: 2,
};

const DECIDED: Table = Table {
    name: "orders",
    columns: &["merchant_id", "order_id", "owed_minor", "past_due_from", "closed_on", "next_action_on"],
    key: 2,
};

/// The next decision of an order that is otherwise as it was.
const SCHEDULED: Table = Table { name: "orders", columns: &["merchant_id", "order_id", "next_action_on"], key: 2 };

/// An order with the basis of its decision.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    pub order: Order,
    pub item: Option<String>,
    /// Why it was declined; `None` if it was accepted.
    pub declined: Option<DeclineCode>,
    pub credit_score: Option<i64>,
    pub agreement_id: Option<String>,
    /// The principal outstanding at the last decision.
    pub owed_minor: i64,
    pub past_due_from: Option<NaiveDate>,
    /// The business date on which it was paid off.
    pub closed_on: Option<NaiveDate>,
}

/// The result of deciding an order, as far as the order's row stores it.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    pub owed_minor: i64,
    pub past_due_from: Option<NaiveDate>,
    pub closed_on: Option<NaiveDate>,
    pub next_action_on: Option<NaiveDate>,
}

/// An order with its content's fingerprint and its decision.
pub type NewOrder = (StoredOrder, i64, Decided);

/// Adds decided orders.
pub async fn add(tx: &mut Tx, merchant: &str, orders: &[NewOrder]) -> Result<()> {
    // Accepted orders first: among themselves they share the values of more columns.
    let accepted = orders.iter().filter(|(stored, ..)| stored.declined.is_none());
    let declined = orders.iter().filter(|(stored, ..)| stored.declined.is_some());
    bulk::insert(tx, &ORDERS, accepted.chain(declined).flat_map(|order| cells(merchant, order))).await
}

fn cells<'a>(merchant: &'a str, (stored, fingerprint, outcome): &'a NewOrder) -> [Cell<'a>; 21] {
    let StoredOrder { order, item, declined, credit_score, agreement_id, .. } = stored;
    row![
        merchant,
        order.order_id.as_str(),
        order.customer_id.as_str(),
        order.amount_minor,
        order.currency.code(),
        order.ordered_at,
        order.ordered_on,
        item.as_deref(),
        *declined,
        *credit_score,
        agreement_id.as_deref(),
        order.term,
        order.policy_version,
        *fingerprint,
        order.booked_on,
        order.source.file_no,
        order.source.line,
        outcome.owed_minor,
        outcome.past_due_from,
        outcome.closed_on,
        outcome.next_action_on,
    ]
}

/// Updates the decisions of known orders.
pub async fn update_decided(tx: &mut Tx, merchant: &str, decided: &[(String, Decided)]) -> Result<()> {
    let cells = decided.iter().flat_map(|(order_id, outcome)| {
        row![
            merchant,
            order_id.as_str(),
            outcome.owed_minor,
            outcome.past_due_from,
            outcome.closed_on,
            outcome.next_action_on,
        ]
    });
    bulk::update(tx, &DECIDED, cells).await
}

/// Sets when orders are decided next. What the index of open orders has is left alone.
pub async fn schedule(tx: &mut Tx, merchant: &str, orders: &[(String, Option<NaiveDate>)]) -> Result<()> {
    let cells = orders.iter().flat_map(|(order_id, next_action_on)| row![merchant, order_id.as_str(), *next_action_on]);
    bulk::update(tx, &SCHEDULED, cells).await
}

/// The stored decisions of these orders.
pub async fn decided(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, Decided>> {
    let sql = "SELECT order_id, owed_minor, past_due_from, closed_on, next_action_on FROM orders
               WHERE merchant_id = $1 AND order_id IN {keys $2}";
    let sql = sql_for(tx, sql);
    let keys = key_set(order_ids.iter().copied());
    type Row = (String, i64, Option<NaiveDate>, Option<NaiveDate>, Option<NaiveDate>);
    let rows: Vec<Row> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    let decided = |(id, owed_minor, past_due_from, closed_on, next_action_on)| {
        (id, Decided { owed_minor, past_due_from, closed_on, next_action_on })
    };
    Ok(rows.into_iter().map(decided).collect())
}

/// Whether any known order has a key between these two.
pub async fn any_between(tx: &mut Tx, merchant: &str, first: &str, last: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM orders WHERE merchant_id = $1 AND order_id BETWEEN $2 AND $3)";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(first).bind(last).fetch_one(c).await?))
}

/// The known orders among these ids: the content's fingerprint, and whether the order was accepted.
pub async fn known(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, (i64, bool)>> {
    let rows = as_one(tx, "order_id, content, CASE WHEN declined IS NULL THEN 1 ELSE 0 END");
    let sql = format!("SELECT {rows} FROM orders WHERE merchant_id = $1 AND order_id IN {{keys $2}}");
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    let rows: String = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(keys).fetch_one(c).await?);
    let known = |(id, content, accepted): (String, i64, i64)| (id, (content, accepted != 0));
    Ok(held_in::<Vec<_>>(&rows)?.into_iter().map(known).collect())
}

/// The next orders to decide by the end of `today`, the longest due first.
pub async fn to_decide(tx: &mut Tx, merchant: &str, today: NaiveDate, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT order_id FROM orders WHERE merchant_id = $1 AND next_action_on <= $2
               ORDER BY next_action_on, order_id LIMIT $3";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).bind(limit).fetch_all(c).await?))
}

/// Selects the orders whose due date may have changed today.
pub struct Moved {
    /// The open business date.
    pub today: NaiveDate,
    /// The calendar day on which facts dated ahead may take effect.
    pub day: NaiveDate,
    /// New orders are included only if they were placed by this day.
    pub placed_by: NaiveDate,
}

/// Orders whose due dates may have changed since the last decision, in the order of the index of orders to decide, after the
/// index key `after`.
pub async fn moved(
    tx: &mut Tx,
    merchant: &str,
    moved: &Moved,
    after: (NaiveDate, &str),
    limit: i64,
) -> Result<Vec<(NaiveDate, String)>> {
    let sql = "SELECT o.next_action_on, o.order_id FROM orders o
               WHERE o.merchant_id = $1 AND o.next_action_on <= $2 AND (o.next_action_on, o.order_id) > ($5, $6)
                 AND (o.booked_on = $2 AND o.ordered_on <= $4
                      OR EXISTS (SELECT 1 FROM fact f WHERE f.merchant_id = o.merchant_id AND f.order_id = o.order_id
                                 AND f.kind IN ('fulfilment', 'extension', 'hold')
                                 AND (f.booked_on = $2 OR f.effective_on = $3))
                      OR EXISTS (SELECT 1 FROM correction c WHERE c.merchant_id = o.merchant_id AND c.order_id = o.order_id
                                 AND c.kind IN ('fulfilment', 'extension', 'hold')
                                 AND (c.booked_on = $2 OR c.effective_on = $3)))
               ORDER BY o.next_action_on, o.order_id LIMIT $7";
    let Moved { today, day, placed_by } = moved;
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(*today).bind(*day).bind(*placed_by);
        query.bind(after.0).bind(after.1).bind(limit).fetch_all(c).await?
    }))
}

/// The number of orders left to decide by the end of `today`.
pub async fn count_to_decide(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM orders WHERE merchant_id = $1 AND next_action_on <= $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).fetch_one(c).await?))
}

/// Schedules these orders to be decided by the end of `today`, because there is news about them.
pub async fn wake(tx: &mut Tx, merchant: &str, order_ids: &[&str], today: NaiveDate) -> Result<()> {
    let sql = "UPDATE orders SET next_action_on = $3
               WHERE merchant_id = $1 AND order_id IN {keys $2} AND declined IS NULL";
    let sql = sql_for(tx, sql);
    let keys = key_set(order_ids.iter().copied());
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(keys).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Schedules all orders that are due to be decided on `next` to be decided by the end of `today` instead.
pub async fn bring_forward(tx: &mut Tx, merchant: &str, next: NaiveDate, today: NaiveDate) -> Result<()> {
    let sql = "UPDATE orders SET next_action_on = $3 WHERE merchant_id = $1 AND next_action_on = $2";
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(next).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// These orders, accepted or declined, by key.
pub async fn load(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<StoredOrder>> {
    let these = text_for(tx, "FROM orders WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY order_id");
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<OrderRow> = rows!(tx, [ORDER], these, [merchant, keys]);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// All orders of a customer at a merchant, accepted or declined, in the order in which they were placed.
pub async fn of_customer(tx: &mut Tx, merchant: &str, customer: &str) -> Result<Vec<StoredOrder>> {
    let sql = "FROM orders WHERE merchant_id = $1 AND customer_id = $2 ORDER BY ordered_on, ordered_at, order_id";
    let rows: Vec<OrderRow> = rows!(tx, [ORDER], sql, [merchant, customer]);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// Accepted orders that may have been open at the end of a sealed day, by key, after `after`.
pub async fn open_at(tx: &mut Tx, merchant: &str, day: NaiveDate, after: &str, limit: i64) -> Result<Vec<StoredOrder>> {
    let open = "FROM orders WHERE merchant_id = $1 AND booked_on <= $2 AND (closed_on IS NULL OR closed_on > $2)
                AND declined IS NULL AND order_id > $3 ORDER BY order_id LIMIT $4";
    let rows: Vec<OrderRow> = rows!(tx, [ORDER], open, [merchant, day, after, limit]);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// Accepted orders booked by the end of a day, by key, after `after`.
pub async fn booked_by(
    tx: &mut Tx,
    merchant: &str,
    day: NaiveDate,
    after: &str,
    limit: i64,
) -> Result<Vec<StoredOrder>> {
    let booked = "FROM orders WHERE merchant_id = $1 AND booked_on <= $2 AND declined IS NULL AND order_id > $3
                  ORDER BY order_id LIMIT $4";
    let rows: Vec<OrderRow> = rows!(tx, [ORDER], booked, [merchant, day, after, limit]);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// All accepted orders, by key, after `after`.
pub async fn accepted(tx: &mut Tx, merchant: &str, after: &str, limit: i64) -> Result<Vec<StoredOrder>> {
    let accepted =
        "FROM orders WHERE merchant_id = $1 AND declined IS NULL AND order_id > $2 ORDER BY order_id LIMIT $3";
    let rows: Vec<OrderRow> = rows!(tx, [ORDER], accepted, [merchant, after, limit]);
    rows.into_iter().map(OrderRow::into_order).collect()
}

const ORDER: &str = "order_id, customer_id, amount_minor, currency, ordered_at, ordered_on,
    item, declined, credit_score, agreement_id, term, policy_version, booked_on, file_no, line, owed_minor, past_due_from,
    closed_on";

#[derive(Deserialize, sqlx::FromRow)]
struct OrderRow {
    order_id: String,
    customer_id: String,
    amount_minor: i64,
    currency: String,
    ordered_at: DateTime<Utc>,
    #[serde(deserialize_with = "day")]
    ordered_on: NaiveDate,
    item: Option<String>,
    #[serde(deserialize_with = "any_name")]
    declined: Option<DeclineCode>,
    credit_score: Option<i64>,
    agreement_id: Option<String>,
    term: i64,
    #[serde(deserialize_with = "day")]
    policy_version: NaiveDate,
    #[serde(deserialize_with = "day")]
    booked_on: NaiveDate,
    file_no: i64,
    line: i64,
    owed_minor: i64,
    #[serde(deserialize_with = "any_day")]
    past_due_from: Option<NaiveDate>,
    #[serde(deserialize_with = "any_day")]
    closed_on: Option<NaiveDate>,
}

impl OrderRow {
    fn into_order(self) -> Result<StoredOrder> {
        let order = Order {
            order_id: self.order_id,
            customer_id: self.customer_id,
            amount_minor: self.amount_minor,
            currency: currency(&self.currency)?,
            ordered_at: self.ordered_at,
            ordered_on: self.ordered_on,
            term: self.term,
            policy_version: self.policy_version,
            booked_on: self.booked_on,
            source: Source { file_no: self.file_no, line: self.line },
        };
        let OrderRow { item, declined, credit_score, agreement_id, owed_minor, past_due_from, closed_on, .. } = self;
        Ok(StoredOrder { order, item, declined, credit_score, agreement_id, owed_minor, past_due_from, closed_on })
    }
}
