//! Reference rates, and the highest yearly rate that the law allows: tables that the user keeps up to date. None is
//! built in, and none is fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::toml::{Node, Problems, Rules, is_name, join, read, read_as, shape, share_of_one, wrong};
use crate::domain::money::Currency;
use crate::domain::terms::reference_rate::{AnnualRate, RateOf, RateTable, ReferenceRate};

/// The rates of a scheme, which its policies may refer to.
#[derive(Debug, Default)]
pub struct Rates {
    pub tables: BTreeMap<String, RateTable>,
    /// Tables that can't be used. Their own problems are reported, so references to them cause no further problem.
    unusable: BTreeSet<String>,
    legal: BTreeMap<String, AnnualRate>,
}

impl Rates {
    /// The highest yearly rate that the law of a currency's country allows, if the scheme states it.
    pub fn legal(&self, currency: Currency) -> Option<&AnnualRate> {
        self.legal.get(currency.code())
    }

    pub fn load(document: &Node, base: &Path, problems: &mut Problems) -> Rates {
        let mut rates = Rates::default();
        for (name, raw) in section::<RawTable>(document, "reference_rates") {
            match raw.and_then(|raw| raw.resolve(&name, base, document, problems)) {
                Some(table) => {
                    rates.tables.insert(name, table);
                }
                None => {
                    rates.unusable.insert(name);
                }
            }
        }
        let mut rules = Rules::new(document, problems);
        for (code, raw) in section::<RawLegal>(document, "legal") {
            let key = join("legal", &code);
            if Currency::parse(&code).is_none() {
                rules.refuse(&key, format!("{code:?}: write an ISO 4217 code in capitals such as [legal.CNY]"));
            }
            let rate = raw.map(|raw| rates.annual_rate(raw.max_annual_rate));
            let rate = rate.and_then(|rate| rules.keep(&join(&key, "max_annual_rate"), rate)?);
            rates.legal.extend(rate.map(|rate| (code, rate)));
        }
        rates
    }

    /// Resolves a rate of a policy or the law; `None` if it refers to a table that can't be used.
    pub fn annual_rate(&self, raw: RawAnnualRate) -> Result<Option<AnnualRate>> {
        let RawReference { reference, times, of } = match raw {
            RawAnnualRate::Fixed(rate) => return Ok(Some(AnnualRate::Fixed(share_of_one("", rate)?))),
            RawAnnualRate::Reference(raw) => raw,
        };
        if times <= Decimal::ZERO || times > Decimal::ONE_HUNDRED || times.scale() > 4 {
            let advice = "is not above 0 and up to 100 with at most 4 digits; write a number such as \"4\"";
            return Err(wrong("times", format!("{times} {advice}")));
        }
        let Some(table) = self.tables.get(&reference) else {
            if self.unusable.contains(&reference) {
                return Ok(None);
            }
            let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            let meant = shape::nearest(&reference, &known).map(|name| format!("; did you mean {name}?"));
            let message = format!(
                "there is no reference rate {reference:?}; add [reference_rates.{reference}] to the configuration{}",
                meant.unwrap_or_default()
            );
            return Err(wrong("reference", message));
        };
        let of = of.unwrap_or(RateOf::EachDay);
        let table = table.clone();
        Ok(Some(AnnualRate::Reference(ReferenceRate { name: reference, times: times.normalize(), of, table })))
    }
}

/// The entries of a section; `None` for each unreadable entry, which the check of its shape already reports.
fn section<T: DeserializeOwned>(document: &Node, key: &str) -> Vec<(String, Option<T>)> {
    let entries = document.get(key).and_then(Node::table);
    let entry = |(name, node): (&str, &Node)| (name.to_owned(), serde_json::from_value(node.to_json()).ok());
    entries.map(|table| table.iter().map(entry).collect()).unwrap_or_default()
}

/// A rate by the year, or so many times a reference rate.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawAnnualRate {
    Fixed(Decimal),
    Reference(RawReference),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawReference {
    /// Which reference rate, by its name in the configuration.
    reference: String,
    /// How many times that rate.
    times: Decimal,
    /// Which day's reference rate counts: each day's own, or that of the day of the order; each_day if left out.
    of: Option<RateOf>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLegal {
    /// The highest rate by the year that the law allows.
    max_annual_rate: RawAnnualRate,
}

/// A reference rate's entries, or the file that has them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawTable {
    File(PathBuf),
    Here(BTreeMap<String, Decimal>),
}

impl RawTable {
    fn resolve(self, name: &str, base: &Path, document: &Node, problems: &mut Problems) -> Option<RateTable> {
        let key = join("reference_rates", name);
        let mut rules = Rules::new(document, problems);
        if !is_name(name) {
            rules.refuse(&key, "a reference rate's name is letters, digits, - and _; write another");
            return None;
        }
        match self {
            RawTable::Here(entries) => table(entries, &key, &mut rules),
            RawTable::File(path) => {
                let path = base.join(path);
                let text = rules.keep(&key, read(&path))?;
                let (entries, document) = read_as::<BTreeMap<String, Decimal>>(&path, &text, problems)?;
                table(entries, "", &mut Rules::new(&document, problems))
            }
        }
    }
}

/// Converts the entries of a reference rate. `at` is the key of the entries.
fn table(entries: BTreeMap<String, Decimal>, at: &str, rules: &mut Rules) -> Option<RateTable> {
    let count = entries.len();
    let mut known = Vec::new();
    for (day, rate) in entries {
        let key = join(at, &day);
        let from = rules.keep(&key, first_day(&day));
        let rate = rules.keep(&key, share_of_one("", rate));
        known.extend(from.zip(rate));
    }
    if known.len() < count {
        return None;
    }
    let none = "there is no entry; write at least one such as \"2025-05-20\" = \"0.0300\"";
    rules.keep(at, RateTable::new(known).context(none))
}

fn first_day(text: &str) -> Result<NaiveDate> {
    let day: Option<NaiveDate> = text.parse().ok().filter(|day: &NaiveDate| day.to_string() == text);
    let Some(day) = day else { bail!("this is not a day; write it like \"2025-05-20\"") };
    Ok(day)
}
