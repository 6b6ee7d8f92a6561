//! Opens the store: exclusively, to work in it, or to read it. Reading creates nothing, changes nothing and waits for no other
//! process.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Database, PgConnection, PgPool, Postgres, Sqlite, SqlitePool};

use super::address::{address, unreachable};
use super::lane::Lane;
use super::locks::{Guarded, Lock};
use super::pools::{Access, Pools, Store};

/// The rows that SQLite's thread may read ahead. Switching threads every few rows costs more than reading them.
const ROWS_ACROSS: usize = 4_096;

/// The page size of a new SQLite store. A million orders are written 20 % faster than with SQLite's default of 4096, because
/// every page is a separate write; small days take equally long.
const PAGE_BYTES: u32 = 16_384;

/// The pages in the write-ahead log before a checkpoint. A page that many commits change is then copied into the database only
/// once.
const PAGES_FOLDED: u32 = (80 << 20) / PAGE_BYTES;

/// The prepared statements that a connection caches; a bulk statement takes a megabyte.
const STATEMENTS_KEPT: usize = 32;

/// A SQLite store up to this size is checked for damage whenever it is opened to work in. `verify` checks any size.
const CHECKED_AT_START: u64 = 256 << 20;

/// PostgreSQL JIT-compiles queries that it expects to be long; these queries end before compiling pays. A connection that has gone
/// silent is given up after some 35 seconds, with the locks that it holds.
const PG_OPTIONS: [(&str, &str); 5] = [
    ("jit", "off"),
    ("tcp_keepalives_idle", "20"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "35000"),
];

/// The time limit for connecting to PostgreSQL.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait for a writing transaction of another process: the seal of a large day is one.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(600);

/// How long to wait for another process that may be bringing the tables up to date.
const UP_TO_DATE_WITHIN: Duration = Duration::from_secs(5);

/// The name of this process in PostgreSQL, such as `paylater 4711 9c0e21d5`. No other process has it.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let chance = getrandom::u32().unwrap_or_default();
    format!("paylater {} {chance:08x}", std::process::id())
});

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

impl Store {
    /// Connects and migrates the schema, whoever else works on it: for tests and benchmarks. `sqlite:` paths are relative to `home`.
    pub async fn open(url: &str, home: &Path) -> Result<Store> {
        let store = connected(&kind_of(url, home)?).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Connects to work. Whoever changes the books then takes a lane with [`Store::take`]. Brings the tables up to date, which
    /// needs all lanes.
    pub async fn open_to_work(url: &str, home: &Path) -> Result<Store> {
        let kind = kind_of(url, home)?;
        if let Kind::Sqlite(path) = &kind {
            check_quickly(path).await?;
        }
        let store = connected(&kind).await?;
        let began = Instant::now();
        while !store.is_current().await? {
            if let Some(_locks) = store.lock_all().await? {
                store.migrate().await?;
                break;
            }
            ensure!(
                began.elapsed() < UP_TO_DATE_WITHIN,
                "the tables of the store are those of an older paylater, and another paylater is working on them; stop it \
                 first, then this one brings them up to date"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(store)
    }

    async fn is_current(&self) -> Result<bool> {
        let (applied, migrator) = match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let tables = "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
                let is_begun: bool = sqlx::query_scalar(tables).fetch_one(readers).await?;
                (if is_begun { sqlx::query_scalar(APPLIED).fetch_one(readers).await? } else { 0 }, &SQLITE)
            }
            Pools::Postgres { pool } => {
                let is_begun: bool = sqlx::query_scalar(PG_TABLES).fetch_one(pool).await?;
                (if is_begun { sqlx::query_scalar(APPLIED).fetch_one(pool).await? } else { 0 }, &POSTGRES)
            }
        };
        if applied < known(migrator) {
            return Ok(false);
        }
        is_current(applied, migrator).map(|()| true)
    }

    async fn lock_all(&self) -> Result<Option<Vec<Lock>>> {
        let mut locks = Vec::new();
        for guarded in Lane::ALL.map(Guarded::Lane).into_iter().chain([Guarded::Daemon]) {
            let Some(lock) = self.lock(guarded).await? else { return Ok(None) };
            locks.push(lock);
        }
        Ok(Some(locks))
    }

    async fn migrate(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { writer: Some(writer), .. } => {
                SQLITE.run(writer).await.context("bringing the SQLite store up to date")
            }
            Pools::Sqlite { writer: None, .. } => Ok(()),
            Pools::Postgres { pool } => POSTGRES.run(pool).await.context("bringing the PostgreSQL store up to date"),
        }
    }

