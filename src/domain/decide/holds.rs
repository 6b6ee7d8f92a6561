//! Holds of an order: the days they cover, and what they stop. A hold covers its first to its last day.

use chrono::NaiveDate;

use crate::domain::calendar::{days_between, plus};
use crate::domain::facts::fact::{Fact, HoldReason, What};
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;

/// The first and last day a hold covers, and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub reason: HoldReason,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Hold {
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// The holds of an order, by first day.
pub fn holds(facts: &[&Fact], terms: &Terms) -> Vec<Hold> {
    let mut holds: Vec<Hold> = facts
        .iter()
        .filter_map(|fact| match fact.what {
            What::Hold { reason, ends_on } => {
                let first = fact.effective_on;
                let last = ends_on.unwrap_or_else(|| plus(first, terms.hold_rule(reason).days - 1));
                Some(Hold { reason, first, last })
            }
            _ => None,
        })
        .collect();
    holds.sort_by_key(|hold| (hold.first, hold.last, hold.reason));
    holds
}

/// The combined effects of all holds that cover a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HoldEffects(u8);

impl HoldEffects {
    pub fn on(day: NaiveDate, holds: &[Hold], terms: &Terms) -> HoldEffects {
        let covering = holds.iter().filter(|hold| hold.covers(day));
        covering.flat_map(|hold| terms.hold_rule(hold.reason).effects).collect()
    }

    pub fn has(self, effect: HoldEffect) -> bool {
        self.0 & (1 << effect as u8) != 0
    }

    /// The names of the effects, separated by spaces.
    pub fn names(self) -> String {
        let names: Vec<&str> =
            HoldEffect::ALL.into_iter().filter(|effect| self.has(*effect)).map(HoldEffect::name).collect();
        names.join(" ")
    }

    /// Parses the output of [`HoldEffects::names`].
    pub fn parse(names: &str) -> Option<HoldEffects> {
        let effect = |name: &str| HoldEffect::ALL.into_iter().find(|effect| effect.name() == name);
        names.split_whitespace().map(effect).collect()
    }
}

impl FromIterator<HoldEffect> for HoldEffects {
    fn from_iter<I: IntoIterator<Item = HoldEffect>>(effects: I) -> HoldEffects {
        HoldEffects(effects.into_iter().fold(0, |all, effect| all | 1 << effect as u8))
    }
}

/// The days covered by holds with one effect: merged, in order, without overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldDays(Vec<(NaiveDate, NaiveDate)>);

impl HeldDays {
    pub fn by(effect: HoldEffect, holds: &[Hold], terms: &Terms) -> HeldDays {
        let mut merged: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for hold in holds {
            if !terms.hold_rule(hold.reason).effects.contains(&effect) || hold.last < hold.first {
                continue;
            }
            match merged.last_mut() {
                Some(last) if hold.first <= plus(last.1, 1) => last.1 = last.1.max(hold.last),
                _ => merged.push((hold.first, hold.last)),
            }
        }
        HeldDays(merged)
    }

    pub fn covers(&self, day: NaiveDate) -> bool {
        self.covered_until(day).is_some()
    }

    /// The last day of the period that covers a day.
    pub fn covered_until(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.0.iter().find(|(first, last)| (*first..=*last).contains(&day)).map(|(_, last)| *last)
    }

    /// The first day at or after `day` that is not covered.
    pub fn first_free(&self, day: NaiveDate) -> NaiveDate {
        let covering = self.0.iter().find(|(first, last)| (*first..=*last).contains(&day));
        covering.map_or(day, |(_, last)| plus(*last, 1))
    }

    /// The n-th day after `from` that is not covered; `from` itself for n = 0.
    pub fn advance(&self, from: NaiveDate, n: i64) -> NaiveDate {
        if n <= 0 {
            return from;
        }
        let mut day = plus(from, n);
        for (first, last) in &self.0 {
            let first = (*first).max(plus(from, 1));
            if *last < first || first > day {
                continue;
            }
            day = plus(day, days_between(first, *last) + 1);
        }
        day
    }

    /// How many days d with after < d ≤ upto are not covered.
    pub fn free_days(&self, after: NaiveDate, upto: NaiveDate) -> i64 {
        let all = days_between(after, upto);
        if all <= 0 {
            return 0;
        }
        let held: i64 = self
            .0
            .iter()
            .map(|(first, last)| {
                let first = (*first).max(plus(after, 1));
                let last = (*last).min(upto);
                (days_between(first, last) + 1).max(0)
            })
            .sum();
        all - held
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A hold that stops debits by the default rule for its reason.
    pub fn debit_hold(first: NaiveDate, last: NaiveDate) -> Hold {
        Hold { reason: HoldReason::Dispute, first, last }
    }

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    #[test]
    fn holds_of_a_day_stop_things_together() {
        let hold = |reason, first, last| Hold { reason, first: day(first), last: day(last) };
        let holds = [
            hold(HoldReason::Hardship, "05", "20"),
            hold(HoldReason::Dispute, "08", "10"),
            hold(HoldReason::Return, "10", "12"),
        ];
        for (on, stops) in [
            ("04", ""),
            ("05", "fees credit debit"),
            ("08", "fees contact credit debit"),
            ("10", "clock fees contact credit debit"),
            ("12", "clock fees contact credit debit"),
            ("13", "fees credit debit"),
            ("21", ""),
        ] {
            let stopped = HoldEffects::on(day(on), &holds, &crate::domain::terms::policy::tests::terms());
            assert_eq!(stopped.names(), stops, "{on}");
            assert_eq!(HoldEffects::parse(stops), Some(stopped), "{on}");
            assert_eq!(stopped.has(HoldEffect::Contact), stops.contains("contact"), "{on}");
        }
        assert_eq!(HoldEffects::parse("fees naps"), None);
    }

    #[test]
    fn covered_days_do_not_count() {
        let covered = HeldDays(vec![(day("05"), day("07")), (day("10"), day("10"))]);
        for (from, n, expected) in [
            ("01", 0, "01"),
            ("01", 3, "04"),
            ("01", 4, "08"),
            ("01", 5, "09"),
            ("01", 6, "11"),
            ("05", 0, "05"),
            ("05", 1, "08"),
            ("07", 1, "08"),
            ("10", 1, "11"),
        ] {
            assert_eq!(covered.advance(day(from), n), day(expected), "{n} days after {from}");
        }
        for (on, covers) in [("04", false), ("05", true), ("07", true), ("08", false), ("10", true), ("11", false)] {
            assert_eq!(covered.covers(day(on)), covers, "{on}");
        }
        for (from, free) in [("04", "04"), ("05", "08"), ("07", "08"), ("10", "11")] {
            assert_eq!(covered.first_free(day(from)), day(free), "from {from}");
        }
        for (after, upto, free) in [("01", "04", 3), ("01", "08", 4), ("04", "07", 0), ("05", "11", 3), ("09", "08", 0)]
        {
            assert_eq!(covered.free_days(day(after), day(upto)), free, "({after}, {upto}]");
        }
    }

    #[test]
    fn advancing_and_counting_agree() {
        let covered = HeldDays(vec![(day("03"), day("06")), (day("09"), day("12"))]);
        for start in 1..=14 {
            for n in 1..=8 {
                let from = day(&format!("{start:02}"));
                let reached = covered.advance(from, n);
                assert_eq!(covered.free_days(from, reached), n, "{n} after {from}");
                assert!(!covered.covers(reached));
            }
        }
    }
}
