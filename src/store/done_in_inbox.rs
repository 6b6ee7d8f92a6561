//! Files that stay in their inboxes after processing, and the marks by which they are recognised without opening them.

use std::collections::HashMap;

use anyhow::Result;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use crate::domain::owner::Owner;

const DONE_FILE: Table = Table { name: "kept_file", columns: &["merchant_id", "feed", "name", "seen"], key: 3 };

/// A feed's processed files: each name with the file's mark.
pub async fn of_feed(tx: &mut Tx, owner: Owner<&str>, feed: &str) -> Result<HashMap<String, String>> {
    let sql = "SELECT name, seen FROM kept_file WHERE merchant_id = $1 AND feed = $2";
    let rows: Vec<(String, String)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).bind(feed).fetch_all(c).await?);
    Ok(rows.into_iter().collect())
}

/// Records processed files of a feed: each name with the file's mark.
pub async fn save(tx: &mut Tx, owner: Owner<&str>, feed: &str, files: &[(String, String)]) -> Result<()> {
    let cells = files.iter().flat_map(|(name, seen)| row![owner, feed, name.as_str(), seen.as_str()]);
    bulk::upsert(tx, &DONE_FILE, cells).await
}
