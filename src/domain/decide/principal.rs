//! An instalment's principal left at the end of each day. Payments and refunds reduce it, and a chargeback increases it
//! again, so the days on which something was owed can form several periods.

use chrono::NaiveDate;

use super::holds::HeldDays;
use crate::domain::calendar::{days_between, plus};

/// An instalment's principal over time: the amount left at the end of each day on which it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    ordered: i64,
    /// Ascending by day, one entry a day.
    changes: Vec<(NaiveDate, i64)>,
}

impl Principal {
    pub fn new(ordered: i64) -> Principal {
        Principal { ordered, changes: Vec::new() }
    }

    /// The principal left after all changes so far.
    pub fn now(&self) -> i64 {
        self.changes.last().map_or(self.ordered, |(_, left)| *left)
    }

    /// Subtracts an amount on a day. Days must come in order.
    pub fn take(&mut self, day: NaiveDate, minor: i64) {
        self.change(day, self.now() - minor);
    }

    /// Adds an amount back on a day. Days must come in order.
    pub fn put_back(&mut self, day: NaiveDate, minor: i64) {
        self.change(day, self.now() + minor);
    }

    fn change(&mut self, day: NaiveDate, left: i64) {
        match self.changes.last_mut() {
            Some(last) if last.0 == day => last.1 = left,
            _ => self.changes.push((day, left)),
        }
    }

    /// P(d): the principal left at the end of a day.
    pub fn left(&self, day: NaiveDate) -> i64 {
        let before = self.changes.iter().rev().find(|(changed_on, _)| *changed_on <= day);
        before.map_or(self.ordered, |(_, left)| *left)
    }

    /// The day since which no principal is left; `None` while some is.
    pub fn gone_since(&self) -> Option<NaiveDate> {
        let gone = self.changes.iter().rev().take_while(|(_, left)| *left == 0);
        gone.last().map(|(day, _)| *day)
    }

    /// The number of days d in (due_on, day] with P(d) > 0.
    pub fn days_past_due(&self, due_on: NaiveDate, day: NaiveDate) -> i64 {
        self.unpaid(due_on, day).map(|(after, upto)| days_between(after, upto)).sum()
    }

    /// The same days as periods: each covers the days after its first day up to its second.
    pub fn unpaid(&self, due_on: NaiveDate, day: NaiveDate) -> impl Iterator<Item = (NaiveDate, NaiveDate)> {
        let unpaid = self.stretches(due_on, day).filter(|(_, _, left)| *left > 0);
        unpaid.map(|(after, upto, _)| (after, upto))
    }

    /// The n-th day d after `due_on` with P(d) > 0, by the changes so far; n is at least 1.
    pub fn nth_day_past_due(&self, due_on: NaiveDate, n: i64) -> Option<NaiveDate> {
        let mut missing = n;
        for (after, upto) in self.unpaid(due_on, NaiveDate::MAX) {
            let days = days_between(after, upto);
            if days >= missing {
                return Some(plus(after, missing));
            }
            missing -= days;
        }
        None
    }

    /// Σ P(d) over the days d with after < d ≤ upto that are not held.
    pub fn sum(&self, after: NaiveDate, upto: NaiveDate, held: &HeldDays) -> i64 {
        self.stretches(after, upto).map(|(after, upto, left)| left * held.free_days(after, upto)).sum()
    }

