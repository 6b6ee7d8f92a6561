//! The rows of a part as lines of text, in the order of their keys. The lines are the same on both engines.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection, ValueRef};

use super::super::engine::{Engine, Tx, on_engine};
use super::parts::{Column, JOURNAL, JOURNAL_WITH_ORDERS, JOURNAL_WITH_ORDERS_ON_POSTGRES, ORDERS, Part};
use crate::domain::owner::Owner;

/// How a row becomes a line. A day keeps the form that it was sealed with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Columns that the database makes text of and joins with commas. Days whose fingerprints name no form have this one.
    #[default]
    Joined,
    /// A JSON array, as SQLite writes it. Both engines make it several times as fast.
    Json,
}

impl Form {
    /// The form of days that are sealed now.
    pub const NOW: Form = Form::Json;
}

/// Whose rows to read, and of which day.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    pub owner: Owner<&'a str>,
    pub day: NaiveDate,
    /// The last entry before the day, and its own last entry.
    pub entries: (i64, i64),
}

impl<'a> Of<'a> {
    pub async fn day(tx: &mut Tx, owner: Owner<&'a str>, day: NaiveDate) -> Result<Of<'a>> {
        let sql = "SELECT COALESCE(MAX(CASE WHEN business_date < $2 THEN last_entry_no END), 0),
                          COALESCE(MAX(CASE WHEN business_date = $2 THEN last_entry_no END), 0)
                   FROM merchant_day WHERE merchant_id = $1 AND business_date <= $2";
        let entries = on_engine!(tx, |c| sqlx::query_as(sql).bind(owner).bind(day).fetch_one(c).await?);
        Ok(Of { owner, day, entries })
    }
}

/// Binds what the conditions of a part refer to.
macro_rules! bind {
    ($query:expr, $part:expr, $of:expr) => {{
        let query = $query.bind($of.owner).bind($of.day);
        if $part.is_by_entry() { query.bind($of.entries.0).bind($of.entries.1) } else { query }
    }};
}
pub(super) use bind;

/// Passes each line of a part to `take`.
pub async fn each(tx: &mut Tx, part: &Part, of: Of<'_>, form: Form, mut take: impl FnMut(&str)) -> Result<()> {
    match (&mut tx.engine, form) {
        (_, Form::Joined) => joined(tx, part, of, take).await?,
        (Engine::Sqlite(transaction), Form::Json) => {
            let line = json_array(part.columns);
            let sql = AssertSqlSafe(format!("SELECT {line} FROM {} ORDER BY {}", part.from, part.key));
            let mut rows = bind!(sqlx::query_scalar::<_, String>(sql), part, of).fetch(&mut **transaction);
            while let Some(line) = rows.try_next().await? {
                take(&line);
            }
        }
        (Engine::Postgres(transaction), Form::Json) => {
            let columns = sql_of(part.columns);
            let sql = AssertSqlSafe(format!("SELECT {columns} FROM {} ORDER BY {}", part.from, part.key));
            let mut rows = bind!(sqlx::query(sql), part, of).fetch(&mut **transaction);
            let mut lines = Lines::default();
            while let Some(row) = rows.try_next().await? {
                take(lines.line(&row, 0, part.columns)?);
            }
        }
    }
    Ok(())
}

/// The entries that are read at once. SQLite combines their lines into one value: passing rows one by one from its thread costs
/// as much as making them. PostgreSQL, which may know little of a day's new rows, sorts a few of them in memory.
const ENTRIES_AT_ONCE: i64 = 256;
const ENTRIES_AT_ONCE_ON_POSTGRES: i64 = 8_192;

/// Entries of a day, and the orders that these booked, as lines in the order of the entries.
pub struct Booked {
    entries: String,
    orders: String,
}

impl Booked {
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.entries.lines()
    }

    pub fn orders(&self) -> impl Iterator<Item = &str> {
        self.orders.lines()
    }
}

