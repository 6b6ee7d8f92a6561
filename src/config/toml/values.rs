//! Single values as people write them: days, shares, amounts, names and times. An error names its key and what to
//! write; the key may be empty if the caller adds it.

use anyhow::{Context, Result, ensure};
use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::problems::wrong;
use crate::domain::money::Currency;

/// The longest term, in days. A longer one is a typing error.
const LONGEST: i64 = 3_660;

pub fn in_days(key: &str, days: i64, from: i64) -> Result<i64> {
    days_within(key, days, from, LONGEST)
}

pub fn maybe_days(days: Option<i64>, from: i64) -> Result<Option<i64>> {
    days.map(|days| in_days("", days, from)).transpose()
}

pub fn days_within(key: &str, days: i64, from: i64, to: i64) -> Result<i64> {
    if !(from..=to).contains(&days) {
        return Err(wrong(key, format!("{days} is not from {from} to {to} days; write one that is")));
    }
    Ok(days)
}

pub fn share_of_one(key: &str, share: Decimal) -> Result<Decimal> {
    if share < Decimal::ZERO || share > Decimal::ONE || share.scale() > 10 {
        let advice = "is not from 0 to 1 with at most 10 digits; write a share such as \"0.25\" for 25 %";
        return Err(wrong(key, format!("{share} {advice}")));
    }
    Ok(share.normalize())
}

pub fn minor(key: &str, amount: Decimal, currency: Currency) -> Result<i64> {
    let minor = currency.minor_of(amount).map_err(|why| wrong(key, format!("{amount}: {why}")))?;
    if minor < 0 {
        return Err(wrong(key, format!("{amount} is below 0; write an amount from 0 on")));
    }
    Ok(minor)
}

/// Whether a text is a valid name. Names become folder and file names, so they have only plain characters.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

pub fn time_zone(name: &str) -> Result<Tz> {
    name.parse().ok().with_context(|| format!("{name:?}: write an IANA name such as Asia/Shanghai"))
}

pub fn time_of_day(key: &str, text: &str) -> Result<NaiveTime> {
    let advice = || wrong(key, format!("{text:?}: write a time like \"08:00\""));
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| advice())
}

/// Parses days of the week, and sorts them.
pub fn weekdays(names: &[String]) -> Result<Vec<Weekday>> {
    let mut days: Vec<Weekday> = Vec::new();
    for name in names {
        let advice = || format!("{name:?}: write days of the week such as \"saturday\", or [] for none");
        let day = name.parse().ok().with_context(advice)?;
        ensure!(!days.contains(&day), "{name:?} is listed twice; write each day once");
        days.push(day);
    }
    days.sort_by_key(Weekday::num_days_from_monday);
    Ok(days)
}

/// Whether a text is the name of an environment variable.
pub fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(fits)
}
