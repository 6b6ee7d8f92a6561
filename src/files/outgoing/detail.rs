//! The detail: every entry of the journal of the day.

use chrono::NaiveDate;

use super::{ReportRow, defused};
use crate::domain::journal::Movement;
use crate::domain::money::Currency;

pub struct Detail<'a> {
    pub entry_no: i64,
    pub merchant_id: &'a str,
    pub business_date: NaiveDate,
    pub effective_on: NaiveDate,
    pub order_id: &'a str,
    pub currency: Currency,
    pub movement: &'a Movement,
    pub minor: i64,
    /// File the cause came from; empty when a rule is the cause.
    pub source: &'a str,
    pub source_line: i64,
    pub policy_version: Option<NaiveDate>,
    pub reason: &'a str,
}

impl ReportRow for Detail<'_> {
    const HEADER: &'static [&'static str] = &[
        "entry_id",
        "merchant_id",
        "business_date",
        "effective_on",
        "kind",
        "order_id",
        "instalment",
        "currency",
        "debit_account",
        "credit_account",
        "amount",
        "source",
        "source_line",
        "policy_version",
        "reason",
    ];

    fn cells(&self) -> Vec<String> {
        let from_file = !self.source.is_empty();
        vec![
            format!("{}-{}", defused(self.merchant_id), self.entry_no),
            defused(self.merchant_id).into_owned(),
            self.business_date.to_string(),
            self.effective_on.to_string(),
            self.movement.kind.name().to_owned(),
            defused(self.order_id).into_owned(),
            if self.movement.instalment == 0 { String::new() } else { self.movement.instalment.to_string() },
            self.currency.to_string(),
            self.movement.debit.name().to_owned(),
            self.movement.credit.name().to_owned(),
            self.currency.plain(self.minor),
            if from_file { defused(self.source).into_owned() } else { format!("rule:{}", self.movement.kind.name()) },
            if from_file { self.source_line.to_string() } else { String::new() },
            self.policy_version.map(|version| version.to_string()).unwrap_or_default(),
            self.reason.to_owned(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("amount", self.currency, self.minor)]
    }
}
