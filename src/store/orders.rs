//! Orders and what was decided of them: positions, credit steps, and the index of what to decide next.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::journal::currency;
use crate::domain::credit::{Standing, Status};
use crate::domain::hold::{HoldReason, Stopped};
use crate::domain::money::Currency;
use crate::domain::order::{Order, Source};
use crate::domain::position::{CreditStep, Position};

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
        "oldest_due_on",
        "closed_on",
        "next_action_on",
    ],
    key: 2,
};

const DECIDED: Table = Table {
    name: "orders",
    columns: &["merchant_id", "order_id", "owed_minor", "oldest_due_on", "closed_on", "next_action_on"],
    key: 2,
};

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

const CREDIT_STEP: Table = Table {
    name: "credit_step",
    columns: &[
        "merchant_id",
        "order_id",
        "instalment",
        "step_no",
        "status",
        "since",
        "days_past_due",
        "amount_minor",
        "reason",
    ],
    key: 4,
};

/// An order with what it was decided on.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    pub order: Order,
    pub item: Option<String>,
    /// Why it was declined; none when it was accepted.
    pub declined: Option<String>,
    pub credit_score: Option<i64>,
    pub agreement_id: Option<String>,
    /// Principal outstanding when it was last decided.
    pub owed_minor: i64,
    /// Business date on which nothing was owed any more.
    pub closed_on: Option<NaiveDate>,
}

/// What follows from deciding an order, as far as its own row keeps it.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    pub owed_minor: i64,
    pub oldest_due_on: Option<NaiveDate>,
    pub closed_on: Option<NaiveDate>,
    pub next_action_on: Option<NaiveDate>,
}

/// Adds orders that were just decided on.
pub async fn add(tx: &mut Tx, merchant: &str, orders: &[(StoredOrder, i64, Decided)]) -> Result<()> {
    let mut cells = Vec::with_capacity(orders.len() * ORDERS.columns.len());
    for (StoredOrder { order, item, declined, credit_score, agreement_id, .. }, fingerprint, outcome) in orders {
        cells.extend(row![
            merchant,
            order.order_id.as_str(),
            order.customer_id.as_str(),
            order.amount_minor,
            order.currency.code(),
            order.ordered_at,
            order.ordered_on,
            item.as_deref(),
            declined.as_deref(),
            *credit_score,
            agreement_id.as_deref(),
            order.term,
            order.policy_version,
            *fingerprint,
            order.booked_on,
            order.source.file_no,
            order.source.line,
            outcome.owed_minor,
            outcome.oldest_due_on,
            outcome.closed_on,
            outcome.next_action_on,
        ]);
    }
    bulk::insert(tx, &ORDERS, cells).await
}

/// Writes what was decided of orders known before.
pub async fn update_decided(tx: &mut Tx, merchant: &str, decided: &[(String, Decided)]) -> Result<()> {
    let mut cells = Vec::with_capacity(decided.len() * DECIDED.columns.len());
    for (order_id, outcome) in decided {
        cells.extend(row![
            merchant,
            order_id.as_str(),
            outcome.owed_minor,
            outcome.oldest_due_on,
            outcome.closed_on,
            outcome.next_action_on,
        ]);
    }
    bulk::update(tx, &DECIDED, cells).await
}

/// Writes positions, new ones and changed ones.
pub async fn save_positions(tx: &mut Tx, merchant: &str, positions: &[(String, Position)]) -> Result<()> {
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
            position.credit.status.name(),
            position.credit.since,
            position.credit.flagged_on,
            position.hold.map(|hold| hold.name().to_owned()),
            position.decided_on,
            position.next_action_on,
            position.stopped.names(),
            position.written_off_on,
            position.written_off,
            position.recovered,
        ]);
    }
    bulk::upsert(tx, &INSTALMENT, cells).await
}

/// Adds dated rows to the credit record.
pub async fn add_credit_steps(
    tx: &mut Tx,
    merchant: &str,
    today: NaiveDate,
    steps: &[(String, CreditStep)],
) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let sql = sql_for(
        tx,
        "SELECT order_id, instalment, MAX(step_no) FROM credit_step
         WHERE merchant_id = $1 AND order_id IN {keys $2} GROUP BY order_id, instalment",
    );
    let keys = key_set(steps.iter().map(|(order_id, _)| order_id.as_str()));
    let rows: Vec<(String, i64, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    let mut last: HashMap<(String, i64), i64> = rows.into_iter().map(|(id, no, step)| ((id, no), step)).collect();
    let mut cells = Vec::new();
    for (order_id, step) in steps {
        let step_no = last.entry((order_id.clone(), step.instalment)).or_insert(0);
        *step_no += 1;
        cells.extend(row![
            merchant,
            order_id.as_str(),
            step.instalment,
            *step_no,
            step.status.name(),
            today,
            step.days_past_due,
            step.minor,
            step.reason,
        ]);
    }
    bulk::insert(tx, &CREDIT_STEP, cells).await
}

