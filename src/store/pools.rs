//! The connections to the store, and the transactions that are opened on them. `connect` makes the connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::address::{address, unreachable};
use super::engine::{Engine, Tx};
use super::lane::Lane;
use super::lanes::{self, Fence, Taker};
use super::locks::{self, Guarded, Leases, Lock};
use super::trouble::Unavailable;

/// The database that holds the books, opened for a purpose. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pub(super) pools: Pools,
    pub(super) access: Access,
    /// The writing transactions of a process follow one another.
    turn: Arc<Mutex<()>>,
    /// Of the locks that others hold.
    leases: Arc<Leases>,
}

/// How long to wait for the turn to write where it can also be done later.
const SOON: Duration = Duration::from_secs(1);

/// Held for as long as a process is the only daemon on these books.
pub struct OnlyDaemon(Lock);

impl OnlyDaemon {
    /// Whether this process is still the only daemon, as far as it knows.
    pub fn is_kept(&self) -> bool {
        self.0.is_kept()
    }
}

#[derive(Clone)]
pub(super) enum Pools {
    /// One connection writes, the others read.
    Sqlite {
        path: PathBuf,
        writer: Option<SqlitePool>,
        readers: SqlitePool,
    },
    Postgres {
        pool: PgPool,
    },
}

/// The purpose for which the store was opened.
#[derive(Clone)]
pub(super) enum Access {
    /// To read.
    Read,
    /// To plan runs and to take lanes; in tests and benchmarks, also to work.
    Shared,
    /// To work in lanes.
    Lanes(Arc<Fence>),
}

impl Store {
    pub(super) fn new(pools: Pools, access: Access) -> Store {
        Store { pools, access, turn: Arc::default(), leases: Arc::default() }
    }

    /// Takes lanes to work in, begins the work in the same transaction, and returns the store to work with. `None` if somebody works
    /// in one of the lanes.
    pub async fn take<T>(
        &self,
        lanes: &[Lane],
        taker: &Taker,
        begin: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<Option<(Store, T)>> {
        let Some(turn) = self.turn_soon().await else { return Ok(None) };
        let mut taken = Vec::new();
        for lane in lanes {
            let Some(lock) = self.lock(Guarded::Lane(*lane)).await? else { return Ok(None) };
            taken.push((*lane, lock));
        }
        let mut tx = self.begin_in(turn).await?;
        let fence = lanes::raise(&mut tx, taken, taker).await?;
        let begun = begin(&mut tx).await?;
        tx.commit().await?;
        let access = Access::Lanes(Arc::new(fence));
        Ok(Some((Store { access, ..self.clone() }, begun)))
    }

    /// Makes this process the only daemon. `None` if there is one.
    pub async fn be_daemon(&self) -> Result<Option<OnlyDaemon>> {
        Ok(self.lock(Guarded::Daemon).await?.map(OnlyDaemon))
    }

    /// Whether a daemon runs on these books.
    pub async fn has_daemon(&self) -> Result<bool> {
        self.is_held(Guarded::Daemon).await
    }

    /// Whether somebody works in a lane.
    pub async fn is_taken(&self, lane: Lane) -> Result<bool> {
        self.is_held(Guarded::Lane(lane)).await
    }

    async fn is_held(&self, guarded: Guarded) -> Result<bool> {
        match &self.pools {
            Pools::Sqlite { path, .. } => Ok(Lock::is_held_beside(path, guarded)),
            Pools::Postgres { pool } => Lock::is_held_in(pool, guarded).await,
        }
    }

    /// Takes a lock. `None` if a process holds it that is alive.
    pub(super) async fn lock(&self, guarded: Guarded) -> Result<Option<Lock>> {
        let (lock, sign) = match &self.pools {
            Pools::Sqlite { path, .. } => (Lock::beside(path, guarded)?, locks::sign_beside(path, guarded)),
            Pools::Postgres { pool } => match Lock::of_session(&pool.connect_options(), guarded).await? {
                None => (None, locks::sign_in(pool, guarded).await?),
                lock => (lock, None),
            },
        };
        if lock.is_some() {
            self.leases.forget(guarded);
            return Ok(lock);
        }
        if !self.leases.is_over(guarded, sign) {
            return Ok(None);
        }
        tracing::warn!("the paylater that holds {} is frozen; this one takes over", guarded.in_words());
        self.leases.forget(guarded);
        match &self.pools {
            Pools::Sqlite { path, .. } => Lock::take_over_beside(path, guarded),
            Pools::Postgres { pool } => {
                locks::end_sessions(pool, guarded).await?;
                Lock::of_session(&pool.connect_options(), guarded).await
            }
        }
    }

    /// The same store for what is not work on the books, such as alerts.
    pub fn without_lanes(&self) -> Store {
        Store { access: Access::Shared, ..self.clone() }
    }

    /// Gives the lanes back.
    pub async fn give_back(self) {
        if let Access::Lanes(fence) = self.access
            && let Some(fence) = Arc::into_inner(fence)
        {
            fence.release().await;
        }
    }

    /// The number of a file's rows to decide and write together. More rows cost memory; fewer cost PostgreSQL time, because a
    /// COPY costs as much as a thousand of its rows.
    pub fn rows_at_once(&self) -> usize {
        match self.pools {
            Pools::Sqlite { .. } => 5_000,
            Pools::Postgres { .. } => 20_000,
        }
    }

    /// Whether the store was opened to read only.
    pub fn is_read_only(&self) -> bool {
        matches!(self.access, Access::Read)
    }

    /// Begins a writing transaction. Fails if another paylater has taken over the lane.
    pub async fn write(&self) -> Result<Tx> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.held(self.begin_in(turn).await?).await
    }

