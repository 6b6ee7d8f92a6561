//! An order's story, day by day: every date, amount, refusal and mail with its rule and source, and the positions now.

mod bank;
mod bill;
mod events;
mod late_fee;
mod movement;
mod story;
mod words;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use super::instalment::Instalment;
use crate::domain::intake::code::DeclineCode;

#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderStory {
    pub merchant_id: String,
    pub merchant_name: String,
    pub order_id: String,
    /// Null as long as no orders file has named it.
    pub order: Option<StoryOrder>,
    /// The order and its terms, in words.
    pub headline: Vec<String>,
    /// By day; within a day in the order of the kinds.
    pub events: Vec<Event>,
    /// What is owed now; empty of an order that was declined or is not known.
    pub instalments: Vec<Instalment>,
    /// What the customer has paid too much.
    pub customer_credit: Option<Amount>,
    /// Money of the order that waits in suspense, in each currency.
    pub in_suspense: Vec<Amount>,
    /// Why mails, notices, credit flags and debits are held back, in words.
    pub held_back: Option<String>,
    /// What is owed now and what comes next, in words.
    pub now: Vec<String>,
}

/// The order as it was placed and decided.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoryOrder {
    pub customer_id: String,
    pub amount: Amount,
    pub item: Option<String>,
    pub ordered_at: DateTime<Utc>,
    /// The business day on which its file was taken.
    pub booked_on: NaiveDate,
    pub policy_version: NaiveDate,
    /// The code with which it was declined; null if it was accepted.
    pub declined: Option<DeclineCode>,
    /// The score on which it was decided.
    pub credit_score: Option<i64>,
    pub agreement_id: Option<String>,
}

/// Something that happened or was decided, on its business date.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Event {
    pub on: NaiveDate,
    pub kind: EventKind,
    /// In words.
    pub what: String,
    /// File and line, the policy's version, a mail's Message-ID, or a reason.
    pub source: Option<String>,
}

/// Where an event comes from. Within a day files come in, then decisions follow, then the bank, then mails, then the credit
/// record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    File,
    DueDate,
    Money,
    Bank,
    Mail,
    CreditRecord,
}