    /// Connects to read the books. `None` if there are no books yet.
    pub async fn open_to_read(url: &str, home: &Path) -> Result<Option<Store>> {
        let pools = match kind_of(url, home)? {
            Kind::Sqlite(path) => read_sqlite(&path).await?,
            Kind::Postgres(options) => read_postgres(&options).await?,
        };
        Ok(pools.map(|pools| Store::new(pools, Access::Read)))
    }

    /// The address of the books, without a password.
    pub fn place(url: &str, home: &Path) -> Result<String> {
        Ok(match kind_of(url, home)? {
            Kind::Sqlite(path) => path.display().to_string(),
            Kind::Postgres(options) => address(&options),
        })
    }

    /// The file of a SQLite store, whether or not it exists.
    pub fn file(url: &str, home: &Path) -> Result<Option<PathBuf>> {
        Ok(match kind_of(url, home)? {
            Kind::Sqlite(path) => Some(path),
            Kind::Postgres(_) => None,
        })
    }
}

enum Kind {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

fn kind_of(url: &str, home: &Path) -> Result<Kind> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Ok(Kind::Sqlite(home.join(path)));
    }
    ensure!(
        url.starts_with("postgres://") || url.starts_with("postgresql://"),
        "the store's url must begin with sqlite: or postgres://"
    );
    // Errors leave out the URL, because it may contain a password.
    let options = PgConnectOptions::from_str(url).ok().context("the store's postgres:// url does not parse")?;
    Ok(Kind::Postgres(Box::new(options.application_name(&PROCESS).options(PG_OPTIONS))))
}

fn tuned(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .row_buffer_size(ROWS_ACROSS)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .foreign_keys(true)
        .pragma("cache_size", "-49152")
        .pragma("temp_store", "memory")
}

async fn connected(kind: &Kind) -> Result<Store> {
    let pools = match kind {
        Kind::Sqlite(path) => open_sqlite(path).await?,
        Kind::Postgres(options) => Pools::Postgres { pool: open_postgres(options).await? },
    };
    Ok(Store::new(pools, Access::Shared))
}

/// A pool that keeps its connections open. A pool that closes idle ones counts them in a way that can wrap around in sqlx 0.9: a
/// connection that is taken between its return and its count makes the pool's caretaker look through 2^64 of them.
fn kept_open<DB: Database>() -> PoolOptions<DB> {
    PoolOptions::new().idle_timeout(None).max_lifetime(None)
}

async fn open_sqlite(path: &Path) -> Result<Pools> {
    let options = tuned(path)
        .create_if_missing(true)
        .busy_timeout(LONGEST_TRANSACTION)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .page_size(PAGE_BYTES)
        .pragma("wal_autocheckpoint", PAGES_FOLDED.to_string());
    let opening = || format!("opening the SQLite store {}", path.display());
    make_private(path).with_context(opening)?;
    let writer = kept_open::<Sqlite>()
        .max_connections(1)
        .acquire_timeout(LONGEST_TRANSACTION)
        .connect_with(options.clone())
        .await;
    let writer = writer.with_context(opening)?;
    let readers = kept_open::<Sqlite>().max_connections(4).connect_with(options).await.with_context(opening)?;
    Ok(Pools::Sqlite { path: path.to_owned(), writer: Some(writer), readers })
}

/// Makes the file if it is missing, for its owner only, whatever the umask: the books have names and addresses. SQLite gives
/// its log the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => Err(why),
        _ => Ok(()),
    }
}

