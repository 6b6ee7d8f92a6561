//! The connections to the store, and the transactions that are opened on them. `connect` makes the connections.

use anyhow::{Context, Error, Result};
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, PgConnection, PgPool, SqlitePool, Transaction};

use super::address::{address, unreachable};
use super::engine::{Engine, Tx};
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