/// Reads the first entries of `of` and the orders that they booked, in one pass, and leaves the others in `of`. `None` if
/// there are no more.
pub async fn booked(tx: &mut Tx, of: &mut Of<'_>) -> Result<Option<Booked>> {
    let at_once = match tx.engine {
        Engine::Sqlite(_) => ENTRIES_AT_ONCE,
        Engine::Postgres(_) => ENTRIES_AT_ONCE_ON_POSTGRES,
    };
    while of.entries.0 < of.entries.1 {
        let (after, last) = of.entries;
        let range = Of { entries: (after, last.min(after.saturating_add(at_once))), ..*of };
        let booked = match &mut tx.engine {
            Engine::Sqlite(transaction) => booked_on_sqlite(transaction, range).await?,
            Engine::Postgres(transaction) => booked_on_postgres(transaction, range).await?,
        };
        of.entries.0 = range.entries.1;
        if booked.is_some() {
            return Ok(booked);
        }
        // A range without entries may be followed by a gap of any size.
        let next = "SELECT MIN(entry_no) FROM journal WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3";
        let next: Option<i64> = on_engine!(tx, |c| {
            sqlx::query_scalar(next).bind(of.owner).bind(of.entries.0).bind(last).fetch_one(c).await?
        });
        of.entries.0 = next.map_or(last, |next| next - 1);
    }
    Ok(None)
}

async fn booked_on_sqlite(connection: &mut SqliteConnection, range: Of<'_>) -> Result<Option<Booked>> {
    let (entries, orders) = (json_array(JOURNAL.columns), json_array(ORDERS.columns));
    // SQLite combines the rows of a subquery in the subquery's order, and leaves out NULL. Lines of JSON contain no line
    // breaks.
    let sql = format!(
        "SELECT group_concat(entry, char(10)), COALESCE(group_concat(booked, char(10)), '')
         FROM (SELECT {entries} AS entry, CASE WHEN o.merchant_id IS NOT NULL THEN {orders} END AS booked
               FROM {JOURNAL_WITH_ORDERS} ORDER BY j.entry_no)"
    );
    let row = bind!(sqlx::query(AssertSqlSafe(sql)), JOURNAL, range).fetch_one(connection).await?;
    let Some(entries) = row.try_get(0)? else { return Ok(None) };
    Ok(Some(Booked { entries, orders: row.try_get(1)? }))
}

async fn booked_on_postgres(connection: &mut PgConnection, range: Of<'_>) -> Result<Option<Booked>> {
    let (entries, orders) = (sql_of(JOURNAL.columns), sql_of(ORDERS.columns));
    let first_of_order = JOURNAL.columns.len();
    let sql = format!("SELECT {entries}, {orders} FROM {JOURNAL_WITH_ORDERS_ON_POSTGRES} ORDER BY j.entry_no");
    let mut rows = bind!(sqlx::query(AssertSqlSafe(sql)), JOURNAL, range).fetch(connection);
    let (mut of_entries, mut of_orders) = (Lines::default(), Lines::default());
    let mut booked = Booked { entries: String::new(), orders: String::new() };
    while let Some(row) = rows.try_next().await? {
        booked.entries += of_entries.line(&row, 0, JOURNAL.columns)?;
        booked.entries.push('\n');
        // The key of an order is never NULL.
        if !row.try_get_raw(first_of_order)?.is_null() {
            booked.orders += of_orders.line(&row, first_of_order, ORDERS.columns)?;
            booked.orders.push('\n');
        }
    }
    Ok((!booked.entries.is_empty()).then_some(booked))
}

fn sql_of(columns: &[Column]) -> String {
    columns.iter().map(Column::sql).collect::<Vec<_>>().join(", ")
}

fn json_array(columns: &[Column]) -> String {
    format!("json_array({})", sql_of(columns))
}

/// Makes lines of rows from PostgreSQL, which passes values several times as fast as it makes text of them.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    /// For each column its last day, and that day's text: a day's rows have few different ones.
    days: Vec<(i32, String)>,
}

impl Lines {
    /// The line of the columns that begin at `first`.
    fn line(&mut self, row: &PgRow, first: usize, columns: &[Column]) -> Result<&str> {
        self.line.clear();
        self.days.resize_with(columns.len(), Default::default);
        for (i, (column, last_day)) in columns.iter().zip(&mut self.days).enumerate() {
            self.line.push(if i == 0 { b'[' } else { b',' });
            push_json(&mut self.line, row, first + i, column, last_day)
                .with_context(|| format!("column {}", column.sql()))?;
        }
        self.line.push(b']');
        Ok(std::str::from_utf8(&self.line)?)
    }
}

