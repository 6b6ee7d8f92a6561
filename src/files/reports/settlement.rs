//! Settlement: how the day changed the amount that the scheme owes the merchant, by order.

use chrono::NaiveDate;

use super::{ReportRow, defused};
use crate::domain::money::Currency;

pub struct Settlement<'a> {
    pub settlement_id: &'a str,
    pub merchant_id: &'a str,
    pub currency: Currency,
    pub order_id: &'a str,
    pub gross: i64,
    pub refunds: i64,
    pub service_fee: i64,
    pub payable_on: NaiveDate,
}

impl Settlement<'_> {
    pub fn net(&self) -> i64 {
        self.gross - self.refunds - self.service_fee
    }
}

impl ReportRow for Settlement<'_> {
    const HEADER: &'static [&'static str] = &[
        "settlement_id",
        "merchant_id",
        "currency",
        "order_id",
        "gross",
        "refunds",
        "service_fee",
        "net",
        "payable_on",
    ];

    fn cells(&self) -> Vec<String> {
        let plain = |minor| self.currency.plain(minor);
        vec![
            defused(self.settlement_id).into_owned(),
            defused(self.merchant_id).into_owned(),
            self.currency.to_string(),
            defused(self.order_id).into_owned(),
            plain(self.gross),
            plain(self.refunds),
            plain(self.service_fee),
            plain(self.net()),
            self.payable_on.to_string(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("net", self.currency, self.net())]
    }
}
