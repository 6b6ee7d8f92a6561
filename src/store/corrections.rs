//! Corrections of facts. Added, never changed: the fact that is corrected stays as it is.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::facts::Columns;
use crate::domain::order::{Correction, Fact, Source};

const CORRECTION: Table = Table {
    name: "correction",
    columns: &[
        "merchant_id",
        "correction_id",
        "order_id",
        "kind",
        "fact_id",
        "action",
        "corrected_at",
        "booked_on",
        "reason",
        "approved_by",
        "effective_at",
        "effective_on",
        "amount_minor",
        "days",
        "ends_on",
        "detail",
        "moved_minor",
        "content",
        "file_no",
        "line",
    ],
    key: 2,
};

/// A correction to add.
pub struct NewCorrection {
    pub order_id: String,
    pub correction: Correction,
    /// What it makes of the money that was booked of the fact: more, or less. Nothing of one that counts for nothing.
    pub moved_minor: i64,
    pub fingerprint: i64,
}

/// The fingerprints of the corrections known under these keys.
pub async fn known(tx: &mut Tx, merchant: &str, ids: &[&str]) -> Result<HashMap<String, i64>> {
    let sql = "SELECT correction_id, content FROM correction WHERE merchant_id = $1 AND correction_id IN {keys $2}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    let rows: Vec<(String, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

pub async fn add(tx: &mut Tx, merchant: &str, corrections: &[NewCorrection]) -> Result<()> {
    let mut cells = Vec::with_capacity(corrections.len() * CORRECTION.columns.len());
    for NewCorrection { order_id, correction, moved_minor, fingerprint } in corrections {
        let instead = correction.instead.as_ref();
        let columns = instead.map(|fact| Columns::of(&fact.what)).unwrap_or_default();
        cells.extend(row![
            merchant,
            correction.id.as_str(),
            order_id.as_str(),
            correction.kind.as_str(),
            correction.fact_id.as_str(),
            if instead.is_some() { "replace" } else { "void" },
            correction.corrected_at,
            correction.booked_on,
            correction.reason.as_str(),
            correction.approved_by.as_str(),
            instead.map(|fact| fact.effective_at),
            instead.map(|fact| fact.effective_on),
            columns.amount_minor,
            columns.days,
            columns.ends_on,
            columns.detail,
            *moved_minor,
            *fingerprint,
            correction.source.file_no,
            correction.source.line,
        ]);
    }
    bulk::insert(tx, &CORRECTION, cells).await
}

/// The corrections of these orders' facts, in the order in which they came.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, Vec<Correction>>> {
    // They are few: one look mostly tells that there are none.
    let sql = "SELECT EXISTS (SELECT 1 FROM correction WHERE merchant_id = $1)";
    let any: bool = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_one(c).await?);
    if !any {
        return Ok(HashMap::new());
    }
    let sql = sql_for(
        tx,
        "SELECT correction_id, order_id, kind, fact_id, corrected_at, booked_on, reason, approved_by, effective_at,
                effective_on, amount_minor, days, ends_on, detail, FALSE AS suspended, file_no, line
         FROM correction WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY booked_on, file_no, line",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<Row> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    let mut corrections: HashMap<String, Vec<Correction>> = HashMap::new();
    for row in rows {
        let (order_id, correction) = row.into_correction()?;
        corrections.entry(order_id).or_default().push(correction);
    }
    Ok(corrections)
}

#[derive(sqlx::FromRow)]
struct Row {
    correction_id: String,
    order_id: String,
    kind: String,
    fact_id: String,
    corrected_at: DateTime<Utc>,
    booked_on: NaiveDate,
    reason: String,
    approved_by: String,
    effective_at: Option<DateTime<Utc>>,
    effective_on: Option<NaiveDate>,
    #[sqlx(flatten)]
    columns: Columns,
    file_no: i64,
    line: i64,
}

