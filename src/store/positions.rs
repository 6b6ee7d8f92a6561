//! Positions: the state of each instalment at its order's last decision, and lists of open, due and notice-pending ones.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::Deserialize;

use super::as_text::{any_day, by_name, day};
use super::bulk::{self, Table, row};
use super::engine::{Engine, Tx, key_set, on_engine, rows, text_for};
use super::journal::currency;
use crate::domain::decide::credit_record::{CreditRecord, CreditStatus};
use crate::domain::decide::holds::HoldEffects;
use crate::domain::decide::position::Position;
use crate::domain::facts::fact::HoldReason;
use crate::domain::money::Currency;

const INSTALMENT: Table = Table {
    name: "instalment",
    columns: &[
        "merchant_id",
        "order_id",
        "instalment",
        "principal_minor",
        "due_on",
        "paid_minor",
        "refunded_minor",
        "outstanding_minor",
        "late_fee_charged_minor",
        "late_fee_minor",
        "late_fee_paid_minor",
        "days_past_due",
        "credit_status",
        "credit_since",
        "flagged_on",
        "hold",
        "decided_on",
        "next_action_on",
        "stopped",
        "written_off_on",
        "written_off_minor",
        "recovered_minor",
    ],
    key: 3,
};

/// The columns of a late fee that grows.
const ACCRUED: Table = Table {
    name: "instalment",
    columns: &[
        "merchant_id",
        "order_id",
        "instalment",
        "late_fee_charged_minor",
        "late_fee_minor",
        "days_past_due",
        "decided_on",
        "next_action_on",
    ],
    key: 3,
};

/// Saves positions that were recorded before and differ only in their late fee and their days.
pub async fn save_accrued(tx: &mut Tx, merchant: &str, positions: &[(String, Position)]) -> Result<()> {
    let cells = positions.iter().flat_map(|(order_id, position)| {
        row![
            merchant,
            order_id.as_str(),
            position.instalment,
            position.late_fee_charged,
            position.late_fee,
            position.days_past_due,
            position.decided_on,
            position.next_action_on,
        ]
    });
    bulk::update(tx, &ACCRUED, cells).await
}

/// Saves new and changed positions.
pub async fn save(tx: &mut Tx, merchant: &str, positions: &[(String, Position)]) -> Result<()> {
    let mut cells = Vec::with_capacity(positions.len() * INSTALMENT.columns.len());
    for (order_id, position) in positions {
        cells.extend(row![
            merchant,
            order_id.as_str(),
            position.instalment,
            position.principal,
            position.due_on,
            position.paid,
            position.refunded,
            position.outstanding(),
            position.late_fee_charged,
            position.late_fee,
            position.late_fee_paid,
            position.days_past_due,
            position.credit.status,
            position.credit.since,
            position.credit.flagged_on,
            position.hold.map(|hold| hold.name().to_owned()),
            position.decided_on,
            position.next_action_on,
            position.hold_effects.names(),
            position.written_off_on,
            position.written_off,
            position.recovered,
        ]);
    }
    bulk::upsert(tx, &INSTALMENT, cells).await
}

/// The recorded positions of these orders, by instalment.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, Vec<Position>>> {
    let of_orders = text_for(
        tx,
        "FROM instalment i WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY order_id, instalment",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<PositionRow> = rows!(tx, [POSITION], of_orders, [merchant, keys]);
    let mut positions: HashMap<String, Vec<Position>> = HashMap::with_capacity(rows.len());
    for row in rows {
        let (order_id, position) = row.into_position()?;
        positions.entry(order_id).or_default().push(position);
    }
    Ok(positions)
}

/// An instalment with its order, for reports and reminders.
#[derive(Debug, Clone)]
pub struct OpenPosition {
    pub order_id: String,
    pub customer_id: String,
    pub item: Option<String>,
    pub currency: Currency,
    pub policy_version: NaiveDate,
    pub position: Position,
}

/// A merchant's open instalments by key, after (order, instalment).
pub async fn open(tx: &mut Tx, merchant: &str, after: (&str, i64), limit: i64) -> Result<Vec<OpenPosition>> {
    let open = format!(
        "FROM instalment i {} WHERE i.merchant_id = $1 AND (i.order_id, i.instalment) > ($2, $3)
           AND (i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor)
         ORDER BY i.order_id, i.instalment LIMIT $4",
        with_order(tx)
    );
    let rows: Vec<OpenRow> = rows!(tx, [POSITION, OF_ORDER], open, [merchant, after.0, after.1, limit]);
    rows.into_iter().map(OpenRow::into_open).collect()
}

/// A merchant's instalments whose recorded position is of this day, open or not, by key, after (order, instalment).
pub async fn decided_on(
    tx: &mut Tx,
    merchant: &str,
    day: NaiveDate,
    after: (&str, i64),
    limit: i64,
) -> Result<Vec<OpenPosition>> {
    let decided = format!(
        "FROM instalment i {} WHERE i.merchant_id = $1 AND i.decided_on = $2 AND (i.order_id, i.instalment) > ($3, $4)
         ORDER BY i.order_id, i.instalment LIMIT $5",
        with_order(tx)
    );
    let rows: Vec<OpenRow> = rows!(tx, [POSITION, OF_ORDER], decided, [merchant, day, after.0, after.1, limit]);
    rows.into_iter().map(OpenRow::into_open).collect()
}

