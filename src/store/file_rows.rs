//! Rows of files that were not simply accepted: declined, duplicate, conflicting, rejected, or waiting for their order.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Cell, Table, row};
use super::corrections::in_books;
use super::engine::{Tx, key_set, on_engine, sql_for};
use crate::domain::intake::code::RowCode;
use crate::domain::intake::kind::Kind;
use crate::domain::intake::status::RowOutcome;
use crate::domain::owner::Owner;

/// A row that was not simply accepted, and its outcome.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RecordedRow {
    pub file_no: i64,
    pub line: i64,
    #[sqlx(rename = "merchant_id")]
    pub owner: Owner,
    pub kind: Kind,
    pub row_key: String,
    pub order_id: String,
    pub outcome: RowOutcome,
    /// `None` if it was accepted after it had waited.
    pub code: Option<RowCode>,
    pub message: String,
    /// The cells of a pending row, as a JSON object by column; otherwise empty.
    pub content: String,
    pub fingerprint: i64,
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
    pub opened_on: NaiveDate,
    pub resolved_on: Option<NaiveDate>,
    /// The day on which its money takes effect; `None` if it moves no money.
    pub effective_on: Option<NaiveDate>,
    /// The days at whose end its money was booked to suspense, and released again because the row stopped waiting.
    pub suspended_on: Option<NaiveDate>,
    pub released_on: Option<NaiveDate>,
}

const ROW: Table = Table {
    name: "input_row",
    columns: &[
        "file_no",
        "line",
        "merchant_id",
        "kind",
        "row_key",
        "order_id",
        "outcome",
        "code",
        "message",
        "content",
        "fingerprint",
        "amount_minor",
        "currency",
        "opened_on",
        "resolved_on",
        "effective_on",
        "suspended_on",
        "released_on",
    ],
    key: 2,
};

pub(super) const ROW_COLUMNS: &str =
    "file_no, line, merchant_id, kind, row_key, order_id, outcome, NULLIF(code, '') AS code, message, content,
    fingerprint, amount_minor, currency, opened_on, resolved_on, effective_on, suspended_on, released_on";

/// The same columns for queries that join other tables.
const JOINED: &str =
    "r.file_no, r.line, r.merchant_id, r.kind, r.row_key, r.order_id, r.outcome, NULLIF(r.code, '') AS code, r.message,
    r.content, r.fingerprint, r.amount_minor, r.currency, r.opened_on, r.resolved_on,
    r.effective_on, r.suspended_on, r.released_on";

/// Adds new rows.
pub async fn add(tx: &mut Tx, rows: &[RecordedRow]) -> Result<()> {
    bulk::insert(tx, &ROW, rows.iter().flat_map(cells)).await
}

/// Saves rows whose outcome has changed.
pub async fn save(tx: &mut Tx, rows: &[RecordedRow]) -> Result<()> {
    bulk::upsert(tx, &ROW, rows.iter().flat_map(cells)).await
}

fn cells(input: &RecordedRow) -> [Cell<'_>; 18] {
    row![
        input.file_no,
        input.line,
        input.owner.borrowed(),
        input.kind,
        input.row_key.as_str(),
        input.order_id.as_str(),
        input.outcome,
        input.code.map_or("", RowCode::name),
        input.message.as_str(),
        input.content.as_str(),
        input.fingerprint,
        input.amount_minor,
        input.currency.as_deref(),
        input.opened_on,
        input.resolved_on,
        input.effective_on,
        input.suspended_on,
        input.released_on,
    ]
}

/// The number of a file's rejected rows by code, most frequent first.
pub async fn rejected_by_code(tx: &mut Tx, file_no: i64) -> Result<Vec<(RowCode, i64)>> {
    let sql = "SELECT code, COUNT(*) FROM input_row WHERE file_no = $1 AND outcome = 'rejected'
               GROUP BY code ORDER BY COUNT(*) DESC, code";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(file_no).fetch_all(c).await?))
}

