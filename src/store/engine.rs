//! The two engines behind one door: connecting, migrating, transactions, and the macro that writes a body for either.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};

/// Where the books are kept.
pub enum Store {
    /// One connection writes, the others read.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// `lock` holds the session lock that keeps a second paylater out.
    Postgres { pool: PgPool, _lock: Option<Box<PgConnection>> },
}

/// A transaction on either engine. Dropped without a commit, it leaves no trace.
pub struct Tx {
    pub(super) engine: Engine,
}

pub(super) enum Engine {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same body on whichever engine the transaction is of; `$connection` is an executor of its type.
macro_rules! on_engine {
    ($tx:expr, |$connection:ident| $body:expr) => {
        match &mut $tx.engine {
            $crate::store::engine::Engine::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::store::engine::Engine::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}
pub(super) use on_engine;

/// SQL text for the engine of `tx`. The two differ in one thing: how a JSON array becomes a set. Write
/// `order_id IN {keys $2}`, or `mail_no IN {numbers $1}`, and bind the array as text. PostgreSQL is given an array: it looks
/// those up by index whatever it knows of a table, while it may read all of a young table to join it with a set.
pub(super) fn sql_for(tx: &Tx, sql: &str) -> sqlx::AssertSqlSafe<String> {
    let (keys, numbers, close) = match tx.engine {
        Engine::Sqlite(_) => ("IN (SELECT value FROM json_each(", "IN (SELECT value FROM json_each(", "))"),
        Engine::Postgres(_) => (
            "= ANY (ARRAY(SELECT json_array_elements_text(",
            "= ANY (ARRAY(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(",
            "::json)))",
        ),
    };
    sqlx::AssertSqlSafe(sql.replace("IN {keys ", keys).replace("IN {numbers ", numbers).replace('}', close))
}

/// An expression that makes one value of all rows of a query, to be read with [`held_in`]. Where many rows come at
/// once, SQLite's thread and ours would wake each other for each of them, which costs more than finding them.
pub(super) fn as_one(tx: &Tx, columns: &str) -> String {
    match tx.engine {
        Engine::Sqlite(_) => format!("json_group_array(json_array({columns}))"),
        Engine::Postgres(_) => format!("CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT)"),
    }
}

/// What a value of [`as_one`] holds, a `Vec` of rows, or the row that came as one value.
pub(super) fn held_in<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).context("rows that the store gave as one value")
}

/// Keys as [`sql_for`] wants them.
pub(super) fn key_set<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let keys: Vec<&str> = keys.into_iter().collect();
    serde_json::to_string(&keys).expect("strings always make JSON")
}

/// The advisory lock of PostgreSQL that one paylater holds while it works.
const LOCK_KEY: i64 = 0x0070_6179_6c61_7465;

/// Rows that SQLite's thread may be ahead of us. Waking each other for every few of them costs more than reading.
const ROWS_ACROSS: usize = 4_096;

/// A page of a new SQLite store. A million orders are written a fifth faster than by SQLite's own 4096, since each page is a
/// write of its own; days of a few orders take as long as with those.
const PAGE_BYTES: u32 = 16_384;

/// Pages of the log that are folded into the database at once, so that one which many commits touch is folded once for all
/// of them.
const PAGES_FOLDED: u32 = (80 << 20) / PAGE_BYTES;

/// Prepared statements that a connection keeps; the bulk ones take a megabyte each.
const STATEMENTS_KEPT: usize = 32;

impl Store {
    /// Connects and brings the schema up to date. `sqlite:` paths are relative to `home`.
    pub async fn open(url: &str, home: &Path) -> Result<Store> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            Store::open_sqlite(&home.join(path)).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Store::open_postgres(url).await
        } else {
            bail!("the store's url must begin with sqlite: or postgres://")
        }
    }

    async fn open_sqlite(path: &Path) -> Result<Store> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .page_size(PAGE_BYTES)
            .row_buffer_size(ROWS_ACROSS)
            .statement_cache_capacity(STATEMENTS_KEPT)
            .pragma("wal_autocheckpoint", PAGES_FOLDED.to_string())
            .pragma("cache_size", "-49152")
            .pragma("temp_store", "memory");
        let opening = || format!("opening the SQLite store {}", path.display());
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        let writer = writer.with_context(opening)?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await.context("bringing the SQLite store up to date")?;
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.with_context(opening)?;
        Ok(Store::Sqlite { writer, readers })
    }

    async fn open_postgres(url: &str) -> Result<Store> {
        // The address is left out of errors: it may carry a password.
        let options = PgConnectOptions::from_str(url).ok().context("the store's postgres:// url does not parse")?;
        // PostgreSQL compiles queries that it takes for long ones; ours are over before that pays.
        let options = options.application_name("paylater").options([("jit", "off")]);
        let pool = PgPoolOptions::new().max_connections(6).connect_with(options).await;
        let pool = pool.context("connecting to PostgreSQL")?;
        sqlx::migrate!("migrations/postgres").run(&pool).await.context("bringing the PostgreSQL store up to date")?;
        Ok(Store::Postgres { pool, _lock: None })
    }

    /// Keeps any other paylater from working on the same books until this one ends. On SQLite a lock file beside
    /// the database does it, which `cli` holds; here only PostgreSQL's session lock is taken.
    pub async fn lock(self) -> Result<Store> {
        let Store::Postgres { pool, .. } = self else { return Ok(self) };
        let mut connection =
            PgConnection::connect_with(&pool.connect_options()).await.context("connecting for the lock")?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK_KEY)
            .fetch_one(&mut connection)
            .await
            .context("asking for the lock")?;
        if !free {
            bail!("another paylater is working on these books; wait for it to end, or stop it");
        }
        Ok(Store::Postgres { pool, _lock: Some(Box::new(connection)) })
    }

    /// Rows of a file that are best decided and written together. More of them cost memory; fewer cost PostgreSQL time, to
    /// which every COPY is as much work as a thousand of its rows.
    pub fn rows_at_once(&self) -> usize {
        match self {
            Store::Sqlite { .. } => 5_000,
            Store::Postgres { .. } => 20_000,
        }
    }

    /// Opens a transaction to write in.
    pub async fn write(&self) -> Result<Tx> {
        let engine = match self {
            Store::Sqlite { writer, .. } => Engine::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Store::Postgres { pool, .. } => Engine::Postgres(pool.begin().await?),
        };
        Ok(Tx { engine })
    }

    /// Opens a transaction that reads one unchanging state of the books.
    pub async fn read(&self) -> Result<Tx> {
        let engine = match self {
            Store::Sqlite { readers, .. } => Engine::Sqlite(readers.begin().await?),
            Store::Postgres { pool, .. } => {
                Engine::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        };
        Ok(Tx { engine })
    }

    /// Closes all connections in order; SQLite folds its log into the database.
    pub async fn close(self) {
        match self {
            Store::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Store::Postgres { pool, .. } => pool.close().await,
        }
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        match self.engine {
            Engine::Sqlite(transaction) => transaction.commit().await?,
            Engine::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}
