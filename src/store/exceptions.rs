//! Exceptions: what finance must review. An exception stays listed, with its age, until it is resolved.

use std::collections::HashSet;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::intake::kind::Kind;
use crate::domain::owner::Owner;

const EXCEPTION: Table = Table {
    name: "exception",
    columns: &[
        "merchant_id",
        "exception_no",
        "code",
        "row_key",
        "order_id",
        "file_no",
        "line",
        "amount_minor",
        "currency",
        "opened_on",
        "resolved_on",
        "message",
    ],
    key: 2,
};

/// An exception to open.
#[derive(Debug, Clone)]
pub struct NewException {
    pub code: ExceptionCode,
    /// The key of the row it concerns; empty for a whole file.
    pub row_key: String,
    pub order_id: String,
    pub source: Source,
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
    pub message: String,
}

impl NewException {
    /// With a code and a message, and nothing else.
    pub fn new(code: impl Into<ExceptionCode>, message: impl Into<String>) -> NewException {
        NewException {
            code: code.into(),
            row_key: String::new(),
            order_id: String::new(),
            source: Source::default(),
            amount_minor: None,
            currency: None,
            message: message.into(),
        }
    }
}

/// Opens exceptions of a merchant or of the scheme.
pub async fn open(tx: &mut Tx, owner: Owner<&str>, today: NaiveDate, exceptions: &[NewException]) -> Result<()> {
    if exceptions.is_empty() {
        return Ok(());
    }
    let sql = "SELECT COALESCE(MAX(exception_no), 0) FROM exception WHERE merchant_id = $1";
    let last: i64 = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).fetch_one(c).await?);
    let mut cells = Vec::new();
    for (exception, number) in exceptions.iter().zip(last + 1..) {
        cells.extend(row![
            owner,
            number,
            exception.code,
            exception.row_key.as_str(),
            exception.order_id.as_str(),
            exception.source.file_no,
            exception.source.line,
            exception.amount_minor,
            exception.currency.as_deref(),
            today,
            None::<NaiveDate>,
            exception.message.as_str(),
        ]);
    }
    bulk::insert(tx, &EXCEPTION, cells).await
}

/// Resolves open exceptions with these codes about rows with these keys.
pub async fn resolve(
    tx: &mut Tx,
    owner: Owner<&str>,
    codes: &[ExceptionCode],
    row_keys: &[&str],
    today: NaiveDate,
) -> Result<()> {
    if row_keys.is_empty() {
        return Ok(());
    }
    let sql = sql_for(
        tx,
        "UPDATE exception SET resolved_on = $4
         WHERE merchant_id = $1 AND resolved_on IS NULL AND code IN {keys $2} AND row_key IN {keys $3}",
    );
    let codes = key_set(codes.iter().map(|code| code.name()));
    let row_keys = key_set(row_keys.iter().copied());
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(owner).bind(codes).bind(row_keys).bind(today).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Resolves open exceptions with a code about these keys. For codes that are rarely open: one query usually shows that none is.
pub async fn resolve_if_open(
    tx: &mut Tx,
    merchant: &str,
    code: ExceptionCode,
    row_keys: &[&str],
    today: NaiveDate,
) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM exception WHERE merchant_id = $1 AND resolved_on IS NULL AND code = $2)";
    let any: bool = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(code).fetch_one(c).await?);
    if any { resolve(tx, Owner::Merchant(merchant), &[code], row_keys, today).await } else { Ok(()) }
}

