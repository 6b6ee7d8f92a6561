//! The credit record: a dated, append-only row for every step of an instalment.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use crate::domain::decide::credit_record::{CreditStatus, CreditStep};

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

/// Adds steps to the credit record.
pub async fn add(tx: &mut Tx, merchant: &str, today: NaiveDate, steps: &[(String, CreditStep)]) -> Result<()> {
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
            step.status,
            today,
            step.days_past_due,
            step.minor,
            step.reason.words(),
        ]);
    }
    bulk::insert(tx, &CREDIT_STEP, cells).await
}

/// A step of the credit record, as exported.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CreditStepRow {
    pub merchant_id: String,
    pub customer_id: String,
    pub order_id: String,
    pub instalment: i64,
    pub step_no: i64,
    pub status: CreditStatus,
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

/// A merchant's steps on the days since..=day.
pub async fn on(tx: &mut Tx, merchant: &str, since: NaiveDate, day: NaiveDate) -> Result<Vec<CreditStepRow>> {
    let sql = format!(
        "{SELECT_CREDIT} WHERE s.merchant_id = $1 AND s.since BETWEEN $2 AND $3
         ORDER BY s.order_id, s.instalment, s.step_no"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(since).bind(day).fetch_all(c).await?))
}

/// The credit record of these orders, oldest step first.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<CreditStepRow>> {
    let sql = format!(
        "{SELECT_CREDIT} WHERE s.merchant_id = $1 AND s.order_id IN {{keys $2}}
         ORDER BY s.order_id, s.instalment, s.step_no"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}

/// The merchant and order of the latest step on the days from..=to.
pub async fn latest(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Option<(String, String)>> {
    let sql = "SELECT merchant_id, order_id FROM credit_step WHERE since BETWEEN $1 AND $2
               ORDER BY since DESC, merchant_id, order_id LIMIT 1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(from).bind(to).fetch_optional(c).await?))
}
