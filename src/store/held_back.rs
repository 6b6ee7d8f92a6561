//! The days on which reminders and fees were held back because a file about money was missing.

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};

const HELD_BACK: Table =
    Table { name: "held_back", columns: &["merchant_id", "business_date", "feed", "dated_on", "since"], key: 4 };

/// A file that was missing at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct MissingFile {
    pub feed: String,
    /// The date in its name.
    pub dated_on: NaiveDate,
    /// The business date on which it was due.
    pub since: NaiveDate,
}

/// The files that were missing when a merchant's day was decided.
pub async fn on(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<MissingFile>> {
    let sql = "SELECT feed, dated_on, since FROM held_back
               WHERE merchant_id = $1 AND business_date = $2 ORDER BY feed, dated_on";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// Replaces the missing files of the open day.
pub async fn set(tx: &mut Tx, merchant: &str, today: NaiveDate, missing: &[MissingFile]) -> Result<()> {
    let sql = "DELETE FROM held_back WHERE merchant_id = $1 AND business_date = $2";
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(today).execute(c).await.map(|_| ()))?;
    let cells = missing.iter().flat_map(|file| row![merchant, today, file.feed.as_str(), file.dated_on, file.since]);
    bulk::insert(tx, &HELD_BACK, cells).await
}
