//! Writes many rows at once, natively on each engine: statements of about a thousand rows on SQLite, COPY on PostgreSQL.
//! Writing row by row is an order of magnitude slower on both.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, PgConnection, SqliteConnection};

use super::engine::{Engine, Tx};

/// A table and the columns that bulk statements write.
pub(super) struct Table {
    pub name: &'static str,
    /// The columns to write. The first `key` columns are the key.
    pub columns: &'static [&'static str],
    pub key: usize,
}

/// A value in a row.
#[derive(PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i64),
    Small(i16),
    Bool(bool),
    Text(Cow<'a, str>),
    Date(NaiveDate),
    Instant(DateTime<Utc>),
}

macro_rules! cell_from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Cell<'_> {
            fn from(value: $type) -> Self {
                Cell::$variant(value)
            }
        }
    )*};
}
cell_from!(i64 => Int, i16 => Small, bool => Bool, NaiveDate => Date, DateTime<Utc> => Instant);

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Cell::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// Makes a row of cells from values of different types.
macro_rules! row {
    ($($value:expr),* $(,)?) => { [$($crate::store::bulk::Cell::from($value)),*] };
}
pub(super) use row;

/// What to do with a row whose key exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    /// Fail. The caller has checked before.
    Refuse,
    /// Overwrite all columns but the key.
    Replace,
    /// Add all columns but the key to the existing values.
    AddUp,
    /// Overwrite the columns after the key, in existing rows only.
    Update,
}

/// Inserts rows with new keys. An existing key fails the transaction.
pub(super) async fn insert<'a>(tx: &mut Tx, table: &Table, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
    write(tx, table, cells, Existing::Refuse).await
}

/// Inserts rows, and overwrites rows whose key exists.
pub(super) async fn upsert<'a>(tx: &mut Tx, table: &Table, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
    write(tx, table, cells, Existing::Replace).await
}

/// Inserts rows, and adds the columns after the key to those of a row whose key exists.
pub(super) async fn add_up<'a>(tx: &mut Tx, table: &Table, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
    write(tx, table, cells, Existing::AddUp).await
}

/// Updates existing rows by key.
pub(super) async fn update<'a>(tx: &mut Tx, table: &Table, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
    write(tx, table, cells, Existing::Update).await
}

/// Writes cells that come row by row. The iterator is consumed as needed: many rows need no more memory than a few, and the
/// next rows are built while the engine writes the rows before.
async fn write<'a>(
    tx: &mut Tx,
    table: &Table,
    cells: impl IntoIterator<Item = Cell<'a>>,
    existing: Existing,
) -> Result<()> {
    let mut cells = cells.into_iter();
    match &mut tx.engine {
        Engine::Sqlite(transaction) => write_sqlite(transaction, table, cells, existing).await,
        Engine::Postgres(transaction) => match cells.next() {
            Some(first) => write_postgres(transaction, table, iter::once(first).chain(cells), existing).await,
            None => Ok(()),
        },
    }
}

/// The most values that SQLite binds in a statement.
const SQLITE_BINDS: usize = 32_766;

/// The rows in a statement. More than a thousand bring no gain. Remaining rows are written in halves, with few statement texts
/// that the connection has prepared before.
const SQLITE_ROWS: [usize; 10] = [1_000, 500, 250, 125, 62, 31, 15, 7, 3, 1];

async fn write_sqlite<'a>(
    connection: &mut SqliteConnection,
    table: &Table,
    cells: impl Iterator<Item = Cell<'a>>,
    existing: Existing,
) -> Result<()> {
    let mut statements = Statements { table, existing, cells, ready: Vec::new(), said_once: Vec::new() };
    let mut next = statements.next()?;
    while let Some((statement, arguments)) = next {
        let run = sqlx::query_with(AssertSqlSafe(statement), arguments).execute(&mut *connection);
        // While SQLite's thread runs a statement, the next one is built.
        let (done, made) = tokio::join!(run, async { statements.next() });
        done?;
        next = made?;
    }
    Ok(())
}

/// The statements that write rows on SQLite.
struct Statements<'t, 'a, Cells> {
    table: &'t Table,
    existing: Existing,
    cells: Cells,
    /// The rows to write next, and the cells that are the same in all of them.
    ready: Vec<Cell<'a>>,
    said_once: Vec<Option<String>>,
}

