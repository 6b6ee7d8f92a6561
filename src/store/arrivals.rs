//! The files of a feed that have arrived, by the date and number in their names, and the rows that still wait.

use std::ops::RangeInclusive;

use anyhow::Result;
use chrono::NaiveDate;

use super::engine::{Tx, on_engine, sql_for};
use crate::domain::intake::code::RowCode;
use crate::domain::intake::kind::Kind;

/// Whether a file of a feed with this date in its name has been taken, now or earlier. A duplicate counts if it repeats a file
/// of this date or has no rows; a repeat of another day's rows does not count.
pub async fn has_arrived(tx: &mut Tx, feed: &str, dated_on: NaiveDate) -> Result<bool> {
    // One file is enough; a day may have any number of files.
    let sql = "SELECT EXISTS (SELECT 1 FROM file WHERE feed = $1 AND dated_on = $2 AND status <> 'quarantined'
               AND NOT (status = 'duplicate' AND EXISTS (SELECT 1 FROM file old
                   WHERE old.merchant_id = file.merchant_id AND old.kind = file.kind AND old.sha256 = file.sha256
                     AND old.status IN ('reading', 'taken') AND old.dated_on <> file.dated_on AND old.read_rows > 0)))";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(dated_on).fetch_one(c).await?))
}

/// The highest number among a feed's files with this date in their names, or without a date; whatever their status.
pub async fn highest_number(tx: &mut Tx, feed: &str, dated_on: Option<NaiveDate>) -> Result<Option<i64>> {
    Ok(match dated_on {
        Some(day) => {
            let sql = "SELECT MAX(number) FROM file WHERE feed = $1 AND dated_on = $2";
            on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(day).fetch_one(c).await?)
        }
        None => {
            let sql = "SELECT MAX(number) FROM file WHERE feed = $1 AND dated_on IS NULL";
            on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).fetch_one(c).await?)
        }
    })
}

/// How many of these numbers have arrived.
pub async fn count_numbers(
    tx: &mut Tx,
    feed: &str,
    dated_on: Option<NaiveDate>,
    numbers: &RangeInclusive<i64>,
) -> Result<i64> {
    let (from, to) = (*numbers.start(), *numbers.end());
    Ok(match dated_on {
        Some(day) => {
            let sql = "SELECT COUNT(DISTINCT number) FROM file
                       WHERE feed = $1 AND number BETWEEN $2 AND $3 AND dated_on = $4";
            on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(from).bind(to).bind(day).fetch_one(c).await?)
        }
        None => {
            let sql = "SELECT COUNT(DISTINCT number) FROM file
                       WHERE feed = $1 AND number BETWEEN $2 AND $3 AND dated_on IS NULL";
            on_engine!(tx, |c| sqlx::query_scalar(sql).bind(feed).bind(from).bind(to).fetch_one(c).await?)
        }
    })
}

/// A waiting row, as reported to finance.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct WaitingRow {
    pub file_no: i64,
    pub line: i64,
    pub kind: Kind,
    pub row_key: String,
    pub order_id: String,
    pub code: RowCode,
    pub opened_on: NaiveDate,
}

/// A merchant's rows that have waited since `day` or longer and are not reported yet, at most `limit`.
pub async fn waiting_since(tx: &mut Tx, merchant: &str, day: NaiveDate, limit: i64) -> Result<Vec<WaitingRow>> {
    let sql = "SELECT file_no, line, kind, row_key, order_id, code, opened_on FROM input_row
               WHERE merchant_id = $1 AND outcome = 'pending' AND told_on IS NULL AND opened_on <= $2
               ORDER BY opened_on, file_no, line LIMIT $3";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).bind(limit).fetch_all(c).await?))
}

/// Marks waiting rows as reported to finance.
pub async fn mark_reported(tx: &mut Tx, rows: &[WaitingRow], today: NaiveDate) -> Result<()> {
    for of_file in rows.chunk_by(|a, b| a.file_no == b.file_no) {
        let lines: Vec<i64> = of_file.iter().map(|row| row.line).collect();
        let sql = sql_for(tx, "UPDATE input_row SET told_on = $1 WHERE file_no = $2 AND line IN {numbers $3}");
        let lines = serde_json::to_string(&lines)?;
        let file_no = of_file[0].file_no;
        on_engine!(tx, |c| sqlx::query(sql).bind(today).bind(file_no).bind(lines).execute(c).await.map(|_| ()))?;
    }
    Ok(())
}
