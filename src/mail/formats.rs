//! How a language writes days, numbers and amounts. The rules are those of CLDR, by icu4x; only how an amount and its currency
//! stand together comes from the language's own file, which icu4x does not cover yet.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike, NaiveDate, NaiveTime};
use icu_calendar::{Date, Gregorian};
use icu_datetime::FixedCalendarDateTimeFormatter;
use icu_datetime::fieldsets::YMD;
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use serde::Deserialize;

use crate::domain::language_tag::LanguageTag;
use crate::domain::money::Currency;

/// `language.toml` of a language's templates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageFile {
    /// An amount, such as `{currency} {number}`.
    pub amount: String,
    /// What stands for a currency in place of its code.
    #[serde(default)]
    pub symbols: BTreeMap<String, String>,
    /// Whether the language is written from right to left.
    #[serde(default)]
    pub right_to_left: bool,
}

impl LanguageFile {
    pub fn parse(text: &str) -> Result<LanguageFile, String> {
        let file: LanguageFile = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if !file.amount.contains("{currency}") || !file.amount.contains("{number}") {
            return Err("amount lacks {currency} or {number}".to_owned());
        }
        Ok(file)
    }
}

/// The formats of a locale.
pub(super) struct Formats {
    days: FixedCalendarDateTimeFormatter<Gregorian, YMD>,
    numbers: DecimalFormatter,
    amount: String,
    symbols: BTreeMap<String, String>,
}

impl Formats {
    pub fn new(locale: &LanguageTag, file: &LanguageFile) -> Result<Formats, String> {
        let locale = with_region(locale);
        let unknown = |what: &str| format!("there are no {what} for {locale}");
        Ok(Formats {
            days: FixedCalendarDateTimeFormatter::try_new((&locale).into(), YMD::long())
                .map_err(|_| unknown("dates"))?,
            numbers: DecimalFormatter::try_new((&locale).into(), Default::default()).map_err(|_| unknown("numbers"))?,
            amount: file.amount.clone(),
            symbols: file.symbols.clone(),
        })
    }

    pub fn day(&self, day: NaiveDate) -> String {
        let (month, of_month) = (u8::try_from(day.month()), u8::try_from(day.day()));
        match (month, of_month) {
            (Ok(month), Ok(of_month)) if (1..=9999).contains(&day.year()) => {
                Date::try_new_gregorian(day.year(), month, of_month)
                    .map_or_else(|_| day.to_string(), |date| self.days.format(&date).to_string())
            }
            _ => day.to_string(),
        }
    }

    pub fn time(&self, time: NaiveTime) -> String {
        time.format("%H:%M").to_string()
    }

    pub fn money(&self, currency: Currency, minor: i64) -> String {
        let mut number = Decimal::from(minor);
        let digits = i16::try_from(currency.exponent()).unwrap_or(0);
        number.multiply_pow10(-digits);
        number.pad_end(-digits);
        let symbol = self.symbols.get(currency.code()).map_or(currency.code(), String::as_str);
        self.amount.replace("{currency}", symbol).replace("{number}", &self.numbers.format(&number).to_string())
    }
}

impl fmt::Debug for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Formats")
    }
}

/// Returns the locale for formats. English without a region is that of the world, where the day comes before the month.
fn with_region(tag: &LanguageTag) -> Locale {
    let mut tag = tag.clone();
    if tag.region.is_none() && tag.language.as_str() == "en" {
        tag.region = "001".parse().ok();
    }
    Locale::from(tag)
}

/// The plural forms of a language.
pub(super) fn plural_rules(tag: &LanguageTag) -> Result<PluralRules, String> {
    let locale = Locale::from(tag.clone());
    PluralRules::try_new((&locale).into(), Default::default())
        .map_err(|_| format!("there are no plural forms for {tag}"))
}

/// The name of a plural form, as templates know it.
pub(super) fn plural_name(rules: &PluralRules, number: i64) -> &'static str {
    match rules.category_for(number.unsigned_abs()) {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language_tag::language_tag;

    #[test]
    fn days_and_amounts_are_written_as_the_locale_does() {
        let file = LanguageFile::parse("amount = \"{number} {currency}\"\n[symbols]\nEUR = \"€\"\n").unwrap();
        let currency = |code: &str| Currency::parse(code).unwrap();
        for (locale, day, amount, yen) in [
            ("en", "9 March 2026", "12,990.05 €", "-1,299,005 JPY"),
            ("en-US", "March 9, 2026", "12,990.05 €", "-1,299,005 JPY"),
            ("zh-CN", "2026年3月9日", "12,990.05 €", "-1,299,005 JPY"),
            ("de", "9. März 2026", "12.990,05 €", "-1.299.005 JPY"),
        ] {
            let formats = Formats::new(&language_tag(locale), &file).unwrap();
            assert_eq!(formats.day("2026-03-09".parse().unwrap()), day, "{locale}");
            assert_eq!(formats.money(currency("EUR"), 1_299_005), amount, "{locale}");
            assert_eq!(formats.money(currency("JPY"), -1_299_005), yen, "{locale}");
        }
        assert!(LanguageFile::parse("amount = \"{number}\"").is_err());
    }

    #[test]
    fn plural_forms_are_the_languages() {
        for (tag, forms) in [("en", ["other", "one", "other", "other"]), ("pl", ["many", "one", "few", "many"])] {
            let rules = plural_rules(&language_tag(tag)).unwrap();
            assert_eq!([0, 1, 2, 5].map(|number| plural_name(&rules, number)), forms, "{tag}");
        }
    }
}
