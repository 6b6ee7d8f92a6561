//! Debit instructions: the amounts the bank is asked to collect from customers. The bank's program reads the keys and returns
//! them in its answer, so they are written unchanged.

use chrono::NaiveDate;

use super::ReportRow;
use crate::domain::money::Currency;

pub struct DebitInstruction<'a> {
    pub debit_id: &'a str,
    pub order_id: &'a str,
    pub instalment: i64,
    pub customer_id: &'a str,
    pub minor: i64,
    pub currency: Currency,
    pub due_on: Option<NaiveDate>,
    pub attempt: i64,
    pub merchant_id: &'a str,
    pub business_date: NaiveDate,
}

impl ReportRow for DebitInstruction<'_> {
    const HEADER: &'static [&'static str] = &[
        "debit_id",
        "order_id",
        "instalment",
        "customer_id",
        "amount",
        "currency",
        "due_on",
        "attempt",
        "merchant_id",
        "business_date",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.debit_id.to_owned(),
            self.order_id.to_owned(),
            self.instalment.to_string(),
            self.customer_id.to_owned(),
            self.currency.plain(self.minor),
            self.currency.to_string(),
            self.due_on.map(|day| day.to_string()).unwrap_or_default(),
            self.attempt.to_string(),
            self.merchant_id.to_owned(),
            self.business_date.to_string(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("amount", self.currency, self.minor)]
    }
}
