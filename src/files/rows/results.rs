//! A bank's answers to instructions: debits and pay-outs.

use chrono::{DateTime, Utc};

use super::{Fingerprint, Kind, Parsed, Row};
use crate::domain::bank::instruction::Answer;
use crate::files::rows::cell::{Cells, Rejection};

pub const DEBIT_COLUMNS: &[&str] = &["debit_id", "order_id", "result", "at"];
pub const PAYOUT_COLUMNS: &[&str] = &["payout_id", "result", "at"];

/// An answer as a file delivers it, before its instruction is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow {
    /// The debit_id or payout_id.
    pub id: String,
    /// The order that the row names, if any.
    pub order_id: Option<String>,
    pub answer: Answer,
    pub at: DateTime<Utc>,
    pub reason: Option<String>,
}

pub fn parse(kind: Kind, cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let id = cells.key(kind.key_column())?;
    let order_id = if kind == Kind::DebitResults { Some(cells.key("order_id")?) } else { None };
    let row = ResultRow {
        answer: cells.word("result", Answer::parse, &Answer::ALL.map(Answer::name))?,
        at: cells.instant("at")?,
        reason: cells.text("reason")?,
        order_id,
        id,
    };
    let fingerprint = Fingerprint::of(kind.name())
        .and_maybe(row.order_id.as_ref())
        .and(row.answer.name())
        .and(row.at.timestamp_micros())
        .and_maybe(row.reason.as_ref())
        .finish();
    Ok(Parsed { fingerprint, row: Row::Result(row) })
}
