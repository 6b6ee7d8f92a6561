//! Money: whole minor units of a currency. Floats are deliberately absent; rates are exact decimals.

use std::cell::Cell;
use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// The largest amount one row may carry, in minor units. It leaves room for any sum of a day in an `i64`,
/// and for amount × days × rate in the 28 digits of a decimal.
pub const MAX_MINOR: i64 = 10_000_000_000_000;

/// An ISO 4217 currency that has minor units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub struct Currency(iso_currency::Currency);

impl From<Currency> for &'static str {
    fn from(currency: Currency) -> &'static str {
        currency.code()
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(code: String) -> Result<Currency, String> {
        Currency::parse(&code).ok_or_else(|| format!("unknown currency {code}"))
    }
}

impl Currency {
    /// Reads a three-letter code in capitals, such as `CNY`.
    pub fn parse(code: &str) -> Option<Currency> {
        thread_local! {
            /// The currency parsed last. Rows mostly have the same, and finding a code takes up to 180 comparisons.
            static LAST: Cell<Option<Currency>> = const { Cell::new(None) };
        }
        if let Some(last) = LAST.get().filter(|last| last.code() == code) {
            return Some(last);
        }
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent()?;
        LAST.set(Some(Currency(currency)));
        LAST.get()
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: CNY 2, JPY 0, KWD 3.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// Reads an amount as written, exactly. More digits than the currency has are an error, not a rounding; also if they are
    /// zeros, since `1.500` may mean 1,500.
    pub fn parse_minor(self, text: &str) -> Result<i64, AmountError> {
        if !is_plain_decimal(text) {
            return Err(AmountError::NotANumber);
        }
        let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if u32::try_from(digits).is_ok_and(|digits| digits <= self.exponent()) {
            return self.read(text);
        }
        // If it is too large as well, that is the error.
        Err(self.read(text).err().unwrap_or(AmountError::TooPrecise(self)))
    }

    fn read(self, text: &str) -> Result<i64, AmountError> {
        let amount = Decimal::from_str_exact(text).map_err(|_| AmountError::NotANumber)?;
        self.minor_of(amount)
    }

    /// The minor units of an exact decimal amount.
    pub fn minor_of(self, amount: Decimal) -> Result<i64, AmountError> {
        let amount = amount.normalize();
        if amount.scale() > self.exponent() {
            return Err(AmountError::TooPrecise(self));
        }
        let scale = Decimal::from(10_i64.pow(self.exponent()));
        let minor = amount.checked_mul(scale).and_then(|minor| minor.to_i64());
        minor.filter(|minor| (-MAX_MINOR..=MAX_MINOR).contains(minor)).ok_or(AmountError::TooLarge)
    }

    /// The amount as files carry it: plain digits, no separators, always the currency's digits.
    pub fn plain(self, minor: i64) -> String {
        Decimal::new(minor, self.exponent()).to_string()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Digits, at most one point with digits on both sides, and perhaps a minus sign: decimals have more spellings.
fn is_plain_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

/// Why a cell is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("not a plain decimal number such as 129.90")]
    NotANumber,
    #[error("{0} has {digits} digits after the point", digits = .0.exponent())]
    TooPrecise(Currency),
    #[error("larger than any amount taken here")]
    TooLarge,
}

/// `rate × base`, rounded half away from zero to a whole minor unit.
pub fn rated(base: i64, rate: Decimal) -> i64 {
    rounded(base, rate, |product, unit| product.saturating_add(product.signum() * (unit / 2)) / unit)
}

/// `rate × base`, rounded down: how caps round.
pub fn rated_down(base: i64, rate: Decimal) -> i64 {
    rounded(base, rate, |product, unit| product / unit)
}

/// A rate is a whole number over a power of ten, so that whole numbers do: they are exact, and far faster than decimals.
fn rounded(base: i64, rate: Decimal, divided: impl Fn(i128, i128) -> i128) -> i64 {
    let product = i128::from(base).checked_mul(rate.mantissa());
    let whole = product.map(|product| divided(product, 10_i128.pow(rate.scale())));
    // `MAX_MINOR` and the limits on rates keep the product in range; out of range it is the largest there is.
    whole.and_then(|whole| i64::try_from(whole).ok()).unwrap_or(i64::MAX)
}

/// Splits an amount by shares that add up to one and gives every unit away: largest remainder first, of
/// equals the earlier share.
pub fn split(minor: i64, shares: &[Decimal]) -> Vec<i64> {
    if shares.len() == 1 {
        return vec![minor];
    }
    let exact: Vec<Decimal> = shares.iter().map(|share| Decimal::from(minor) * share).collect();
    let mut parts: Vec<i64> = exact.iter().map(|part| part.trunc().to_i64().unwrap_or(0)).collect();
    let mut left = minor - parts.iter().sum::<i64>();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    by_remainder.sort_by_key(|&i| (std::cmp::Reverse(exact[i].fract()), i));
    for &i in by_remainder.iter().cycle() {
        if left == 0 {
            break;
        }
        parts[i] += left.signum();
        left -= left.signum();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cny(text: &str) -> Result<i64, AmountError> {
        Currency::parse("CNY").unwrap().parse_minor(text)
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let cny_currency = Currency::parse("CNY").unwrap();
        assert_eq!(cny("129.90"), Ok(12_990));
        assert_eq!(cny("129.9"), Ok(12_990));
        assert_eq!(cny("-5"), Ok(-500));
        for thousands in ["12.345", "129.900", "1.000", "-1.500", "0.000"] {
            assert_eq!(cny(thousands), Err(AmountError::TooPrecise(cny_currency)), "{thousands}");
        }
        for bad in ["", "abc", "1,200.00", "1_00", "+5", "5.", ".5", "-", "1e5", "１２", "¥12", "0x10", "1.2.3"] {
            assert_eq!(cny(bad), Err(AmountError::NotANumber), "{bad:?}");
        }
        // The last one has no positive counterpart.
        for large in ["100000000000.01", "-100000000000.01", "-92233720368547758.08"] {
            assert_eq!(cny(large), Err(AmountError::TooLarge), "{large}");
        }
        assert_eq!(cny("9999999999999999999999999999999999"), Err(AmountError::NotANumber));
    }

    #[test]
    fn the_currency_decides_the_digits() {
        for (code, text, minor) in [("CNY", "1.05", 105), ("JPY", "105", 105), ("KWD", "0.105", 105)] {
            let currency = Currency::parse(code).unwrap();
            assert_eq!(currency.parse_minor(text), Ok(minor), "{code}");
            assert_eq!(currency.plain(minor), text, "{code}");
            assert_eq!(
                currency.parse_minor(&format!("1.0{:0>1$}", "", currency.exponent() as usize)).ok(),
                None,
                "{code}"
            );
            assert_eq!([currency.code(), &currency.to_string(), &format!("{currency:?}")], [code; 3]);
        }
        assert!(Currency::parse("XYZ").is_none());
        assert!(Currency::parse("cny").is_none());
    }

    #[test]
    fn rates_round_half_away_from_zero_and_caps_down() {
        let rate = Decimal::from_str_exact("0.005").unwrap();
        assert_eq!([rated(100, rate), rated(99, rate), rated(300, rate)], [1, 0, 2]);
        assert_eq!([rated(-100, rate), rated(-99, rate)], [-1, 0]);
        assert_eq!(rated(1, Decimal::from_str_exact("0.499").unwrap()), 0);
        assert_eq!([rated_down(100, rate), rated_down(399, rate)], [0, 1]);
    }

    #[test]
    fn a_split_gives_every_unit_away() {
        let quarter = vec![Decimal::from_str_exact("0.25").unwrap(); 4];
        assert_eq!(split(10_003, &quarter), [2501, 2501, 2501, 2500]);
        let thirds = ["0.3333", "0.3333", "0.3334"].map(|s| Decimal::from_str_exact(s).unwrap());
        assert_eq!(split(100, &thirds), [33, 33, 34]);
    }
}