/// Resolves open exceptions with these codes about single rows, because rows of different kinds may share a key.
pub async fn resolve_rows(
    tx: &mut Tx,
    merchant: &str,
    codes: &[ExceptionCode],
    rows: &[(&str, Source)],
    today: NaiveDate,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = sql_for(
        tx,
        "UPDATE exception SET resolved_on = $5
         WHERE merchant_id = $1 AND resolved_on IS NULL AND code IN {keys $2} AND row_key IN {keys $3}
           AND CAST(file_no AS TEXT) || ':' || CAST(line AS TEXT) IN {keys $4}",
    );
    let places: Vec<String> = rows.iter().map(|(_, source)| format!("{}:{}", source.file_no, source.line)).collect();
    let places = key_set(places.iter().map(String::as_str));
    let (codes, row_keys) = (key_set(codes.iter().map(|code| code.name())), key_set(rows.iter().map(|(key, _)| *key)));
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(codes).bind(row_keys).bind(places).bind(today);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Closes the open exceptions about a whole file, with the reason.
pub async fn resolve_file(tx: &mut Tx, owner: Owner<&str>, file_no: i64, today: NaiveDate, why: &str) -> Result<()> {
    let sql = "UPDATE exception SET resolved_on = $3, resolution = $4
               WHERE merchant_id = $1 AND row_key = '' AND resolved_on IS NULL AND file_no = $2";
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(owner).bind(file_no).bind(today).bind(why).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// The state of an exception, which decides whether a person may close it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ExceptionState {
    pub code: ExceptionCode,
    pub message: String,
    pub resolved_on: Option<NaiveDate>,
    /// The kind of the row it concerns, if that row still waits.
    pub waiting: Option<Kind>,
}

pub async fn state(tx: &mut Tx, owner: Owner<&str>, number: i64) -> Result<Option<ExceptionState>> {
    let sql = "SELECT e.code, e.message, e.resolved_on, r.kind AS waiting FROM exception e
               LEFT JOIN input_row r ON r.file_no = e.file_no AND r.line = e.line AND r.outcome = 'pending'
               WHERE e.merchant_id = $1 AND e.exception_no = $2";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).bind(number).fetch_optional(c).await?))
}

/// The number in the books of an exception that reports name by this one.
pub async fn reported_as(tx: &mut Tx, owner: Owner<&str>, report_no: i64) -> Result<Option<i64>> {
    let sql = "SELECT exception_no FROM exception WHERE merchant_id = $1 AND report_no = $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).bind(report_no).fetch_optional(c).await?))
}

/// Gives numbers to the exceptions that the report of the open day lists for the first time: those opened since..=today and
/// still open, or closed with a reason. Their order follows from what they say, not from when a job found them.
pub async fn number(tx: &mut Tx, owner: Owner<&str>, since: NaiveDate, today: NaiveDate) -> Result<()> {
    let sql = "UPDATE exception SET report_no = fresh.report_no, numbered_on = $3
               FROM (SELECT e.exception_no,
                            (SELECT COALESCE(MAX(report_no), 0) FROM exception WHERE merchant_id = $1)
                            + ROW_NUMBER() OVER (ORDER BY e.opened_on, COALESCE(f.name, ''), e.line, e.code, e.row_key,
                                e.order_id, COALESCE(e.amount_minor, 0), COALESCE(e.currency, ''), e.message,
                                COALESCE(e.resolution, ''), e.exception_no) AS report_no
                     FROM exception e LEFT JOIN file f ON f.file_no = e.file_no
                     WHERE e.merchant_id = $1 AND e.opened_on BETWEEN $2 AND $3 AND e.report_no IS NULL
                       AND (e.resolved_on IS NULL OR e.resolution IS NOT NULL)) AS fresh
               WHERE exception.merchant_id = $1 AND exception.exception_no = fresh.exception_no";
    on_engine!(tx, |c| sqlx::query(sql).bind(owner).bind(since).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Updates the message about a file that was missed today with what has become known since.
pub async fn update_missing(
    tx: &mut Tx,
    owner: Owner<&str>,
    row_key: &str,
    today: NaiveDate,
    message: &str,
) -> Result<()> {
    let sql = "UPDATE exception SET message = $4
               WHERE merchant_id = $1 AND row_key = $2 AND code = 'FILE_MISSING' AND opened_on = $3 AND message <> $4";
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(owner).bind(row_key).bind(today).bind(message).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Closes one exception, with the reason.
pub async fn close(tx: &mut Tx, owner: Owner<&str>, number: i64, today: NaiveDate, why: &str) -> Result<()> {
    let sql = "UPDATE exception SET resolved_on = $3, resolution = $4
               WHERE merchant_id = $1 AND exception_no = $2 AND resolved_on IS NULL";
    on_engine!(tx, |c| {
        sqlx::query(sql).bind(owner).bind(number).bind(today).bind(why).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Closes exceptions about money dated too far ahead, once no money with their key is still to come.
pub async fn resolve_dated_ahead(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<()> {
    let sql = "UPDATE exception SET resolved_on = $2
               WHERE merchant_id = $1 AND resolved_on IS NULL AND code = 'DATED_AHEAD'
                 AND NOT EXISTS (SELECT 1 FROM fact f
                                 WHERE f.merchant_id = $1 AND f.file_no = exception.file_no AND f.line = exception.line
                                   AND f.order_id = exception.order_id AND f.effective_on > $2)
                 AND NOT EXISTS (SELECT 1 FROM input_row r
                                 WHERE r.file_no = exception.file_no AND r.line = exception.line
                                   AND r.outcome = 'pending' AND r.effective_on > $2)";
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Closes exceptions about customers who owed when they closed their agreement or unbound their card, once they owe the
/// merchant nothing any more: no principal, no late fee, and nothing that was written off.
pub async fn resolve_owing(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<()> {
    let customer = "(CASE WHEN exception.code = 'CARD_UNBOUND_WHILE_OWING' THEN exception.row_key
                     ELSE (SELECT g.customer_id FROM agreement g
                           WHERE g.merchant_id = $1 AND g.agreement_id = exception.row_key) END)";
    // An order of which nothing is owed tomorrow may still be open today: its last payment is of tomorrow, or a fee is left.
    let sql = sqlx::AssertSqlSafe(format!(
        "UPDATE exception SET resolved_on = $2
         WHERE merchant_id = $1 AND resolved_on IS NULL AND code IN ('CLOSED_WHILE_OWING', 'CARD_UNBOUND_WHILE_OWING')
           AND NOT EXISTS (SELECT 1 FROM exposure e
                           WHERE e.merchant_id = $1 AND e.customer_id = {customer} AND e.owed_minor > 0)
           AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.merchant_id = $1 AND o.customer_id = {customer}
                           AND o.past_due_from IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.merchant_id = $1 AND o.customer_id = {customer}
                           AND o.closed_on IS NULL AND o.owed_minor = 0)"
    ));
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Whether this file has ever been reported as missing.
pub async fn is_missing_reported(tx: &mut Tx, owner: Owner<&str>, row_key: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) > 0 FROM exception WHERE merchant_id = $1 AND row_key = $2 AND code = 'FILE_MISSING'";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).bind(row_key).fetch_one(c).await?))
}

/// An owner's missing files whose exceptions are open, each with the day on which the exception was opened.
pub async fn files_missing(tx: &mut Tx, owner: Owner<&str>) -> Result<Vec<(String, NaiveDate)>> {
    let sql = "SELECT row_key, opened_on FROM exception
               WHERE merchant_id = $1 AND code = 'FILE_MISSING' AND resolved_on IS NULL ORDER BY row_key";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).fetch_all(c).await?))
}

/// The orders among these with an exception NOT_FULFILLED that is open, or that a person closed with a reason.
pub async fn not_fulfilled_reported(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<HashSet<String>> {
    let sql = sql_for(
        tx,
        "SELECT row_key FROM exception
         WHERE merchant_id = $1 AND code = 'NOT_FULFILLED' AND row_key IN {keys $2}
           AND (resolved_on IS NULL OR resolution IS NOT NULL)",
    );
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<String> = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// The row keys of the open exceptions with a code.
pub async fn open_keys(tx: &mut Tx, owner: Owner<&str>, code: ExceptionCode) -> Result<Vec<String>> {
    let sql = "SELECT row_key FROM exception WHERE merchant_id = $1 AND resolved_on IS NULL AND code = $2
               ORDER BY exception_no";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).bind(code).fetch_all(c).await?))
}

/// The keys among these with an open exception of this code.
pub async fn open_about(
    tx: &mut Tx,
    owner: Owner<&str>,
    code: ExceptionCode,
    row_keys: &[&str],
) -> Result<HashSet<String>> {
    let sql = sql_for(
        tx,
        "SELECT row_key FROM exception
         WHERE merchant_id = $1 AND resolved_on IS NULL AND code = $2 AND row_key IN {keys $3}",
    );
    let keys = key_set(row_keys.iter().copied());
    let rows: Vec<String> =
        on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).bind(code).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// An exception, as reported.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ExceptionRow {
    #[sqlx(rename = "merchant_id")]
    pub owner: Owner,
    /// In the order in which they were opened.
    pub exception_no: i64,
    /// As reports name it, from the first that lists it.
    pub report_no: Option<i64>,
    pub code: ExceptionCode,
    pub order_id: String,
    pub file: Option<String>,
    pub line: i64,
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
    pub opened_on: NaiveDate,
    pub resolved_on: Option<NaiveDate>,
    pub message: String,
    /// Why a person closed it; `None` if a later row resolved it.
    pub resolution: Option<String>,
}

pub(super) const REPORTED: &str = "e.merchant_id, e.exception_no, e.report_no, e.code, e.order_id, f.name AS file, e.line,
    e.amount_minor, e.currency, e.opened_on, e.resolved_on, e.message, e.resolution FROM exception e LEFT JOIN file f ON f.file_no = e.file_no";

/// Exceptions that were open at the end of a day, or that a person closed on the days since..=day, oldest first.
pub async fn open_at(tx: &mut Tx, owner: Owner<&str>, since: NaiveDate, day: NaiveDate) -> Result<Vec<ExceptionRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {REPORTED}
         WHERE e.merchant_id = $1 AND e.opened_on <= $2
           AND (e.resolved_on IS NULL OR e.resolved_on > $2 OR (e.resolved_on >= $3 AND e.resolution IS NOT NULL))
         ORDER BY e.report_no, e.exception_no"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).bind(day).bind(since).fetch_all(c).await?))
}

/// Open exceptions with one of these codes, of all merchants and the scheme, latest first, at most `limit`.
pub async fn open_with_code(tx: &mut Tx, codes: &[ExceptionCode], limit: i64) -> Result<Vec<ExceptionRow>> {
    let sql = format!(
        "SELECT {REPORTED} WHERE e.resolved_on IS NULL AND e.code IN {{keys $1}}
         ORDER BY e.opened_on DESC, e.merchant_id, e.exception_no LIMIT $2"
    );
    let sql = sql_for(tx, &sql);
    let codes = key_set(codes.iter().map(|code| code.name()));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(codes).bind(limit).fetch_all(c).await?))
}

/// The number of exceptions that were opened before a day and are still open, and the day of the oldest.
pub async fn open_since_before(tx: &mut Tx, day: NaiveDate) -> Result<(i64, Option<NaiveDate>)> {
    let sql = "SELECT COUNT(*), MIN(opened_on) FROM exception WHERE resolved_on IS NULL AND opened_on < $1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_one(c).await?))
}

/// The number of open exceptions by code, for all merchants and the scheme.
pub async fn count_open(tx: &mut Tx) -> Result<Vec<(ExceptionCode, i64)>> {
    let sql = "SELECT code, COUNT(*) FROM exception WHERE resolved_on IS NULL GROUP BY code ORDER BY code";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}
