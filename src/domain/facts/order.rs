//! Orders: one purchase each, as a file delivers it and as it was accepted.

use chrono::{DateTime, NaiveDate, Utc};

use super::fact::Event;
use super::source::Source;
use crate::domain::money::Currency;

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
