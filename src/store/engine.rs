//! One interface to both engines: transactions, and the macro that runs a body on either engine. `pools` begins
//! transactions.

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use sqlx::Transaction;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use tokio::sync::OwnedMutexGuard;

use super::impossible::in_words;

/// A transaction on either engine. Dropping it without a commit rolls it back.
pub struct Tx {
    pub(super) engine: Engine,
    /// A writing transaction's turn, held until it ends. Declared after the engine, which is therefore dropped first.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
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
    sqlx::AssertSqlSafe(text_for(tx, sql))
}

/// The text of [`sql_for`], as part of a query.
pub(super) fn text_for(tx: &Tx, sql: &str) -> String {
    let (keys, numbers, close) = match tx.engine {
        Engine::Sqlite(_) => ("IN (SELECT value FROM json_each(", "IN (SELECT value FROM json_each(", "))"),
        Engine::Postgres(_) => (
            "= ANY (ARRAY(SELECT json_array_elements_text(",
            "= ANY (ARRAY(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(",
            "::json)))",
        ),
    };
    sql.replace("IN {keys ", keys).replace("IN {numbers ", numbers).replace('}', close)
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
    serde_json::from_str(json).context("reading rows of the store")
}

/// Runs `SELECT $columns $rest` and returns its rows. SQLite combines them into one JSON value as for [`as_one`], and each group
/// of columns is an array there: a row's type is read from them in the order of its fields.
macro_rules! rows {
    ($tx:expr, [$($columns:expr),+], $rest:expr, [$($value:expr),*]) => {
        match &mut $tx.engine {
            $crate::store::engine::Engine::Sqlite(transaction) => {
                let sql = $crate::store::engine::rows_as_one(&[$($columns),+], &$rest);
                let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))$(.bind($value))*;
                let rows: String = query.fetch_one(&mut **transaction).await?;
                $crate::store::engine::held_in::<Vec<_>>(&rows)?
            }
            $crate::store::engine::Engine::Postgres(transaction) => {
                let sql = format!("SELECT {} {}", [$($columns),+].join(", "), $rest);
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql))$(.bind($value))*;
                query.fetch_all(&mut **transaction).await?
            }
        }
    };
}
pub(super) use rows;

pub(super) fn rows_as_one(columns: &[&str], rest: &str) -> String {
    let groups: Vec<String> = columns.iter().map(|group| format!("json_array({group})")).collect();
    let row = match groups.as_slice() {
        [group] => group.clone(),
        groups => format!("json_array({})", groups.join(", ")),
    };
    // SQLite combines the rows of a subquery in the subquery's order.
    format!("SELECT '[' || COALESCE(group_concat(line), '') || ']' FROM (SELECT {row} AS line {rest})")
}

/// Keys as a JSON array for [`sql_for`].
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
        Ok(done.map_err(in_words))
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
        drop(self.turn);
        Ok(())
    }
}
