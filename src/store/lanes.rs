//! Lanes: in each, one paylater works at a time, so a person's command and the daemon can share the books. Whoever takes a lane
//! gets its lock and raises its fencing token in the store. A lock can be lost, when its connection breaks or its file is deleted.
//! The token cannot: every writing transaction compares it, so work that was overtaken fails at its next write.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use super::engine::{Engine, Tx, on_engine};

/// What one paylater at a time works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Files, facts, the close and its reports.
    Books,
    /// Customers' mails. A slow mail server does not hold up the books.
    Mail,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::Books, Lane::Mail];

    pub fn name(self) -> &'static str {
        match self {
            Lane::Books => "books",
            Lane::Mail => "mail",
        }
    }
}

/// The keys of PostgreSQL advisory locks begin here.
const FIRST_KEY: i64 = 0x0070_6179_6c61_7465;

/// The key of the lock that a writing transaction holds until it ends.
const TURN: i64 = FIRST_KEY + 3;

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

/// A lock that keeps out other processes while it is held. The operating system or the server releases it when the process ends.
pub(super) enum Lock {
    File(#[expect(dead_code, reason = "held")] File),
    Session(Box<PgConnection>),
}

/// What a lock protects.
#[derive(Clone, Copy)]
pub(super) enum Guarded {
    Lane(Lane),
    /// Being the only daemon.
    Daemon,
}

/// The right to write: the lock and the raised token of each lane.
pub struct Fence {
    held: Vec<(Lane, i64)>,
    locks: Vec<Lock>,
}

impl Guarded {
    fn of_file(self) -> &'static str {
        match self {
            Guarded::Lane(Lane::Books) => ".lock",
            Guarded::Lane(Lane::Mail) => ".mail.lock",
            Guarded::Daemon => ".daemon.lock",
        }
    }

    /// The key of the PostgreSQL advisory lock.
    fn key(self) -> i64 {
        match self {
            Guarded::Lane(Lane::Books) => FIRST_KEY,
            Guarded::Lane(Lane::Mail) => FIRST_KEY + 1,
            Guarded::Daemon => FIRST_KEY + 2,
        }
    }
}

impl Lock {
    /// Locks a lock file beside a SQLite store. All paths to the same store lead to the same lock file. `None` if it is locked.
    pub fn beside(store: &Path, guarded: Guarded) -> Result<Option<Lock>> {
        let path = lock_path(store, guarded);
        let opening = || format!("opening {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock::File(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Takes a PostgreSQL session lock on a separate connection. `None` if it is locked.
    pub async fn of_session(options: &PgConnectOptions, guarded: Guarded) -> Result<Option<Lock>> {
        let mut connection = PgConnection::connect_with(options).await.context("connecting for the lock")?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(guarded.key())
            .fetch_one(&mut connection)
            .await
            .context("asking for the lock")?;
        if free {
            return Ok(Some(Lock::Session(Box::new(connection))));
        }
        connection.close().await.ok();
        Ok(None)
    }

    /// Whether a process holds the lock file. Creates nothing.
    pub fn is_held_beside(store: &Path, guarded: Guarded) -> bool {
        let Ok(file) = File::open(lock_path(store, guarded)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether a session holds the lock.
    pub async fn is_held_in(pool: &PgPool, guarded: Guarded) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM pg_locks
                   WHERE locktype = 'advisory' AND granted AND objsubid = 1
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND (CAST(classid AS BIGINT) << 32) + CAST(objid AS BIGINT) = $1)";
        Ok(sqlx::query_scalar(sql).bind(guarded.key()).fetch_one(pool).await?)
    }

    /// Whether the lock is still held. A session's lock is lost with its connection.
    pub async fn is_kept(&mut self) -> bool {
        match self {
            Lock::File(_) => true,
            Lock::Session(connection) => connection.ping().await.is_ok(),
        }
    }

    async fn release(self) {
        if let Lock::Session(connection) = self {
            // Dropped only, the connection would keep its lock until the server notices.
            connection.close().await.ok();
        }
    }
}

fn lock_path(store: &Path, guarded: Guarded) -> PathBuf {
    let whole = std::fs::canonicalize(store).ok();
    let folder = || Some(std::fs::canonicalize(store.parent()?).ok()?.join(store.file_name()?));
    let mut path = whole.or_else(folder).unwrap_or_else(|| store.to_owned()).into_os_string();
    path.push(guarded.of_file());
    path.into()
}

/// Raises the tokens in a transaction of its own. From now on whoever worked in these lanes cannot write. Waits for a transaction
/// in progress.
pub(super) async fn raise(mut tx: Tx, taken: Vec<(Lane, Lock)>, taker: &Taker) -> Result<Fence> {
    if let Engine::Postgres(transaction) = &mut tx.engine {
        sqlx::query("SET LOCAL lock_timeout = '60s'").execute(&mut **transaction).await?;
    }
    let sql = "UPDATE lane SET token = token + 1, node = $2, doing = $3, since = $4 WHERE lane = $1 RETURNING token";
    let mut fence = Fence { held: Vec::new(), locks: Vec::new() };
    for (lane, lock) in taken {
        let token = on_engine!(tx, |c| {
            let query = sqlx::query_scalar(sql).bind(lane.name()).bind(&taker.node).bind(&taker.doing);
            query.bind(taker.since).fetch_one(c).await
        });
        let token = token.context("taking over the books; a transaction of another paylater may still be under way")?;
        fence.held.push((lane, token));
        fence.locks.push(lock);
    }
    tx.commit().await?;
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