impl<'a, Cells: Iterator<Item = Cell<'a>>> Statements<'_, 'a, Cells> {
    fn next(&mut self) -> Result<Option<(String, SqliteArguments)>> {
        let width = self.table.columns.len();
        if self.ready.is_empty() {
            self.ready.extend(self.cells.by_ref().take(SQLITE_ROWS[0] * width));
            debug_assert_eq!(self.ready.len() % width, 0, "whole rows of {}", self.table.name);
            self.said_once = said_once(&self.ready, width);
        }
        let bound = self.said_once.iter().filter(|literal| literal.is_none()).count().max(1);
        let left = self.ready.len() / width;
        let fitting = SQLITE_ROWS.into_iter().map(|rows| rows.min(SQLITE_BINDS / bound)).find(|rows| *rows <= left);
        let Some(rows) = fitting else { return Ok(None) };
        let statement = sqlite_statement(self.table, rows, &self.said_once, self.existing);
        let mut arguments = SqliteArguments::default();
        arguments.reserve(rows * bound, 0);
        for (i, cell) in self.ready.drain(..rows * width).enumerate() {
            if self.said_once[i % width].is_none() {
                bind(&mut arguments, cell)?;
            }
        }
        Ok(Some((statement, arguments)))
    }
}

fn bind(arguments: &mut SqliteArguments, cell: Cell<'_>) -> Result<()> {
    let added = match cell {
        Cell::Null => arguments.add(None::<i64>),
        Cell::Int(value) => arguments.add(value),
        Cell::Small(value) => arguments.add(i64::from(value)),
        Cell::Bool(value) => arguments.add(value),
        Cell::Text(Cow::Owned(value)) => arguments.add(value),
        Cell::Text(Cow::Borrowed(value)) => arguments.add(Arc::<str>::from(value)),
        Cell::Date(value) => arguments.add(value.to_string()),
        Cell::Instant(value) => arguments.add(value.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
    };
    added.map_err(sqlx::Error::Encode)?;
    Ok(())
}

/// The columns with the same value in every row, as SQL literals. Binding is most of the cost of a row on SQLite, and rows
/// often share the merchant, the day and the file. Only numbers and simple texts become literals.
fn said_once(cells: &[Cell<'_>], width: usize) -> Vec<Option<String>> {
    // A few rows do not justify a statement text of their own; the common text stays in the statement cache.
    if cells.len() / width < 50 {
        return vec![None; width];
    }
    let literal = |cell: &Cell<'_>| match cell {
        Cell::Null => Some("NULL".to_owned()),
        Cell::Int(value) => Some(value.to_string()),
        Cell::Small(value) => Some(value.to_string()),
        Cell::Bool(value) => Some(i64::from(*value).to_string()),
        Cell::Date(value) => Some(format!("'{value}'")),
        Cell::Text(value) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_ .".contains(&byte);
            (value.len() <= 64 && value.bytes().all(plain)).then(|| format!("'{value}'"))
        }
        Cell::Instant(_) => None,
    };
    let same = |column: usize| {
        let first = &cells[column];
        let same = cells.iter().skip(column).step_by(width).all(|cell| cell == first);
        if same { literal(first) } else { None }
    };
    (0..width).map(same).collect()
}

fn sqlite_statement(table: &Table, rows: usize, said_once: &[Option<String>], existing: Existing) -> String {
    let columns = table.columns.join(", ");
    let cells: Vec<&str> = said_once.iter().map(|literal| literal.as_deref().unwrap_or("?")).collect();
    let row = format!("({})", cells.join(","));
    let values = vec![row.as_str(); rows].join(",");
    match existing {
        // OR FAIL: a failing statement is rolled back with the whole transaction, so SQLite need not keep pages to roll back
        // the statement alone.
        Existing::Refuse => format!("INSERT OR FAIL INTO {} ({columns}) VALUES {values}", table.name),
        Existing::Replace | Existing::AddUp => {
            let key = table.columns[..table.key].join(", ");
            let set = table.set(existing, "excluded");
            format!("INSERT INTO {} ({columns}) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET {set}", table.name)
        }
        Existing::Update => {
            // Both engines name the columns of a VALUES list column1, column2, …
            let named = table.columns.iter().zip(1..).map(|(column, i)| format!("column{i} AS {column}"));
            let named = named.collect::<Vec<_>>().join(", ");
            let (set, same_key) = (table.set(existing, "fresh"), table.same_key());
            let fresh = format!("(SELECT {named} FROM (VALUES {values})) AS fresh");
            format!("UPDATE {} SET {set} FROM {fresh} WHERE {same_key}", table.name)
        }
    }
}

