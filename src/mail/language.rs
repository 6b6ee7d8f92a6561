//! The languages of mails, with how days and amounts are written in each.

use chrono::NaiveDate;

use crate::domain::money::Currency;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Zh,
    En,
}

impl Language {
    /// The language of a customer's locale, such as `zh-CN`: Chinese, or else English.
    pub fn of(locale: &str) -> Language {
        match locale.get(..2) {
            Some(language) if language.eq_ignore_ascii_case("zh") => Language::Zh,
            _ => Language::En,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Language::Zh => "zh",
            Language::En => "en",
        }
    }

    pub fn day(self, day: NaiveDate) -> String {
        match self {
            Language::Zh => day.format("%Y年%-m月%-d日").to_string(),
            Language::En => day.format("%-d %B %Y").to_string(),
        }
    }

    pub fn money(self, currency: Currency, minor: i64) -> String {
        let symbol = match (self, currency.code()) {
            (Language::Zh, "CNY") => "¥",
            (_, code) => code,
        };
        format!("{symbol} {}", currency.plain(minor))
    }
}
