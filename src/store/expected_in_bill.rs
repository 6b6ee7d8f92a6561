//! Booked payments and refunds that a provider's bill must still list: since when, from when the bill is late, and when the
//! entry was closed.

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::corrections::{in_books, in_force, note_in_force};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::fact_columns::BOOKED_DAY;
use crate::domain::facts::fact::FactKind;

const EXPECTED: Table = Table {
    name: "awaited_line",
    columns: &[
        "merchant_id",
        "event",
        "event_key",
        "order_id",
        "amount_minor",
        "currency",
        "provider",
        "booked_on",
        "late_on",
    ],
    key: 3,
};

/// A booked payment or refund, with its source.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Booked {
    pub event: FactKind,
    pub event_key: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub booked_on: NaiveDate,
    pub effective_on: NaiveDate,
    /// The channel of a payment, or the reason of a refund.
    pub note: Option<String>,
    pub feed: String,
    pub file_no: i64,
    pub line: i64,
}

fn select_booked() -> String {
    let note = note_in_force();
    format!(
        "SELECT f.kind AS event, f.fact_id AS event_key, f.order_id, f.amount_minor, o.currency,
        CASE WHEN f.effective_on > f.booked_on THEN f.effective_on ELSE f.booked_on END AS booked_on, f.effective_on,
        {note} AS note, s.feed, f.file_no, f.line"
    )
}

const FROM_FACT: &str = "FROM fact f
    JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
    JOIN file s ON s.file_no = f.file_no";
const HAS_LINE: &str = "EXISTS (SELECT 1 FROM provider_line l
        WHERE l.merchant_id = f.merchant_id AND l.event = f.kind AND l.event_key = f.fact_id)";

/// A day's payments and refunds that no bill lists and that are not recorded as expected yet, by key, after `after`.
pub async fn not_listed(
    tx: &mut Tx,
    merchant: &str,
    today: NaiveDate,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<Booked>> {
    let select = select_booked();
    let sql = format!(
        "{select} {FROM_FACT}
         WHERE f.merchant_id = $1 AND {BOOKED_DAY} = $2 AND f.kind IN ('payment', 'refund')
           AND (f.kind, f.fact_id) > ($3, $4) AND NOT {HAS_LINE} AND {} IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM awaited_line a
                           WHERE a.merchant_id = f.merchant_id AND a.event = f.kind AND a.event_key = f.fact_id)
         ORDER BY f.kind, f.fact_id LIMIT $5",
        in_books("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(today).bind(after.0).bind(after.1).bind(limit).fetch_all(c).await?
    }))
}

/// Payments whose channel was corrected today, that no bill has listed and that were never expected in one. They count from
/// today on: reports of sealed days do not change.
pub async fn rerouted(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<Vec<Booked>> {
    let select = select_booked();
    let sql = format!(
        "{select} {FROM_FACT}
         WHERE f.merchant_id = $1 AND f.kind = 'payment' AND {BOOKED_DAY} < $2 AND NOT {HAS_LINE} AND {} IS NOT NULL
           AND f.fact_id IN (SELECT c.fact_id FROM correction c WHERE c.merchant_id = $1 AND c.booked_on = $2
                             AND c.kind = 'payment' AND c.channel IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM awaited_line a
                           WHERE a.merchant_id = f.merchant_id AND a.event = f.kind AND a.event_key = f.fact_id)
         ORDER BY f.fact_id",
        in_books("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<Booked> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(today).fetch_all(c).await?);
    Ok(rows.into_iter().map(|booked| Booked { booked_on: today, ..booked }).collect())
}

/// A payment or refund that is expected in a bill.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Expected {
    #[sqlx(flatten)]
    pub booked: Booked,
    pub provider: String,
    pub late_on: NaiveDate,
    pub reported: bool,
    /// A bill lists it.
    pub has_line: bool,
    /// A correction has voided it.
    pub is_void: bool,
}

/// Open entries by key, after `after`.
pub async fn open(tx: &mut Tx, merchant: &str, after: (&str, &str), limit: i64) -> Result<Vec<Expected>> {
    let select = select_booked();
    let sql = format!(
        "{select}, a.provider, a.late_on, a.told_on IS NOT NULL AS reported, {HAS_LINE} AS has_line,
                ({}) IS NULL AS is_void
         {FROM_FACT}
         JOIN awaited_line a ON a.merchant_id = f.merchant_id AND a.event = f.kind AND a.event_key = f.fact_id
         WHERE a.merchant_id = $1 AND a.closed_on IS NULL AND (a.event, a.event_key) > ($2, $3)
         ORDER BY a.event, a.event_key LIMIT $4",
        in_force(None)
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(after.0).bind(after.1).bind(limit).fetch_all(c).await?
    }))
}