/// Writes a value that PostgreSQL sent in its binary format as SQLite's `json_array` writes the same value.
fn push_json(line: &mut Vec<u8>, row: &PgRow, i: usize, column: &Column, last_day: &mut (i32, String)) -> Result<()> {
    let value = row.try_get_raw(i)?;
    if value.is_null() {
        line.extend(b"null");
        return Ok(());
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let whole = || match *bytes {
        [a, b] => Ok(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => bail!("a number has {} bytes", bytes.len()),
    };
    match column {
        Column::Text(_) => serde_json::to_writer(line, std::str::from_utf8(bytes)?)?,
        Column::Number(_) => serde_json::to_writer(line, &whole()?)?,
        Column::Flag(_) => line.push(if bytes == [0] { b'0' } else { b'1' }),
        Column::Day(_) => {
            let day = i32::try_from(whole()?)?;
            if last_day.1.is_empty() || last_day.0 != day {
                *last_day = (day, format!("\"{}\"", from_epoch(i64::from(day), TimeDelta::try_days)?.date_naive()));
            }
            line.extend(last_day.1.as_bytes());
        }
        Column::Instant(_) => {
            let instant = from_epoch(whole()?, |micros| Some(TimeDelta::microseconds(micros)))?;
            line.push(b'"');
            line.extend(instant.to_rfc3339_opts(SecondsFormat::AutoSi, false).as_bytes());
            line.push(b'"');
        }
    }
    Ok(())
}

/// PostgreSQL counts days and microseconds from the beginning of 2000.
fn from_epoch(count: i64, delta: impl Fn(i64) -> Option<TimeDelta>) -> Result<DateTime<Utc>> {
    let epoch = DateTime::from_timestamp(946_684_800, 0).context("the epoch")?;
    let time = delta(count).and_then(|delta| epoch.checked_add_signed(delta));
    time.with_context(|| format!("no calendar has a day this far from 2000: {count}"))
}

/// Lines of the first form.
async fn joined(tx: &mut Tx, part: &Part, of: Of<'_>, mut take: impl FnMut(&str)) -> Result<()> {
    let is_sqlite = matches!(tx.engine, Engine::Sqlite(_));
    let text: Vec<String> = part.columns.iter().map(|column| as_text(column, is_sqlite)).collect();
    let text = text.join(" || ',' || ");
    let sql = AssertSqlSafe(format!("SELECT {text} FROM {} ORDER BY {}", part.from, part.key));
    on_engine!(tx, |c| {
        let mut rows = bind!(sqlx::query_scalar::<_, String>(sql), part, of).fetch(c);
        while let Some(line) = rows.try_next().await? {
            take(&line);
        }
    });
    Ok(())
}

/// A column as unambiguous text: NULL is `-`, and text is preceded by its length.
fn as_text(column: &Column, is_sqlite: bool) -> String {
    match *column {
        Column::Text(column) => format!("COALESCE(length({column}) || ':' || ({column}), '-')"),
        Column::Number(column) => format!("COALESCE(CAST({column} AS TEXT), '-')"),
        Column::Flag(column) => format!("CASE WHEN {column} THEN '1' ELSE '0' END"),
        Column::Day(column) if is_sqlite => format!("COALESCE({column}, '-')"),
        Column::Day(column) => format!("COALESCE(to_char({column}, 'YYYY-MM-DD'), '-')"),
        // SQLite keeps the decimals of seconds as written; PostgreSQL always has six.
        Column::Instant(column) if is_sqlite => format!(
            "COALESCE(substr({column}, 1, 19) || '.' || CASE substr({column}, 20, 1) WHEN '.'
             THEN substr(substr({column}, 21, instr({column}, '+') - 21) || '000000', 1, 6) ELSE '000000' END, '-')"
        ),
        Column::Instant(column) => {
            format!("COALESCE(to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '-')")
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    /// Lines from PostgreSQL are made here, those from SQLite by SQLite.
    #[tokio::test]
    async fn sqlite_writes_json_as_we_do() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let controls: String = (1..=0x20_u8).chain([0x7f]).map(char::from).collect();
        for text in [
            "",
            "tea",
            "\"quoted\" \\ 'and' /",
            "茶 🍵 \u{85}\u{2028}\u{feff}\u{e000}",
            "a\0b",
            "[1,2]",
            "null",
            &controls,
        ] {
            let theirs: String = sqlx::query_scalar("SELECT json_array($1, NULL, $2)")
                .bind(text)
                .bind(i64::MIN)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(theirs, serde_json::to_string(&(text, None::<i64>, i64::MIN)).unwrap());
        }
    }
}
