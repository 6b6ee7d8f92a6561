//! Profile files: how to read another system's format. Inconsistent profiles are refused.

mod columns;
mod one_or_more;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use chrono::format::{Item, StrftimeItems};
use schemars::JsonSchema;
use serde::Deserialize;

use self::columns::{RawSource, of_columns};
use self::one_or_more::OneOrMore;
use super::toml::{Problems, Rules, join, read_as, wrong};
use crate::files::profile::cells::CellRules;
use crate::files::profile::{Condition, Header, Pattern, Profile, SetAside, Total, TotalSource, Variant, mapping};
use crate::files::read::encoding::Encoding;
use crate::files::rows::Kind;

/// How files of a format are read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProfile {
    /// What the format is, for people.
    #[expect(dead_code, reason = "for whoever reads the file")]
    about: String,
    /// What the rows are, once they are read; needed where columns are named.
    kind: Option<Kind>,
    /// utf-8, gb18030 (holds GBK) or utf-16; of several, the first under which the header is found.
    #[serde(default = "utf8")]
    encoding: OneOrMore<Encoding>,
    /// One sign, or "tab"; of several, the first under which the header is found.
    #[serde(default = "comma")]
    delimiter: OneOrMore<String>,
    /// The sign that cells with delimiters stand in, or "none".
    #[serde(default = "quote")]
    quote: String,
    /// Lines before the header, if there are always as many.
    skip_lines: Option<u64>,
    /// The header is the first line that has the columns.
    #[serde(default)]
    find_header: bool,
    /// What lines begin with that are not rows.
    comment: Option<String>,
    /// Rows may end in further empty cells.
    #[serde(default)]
    empty_ends: bool,
    /// What is taken off cells before they are read.
    #[serde(default)]
    cells: RawCells,
    /// Forms of days and times besides the canonical ones, such as "%d/%m/%Y %H:%M".
    #[serde(default)]
    times: Vec<String>,
    /// Where canonical columns come from: a column, several of which the first that has a value counts, or a rule.
    columns: Option<BTreeMap<String, RawSource>>,
    /// Rows in which some columns come from elsewhere; the first that fits counts.
    #[serde(default, rename = "variant")]
    variants: Vec<RawVariant>,
    /// Rows that are not taken, and why.
    #[serde(default)]
    set_aside: Vec<RawSetAside>,
    /// A column of the table of totals that stands before or after the rows.
    totals_heading: Option<String>,
    /// Control totals.
    #[serde(default, rename = "total")]
    totals: Vec<RawTotal>,
    /// A line that a whole file has after its rows; * stands for anything.
    end_marker: Option<String>,
}

fn utf8() -> OneOrMore<Encoding> {
    OneOrMore::One(Encoding::Utf8)
}

fn comma() -> OneOrMore<String> {
    OneOrMore::One(",".to_owned())
}

