//! How a file would be read, for whoever sends it or writes a profile for it. Nothing is recorded, and nothing is kept but
//! counts and a few rows.

use std::collections::BTreeMap;
use std::io;

use csv::StringRecord;

use super::cell::Cells;
use super::container::Delivery;
use super::distrust::Distrust;
use super::profile::mapping::{SET_ASIDE, is_amount, is_declined, is_time};
use super::profile::totals::Compared;
use super::reader::{Rows, examine};
use super::table::{Layout, Table};
use crate::domain::money::Currency;

/// Rows that are shown.
const SHOWN: usize = 3;

/// Rows that are read at a time.
const CHUNK: usize = 5_000;

/// What stands in place of personal values.
const MASKED: &str = "•••";

#[derive(Debug)]
pub struct Look {
    /// Whether any of its rows would count.
    pub trust: Result<(), Distrust>,
    /// None: no header was found.
    pub found: Option<Found>,
}

/// What a file with a header holds.
#[derive(Debug)]
pub struct Found {
    pub layout: Layout,
    pub header_line: u64,
    /// Canonical columns, each with what it is read from.
    pub columns: Vec<(String, Vec<String>)>,
    /// Columns of the file that play no part.
    pub unused: Vec<String>,
    pub rows: i64,
    pub readable: i64,
    /// Rows that are not readable, by code; those that the profile sets aside also by why.
    pub refused: BTreeMap<(&'static str, String), Refused>,
    /// The first rows by line, with their values.
    pub first: Vec<(i64, Vec<(String, String)>)>,
    pub totals: Vec<Compared>,
    /// Whether the line at the end was there, if the format has one.
    pub ended: Option<bool>,
}

/// Rows that one code is about, and the first of them.
#[derive(Debug)]
pub struct Refused {
    pub count: i64,
    pub line: i64,
    pub message: String,
}

impl Found {
    /// Rows that could not be read, not counting those that the profile sets aside.
    pub fn rejected(&self) -> i64 {
        self.rows - self.readable - self.set_aside()
    }

    pub fn set_aside(&self) -> i64 {
        self.refused.iter().filter(|((code, _), _)| is_declined(code)).map(|(_, refused)| refused.count).sum()
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
                        let reason = if why.code == SET_ASIDE { why.message.clone() } else { String::new() };
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

pub fn look(delivery: &Delivery<'_>) -> io::Result<Look> {
    let kind = delivery.kind;
    let trust = examine(delivery)?.trust;
    let Ok(mut table) = Table::open(delivery) else { return Ok(Look { trust, found: None }) };
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
    // What is no text can't be read on; that was told.
    if trust.as_ref().is_err_and(|distrust| !["FILE_TOTALS", "FILE_TRUNCATED"].contains(&distrust.code)) {
        return Ok(Look { trust, found: Some(found) });
    }
    // What stops the reading is what the file is not trusted for.
    match found.fill(delivery, &mut table, &known) {
        Err(why) if trust.is_err() => drop(Distrust::of(why)?),
        filled => filled?,
    }
    Ok(Look { trust, found: Some(found) })
}

/// The values of a readable row, personal ones hidden.
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
