//! Facts: what happened to an order after it was accepted.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::domain::money::Currency;

/// Separates the parts of a key that is unique within another key: `T-1/R-1` is the refund R-1 of the trade T-1.
pub const PARTS: char = '/';

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The sender's key, unique for its kind and merchant.
    pub id: String,
    pub effective_at: DateTime<Utc>,
    /// The day of `effective_at`, by the policy's cut-off.
    pub effective_on: NaiveDate,
    /// The business date it was booked on.
    pub booked_on: NaiveDate,
    pub source: Source,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Fulfilment(Event),
    /// `suspended`: it was booked in suspense before its order was known.
    Payment {
        minor: i64,
        suspended: bool,
    },
    Refund {
        minor: i64,
        suspended: bool,
    },
    /// The bank or provider took a payment back, or a part of it.
    Chargeback {
        minor: i64,
        payment_id: String,
        suspended: bool,
    },
    Extension {
        days: i64,
    },
    /// Covers its first to its last day; the last is the policy's default length when the file names none.
    Hold {
        reason: HoldReason,
        ends_on: Option<NaiveDate>,
    },
    Waiver {
        minor: i64,
    },
    /// A notice before a negative report was sent for this instalment.
    Notice {
        instalment: i64,
    },
    /// Customer credit that the bank confirmed as paid out.
    PayOut {
        minor: i64,
    },
    /// The provider's bill says that the provider itself paid the refund of this key: the customer has that money.
    GivenBack,
}

impl What {
    pub fn kind(&self) -> FactKind {
        match self {
            What::Fulfilment(_) => FactKind::Fulfilment,
            What::Payment { .. } => FactKind::Payment,
            What::Refund { .. } => FactKind::Refund,
            What::Chargeback { .. } => FactKind::Chargeback,
            What::Extension { .. } => FactKind::Extension,
            What::Hold { .. } => FactKind::Hold,
            What::Waiver { .. } => FactKind::Waiver,
            What::Notice { .. } => FactKind::Notice,
            What::PayOut { .. } => FactKind::PayOut,
            What::GivenBack => FactKind::GivenBack,
        }
    }
}

/// The kind of a fact. The store, files and messages have its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    Fulfilment,
    Payment,
    Refund,
    Chargeback,
    Extension,
    Hold,
    Waiver,
    Notice,
    PayOut,
    GivenBack,
}

impl FactKind {
    pub const ALL: [FactKind; 10] = [
        FactKind::Fulfilment,
        FactKind::Payment,
        FactKind::Refund,
        FactKind::Chargeback,
        FactKind::Extension,
        FactKind::Hold,
        FactKind::Waiver,
        FactKind::Notice,
        FactKind::PayOut,
        FactKind::GivenBack,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            FactKind::Fulfilment => "fulfilment",
            FactKind::Payment => "payment",
            FactKind::Refund => "refund",
            FactKind::Chargeback => "chargeback",
            FactKind::Extension => "extension",
            FactKind::Hold => "hold",
            FactKind::Waiver => "waiver",
            FactKind::Notice => "notice",
            FactKind::PayOut => "pay_out",
            FactKind::GivenBack => "given_back",
        }
    }

    pub fn parse(text: &str) -> Option<FactKind> {
        FactKind::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a fulfilment row reports, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Shipped,
    Delivered,
    Confirmed,
    Cancelled,
}

impl Event {
    pub const ALL: [Event; 4] = [Event::Shipped, Event::Delivered, Event::Confirmed, Event::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Event::Shipped => "shipped",
            Event::Delivered => "delivered",
            Event::Confirmed => "confirmed",
            Event::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == text)
    }
}

/// Why an order is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    Return,
    Dispute,
    LateDelivery,
    Hardship,
}

impl HoldReason {
    pub const ALL: [HoldReason; 4] =
        [HoldReason::Return, HoldReason::Dispute, HoldReason::LateDelivery, HoldReason::Hardship];

    pub fn name(self) -> &'static str {
        match self {
            HoldReason::Return => "return",
            HoldReason::Dispute => "dispute",
            HoldReason::LateDelivery => "late_delivery",
            HoldReason::Hardship => "hardship",
        }
    }

    pub fn parse(text: &str) -> Option<HoldReason> {
        HoldReason::ALL.into_iter().find(|reason| reason.name() == text)
    }
}

/// A fact as a file delivers it, before its order is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    pub id: String,
    pub order_id: String,
    pub effective_at: DateTime<Utc>,
    pub what: What,
    /// Of a payment, refund, chargeback or waiver.
    pub currency: Option<Currency>,
    /// Channel, reason or who approved, as the file says.
    pub note: Option<String>,
    /// Of a refund: it failed, so what was booked of it is corrected.
    pub failed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_as_the_store_has_them() {
        let (minor, suspended) = (100, false);
        for (what, kind) in [
            (What::Fulfilment(Event::Shipped), "fulfilment"),
            (What::Payment { minor, suspended }, "payment"),
            (What::Refund { minor, suspended }, "refund"),
            (What::Chargeback { minor, payment_id: "P1".into(), suspended }, "chargeback"),
            (What::Extension { days: 3 }, "extension"),
            (What::Hold { reason: HoldReason::Return, ends_on: None }, "hold"),
            (What::Waiver { minor }, "waiver"),
            (What::Notice { instalment: 1 }, "notice"),
            (What::PayOut { minor }, "pay_out"),
            (What::GivenBack, "given_back"),
        ] {
            assert_eq!(what.kind().name(), kind);
        }
    }
}
