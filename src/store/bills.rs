//! The lines of providers' bills. Lines are added and never changed, except that the day on which a line was matched with the
//! books, or failed, is written once.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::corrections::{in_books, in_force, in_force_on};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::fact_columns::BOOKED_DAY;
use crate::domain::facts::fact::FactKind;
use crate::domain::facts::source::Source;
use crate::domain::money::Currency;

const LINE: Table = Table {
    name: "provider_line",
    columns: &[
        "merchant_id",
        "event",
        "event_key",
        "order_id",
        "amount_minor",
        "currency",
        "fee_minor",
        "transaction_id",
        "provider",
        "occurred_on",
        "business_date",
        "opened_on",
        "file_no",
        "line",
    ],
    key: 6,
};

/// A line of a bill, about a payment or refund.
pub struct NewLine<'a> {
    pub event: FactKind,
    pub key: &'a str,
    pub order_id: &'a str,
    pub minor: i64,
    pub currency: Currency,
    pub fee_minor: Option<i64>,
    pub transaction_id: &'a str,
    pub provider: &'a str,
    pub occurred_on: NaiveDate,
    /// The day since which one side has lacked the other.
    pub opened_on: NaiveDate,
    pub source: Source,
}

pub async fn add(tx: &mut Tx, merchant: &str, today: NaiveDate, lines: &[NewLine<'_>]) -> Result<()> {
    let mut cells = Vec::with_capacity(lines.len() * LINE.columns.len());
    for line in lines {
        cells.extend(row![
            merchant,
            line.event,
            line.key,
            line.order_id,
            line.minor,
            line.currency.code(),
            line.fee_minor,
            line.transaction_id,
            line.provider,
            line.occurred_on,
            today,
            line.opened_on,
            line.source.file_no,
            line.source.line,
        ]);
    }
    bulk::insert(tx, &LINE, cells).await
}

/// Marks these lines as failed, as the provider reports.
pub async fn fail(tx: &mut Tx, merchant: &str, event: FactKind, keys: &[&str], today: NaiveDate) -> Result<()> {
    let sql = sql_for(
        tx,
        "UPDATE provider_line SET failed_on = $4
         WHERE merchant_id = $1 AND event = $2 AND event_key IN {keys $3} AND failed_on IS NULL",
    );
    let keys = key_set(keys.iter().copied());
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(merchant).bind(event).bind(keys).bind(today).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// A line that an earlier bill has listed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ListedLine {
    pub event_key: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub fee_minor: Option<i64>,
    pub opened_on: NaiveDate,
    pub settled: bool,
    /// The provider has reported that it failed.
    pub failed: bool,
    pub file_no: i64,
    pub line: i64,
}

/// All lines with these keys, by key, in order of arrival.
pub async fn listed(
    tx: &mut Tx,
    merchant: &str,
    event: FactKind,
    keys: &[&str],
) -> Result<HashMap<String, Vec<ListedLine>>> {
    let sql = sql_for(
        tx,
        "SELECT event_key, order_id, amount_minor, currency, fee_minor, opened_on, settled_on IS NOT NULL AS settled,
                failed_on IS NOT NULL AS failed, file_no, line
         FROM provider_line WHERE merchant_id = $1 AND event = $2 AND event_key IN {keys $3} ORDER BY file_no, line",
    );
    let keys = key_set(keys.iter().copied());
    let rows: Vec<ListedLine> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(event).bind(keys).fetch_all(c).await?);
    let mut listed: HashMap<String, Vec<ListedLine>> = HashMap::new();
    for row in rows {
        listed.entry(row.event_key.clone()).or_default().push(row);
    }
    Ok(listed)
}

