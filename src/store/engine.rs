//! The two engines behind one door: transactions, and the macro that writes a body for either. How the store is opened is
//! said in `connect`.

use anyhow::{Context, Error, Result};
use serde::de::DeserializeOwned;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};

use super::connect::{address, unreachable};
use super::fence::Fence;
use super::trouble::Unavailable;

/// Where the books are kept.
pub struct Store {
    pub(super) pools: Pools,
    pub(super) access: Access,
}

pub(super) enum Pools {
    /// One connection writes, the others read.
    Sqlite {
        writer: Option<SqlitePool>,
        readers: SqlitePool,
    },
    Postgres {
        pool: PgPool,
    },
}

/// What the store was opened for.
pub(super) enum Access {
    /// To look into it.
    Read,
    /// To work in it, without keeping others out: for tests and measuring.
    Shared,
    /// To work in it while nobody else does.
    Alone(Fence),
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

impl Store {
    /// Rows of a file that are best decided and written together. More of them cost memory; fewer cost PostgreSQL time, to
    /// which every COPY is as much work as a thousand of its rows.
    pub fn rows_at_once(&self) -> usize {
        match self.pools {
            Pools::Sqlite { .. } => 5_000,
            Pools::Postgres { .. } => 20_000,
        }
    }

    /// Whether it was opened only to look into it.
    pub fn is_read_only(&self) -> bool {
        matches!(self.access, Access::Read)
    }

    /// Opens a transaction to write in. If another paylater has taken over the books since, this is refused.
    pub async fn write(&self) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { writer: Some(writer), .. } => Engine::Sqlite(begin_immediate(writer).await?),
            Pools::Sqlite { writer: None, .. } => return Err(read_only()),
            Pools::Postgres { pool } => Engine::Postgres(begin(pool, "BEGIN").await?),
        };
        let mut tx = Tx { engine };
        match &self.access {
            Access::Read => return Err(read_only()),
            Access::Shared => {}
            Access::Alone(fence) => fence.hold(&mut tx).await?,
        }
        Ok(tx)
    }

    /// Opens a transaction that reads one unchanging state of the books.
    pub async fn read(&self) -> Result<Tx> {
        let engine = match &self.pools {
            Pools::Sqlite { readers, .. } => Engine::Sqlite(readers.begin().await?),
            Pools::Postgres { pool } => {
                Engine::Postgres(begin(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        };
        Ok(Tx { engine })
    }

    /// Closes all connections in order; SQLite folds its log into the database.
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
        // A full disk has ended a transaction before we could; this connection counts on from there. A new one does not.
        connection.close().await.ok();
    } else {
        drop(connection);
    }
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

fn read_only() -> Error {
    Unavailable("the store was opened only to be read".to_owned()).into()
}

async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>> {
    match pool.begin_with(statement).await {
        Ok(transaction) => Ok(transaction),
        // The pool says only that it has waited. What it waited for is found out by trying once more.
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

impl Tx {
    /// Does a part of what the transaction is for. If that fails, the transaction goes on as if it had not been tried. The outer
    /// error is of the transaction, the inner one of the part.
    pub async fn part<T>(&mut self, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<Result<T>> {
        self.execute("SAVEPOINT part").await?;
        let done = work(self).await;
        if done.is_err() {
            self.execute("ROLLBACK TO SAVEPOINT part").await?;
        }
        self.execute("RELEASE SAVEPOINT part").await?;
        Ok(done)
    }

    async fn execute(&mut self, sql: &'static str) -> Result<()> {
        on_engine!(self, |c| sqlx::query(sql).execute(c).await.map(|_| ()))?;
        Ok(())
    }

    pub async fn commit(self) -> Result<()> {
        match self.engine {
            Engine::Sqlite(transaction) => transaction.commit().await?,
            Engine::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}
