//! The part of a policy about holds: for each reason, how long a hold lasts and what it stops.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::facts::fact::HoldReason;

/// What a hold stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldEffect {
    /// Its days don't count towards the due date, nor towards automatic confirmation.
    Clock,
    /// Its days count for no fee.
    Fees,
    /// No reminders.
    Contact,
    /// No step towards a credit flag.
    Credit,
    /// No collection by debit.
    Debit,
}

impl HoldEffect {
    pub const ALL: [HoldEffect; 5] =
        [HoldEffect::Clock, HoldEffect::Fees, HoldEffect::Contact, HoldEffect::Credit, HoldEffect::Debit];

    pub fn name(self) -> &'static str {
        match self {
            HoldEffect::Clock => "clock",
            HoldEffect::Fees => "fees",
            HoldEffect::Contact => "contact",
            HoldEffect::Credit => "credit",
            HoldEffect::Debit => "debit",
        }
    }
}

/// The policy's rule for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRule {
    pub reason: HoldReason,
    /// The length of the hold if the merchant names no end.
    pub days: i64,
    pub effects: Vec<HoldEffect>,
}

impl HoldRule {
    /// The rule that applies if the policy has none for the reason.
    pub fn default_for(reason: HoldReason) -> HoldRule {
        use HoldEffect::{Clock, Contact, Credit, Debit, Fees};
        let (days, effects) = match reason {
            HoldReason::Return => (28, vec![Clock, Fees, Contact, Credit, Debit]),
            HoldReason::LateDelivery => (21, vec![Clock, Fees, Contact, Credit, Debit]),
            HoldReason::Dispute => (28, vec![Fees, Contact, Credit, Debit]),
            HoldReason::Hardship => (60, vec![Fees, Credit, Debit]),
        };
        HoldRule { reason, days, effects }
    }
}
