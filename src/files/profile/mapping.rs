//! Combines a profile with a file's header: for each canonical column, the indexes of the sender's columns. Built once per
//! file; reading a row only looks up cells.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use csv::StringRecord;

use super::{ANY, Column, Condition, Profile, Rule, Sign};
use crate::domain::facts::fact::PARTS;
use crate::domain::intake::code::RowCode;
use crate::files::rows::Kind;
use crate::files::rows::cell::{self, Rejection};

/// How the rows of a file are read.
#[derive(Debug)]
pub struct Mapping {
    profile: std::sync::Arc<Profile>,
    /// Canonical names, in the order of the cells.
    names: Vec<String>,
    /// The sender's names.
    header: Vec<String>,
    base: Vec<Bound>,
    variants: Vec<(BoundCondition, Vec<Bound>)>,
    set_aside: Vec<(BoundCondition, BoundCondition, String)>,
}

/// A rule with the indexes of its columns in the file, as far as the file has them.
#[derive(Debug, Clone)]
struct Bound {
    at: Vec<usize>,
    /// The columns within which its key is unique.
    within: Vec<usize>,
    rule: Rule,
}

/// A condition with the indexes of its columns. A missing column counts as empty.
#[derive(Debug)]
struct BoundCondition(Vec<(Option<usize>, Vec<String>)>);

/// A row in canonical columns. Reused from row to row to save allocations.
#[derive(Debug, Default)]
pub struct Read {
    pub cells: StringRecord,
    /// For each cell, the index of the sender's cell.
    pub from: Vec<Option<usize>>,
}

impl Mapping {
    /// The error lists the required columns that the header lacks, each with the sender's names for it.
    pub fn of(profile: &std::sync::Arc<Profile>, kind: Kind, header: &[String]) -> Result<Mapping, Vec<String>> {
        let own: Vec<Column>;
        let columns = match &profile.columns {
            Some(columns) => columns,
            None => {
                let as_it_is = |name: &String| {
                    let rule = Rule { from: vec![name.clone()], ..Rule::default() };
                    Column { name: name.clone(), rule }
                };
                own = header.iter().map(as_it_is).collect();
                &own
            }
        };
        let mut names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        for column in profile.variants.iter().flat_map(|variant| &variant.columns) {
            if !names.contains(&column.name) {
                names.push(column.name.clone());
            }
        }
        let bind = |overriding: &[Column]| -> Vec<Bound> {
            let rule = |name: &String| {
                let of = |columns: &[Column]| columns.iter().find(|column| column.name == *name).cloned();
                of(overriding).or_else(|| of(columns)).map(|column| column.rule).unwrap_or_default()
            };
            let bound = |rule: Rule| {
                let places = |names: &[String]| {
                    names.iter().filter_map(|name| header.iter().position(|found| found == name)).collect()
                };
                Bound { at: places(&rule.from), within: places(&rule.within), rule }
            };
            names.iter().map(|name| bound(rule(name))).collect()
        };
        let asked = |condition: &Condition| {
            let place = |(name, values): &(String, Vec<String>)| {
                (header.iter().position(|found| found == name), values.clone())
            };
            BoundCondition(condition.0.iter().map(place).collect())
        };
        let base = bind(&[]);
        let is_there = |condition: &Condition| condition.0.iter().all(|(name, _)| header.contains(name));
        let variants = profile.variants.iter().filter(|variant| !variant.optional || is_there(&variant.when));
        let variants: Vec<_> = variants.map(|variant| (asked(&variant.when), bind(&variant.columns))).collect();
        let set_aside = profile.set_aside.iter();
        let set_aside = set_aside.filter(|row| !row.optional || is_there(&row.when) && is_there(&row.unless));
        let set_aside = set_aside.map(|row| (asked(&row.when), asked(&row.unless), row.why.clone())).collect();
        let mapping = Mapping { profile: profile.clone(), names, header: header.to_vec(), base, variants, set_aside };
        let mut missing = mapping.missing(kind, columns);
        for column in missing_in_conditions(profile, header) {
            // A column that is already listed with its canonical name is not listed again.
            if !missing.iter().any(|listed| listed.starts_with(&column)) {
                missing.push(column);
            }
        }
        if missing.is_empty() { Ok(mapping) } else { Err(missing) }
    }