/// A merchant's pending rows that name one of these orders, in order of arrival.
pub async fn pending_for(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<RecordedRow>> {
    // One query usually shows that there are none.
    let sql = "SELECT EXISTS (SELECT 1 FROM input_row
               WHERE merchant_id = $1 AND outcome = 'pending' AND order_id BETWEEN $2 AND $3)";
    let (Some(first), Some(last)) = (order_ids.iter().min(), order_ids.iter().max()) else { return Ok(Vec::new()) };
    let any: bool =
        on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(*first).bind(*last).fetch_one(c).await?);
    if !any {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE merchant_id = $1 AND outcome = 'pending' AND order_id IN {{keys $2}} ORDER BY file_no, line"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?))
}

/// The content of a pending row.
#[derive(Debug, sqlx::FromRow)]
pub struct Waiting {
    pub row_key: String,
    pub order_id: String,
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
    pub fingerprint: i64,
    pub opened_on: NaiveDate,
}

/// Pending rows of a kind with these keys.
pub async fn pending_known(tx: &mut Tx, merchant: &str, kind: Kind, keys: &[&str]) -> Result<Vec<Waiting>> {
    let sql = sql_for(
        tx,
        "SELECT row_key, order_id, amount_minor, currency, fingerprint, opened_on FROM input_row
         WHERE merchant_id = $1 AND kind = $2 AND outcome = 'pending' AND row_key IN {keys $3}",
    );
    let keys = key_set(keys.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).bind(keys).fetch_all(c).await?))
}

/// Pending rows of a kind with these keys, complete.
pub async fn pending_rows(tx: &mut Tx, merchant: &str, kind: Kind, keys: &[&str]) -> Result<Vec<RecordedRow>> {
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE merchant_id = $1 AND kind = $2 AND outcome = 'pending' AND row_key IN {{keys $3}} ORDER BY file_no, line"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(keys.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).bind(keys).fetch_all(c).await?))
}

/// All pending rows of a kind, in order of arrival.
pub async fn pending_of_kind(tx: &mut Tx, merchant: &str, kind: Kind) -> Result<Vec<RecordedRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE merchant_id = $1 AND kind = $2 AND outcome = 'pending' ORDER BY file_no, line"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).fetch_all(c).await?))
}

/// The orders among these with waiting chargebacks.
pub async fn with_waiting_chargebacks(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<String>> {
    // Waiting chargebacks are rare: one query usually shows that there are none.
    let sql = "SELECT DISTINCT order_id FROM input_row
               WHERE merchant_id = $1 AND kind = 'chargebacks' AND outcome = 'pending' ORDER BY order_id";
    let waiting: Vec<String> = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_all(c).await?);
    let asked: HashSet<&str> = order_ids.iter().copied().collect();
    Ok(waiting.into_iter().filter(|order_id| asked.contains(order_id.as_str())).collect())
}

/// Rows that name an order, with their file's name, in order of arrival.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<(RecordedRow, String)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {JOINED}, f.name FROM input_row r JOIN file f ON f.file_no = r.file_no
         WHERE r.merchant_id = $1 AND r.order_id = $2 ORDER BY r.file_no, r.line"
    ));
    let rows: Vec<NamedRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?);
    Ok(rows.into_iter().map(|named| (named.row, named.name)).collect())
}

/// Waiting rows whose money has taken effect by the end of a day and is not yet in suspense, at most `limit`.
pub async fn to_suspend(tx: &mut Tx, merchant: &str, today: NaiveDate, limit: i64) -> Result<Vec<RecordedRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE merchant_id = $1 AND outcome = 'pending' AND suspended_on IS NULL AND effective_on IS NOT NULL
           AND effective_on <= $2
         ORDER BY kind, row_key, file_no, line LIMIT $3"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(today).bind(limit).fetch_all(c).await?))
}

/// Rows whose money is still in suspense although the row has stopped waiting, or is in suspense again because the row's fact
/// was corrected today; at most `limit`.
pub async fn to_release(tx: &mut Tx, merchant: &str, today: NaiveDate, limit: i64) -> Result<Vec<RecordedRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE merchant_id = $1 AND suspended_on IS NOT NULL AND released_on IS NULL
           AND outcome <> 'pending' AND outcome <> 'accepted'
         ORDER BY kind, row_key, file_no, line LIMIT $2"
    ));
    let mut rows: Vec<RecordedRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(limit).fetch_all(c).await?);
    // A replacement of a fact does not draw on suspense, and a void fact returns the money it drew from there.
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT DISTINCT {JOINED} FROM correction c
         JOIN fact k ON k.merchant_id = c.merchant_id AND k.kind = c.kind AND k.fact_id = c.fact_id AND k.suspended
         JOIN input_row r ON r.file_no = k.file_no AND r.line = k.line
         WHERE c.merchant_id = $1 AND c.booked_on = $3
           AND r.suspended_on IS NOT NULL AND r.released_on IS NULL AND r.outcome = 'accepted'
         ORDER BY r.kind, r.row_key, r.file_no, r.line LIMIT $2"
    ));
    let corrected: Vec<RecordedRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(limit).bind(today).fetch_all(c).await?);
    rows.extend(corrected);
    Ok(rows)
}

