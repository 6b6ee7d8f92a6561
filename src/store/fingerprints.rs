//! The part of the store that a seal covers: for each merchant and day, the rows from which reports and proofs are computed, as
//! one SHA-256 per table; and when these rows were last proved to be unchanged.
//!
//! A row is the same text on both engines, so the same books have the same fingerprint on either. Columns that may change
//! later, such as the amount still owed or the day on which a row stopped waiting, are left out of the row's own day; they
//! belong to the day on which they changed.

mod entries;
mod lines;
mod parts;
mod printing;

use anyhow::{Context, Error, Result};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

pub use self::entries::each_entry;
pub use self::lines::Form;
use self::lines::{Booked, Of, bind, each};
use self::parts::{JOURNAL, ORDERS, OTHER_PARTS, PARTS, Part};
pub use self::printing::PartPrint;
use self::printing::{BookedPrints, Printing};
use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use super::impossible::{impossible, is_about_bytes};
use crate::domain::owner::Owner;
use crate::domain::words::count;

/// The present fingerprints of an owner's rows of a day, in the form that is compared with. Tables without rows are left
/// out.
pub async fn of(tx: &mut Tx, owner: Owner<&str>, day: NaiveDate, form: Form) -> Result<Vec<PartPrint>> {
    let of = Of::day(tx, owner, day).await?;
    if form == Form::Joined {
        return of_parts(tx, PARTS, of, form, Vec::new()).await;
    }
    let mut booked = BookedPrints::default();
    if let Err(why) = each_booked(tx, of, |read| booked.take(read)).await {
        let why = culprit(tx, &[&JOURNAL, &ORDERS], of, why).await?;
        return Err(why.context(format!("fingerprint of the journal of {day}, {owner}")));
    }
    of_parts(tx, OTHER_PARTS, of, form, booked.finish()).await
}

/// Like [`of`] with [`Form::NOW`], if the day's journal was read before and has these fingerprints.
pub async fn beside(tx: &mut Tx, owner: Owner<&str>, day: NaiveDate, booked: Vec<PartPrint>) -> Result<Vec<PartPrint>> {
    let of = Of::day(tx, owner, day).await?;
    of_parts(tx, OTHER_PARTS, of, Form::NOW, booked).await
}

/// Reads the day's entries and the orders that they booked, the next while `take` works on those read before.
async fn each_booked(tx: &mut Tx, mut of: Of<'_>, mut take: impl FnMut(&Booked)) -> Result<()> {
    let mut next = lines::booked(tx, &mut of).await?;
    while let Some(booked) = next {
        let (read, ()) = tokio::join!(lines::booked(tx, &mut of), async { take(&booked) });
        next = read?;
    }
    Ok(())
}

/// Adds the fingerprints of parts to those of parts that were read before.
async fn of_parts(
    tx: &mut Tx,
    parts: &[Part],
    of: Of<'_>,
    form: Form,
    mut prints: Vec<PartPrint>,
) -> Result<Vec<PartPrint>> {
    for part in parts {
        let mut printing = Printing::default();
        if let Err(why) = each(tx, part, of, form, |line| printing.row(line)).await {
            let why = culprit(tx, &[part], of, why).await?;
            return Err(why.context(format!("fingerprint of {} of {}, {}", part.name, of.day, of.owner)));
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
        let none = || Printing::default().finish(part, form);
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
