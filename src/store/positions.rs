//! Positions: the state of each instalment at its order's last decision, and lists of open, due and notice-pending ones.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
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
    let sql =
        format!("{SELECT_POSITION} WHERE merchant_id = $1 AND order_id IN {{keys $2}} ORDER BY order_id, instalment");
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<PositionRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    let mut positions: HashMap<String, Vec<Position>> = HashMap::with_capacity(rows.len());
    for row in rows {
        let (order_id, position) = row.into_position()?;
        positions.entry(order_id).or_default().push(position);
    }
    Ok(positions)
}

/// An open instalment, for reminders.
#[derive(Debug, Clone)]
pub struct OpenPosition {
    pub order_id: String,
    pub customer_id: String,
    pub item: Option<String>,
    pub currency: Currency,
    pub policy_version: NaiveDate,
    pub position: Position,
}

const SELECT_OPEN: &str = "SELECT i.order_id, i.instalment, i.principal_minor, i.due_on, i.paid_minor,
        i.refunded_minor, i.late_fee_charged_minor, i.late_fee_minor, i.late_fee_paid_minor, i.days_past_due, i.credit_status, i.credit_since,
        i.flagged_on, i.hold, i.decided_on, i.next_action_on, i.stopped, i.written_off_on, i.written_off_minor,
        i.recovered_minor, o.customer_id, o.item, o.currency, o.policy_version
    FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id";

/// A merchant's open instalments by key, after (order, instalment).
pub async fn open(tx: &mut Tx, merchant: &str, after: (&str, i64), limit: i64) -> Result<Vec<OpenPosition>> {
    let sql = format!(
        "{SELECT_OPEN} WHERE i.merchant_id = $1
           AND (i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor)
           AND (i.order_id, i.instalment) > ($2, $3)
         ORDER BY i.order_id, i.instalment LIMIT $4"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<OpenRow> = on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(after.0).bind(after.1).bind(limit).fetch_all(c).await?
    });
    rows.into_iter().map(OpenRow::into_open).collect()
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

/// The sums of a merchant's open instalments by currency: principal outstanding and late fees owed.
pub async fn receivables(tx: &mut Tx, merchant: &str) -> Result<Vec<(Currency, i64, i64)>> {
    let sql = "SELECT o.currency, CAST(SUM(i.outstanding_minor) AS BIGINT),
                      CAST(SUM(i.late_fee_minor - i.late_fee_paid_minor) AS BIGINT)
               FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
               WHERE i.merchant_id = $1 AND (i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor)
               GROUP BY o.currency ORDER BY o.currency";
    let rows: Vec<(String, i64, i64)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?);
    rows.into_iter().map(|(code, principal, fees)| Ok((currency(&code)?, principal, fees))).collect()
}

const SELECT_POSITION: &str = "SELECT order_id, instalment, principal_minor, due_on, paid_minor, refunded_minor,
    late_fee_charged_minor, late_fee_minor, late_fee_paid_minor, days_past_due, credit_status, credit_since, flagged_on, hold, decided_on,
    next_action_on, stopped, written_off_on, written_off_minor, recovered_minor FROM instalment";

#[derive(sqlx::FromRow)]
struct PositionRow {
    order_id: String,
    instalment: i64,
    principal_minor: i64,
    due_on: Option<NaiveDate>,
    paid_minor: i64,
    refunded_minor: i64,
    late_fee_charged_minor: i64,
    late_fee_minor: i64,
    late_fee_paid_minor: i64,
    days_past_due: i64,
    credit_status: CreditStatus,
    credit_since: Option<NaiveDate>,
    flagged_on: Option<NaiveDate>,
    hold: Option<String>,
    decided_on: NaiveDate,
    next_action_on: Option<NaiveDate>,
    stopped: String,
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

#[derive(sqlx::FromRow)]
struct OpenRow {
    #[sqlx(flatten)]
    position: PositionRow,
    customer_id: String,
    item: Option<String>,
    currency: String,
    policy_version: NaiveDate,
}

impl OpenRow {
    fn into_open(self) -> Result<OpenPosition> {
        let OpenRow { position, customer_id, item, currency: code, policy_version } = self;
        let (order_id, position) = position.into_position()?;
        Ok(OpenPosition { order_id, customer_id, item, currency: currency(&code)?, policy_version, position })
    }
}