    fn missing(&self, kind: Kind, columns: &[Column]) -> Vec<String> {
        let mut missing = Vec::new();
        for required in kind.required() {
            let at = self.names.iter().position(|name| name == required);
            let all = std::iter::once(&self.base).chain(self.variants.iter().map(|(_, bound)| bound));
            let is_there = |bound: &Bound| !bound.at.is_empty() || bound.rule.constant.is_some();
            if at.is_some_and(|at| all.clone().any(|bound| is_there(&bound[at]))) {
                continue;
            }
            let from =
                columns.iter().find(|column| column.name == *required).map(|column| column.rule.from.join(" or "));
            missing.push(match from {
                Some(from) if from != *required => format!("{from} ({required})"),
                _ => (*required).to_owned(),
            });
        }
        missing
    }

    /// Canonical names, in the order of the cells of a row.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The canonical columns, each with the columns of the file it is read from.
    pub fn sources(&self) -> Vec<(String, Vec<String>)> {
        let mut sources = Vec::new();
        for (i, name) in self.names.iter().enumerate() {
            let mut from: Vec<String> = Vec::new();
            for bound in std::iter::once(&self.base).chain(self.variants.iter().map(|(_, bound)| bound)) {
                let columns = bound[i].at.iter().map(|at| self.header[*at].clone());
                let constant = bound[i].rule.constant.iter().map(|value| format!("always {value:?}"));
                for source in columns.chain(constant) {
                    if !from.contains(&source) {
                        from.push(source);
                    }
                }
            }
            sources.push((name.clone(), from));
        }
        sources
    }

    /// Whether a column of the file is used, in a value or in a condition.
    pub fn uses(&self, column: &str) -> bool {
        let at = self.header.iter().position(|name| name == column);
        let bound = std::iter::once(&self.base).chain(self.variants.iter().map(|(_, bound)| bound)).flatten();
        let asked = self.variants.iter().map(|(asked, _)| asked);
        let asked = asked.chain(self.set_aside.iter().flat_map(|(when, unless, _)| [when, unless]));
        bound.flat_map(|bound| bound.at.iter().chain(&bound.within)).any(|used| Some(*used) == at)
            || asked.flat_map(|asked| &asked.0).any(|(used, _)| *used == at)
    }

