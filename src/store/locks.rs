//! Locks that keep out other processes: a file beside a SQLite store, a session lock on PostgreSQL. The operating system or the
//! server releases a lock when its process ends. Each has a lease as well, because a process that is frozen does not end: whoever
//! holds a lock shows every few seconds that it is alive, and whoever waits for one that shows nothing takes it over. Time is
//! measured by the one who waits, so a wall clock that is set does not matter.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::lane::Lane;
use crate::clock;

/// How often the holder of a lock shows that it is alive.
const RENEWED_EVERY: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(15) };

/// The lock of a holder that has shown nothing for this long is taken over.
pub const LEASE: Duration = if cfg!(test) { Duration::from_secs(2) } else { Duration::from_secs(45) };

/// How long the connection with a lock may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The keys of PostgreSQL advisory locks begin here.
const FIRST_KEY: i64 = 0x0070_6179_6c61_7465;

/// The key of the lock that a writing transaction holds until it ends.
pub(super) const TURN: i64 = FIRST_KEY + 3;

/// What a lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Guarded {
    Lane(Lane),
    /// Being the only daemon.
    Daemon,
}

impl Guarded {
    fn of_file(self) -> &'static str {
        match self {
            Guarded::Lane(Lane::Books) => ".lock",
            Guarded::Lane(Lane::Mail) => ".mail.lock",
            Guarded::Daemon => ".daemon.lock",
        }
    }

    pub fn in_words(self) -> String {
        match self {
            Guarded::Lane(lane) => format!("the lane {}", lane.name()),
            Guarded::Daemon => "the daemon's lock".to_owned(),
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

/// A lock that keeps out other processes while it is held.
pub(super) struct Lock {
    held: Arc<Mutex<Held>>,
    is_lost: Arc<AtomicBool>,
    keeper: AbortHandle,
    /// The lock file and its number in the file system.
    file: Option<(PathBuf, u64)>,
}

enum Held {
    File(File),
    Session(Option<Box<PgConnection>>),
}

impl Lock {
    /// Locks a lock file beside a SQLite store. All paths to the same store lead to the same lock file. `None` if it is locked.
    pub fn beside(store: &Path, guarded: Guarded) -> Result<Option<Lock>> {
        let path = lock_path(store, guarded);
        let opening = || format!("opening {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
        match file.try_lock() {
            // Until it was locked, another process may have put a new file in its place.
            Ok(()) => Lock::of_file(file, path),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Takes the lock file of a frozen process away from it: a new one, already locked, takes its place.
    pub fn take_over_beside(store: &Path, guarded: Guarded) -> Result<Option<Lock>> {
        let path = lock_path(store, guarded);
        let mut new = path.clone().into_os_string();
        new.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(new);
        let taking = || format!("taking over {}", path.display());
        let file = File::create(&new).with_context(taking)?;
        file.lock().with_context(taking)?;
        std::fs::rename(&new, &path).with_context(taking)?;
        Lock::of_file(file, path)
    }

    fn of_file(file: File, path: PathBuf) -> Result<Option<Lock>> {
        let number = file.metadata().with_context(|| format!("the lock file {}", path.display()))?.ino();
        if !is_in_place(&path, number) {
            return Ok(None);
        }
        Ok(Some(Lock::kept(Held::File(file), Some((path, number)))))
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
            return Ok(Some(Lock::kept(Held::Session(Some(Box::new(connection))), None)));
        }
        connection.close().await.ok();
        Ok(None)
    }

    fn kept(held: Held, file: Option<(PathBuf, u64)>) -> Lock {
        let (held, is_lost) = (Arc::new(Mutex::new(held)), Arc::new(AtomicBool::new(false)));
        let keeper = tokio::spawn(keep(Arc::downgrade(&held), Arc::clone(&is_lost))).abort_handle();
        Lock { held, is_lost, keeper, file }
    }

    /// Whether a process holds the lock file. Creates nothing.
    pub fn is_held_beside(store: &Path, guarded: Guarded) -> bool {
        let Ok(file) = File::open(lock_path(store, guarded)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether a session holds the lock.
    pub async fn is_held_in(pool: &PgPool, guarded: Guarded) -> Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE {IS_HELD})");
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(guarded.key()).fetch_one(pool).await?)
    }

    /// Whether the lock is still held, as far as is known. A session's lock is lost with its connection, which is asked from time
    /// to time.
    pub fn is_kept(&self) -> bool {
        let is_in_place = self.file.as_ref().is_none_or(|(path, number)| is_in_place(path, *number));
        is_in_place && !self.is_lost.load(Ordering::Relaxed)
    }

    pub async fn release(self) {
        self.keeper.abort();
        if let Held::Session(session) = &mut *self.held.lock().await
            && let Some(connection) = session.take()
        {
            // Dropped only, the connection would keep its lock until the server notices.
            connection.close().await.ok();
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Shows from time to time that the holder of a lock is alive.
async fn keep(held: Weak<Mutex<Held>>, is_lost: Arc<AtomicBool>) {
    let mut interval = tokio::time::interval(RENEWED_EVERY);
    loop {
        interval.tick().await;
        let Some(held) = held.upgrade() else { return };
        let is_kept = match &mut *held.lock().await {
            Held::File(file) => {
                // A time needs no space on the disk. Where it can't be set, the lock is held all the same.
                file.set_modified(clock::system_now()).ok();
                true
            }
            Held::Session(Some(connection)) => {
                let asked = sqlx::query("SELECT 1").execute(&mut **connection);
                matches!(tokio::time::timeout(ANSWERS_WITHIN, asked).await, Ok(Ok(_)))
            }
            Held::Session(None) => return,
        };
        if !is_kept {
            is_lost.store(true, Ordering::Relaxed);
            return;
        }
    }
}

/// The rows of `pg_locks` for an advisory lock of this database, by its key.
const IS_HELD: &str = "locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (CAST(classid AS BIGINT) << 32) + CAST(objid AS BIGINT) = $1";

/// The last sign of life of the holder of a lock file. `None` if there is no such file.
pub(super) fn sign_beside(store: &Path, guarded: Guarded) -> Option<String> {
    let metadata = std::fs::metadata(lock_path(store, guarded)).ok()?;
    Some(format!("{} {} {}", metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

/// The last sign of life of the session that holds a lock. `None` if there is none, or if it is another user's.
pub(super) async fn sign_in(pool: &PgPool, guarded: Guarded) -> Result<Option<String>> {
    let sql = format!(
        "SELECT CONCAT_WS(' ', pid, state_change) FROM pg_stat_activity
         WHERE state_change IS NOT NULL AND pid IN (SELECT pid FROM pg_locks WHERE {IS_HELD})"
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(guarded.key()).fetch_optional(pool).await?)
}

/// Ends all sessions of the process that holds a lock, with its locks and the transactions that it left open. Each process has an
/// application name of its own.
pub(super) async fn end_sessions(pool: &PgPool, guarded: Guarded) -> Result<()> {
    let sql = format!(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'paylater %'
           AND application_name <> current_setting('application_name')
           AND application_name IN (SELECT application_name FROM pg_stat_activity
                                    WHERE pid IN (SELECT pid FROM pg_locks WHERE {IS_HELD}))"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(guarded.key()).execute(pool).await?;
    Ok(())
}

/// The signs of life that were last seen of those who hold locks that this process wants, each with the time at which it was new.
#[derive(Default)]
pub(super) struct Leases(std::sync::Mutex<HashMap<Guarded, (String, Instant)>>);

impl Leases {
    /// Whether the holder of a lock has shown this sign of life and no other for as long as a lease.
    pub fn is_over(&self, guarded: Guarded, sign: Option<String>) -> bool {
        let Ok(mut seen) = self.0.lock() else { return false };
        let Some(sign) = sign else {
            seen.remove(&guarded);
            return false;
        };
        match seen.get(&guarded) {
            Some((last, since)) if *last == sign => clock::monotonic() - *since >= LEASE,
            _ => {
                seen.insert(guarded, (sign, clock::monotonic()));
                false
            }
        }
    }

    pub fn forget(&self, guarded: Guarded) {
        if let Ok(mut seen) = self.0.lock() {
            seen.remove(&guarded);
        }
    }
}

fn is_in_place(path: &Path, number: u64) -> bool {
    std::fs::metadata(path).as_ref().map(Metadata::ino).is_ok_and(|now| now == number)
}

fn lock_path(store: &Path, guarded: Guarded) -> PathBuf {
    let whole = std::fs::canonicalize(store).ok();
    let folder = || Some(std::fs::canonicalize(store.parent()?).ok()?.join(store.file_name()?));
    let mut path = whole.or_else(folder).unwrap_or_else(|| store.to_owned()).into_os_string();
    path.push(guarded.of_file());
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: Guarded = Guarded::Lane(Lane::Mail);

    /// Watches a lock for somewhat longer than a lease. Returns whether its holder seems to be frozen.
    async fn is_over(leases: &Leases, store: &Path) -> bool {
        let began = Instant::now();
        while began.elapsed() < LEASE + Duration::from_millis(500) {
            if leases.is_over(MAIL, sign_beside(store, MAIL)) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    #[tokio::test]
    async fn a_lock_is_taken_over_only_from_a_holder_that_shows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("books.db");
        std::fs::write(&store, "").unwrap();
        let first = Lock::beside(&store, MAIL).unwrap().unwrap();
        assert!(Lock::beside(&store, MAIL).unwrap().is_none());
        let leases = Leases::default();
        assert!(!is_over(&leases, &store).await, "taken over from a holder that is alive");
        first.keeper.abort();
        assert!(is_over(&leases, &store).await, "nobody can take over");
        assert!(first.is_kept());
        let second = Lock::take_over_beside(&store, MAIL).unwrap().unwrap();
        assert!(!first.is_kept() && second.is_kept());
        drop(first);
        assert!(Lock::is_held_beside(&store, MAIL) && Lock::beside(&store, MAIL).unwrap().is_none());
        drop(second);
        assert!(Lock::beside(&store, MAIL).unwrap().is_some());
    }
}
