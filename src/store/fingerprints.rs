//! The part of the store that a seal covers: for each merchant and day, the rows from which reports and proofs are computed, as
//! one SHA-256 per table; and when these rows were last proved to be unchanged.
//!
//! A row is the same text on both engines, so the same books have the same fingerprint on either. Columns that may change
//! later, such as the amount still owed or the day on which a row stopped waiting, are left out of the row's own day; they
//! belong to the day on which they changed.

mod lines;
mod parts;

use anyhow::{Context, Error, Result};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

pub use self::lines::Form;
use self::lines::{Of, bind, booked, each};
use self::parts::{JOURNAL, ORDERS, PARTS, Part};
use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use super::impossible::{impossible, is_about_bytes};
use crate::domain::owner::Owner;
use crate::domain::words::count;

/// The most marks in a part. In larger parts, marks are further apart.
const MOST_MARKS: usize = 512;

/// The length of a mark: the first hexadecimal digits of the hash so far.
const MARK: usize = 8;

/// The fingerprint of an owner's rows of a day in one table. Its marks show where another state of the rows begins to differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPrint {
    pub part: String,
    pub rows: usize,
    pub sha256: String,
    #[serde(default)]
    pub form: Form,
    /// The number of rows between marks.
    every: usize,
    marks: String,
}

/// A fingerprint that is being computed.
struct Printing {
    hash: Sha256,
    rows: usize,
    every: usize,
    marks: Vec<String>,
}

impl Printing {
    fn new() -> Printing {
        Printing { hash: Sha256::new(), rows: 0, every: 1, marks: Vec::new() }
    }

    fn row(&mut self, text: &str) {
        self.hash.update(text);
        self.hash.update("\n");
        self.rows += 1;
        if !self.rows.is_multiple_of(self.every) {
            return;
        }
        let mut mark = hex(&self.hash.clone().finalize());
        mark.truncate(MARK);
        self.marks.push(mark);
        if self.marks.len() > MOST_MARKS {
            self.every *= 2;
            self.marks = self.marks.split_off(1).into_iter().step_by(2).collect();
        }
    }