    /// The days d with after < d ≤ upto, cut into periods (after, upto, P) of constant P(d).
    fn stretches(&self, after: NaiveDate, upto: NaiveDate) -> impl Iterator<Item = (NaiveDate, NaiveDate, i64)> {
        let from_start = std::iter::once((NaiveDate::MIN, self.ordered));
        let starts = from_start.chain(self.changes.iter().copied());
        // A period lasts until the day before the next change.
        let ends = self.changes.iter().map(|(day, _)| plus(*day, -1)).chain([NaiveDate::MAX]);
        starts.zip(ends).filter_map(move |((first, left), last)| {
            let after = if first == NaiveDate::MIN { after } else { after.max(plus(first, -1)) };
            let upto = upto.min(last);
            (after < upto).then_some((after, upto, left))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    /// 100 ordered; each change is a day and the amount subtracted, or added back if negative.
    fn principal(changes: &[(&str, i64)]) -> Principal {
        let mut principal = Principal::new(100);
        for (on, minor) in changes {
            if *minor < 0 { principal.put_back(day(on), -minor) } else { principal.take(day(on), *minor) }
        }
        principal
    }

    #[test]
    fn days_past_due_count_unpaid_days_after_the_due_date() {
        type Changes = &'static [(&'static str, i64)];
        let cases: &[(Changes, &str, i64)] = &[
            (&[], "10", 0),
            (&[], "11", 1),
            (&[], "20", 10),
            (&[("09", 100)], "20", 0),
            (&[("10", 100)], "20", 0),
            (&[("11", 100)], "20", 0),
            (&[("12", 100)], "11", 1),
            (&[("12", 100)], "20", 1),
            (&[("15", 100)], "20", 4),
            // Paid and charged back: the 11th, then from the 15th on.
            (&[("12", 100), ("15", -100)], "14", 1),
            (&[("12", 100), ("15", -100)], "15", 2),
            (&[("12", 100), ("15", -60), ("18", 60)], "20", 4),
            (&[("08", 100), ("15", -100)], "20", 6),
            // Charged back before the due date, or on the day of the payment.
            (&[("05", 100), ("08", -100)], "12", 2),
            (&[("12", 100), ("12", -100)], "20", 10),
        ];
        for (changes, asked, days) in cases {
            let principal = principal(changes);
            assert_eq!(principal.days_past_due(day("10"), day(asked)), *days, "{changes:?}, asked {asked}");
            let counted = (1..=*days).filter_map(|n| principal.nth_day_past_due(day("10"), n));
            let in_rows = day("10").iter_days().skip(1).take_while(|d| *d <= day(asked));
            let unpaid: Vec<_> = in_rows.filter(|d| principal.left(*d) > 0).collect();
            assert_eq!(counted.collect::<Vec<_>>(), unpaid, "{changes:?}, asked {asked}");
        }
    }

    #[test]
    fn an_unpaid_day_that_never_comes_is_none() {
        assert_eq!(principal(&[("12", 100)]).nth_day_past_due(day("10"), 1), Some(day("11")));
        assert_eq!(principal(&[("12", 100)]).nth_day_past_due(day("10"), 2), None);
        assert_eq!(Principal::new(0).nth_day_past_due(day("10"), 1), None);
    }

    #[test]
    fn it_is_gone_since_the_last_time_that_it_went() {
        assert_eq!(principal(&[("05", 40)]).gone_since(), None);
        assert_eq!(principal(&[("05", 100)]).gone_since(), Some(day("05")));
        assert_eq!(principal(&[("05", 100), ("07", 0)]).gone_since(), Some(day("05")));
        assert_eq!(principal(&[("05", 100), ("07", -100)]).gone_since(), None);
        assert_eq!(principal(&[("05", 100), ("07", -30), ("09", 30)]).gone_since(), Some(day("09")));
        // Charged back and paid again within a day: at the end of each day nothing was left.
        assert_eq!(principal(&[("05", 100), ("07", -30), ("07", 30)]).gone_since(), Some(day("05")));
    }

    #[test]
    fn the_sum_leaves_out_held_days() {
        let none = HeldDays::default();
        assert_eq!(principal(&[]).sum(day("10"), day("12"), &none), 200);
        assert_eq!(principal(&[("12", 40)]).sum(day("10"), day("13"), &none), 100 + 60 + 60);
        assert_eq!(principal(&[("12", 100), ("15", -100)]).sum(day("10"), day("16"), &none), 300);
    }
}