/// What is known under these order ids: the content's fingerprint, and whether the order was accepted.
pub async fn known(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, (i64, bool)>> {
    let sql = "SELECT order_id, content, declined IS NULL FROM orders WHERE merchant_id = $1 AND order_id IN {keys $2}";
    let sql = sql_for(tx, sql);
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<(String, i64, bool)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id, content, accepted)| (id, (content, accepted))).collect())
}

/// The next orders to decide by the end of `today`, those that have waited longest first.
pub async fn to_decide(tx: &mut Tx, merchant: &str, today: NaiveDate, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT order_id FROM orders WHERE merchant_id = $1 AND next_action_on <= $2
               ORDER BY next_action_on, order_id LIMIT $3";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).bind(limit).fetch_all(c).await?))
}

/// How many orders are left to decide by the end of `today`.
pub async fn count_to_decide(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM orders WHERE merchant_id = $1 AND next_action_on <= $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).fetch_one(c).await?))
}

/// Has these orders decided by the end of `today`, because something about them is new.
pub async fn wake(tx: &mut Tx, merchant: &str, order_ids: &[&str], today: NaiveDate) -> Result<()> {
    let sql = "UPDATE orders SET next_action_on = $3
               WHERE merchant_id = $1 AND order_id IN {keys $2} AND declined IS NULL";
    let sql = sql_for(tx, sql);
    let keys = key_set(order_ids.iter().copied());
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(keys).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// These orders, accepted or declined, by key.
pub async fn load(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<StoredOrder>> {
    let sql =
        sql_for(tx, &format!("{SELECT_ORDER} WHERE merchant_id = $1 AND order_id IN {{keys $2}} ORDER BY order_id"));
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<OrderRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// Accepted orders that may have been open at the end of a sealed day, by key, after `after`.
pub async fn open_at(tx: &mut Tx, merchant: &str, day: NaiveDate, after: &str, limit: i64) -> Result<Vec<StoredOrder>> {
    let sql = format!(
        "{SELECT_ORDER} WHERE merchant_id = $1 AND booked_on <= $2 AND (closed_on IS NULL OR closed_on > $2)
         AND declined IS NULL AND order_id > $3 ORDER BY order_id LIMIT $4"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<OrderRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(after).bind(limit).fetch_all(c).await?);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// All accepted orders, by key, after `after`.
pub async fn accepted(tx: &mut Tx, merchant: &str, after: &str, limit: i64) -> Result<Vec<StoredOrder>> {
    let sql = format!(
        "{SELECT_ORDER} WHERE merchant_id = $1 AND declined IS NULL AND order_id > $2 ORDER BY order_id LIMIT $3"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<OrderRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(after).bind(limit).fetch_all(c).await?);
    rows.into_iter().map(OrderRow::into_order).collect()
}

/// The recorded positions of these orders, each order's by instalment.
pub async fn positions(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, Vec<Position>>> {
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

/// An open instalment as the reminders see it.
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

/// Open instalments of a merchant by key, after (order, instalment).
pub async fn open_positions(tx: &mut Tx, merchant: &str, after: (&str, i64), limit: i64) -> Result<Vec<OpenPosition>> {
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

/// Unpaid instalments of a merchant that are due on a day.
pub async fn unpaid_due_on(tx: &mut Tx, merchant: &str, due_on: NaiveDate) -> Result<Vec<OpenPosition>> {
    let sql = format!(
        "{SELECT_OPEN} WHERE i.merchant_id = $1 AND i.due_on = $2 AND i.outstanding_minor > 0
         ORDER BY i.order_id, i.instalment"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<OpenRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(due_on).fetch_all(c).await?);
    rows.into_iter().map(OpenRow::into_open).collect()
}

/// Instalments of a merchant for which a notice has to be sent.
pub async fn notice_due(tx: &mut Tx, merchant: &str) -> Result<Vec<OpenPosition>> {
    let sql = format!(
        "{SELECT_OPEN} WHERE i.merchant_id = $1 AND i.credit_status = 'notice_due' ORDER BY i.order_id, i.instalment"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<OpenRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?);
    rows.into_iter().map(OpenRow::into_open).collect()
}

/// What the open instalments of a merchant add up to, by currency: principal outstanding and late fees owed.
pub async fn receivables(tx: &mut Tx, merchant: &str) -> Result<Vec<(Currency, i64, i64)>> {
    let sql = "SELECT o.currency, CAST(SUM(i.outstanding_minor) AS BIGINT),
                      CAST(SUM(i.late_fee_minor - i.late_fee_paid_minor) AS BIGINT)
               FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
               WHERE i.merchant_id = $1 AND (i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor)
               GROUP BY o.currency ORDER BY o.currency";
    let rows: Vec<(String, i64, i64)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?);
    rows.into_iter().map(|(code, principal, fees)| Ok((currency(&code)?, principal, fees))).collect()
}

/// A dated row of the credit record with what the export shows.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CreditStepRow {
    pub merchant_id: String,
    pub customer_id: String,
    pub order_id: String,
    pub instalment: i64,
    pub step_no: i64,
    pub status: String,
    pub since: NaiveDate,
    pub days_past_due: i64,
    pub amount_minor: i64,
    pub currency: String,
    pub reason: String,
    pub notice_sent_at: Option<DateTime<Utc>>,
}

const SELECT_CREDIT: &str = "SELECT s.merchant_id, o.customer_id, s.order_id, s.instalment, s.step_no, s.status,
        s.since, s.days_past_due, s.amount_minor, o.currency, s.reason,
        (SELECT MAX(f.effective_at) FROM fact f WHERE f.merchant_id = s.merchant_id AND f.order_id = s.order_id
            AND f.kind = 'notice' AND f.detail = CAST(s.instalment AS TEXT) AND f.booked_on <= s.since)
        AS notice_sent_at
    FROM credit_step s JOIN orders o ON o.merchant_id = s.merchant_id AND o.order_id = s.order_id";

/// The credit steps of a business date, over all merchants.
pub async fn credit_steps_on(tx: &mut Tx, day: NaiveDate) -> Result<Vec<CreditStepRow>> {
    let sql = format!("{SELECT_CREDIT} WHERE s.since = $1 ORDER BY s.merchant_id, s.order_id, s.instalment, s.step_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?))
}

/// The credit record of these orders, oldest step first.
pub async fn credit_steps_of(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<CreditStepRow>> {
    let sql = format!(
        "{SELECT_CREDIT} WHERE s.merchant_id = $1 AND s.order_id IN {{keys $2}}
         ORDER BY s.order_id, s.instalment, s.step_no"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}

const SELECT_ORDER: &str = "SELECT merchant_id, order_id, customer_id, amount_minor, currency, ordered_at, ordered_on,
    item, declined, credit_score, agreement_id, term, policy_version, booked_on, file_no, line, owed_minor, closed_on
    FROM orders";

const SELECT_POSITION: &str = "SELECT order_id, instalment, principal_minor, due_on, paid_minor, refunded_minor,
    late_fee_charged_minor, late_fee_minor, late_fee_paid_minor, days_past_due, credit_status, credit_since, flagged_on, hold, decided_on,
    next_action_on, stopped, written_off_on, written_off_minor, recovered_minor FROM instalment";

#[derive(sqlx::FromRow)]
struct OrderRow {
    merchant_id: String,
    order_id: String,
    customer_id: String,
    amount_minor: i64,
    currency: String,
    ordered_at: DateTime<Utc>,
    ordered_on: NaiveDate,
    item: Option<String>,
    declined: Option<String>,
    credit_score: Option<i64>,
    agreement_id: Option<String>,
    term: i64,
    policy_version: NaiveDate,
    booked_on: NaiveDate,
    file_no: i64,
    line: i64,
    owed_minor: i64,
    closed_on: Option<NaiveDate>,
}

impl OrderRow {
    fn into_order(self) -> Result<StoredOrder> {
        let order = Order {
            merchant_id: self.merchant_id,
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
        let OrderRow { item, declined, credit_score, agreement_id, owed_minor, closed_on, .. } = self;
        Ok(StoredOrder { order, item, declined, credit_score, agreement_id, owed_minor, closed_on })
    }
}

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
    credit_status: String,
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
        let status = Status::parse(&self.credit_status).context("the store has an unknown credit status")?;
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
            credit: Standing { status, since: self.credit_since, flagged_on: self.flagged_on },
            hold: self.hold.as_deref().and_then(HoldReason::parse),
            stopped: Stopped::parse(&self.stopped).context("the store has an unknown effect of a hold")?,
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