    fn finish(self, part: &Part, form: Form) -> PartPrint {
        let Printing { hash, rows, every, marks } = self;
        let (part, sha256) = (part.name.to_owned(), hex(&hash.finalize()));
        PartPrint { part, rows, sha256, form, every, marks: marks.concat() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PartPrint {
    fn mark(&self, rows: usize) -> Option<&str> {
        let at = (rows / self.every).checked_sub(1)? * MARK;
        self.marks.get(at..at + MARK)
    }

    /// How many rows are certainly equal, and within how many rows after these the first difference is.
    fn differs_after(&self, other: &PartPrint) -> (usize, usize) {
        let every = self.every.max(other.every);
        let same = (1..).map(|i| i * every).take_while(|rows| {
            let (mark, others) = (self.mark(*rows), other.mark(*rows));
            mark.is_some() && mark == others
        });
        (same.last().unwrap_or(0), every)
    }
}

/// The present fingerprints of an owner's rows of a day, in the form that is compared with. Tables without rows are left
/// out.
pub async fn of(tx: &mut Tx, owner: Owner<&str>, day: NaiveDate, form: Form) -> Result<Vec<PartPrint>> {
    let of = Of::day(tx, owner, day).await?;
    let mut prints = Vec::new();
    let mut parts = PARTS;
    if form == Form::Json {
        let (mut journal, mut orders) = (Printing::new(), Printing::new());
        if let Err(why) = booked(tx, of, |line| journal.row(line), |line| orders.row(line)).await {
            let why = culprit(tx, &[&JOURNAL, &ORDERS], of, why).await?;
            return Err(why.context(format!("fingerprint of the journal of {day}, {owner}")));
        }
        prints.extend([journal.finish(&JOURNAL, form), orders.finish(&ORDERS, form)]);
        parts = &PARTS[2..];
    }
    for part in parts {
        let mut printing = Printing::new();
        if let Err(why) = each(tx, part, of, form, |line| printing.row(line)).await {
            let why = culprit(tx, &[part], of, why).await?;
            return Err(why.context(format!("fingerprint of {} of {day}, {owner}", part.name)));
        }
        prints.push(printing.finish(part, form));
    }
    prints.retain(|print| print.rows > 0);
    Ok(prints)
}

/// The form of a merchant's fingerprints of a day. All parts have the same.
pub fn form_of(prints: &[PartPrint]) -> Form {
    prints.first().map_or(Form::NOW, |print| print.form)
}

/// Describes the differences between an owner's rows of a day as sealed and as they are now, by table.
pub async fn differences(
    tx: &mut Tx,
    owner: Owner<&str>,
    day: NaiveDate,
    sealed: &[PartPrint],
    found: &[PartPrint],
) -> Result<Vec<String>> {
    let (at, form) = (Of::day(tx, owner, day).await?, form_of(sealed));
    let mut differences = Vec::new();
    for part in PARTS {
        let of = |prints: &[PartPrint]| prints.iter().find(|print| print.part == part.name).cloned();
        let none = || Printing::new().finish(part, form);
        let (then, now) = match (of(sealed), of(found)) {
            (None, None) => continue,
            (then, now) => (then.unwrap_or_else(none), now.unwrap_or_else(none)),
        };
        if then.sha256 == now.sha256 && then.rows == now.rows {
            continue;
        }
        let (after, among) = then.differs_after(&now);
        let first = called(tx, part, at, after).await?;
        let first = match (first, among) {
            (None, _) => "rows at the end are gone".to_owned(),
            (Some(first), 1) => format!("the first that differs is {first}"),
            (Some(first), _) => format!("the first that differs is among the {among} from {first} on"),
        };
        differences.push(format!(
            "{}: sealed with {}, now there are {}; {first}",
            part.name,
            count(then.rows, "row"),
            now.rows
        ));
    }
    Ok(differences)
}

/// Replaces SQLite's error about bytes by one that names the first row of these parts that has them.
async fn culprit(tx: &mut Tx, parts: &[&Part], of: Of<'_>, why: Error) -> Result<Error> {
    if !is_about_bytes(&why) {
        return Ok(why);
    }
    for part in parts {
        let columns = part.columns.iter().map(|column| {
            let (sql, name) = (column.sql(), column.name());
            format!("WHEN typeof({sql}) = 'blob' THEN '{name}'")
        });
        let columns: Vec<String> = columns.collect();
        let sql = format!(
            "SELECT CAST({} AS TEXT), CASE {} END AS has_bytes FROM {} AND has_bytes IS NOT NULL ORDER BY {} LIMIT 1",
            part.called,
            columns.join(" "),
            part.from,
            part.key
        );
        let sql = AssertSqlSafe(sql);
        let found: Option<(Option<String>, String)> =
            on_engine!(tx, |c| bind!(sqlx::query_as(sql), part, of).fetch_optional(c).await?);
        if let Some((called, column)) = found {
            let (table, called) = (part.name, called.unwrap_or_else(|| "a row without a name".to_owned()));
            let what = format!("{table}, {called}: column {column} has bytes where paylater writes text or a number");
            return Ok(impossible(what));
        }
    }
    Ok(why)
}

/// The name of the row after this many rows.
async fn called(tx: &mut Tx, part: &Part, of: Of<'_>, after: usize) -> Result<Option<String>> {
    let sql = format!("SELECT {} FROM {} ORDER BY {} LIMIT 1 OFFSET {after}", part.called, part.from, part.key);
    let sql = AssertSqlSafe(sql);
    let row: Option<Option<String>> =
        on_engine!(tx, |c| bind!(sqlx::query_scalar(sql), part, of).fetch_optional(c).await?);
    Ok(row.map(|called| called.unwrap_or_else(|| "a row without a name".to_owned())))
}

const FINGERPRINT: Table =
    Table { name: "day_fingerprint", columns: &["merchant_id", "business_date", "parts"], key: 2 };

/// Stores the fingerprints of a sealed day.
pub async fn keep(tx: &mut Tx, day: NaiveDate, prints: &[(Owner, Vec<PartPrint>)]) -> Result<()> {
    let mut cells = Vec::new();
    for (owner, prints) in prints {
        let parts = serde_json::to_string(prints).context("fingerprints as JSON")?;
        cells.extend(row![owner.borrowed(), day, parts]);
    }
    bulk::insert(tx, &FINGERPRINT, cells).await
}

/// The fingerprints of a sealed day, by owner. Empty if the day was sealed by a version without fingerprints.
pub async fn kept(tx: &mut Tx, day: NaiveDate) -> Result<Vec<(Owner, Vec<PartPrint>)>> {
    let sql = "SELECT merchant_id, parts FROM day_fingerprint WHERE business_date = $1 ORDER BY merchant_id";
    let rows: Vec<(Owner, String)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?);
    rows.into_iter()
        .map(|(owner, parts)| {
            let prints = serde_json::from_str(&parts);
            Ok((owner, prints.with_context(|| format!("the fingerprints of {day} cannot be read"))?))
        })
        .collect()
}

/// When a sealed day was fingerprinted and last proved.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Proved {
    pub business_date: NaiveDate,
    pub fingerprinted_on: NaiveDate,
    pub proved_on: NaiveDate,
}

/// Records that days were proved today. Days not recorded before were fingerprinted today.
pub async fn proved(tx: &mut Tx, days: &[NaiveDate], today: NaiveDate) -> Result<()> {
    let sql = "INSERT INTO day_proof (business_date, fingerprinted_on, proved_on) VALUES ($1, $2, $2)
               ON CONFLICT (business_date) DO UPDATE SET proved_on = excluded.proved_on";
    for day in days {
        on_engine!(tx, |c| sqlx::query(sql).bind(day).bind(today).execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// When each sealed day was last proved, the least recent first.
pub async fn last_proved(tx: &mut Tx) -> Result<Vec<Proved>> {
    let sql = "SELECT business_date, fingerprinted_on, proved_on FROM day_proof ORDER BY proved_on, business_date";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// The first day that was fingerprinted when it was sealed. All later days have fingerprints.
pub async fn first_at_seal(tx: &mut Tx) -> Result<Option<NaiveDate>> {
    let sql = "SELECT MIN(business_date) FROM day_proof WHERE fingerprinted_on = business_date";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// The progress of recomputing a merchant's orders.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Round {
    pub merchant_id: String,
    pub after_order: String,
    pub begun_on: NaiveDate,
    /// When the last complete round began.
    pub proved_on: Option<NaiveDate>,
}

/// The rounds in progress.
pub async fn rounds(tx: &mut Tx) -> Result<Vec<Round>> {
    let sql = "SELECT merchant_id, after_order, begun_on, proved_on FROM order_proof ORDER BY merchant_id";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

const ROUND: Table =
    Table { name: "order_proof", columns: &["merchant_id", "after_order", "begun_on", "proved_on"], key: 1 };

pub async fn save_round(tx: &mut Tx, round: &Round) -> Result<()> {
    let Round { merchant_id, after_order, begun_on, proved_on } = round;
    bulk::upsert(tx, &ROUND, row![merchant_id.as_str(), after_order.as_str(), *begun_on, *proved_on]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_rows(rows: &[String]) -> PartPrint {
        let mut printing = Printing::new();
        rows.iter().for_each(|row| printing.row(row));
        printing.finish(&PARTS[0], Form::NOW)
    }

    #[test]
    fn the_first_row_that_differs_is_found() {
        for (rows, changed) in [(1_usize, 0_usize), (5, 3), (512, 511), (513, 100), (4_000, 2_345)] {
            let sealed: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
            let mut found = sealed.clone();
            found[changed].push('x');
            let (after, among) = of_rows(&sealed).differs_after(&of_rows(&found));
            assert!((after..after + among).contains(&changed), "{rows} rows, {changed}: {after} and {among} more");
            assert!(among <= rows.div_ceil(MOST_MARKS).next_power_of_two(), "{rows} rows: {among}");
            found = sealed.clone();
            found.insert(changed, "new".to_owned());
            let (after, among) = of_rows(&sealed).differs_after(&of_rows(&found));
            assert!((after..after + among).contains(&changed), "{rows} rows, {changed}: {after} and {among} more");
        }
    }
}
