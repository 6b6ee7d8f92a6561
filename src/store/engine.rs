//! The two engines behind one door: transactions, and the macro that writes a body for either.

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use sqlx::Transaction;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;

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
