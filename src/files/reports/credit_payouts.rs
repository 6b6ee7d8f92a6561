//! Credit pay-outs: the amounts the bank is asked to pay back to customers. A program reads them, so keys are written
//! unchanged.

use chrono::NaiveDate;

use super::ReportRow;
use crate::domain::money::Currency;

pub struct CreditPayout<'a> {
    pub payout_id: &'a str,
    pub customer_id: &'a str,
    pub order_id: &'a str,
    pub minor: i64,
    pub currency: Currency,
    pub attempt: i64,
    pub merchant_id: &'a str,
    pub business_date: NaiveDate,
}

impl ReportRow for CreditPayout<'_> {
    const HEADER: &'static [&'static str] =
        &["payout_id", "customer_id", "order_id", "amount", "currency", "attempt", "merchant_id", "business_date"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.payout_id.to_owned(),
            self.customer_id.to_owned(),
            self.order_id.to_owned(),
            self.currency.plain(self.minor),
            self.currency.to_string(),
            self.attempt.to_string(),
            self.merchant_id.to_owned(),
            self.business_date.to_string(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("amount", self.currency, self.minor)]
    }
}
