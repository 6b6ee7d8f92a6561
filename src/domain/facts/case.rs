//! A case: an order with its facts and their corrections, as known today or on an earlier day.

use chrono::{DateTime, NaiveDate, Utc};

use super::correction::{Correction, History};
use super::fact::{Fact, FactKind, What};
use super::order::Order;
use super::source::Source;

/// An order with everything known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub order: Order,
    /// The facts in force.
    pub facts: Vec<Fact>,
    /// Facts that were corrected, each with the business date from which it no longer counts.
    pub superseded: Vec<(Fact, NaiveDate)>,
    pub corrections: Vec<Correction>,
}

impl Case {
    /// An order without corrections.
    pub fn new(order: Order, facts: Vec<Fact>) -> Case {
        Case { order, facts, superseded: Vec::new(), corrections: Vec::new() }
    }

    /// The facts that had taken effect by the end of a day.
    pub fn effective_by(&self, day: NaiveDate) -> Vec<&Fact> {
        self.facts.iter().filter(|fact| fact.effective_on <= day).collect()
    }

    /// An order with its facts and their corrections.
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

    /// The business dates on which facts and corrections became known.
    pub fn known_days(&self) -> Vec<NaiveDate> {
        let facts = self.facts.iter().chain(self.superseded.iter().map(|(fact, _)| fact));
        let facts = facts.map(|fact| fact.booked_on);
        facts.chain(self.corrections.iter().map(|correction| correction.booked_on)).collect()
    }

    /// The fact in force under a key.
    pub fn fact(&self, kind: FactKind, id: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == id && fact.what.kind() == kind)
    }

    /// The same case with one more fact, as if it were known already: what would follow from it?
    pub fn with(&self, what: &What, effective_at: DateTime<Utc>, effective_on: NaiveDate) -> Case {
        let mut more = self.clone();
        more.facts.push(Fact {
            id: String::new(),
            effective_at,
            effective_on,
            booked_on: effective_on,
            source: Source::default(),
            what: what.clone(),
        });
        more
    }

    /// The same case without one fact.
    pub fn without(&self, kind: FactKind, id: &str) -> Case {
        let mut rest = self.clone();
        rest.facts.retain(|fact| fact.id != id || fact.what.kind() != kind);
        rest
    }

    /// The correction of a fact that counts, if there is one.
    pub fn correction_of(&self, kind: FactKind, fact_id: &str) -> Option<&Correction> {
        let about =
            self.corrections.iter().filter(|correction| correction.kind == kind && correction.fact_id == fact_id);
        // Of equals, `max_by_key` takes the last.
        about.max_by_key(|correction| correction.corrected_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

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
                kind: FactKind::Payment,
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
            // An older correction that arrives later changes nothing.
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