/// The provider's transaction ids for these keys; for a refund, the id of its payment.
pub async fn transactions(
    tx: &mut Tx,
    merchant: &str,
    event: FactKind,
    keys: &[&str],
) -> Result<HashMap<String, String>> {
    let sql = sql_for(
        tx,
        "SELECT event_key, transaction_id FROM provider_line
         WHERE merchant_id = $1 AND event = $2 AND event_key IN {keys $3} ORDER BY file_no, line",
    );
    let keys = key_set(keys.iter().copied());
    let rows: Vec<(String, String)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(event).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// The keys among these that are expected in a bill, with the day on which they were booked.
pub async fn expected_since(
    tx: &mut Tx,
    merchant: &str,
    event: FactKind,
    keys: &[&str],
) -> Result<HashMap<String, NaiveDate>> {
    let sql = sql_for(
        tx,
        "SELECT event_key, booked_on FROM awaited_line
         WHERE merchant_id = $1 AND event = $2 AND closed_on IS NULL AND event_key IN {keys $3}",
    );
    let keys = key_set(keys.iter().copied());
    let rows: Vec<(String, NaiveDate)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(event).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// SQL condition: the books of a day agree with line `l`. A fact dated ahead enters the books on its day.
fn agrees_by(day: &str) -> String {
    let in_books = in_books(day);
    format!(
        "EXISTS (SELECT 1 FROM fact f
        JOIN orders o ON o.merchant_id = f.merchant_id AND o.order_id = f.order_id
        WHERE f.merchant_id = l.merchant_id AND f.kind = l.event AND f.fact_id = l.event_key
          AND f.order_id = l.order_id AND {in_books} = l.amount_minor AND o.currency = l.currency)"
    )
}

/// SQL condition: no later line has the same key as line `l`.
const LATEST_LINE: &str = "NOT EXISTS (SELECT 1 FROM provider_line n
        WHERE n.merchant_id = l.merchant_id AND n.event = l.event AND n.event_key = l.event_key
          AND (n.file_no, n.line) > (l.file_no, l.line))";

