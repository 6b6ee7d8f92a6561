//! Whom an error concerns: the store as a whole, or the rows that were worked on.

use std::io::{self, ErrorKind};

use anyhow::Error;
use sqlx::error::DatabaseError;

use super::impossible::BYTES_IN_JSON;
use super::lanes::Overtaken;

/// The store can't be written to or reached for now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unavailable(pub String);

/// Whether an error may be trouble of the store itself (its connection, its disk, its schema), which concerns everybody. If
/// not, it is certain to be about the rows that were asked for or written.
pub fn is_of_store(why: &Error) -> bool {
    if why.is::<Unavailable>() || why.is::<Overtaken>() {
        return true;
    }
    why.chain().any(|cause| match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound) => false,
        Some(sqlx::Error::Database(refused)) => !is_of_rows(refused.as_ref()),
        Some(_) => true,
        None => {
            cause.downcast_ref::<io::Error>().is_some_and(is_of_disk)
                || cause.is::<Unavailable>()
                || cause.is::<Overtaken>()
        }
    })
}

/// Whether an error of a file may be trouble of the disk or the machine. If not, it is certain to be about the path that was
/// asked for.
fn is_of_disk(why: &io::Error) -> bool {
    !matches!(
        why.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData
            | ErrorKind::InvalidFilename
    )
}

/// Whether the database refused values: one that is out of range, that breaks a constraint, or a row that is kept for ever.
fn is_of_rows(refused: &dyn DatabaseError) -> bool {
    let code = refused.code().unwrap_or_default();
    if refused.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // The classes of data exceptions, of constraints, and of what our own triggers raise.
        return ["22", "23", "P0"].iter().any(|class| code.starts_with(class));
    }
    // The last byte of SQLite's code says what kind it is of: constraint, mismatch, too big. It has none for a sum that is too
    // large, nor for bytes where text should be.
    let kind = code.parse::<i64>().map(|code| code & 0xff);
    matches!(kind, Ok(18..=20)) || kind == Ok(1) && matches!(refused.message(), "integer overflow" | BYTES_IN_JSON)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use sqlx::{Connection, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn errors_about_rows_are_not_trouble_of_the_store() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (n BIGINT PRIMARY KEY, day TEXT)").execute(&mut connection).await.unwrap();
        sqlx::query("INSERT INTO t VALUES (9223372036854775807, 'x'), (9, 'x')")
            .execute(&mut connection)
            .await
            .unwrap();
        for (sql, of_store) in [
            ("SELECT COALESCE(SUM(n), 0) FROM t", false),
            ("INSERT INTO t VALUES (9, 'x')", false),
            ("SELECT day FROM t WHERE n = 9", false),
            ("SELECT n FROM t WHERE n = 10", false),
            ("SELECT json_array(x'ffff') FROM t", false),
            ("SELECT n FROM gone", true),
        ] {
            let done = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await;
            let why = Error::new(done.unwrap_err()).context("reading t");
            assert_eq!(is_of_store(&why), of_store, "{sql}: {why:#}");
        }
        let full = io::Error::from(ErrorKind::StorageFull);
        for (why, of_store) in [
            (anyhow!("the store has an unknown currency ZZZ"), false),
            (Error::new(full).context("writing a report"), true),
            (Error::new(io::Error::from_raw_os_error(5)).context("writing a report"), true),
            (Error::new(io::Error::from(ErrorKind::NotADirectory)).context("making the folder"), false),
            (Error::new(sqlx::Error::PoolTimedOut).context("working"), true),
            (Err::<(), _>(Overtaken).context("deciding").unwrap_err(), true),
            (Error::from(Unavailable("busy".to_owned())).context("deciding"), true),
        ] {
            assert_eq!(is_of_store(&why), of_store, "{why:#}");
        }
    }
}
