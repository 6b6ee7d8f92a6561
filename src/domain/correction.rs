//! Corrections: a wrong fact is voided or replaced by a fact of its own, and both stay for ever. What follows from an
//! order's facts follows from those in force, so everything that came of a wrong one is corrected by the same decision.
//!
//! Of several corrections of one fact the one with the latest `corrected_at` counts, in whatever order they come; of two of
//! one instant, the one that came last. So a correction is itself corrected by another one.

use chrono::{DateTime, NaiveDate, Utc};

use super::hold::HoldReason;
use super::journal::{Entry, Reason};
use super::money::Currency;
use super::order::{Case, Correction, Fact, Order, What};

/// The kinds of facts that can be corrected, as `correct` and files name them: all but notices, and that the provider gave a
/// refund back itself, which follows from its bill. That a notice was sent is known by the program itself, and nobody else
/// can know better.
pub const KINDS: [&str; 8] =
    ["fulfilment", "payment", "refund", "chargeback", "extension", "hold", "waiver", "pay_out"];

/// A kind by its name, or by that of the files that bring it.
pub fn parse_kind(text: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| text == *kind || text.strip_suffix('s') == Some(kind))
}

/// A correction as a file delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionRow {
    pub id: String,
    pub kind: &'static str,
    pub fact_id: String,
    pub action: Action,
    /// The order that the row names, if it does.
    pub order_id: Option<String>,
    /// How a payment was made after all. That changes no amount and no day, only which bill shows the payment.
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

/// What was different. What is not said stays as it was.
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
    /// What happened, after all. Money that was booked in suspense leaves it with the fact that is replaced.
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
    /// What counted once, with the business date from which on it does not.
    pub superseded: Vec<(Fact, NaiveDate)>,
    /// Oldest first, as they were booked.
    pub corrections: Vec<Correction>,
}

impl History {
    /// Facts as they came, and the corrections of them.
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

impl Case {
    /// An order's case by its facts and what was corrected of them.
    pub fn of(order: Order, history: History) -> Case {
        let History { facts, superseded, corrections } = history;
        Case { order, facts, superseded, corrections }
    }

    /// The same case as it was known when `day` was the business date.
    pub fn as_known_on(&self, day: NaiveDate) -> Case {
        let known = |fact: &&Fact| fact.booked_on <= day;
        let still = self.superseded.iter().filter(|(_, until)| *until > day).map(|(fact, _)| fact);
        let facts = self.facts.iter().chain(still).filter(known).cloned().collect();
        let superseded = self.superseded.iter().filter(|(_, until)| *until <= day).cloned().collect();
        let corrections = self.corrections.iter().filter(|correction| correction.booked_on <= day).cloned().collect();
        Case { order: self.order.clone(), facts, superseded, corrections }
    }

    /// The business dates on which something became known of it after the order itself.
    pub fn known_days(&self) -> Vec<NaiveDate> {
        let facts = self.facts.iter().chain(self.superseded.iter().map(|(fact, _)| fact));
        let facts = facts.map(|fact| fact.booked_on);
        facts.chain(self.corrections.iter().map(|correction| correction.booked_on)).collect()
    }

    /// The fact in force under a key.
    pub fn fact(&self, kind: &str, id: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == id && fact.what.kind() == kind)
    }

    /// The correction that counts of a fact, if it was corrected.
    pub fn correction_of(&self, kind: &str, fact_id: &str) -> Option<&Correction> {
        let about =
            self.corrections.iter().filter(|correction| correction.kind == kind && correction.fact_id == fact_id);
        // Of equals, the last is the greatest.
        about.max_by_key(|correction| correction.corrected_at)
    }

    /// The same case without one fact.
    pub fn without(&self, kind: &str, id: &str) -> Case {
        let mut rest = self.clone();
        rest.facts.retain(|fact| fact.id != id || fact.what.kind() != kind);
        rest
    }

    /// What is booked because a fact was corrected comes from the correction.
    pub fn name_corrections(&self, entries: &mut [Entry]) {
        for entry in entries.iter_mut().filter(|entry| entry.reason == Reason::Corrected) {
            let cause = &entry.movement.cause;
            let about = self.corrections.iter().filter(|correction| !cause.is_empty() && correction.fact_id == *cause);
            if let Some(latest) = about.max_by_key(|correction| correction.booked_on) {
                entry.source = latest.source;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::Source;
    use super::*;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    fn at(n: u32) -> DateTime<Utc> {
        day(n).and_hms_opt(4, 0, 0).unwrap().and_utc()
    }

    fn payment(minor: i64, booked: u32) -> Fact {
        Fact {
            id: "P1".into(),
            effective_at: at(2),
            effective_on: day(2),
            booked_on: day(booked),
            source: Source { file_no: i64::from(booked), line: 2 },
            what: What::Payment { minor, suspended: false },
        }
    }

    /// The amounts in force at the end of each day of the 1st to the 9th; `-` for none. A correction is
    /// `booked:corrected:amount`, or `booked:corrected:void`.
    fn amounts(corrections: &str) -> String {
        let corrections = corrections.split_whitespace().enumerate().map(|(i, text)| {
            let [booked, corrected, amount] = text.split(':').collect::<Vec<_>>()[..] else { panic!("{text}") };
            let (booked, corrected) = (booked.parse().unwrap(), corrected.parse().unwrap());
            Correction {
                id: format!("K{i}"),
                kind: "payment".into(),
                fact_id: "P1".into(),
                instead: amount.parse().ok().map(|minor| payment(minor, booked)),
                channel: None,
                corrected_at: at(corrected),
                booked_on: day(booked),
                source: Source { file_no: i64::from(booked), line: i64::try_from(i).unwrap() },
                reason: String::new(),
                approved_by: String::new(),
            }
        });
        let order = Order {
            order_id: "O1".into(),
            customer_id: "C1".into(),
            amount_minor: 10_000,
            currency: Currency::parse("CNY").unwrap(),
            ordered_at: at(1),
            ordered_on: day(1),
            term: 7,
            policy_version: day(1),
            booked_on: day(1),
            source: Source::default(),
        };
        let case = Case::of(order, History::of(vec![payment(100, 2)], corrections.collect()));
        let on = |n| match case.as_known_on(day(n)).facts.as_slice() {
            [] => "-".to_owned(),
            [Fact { what: What::Payment { minor, .. }, .. }] => minor.to_string(),
            other => panic!("{other:?}"),
        };
        (1..=9).map(on).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_counts_on_each_day() {
        for (corrections, expected) in [
            ("", "- 100 100 100 100 100 100 100 100"),
            ("5:5:void", "- 100 100 100 - - - - -"),
            ("5:5:80", "- 100 100 100 80 80 80 80 80"),
            // On the day of the fact itself.
            ("2:2:80", "- 80 80 80 80 80 80 80 80"),
            // Corrected again: the latest counts.
            ("4:4:80 6:6:void 8:8:90", "- 100 100 80 80 - - 90 90"),
            // An older word that comes later changes nothing.
            ("4:4:80 6:3:void", "- 100 100 80 80 80 80 80 80"),
            // Two of a day, and two of an instant: the last counts.
            ("5:5:80 5:6:70", "- 100 100 100 70 70 70 70 70"),
            ("5:5:80 5:5:void", "- 100 100 100 - - - - -"),
            ("5:6:80 5:5:void", "- 100 100 100 80 80 80 80 80"),
        ] {
            assert_eq!(amounts(corrections), expected, "{corrections}");
        }
    }
}