    /// Reads a row into canonical columns.
    pub fn read(&self, row: &StringRecord, into: &mut Read) -> Result<(), Rejection> {
        into.cells.clear();
        into.from.clear();
        let rules =
            self.variants.iter().find(|(asked, _)| self.fits(asked, row)).map_or(&self.base, |(_, rules)| rules);
        let mut refused = None;
        for (name, bound) in self.names.iter().zip(rules) {
            let (at, value) = self.value(bound, row);
            into.from.push(at);
            let wrong = |code, why: String| {
                let raw = at.and_then(|at| row.get(at)).unwrap_or_default().trim();
                let column = cell::named(at.map_or(name, |at| &self.header[at]), name);
                Rejection::new(code, format!("column {column}, value {}: {why}", cell::quoted(raw)))
            };
            let meant = self.meant(name, &bound.rule, value).and_then(|key| self.whole_key(bound, row, key));
            match meant {
                Ok(text) => into.cells.push_field(&text),
                Err((code, why)) => {
                    into.cells.push_field(value);
                    refused.get_or_insert(wrong(code, why));
                }
            }
        }
        // Set rows aside last, so that the key of such a row is known.
        for (when, unless, why) in &self.set_aside {
            if self.fits(when, row) && (unless.0.is_empty() || !self.fits(unless, row)) {
                let message = format!("{why}; the profile {} sets such rows aside", self.profile.name);
                return Err(Rejection::new(RowCode::SetAside, message));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// A key with the values in front of it within which it is unique. The separator occurs in none of these values, so that
    /// two different keys cannot be joined to the same text.
    fn whole_key<'r>(
        &self,
        bound: &Bound,
        row: &StringRecord,
        key: Cow<'r, str>,
    ) -> Result<Cow<'r, str>, (RowCode, String)> {
        if bound.within.is_empty() || key.is_empty() {
            return Ok(key);
        }
        let mut whole = String::new();
        for at in &bound.within {
            let (value, column) = (self.profile.cells.clean(row.get(*at).unwrap_or_default()), &self.header[*at]);
            if value.is_empty() {
                return Err((
                    RowCode::MissingValue,
                    format!("is unique only within {column}, which is empty; {column} is required"),
                ));
            }
            if value.contains(PARTS) {
                let value = cell::quoted(value);
                return Err((
                    RowCode::BadKey,
                    format!("is unique only within {column}, whose value {value} contains {PARTS}; remove it"),
                ));
            }
            whole.push_str(value);
            whole.push(PARTS);
        }
        Ok(Cow::Owned(whole + &key))
    }

    /// The sender's column that a rule takes, and its cleaned cell.
    fn value<'r>(&'r self, bound: &'r Bound, row: &'r StringRecord) -> (Option<usize>, &'r str) {
        if let Some(constant) = &bound.rule.constant {
            return (None, constant);
        }
        for at in &bound.at {
            let value = self.profile.cells.clean(row.get(*at).unwrap_or_default());
            if !value.is_empty() && !bound.rule.nothing.iter().any(|word| word == value) {
                return (Some(*at), value);
            }
        }
        (bound.at.first().copied(), "")
    }

    /// A cell's meaning in canonical form, or the code and message of its rejection.
    fn meant<'r>(&self, name: &str, rule: &'r Rule, value: &'r str) -> Result<Cow<'r, str>, (RowCode, String)> {
        if value.is_empty() || rule.constant.is_some() {
            return Ok(Cow::Borrowed(value));
        }
        let value =
            rule.until.as_ref().and_then(|until| value.split_once(until.as_str())).map_or(value, |(value, _)| value);
        let mut value = Cow::Borrowed(value);
        for (written, meant) in &rule.replace {
            if value.contains(written.as_str()) {
                value = Cow::Owned(value.replace(written.as_str(), meant));
            }
        }
        if !rule.words.is_empty() {
            return match rule.words.iter().find(|(written, _)| *written == *value) {
                Some((_, meant)) => Ok(Cow::Borrowed(meant)),
                None => {
                    let known: Vec<&str> = rule.words.iter().map(|(written, _)| written.as_str()).collect();
                    Err((
                        RowCode::BadValue,
                        format!("not a known word; the profile {} knows {}", self.profile.name, known.join(", ")),
                    ))
                }
            };
        }
        if is_amount(name) {
            let cells = &self.profile.cells;
            let Some(number) = cells.number(&value) else {
                return Err((RowCode::BadAmount, format!("not an amount in this format, such as {}", cells.example())));
            };
            let number = self.without_zeros(rule, number);
            let is_zero = number.chars().all(|c| matches!(c, '0' | '.'));
            return match (rule.sign, number.strip_prefix('-')) {
                (Sign::Turned | Sign::Dropped | Sign::Reversed, Some(positive)) => Ok(Cow::Owned(positive.to_owned())),
                (Sign::Turned, None) if !is_zero => Err((
                    RowCode::BadAmount,
                    "this format writes these amounts with a minus, which is missing".to_owned(),
                )),
                (Sign::Reversed, None) if !is_zero => Ok(Cow::Owned(format!("-{number}"))),
                _ => Ok(Cow::Owned(number)),
            };
        }
        if is_time(name) && !self.profile.times.is_empty() {
            let mut forms = self.profile.times.iter();
            return match forms.find_map(|form| canonical_time(&value, form)) {
                Some(time) => Ok(Cow::Owned(time)),
                None if cell::is_canonical_time(&value) => Ok(value),
                None => {
                    let forms: Vec<String> = self.profile.times.iter().filter_map(|form| example_of(form)).collect();
                    Err((RowCode::BadTime, format!("write it like {}, with a date that exists", forms.join(" or "))))
                }
            };
        }
        Ok(value)
    }