/// Joins each instalment with its order. OFFSET keeps PostgreSQL at looking orders up by key: with statistics it reads all orders
/// beside the instalments, and begins with the first one again for each page.
fn with_order(tx: &Tx) -> &'static str {
    match tx.engine {
        Engine::Sqlite(_) => "JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id",
        Engine::Postgres(_) => {
            "JOIN LATERAL (SELECT * FROM orders o WHERE o.merchant_id = i.merchant_id AND o.order_id = i.order_id OFFSET 0) o
             ON TRUE"
        }
    }
}

/// A merchant's orders with an unpaid instalment that, by the last decision, is due on this day.
pub async fn unpaid_due_on(tx: &mut Tx, merchant: &str, due_on: NaiveDate) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT order_id FROM instalment
               WHERE merchant_id = $1 AND due_on = $2 AND outstanding_minor > 0 ORDER BY order_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(due_on).fetch_all(c).await?))
}

/// A merchant's orders with an instalment that needs a notice.
pub async fn notice_due(tx: &mut Tx, merchant: &str) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT order_id FROM instalment
               WHERE merchant_id = $1 AND credit_status = 'notice_due' ORDER BY order_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_all(c).await?))
}

const POSITION: &str = "i.order_id, i.instalment, i.principal_minor, i.due_on, i.paid_minor, i.refunded_minor,
    i.late_fee_charged_minor, i.late_fee_minor, i.late_fee_paid_minor, i.days_past_due, i.credit_status, i.credit_since,
    i.flagged_on, i.hold, i.decided_on, i.next_action_on, i.stopped, i.written_off_on, i.written_off_minor,
    i.recovered_minor";

const OF_ORDER: &str = "o.customer_id, o.item, o.currency, o.policy_version";

#[derive(Deserialize, sqlx::FromRow)]
struct PositionRow {
    order_id: String,
    instalment: i64,
    principal_minor: i64,
    #[serde(deserialize_with = "any_day")]
    due_on: Option<NaiveDate>,
    paid_minor: i64,
    refunded_minor: i64,
    late_fee_charged_minor: i64,
    late_fee_minor: i64,
    late_fee_paid_minor: i64,
    days_past_due: i64,
    #[serde(deserialize_with = "by_name")]
    credit_status: CreditStatus,
    #[serde(deserialize_with = "any_day")]
    credit_since: Option<NaiveDate>,
    #[serde(deserialize_with = "any_day")]
    flagged_on: Option<NaiveDate>,
    hold: Option<String>,
    #[serde(deserialize_with = "day")]
    decided_on: NaiveDate,
    #[serde(deserialize_with = "any_day")]
    next_action_on: Option<NaiveDate>,
    stopped: String,
    #[serde(deserialize_with = "any_day")]
    written_off_on: Option<NaiveDate>,
    written_off_minor: i64,
    recovered_minor: i64,
}

impl PositionRow {
    fn into_position(self) -> Result<(String, Position)> {
        let position = Position {
            instalment: self.instalment,
            principal: self.principal_minor,
            due_on: self.due_on,
            paid: self.paid_minor,
            refunded: self.refunded_minor,
            written_off_on: self.written_off_on,
            written_off: self.written_off_minor,
            recovered: self.recovered_minor,
            late_fee_charged: self.late_fee_charged_minor,
            late_fee: self.late_fee_minor,
            late_fee_paid: self.late_fee_paid_minor,
            days_past_due: self.days_past_due,
            credit: CreditRecord { status: self.credit_status, since: self.credit_since, flagged_on: self.flagged_on },
            hold: self.hold.as_deref().and_then(HoldReason::parse),
            hold_effects: HoldEffects::parse(&self.stopped).context("the store has an unknown effect of a hold")?,
            decided_on: self.decided_on,
            next_action_on: self.next_action_on,
        };
        Ok((self.order_id, position))
    }
}

#[derive(Deserialize, sqlx::FromRow)]
struct OpenRow {
    #[sqlx(flatten)]
    position: PositionRow,
    #[sqlx(flatten)]
    order: OfOrder,
}

#[derive(Deserialize, sqlx::FromRow)]
struct OfOrder {
    customer_id: String,
    item: Option<String>,
    currency: String,
    #[serde(deserialize_with = "day")]
    policy_version: NaiveDate,
}

impl OpenRow {
    fn into_open(self) -> Result<OpenPosition> {
        let OfOrder { customer_id, item, currency: code, policy_version } = self.order;
        let (order_id, position) = self.position.into_position()?;
        Ok(OpenPosition { order_id, customer_id, item, currency: currency(&code)?, policy_version, position })
    }
}
