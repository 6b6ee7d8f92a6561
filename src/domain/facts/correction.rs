//! Corrections: a wrong fact is voided or replaced by another fact, and both are kept for ever. Decisions use only the facts
//! in force, so deciding the order again also corrects everything that followed from the wrong fact.
//!
//! Of several corrections of one fact the one with the latest `corrected_at` counts, in whatever order they arrive; if two
//! have the same instant, the one that arrived last. So a further correction corrects a correction.

use chrono::{DateTime, NaiveDate, Utc};

use super::fact::{Fact, FactKind, HoldReason, What};
use super::source::Source;
use crate::domain::money::Currency;

/// The kinds of facts that can be corrected, as `correct` and files name them. Two cannot: a notice, since the program itself
/// sent it, and a refund paid by the provider, which follows from the provider's bill.
pub const KINDS: [FactKind; 8] = [
    FactKind::Fulfilment,
    FactKind::Payment,
    FactKind::Refund,
    FactKind::Chargeback,
    FactKind::Extension,
    FactKind::Hold,
    FactKind::Waiver,
    FactKind::PayOut,
];

/// Reads the name of a kind, or of the files that bring it: `payment` or `payments`.
pub fn parse_kind(text: &str) -> Option<FactKind> {
    KINDS.into_iter().find(|kind| text == kind.name() || text.strip_suffix('s') == Some(kind.name()))
}

/// A correction as booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub id: String,
    pub kind: FactKind,
    pub fact_id: String,
    /// The fact that counts from now on, booked with the correction and from its source. None: the fact is void.
    pub instead: Option<Fact>,
    /// How a payment was made, by this or an earlier correction. None: as the payment says.
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

/// A correction as a file delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionRow {
    pub id: String,
    pub kind: FactKind,
    pub fact_id: String,
    pub action: Action,
    /// The order that the row names, if it does.
    pub order_id: Option<String>,
    /// How a payment was made. A new channel changes no amount and no day, only which bill shows the payment.
    pub channel: Option<String>,
    pub corrected_at: DateTime<Utc>,
    /// Why, and who says so.
    pub reason: String,
    pub approved_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It never happened.
    Void,
    /// It happened, but in another way.
    Replace(Changes),
}

impl Action {
    pub fn name(&self) -> &'static str {
        match self {
            Action::Void => "void",
            Action::Replace(_) => "replace",
        }
    }
}

/// What was different. Fields without a value stay as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub effective_at: Option<DateTime<Utc>>,
    pub money: Option<(i64, Currency)>,
    pub days: Option<i64>,
    pub hold_reason: Option<HoldReason>,
    pub ends_on: Option<NaiveDate>,
    pub payment_id: Option<String>,
}

impl Changes {
    /// The corrected content of a fact. Money booked in suspense leaves suspense with the fact that is replaced.
    pub fn apply(&self, what: &What) -> What {
        let minor_of = |before: i64| self.money.map_or(before, |(minor, _)| minor);
        match what {
            What::Payment { minor, .. } => What::Payment { minor: minor_of(*minor), suspended: false },
            What::Refund { minor, .. } => What::Refund { minor: minor_of(*minor), suspended: false },
            What::Chargeback { minor, payment_id, .. } => What::Chargeback {
                minor: minor_of(*minor),
                payment_id: self.payment_id.clone().unwrap_or_else(|| payment_id.clone()),
                suspended: false,
            },
            What::Extension { days } => What::Extension { days: self.days.unwrap_or(*days) },
            What::Hold { reason, ends_on } => {
                What::Hold { reason: self.hold_reason.unwrap_or(*reason), ends_on: self.ends_on.or(*ends_on) }
            }
            What::Waiver { minor } => What::Waiver { minor: minor_of(*minor) },
            What::Fulfilment(_) | What::Notice { .. } | What::PayOut { .. } | What::GivenBack => what.clone(),
        }
    }
}

/// An order's facts in time: those in force, and what was in force before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub facts: Vec<Fact>,
    /// Facts that were corrected, each with the business date from which it no longer counts.
    pub superseded: Vec<(Fact, NaiveDate)>,
    /// Oldest first, as they were booked.
    pub corrections: Vec<Correction>,
}

impl History {
    /// From the facts as they arrived, and their corrections.
    pub fn of(facts: Vec<Fact>, mut corrections: Vec<Correction>) -> History {
        if corrections.is_empty() {
            return History { facts, ..History::default() };
        }
        corrections.sort_by_key(|correction| (correction.booked_on, correction.source.file_no, correction.source.line));
        let mut history = History::default();
        for fact in facts {
            let mut winner: Option<&Correction> = None;
            let mut in_force = Some(fact.clone());
            for correction in corrections.iter().filter(|correction| correction.is_about(&fact)) {
                if winner.is_some_and(|winner| correction.corrected_at < winner.corrected_at) {
                    continue;
                }
                winner = Some(correction);
                if let Some(before) = in_force.take().filter(|before| before.booked_on < correction.booked_on) {
                    history.superseded.push((before, correction.booked_on));
                }
                in_force.clone_from(&correction.instead);
            }
            history.facts.extend(in_force);
        }
        history.corrections = corrections;
        history
    }
}
