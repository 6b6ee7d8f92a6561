//! What a file says of itself, against what it holds: control totals and the line at its end. Sums are exact.

use std::sync::Arc;

use csv::StringRecord;
use rust_decimal::Decimal;

use super::{ANY, Condition, Profile, Said, Total};
use crate::files::cell::quoted;
use crate::files::distrust::Distrust;

/// What was come across of a file.
#[derive(Debug)]
pub struct Audit {
    profile: Arc<Profile>,
    said: Vec<Option<Statement>>,
    /// What stands against the file whatever its totals are.
    contradiction: Option<Distrust>,
    ended: bool,
    found: Vec<Sum>,
}

/// What a file says in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    line: u64,
    count: Option<String>,
    /// As it is written.
    sum: Option<String>,
}

/// What it holds.
#[derive(Debug, Default)]
struct Sum {
    /// Places of the columns added up, and of those that are asked for.
    at: Vec<usize>,
    asked: Vec<(Option<usize>, Vec<String>)>,
    count: i64,
    sum: Decimal,
}

/// One total and what became of it, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub name: String,
    /// None: the file does not say it.
    pub said: Option<String>,
    pub found: String,
}

impl Audit {
    pub fn new(profile: &Arc<Profile>) -> Audit {
        let found = profile.totals.iter().map(|_| Sum::default()).collect();
        let said = vec![None; profile.totals.len()];
        Audit { profile: profile.clone(), said, contradiction: None, ended: false, found }
    }

    /// Tells where the columns are that totals are about.
    pub fn header(&mut self, header: &[String]) {
        let place = |name: &String| header.iter().position(|found| found == name);
        for (sum, total) in self.found.iter_mut().zip(&self.profile.totals) {
            sum.at = total.sum.iter().filter_map(place).collect();
            let Condition(asked) = &total.when;
            sum.asked = asked.iter().map(|(name, values)| (place(name), values.clone())).collect();
        }
    }

    /// Takes note of a line if it is one that says something of the file, and tells whether it is.
    pub fn line(&mut self, number: u64, text: &str) -> bool {
        let profile = self.profile.clone();
        let mut is_known = profile.end_marker.as_ref().is_some_and(|marker| marker.fits(text));
        self.ended |= is_known;
        for (i, total) in profile.totals.iter().enumerate() {
            if let Said::Line(pattern) = &total.said
                && let Some((count, sum)) = pattern.says(text)
            {
                self.state(i, Statement { line: number, count, sum });
                is_known = true;
            }
        }
        is_known
    }

    /// The heading of a table of totals and the line below it.
    pub fn table(&mut self, number: u64, heading: &StringRecord, values: &StringRecord) {
        let profile = self.profile.clone();
        let cells = &profile.cells;
        for (i, total) in profile.totals.iter().enumerate() {
            let Said::Column(names) = &total.said else { continue };
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
        match &self.said[i] {
            Some(before) if self.said_in(before) != self.said_in(&statement) => {
                let (first, second) = (before.line, statement.line);
                let why =
                    format!("lines {first} and {second} say different totals of the same; have the file made again");
                self.contradiction.get_or_insert(Distrust::new("FILE_TOTALS", &why));
            }
            Some(_) => {}
            None => self.said[i] = Some(statement),
        }
    }

    /// What a statement says, however it is written.
    fn said_in(&self, statement: &Statement) -> (Option<String>, Option<String>) {
        let sum = statement.sum.as_ref().map(|sum| self.profile.cells.sum(sum).unwrap_or_else(|| sum.clone()));
        (statement.count.clone(), sum)
    }

    /// A row, if the file had not ended before it.
    pub fn row(&mut self, number: u64, row: &StringRecord, after_end: bool) {
        if after_end || self.ended {
            let why =
                format!("line {number} is a row after the file's end; two files may have been joined: send each alone");
            self.contradiction.get_or_insert(Distrust::new("FILE_TOTALS", &why));
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
                        "line {number}, column {column}, value {value}: no amount, so that the file's totals cannot be compared"
                    );
                    self.contradiction.get_or_insert(Distrust::new("FILE_TOTALS", &why));
                }
            }
        }
    }

    /// Whether the file is whole and holds what it says.
    pub fn verdict(&self) -> Result<(), Distrust> {
        if let Some(contradiction) = &self.contradiction {
            return Err(contradiction.clone());
        }
        if let Some(marker) = self.profile.end_marker.as_ref().filter(|_| !self.ended) {
            let why = format!(
                "the line {} at its end is missing: the file is not whole; send it again",
                quoted(marker.text())
            );
            return Err(Distrust::new("FILE_TRUNCATED", &why));
        }
        let mut differing = Vec::new();
        for (i, total) in self.profile.totals.iter().enumerate() {
            let Some(said) = &self.said[i] else {
                if total.optional {
                    continue;
                }
                let what = match &total.said {
                    Said::Line(pattern) => format!("the line {}", quoted(pattern.text())),
                    Said::Column(names) => format!("the total {}", names.join(" or ")),
                };
                let why = format!("{what} is missing: the file is not whole; send it again");
                return Err(Distrust::new("FILE_TRUNCATED", &why));
            };
            differing.extend(self.difference(total, said, &self.found[i]));
        }
        match differing.is_empty() {
            true => Ok(()),
            false => Err(Distrust::new("FILE_TOTALS", format!("{}; have the file made again", differing.join("; ")))),
        }
    }

    fn difference(&self, total: &Total, said: &Statement, found: &Sum) -> Option<String> {
        let line = said.line;
        if let Some(count) = said.count.as_ref().filter(|count| count.parse() != Ok(found.count)) {
            let of = rows_of(&total.when);
            return Some(format!("line {line} says {} rows{of}, the file has {}", quoted(count), found.count));
        }
        let sum = said.sum.as_ref()?;
        let cells = &self.profile.cells;
        let amount = cells.sum(sum).and_then(|number| decimal(&number, total.unsigned));
        let but = match amount {
            Some(amount) if amount == found.sum => return None,
            Some(_) => format!("the rows come to {}", found.sum),
            None => format!("which is no amount as this format writes them, such as {}", cells.example()),
        };
        let (column, of) = (total.sum.join(" or "), rows_of(&total.when));
        Some(format!("line {line} says {} in all of {column}{of}, {but}", quoted(sum)))
    }

    /// Every total with what the file says and what it holds.
    pub fn compared(&self) -> Vec<Compared> {
        let compared = |(i, total): (usize, &Total)| {
            let (said, found) = (self.said[i].as_ref(), &self.found[i]);
            let of = rows_of(&total.when);
            let counted = said.is_some_and(|said| said.count.is_some()) || total.sum.is_empty();
            let count = Compared {
                name: format!("rows{of}"),
                said: said.and_then(|said| said.count.clone()),
                found: found.count.to_string(),
            };
            let sum = Compared {
                name: format!("{}{of}", total.sum.join(" or ")),
                said: said.and_then(|said| said.sum.clone()),
                found: found.sum.to_string(),
            };
            [counted.then_some(count), (!total.sum.is_empty()).then_some(sum)]
        };
        self.profile.totals.iter().enumerate().flat_map(compared).flatten().collect()
    }

    /// Whether the line at the end was there; none if the format has none.
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
