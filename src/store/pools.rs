//! The connections to the store, and the transactions that are opened on them. `connect` makes the connections.

use anyhow::{Context, Error, Result};
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};

use super::address::{address, unreachable};
use super::engine::{Engine, Tx};
use super::fence::Fence;
use super::trouble::Unavailable;

/// The database that holds the books.
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

/// The purpose for which the store was opened.
pub(super) enum Access {
    /// To read.
    Read,
    /// To work without locking out other processes: for tests and benchmarks.
    Shared,
    /// To work exclusively.
    Alone(Fence),
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
