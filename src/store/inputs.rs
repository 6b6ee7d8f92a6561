//! Files that came in.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};

/// A file as the store knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FileRow {
    pub file_no: i64,
    pub feed: String,
    pub kind: String,
    /// Who reports the money in it.
    pub provider: String,
    pub merchant_id: String,
    pub name: String,
    /// Its name in the archive or quarantine, and of its acknowledgement.
    pub kept_as: String,
    pub sha256: String,
    pub business_date: NaiveDate,
    /// The date in its name.
    pub dated_on: Option<NaiveDate>,
    /// The number in its name.
    pub number: Option<i64>,
    /// The quarantined file that it is, taken in again.
    pub retry_of: Option<i64>,
    /// reading, taken, duplicate, quarantined, or interrupted: its sender exchanged it while it was read.
    pub status: String,
    /// Acknowledged and moved out of the inbox.
    pub filed: bool,
    pub code: Option<String>,
    pub message: Option<String>,
    pub last_line: i64,
    pub ack_bytes: i64,
    pub rejects_bytes: i64,
    #[sqlx(flatten)]
    pub counts: Counts,
}

/// A file's rows by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
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
    /// Every row has one outcome.
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

/// The number that the next file gets.
pub async fn next_file_no(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(file_no), 0) + 1 FROM file";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// Writes a file's row, new or changed.
pub async fn save_file(tx: &mut Tx, file: &FileRow) -> Result<()> {
    let cells = row![
        file.file_no,
        file.feed.as_str(),
        file.kind.as_str(),
        file.provider.as_str(),
        file.merchant_id.as_str(),
        file.name.as_str(),
        file.kept_as.as_str(),
        file.sha256.as_str(),
        file.business_date,
        file.dated_on,
        file.number,
        file.retry_of,
        file.status.as_str(),
        file.filed,
        file.code.as_deref(),
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

/// The file of this kind and merchant that was taken, or is being read, with these bytes.
pub async fn file_with_bytes(tx: &mut Tx, merchant: &str, kind: &str, sha256: &str) -> Result<Option<FileRow>> {
    let sql = format!(
        "SELECT {FILE_COLUMNS} FROM file
         WHERE merchant_id = $1 AND kind = $2 AND sha256 = $3 AND status IN ('reading', 'taken')"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(kind).bind(sha256).fetch_optional(c).await?))
}

/// Files of a feed that were refused with these bytes, in the order in which they came.
pub async fn refused_with_bytes(tx: &mut Tx, feed: &str, sha256: &str) -> Result<Vec<FileRow>> {
    let sql = format!(
        "SELECT {FILE_COLUMNS} FROM file
         WHERE feed = $1 AND sha256 = $2 AND status = 'quarantined' ORDER BY file_no"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(sha256).fetch_all(c).await?))
}

/// Files of a feed with a date in their names, in the order in which they came.
pub async fn files_dated(tx: &mut Tx, feed: &str, dated_on: NaiveDate) -> Result<Vec<FileRow>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE feed = $1 AND dated_on = $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(dated_on).fetch_all(c).await?))
}

/// Files of a feed under a name, in the order in which they came.
pub async fn files_named(tx: &mut Tx, feed: &str, name: &str) -> Result<Vec<FileRow>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE feed = $1 AND name = $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(feed).bind(name).fetch_all(c).await?))
}

/// Whether a file of a feed is kept under a name.
pub async fn is_kept_as(tx: &mut Tx, feed: &str, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM file WHERE feed = $1 AND kept_as = $2)";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(name).fetch_one(c).await?))
}

/// Files that are decided but not yet acknowledged and moved: a stop came between.
pub async fn unfiled(tx: &mut Tx) -> Result<Vec<FileRow>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE NOT filed ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Files taken on the days from..=to.
pub async fn files_between(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Vec<FileRow>> {
    let sql = format!("SELECT {FILE_COLUMNS} FROM file WHERE business_date BETWEEN $1 AND $2 ORDER BY file_no");
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(from).bind(to).fetch_all(c).await?))
}

/// Names of files by number.
pub async fn file_names(tx: &mut Tx, numbers: &[i64]) -> Result<HashMap<i64, String>> {
    let mut names = HashMap::new();
    for number in numbers {
        let sql = "SELECT name FROM file WHERE file_no = $1";
        let name: Option<String> = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(number).fetch_optional(c).await?);
        names.extend(name.map(|name| (*number, name)));
    }
    Ok(names)
}

/// Moves counts of a file from pending to another outcome, as pending rows are resolved.
pub async fn move_pending(tx: &mut Tx, file_no: i64, outcome: &str, rows: i64) -> Result<()> {
    let column = match outcome {
        "accepted" => "accepted",
        "declined" => "declined",
        "duplicate" => "duplicate",
        "conflict" => "conflict",
        _ => "rejected",
    };
    let sql = format!("UPDATE file SET pending = pending - $2, {column} = {column} + $2 WHERE file_no = $1");
    let sql = sqlx::AssertSqlSafe(sql);
    on_engine!(tx, |c| sqlx::query(sql).bind(file_no).bind(rows).execute(c).await.map(|_| ()))?;
    Ok(())
}