fn quote() -> String {
    "\"".to_owned()
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct RawCells {
    /// Signs taken off both ends of a cell, besides blanks and tabs.
    #[serde(default)]
    trim: String,
    /// Words for nothing.
    #[serde(default)]
    nothing: Vec<String>,
    /// Stands between groups of three digits of an amount.
    thousands: Option<String>,
    /// Stands where an amount should have its point.
    decimal: Option<String>,
    /// What may stand before or after an amount, such as ¥.
    #[serde(default)]
    signs: Vec<String>,
    /// Amounts are whole numbers, and so many of their last digits stand behind the point: 1250 is 12.50 with 2.
    minor_digits: Option<usize>,
    /// What every cell of a row begins with. A delimiter without it after it is part of a cell.
    mark: Option<String>,
}

type RawCondition = BTreeMap<String, OneOrMore<String>>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawVariant {
    /// Columns and the values of which one must stand there; "" is nothing, "*" anything else.
    when: RawCondition,
    /// A file may lack these columns; then no row is such a row.
    #[serde(default)]
    optional: bool,
    /// What comes from elsewhere in such rows.
    columns: BTreeMap<String, RawSource>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawSetAside {
    /// Columns and the values of which one must stand there; "" is nothing, "*" anything else.
    #[serde(default)]
    when: RawCondition,
    /// But not rows with these.
    #[serde(default)]
    unless: RawCondition,
    /// What such rows are; the acknowledgement says it.
    why: String,
    /// A file may lack these columns; then no row is such a row.
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawTotal {
    /// The line it stands in, with {count} for the number of rows, {sum} for the sum and * for anything.
    line: Option<String>,
    /// Its column in the table of totals, or several names for it.
    column: Option<OneOrMore<String>>,
    /// The column added up, or several names for it; without it rows are counted.
    sum: Option<OneOrMore<String>>,
    /// Only rows with these values count.
    #[serde(default)]
    when: RawCondition,
    /// Signs do not count.
    #[serde(default)]
    unsigned: bool,
    /// A file without it is whole all the same.
    #[serde(default)]
    optional: bool,
}

pub fn parse(name: &str, path: &Path, text: &str, problems: &mut Problems) -> Option<Arc<Profile>> {
    let (raw, document) = read_as::<RawProfile>(path, text, problems)?;
    let before = problems.count();
    let profile = raw.resolve(name, &mut Rules::new(&document, problems));
    (problems.count() == before).then_some(Arc::new(profile))
}

impl RawProfile {
    /// Converts the profile. The result is usable only if no problem was noted.
    fn resolve(self, name: &str, rules: &mut Rules) -> Profile {
        let delimiters: Vec<u8> =
            self.delimiter.all().iter().filter_map(|text| rules.keep("delimiter", delimiter(text))).collect();
        let quote = rules.keep("quote", quote_sign(&self.quote)).flatten();
        let encodings = self.encoding.all();
        for (key, is_empty) in [("encoding", encodings.is_empty()), ("delimiter", delimiters.is_empty())] {
            if is_empty {
                rules.refuse(key, "is empty; write at least one");
            }
        }
        if self.find_header && self.skip_lines.is_some() {
            rules.refuse(
                "skip_lines",
                "the header is found by its columns already; leave one of skip_lines and find_header out",
            );
        }
        if self.comment.as_deref() == Some("") {
            rules.refuse("comment", "is empty, so that every line would be one; write what such lines begin with");
        }
        let cells = rules.keep("cells", self.cells.resolve()).unwrap_or_default();
        for (i, form) in self.times.iter().enumerate() {
            rules.keep(&format!("times[{i}]"), time_form(form));
        }
        if self.columns.is_some() && self.kind.is_none() {
            rules.refuse("kind", "is missing; columns are those of a kind: write which, such as kind = \"bills\"");
        }
        if self.columns.is_none() && !self.variants.is_empty() {
            rules.refuse("variant", "only changes what columns says; write [columns] first");
        }
        let kind = self.kind;
        let columns = self.columns.map(|columns| of_columns("columns", columns, kind, rules));
        if let (Some(kind), Some(columns)) = (kind, &columns) {
            let variants = self.variants.iter().flat_map(|variant| variant.columns.keys());
            let there: Vec<&str> =
                columns.iter().map(|column| column.name.as_str()).chain(variants.map(String::as_str)).collect();
            for missing in kind.required().iter().filter(|name| !there.contains(name)) {
                rules.refuse(
                    "columns",
                    format!(
                        "{missing} is missing, which every row of {} needs; write where it comes from",
                        kind.name()
                    ),
                );
            }
        }
        let mut variants = Vec::new();
        for (i, raw) in self.variants.into_iter().enumerate() {
            let at = format!("variant[{i}]");
            let when = rules.keep(&join(&at, "when"), asked(raw.when)).unwrap_or_default();
            let columns = of_columns(&join(&at, "columns"), raw.columns, kind, rules);
            variants.push(Variant { when, optional: raw.optional, columns });
        }
        let mut set_aside = Vec::new();
        for (i, raw) in self.set_aside.into_iter().enumerate() {
            let at = format!("set_aside[{i}]");
            if raw.when.is_empty() && raw.unless.is_empty() {
                rules.refuse(&at, "would set every row aside; write when or unless");
            }
            let (when, unless) = (condition(raw.when), condition(raw.unless));
            set_aside.push(SetAside { when, unless, why: raw.why, optional: raw.optional });
        }
        let mut totals = Vec::new();
        for (i, raw) in self.totals.into_iter().enumerate() {
            totals.extend(rules.keep(&format!("total[{i}]"), raw.resolve(self.totals_heading.is_some(), &cells)));
        }
        if self.totals_heading.is_some() && !totals.iter().any(|total| matches!(total.source, TotalSource::Column(_))) {
            rules.refuse("totals_heading", "no [[total]] names a column of that table; write one, or leave it out");
        }
        let end_marker = self.end_marker.and_then(|text| rules.keep("end_marker", pattern("", &text, &cells)));
        Profile {
            name: name.to_owned(),
            kind,
            encodings,
            delimiters,
            quote,
            header: if self.find_header { Header::Found } else { Header::After(self.skip_lines.unwrap_or(0)) },
            comment: self.comment,
            empty_ends: self.empty_ends,
            cells,
            times: self.times,
            columns,
            variants,
            set_aside,
            totals_heading: self.totals_heading,
            totals,
            end_marker,
        }
    }
}

fn delimiter(text: &str) -> Result<u8> {
    match text.as_bytes() {
        _ if text == "tab" => Ok(b'\t'),
        [sign] if sign.is_ascii_punctuation() && !matches!(sign, b'"' | b'\'') || *sign == b'\t' => Ok(*sign),
        _ => bail!("{text:?}: write one sign such as \",\", \";\" or \"|\", or \"tab\""),
    }
}

fn quote_sign(text: &str) -> Result<Option<u8>> {
    match text.as_bytes() {
        _ if text == "none" => Ok(None),
        [sign @ (b'"' | b'\'')] => Ok(Some(*sign)),
        _ => bail!("{text:?}: write '\"' or \"'\", or \"none\" where quotes are signs like others"),
    }
}

fn time_form(form: &str) -> Result<()> {
    let advice = "write a form such as \"%Y/%m/%d %H:%M\": %Y year, %m month, %d day, %H:%M:%S time, %z offset";
    if StrftimeItems::new(form).any(|item| matches!(item, Item::Error)) || !form.contains('%') {
        bail!("{form:?}: {advice}");
    }
    if mapping::example_of(form).is_none() {
        bail!("{form:?}: no day can be read from it; {advice}");
    }
    Ok(())
}

fn pattern(key: &str, text: &str, cells: &CellRules) -> Result<Pattern> {
    Pattern::parse(text, cells).map_err(|why| wrong(key, format!("{text:?}: {why}")))
}

fn asked(raw: RawCondition) -> Result<Condition> {
    if raw.is_empty() {
        bail!("is empty; write a column and its value in such rows");
    }
    Ok(condition(raw))
}

fn condition(raw: RawCondition) -> Condition {
    Condition(raw.into_iter().map(|(name, values)| (name, values.all())).collect())
}

impl RawCells {
    fn resolve(self) -> Result<CellRules> {
        let one = |key: &str, text: Option<String>| {
            let sign = text.map(|text| {
                let mut signs = text.chars();
                match (signs.next(), signs.next()) {
                    (Some(sign), None) if !sign.is_ascii_digit() && sign != '-' => Ok(sign),
                    _ => Err(wrong(key, format!("{text:?}: write one sign such as \",\""))),
                }
            });
            sign.transpose()
        };
        let (thousands, decimal) = (one("thousands", self.thousands)?, one("decimal", self.decimal)?);
        if thousands.is_some() && thousands == Some(decimal.unwrap_or('.')) && self.minor_digits.is_none() {
            return Err(wrong("thousands", "is also the decimal sign; the two must differ"));
        }
        if self.minor_digits.is_some_and(|digits| digits > 4) {
            return Err(wrong("minor_digits", "write the digits behind the point of the currency, 0 to 4"));
        }
        if self.mark.as_deref() == Some("") {
            return Err(wrong("mark", "is empty; write what every cell begins with, or leave it out"));
        }
        Ok(CellRules {
            trim: self.trim.chars().collect(),
            nothing: self.nothing,
            thousands,
            decimal,
            signs: self.signs,
            minor_digits: self.minor_digits,
            mark: self.mark,
        })
    }
}

impl RawTotal {
    fn resolve(self, has_table: bool, cells: &CellRules) -> Result<Total> {
        let sum = self.sum.map(OneOrMore::all).unwrap_or_default();
        let source = match (self.line, self.column) {
            (Some(text), None) => {
                let line = pattern("line", &text, cells)?;
                if line.has("{sum}") == sum.is_empty() {
                    return Err(wrong(
                        "line",
                        format!("{text:?}: {{sum}} and the key sum belong together; write both or none"),
                    ));
                }
                if !line.has("{sum}") && !line.has("{count}") {
                    return Err(wrong("line", format!("{text:?}: says no total; write {{count}} or {{sum}} in it")));
                }
                TotalSource::Line(line)
            }
            (None, Some(names)) if has_table => TotalSource::Column(names.all()),
            (None, Some(_)) => return Err(wrong("column", "of which table? write totals_heading as well")),
            _ => bail!("write either line or column"),
        };
        Ok(Total { source, sum, when: condition(self.when), unsigned: self.unsigned, optional: self.optional })
    }
}
