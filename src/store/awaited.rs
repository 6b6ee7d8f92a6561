//! Our payments and refunds that a provider's bill should have and has not had: since when, when that is late, and when
//! it came to an end.

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::corrections::{in_books, in_force, note_in_force};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::fact_columns::BOOKED_DAY;

const AWAITED: Table = Table {
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

/// A payment or refund as it is booked, with how it came.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Booked {
    pub event: String,
    pub event_key: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub booked_on: NaiveDate,
    pub effective_on: NaiveDate,
    /// The channel of a payment, the reason of a refund.
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

/// Payments and refunds of a day of which no bill has said anything and that are not awaited yet, by key, after `after`.
pub async fn not_said(
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

/// Payments whose channel was corrected today, of which no bill has said anything and that were never awaited. They count
/// from today on: reports of sealed days stay as they are.
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

/// One that is awaited.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Awaited {
    #[sqlx(flatten)]
    pub booked: Booked,
    pub provider: String,
    pub late_on: NaiveDate,
    pub told: bool,
    /// A bill has said something about it.
    pub has_line: bool,
    /// It was voided by a correction.
    pub is_void: bool,
}

/// Those that are awaited still, by key, after `after`.
pub async fn open(tx: &mut Tx, merchant: &str, after: (&str, &str), limit: i64) -> Result<Vec<Awaited>> {
    let select = select_booked();
    let sql = format!(
        "{select}, a.provider, a.late_on, a.told_on IS NOT NULL AS told, {HAS_LINE} AS has_line,
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

/// Has bills awaited, each with its provider and the first day on which that is late.
pub async fn add(tx: &mut Tx, merchant: &str, fresh: &[(Booked, String, NaiveDate)]) -> Result<()> {
    let mut cells = Vec::with_capacity(fresh.len() * AWAITED.columns.len());
    for (booked, provider, late_on) in fresh {
        cells.extend(row![
            merchant,
            booked.event.as_str(),
            booked.event_key.as_str(),
            booked.order_id.as_str(),
            booked.amount_minor,
            booked.currency.as_str(),
            provider.as_str(),
            booked.booked_on,
            *late_on,
        ]);
    }
    bulk::insert(tx, &AWAITED, cells).await
}

/// Ends the waiting for these keys.
pub async fn close(tx: &mut Tx, merchant: &str, event: &str, keys: &[&str], today: NaiveDate) -> Result<()> {
    mark(tx, "closed_on", merchant, event, keys, today).await
}

/// Notes that finance was told about these keys.
pub async fn told(tx: &mut Tx, merchant: &str, event: &str, keys: &[&str], today: NaiveDate) -> Result<()> {
    mark(tx, "told_on", merchant, event, keys, today).await
}

async fn mark(
    tx: &mut Tx,
    column: &'static str,
    merchant: &str,
    event: &str,
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

/// One that was awaited at the end of a day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AwaitedRow {
    pub event: String,
    pub event_key: String,
    pub order_id: String,
    /// As it was booked first, and what is in force of it.
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

/// Those of an order that are or were awaited.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<AwaitedRow>> {
    let sql = format!("{SELECT_ROW} WHERE merchant_id = $1 AND order_id = $2 ORDER BY event, event_key");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?))
}

/// What was awaited at the end of a day.
pub async fn open_at(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<AwaitedRow>> {
    // The second condition says less than the first, in the words of the index that holds what stayed open.
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

/// How orders were paid: order, channel and feed of each payment.
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