    /// Removes trailing zero decimals if the profile declares that the format always writes the same number of decimals; the
    /// currency may have fewer. Without this declaration the point could be a thousands separator, so nothing is removed.
    fn without_zeros(&self, rule: &Rule, number: String) -> String {
        let is_declared = |fraction: &str| {
            self.profile.cells.minor_digits.is_some() || rule.decimals.is_some_and(|digits| digits == fraction.len())
        };
        match number.split_once('.') {
            Some((_, fraction)) if is_declared(fraction) => {
                number.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => number,
        }
    }

    fn fits(&self, condition: &BoundCondition, row: &StringRecord) -> bool {
        condition.0.iter().all(|(at, values)| {
            let cell = at.and_then(|at| row.get(at)).unwrap_or_default();
            let cell = self.profile.cells.clean(cell);
            values.iter().any(|value| value == cell || value == ANY && !cell.is_empty())
        })
    }
}

/// The columns of conditions and totals that a header lacks. Without them, a condition would silently match no row.
fn missing_in_conditions(profile: &Profile, header: &[String]) -> Vec<String> {
    let variants = profile.variants.iter().filter(|variant| !variant.optional).map(|variant| &variant.when);
    let set_aside = profile.set_aside.iter().filter(|row| !row.optional).flat_map(|row| [&row.when, &row.unless]);
    let totals = || profile.totals.iter().filter(|total| !total.optional);
    let conditions = variants.chain(set_aside).chain(totals().map(|total| &total.when));
    let asked = conditions.flat_map(|condition| &condition.0).map(|(name, _)| std::slice::from_ref(name));
    let rules = profile.columns.iter().chain(profile.variants.iter().map(|variant| &variant.columns)).flatten();
    let within = rules.flat_map(|column| &column.rule.within).map(std::slice::from_ref);
    let summed = totals().map(|total| total.sum.as_slice()).filter(|names| !names.is_empty());
    let mut lacking = Vec::new();
    for names in asked.chain(within).chain(summed).filter(|names| !names.iter().any(|name| header.contains(name))) {
        let names = names.join(" or ");
        if !lacking.contains(&names) {
            lacking.push(names);
        }
    }
    lacking
}

/// Canonical columns that hold amounts.
pub fn is_amount(column: &str) -> bool {
    matches!(column, "amount" | "fee")
}

/// Canonical columns that hold days or times.
pub fn is_time(column: &str) -> bool {
    column == "at" || column.ends_with("_at") || column.ends_with("_on")
}

/// An example of a time in a `chrono` format; `None` if the format does not determine the day.
pub fn example_of(form: &str) -> Option<String> {
    let at = NaiveDate::from_ymd_opt(2026, 3, 9)?.and_hms_opt(14, 30, 0)?.and_utc();
    let example = at.format(form).to_string();
    canonical_time(&example, form).filter(|read| read.starts_with("2026-03-09")).map(|_| example)
}

/// Converts a time in a `chrono` format to the canonical format.
fn canonical_time(text: &str, form: &str) -> Option<String> {
    if let Ok(at) = DateTime::parse_from_str(text, form) {
        return Some(at.to_rfc3339());
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
        return Some(at.format("%Y-%m-%d %H:%M:%S").to_string());
    }
    NaiveDate::parse_from_str(text, form).ok().map(|day| day.to_string())
}
