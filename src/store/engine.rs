//! One interface to both engines: transactions, and the macro that runs a body on either engine. `connect` opens the store.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};

use super::connect::{address, unreachable};
use super::fence::Fence;

/// The database that holds the books.
pub struct Store {
    pub(super) pools: Pools,
    pub(super) access: Access,
}

pub(super) enum Pools {
    /// One connection writes; the others read.
    Sqlite {
        writer: Option<SqlitePool>,
        readers: SqlitePool,
    },
    Postgres {
        pool: PgPool,
    },
}

/// The purpose for which the store was opened.
pub(super) enum Access {
    /// To read.
    Read,
    /// To work without locking out other processes: for tests and benchmarks.
    Shared,
    /// To work exclusively.
    Alone(Fence),
}

/// A transaction on either engine. Dropping it without a commit rolls it back.
pub struct Tx {
    pub(super) engine: Engine,
}

pub(super) enum Engine {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same body on the transaction's engine; `$connection` is an executor of the engine's type.
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

/// SQL text for the engine of `tx`. The engines differ only in how a JSON array becomes a set: write
/// `order_id IN {keys $2}` or `mail_no IN {numbers $1}`, and bind the array as text. PostgreSQL gets an array, because it
/// looks up an array by index, while it may scan a new table without statistics to join it with a set.
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

/// An expression that combines all rows of a query into one JSON value, to be read with [`held_in`]. Passing many rows one by
/// one from SQLite's thread costs more than finding them.
pub(super) fn as_one(tx: &Tx, columns: &str) -> String {
    match tx.engine {
        Engine::Sqlite(_) => format!("json_group_array(json_array({columns}))"),
        Engine::Postgres(_) => format!("CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT)"),
    }
}

/// Reads a value of [`as_one`] as a `Vec` of rows, or a single row.
pub(super) fn held_in<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).context("parsing rows that the store returned as JSON")
}

/// Keys as a JSON array for [`sql_for`].
pub(super) fn key_set<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let keys: Vec<&str> = keys.into_iter().collect();
    serde_json::to_string(&keys).expect("strings always make JSON")
}

impl Store {
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

    /// Begins a writing transaction. Fails if another paylater has taken over the books.
    pub async fn write(&self) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { writer: Some(writer), .. } => Engine::Sqlite(begin_immediate(writer).await?),
            Pools::Sqlite { writer: None, .. } => bail!("the store was opened to read only"),
            Pools::Postgres { pool } => Engine::Postgres(begin(pool, "BEGIN").await?),
        };
        let mut tx = Tx { engine };
        match &self.access {
            Access::Read => bail!("the store was opened to read only"),
            Access::Shared => {}
            Access::Alone(fence) => fence.hold(&mut tx).await?,
        }
        Ok(tx)
    }

    /// Begins a transaction that reads a consistent snapshot of the books.
    pub async fn read(&self) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { readers, .. } => Engine::Sqlite(readers.begin().await?),
            Pools::Postgres { pool } => {
                Engine::Postgres(begin(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        };
        Ok(Tx { engine })
    }

    /// Closes all connections; SQLite merges its log into the database.
    pub async fn close(self) {
        match self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                if let Some(writer) = writer {
                    writer.close().await;
                }
            }
            Pools::Postgres { pool } => pool.close().await,
        }
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

async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>> {
    match pool.begin_with(statement).await {
        Ok(transaction) => Ok(transaction),
        // The pool reports a timeout only. A direct attempt finds the cause.
        Err(sqlx::Error::PoolTimedOut) => match PgConnection::connect_with(&pool.connect_options()).await {
            Ok(_) => bail!("all connections to {} were busy for too long", address(&pool.connect_options())),
            Err(why) => Err(unreachable(why, &pool.connect_options())),
        },
        Err(why) => Err(why).with_context(|| format!("working with {}", address(&pool.connect_options()))),
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
