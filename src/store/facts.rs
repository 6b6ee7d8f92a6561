//! Facts about orders. Facts are added and never changed.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::corrections;
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::fact_columns::{BOOKED_DAY, Columns};
use crate::domain::facts::correction::History;
use crate::domain::facts::fact::{Fact, FactKind};
use crate::domain::facts::source::Source;

const FACT: Table = Table {
    name: "fact",
    columns: &[
        "merchant_id",
        "order_id",
        "kind",
        "fact_id",
        "effective_at",
        "effective_on",
        "booked_on",
        "amount_minor",
        "days",
        "ends_on",
        "detail",
        "note",
        "suspended",
        "content",
        "file_no",
        "line",
    ],
    key: 4,
};

/// A fact to add.
pub struct NewFact {
    pub order_id: String,
    pub fact: Fact,
    pub note: Option<String>,
    pub fingerprint: i64,
}

/// The fingerprints of the known facts of a kind with these keys.
pub async fn known(tx: &mut Tx, merchant: &str, kind: FactKind, ids: &[&str]) -> Result<HashMap<String, i64>> {
    let sql = "SELECT fact_id, content FROM fact WHERE merchant_id = $1 AND kind = $2 AND fact_id IN {keys $3}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    let rows: Vec<(String, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

pub async fn add(tx: &mut Tx, merchant: &str, facts: &[NewFact]) -> Result<()> {
    let mut cells = Vec::with_capacity(facts.len() * FACT.columns.len());
    for NewFact { order_id, fact, note, fingerprint } in facts {
        let columns = Columns::of(&fact.what);
        cells.extend(row![
            merchant,
            order_id.as_str(),
            fact.what.kind(),
            fact.id.as_str(),
            fact.effective_at,
            fact.effective_on,
            fact.booked_on,
            columns.amount_minor,
            columns.days,
            columns.ends_on,
            columns.detail,
            note.as_deref(),
            columns.suspended,
            *fingerprint,
            fact.source.file_no,
            fact.source.line,
        ]);
    }
    bulk::insert(tx, &FACT, cells).await
}

/// The facts of these orders, with their corrections.
pub async fn of_orders(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashMap<String, History>> {
    let mut facts: HashMap<String, Vec<Fact>> = HashMap::new();
    for (order_id, fact, _) in with_notes(tx, merchant, order_ids).await? {
        facts.entry(order_id).or_default().push(fact);
    }
    let mut corrections = corrections::of_orders(tx, merchant, order_ids).await?;
    let history = |(order_id, facts): (String, Vec<Fact>)| {
        let corrections = corrections.remove(&order_id).unwrap_or_default();
        (order_id, History::of(facts, corrections))
    };
    Ok(facts.into_iter().map(history).collect())
}

/// The orders of the known facts of a kind with these keys.
pub async fn orders_of(tx: &mut Tx, merchant: &str, kind: FactKind, ids: &[&str]) -> Result<HashMap<String, String>> {
    let sql = "SELECT fact_id, order_id FROM fact WHERE merchant_id = $1 AND kind = $2 AND fact_id IN {keys $3}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    let rows: Vec<(String, String)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// The facts of these orders without corrections, by key, with their notes. For `explain`.
pub async fn with_notes(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
) -> Result<Vec<(String, Fact, Option<String>)>> {
    let sql = sql_for(
        tx,
        "SELECT order_id, kind, fact_id, effective_at, effective_on, booked_on, amount_minor, days, ends_on, detail,
                note, suspended, file_no, line
         FROM fact WHERE merchant_id = $1 AND order_id IN {keys $2} ORDER BY order_id, kind, fact_id",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<FactRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    rows.into_iter().map(FactRow::into_fact).collect()
}

/// Money booked on a day, for the matching report.
#[derive(sqlx::FromRow)]
pub struct BookedPayment {
    pub event: FactKind,
    pub fact_id: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub provider: String,
    /// The day on which its row arrived, if the row waited.
    pub waited_since: Option<NaiveDate>,
}

/// SQL condition: no bill lists the money by a day, and no bill is expected to.
const NO_BILL: &str = "NOT EXISTS (SELECT 1 FROM provider_line l
             WHERE l.merchant_id = f.merchant_id AND l.event = f.kind AND l.event_key = f.fact_id AND l.business_date <= $2)
         AND NOT EXISTS (SELECT 1 FROM awaited_line a
             WHERE a.merchant_id = f.merchant_id AND a.event = f.kind AND a.event_key = f.fact_id
               AND a.booked_on <= $2 AND (a.closed_on IS NULL OR a.closed_on > $2))";

/// For each of the two indexes by day, its condition and its amount. The amount of a chargeback is negative.
const MONEY: [(&str, &str); 2] =
    [("f.kind IN ('payment', 'refund')", "f.amount_minor"), ("f.kind = 'chargeback'", "-f.amount_minor")];

/// Payments, refunds and chargebacks booked on the days since..=day that no bill lists.
pub async fn money_booked_on(
    tx: &mut Tx,
    merchant: &str,
    since: NaiveDate,
    day: NaiveDate,
) -> Result<Vec<BookedPayment>> {
    let mut booked: Vec<BookedPayment> = Vec::new();
    for (which, amount) in MONEY {
        let sql = format!(
            "SELECT f.kind AS event, f.fact_id, f.order_id, {amount} AS amount_minor, o.currency, s.provider,
                    w.opened_on AS waited_since
             FROM fact f
             JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
             JOIN file s ON s.file_no = f.file_no
             LEFT JOIN input_row w ON w.file_no = f.file_no AND w.line = f.line AND w.content <> ''
             WHERE f.merchant_id = $1 AND {BOOKED_DAY} BETWEEN $3 AND $2 AND {which} AND {NO_BILL}
             ORDER BY f.kind, f.fact_id"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<BookedPayment> =
            on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(since).fetch_all(c).await?);
        booked.extend(rows);
    }
    Ok(booked)
}

/// The sum of payments and refunds less chargebacks booked on the days since..=day, by currency, including corrections of
/// earlier days.
pub async fn sum_booked_on(
    tx: &mut Tx,
    merchant: &str,
    since: NaiveDate,
    day: NaiveDate,
) -> Result<HashMap<String, i64>> {
    let mut sums: HashMap<String, i64> = HashMap::new();
    for (which, amount) in MONEY {
        let sql = format!(
            "SELECT o.currency, CAST(SUM({amount}) AS BIGINT)
             FROM fact f JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
             WHERE f.merchant_id = $1 AND {BOOKED_DAY} BETWEEN $3 AND $2 AND {which} GROUP BY o.currency"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<(String, i64)> =
            on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(since).fetch_all(c).await?);
        for (currency, minor) in rows {
            *sums.entry(currency).or_default() += minor;
        }
    }
    for corrected in corrections::money_on(tx, merchant, since, day).await? {
        *sums.entry(corrected.currency).or_default() += corrected.booked_minor - corrected.uncorrected_minor;
    }
    Ok(sums)
}

#[derive(sqlx::FromRow)]
struct FactRow {
    order_id: String,
    kind: FactKind,
    fact_id: String,
    effective_at: DateTime<Utc>,
    effective_on: NaiveDate,
    booked_on: NaiveDate,
    #[sqlx(flatten)]
    columns: Columns,
    note: Option<String>,
    file_no: i64,
    line: i64,
}

impl FactRow {
    fn into_fact(self) -> Result<(String, Fact, Option<String>)> {
        let what = self
            .columns
            .read(self.kind)
            .with_context(|| format!("stored {} {} of {}", self.kind, self.fact_id, self.order_id))?;
        let fact = Fact {
            id: self.fact_id,
            effective_at: self.effective_at,
            effective_on: self.effective_on,
            booked_on: self.booked_on,
            source: Source { file_no: self.file_no, line: self.line },
            what,
        };
        Ok((self.order_id, fact, self.note))
    }
}
