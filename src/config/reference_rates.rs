//! Reference rates, and the highest rate by the year that the law allows: tables that the user keeps up to date. None is
//! built in, and nothing is fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{is_name, parse_toml, read};
use crate::domain::money::Currency;
use crate::domain::reference_rate::{AnnualRate, RateOf, RateTable, ReferenceRate};

/// What the scheme says about rates, for its policies to refer to.
#[derive(Debug, Default)]
pub struct Rates {
    pub tables: BTreeMap<String, RateTable>,
    legal: BTreeMap<String, AnnualRate>,
}

impl Rates {
    /// The highest rate by the year that the law of a currency's country allows, if the scheme says so.
    pub fn legal(&self, currency: Currency) -> Option<&AnnualRate> {
        self.legal.get(currency.code())
    }

    pub(super) fn resolve(
        raw: BTreeMap<String, RawTable>,
        legal: BTreeMap<String, RawLegal>,
        base: &Path,
    ) -> Result<Rates> {
        let mut rates = Rates::default();
        for (name, raw) in raw {
            ensure!(is_name(&name), "reference_rates {name:?}: a name is letters, digits, - and _");
            let table = raw.resolve(base).with_context(|| format!("reference_rates.{name}"))?;
            rates.tables.insert(name, table);
        }
        for (code, raw) in legal {
            let currency = Currency::parse(&code);
            ensure!(currency.is_some(), "legal.{code}: write an ISO 4217 code in capitals such as [legal.CNY]");
            let rate = rates.annual_rate(&format!("legal.{code}.max_annual_rate"), raw.max_annual_rate)?;
            rates.legal.insert(code, rate);
        }
        Ok(rates)
    }

    pub(super) fn annual_rate(&self, key: &str, raw: RawAnnualRate) -> Result<AnnualRate> {
        let raw = match raw {
            RawAnnualRate::Fixed(rate) => return Ok(AnnualRate::Fixed(super::share_of_one(key, rate)?)),
            RawAnnualRate::Reference(raw) => raw,
        };
        let Some(table) = self.tables.get(&raw.reference) else {
            let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bail!(
                "{key}: there is no reference rate {:?} (known: {known}); add [reference_rates.{}] to the scheme's \
                 configuration",
                raw.reference,
                raw.reference
            )
        };
        let sensible = raw.times > Decimal::ZERO && raw.times <= Decimal::ONE_HUNDRED && raw.times.scale() <= 4;
        ensure!(sensible, "{key}: times {}: write a number above 0 and up to 100, such as \"4\"", raw.times);
        let of = match raw.of.as_deref() {
            None | Some("each_day") => RateOf::EachDay,
            Some("order_day") => RateOf::OrderDay,
            Some(other) => bail!("{key}: of {other:?}: write each_day or order_day"),
        };
        let times = raw.times.normalize();
        Ok(AnnualRate::Reference(ReferenceRate { name: raw.reference, times, of, table: table.clone() }))
    }
}

/// A rate by the year, or so many times a reference rate.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a rate such as \"0.24\", or { reference = \"lpr_1y\", times = \"4\" }")]
pub(super) enum RawAnnualRate {
    Fixed(Decimal),
    Reference(RawReference),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReference {
    reference: String,
    times: Decimal,
    of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLegal {
    max_annual_rate: RawAnnualRate,
}

/// A reference rate's entries, or the file that has them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write entries such as \"2025-05-20\" = \"0.0300\", or the name of a file with such lines"
)]
pub(super) enum RawTable {
    File(PathBuf),
    Here(BTreeMap<String, Decimal>),
}

impl RawTable {
    fn resolve(self, base: &Path) -> Result<RateTable> {
        let entries = match self {
            RawTable::Here(entries) => entries,
            RawTable::File(path) => {
                let path = base.join(path);
                parse_toml(&path, &read(&path)?)?
            }
        };
        let entries = entries.into_iter().map(|(day, rate)| {
            let from: Option<NaiveDate> = day.parse().ok().filter(|from: &NaiveDate| from.to_string() == day);
            let from = from.with_context(|| format!("{day:?} is not a day; write it like \"2025-05-20\""))?;
            Ok((from, super::share_of_one(&day, rate)?))
        });
        let table = RateTable::new(entries.collect::<Result<Vec<_>>>()?);
        table.context("there is no entry; write at least one such as \"2025-05-20\" = \"0.0300\"")
    }
}
