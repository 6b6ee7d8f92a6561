//! Exceptions: what finance must review, with its age.

use std::borrow::Cow;

use chrono::NaiveDate;

use super::{ReportRow, defused};
use crate::domain::money::Currency;
use crate::domain::owner::Owner;

pub struct Exception<'a> {
    pub exception_id: String,
    pub code: &'a str,
    pub owner: Owner<&'a str>,
    pub order_id: &'a str,
    pub file: &'a str,
    /// 0 if the exception concerns a whole file or a rule.
    pub line: i64,
    pub amount: Option<(i64, Currency)>,
    pub opened_on: NaiveDate,
    pub days_open: i64,
    pub message: Cow<'a, str>,
}

impl ReportRow for Exception<'_> {
    const HEADER: &'static [&'static str] = &[
        "exception_id",
        "code",
        "merchant_id",
        "order_id",
        "file",
        "line",
        "amount",
        "currency",
        "opened_on",
        "days_open",
        "message",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            defused(&self.exception_id).into_owned(),
            self.code.to_owned(),
            defused(self.owner.merchant().unwrap_or_default()).into_owned(),
            defused(self.order_id).into_owned(),
            defused(self.file).into_owned(),
            if self.line == 0 { String::new() } else { self.line.to_string() },
            self.amount.map(|(minor, currency)| currency.plain(minor)).unwrap_or_default(),
            self.amount.map(|(_, currency)| currency.to_string()).unwrap_or_default(),
            self.opened_on.to_string(),
            self.days_open.to_string(),
            defused(&self.message).into_owned(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        self.amount.map(|(minor, currency)| ("amount", currency, minor)).into_iter().collect()
    }
}
