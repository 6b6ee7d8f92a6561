//! Daemons, each with its last sign of life.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::engine::{Tx, on_engine};

/// A daemon: a process on a machine.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct NodeRow {
    pub node: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// When it stopped as asked; `None` while it runs, or if it was killed.
    pub stopped_at: Option<DateTime<Utc>>,
}

/// Records that a daemon has started.
pub async fn started(tx: &mut Tx, node: &str, version: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO node (node, version, started_at, seen_at) VALUES ($1, $2, $3, $3)
               ON CONFLICT (node) DO UPDATE
               SET version = excluded.version, started_at = excluded.started_at, seen_at = excluded.seen_at,
                   stopped_at = NULL";
    on_engine!(tx, |c| sqlx::query(sql).bind(node).bind(version).bind(now).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Records a sign of life.
pub async fn seen(tx: &mut Tx, node: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE node SET seen_at = $2 WHERE node = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(node).bind(now).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Records that a daemon stopped as asked.
pub async fn stopped(tx: &mut Tx, node: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE node SET seen_at = $2, stopped_at = $2 WHERE node = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(node).bind(now).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The daemon that was seen last.
pub async fn last_seen(tx: &mut Tx) -> Result<Option<NodeRow>> {
    let sql = "SELECT node, version, started_at, seen_at, stopped_at FROM node ORDER BY seen_at DESC, node LIMIT 1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_optional(c).await?))
}
