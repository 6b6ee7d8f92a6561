//! What happened: orders, and the facts that follow them. Facts are kept for ever and never change.

use chrono::{DateTime, NaiveDate, Utc};

use super::hold::HoldReason;
use super::money::Currency;

/// Where something came from: the file's number and the line in it. Line 0 of file 0 is the program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    pub file_no: i64,
    pub line: i64,
}

/// Stands between the parts of a key that is unique within something: `T-1/R-1` is the refund R-1 of the trade T-1.
pub const PARTS: char = '/';

/// One purchase, as accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub order_id: String,
    pub customer_id: String,
    pub amount_minor: i64,
    pub currency: Currency,
    pub ordered_at: DateTime<Utc>,
    /// The day of `ordered_at`, by the policy's cut-off.
    pub ordered_on: NaiveDate,
    /// Days to pay, from the score band the order was decided on.
    pub term: i64,
    /// The effective date of the policy version in force when it was ordered.
    pub policy_version: NaiveDate,
    pub booked_on: NaiveDate,
    pub source: Source,
}

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
    /// The provider's bill says that it gave the refund of this key back itself: the customer has that money.
    GivenBack,
}

/// A correction as booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub id: String,
    pub kind: String,
    pub fact_id: String,
    /// What counts from now on: booked with the correction, and from its source. None: the fact is void.
    pub instead: Option<Fact>,
    /// Of a payment: how it was paid after all, by this or an earlier correction. None: as the payment says.
    pub channel: Option<String>,
    pub corrected_at: DateTime<Utc>,
    /// The business date it was booked on.
    pub booked_on: NaiveDate,
    pub source: Source,
    pub reason: String,
    pub approved_by: String,
}

impl Correction {
    pub fn is_about(&self, fact: &Fact) -> bool {
        self.fact_id == fact.id && self.kind == fact.what.kind()
    }
}

/// What a fulfilment row says, in the order in which it happens.
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

impl What {
    /// The kind's name, as the store and `explain` use it.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Fulfilment(_) => "fulfilment",
            What::Payment { .. } => "payment",
            What::Refund { .. } => "refund",
            What::Chargeback { .. } => "chargeback",
            What::Extension { .. } => "extension",
            What::Hold { .. } => "hold",
            What::Waiver { .. } => "waiver",
            What::Notice { .. } => "notice",
            What::PayOut { .. } => "pay_out",
            What::GivenBack => "given_back",
        }
    }
}

/// An order with everything known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub order: Order,
    /// Those in force.
    pub facts: Vec<Fact>,
    /// What counted before it was corrected, with the business date from which on it does not.
    pub superseded: Vec<(Fact, NaiveDate)>,
    pub corrections: Vec<Correction>,
}

impl Case {
    /// An order of whose facts none was corrected.
    pub fn new(order: Order, facts: Vec<Fact>) -> Case {
        Case { order, facts, superseded: Vec::new(), corrections: Vec::new() }
    }

    /// What had happened by the end of a day.
    pub fn effective_by(&self, day: NaiveDate) -> Vec<&Fact> {
        self.facts.iter().filter(|fact| fact.effective_on <= day).collect()
    }
}

/// A purchase as a file delivers it, before it is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub order_id: String,
    pub customer_id: String,
    pub amount_minor: i64,
    pub currency: Currency,
    pub ordered_at: DateTime<Utc>,
    pub item: Option<String>,
    /// Fulfilment that the order's own row already carries.
    pub events: Vec<(Event, DateTime<Utc>)>,
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
    /// Of a refund: it did not go through, and what was counted of it counts no more.
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
            assert_eq!(what.kind(), kind);
        }
    }
}
