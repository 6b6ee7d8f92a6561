//! Incoming files.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use crate::domain::intake::code::FileCode;
use crate::domain::intake::kind::Kind;
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::domain::owner::Owner;

/// A recorded file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RecordedFile {
    pub file_no: i64,
    pub feed: String,
    pub kind: Kind,
    /// The provider that reports its money.
    pub provider: String,
    #[sqlx(rename = "merchant_id")]
    pub owner: Owner,
    pub name: String,
    /// Its name in the archive or quarantine, on which its acknowledgement's name is based.
    pub kept_as: String,
    pub sha256: String,
    pub business_date: NaiveDate,
    /// The date in its name.
    pub dated_on: Option<NaiveDate>,
    /// The number in its name.
    pub number: Option<i64>,
    /// The number of the earlier file that it retries.
    pub retry_of: Option<i64>,
    pub status: FileStatus,
    /// Whether it is acknowledged and archived.
    pub filed: bool,
    pub code: Option<FileCode>,
    pub message: Option<String>,
    pub last_line: i64,
    pub ack_bytes: i64,
    pub rejects_bytes: i64,
    #[sqlx(flatten)]
    pub counts: Counts,
}

/// The number of a file's rows, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Counts {
    #[sqlx(rename = "read_rows")]
    pub rows: i64,
    pub accepted: i64,
    pub declined: i64,
    pub duplicate: i64,
    pub conflict: i64,
    pub pending: i64,
    pub rejected: i64,
}

impl Counts {
    /// Whether the outcomes add up to the number of rows.
    pub fn adds_up(&self) -> bool {
        self.rows == self.accepted + self.declined + self.duplicate + self.conflict + self.pending + self.rejected
    }

    pub fn add(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.accepted += other.accepted;
        self.declined += other.declined;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        self.pending += other.pending;
        self.rejected += other.rejected;
    }
}

pub(super) const FILE_COLUMNS: &str =
    "file_no, feed, kind, provider, merchant_id, name, kept_as, sha256, business_date, dated_on, number,
    retry_of, status, filed, code, message, last_line, ack_bytes, rejects_bytes, read_rows, accepted, declined,
    duplicate, conflict, pending, rejected";

const FILE: Table = Table {
    name: "file",
    columns: &[
        "file_no",
        "feed",
        "kind",
        "provider",
        "merchant_id",
        "name",
        "kept_as",
        "sha256",
        "business_date",
        "dated_on",
        "number",
        "retry_of",
        "status",
        "filed",
        "code",
        "message",
        "last_line",
        "ack_bytes",
        "rejects_bytes",
        "read_rows",
        "accepted",
        "declined",
        "duplicate",
        "conflict",
        "pending",
        "rejected",
    ],
    key: 1,
};

/// The number of the next file.
pub async fn next_number(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(file_no), 0) + 1 FROM file";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// Saves a new or changed file.
pub async fn save(tx: &mut Tx, file: &RecordedFile) -> Result<()> {
    let cells = row![
        file.file_no,
        file.feed.as_str(),
        file.kind,
        file.provider.as_str(),
        file.owner.borrowed(),
        file.name.as_str(),
        file.kept_as.as_str(),
        file.sha256.as_str(),
        file.business_date,
        file.dated_on,
        file.number,
        file.retry_of,
        file.status,
        file.filed,
        file.code,
        file.message.as_deref(),
        file.last_line,
        file.ack_bytes,
        file.rejects_bytes,
        file.counts.rows,
        file.counts.accepted,
        file.counts.declined,
        file.counts.duplicate,
        file.counts.conflict,
        file.counts.pending,
        file.counts.rejected,
    ];
    bulk::upsert(tx, &FILE, cells).await
}

/// The owner's file of this kind with these bytes that is taken or being read.
pub async fn taken_with_bytes(
    tx: &mut Tx,
    owner: Owner<&str>,
    kind: Kind,
    sha256: &str,
) -> Result<Option<RecordedFile>> {
    let sql = format!(
        "SELECT {FILE_COLUMNS} FROM file
         WHERE merchant_id = $1 AND kind = $2 AND sha256 = $3 AND status IN ('reading', 'taken')"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).bind(kind).bind(sha256).fetch_optional(c).await?))
}

/// A feed's refused files with these bytes, in order of arrival.
pub async fn refused_with_bytes(tx: &mut Tx, feed: &str, sha256: &str) -> Result<Vec<RecordedFile>> {
    let sql = format!(
        "SELECT {FILE_COLUMNS} FROM file
         WHERE feed = $1 AND sha256 = $2 AND status = 'quarantined' ORDER BY file_no"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(sha256).fetch_all(c).await?))
}

/// A feed's files with this date in their names, in order of arrival.
pub async fn dated(tx: &mut Tx, feed: &str, dated_on: NaiveDate) -> Result<Vec<RecordedFile>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE feed = $1 AND dated_on = $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(dated_on).fetch_all(c).await?))
}

/// A feed's files with this name, in order of arrival.
pub async fn named(tx: &mut Tx, feed: &str, name: &str) -> Result<Vec<RecordedFile>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE feed = $1 AND name = $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(name).fetch_all(c).await?))
}

/// Whether a file of the feed is archived under this name.
pub async fn is_kept_as(tx: &mut Tx, feed: &str, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM file WHERE feed = $1 AND kept_as = $2)";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(name).fetch_one(c).await?))
}

/// Files that are not yet acknowledged and archived, because of an interruption.
pub async fn unfiled(tx: &mut Tx) -> Result<Vec<RecordedFile>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE NOT filed ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Files taken on the days from..=to.
pub async fn between(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Vec<RecordedFile>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE business_date BETWEEN $1 AND $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(from).bind(to).fetch_all(c).await?))
}

/// Names of files by number.
pub async fn names(tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, String>> {
    let mut names = HashMap::new();
    for number in numbers {
        let sql = "SELECT name FROM file WHERE file_no = $1";
        let name: Option<String> = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(number).fetch_optional(c).await?);
        names.extend(name.map(|name| (*number, name)));
    }
    Ok(names)
}

/// Moves a file's counts from pending to another outcome when pending rows are resolved.
pub async fn move_pending(tx: &mut Tx, file_no: i64, outcome: RowOutcome, rows: i64) -> Result<()> {
    // Each outcome has a column of its name.
    let column = outcome.name();
    let sql = format!("UPDATE file SET pending = pending - $2, {column} = {column} + $2 WHERE file_no = $1");
    let sql = sqlx::AssertSqlSafe(sql);
    on_engine!(tx, |c| sqlx::query(sql).bind(file_no).bind(rows).execute(c).await.map(|_| ()))?;
    Ok(())
}
