//! Positions: every instalment that is open at the end of the day.

use chrono::NaiveDate;

use super::{ReportRow, defused};
use crate::domain::decide::buckets::bucket;
use crate::domain::decide::position::Position;
use crate::domain::money::Currency;

pub struct OpenInstalment<'a> {
    pub merchant_id: &'a str,
    pub business_date: NaiveDate,
    pub order_id: &'a str,
    pub customer_id: &'a str,
    pub currency: Currency,
    pub position: &'a Position,
    /// The first day past due of each delinquency bucket.
    pub buckets: &'a [i64],
}

impl ReportRow for OpenInstalment<'_> {
    const HEADER: &'static [&'static str] = &[
        "merchant_id",
        "business_date",
        "order_id",
        "customer_id",
        "instalment",
        "currency",
        "due_on",
        "principal",
        "paid",
        "refunded",
        "outstanding",
        "late_fee",
        "late_fee_paid",
        "days_past_due",
        "bucket",
        "credit_status",
        "hold",
        "next_action_on",
    ];

    fn cells(&self) -> Vec<String> {
        let plain = |minor| self.currency.plain(minor);
        let date = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        let position = self.position;
        let days_past_due = position.days_past_due_on(self.business_date);
        vec![
            defused(self.merchant_id).into_owned(),
            self.business_date.to_string(),
            defused(self.order_id).into_owned(),
            defused(self.customer_id).into_owned(),
            position.instalment.to_string(),
            self.currency.to_string(),
            date(position.due_on),
            plain(position.principal),
            plain(position.paid),
            plain(position.refunded),
            plain(position.outstanding()),
            plain(position.late_fee),
            plain(position.late_fee_paid),
            days_past_due.to_string(),
            bucket(days_past_due, self.buckets),
            position.credit.status.name().to_owned(),
            position.hold.map(|hold| hold.name().to_owned()).unwrap_or_default(),
            date(position.next_action_on),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        let position = self.position;
        vec![
            ("outstanding", self.currency, position.outstanding()),
            ("late_fee_owed", self.currency, position.fee_owed()),
        ]
    }
}