async fn write_postgres<'a>(
    connection: &mut PgConnection,
    table: &Table,
    cells: impl Iterator<Item = Cell<'a>>,
    existing: Existing,
) -> Result<()> {
    let columns = table.columns.join(", ");
    if existing == Existing::Refuse {
        return copy(connection, &format!("COPY {} ({columns}) FROM STDIN", table.name), table, cells).await;
    }
    // Rows whose keys may exist go through a temporary table of the same shape, which is emptied at the commit.
    let stage = format!("stage_{}", table.name);
    let make =
        format!("CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {columns} FROM {} WITH NO DATA", table.name);
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *connection).await?;
    copy(connection, &format!("COPY {stage} ({columns}) FROM STDIN"), table, cells).await?;
    let (set, same_key) = (table.set(existing, "fresh"), table.same_key());
    let merge = match existing {
        Existing::Replace | Existing::AddUp => {
            let values = table.columns.iter().map(|column| format!("fresh.{column}")).collect::<Vec<_>>().join(", ");
            format!(
                "MERGE INTO {} USING {stage} AS fresh ON {same_key} WHEN MATCHED THEN UPDATE SET {set}
                 WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})",
                table.name
            )
        }
        Existing::Refuse | Existing::Update => {
            format!("UPDATE {} SET {set} FROM {stage} AS fresh WHERE {same_key}", table.name)
        }
    };
    sqlx::raw_sql(AssertSqlSafe(format!("{merge}; DROP TABLE {stage}"))).execute(connection).await?;
    Ok(())
}

/// The bytes sent to PostgreSQL at once. While PostgreSQL reads them, the next rows are built.
const SENT_AT_ONCE: usize = 1 << 17;

/// COPY in PostgreSQL's binary format, which saves printing and parsing. Every column must have exactly the type of its cells:
/// BIGINT, SMALLINT, BOOLEAN, TEXT, DATE or TIMESTAMPTZ.
async fn copy<'a>(
    connection: &mut PgConnection,
    statement: &str,
    table: &Table,
    cells: impl Iterator<Item = Cell<'a>>,
) -> Result<()> {
    let columns = table.columns.len();
    let width = i16::try_from(columns).expect("a table has few columns");
    let mut copy = connection.copy_in_raw(&format!("{statement} (FORMAT BINARY)")).await?;
    let mut bytes = Vec::with_capacity(SENT_AT_ONCE + 4_096);
    bytes.extend(b"PGCOPY\n\xff\r\n\0");
    // No flags and no header extension.
    bytes.extend([0; 8]);
    for (i, cell) in cells.enumerate() {
        if i % columns == 0 {
            if bytes.len() >= SENT_AT_ONCE {
                copy.send(bytes.as_slice()).await?;
                bytes.clear();
            }
            bytes.extend(width.to_be_bytes());
        }
        push_binary(&mut bytes, &cell);
    }
    bytes.extend((-1_i16).to_be_bytes());
    copy.send(bytes).await?;
    copy.finish().await?;
    Ok(())
}

/// Writes a cell: its length, then its bytes.
fn push_binary(bytes: &mut Vec<u8>, cell: &Cell<'_>) {
    let mut push = |value: &[u8]| {
        let length = i32::try_from(value.len()).expect("a cell is far shorter than 2 GiB");
        bytes.extend(length.to_be_bytes());
        bytes.extend(value);
    };
    // PostgreSQL counts days and microseconds from this date.
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");
    match cell {
        Cell::Null => bytes.extend((-1_i32).to_be_bytes()),
        Cell::Int(value) => push(&value.to_be_bytes()),
        Cell::Small(value) => push(&value.to_be_bytes()),
        Cell::Bool(value) => push(&[u8::from(*value)]),
        Cell::Text(value) => push(value.as_bytes()),
        Cell::Date(value) => push(&(value.num_days_from_ce() - epoch.num_days_from_ce()).to_be_bytes()),
        Cell::Instant(value) => {
            let epoch = epoch.and_time(NaiveTime::MIN).and_utc();
            push(&(value.timestamp_micros() - epoch.timestamp_micros()).to_be_bytes());
        }
    }
}

impl Table {
    /// The assignments for the columns after the key when row `given` meets an existing row.
    fn set(&self, existing: Existing, given: &str) -> String {
        let value = |column: &&str| match existing {
            Existing::AddUp => format!("{column} = {}.{column} + {given}.{column}", self.name),
            _ => format!("{column} = {given}.{column}"),
        };
        self.columns[self.key..].iter().map(value).collect::<Vec<_>>().join(", ")
    }

    fn same_key(&self) -> String {
        let same = self.columns[..self.key].iter().map(|column| format!("{}.{column} = fresh.{column}", self.name));
        same.collect::<Vec<_>>().join(" AND ")
    }
}
