//! Values in the store that paylater never writes there, said in words in place of those of the database library.

use anyhow::Error;

/// The store has a value that paylater never writes there.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; something other than paylater has written this: run `paylater verify` to list what was changed, and put it back \
     from a backup"
)]
struct Impossible(String);

/// An error about a value that paylater never writes. `what` says which table, row and column has it.
pub(super) fn impossible(what: String) -> Error {
    Impossible(what).into()
}

/// What SQLite says when bytes are in a column of which it makes JSON.
pub(super) const BYTES_IN_JSON: &str = "JSON cannot hold BLOB values";

/// Whether SQLite has found bytes where paylater writes text, numbers and days only.
pub(super) fn is_about_bytes(why: &Error) -> bool {
    why.chain().any(|cause| match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(refused)) => refused.message() == BYTES_IN_JSON,
        _ => false,
    })
}

/// Says what is wrong with a value that the store returned, without the words of the database library. Other errors stay as
/// they are.
pub fn in_words(why: Error) -> Error {
    let mut words = Vec::new();
    for cause in why.chain() {
        let wrong = match cause.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::ColumnDecode { index, source }) => Some(wrong_value(index, &source.to_string())),
            Some(sqlx::Error::Database(refused)) if refused.message() == BYTES_IN_JSON => {
                Some("a row of the store has bytes where paylater writes text or a number".to_owned())
            }
            _ => None,
        };
        match wrong {
            Some(wrong) => {
                words.push(wrong);
                return impossible(words.join(": "));
            }
            None => words.push(cause.to_string()),
        }
    }
    why
}

/// Names the column of a value that can't be read, and says why. A column without a name is counted from 0.
fn wrong_value(column: &str, why: &str) -> String {
    let column = match column.parse::<usize>() {
        Ok(position) => format!("value {} of a row", position + 1),
        Err(_) => format!("column {}", column.trim_matches('"')),
    };
    match why.split_once("is not compatible with SQL type") {
        Some((_, found)) => format!("{column} in the store is of the wrong type,{}", found.replace('`', "")),
        None => format!("{column}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn values_that_can_not_be_are_said_in_words() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (n BIGINT PRIMARY KEY, day TEXT)").execute(&mut connection).await.unwrap();
        sqlx::query("INSERT INTO t VALUES (9, 'x')").execute(&mut connection).await.unwrap();
        let message = |why: sqlx::Error| format!("{:#}", in_words(Error::new(why).context("order O1")));
        let done = sqlx::query_as::<_, (i64, i64)>("SELECT n, day FROM t").fetch_one(&mut connection).await;
        let wrong = message(done.unwrap_err());
        assert!(wrong.starts_with("order O1: value 2 of a row in the store is of the wrong type, TEXT;"), "{wrong}");
        assert!(wrong.contains("run `paylater verify` to list what was changed"), "{wrong}");
        let done =
            sqlx::query_scalar::<_, String>("SELECT json_array(x'ffff') FROM t").fetch_one(&mut connection).await;
        let wrong = message(done.unwrap_err());
        assert!(wrong.starts_with("order O1: a row of the store has bytes where"), "{wrong}");
        let done = sqlx::query_scalar::<_, i64>("SELECT n FROM gone").fetch_one(&mut connection).await;
        let other = message(done.unwrap_err());
        assert!(other.contains("no such table") && !other.contains("verify"), "{other}");
    }
}