/// Settles the lines that the books now agree with.
pub async fn settle(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<()> {
    let sql = format!(
        "UPDATE provider_line AS l SET settled_on = $2
         WHERE l.merchant_id = $1 AND l.settled_on IS NULL AND l.failed_on IS NULL AND {} AND {LATEST_LINE}",
        agrees_by("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Reopens lines that were settled earlier today and no longer agree with the books, because the money was corrected.
pub async fn unsettle(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<()> {
    let sql = format!(
        "UPDATE provider_line AS l SET settled_on = NULL WHERE l.merchant_id = $1 AND l.settled_on = $2 AND NOT {}",
        agrees_by("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The number of lines that were settled today and no longer agree with the books.
pub async fn count_to_unsettle(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) FROM provider_line l WHERE l.merchant_id = $1 AND l.settled_on = $2 AND NOT {}",
        agrees_by("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).fetch_one(c).await?))
}

/// The number of lines to settle.
pub async fn count_to_settle(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) FROM provider_line l
         WHERE l.merchant_id = $1 AND l.settled_on IS NULL AND l.failed_on IS NULL AND {} AND {LATEST_LINE}",
        agrees_by("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).fetch_one(c).await?))
}

/// Lines whose settlement at the end of a sealed day contradicts the books: settled although the books did not agree, or not
/// settled although they did.
pub async fn inconsistent(tx: &mut Tx, merchant: &str, day: NaiveDate, limit: i64) -> Result<Vec<(FactKind, String)>> {
    let (then, by_now) = (agrees_by("l.settled_on"), agrees_by("$2"));
    let sql = format!(
        "SELECT event, event_key FROM provider_line l
         WHERE l.merchant_id = $1
           AND (l.settled_on IS NOT NULL AND NOT {then}
                OR l.settled_on IS NULL AND l.failed_on IS NULL AND l.business_date <= $2 AND {by_now} AND {LATEST_LINE})
         ORDER BY event, event_key LIMIT $3"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(limit).fetch_all(c).await?))
}

/// Keys for which a line settled today that replaces an earlier, contradicting line.
pub async fn corrected_on(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<Vec<String>> {
    let sql = "SELECT l.event_key FROM provider_line l
               WHERE l.merchant_id = $1 AND l.settled_on = $2
                 AND EXISTS (SELECT 1 FROM provider_line e
                             WHERE e.merchant_id = l.merchant_id AND e.event = l.event AND e.event_key = l.event_key
                               AND e.settled_on IS NULL)
               ORDER BY l.event_key";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(today).fetch_all(c).await?))
}

/// A line, with the books' entry for the same key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LineRow {
    pub event: FactKind,
    pub event_key: String,
    pub order_id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub fee_minor: Option<i64>,
    pub provider: String,
    pub business_date: NaiveDate,
    pub opened_on: NaiveDate,
    pub settled_on: Option<NaiveDate>,
    pub file_no: i64,
    pub line: i64,
    pub occurred_on: NaiveDate,
    /// The amount in force for the key at the end of the day, and its booking day.
    pub our_minor: Option<i64>,
    pub our_currency: Option<String>,
    pub our_on: Option<NaiveDate>,
    /// The amount first recorded for the key, and its booking day if it was not corrected.
    pub first_minor: Option<i64>,
    pub booked_on: Option<NaiveDate>,
}

/// Selects lines with the amounts in force at the end of a day, or now.
fn select_line(day: Option<&str>) -> String {
    let (our_minor, our_on) = (in_force(day), in_force_on(day));
    format!(
        "SELECT l.event, l.event_key, l.order_id, l.amount_minor, l.currency, l.fee_minor, l.provider,
            l.business_date, l.opened_on, l.settled_on, l.file_no, l.line, l.occurred_on,
            {our_minor} AS our_minor, {our_on} AS our_on, f.amount_minor AS first_minor, {BOOKED_DAY} AS booked_on,
            (SELECT o.currency FROM orders o WHERE o.merchant_id = f.merchant_id AND o.order_id = f.order_id) AS our_currency
        FROM provider_line l
        LEFT JOIN fact f ON f.merchant_id = l.merchant_id AND f.kind = l.event AND f.fact_id = l.event_key"
    )
}

/// Lines that were settled on the days since..=day.
pub async fn settled_on(tx: &mut Tx, merchant: &str, since: NaiveDate, day: NaiveDate) -> Result<Vec<LineRow>> {
    let sql = format!(
        "{} WHERE l.merchant_id = $1 AND l.settled_on BETWEEN $2 AND $3 ORDER BY l.event, l.event_key",
        select_line(Some("$3"))
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(since).bind(day).fetch_all(c).await?))
}

/// Lines that the books did not agree with at the end of a day.
pub async fn open_at(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<LineRow>> {
    let latest_then = LATEST_LINE.replace("AND (n.file_no", "AND n.business_date <= $2 AND (n.file_no");
    // The first condition implies the second, which matches the condition of the partial index and lets the query use it.
    let sql = format!(
        "{} AND f.booked_on <= $2
         WHERE l.merchant_id = $1 AND l.business_date <= $2 AND (l.settled_on IS NULL OR l.settled_on > $2)
           AND (l.settled_on IS NULL OR l.settled_on > l.business_date)
           AND (l.failed_on IS NULL OR l.failed_on > $2) AND {latest_then}
         ORDER BY l.event, l.event_key",
        select_line(Some("$2"))
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// Settled lines that the books no longer agree with at the end of a day, because a correction changed the fact.
pub async fn reopened_at(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<LineRow>> {
    // Corrections are few, so the search begins with them.
    let sql = format!(
        "{} WHERE l.merchant_id = $1 AND l.settled_on <= $2 AND (l.failed_on IS NULL OR l.failed_on > $2)
           AND (l.event, l.event_key) IN (SELECT c.kind, c.fact_id FROM correction c
                WHERE c.merchant_id = $1 AND c.booked_on <= $2 AND c.kind IN ('payment', 'refund'))
           AND COALESCE({}, 0) <> l.amount_minor
         ORDER BY l.event, l.event_key",
        select_line(Some("$2")),
        in_books("$2")
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// All lines about an order's payments and refunds, in order of arrival.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<LineRow>> {
    let select = select_line(None);
    let sql = format!("{select} WHERE l.merchant_id = $1 AND l.order_id = $2 ORDER BY l.file_no, l.line");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?))
}