/// Adds entries, each with its provider and the first day on which the bill is late.
pub async fn add(tx: &mut Tx, merchant: &str, fresh: &[(Booked, String, NaiveDate)]) -> Result<()> {
    let mut cells = Vec::with_capacity(fresh.len() * EXPECTED.columns.len());
    for (booked, provider, late_on) in fresh {
        cells.extend(row![
            merchant,
            booked.event,
            booked.event_key.as_str(),
            booked.order_id.as_str(),
            booked.amount_minor,
            booked.currency.as_str(),
            provider.as_str(),
            booked.booked_on,
            *late_on,
        ]);
    }
    bulk::insert(tx, &EXPECTED, cells).await
}

/// Closes the entries with these keys.
pub async fn close(tx: &mut Tx, merchant: &str, event: FactKind, keys: &[&str], today: NaiveDate) -> Result<()> {
    mark(tx, "closed_on", merchant, event, keys, today).await
}

/// Marks the entries with these keys as reported to finance.
pub async fn mark_reported(
    tx: &mut Tx,
    merchant: &str,
    event: FactKind,
    keys: &[&str],
    today: NaiveDate,
) -> Result<()> {
    mark(tx, "told_on", merchant, event, keys, today).await
}

async fn mark(
    tx: &mut Tx,
    column: &'static str,
    merchant: &str,
    event: FactKind,
    keys: &[&str],
    today: NaiveDate,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE awaited_line SET {column} = $4 WHERE merchant_id = $1 AND event = $2 AND event_key IN {{keys $3}}"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(keys.iter().copied());
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(merchant).bind(event).bind(keys).bind(today).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// An entry as it was at the end of a day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ExpectedRow {
    pub event: FactKind,
    pub event_key: String,
    pub order_id: String,
    /// The amount first booked, and the amount now in force.
    pub amount_minor: i64,
    pub our_minor: i64,
    pub currency: String,
    pub provider: String,
    pub booked_on: NaiveDate,
    pub late_on: NaiveDate,
    pub closed_on: Option<NaiveDate>,
}

const SELECT_ROW: &str =
    "SELECT event, event_key, order_id, amount_minor, amount_minor AS our_minor, currency, provider, booked_on, late_on, closed_on
    FROM awaited_line";

/// An order's entries, open and closed.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<ExpectedRow>> {
    let sql = format!("{SELECT_ROW} WHERE merchant_id = $1 AND order_id = $2 ORDER BY event, event_key");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?))
}

/// The entries that were open at the end of a day.
pub async fn open_at(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<ExpectedRow>> {
    // The first condition implies the second, which matches the condition of the partial index and lets the query use it.
    let sql = format!(
        "SELECT a.event, a.event_key, a.order_id, a.amount_minor, COALESCE({}, 0) AS our_minor, a.currency, a.provider,
                a.booked_on, a.late_on, a.closed_on
         FROM awaited_line a
         JOIN fact f ON f.merchant_id = a.merchant_id AND f.kind = a.event AND f.fact_id = a.event_key
         WHERE a.merchant_id = $1 AND a.booked_on <= $2 AND (a.closed_on IS NULL OR a.closed_on > $2)
           AND (a.closed_on IS NULL OR a.closed_on > a.booked_on)
         ORDER BY a.event, a.event_key",
        in_books("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// The order, channel and feed of each payment of these orders.
pub async fn payments_of(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
) -> Result<Vec<(String, Option<String>, String)>> {
    let sql = format!(
        "SELECT f.order_id, {}, s.feed FROM fact f JOIN file s ON s.file_no = f.file_no
         WHERE f.merchant_id = $1 AND f.kind = 'payment' AND f.order_id IN {{keys $2}} ORDER BY f.order_id, f.fact_id",
        note_in_force()
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}
