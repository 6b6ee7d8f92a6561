//! The keys of a policy about bands: the limit and the term for each range of credit scores.

use anyhow::Result;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, in_days, join, minor, wrong};
use crate::domain::money::Currency;
use crate::domain::terms::policy::Band;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBand {
    /// The lowest credit score of this band.
    pub score: i64,
    /// How much may be owed at once, such as "500.00".
    limit: Decimal,
    /// Days to pay; not with due_day, and not needed with instalments.
    pub term: Option<i64>,
}

/// Checks and converts the bands. `elsewhere`: due days or instalments set the due date, so a band needs no term.
pub fn bands(raw: Vec<RawBand>, currency: Currency, elsewhere: bool, rules: &mut Rules) -> Option<Vec<Band>> {
    let mut bands: Vec<Band> = Vec::new();
    let count = raw.len();
    if raw.is_empty() {
        let advice = "is empty; write at least one, such as { score = 550, limit = \"500.00\", term = 7 }";
        rules.refuse("bands", advice);
        return None;
    }
    for (i, RawBand { score, limit, term }) in raw.into_iter().enumerate() {
        let at = format!("bands[{i}]");
        let limit_minor = rules.keep(&at, minor("limit", limit, currency));
        if term.is_none() && !elsewhere {
            rules.refuse(&join(&at, "term"), "is missing; write the days to pay, or a due_day for the whole policy");
        }
        let term = rules.keep(&at, in_days("term", term.unwrap_or(0), 0));
        let (Some(limit_minor), Some(term)) = (limit_minor, term) else { continue };
        let band = Band { score, limit_minor, term };
        let order = follows(bands.last(), &band, currency);
        rules.keep(&at, order);
        bands.push(band);
    }
    (bands.len() == count).then_some(bands)
}

/// Whether a band may follow the one below it.
fn follows(lower: Option<&Band>, band: &Band, currency: Currency) -> Result<()> {
    if band.limit_minor == 0 {
        return Err(wrong("limit", "must be more than 0; for a score that may owe nothing, leave the band out"));
    }
    let Some(lower) = lower else { return Ok(()) };
    if band.score <= lower.score {
        let message =
            format!("{} comes after {}; list bands by rising score, each score once", band.score, lower.score);
        return Err(wrong("score", message));
    }
    if band.limit_minor < lower.limit_minor {
        let (less, more) = (currency.plain(band.limit_minor), currency.plain(lower.limit_minor));
        let message = format!(
            "{less} is less than the {more} of score {}; a better score can't owe less, so write {more} or more",
            lower.score
        );
        return Err(wrong("limit", message));
    }
    Ok(())
}
