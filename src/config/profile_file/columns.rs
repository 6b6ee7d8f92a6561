//! The part of a profile that maps columns of a file to canonical columns.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::Deserialize;

use super::one_or_more::OneOrMore;
use crate::config::toml::{Rules, join, shape, wrong};
use crate::files::profile::mapping::{is_amount, is_time};
use crate::files::profile::{Column, Rule, Sign};
use crate::files::rows::Kind;

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawSource {
    Column(String),
    Columns(Vec<String>),
    Rule(RawRule),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// The column; of several, the first that has a value.
    from: Option<OneOrMore<String>>,
    /// The value in every row, instead of a column.
    constant: Option<String>,
    /// What words mean; others are refused.
    #[serde(default)]
    words: BTreeMap<String, String>,
    /// Words for nothing in this column.
    #[serde(default)]
    nothing: Vec<String>,
    /// Texts that stand for others.
    #[serde(default)]
    replace: BTreeMap<String, String>,
    /// What begins with it does not belong to the value.
    until: Option<String>,
    /// negative where an amount is written with a minus and meant without, absolute where its sign says nothing, reversed
    /// where a fee that is charged has a minus and one that is given back has none.
    sign: Option<RawSign>,
    /// Columns that the key is unique within, such as a refund's number within its trade. Their values are joined in front of it.
    within: Option<OneOrMore<String>>,
    /// Where the format always writes so many digits behind the point of an amount, more than its currency has.
    decimals: Option<usize>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum RawSign {
    Negative,
    Absolute,
    Reversed,
}

/// Converts the mapped columns, in the order in which the kind defines its own columns.
pub fn of_columns(at: &str, raw: BTreeMap<String, RawSource>, kind: Option<Kind>, rules: &mut Rules) -> Vec<Column> {
    let mut columns = Vec::new();
    for (name, source) in raw {
        let key = join(at, &name);
        if let Some(kind) = kind {
            rules.keep(&key, column_of(kind, &name));
        }
        if let Some(rule) = rules.keep(&key, source.resolve(&name)) {
            columns.push(Column { name, rule });
        }
    }
    let known = kind.map(|kind| [kind.required(), kind.optional()].concat()).unwrap_or_default();
    columns.sort_by_key(|column| known.iter().position(|name| *name == column.name));
    columns
}

fn column_of(kind: Kind, name: &str) -> Result<()> {
    let known = [kind.required(), kind.optional()].concat();
    if known.contains(&name) {
        return Ok(());
    }
    let meant = shape::nearest(name, &known).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    bail!("{} have no such column; the columns are {}{meant}", kind.name(), known.join(", "))
}

impl RawSource {
    fn resolve(self, name: &str) -> Result<Rule> {
        let raw = match self {
            RawSource::Column(from) => return Ok(Rule { from: vec![from], ..Rule::default() }),
            RawSource::Columns(from) if from.is_empty() => bail!("is empty; write at least one column"),
            RawSource::Columns(from) => return Ok(Rule { from, ..Rule::default() }),
            RawSource::Rule(raw) => raw,
        };
        if raw.from.is_some() == raw.constant.is_some() {
            bail!("write either from or constant");
        }
        if raw.sign.is_some() && !is_amount(name) {
            return Err(wrong("sign", "is for amounts; leave it out"));
        }
        let within = raw.within.map(OneOrMore::all).unwrap_or_default();
        if !within.is_empty() && (!name.ends_with("_id") || raw.from.is_none()) {
            return Err(wrong("within", "is for keys that come from a column; leave it out"));
        }
        if raw.decimals.is_some_and(|digits| !is_amount(name) || !(1..=8).contains(&digits)) {
            return Err(wrong("decimals", "is for amounts; write how many digits they have behind the point, 1 to 8"));
        }
        if !raw.words.is_empty() && (is_amount(name) || is_time(name)) {
            return Err(wrong("words", "are for columns of words; leave them out"));
        }
        if raw.replace.contains_key("") || raw.until.as_deref() == Some("") {
            return Err(wrong("replace", "must not be empty: an empty text is found everywhere"));
        }
        Ok(Rule {
            from: raw.from.map(OneOrMore::all).unwrap_or_default(),
            constant: raw.constant,
            words: raw.words.into_iter().collect(),
            nothing: raw.nothing,
            replace: raw.replace.into_iter().collect(),
            until: raw.until,
            decimals: raw.decimals,
            within,
            sign: match raw.sign {
                None => Sign::Kept,
                Some(RawSign::Negative) => Sign::Turned,
                Some(RawSign::Absolute) => Sign::Dropped,
                Some(RawSign::Reversed) => Sign::Reversed,
            },
        })
    }
}
