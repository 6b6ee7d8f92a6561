//! A profile and a header put together: where each canonical column of a row comes from. Found once a file; for each row only
//! the cells are looked at.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use csv::StringRecord;

use super::{ANY, Column, Condition, Profile, Rule, Sign};
use crate::domain::facts::fact::PARTS;
use crate::files::cell::{self, Rejection};
use crate::files::incoming::Kind;

/// The code of rows that a profile sets aside.
pub const SET_ASIDE: &str = "SET_ASIDE";

/// Whether rows that are refused with a code are in good order: there is nothing to be mended, and nothing to be recorded.
pub fn is_declined(code: &str) -> bool {
    matches!(code, SET_ASIDE | cell::NO_AMOUNT)
}

/// How the rows of a file are read.
#[derive(Debug)]
pub struct Mapping {
    profile: std::sync::Arc<Profile>,
    /// Canonical names, in the order in which a row is given.
    names: Vec<String>,
    /// The sender's names.
    header: Vec<String>,
    base: Vec<Bound>,
    variants: Vec<(Asked, Vec<Bound>)>,
    set_aside: Vec<(Asked, Asked, String)>,
}

/// A rule and the places in the file of the columns it names, of those that are there.
#[derive(Debug, Clone)]
struct Bound {
    at: Vec<usize>,
    /// Those that its key is unique within.
    within: Vec<usize>,
    rule: Rule,
}

/// A condition, by places. A column that is not there is empty.
#[derive(Debug)]
struct Asked(Vec<(Option<usize>, Vec<String>)>);

/// A row in canonical columns. Kept from row to row, so that its memory is used again.
#[derive(Debug, Default)]
pub struct Read {
    pub cells: StringRecord,
    /// For each of them, the place of the sender's cell.
    pub from: Vec<Option<usize>>,
}

impl Mapping {
    /// None: the file lacks a column that its kind needs. The answer names canonical columns and what could be theirs.
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
            Asked(condition.0.iter().map(place).collect())
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
        for asked in not_to_be_asked(profile, header) {
            // What is told with our own name is told.
            if !missing.iter().any(|told| told.starts_with(&asked)) {
                missing.push(asked);
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

    /// Canonical names, in the order of the cells of a row that was read.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns of the file that are read, with what they are read as.
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

    /// Whether a column of the file plays a part, also in telling rows apart.
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
        // Only now, so that a row that is not taken still has its key.
        for (when, unless, why) in &self.set_aside {
            if self.fits(when, row) && (unless.0.is_empty() || !self.fits(unless, row)) {
                let message = format!("{why}; the profile {} sets such rows aside", self.profile.name);
                return Err(Rejection::new(SET_ASIDE, message));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// A key with what it is unique within in front of it. The sign between them is in none of those, so that two keys are
    /// never joined to the same.
    fn whole_key<'r>(
        &self,
        bound: &Bound,
        row: &StringRecord,
        key: Cow<'r, str>,
    ) -> Result<Cow<'r, str>, (&'static str, String)> {
        if bound.within.is_empty() || key.is_empty() {
            return Ok(key);
        }
        let mut whole = String::new();
        for at in &bound.within {
            let (value, column) = (self.profile.cells.clean(row.get(*at).unwrap_or_default()), &self.header[*at]);
            if value.is_empty() {
                return Err((
                    "MISSING_VALUE",
                    format!("is unique within {column} only, which is empty; it is required"),
                ));
            }
            if value.contains(PARTS) {
                let value = cell::quoted(value);
                return Err((
                    "BAD_KEY",
                    format!("is unique within {column} only, and {value} has a {PARTS}; write it without"),
                ));
            }
            whole.push_str(value);
            whole.push(PARTS);
        }
        Ok(Cow::Owned(whole + &key))
    }

    /// The sender's column and the cleaned cell that a rule takes.
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

    /// What a cell means, in canonical form; or the code and the words to refuse it with.
    fn meant<'r>(&self, name: &str, rule: &'r Rule, value: &'r str) -> Result<Cow<'r, str>, (&'static str, String)> {
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
                    Err(("BAD_VALUE", format!("the profile {} knows {}", self.profile.name, known.join(", "))))
                }
            };
        }
        if is_amount(name) {
            let cells = &self.profile.cells;
            let Some(number) = cells.number(&value) else {
                return Err((
                    "BAD_AMOUNT",
                    format!("not an amount as this format writes them, such as {}", cells.example()),
                ));
            };
            let number = self.without_zeros(rule, number);
            let is_zero = number.chars().all(|c| matches!(c, '0' | '.'));
            return match (rule.sign, number.strip_prefix('-')) {
                (Sign::Turned | Sign::Dropped | Sign::Reversed, Some(positive)) => Ok(Cow::Owned(positive.to_owned())),
                (Sign::Turned, None) if !is_zero => {
                    Err(("BAD_AMOUNT", "this format writes such amounts with a minus, and here is none".to_owned()))
                }
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
                    Err(("BAD_TIME", format!("write it like {}, with a date that exists", forms.join(" or "))))
                }
            };
        }
        Ok(value)
    }

    /// An amount of a format that always writes the same number of digits behind the point, without those that say nothing: a
    /// currency has fewer. Where nobody says so, they may be thousands, and are left.
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

    fn fits(&self, asked: &Asked, row: &StringRecord) -> bool {
        asked.0.iter().all(|(at, values)| {
            let cell = at.and_then(|at| row.get(at)).unwrap_or_default();
            let cell = self.profile.cells.clean(cell);
            values.iter().any(|value| value == cell || value == ANY && !cell.is_empty())
        })
    }
}

/// What a header lacks of the columns that tell rows apart or are added up. A rule that asks for one of those would be about
/// no row, and nobody would notice.
fn not_to_be_asked(profile: &Profile, header: &[String]) -> Vec<String> {
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

/// How a time in a form of `chrono`'s looks. None: not even its day can be read from it again.
pub fn example_of(form: &str) -> Option<String> {
    let at = NaiveDate::from_ymd_opt(2026, 3, 9)?.and_hms_opt(14, 30, 0)?.and_utc();
    let example = at.format(form).to_string();
    canonical_time(&example, form).filter(|read| read.starts_with("2026-03-09")).map(|_| example)
}

/// A time written in a form of `chrono`'s, as canonical files write it.
fn canonical_time(text: &str, form: &str) -> Option<String> {
    if let Ok(at) = DateTime::parse_from_str(text, form) {
        return Some(at.to_rfc3339());
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
        return Some(at.format("%Y-%m-%d %H:%M:%S").to_string());
    }
    NaiveDate::parse_from_str(text, form).ok().map(|day| day.to_string())
}
