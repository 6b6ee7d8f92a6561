//! Holds: a reason to stop the clock or its effects for a while. A hold covers its first to its last day.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{days_between, plus};
use super::order::{Fact, What};
use super::policy::Terms;

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

/// What a hold stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
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

impl Effect {
    pub const ALL: [Effect; 5] = [Effect::Clock, Effect::Fees, Effect::Contact, Effect::Credit, Effect::Debit];

    pub fn name(self) -> &'static str {
        match self {
            Effect::Clock => "clock",
            Effect::Fees => "fees",
            Effect::Contact => "contact",
            Effect::Credit => "credit",
            Effect::Debit => "debit",
        }
    }
}

/// What a policy says about a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRule {
    pub reason: HoldReason,
    /// How long it lasts when the merchant names no end.
    pub days: i64,
    pub effects: Vec<Effect>,
}

impl HoldRule {
    /// What holds when a policy is silent.
    pub fn default_for(reason: HoldReason) -> HoldRule {
        use Effect::{Clock, Contact, Credit, Debit, Fees};
        let (days, effects) = match reason {
            HoldReason::Return => (28, vec![Clock, Fees, Contact, Credit, Debit]),
            HoldReason::LateDelivery => (21, vec![Clock, Fees, Contact, Credit, Debit]),
            HoldReason::Dispute => (28, vec![Fees, Contact, Credit, Debit]),
            HoldReason::Hardship => (60, vec![Fees, Credit, Debit]),
        };
        HoldRule { reason, days, effects }
    }
}

/// The first and last day a hold covers, and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldSpan {
    pub reason: HoldReason,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// The holds of an order, by first day.
pub fn spans(facts: &[&Fact], terms: &Terms) -> Vec<HoldSpan> {
    let mut spans: Vec<HoldSpan> = facts
        .iter()
        .filter_map(|fact| match fact.what {
            What::Hold { reason, ends_on } => {
                let first = fact.effective_on;
                let last = ends_on.unwrap_or_else(|| plus(first, terms.hold_rule(reason).days - 1));
                Some(HoldSpan { reason, first, last })
            }
            _ => None,
        })
        .collect();
    spans.sort_by_key(|span| (span.first, span.last, span.reason));
    spans
}

/// What all the holds that cover a day stop together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stopped(u8);

impl Stopped {
    pub fn on(day: NaiveDate, spans: &[HoldSpan], terms: &Terms) -> Stopped {
        let covering = spans.iter().filter(|span| (span.first..=span.last).contains(&day));
        covering.flat_map(|span| terms.hold_rule(span.reason).effects).collect()
    }

    pub fn has(self, effect: Effect) -> bool {
        self.0 & (1 << effect as u8) != 0
    }

    /// The effects by name, with blanks between them.
    pub fn names(self) -> String {
        let names: Vec<&str> = Effect::ALL.into_iter().filter(|effect| self.has(*effect)).map(Effect::name).collect();
        names.join(" ")
    }

    /// Reads what [`Stopped::names`] wrote.
    pub fn parse(names: &str) -> Option<Stopped> {
        let effect = |name: &str| Effect::ALL.into_iter().find(|effect| effect.name() == name);
        names.split_whitespace().map(effect).collect()
    }
}

impl FromIterator<Effect> for Stopped {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Stopped {
        Stopped(effects.into_iter().fold(0, |all, effect| all | 1 << effect as u8))
    }
}

/// The days covered by holds with one effect: merged, in order, without overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered(Vec<(NaiveDate, NaiveDate)>);

impl Covered {
    pub fn by(effect: Effect, spans: &[HoldSpan], terms: &Terms) -> Covered {
        let mut merged: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for span in spans {
            if !terms.hold_rule(span.reason).effects.contains(&effect) || span.last < span.first {
                continue;
            }
            match merged.last_mut() {
                Some(last) if span.first <= plus(last.1, 1) => last.1 = last.1.max(span.last),
                _ => merged.push((span.first, span.last)),
            }
        }
        Covered(merged)
    }

    pub fn covers(&self, day: NaiveDate) -> bool {
        self.covered_until(day).is_some()
    }

    /// The last day of the stretch that covers a day.
    pub fn covered_until(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.0.iter().find(|(first, last)| (*first..=*last).contains(&day)).map(|(_, last)| *last)
    }

    /// The first day from `day` on that is not covered.
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

    /// A hold that stops debits, by what holds when a policy is silent.
    pub fn debit_hold(first: NaiveDate, last: NaiveDate) -> HoldSpan {
        HoldSpan { reason: HoldReason::Dispute, first, last }
    }

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    #[test]
    fn holds_of_a_day_stop_things_together() {
        let span = |reason, first, last| HoldSpan { reason, first: day(first), last: day(last) };
        let spans = [
            span(HoldReason::Hardship, "05", "20"),
            span(HoldReason::Dispute, "08", "10"),
            span(HoldReason::Return, "10", "12"),
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
            let stopped = Stopped::on(day(on), &spans, &crate::domain::policy::tests::terms());
            assert_eq!(stopped.names(), stops, "{on}");
            assert_eq!(Stopped::parse(stops), Some(stopped), "{on}");
            assert_eq!(stopped.has(Effect::Contact), stops.contains("contact"), "{on}");
        }
        assert_eq!(Stopped::parse("fees naps"), None);
    }

    #[test]
    fn covered_days_do_not_count() {
        let covered = Covered(vec![(day("05"), day("07")), (day("10"), day("10"))]);
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
        let covered = Covered(vec![(day("03"), day("06")), (day("09"), day("12"))]);
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
