//! The detail report: every journal entry of the day.

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
    /// The file that caused the entry; empty if a rule caused it.
    pub source: &'a str,
    pub source_line: i64,
    pub policy_version: Option<NaiveDate>,
    pub reason: &'a str,
}

/// The instalment, source and line of an entry, as written here and in the exported journal: the instalment is
/// empty if the entry concerns the whole order; a rule has its name and no line.
pub fn cause(movement: &Movement, source: &str, line: i64) -> (String, String, String) {
    let instalment = if movement.instalment == 0 { String::new() } else { movement.instalment.to_string() };
    if source.is_empty() {
        (instalment, format!("rule:{}", movement.kind.name()), String::new())
    } else {
        (instalment, defused(source).into_owned(), line.to_string())
    }
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
        let (instalment, source, line) = cause(self.movement, self.source, self.source_line);
        vec![
            format!("{}-{}", defused(self.merchant_id), self.entry_no),
            defused(self.merchant_id).into_owned(),
            self.business_date.to_string(),
            self.effective_on.to_string(),
            self.movement.kind.name().to_owned(),
            defused(self.order_id).into_owned(),
            instalment,
            self.currency.to_string(),
            self.movement.debit.name().to_owned(),
            self.movement.credit.name().to_owned(),
            self.currency.plain(self.minor),
            source,
            line,
            self.policy_version.map(|version| version.to_string()).unwrap_or_default(),
            self.reason.to_owned(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("amount", self.currency, self.minor)]
    }
}
