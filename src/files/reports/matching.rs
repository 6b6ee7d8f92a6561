//! Matching: compares the provider's reports with the books.

use super::{ReportRow, defused};
use crate::domain::money::Currency;

pub struct Matching<'a> {
    pub provider: &'a str,
    pub payment_id: &'a str,
    pub order_id: &'a str,
    pub provider_minor: i64,
    /// The amount booked for the order.
    pub our_minor: i64,
    pub currency: Currency,
    /// matched, missing_here, missing_there, amount_differs, timing.
    pub status: &'a str,
    pub days_open: i64,
    /// The provider's fee, if stated; negative if the provider pays a fee back.
    pub provider_fee: Option<i64>,
}

impl ReportRow for Matching<'_> {
    const HEADER: &'static [&'static str] = &[
        "provider",
        "payment_id",
        "order_id",
        "provider_amount",
        "our_amount",
        "currency",
        "status",
        "days_open",
        "provider_fee",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            defused(self.provider).into_owned(),
            defused(self.payment_id).into_owned(),
            defused(self.order_id).into_owned(),
            self.currency.plain(self.provider_minor),
            self.currency.plain(self.our_minor),
            self.currency.to_string(),
            self.status.to_owned(),
            self.days_open.to_string(),
            self.provider_fee.map(|minor| self.currency.plain(minor)).unwrap_or_default(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        let fee = self.provider_fee.map(|minor| ("provider_fee", self.currency, minor));
        let both =
            [("provider_amount", self.currency, self.provider_minor), ("our_amount", self.currency, self.our_minor)];
        both.into_iter().chain(fee).collect()
    }
}
