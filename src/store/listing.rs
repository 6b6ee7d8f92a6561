//! Lists of files, rows and exceptions for people: filtered and paged.

use anyhow::Result;
use chrono::NaiveDate;

use super::engine::{Tx, key_set, on_engine, sql_for};
use super::exceptions::{ExceptionRow, REPORTED};
use super::file_rows::{ROW_COLUMNS, RecordedRow};
use super::files::{FILE_COLUMNS, RecordedFile};
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::domain::owner::Owner;

/// A filter for files. `None` matches everything.
#[derive(Debug, Clone)]
pub struct FileFilter {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub feed: Option<String>,
    pub status: Option<FileStatus>,
}

/// A file, and the file as which it was taken again.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ListedFile {
    #[sqlx(flatten)]
    pub file: RecordedFile,
    pub retried_as: Option<i64>,
}

const RETRIED_AS: &str =
    "(SELECT MAX(again.file_no) FROM file again WHERE again.retry_of = file.file_no) AS retried_as";

/// Files with numbers below `before`, latest first, at most `limit`.
pub async fn files(tx: &mut Tx, filter: &FileFilter, before: i64, limit: i64) -> Result<Vec<ListedFile>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {FILE_COLUMNS}, {RETRIED_AS} FROM file
         WHERE file_no < $1 AND business_date BETWEEN $2 AND $3 AND ($4 IS NULL OR feed = $4) AND ($5 IS NULL OR status = $5)
         ORDER BY file_no DESC LIMIT $6"
    ));
    let FileFilter { from, to, feed, status } = filter;
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(before).bind(from).bind(to).bind(feed).bind(status).bind(limit);
        query.fetch_all(c).await?
    }))
}

/// The first of the latest `days` business days on which files arrived.
pub async fn since_latest_days(tx: &mut Tx, days: i64) -> Result<Option<NaiveDate>> {
    let sql = "SELECT MIN(business_date) FROM
               (SELECT DISTINCT business_date FROM file ORDER BY business_date DESC LIMIT $1) AS latest";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(days).fetch_one(c).await?))
}

/// Files with this name, original or archived, in order of arrival.
pub async fn files_called(tx: &mut Tx, name: &str) -> Result<Vec<ListedFile>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {FILE_COLUMNS}, {RETRIED_AS} FROM file WHERE name = $1 OR kept_as = $1 ORDER BY file_no"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(name).fetch_all(c).await?))
}

pub async fn file(tx: &mut Tx, file_no: i64) -> Result<Option<ListedFile>> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {FILE_COLUMNS}, {RETRIED_AS} FROM file WHERE file_no = $1"));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(file_no).fetch_optional(c).await?))
}

/// The files that can be retried: refused files whose exception is still open, and files with rows that were rejected with one
/// of these codes. A file is retried only once.
pub async fn to_retry(tx: &mut Tx, codes: &[RowCode]) -> Result<Vec<ListedFile>> {
    let sql = format!(
        "SELECT {FILE_COLUMNS}, {RETRIED_AS} FROM file
         WHERE NOT EXISTS (SELECT 1 FROM file again WHERE again.retry_of = file.file_no)
           AND (status = 'quarantined' AND EXISTS
                    (SELECT 1 FROM exception e WHERE e.merchant_id = file.merchant_id AND e.row_key = ''
                        AND e.resolved_on IS NULL AND e.file_no = file.file_no)
                OR status = 'taken' AND rejected > 0 AND EXISTS
                    (SELECT 1 FROM input_row r WHERE r.file_no = file.file_no AND r.outcome = 'rejected'
                        AND r.code IN {{keys $1}}))
         ORDER BY file_no"
    );
    let sql = sql_for(tx, &sql);
    let codes = key_set(codes.iter().map(|code| code.name()));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(codes).fetch_all(c).await?))
}

/// A file's rows that were not simply accepted, after a line, at most `limit`; with one outcome, or with any.
pub async fn rows(
    tx: &mut Tx,
    file_no: i64,
    outcome: Option<RowOutcome>,
    after: i64,
    limit: i64,
) -> Result<Vec<RecordedRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {ROW_COLUMNS} FROM input_row
         WHERE file_no = $1 AND line > $2 AND ($3 IS NULL OR outcome = $3) ORDER BY line LIMIT $4"
    ));
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(file_no).bind(after).bind(outcome).bind(limit).fetch_all(c).await?
    }))
}

/// Open exceptions by owner, oldest first, after the given one; with a code, or with any.
pub async fn open_exceptions(
    tx: &mut Tx,
    code: Option<ExceptionCode>,
    (owner, number): (Owner<&str>, i64),
    limit: i64,
) -> Result<Vec<ExceptionRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {REPORTED}
         WHERE e.resolved_on IS NULL AND ($1 IS NULL OR e.code = $1)
           AND (e.merchant_id > $2 OR (e.merchant_id = $2 AND e.exception_no > $3))
         ORDER BY e.merchant_id, e.exception_no LIMIT $4"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(code).bind(owner).bind(number).bind(limit).fetch_all(c).await?))
}
