//! The summary: opening balance, turnover and closing balance of each account. Debits are positive, credits negative; the
//! difference is always 0.

use chrono::NaiveDate;

use super::{ReportRow, defused};
use crate::domain::journal::Account;
use crate::domain::money::Currency;

pub struct Summary<'a> {
    pub merchant_id: &'a str,
    pub business_date: NaiveDate,
    pub currency: Currency,
    pub account: Account,
    pub opening: i64,
    pub debits: i64,
    pub credits: i64,
    pub closing: i64,
}

impl ReportRow for Summary<'_> {
    const HEADER: &'static [&'static str] = &[
        "merchant_id",
        "business_date",
        "currency",
        "account",
        "opening",
        "debits",
        "credits",
        "closing",
        "difference",
    ];

    fn cells(&self) -> Vec<String> {
        let plain = |minor| self.currency.plain(minor);
        vec![
            defused(self.merchant_id).into_owned(),
            self.business_date.to_string(),
            self.currency.to_string(),
            self.account.name().to_owned(),
            plain(self.opening),
            plain(self.debits),
            plain(self.credits),
            plain(self.closing),
            plain(self.closing - (self.opening + self.debits - self.credits)),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("debits", self.currency, self.debits), ("credits", self.currency, self.credits)]
    }
}
