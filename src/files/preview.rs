//! A preview of how a file would be read, for its sender or the author of its profile. Nothing is recorded; memory holds
//! counts and a few rows only.

use std::collections::BTreeMap;
use std::io;

use csv::StringRecord;

use super::profile::mapping::{is_amount, is_time};
use super::profile::totals::Compared;
use super::read::container::Delivery;
use super::read::file_error::FileError;
use super::read::reader::{Rows, examine};
use super::read::table::{Layout, Table};
use super::rows::cell::Cells;
use crate::domain::intake::code::{FileCode, RowCode};
use crate::domain::money::Currency;

/// How many rows the preview shows.
const SHOWN: usize = 3;

/// How many rows are read at a time.
const CHUNK: usize = 5_000;

/// Replaces personal values.
const MASKED: &str = "•••";

#[derive(Debug)]
pub struct Preview {
    /// Why the whole file would be refused, if it would be.
    pub trust: Result<(), FileError>,
    /// `None` if no header was found.
    pub found: Option<Found>,
}

/// The contents of a file that has a header.
#[derive(Debug)]
pub struct Found {
    pub layout: Layout,
    pub header_line: u64,
    /// Canonical columns, each with the columns of the file that it is read from.
    pub columns: Vec<(String, Vec<String>)>,
    /// Columns of the file that are not used.
    pub unused: Vec<String>,
    pub rows: i64,
    pub readable: i64,
    /// Unreadable rows by code. Rows that the profile sets aside are listed by reason as well.
    pub refused: BTreeMap<(RowCode, String), Refused>,
    /// The first rows, with their line numbers and values.
    pub first: Vec<(i64, Vec<(String, String)>)>,
    pub totals: Vec<Compared>,
    /// Whether the end line was found, if the format has one.
    pub ended: Option<bool>,
}

/// How many rows have one code, and the first of these rows.
#[derive(Debug)]
pub struct Refused {
    pub count: i64,
    pub line: i64,
    pub message: String,
}

impl Found {
    /// Unreadable rows, without the rows that the profile sets aside.
    pub fn rejected(&self) -> i64 {
        self.rows - self.readable - self.set_aside()
    }

    pub fn set_aside(&self) -> i64 {
        self.refused
            .iter()
            .filter(|((code, _), _)| code.has_nothing_to_record())
            .map(|(_, refused)| refused.count)
            .sum()
    }

    /// Reads a file to its end.
    fn fill(&mut self, delivery: &Delivery<'_>, table: &mut Table, known: &[&str]) -> io::Result<()> {
        if delivery.profile.must_end() && !table.layout.is_rejects {
            let mut record = StringRecord::new();
            while let Some(line) = table.next_row(&mut record)? {
                table.count(line, &record);
            }
            (self.totals, self.ended) = (table.audit.compared(), table.audit.ended());
        }
        let mut rows = Rows::open(delivery, 0)?;
        loop {
            let lines = rows.take(CHUNK)?;
            for line in &lines {
                self.rows += 1;
                match &line.parsed {
                    Ok(_) => {
                        self.readable += 1;
                        if self.first.len() < SHOWN {
                            let (header, cells) = (rows.header(), line.canonical());
                            let cells = Cells { header, cells, zone: delivery.zone, as_sent: None };
                            self.first.push((line.number, values(&cells, known)));
                        }
                    }
                    Err(why) => {
                        let first = || Refused { count: 0, line: line.number, message: why.message.clone() };
                        let reason = if why.code == RowCode::SetAside { why.message.clone() } else { String::new() };
                        self.refused.entry((why.code, reason)).or_insert_with(first).count += 1;
                    }
                }
            }
            if rows.is_finished() {
                return Ok(());
            }
        }
    }
}

pub fn preview(delivery: &Delivery<'_>) -> io::Result<Preview> {
    let kind = delivery.kind;
    let trust = examine(delivery)?.trust;
    let Ok(mut table) = Table::open(delivery) else { return Ok(Preview { trust, found: None }) };
    let known = [kind.required(), kind.optional()].concat();
    let (columns, unused) = match &table.mapping {
        Some(mapping) => {
            let unused = table.header.iter().filter(|name| !mapping.uses(name)).cloned().collect();
            (mapping.sources(), unused)
        }
        None => {
            let (used, unused): (Vec<_>, Vec<_>) =
                table.header.iter().cloned().partition(|name| known.contains(&name.as_str()));
            (used.into_iter().map(|name| (name.clone(), vec![name])).collect(), unused)
        }
    };
    let mut found = Found {
        layout: table.layout,
        header_line: table.header_line,
        columns,
        unused,
        rows: 0,
        readable: 0,
        refused: BTreeMap::new(),
        first: Vec::new(),
        totals: Vec::new(),
        ended: None,
    };
    // A file that is not text cannot be read further; `trust` says so.
    if trust.as_ref().is_err_and(|error| ![FileCode::Totals, FileCode::Truncated].contains(&error.code)) {
        return Ok(Preview { trust, found: Some(found) });
    }
    // Reading stops at the fault that `trust` reports.
    match found.fill(delivery, &mut table, &known) {
        Err(why) if trust.is_err() => drop(FileError::of(why)?),
        filled => filled?,
    }
    Ok(Preview { trust, found: Some(found) })
}

/// The values of a readable row. Personal values are masked.
fn values(cells: &Cells<'_>, columns: &[&str]) -> Vec<(String, String)> {
    let currency = Currency::parse(cells.raw("currency"));
    let value = |column: &&str| {
        let raw = cells.raw(column);
        let amount = || currency.and_then(|currency| Some((currency.parse_minor(raw).ok()?, currency)));
        let shown = match *column {
            _ if raw.is_empty() => return None,
            "name" | "email" | "approved_by" => MASKED.to_owned(),
            column if is_amount(column) => {
                amount().map_or(raw.to_owned(), |(minor, currency)| format!("{} {currency}", currency.plain(minor)))
            }
            column if is_time(column) && raw.len() > 10 => cells.instant(column).map_or(raw.to_owned(), |at| {
                at.with_timezone(&cells.zone).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
            }),
            _ => raw.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        };
        Some(((*column).to_owned(), shown))
    };
    columns.iter().filter(|column| **column != "currency").filter_map(value).collect()
}
