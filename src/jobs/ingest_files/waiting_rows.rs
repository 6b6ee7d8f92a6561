//! Pending rows as they are stored: what they wait for, and how they are parsed again from their cells.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use chrono_tz::Tz;

use crate::books::environment::Environment;
use crate::domain::facts::correction::CorrectionRow;
use crate::domain::facts::fact::FactRow;
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::files::rows::cell::Cells;
use crate::files::rows::{self, Kind, Row};
use crate::store::file_rows::RecordedRow;
use crate::store::{Tx, listing};

/// The codes of exceptions about pending money rows.
pub const WAITING_FOR: [ExceptionCode; 4] = [
    ExceptionCode::Row(RowCode::UnknownOrder),
    ExceptionCode::Row(RowCode::UnknownPayment),
    ExceptionCode::Row(RowCode::Currency),
    ExceptionCode::Row(RowCode::OrderDeclined),
];

/// Returns a file's kind and the time zone for times without an offset: the zone of its feed, or of the scheme if the
/// feed is no longer configured.
pub async fn kind_and_zone(tx: &mut Tx, environment: &Environment, file_no: i64) -> Result<(Kind, Tz)> {
    let file = listing::file(tx, file_no)
        .await?
        .with_context(|| {
            format!("the store has pending rows of file {file_no}, but not the file; put it back from a backup")
        })?
        .file;
    let feed = environment.scheme.feed(&file.feed);
    Ok((file.kind, feed.map_or(environment.scheme.zone, |feed| feed.zone)))
}

/// Parses a pending row about an order again from its stored cells.
pub fn read_fact_again(waiting: &RecordedRow, kind: Kind, zone: Tz) -> Result<FactRow> {
    match read_again(waiting, kind, zone)? {
        Row::Fact(row) => Ok(row),
        _ => bail!("{}: a row of {} is about no fact", called(waiting), waiting.kind),
    }
}

/// Parses a pending correction again from its stored cells.
pub fn read_correction_again(waiting: &RecordedRow, zone: Tz) -> Result<CorrectionRow> {
    match read_again(waiting, Kind::Corrections, zone)? {
        Row::Correction(row) => Ok(row),
        _ => bail!("{}: a row of {} is no correction", called(waiting), waiting.kind),
    }
}

/// The name of a pending row in messages.
fn called(waiting: &RecordedRow) -> String {
    let RecordedRow { file_no, line, row_key, .. } = waiting;
    format!("the stored cells of {row_key}, a pending row of file {file_no}, line {line}")
}

fn read_again(waiting: &RecordedRow, kind: Kind, zone: Tz) -> Result<Row> {
    let cells: BTreeMap<String, String> = serde_json::from_str(&waiting.content).with_context(|| called(waiting))?;
    let (header, cells): (Vec<String>, csv::StringRecord) = cells.into_iter().unzip();
    match rows::parse(kind, &Cells { header: &header, cells: &cells, zone, as_sent: None }) {
        Ok(parsed) => Ok(parsed.row),
        Err(why) => bail!("{}: it cannot be read again: {}", called(waiting), why.message),
    }
}
