//! The fence: prevents two paylater processes from writing to the same books. A process that begins to work takes a lock and
//! raises a fencing token in the store. A lock can be lost, when its connection breaks or its file is deleted. The token
//! cannot: every writing transaction compares it, so a process that was overtaken fails at its next write.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::engine::{Engine, Tx, on_engine};

/// The PostgreSQL advisory lock that a paylater holds while it works.
const LOCK_KEY: i64 = 0x0070_6179_6c61_7465;

/// Another paylater has taken over these books.
#[derive(Debug, thiserror::Error)]
#[error(
    "another paylater has begun to work on these books since this one did; this one stops here, and what it had not \
     committed is not kept"
)]
pub struct Overtaken;

/// The lock that locks out other processes while it is held.
pub enum Lock {
    File(#[expect(dead_code, reason = "held")] File),
    Session(#[expect(dead_code, reason = "held")] Box<PgConnection>),
}

/// The right to write: the lock, and the token raised with it.
pub struct Fence {
    token: i64,
    _lock: Lock,
}

impl Lock {
    /// Locks the lock file beside a SQLite store. All paths to the same store lead to the same lock file. The operating system
    /// releases the lock when the process ends.
    pub fn beside(store: &Path) -> Result<Lock> {
        let path = lock_path(store);
        let opening = || format!("opening {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::File(file)),
            Err(TryLockError::WouldBlock) => {
                bail!("another paylater is working on {}; wait for it to end, or stop it", store.display())
            }
            Err(TryLockError::Error(why)) => Err(why).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Takes a PostgreSQL session lock on a separate connection.
    pub async fn of_session(options: &PgConnectOptions) -> Result<Lock> {
        let mut connection = PgConnection::connect_with(options).await.context("connecting for the lock")?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK_KEY)
            .fetch_one(&mut connection)
            .await
            .context("asking for the lock")?;
        if !free {
            bail!("another paylater is working on these books; wait for it to end, or stop it");
        }
        Ok(Lock::Session(Box::new(connection)))
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let whole = std::fs::canonicalize(store).ok();
    let folder = || Some(std::fs::canonicalize(store.parent()?).ok()?.join(store.file_name()?));
    let mut path = whole.or_else(folder).unwrap_or_else(|| store.to_owned()).into_os_string();
    path.push(".lock");
    path.into()
}

/// Raises the token in a transaction of its own. From now on the previous process cannot write. Waits for a transaction in progress.
pub(super) async fn raise(mut tx: Tx, lock: Lock) -> Result<Fence> {
    if let Engine::Postgres(transaction) = &mut tx.engine {
        sqlx::query("SET LOCAL lock_timeout = '60s'").execute(&mut **transaction).await?;
    }
    let sql = "UPDATE writer SET token = token + 1 WHERE id = 1 RETURNING token";
    let token = on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await);
    let token = token.context("taking over the books; a transaction of another paylater may still be under way")?;
    tx.commit().await?;
    Ok(Fence { token, _lock: lock })
}

impl Fence {
    /// Checks at the start of a writing transaction that no other process has taken over, and prevents a takeover until the
    /// transaction ends.
    pub(super) async fn hold(&self, tx: &mut Tx) -> Result<()> {
        let token: i64 = match &mut tx.engine {
            // SQLite blocks other writers until this transaction ends.
            Engine::Sqlite(transaction) => {
                sqlx::query_scalar("SELECT token FROM writer WHERE id = 1").fetch_one(&mut **transaction).await?
            }
            Engine::Postgres(transaction) => {
                let sql = "SELECT token FROM writer WHERE id = 1 FOR SHARE";
                sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?
            }
        };
        if token == self.token { Ok(()) } else { Err(Overtaken.into()) }
    }
}
