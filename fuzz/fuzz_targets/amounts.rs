//! An amount that is taken is exactly the decimal that was written, and is read again from how we write it.
#![no_main]

use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use paylater::domain::money::{Currency, MAX_MINOR};
use rust_decimal::Decimal;

fuzz_target!(|text: &str| {
    for code in ["CNY", "JPY", "KWD"] {
        let currency = Currency::parse(code).expect("a currency");
        let Ok(minor) = currency.parse_minor(text) else { continue };
        assert!(minor.abs() <= MAX_MINOR, "{text:?} {minor}");
        let written = currency.plain(minor);
        assert_eq!(currency.parse_minor(&written), Ok(minor), "{text:?} {written}");
        let exact = Decimal::from_str(text).expect("what was taken is a decimal");
        assert_eq!(Decimal::new(minor, currency.exponent()), exact, "{text:?}");
    }
});
