//! An amount of money with its currency.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::domain::money::Currency;

/// An amount of money in whole minor units of its currency: 46.14 CNY is 4614, 105 JPY is 105.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Amount {
    /// Minor units; negative where money goes the other way.
    pub minor: i64,
    /// The ISO 4217 code.
    #[serde(serialize_with = "code")]
    #[schemars(with = "String")]
    pub currency: Currency,
}

impl Amount {
    pub fn new(minor: i64, currency: Currency) -> Amount {
        Amount { minor, currency }
    }

    /// Returns the amount of a stored row, or `None` if the row has no amount or no known currency.
    pub fn stored(minor: Option<i64>, currency: Option<&str>) -> Option<Amount> {
        Some(Amount { minor: minor?, currency: Currency::parse(currency?)? })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency.plain(self.minor), self.currency)
    }
}

/// Puts a comma between groups of three digits before the point, and writes a minus sign for a hyphen.
pub fn grouped(plain: &str) -> String {
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("\u{2212}", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

fn code<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_minor_units_and_a_code() {
        let amount = Amount::new(4_614, Currency::parse("CNY").unwrap());
        assert_eq!(serde_json::to_string(&amount).unwrap(), r#"{"minor":4614,"currency":"CNY"}"#);
        assert_eq!(amount.to_string(), "46.14 CNY");
        assert_eq!(Amount::stored(Some(5), None), None);
    }
}