impl Row {
    fn into_correction(self) -> Result<(String, Correction)> {
        let source = Source { file_no: self.file_no, line: self.line };
        let instead = match self.effective_at.zip(self.effective_on) {
            None => None,
            Some((effective_at, effective_on)) => {
                let reading = || format!("stored correction {} of {} {}", self.correction_id, self.kind, self.fact_id);
                let what = self.columns.read(&self.kind).with_context(reading)?;
                let (id, booked_on) = (self.fact_id.clone(), self.booked_on);
                Some(Fact { id, effective_at, effective_on, booked_on, source, what })
            }
        };
        let correction = Correction {
            id: self.correction_id,
            kind: self.kind,
            fact_id: self.fact_id,
            instead,
            corrected_at: self.corrected_at,
            booked_on: self.booked_on,
            source,
            reason: self.reason,
            approved_by: self.approved_by,
        };
        Ok((self.order_id, correction))
    }
}

/// What the corrections of a day made of the money booked under a key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MoneyCorrected {
    pub event: String,
    pub fact_id: String,
    pub order_id: String,
    pub currency: String,
    /// Whose file brought the money, and how much it said; nothing if it took that back.
    pub provider: String,
    pub first_minor: i64,
    /// What was booked more, or less, on the day; and what is in force at its end.
    pub moved_minor: i64,
    pub our_minor: i64,
}

/// The amount of fact `f` that is in force at the end of day $2: that of its latest correction by then, or its own.
/// Nothing if it is void.
pub(super) const IN_FORCE: &str = "CASE WHEN EXISTS (SELECT 1 FROM correction c
            WHERE c.merchant_id = f.merchant_id AND c.kind = f.kind AND c.fact_id = f.fact_id AND c.booked_on <= $2)
        THEN (SELECT c.amount_minor FROM correction c
            WHERE c.merchant_id = f.merchant_id AND c.kind = f.kind AND c.fact_id = f.fact_id AND c.booked_on <= $2
            ORDER BY c.corrected_at DESC, c.booked_on DESC, c.file_no DESC, c.line DESC LIMIT 1)
        ELSE f.amount_minor END";

/// The same as what is in force now.
pub(super) const IN_FORCE_NOW: &str = "CASE WHEN EXISTS (SELECT 1 FROM correction c
            WHERE c.merchant_id = f.merchant_id AND c.kind = f.kind AND c.fact_id = f.fact_id)
        THEN (SELECT c.amount_minor FROM correction c
            WHERE c.merchant_id = f.merchant_id AND c.kind = f.kind AND c.fact_id = f.fact_id
            ORDER BY c.corrected_at DESC, c.booked_on DESC, c.file_no DESC, c.line DESC LIMIT 1)
        ELSE f.amount_minor END";

/// Payments, refunds and chargebacks that were corrected on a day. A chargeback's amounts are negative: it is money that
/// went back.
pub async fn money_on(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<MoneyCorrected>> {
    let sql = format!(
        "SELECT f.kind AS event, f.fact_id, f.order_id, o.currency, s.provider,
                CASE WHEN EXISTS (SELECT 1 FROM correction p WHERE p.merchant_id = f.merchant_id AND p.booked_on <= $2
                                  AND p.kind = f.kind AND p.correction_id = f.fact_id || ':failed') THEN 0
                     WHEN f.kind = 'chargeback' THEN -f.amount_minor ELSE f.amount_minor END AS first_minor,
                d.moved_minor,
                CASE f.kind WHEN 'chargeback' THEN -COALESCE({IN_FORCE}, 0) ELSE COALESCE({IN_FORCE}, 0) END AS our_minor
         FROM (SELECT merchant_id, kind, fact_id, CAST(SUM(moved_minor) AS BIGINT) AS moved_minor FROM correction
               WHERE merchant_id = $1 AND booked_on = $2 AND kind IN ('payment', 'refund', 'chargeback')
               GROUP BY merchant_id, kind, fact_id) d
         JOIN fact f ON f.merchant_id = d.merchant_id AND f.kind = d.kind AND f.fact_id = d.fact_id
         JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
         JOIN file s ON s.file_no = f.file_no
         ORDER BY f.kind, f.fact_id"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// What the corrections of a day made of all money together, by currency.
pub async fn sum_moved_on(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT o.currency, CAST(SUM(c.moved_minor) AS BIGINT) FROM correction c
               JOIN orders o ON o.merchant_id = c.merchant_id AND o.order_id = c.order_id
               WHERE c.merchant_id = $1 AND c.booked_on = $2 AND c.kind IN ('payment', 'refund', 'chargeback')
               GROUP BY o.currency ORDER BY o.currency";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}