async fn read_sqlite(path: &Path) -> Result<Option<Pools>> {
    if !path.exists() {
        return Ok(None);
    }
    let options = tuned(path).read_only(true);
    let readers = match readers(&options).await {
        // On a read-only disk SQLite cannot create the index of its log. If there is no log, no process is writing.
        Err(_) if has_no_log(path) => readers(&options.immutable(true)).await,
        opened => opened,
    };
    let readers = readers.with_context(|| format!("opening the SQLite store {} to read it", path.display()))?;
    let tables = "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let is_begun: bool = sqlx::query_scalar(tables).fetch_one(&readers).await?;
    if !is_begun {
        return Ok(None);
    }
    is_current(sqlx::query_scalar(APPLIED).fetch_one(&readers).await?, &SQLITE)?;
    Ok(Some(Pools::Sqlite { path: path.to_owned(), writer: None, readers }))
}

async fn readers(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let readers = kept_open::<Sqlite>().max_connections(4).connect_with(options.clone()).await?;
    sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&readers).await?;
    Ok(readers)
}

fn has_no_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(true, |metadata| metadata.len() == 0)
}

/// Refuses a store in which SQLite finds damage, before work begins.
async fn check_quickly(path: &Path) -> Result<()> {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size == 0 || size > CHECKED_AT_START {
        return Ok(());
    }
    let checking = || format!("checking the SQLite store {}", path.display());
    let mut connection = sqlx::SqliteConnection::connect_with(&tuned(path)).await.with_context(checking)?;
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut connection).await.with_context(checking)?;
    connection.close().await.ok();
    ensure!(
        found == ["ok"],
        "the SQLite store {} is damaged; restore a backup, and put back the files that arrived since: {}",
        path.display(),
        found.join("; ")
    );
    Ok(())
}

async fn open_postgres(options: &PgConnectOptions) -> Result<PgPool> {
    // The pool would retry for long and then report a timeout only.
    let connected = tokio::time::timeout(CONNECT_WITHIN, PgConnection::connect_with(options)).await;
    match connected {
        Ok(Ok(connection)) => connection.close().await.ok(),
        Ok(Err(why)) => return Err(unreachable(why, options)),
        Err(_) => bail!("{} does not answer within {} seconds", address(options), CONNECT_WITHIN.as_secs()),
    };
    let pool = kept_open::<Postgres>().max_connections(6).acquire_timeout(CONNECT_WITHIN);
    pool.connect_with(options.clone()).await.map_err(|why| unreachable(why, options))
}

async fn read_postgres(options: &PgConnectOptions) -> Result<Option<Pools>> {
    let pool = open_postgres(options).await?;
    let is_begun: bool = sqlx::query_scalar(PG_TABLES).fetch_one(&pool).await?;
    if !is_begun {
        return Ok(None);
    }
    is_current(sqlx::query_scalar(APPLIED).fetch_one(&pool).await?, &POSTGRES)?;
    Ok(Some(Pools::Postgres { pool }))
}

const PG_TABLES: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
const APPLIED: &str = "SELECT COUNT(*) FROM _sqlx_migrations";

fn known(migrations: &Migrator) -> i64 {
    i64::try_from(migrations.iter().count()).unwrap_or(i64::MAX)
}

/// Refuses a store with an old schema: reading must not migrate it.
fn is_current(applied: i64, migrations: &Migrator) -> Result<()> {
    let known = known(migrations);
    ensure!(
        applied >= known,
        "the tables of the store are those of an older paylater; `paylater close`, `run` or `job` brings them up to date"
    );
    ensure!(
        applied == known,
        "the tables of the store are those of a newer paylater than this one; run that version or a later one"
    );
    Ok(())
}

/// Whether the store answers and has the tables that this paylater knows. The error says what is wrong.
pub async fn is_ready(store: &Store) -> Result<()> {
    match &store.pools {
        Pools::Sqlite { readers, .. } => is_current(sqlx::query_scalar(APPLIED).fetch_one(readers).await?, &SQLITE),
        Pools::Postgres { pool } => is_current(sqlx::query_scalar(APPLIED).fetch_one(pool).await?, &POSTGRES),
    }
}

/// Runs SQLite's full integrity check. PostgreSQL needs none, because it verifies pages as it reads them.
pub async fn damage(store: &Store) -> Result<Vec<String>> {
    let Pools::Sqlite { readers, .. } = &store.pools else { return Ok(Vec::new()) };
    let check = AssertSqlSafe("PRAGMA integrity_check(20)");
    let found: Vec<String> = sqlx::query_scalar(check).fetch_all(readers).await.context("checking the SQLite store")?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}