    async fn held(&self, mut tx: Tx) -> Result<Tx> {
        match &self.access {
            Access::Read => return Err(read_only()),
            Access::Shared => {}
            Access::Lanes(fence) => fence.hold(&mut tx).await?,
        }
        Ok(tx)
    }

    /// The turn to write, if it comes soon.
    async fn turn_soon(&self) -> Option<OwnedMutexGuard<()>> {
        tokio::time::timeout(SOON, Arc::clone(&self.turn).lock_owned()).await.ok()
    }

    /// Begins a writing transaction, unless a long one of this process is under way.
    pub async fn try_write(&self) -> Result<Option<Tx>> {
        let Some(turn) = self.turn_soon().await else { return Ok(None) };
        self.held(self.begin_in(turn).await?).await.map(Some)
    }

    async fn begin_in(&self, turn: OwnedMutexGuard<()>) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { writer: Some(writer), .. } => Engine::Sqlite(begin_immediate(writer).await?),
            Pools::Sqlite { writer: None, .. } => return Err(read_only()),
            Pools::Postgres { pool } => Engine::Postgres(begin(pool, "BEGIN").await?),
        };
        Ok(Tx { engine, turn: Some(turn) })
    }

    /// Begins a transaction that reads a consistent snapshot of the books.
    pub async fn read(&self) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { readers, .. } => Engine::Sqlite(readers.begin().await?),
            Pools::Postgres { pool } => {
                Engine::Postgres(begin(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        };
        Ok(Tx { engine, turn: None })
    }

    /// Closes all connections; SQLite merges its log into the database. Lanes are given back.
    pub async fn close(self) {
        match &self.pools {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                if let Some(writer) = writer {
                    writer.close().await;
                }
            }
            Pools::Postgres { pool } => pool.close().await,
        }
        self.give_back().await;
    }
}

async fn begin_immediate(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    let connection = writer.acquire().await?;
    if connection.is_in_transaction() {
        // A full disk has made SQLite end a transaction on its own, so sqlx's nesting count is wrong. A new connection has the
        // right count.
        connection.close().await.ok();
    } else {
        drop(connection);
    }
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

fn read_only() -> Error {
    Unavailable("the store was opened to read only".to_owned()).into()
}

async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>> {
    match pool.begin_with(statement).await {
        Ok(transaction) => Ok(transaction),
        // The pool reports a timeout only. A direct attempt finds the cause.
        Err(sqlx::Error::PoolTimedOut) => match PgConnection::connect_with(&pool.connect_options()).await {
            Ok(_) => {
                let what = format!("all connections to {} were busy for too long", address(&pool.connect_options()));
                Err(Unavailable(what).into())
            }
            Err(why) => Err(unreachable(why, &pool.connect_options())),
        },
        Err(why) => Err(why).with_context(|| format!("working with {}", address(&pool.connect_options()))),
    }
}
