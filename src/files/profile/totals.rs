//! Compares a file's control totals and end line with its rows. Sums are exact.

use std::sync::Arc;

use csv::StringRecord;
use rust_decimal::Decimal;

use super::{ANY, Condition, Profile, Total, TotalSource};
use crate::domain::intake::code::FileCode;
use crate::files::read::file_error::FileError;
use crate::files::rows::cell::quoted;

/// The totals that a file states, and the sums of its rows.
#[derive(Debug)]
pub struct Audit {
    profile: Arc<Profile>,
    stated: Vec<Option<Statement>>,
    /// A fault that refuses the file whatever its totals are.
    contradiction: Option<FileError>,
    ended: bool,
    found: Vec<Sum>,
}

/// A total that the file states.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    line: u64,
    count: Option<String>,
    /// As written in the file.
    sum: Option<String>,
}

/// The sum of the file's rows for one total.
#[derive(Debug, Default)]
struct Sum {
    /// Indexes of the columns to add up, and of the columns in the condition.
    at: Vec<usize>,
    asked: Vec<(Option<usize>, Vec<String>)>,
    count: i64,
    sum: Decimal,
}

/// A total and its comparison, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub name: String,
    /// `None` if the file does not state the total.
    pub stated: Option<String>,
    pub found: String,
}

impl Audit {
    pub fn new(profile: &Arc<Profile>) -> Audit {
        let found = profile.totals.iter().map(|_| Sum::default()).collect();
        let stated = vec![None; profile.totals.len()];
        Audit { profile: profile.clone(), stated, contradiction: None, ended: false, found }
    }

    /// Finds the columns of the totals in the header.
    pub fn header(&mut self, header: &[String]) {
        let place = |name: &String| header.iter().position(|found| found == name);
        for (sum, total) in self.found.iter_mut().zip(&self.profile.totals) {
            sum.at = total.sum.iter().filter_map(place).collect();
            let Condition(asked) = &total.when;
            sum.asked = asked.iter().map(|(name, values)| (place(name), values.clone())).collect();
        }
    }

    /// Records a line with a total or an end marker. Returns whether the line is one.
    pub fn line(&mut self, number: u64, text: &str) -> bool {
        let profile = self.profile.clone();
        let mut is_known = profile.end_marker.as_ref().is_some_and(|marker| marker.fits(text));
        self.ended |= is_known;
        for (i, total) in profile.totals.iter().enumerate() {
            if let TotalSource::Line(pattern) = &total.source
                && let Some((count, sum)) = pattern.says(text)
            {
                self.state(i, Statement { line: number, count, sum });
                is_known = true;
            }
        }
        is_known
    }

    /// Records the totals in a table: its heading and the line below.
    pub fn table(&mut self, number: u64, heading: &StringRecord, values: &StringRecord) {
        let profile = self.profile.clone();
        let cells = &profile.cells;
        for (i, total) in profile.totals.iter().enumerate() {
            let TotalSource::Column(names) = &total.source else { continue };
            let at = names.iter().find_map(|name| heading.iter().position(|cell| cells.clean(cell) == name));
            let Some(value) = at.and_then(|at| values.get(at)).map(|cell| cells.clean(cell)) else { continue };
            let (count, sum) = match total.sum.is_empty() {
                true => (Some(cells.sum(value).unwrap_or_else(|| value.to_owned())), None),
                false => (None, Some(value.to_owned())),
            };
            self.state(i, Statement { line: number, count, sum });
        }
    }

    fn state(&mut self, i: usize, statement: Statement) {
        match &self.stated[i] {
            Some(before) if self.value_of(before) != self.value_of(&statement) => {
                let (first, second) = (before.line, statement.line);
                let why = format!("lines {first} and {second} contradict each other; create the file again");
                self.contradiction.get_or_insert(FileError::new(FileCode::Totals, &why));
            }
            Some(_) => {}
            None => self.stated[i] = Some(statement),
        }
    }

    /// The value of a statement, however it is written.
    fn value_of(&self, statement: &Statement) -> (Option<String>, Option<String>) {
        let sum = statement.sum.as_ref().map(|sum| self.profile.cells.sum(sum).unwrap_or_else(|| sum.clone()));
        (statement.count.clone(), sum)
    }

