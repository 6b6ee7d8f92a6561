//! Credit impact: the day's changes to customers' credit records, for all merchants.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::{ReportRow, defused};
use crate::domain::money::Currency;

pub struct CreditImpact<'a> {
    pub customer_id: &'a str,
    pub order_id: &'a str,
    pub instalment: i64,
    pub merchant_id: &'a str,
    pub status: &'a str,
    pub since: NaiveDate,
    pub days_past_due: i64,
    pub minor: i64,
    pub currency: Currency,
    pub notice_sent_at: Option<DateTime<Utc>>,
    /// The scheme's time zone, in which instants are shown.
    pub zone: Tz,
    pub reason: &'a str,
}

impl ReportRow for CreditImpact<'_> {
    const HEADER: &'static [&'static str] = &[
        "customer_id",
        "order_id",
        "instalment",
        "merchant_id",
        "status",
        "since",
        "days_past_due",
        "amount",
        "notice_sent_at",
        "reason",
    ];

    fn cells(&self) -> Vec<String> {
        let shown = |at: DateTime<Utc>| at.with_timezone(&self.zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        vec![
            defused(self.customer_id).into_owned(),
            defused(self.order_id).into_owned(),
            self.instalment.to_string(),
            defused(self.merchant_id).into_owned(),
            self.status.to_owned(),
            self.since.to_string(),
            self.days_past_due.to_string(),
            self.currency.plain(self.minor),
            self.notice_sent_at.map(shown).unwrap_or_default(),
            defused(self.reason).into_owned(),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, Currency, i64)> {
        vec![("amount", self.currency, self.minor)]
    }
}