/// A merchant's rows with money in suspense at the end of a day, with their provider, and whether a bill listed them by then.
pub async fn suspended_at(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<(RecordedRow, String, bool)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {JOINED}, f.provider AS name,
                EXISTS (SELECT 1 FROM provider_line l
                        WHERE l.merchant_id = r.merchant_id AND l.event_key = r.row_key AND l.business_date <= $2
                          AND l.event = {KIND_OF_FACT})
                AS in_bill
         FROM input_row r JOIN file f ON f.file_no = r.file_no
         WHERE r.merchant_id = $1 AND r.kind IN ('payments', 'refunds', 'chargebacks') AND r.content <> ''
           AND r.opened_on <= $2 AND r.suspended_on <= $2 AND (r.released_on IS NULL OR r.released_on > $2)
           AND (r.outcome <> 'accepted' OR r.resolved_on > $2
                OR EXISTS (SELECT 1 FROM fact k
                           WHERE k.merchant_id = r.merchant_id AND k.fact_id = r.row_key AND k.kind = {KIND_OF_FACT}
                             AND k.effective_on > $2))
         ORDER BY r.kind, r.row_key, r.file_no, r.line"
    ));
    let rows: Vec<SuspendedRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?);
    Ok(rows.into_iter().map(|found| (found.named.row, found.named.name, found.in_bill)).collect())
}

/// The kind of fact that money row `r` becomes when it is accepted.
const KIND_OF_FACT: &str =
    "CASE r.kind WHEN 'payments' THEN 'payment' WHEN 'refunds' THEN 'refund' ELSE 'chargeback' END";

/// Payments, refunds and chargebacks of the days since..=day that contradict the books, with their provider and the booked
/// amount. Leaves out rows of bills, which `bills` keeps.
pub async fn money_conflicts_on(
    tx: &mut Tx,
    merchant: &str,
    since: NaiveDate,
    day: NaiveDate,
) -> Result<Vec<(RecordedRow, String, i64)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {JOINED}, s.provider AS name, COALESCE({}, 0) AS booked_minor
         FROM input_row r
         JOIN file s ON s.file_no = r.file_no
         LEFT JOIN fact f ON f.merchant_id = r.merchant_id AND f.fact_id = r.row_key AND f.kind = {KIND_OF_FACT}
         WHERE r.merchant_id = $1 AND r.opened_on BETWEEN $3 AND $2 AND r.outcome = 'conflict'
           AND r.kind IN ('payments', 'refunds', 'chargebacks') AND s.kind <> 'bills'
         ORDER BY r.kind, r.row_key, r.file_no, r.line",
        in_books("$2")
    ));
    let rows: Vec<ConflictRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(since).fetch_all(c).await?);
    Ok(rows.into_iter().map(|found| (found.named.row, found.named.name, found.booked_minor)).collect())
}

/// The number of a file's stored rows by outcome, counted anew.
pub async fn counted(tx: &mut Tx, file_no: i64) -> Result<HashMap<RowOutcome, i64>> {
    let sql = "SELECT outcome, COUNT(*) FROM input_row WHERE file_no = $1 GROUP BY outcome";
    let rows: Vec<(RowOutcome, i64)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(file_no).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

#[derive(sqlx::FromRow)]
struct NamedRow {
    #[sqlx(flatten)]
    row: RecordedRow,
    name: String,
}

#[derive(sqlx::FromRow)]
struct SuspendedRow {
    #[sqlx(flatten)]
    named: NamedRow,
    in_bill: bool,
}

#[derive(sqlx::FromRow)]
struct ConflictRow {
    #[sqlx(flatten)]
    named: NamedRow,
    booked_minor: i64,
}