    /// Adds a row to the sums. A row after the end is a fault.
    pub fn row(&mut self, number: u64, row: &StringRecord, after_end: bool) {
        if after_end || self.ended {
            let why =
                format!("line {number} is a row after the end of the file; if two files were joined, send each alone");
            self.contradiction.get_or_insert(FileError::new(FileCode::Totals, &why));
        }
        let cells = &self.profile.cells;
        for (sum, total) in self.found.iter_mut().zip(&self.profile.totals) {
            let asked = sum.asked.iter().all(|(at, values)| {
                let cell = cells.clean(at.and_then(|at| row.get(at)).unwrap_or_default());
                values.iter().any(|value| value == cell || value == ANY && !cell.is_empty())
            });
            if !asked {
                continue;
            }
            sum.count += 1;
            let cell = sum.at.iter().map(|at| cells.clean(row.get(*at).unwrap_or_default()));
            let Some(cell) = cell.into_iter().find(|cell| !cell.is_empty()) else { continue };
            let amount = cells.number(cell).and_then(|number| decimal(&number, total.unsigned));
            match amount.and_then(|amount| sum.sum.checked_add(amount)) {
                Some(added) => sum.sum = added,
                None => {
                    let (column, value) = (total.sum.join(" or "), quoted(cell));
                    let why = format!(
                        "line {number}, column {column}, value {value}: not an amount, so the file's totals cannot be compared"
                    );
                    self.contradiction.get_or_insert(FileError::new(FileCode::Totals, &why));
                }
            }
        }
    }

    /// Checks that the file is complete and matches its totals.
    pub fn verdict(&self) -> Result<(), FileError> {
        if let Some(contradiction) = &self.contradiction {
            return Err(contradiction.clone());
        }
        if let Some(marker) = self.profile.end_marker.as_ref().filter(|_| !self.ended) {
            let why =
                format!("the end line {} is missing: the file is incomplete; send it again", quoted(marker.text()));
            return Err(FileError::new(FileCode::Truncated, &why));
        }
        let mut differing = Vec::new();
        for (i, total) in self.profile.totals.iter().enumerate() {
            let Some(stated) = &self.stated[i] else {
                if total.optional {
                    continue;
                }
                let what = match &total.source {
                    TotalSource::Line(pattern) => format!("the line {}", quoted(pattern.text())),
                    TotalSource::Column(names) => format!("the total {}", names.join(" or ")),
                };
                let why = format!("{what} is missing: the file is incomplete; send it again");
                return Err(FileError::new(FileCode::Truncated, &why));
            };
            differing.extend(self.difference(total, stated, &self.found[i]));
        }
        match differing.is_empty() {
            true => Ok(()),
            false => Err(FileError::new(FileCode::Totals, format!("{}; create the file again", differing.join("; ")))),
        }
    }

    fn difference(&self, total: &Total, stated: &Statement, found: &Sum) -> Option<String> {
        let line = stated.line;
        if let Some(count) = stated.count.as_ref().filter(|count| count.parse() != Ok(found.count)) {
            let of = rows_of(&total.when);
            return Some(format!("line {line} states {} rows{of}, but the file has {}", quoted(count), found.count));
        }
        let sum = stated.sum.as_ref()?;
        let cells = &self.profile.cells;
        let amount = cells.sum(sum).and_then(|number| decimal(&number, total.unsigned));
        let but = match amount {
            Some(amount) if amount == found.sum => return None,
            Some(_) => format!("but the rows add up to {}", found.sum),
            None => format!("which is not an amount in this format, such as {}", cells.example()),
        };
        let (column, of) = (total.sum.join(" or "), rows_of(&total.when));
        Some(format!("line {line} states a total of {} for {column}{of}, {but}", quoted(sum)))
    }

    /// Every total, as stated and as found.
    pub fn compared(&self) -> Vec<Compared> {
        let compared = |(i, total): (usize, &Total)| {
            let (stated, found) = (self.stated[i].as_ref(), &self.found[i]);
            let of = rows_of(&total.when);
            let counted = stated.is_some_and(|stated| stated.count.is_some()) || total.sum.is_empty();
            let count = Compared {
                name: format!("rows{of}"),
                stated: stated.and_then(|stated| stated.count.clone()),
                found: found.count.to_string(),
            };
            let sum = Compared {
                name: format!("{}{of}", total.sum.join(" or ")),
                stated: stated.and_then(|stated| stated.sum.clone()),
                found: found.sum.to_string(),
            };
            [counted.then_some(count), (!total.sum.is_empty()).then_some(sum)]
        };
        self.profile.totals.iter().enumerate().flat_map(compared).flatten().collect()
    }

    /// Whether the end line was found; `None` if the format has none.
    pub fn ended(&self) -> Option<bool> {
        self.profile.end_marker.as_ref().map(|_| self.ended)
    }
}

fn decimal(text: &str, unsigned: bool) -> Option<Decimal> {
    let amount = Decimal::from_str_exact(text).ok()?;
    Some(if unsigned { amount.abs() } else { amount })
}

/// ` with 业务类型 交易`.
fn rows_of(when: &Condition) -> String {
    let parts = when.0.iter().map(|(name, values)| format!("{name} {}", values.join(" or ")));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!(" with {}", parts.join(", ")) }
}
