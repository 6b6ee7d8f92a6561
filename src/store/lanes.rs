//! Lanes: in each, one paylater works at a time, so a person's command and the daemon can share the books. Whoever takes a lane
//! gets its lock and raises its fencing token in the store. A lock can be lost, when its connection breaks or its file is deleted.
//! The token cannot: every writing transaction compares it, so work that was overtaken fails at its next write.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::engine::{Engine, Tx, on_engine};
use super::lane::Lane;
use super::locks::{Lock, TURN};

/// Another paylater has taken over this lane.
#[derive(Debug, thiserror::Error)]
#[error(
    "another paylater has begun to work on these books since this one did; this one stops here, and what it had not \
     committed is not kept"
)]
pub struct Overtaken;

/// Who takes a lane, and what for.
#[derive(Debug, Clone)]
pub struct Taker {
    /// Machine and process.
    pub node: String,
    /// Such as `close_day`.
    pub doing: String,
    pub since: DateTime<Utc>,
}

/// The right to write: the lock and the raised token of each lane.
pub struct Fence {
    held: Vec<(Lane, i64)>,
    locks: Vec<Lock>,
}

/// Raises the tokens. When the transaction is committed, whoever worked in these lanes before cannot write any more. Waits for a
/// writing transaction in progress.
pub(super) async fn raise(tx: &mut Tx, taken: Vec<(Lane, Lock)>, taker: &Taker) -> Result<Fence> {
    let taking = "taking over the books; a transaction of another paylater may still be under way";
    if let Engine::Postgres(transaction) = &mut tx.engine {
        sqlx::query("SET LOCAL lock_timeout = '60s'").execute(&mut **transaction).await?;
        let turn = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(TURN).execute(&mut **transaction);
        turn.await.context(taking)?;
    }
    let sql = "UPDATE lane SET token = token + 1, node = $2, doing = $3, since = $4 WHERE lane = $1 RETURNING token";
    let mut fence = Fence { held: Vec::new(), locks: Vec::new() };
    for (lane, lock) in taken {
        let token = on_engine!(tx, |c| {
            let query = sqlx::query_scalar(sql).bind(lane.name()).bind(&taker.node).bind(&taker.doing);
            query.bind(taker.since).fetch_one(c).await
        });
        fence.held.push((lane, token.context(taking)?));
        fence.locks.push(lock);
    }
    Ok(fence)
}

impl Fence {
    /// Checks at the start of a writing transaction that nobody has taken over, and prevents a takeover until the transaction
    /// ends. Writing transactions of all lanes follow one another, on both engines.
    pub(super) async fn hold(&self, tx: &mut Tx) -> Result<()> {
        let tokens: Vec<(String, i64)> = match &mut tx.engine {
            // SQLite blocks other writers until this transaction ends.
            Engine::Sqlite(transaction) => {
                sqlx::query_as("SELECT lane, token FROM lane").fetch_all(&mut **transaction).await?
            }
            Engine::Postgres(transaction) => {
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(TURN).execute(&mut **transaction).await?;
                let sql = "SELECT lane, token FROM lane WHERE lane = ANY($1) FOR SHARE";
                let lanes: Vec<&str> = self.held.iter().map(|(lane, _)| lane.name()).collect();
                sqlx::query_as(sql).bind(lanes).fetch_all(&mut **transaction).await?
            }
        };
        let is_held =
            |(lane, token): &(Lane, i64)| tokens.iter().any(|(name, now)| name == lane.name() && now == token);
        if self.held.iter().all(is_held) { Ok(()) } else { Err(Overtaken.into()) }
    }

    pub(super) async fn release(self) {
        for lock in self.locks {
            lock.release().await;
        }
    }
}

/// Who took a lane last.
pub async fn taker(tx: &mut Tx, lane: Lane) -> Result<Option<Taker>> {
    let sql = "SELECT node, doing, since FROM lane WHERE lane = $1 AND node IS NOT NULL";
    let found: Option<(String, String, DateTime<Utc>)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(lane.name()).fetch_optional(c).await?);
    Ok(found.map(|(node, doing, since)| Taker { node, doing, since }))
}
