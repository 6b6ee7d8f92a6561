//! The view of `check --file`: how paylater would read a file, and which of its orders it would not accept with the
//! current state of the books.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::domain::intake::code::{FileCode, RowCode};
use crate::domain::intake::status::RowOutcome;
use crate::files::preview::{self, Preview};
use crate::jobs::ingest_files::preview::Foreseen;
use crate::scheme::Feed;

#[derive(Debug, Serialize, JsonSchema)]
pub struct FileCheck {
    pub file: String,
    pub feed: String,
    /// What its rows are: orders, payments, …
    pub kind: String,
    pub profile: String,
    /// Why the file would be quarantined; null if it would be taken.
    pub quarantined: Option<Reason>,
    /// Null if no header was found.
    pub found: Option<Found>,
    /// Orders that would not be accepted by the books as they are now; null if that is not known, or if the file has no orders.
    pub orders: Option<Vec<ExpectedOutcome>>,
    /// Why it is not known which orders would be accepted.
    pub orders_unknown: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Reason {
    pub code: FileCode,
    pub message: String,
}

/// What a file with a header holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    pub encoding: String,
    /// One character, or tab.
    pub delimiter: String,
    /// Whether it holds rows that were rejected before and come again.
    pub rejects: bool,
    pub header_line: u64,
    /// By column of the kind, the columns of the file that it is read from.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub columns: Vec<(String, Vec<String>)>,
    /// Columns of the file that are not read.
    pub not_read: Vec<String>,
    pub rows: i64,
    pub readable: i64,
    /// Rows that the profile sets aside.
    pub set_aside: i64,
    pub rejected: i64,
    /// Why rows are set aside or rejected.
    pub reasons: Vec<RefusedRows>,
    /// The first readable rows, personal values hidden.
    pub first: Vec<FirstRow>,
    pub totals: Vec<Total>,
    /// Whether the line that ends the file is there; null if the format has none.
    pub end_marker: Option<bool>,
}

/// Rows that are set aside or rejected with one code.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RefusedRows {
    pub code: RowCode,
    /// Whether the profile sets them aside; if not, they are rejected.
    pub set_aside: bool,
    pub rows: i64,
    pub first_line: i64,
    /// Of the first row.
    pub message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FirstRow {
    pub line: i64,
    /// Values by column of the kind.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub values: Vec<(String, String)>,
}

/// A total that the file says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Total {
    pub of: String,
    pub said: Option<String>,
    pub found: String,
}

/// Orders that would have one outcome and code.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExpectedOutcome {
    pub outcome: RowOutcome,
    pub code: RowCode,
    pub rows: i64,
    pub first_line: i64,
    /// Of the first row.
    pub message: String,
}

impl FileCheck {
    pub fn of(file: &Path, feed: &Feed, preview: Preview, foreseen: Option<Result<Vec<Foreseen>>>) -> FileCheck {
        let (orders, orders_unknown) = match foreseen {
            None => (None, None),
            Some(Ok(foreseen)) => (Some(foreseen.into_iter().map(ExpectedOutcome::from).collect()), None),
            Some(Err(why)) => (None, Some(format!("{why:#}"))),
        };
        FileCheck {
            file: file.display().to_string(),
            feed: feed.name.clone(),
            kind: feed.kind.name().to_owned(),
            profile: feed.profile.name.clone(),
            quarantined: preview.trust.err().map(|why| Reason { code: why.code, message: why.message }),
            found: preview.found.map(Found::from),
            orders,
            orders_unknown,
        }
    }

    /// Whether paylater would take the file and reject none of its rows.
    pub fn is_taken_whole(&self) -> bool {
        self.quarantined.is_none() && self.found.as_ref().is_some_and(|found| found.rejected == 0)
    }
}

impl From<preview::Found> for Found {
    fn from(found: preview::Found) -> Found {
        let (set_aside, rejected) = (found.set_aside(), found.rejected());
        let reason = |((code, _), refused): ((RowCode, String), preview::Refused)| RefusedRows {
            code,
            set_aside: code.has_nothing_to_record(),
            rows: refused.count,
            first_line: refused.line,
            message: refused.message,
        };
        let total = |total: crate::files::profile::totals::Compared| Total {
            of: total.name,
            said: total.stated,
            found: total.found,
        };
        Found {
            encoding: found.layout.script.name().to_owned(),
            delimiter: match found.layout.delimiter {
                b'\t' => "tab".to_owned(),
                sign => char::from(sign).to_string(),
            },
            rejects: found.layout.is_rejects,
            header_line: found.header_line,
            columns: found.columns,
            not_read: found.unused,
            rows: found.rows,
            readable: found.readable,
            set_aside,
            rejected,
            reasons: found.refused.into_iter().map(reason).collect(),
            first: found.first.into_iter().map(|(line, values)| FirstRow { line, values }).collect(),
            totals: found.totals.into_iter().map(total).collect(),
            end_marker: found.ended,
        }
    }
}

impl From<Foreseen> for ExpectedOutcome {
    fn from(foreseen: Foreseen) -> ExpectedOutcome {
        let Foreseen { outcome, code, count, line, message } = foreseen;
        ExpectedOutcome { outcome, code, rows: count, first_line: line, message }
    }
}

/// Writes pairs as a JSON object and keeps their order.
fn as_map<V: Serialize, S: Serializer>(pairs: &[(String, V)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}
