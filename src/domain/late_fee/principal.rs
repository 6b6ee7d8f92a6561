//! How an instalment's principal went down: what was left at the end of each day on which it changed. Fees and days past
//! due follow from it; it knows of neither.

use chrono::NaiveDate;

use crate::domain::calendar::{days_between, plus};
use crate::domain::hold::Covered;

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

    /// What is left after everything so far.
    pub fn now(&self) -> i64 {
        self.changes.last().map_or(self.ordered, |(_, left)| *left)
    }

    /// Takes an amount off on a day. Days must come in order.
    pub fn take(&mut self, day: NaiveDate, minor: i64) {
        let left = self.now() - minor;
        match self.changes.last_mut() {
            Some(last) if last.0 == day => last.1 = left,
            _ => self.changes.push((day, left)),
        }
    }

    /// P(d).
    pub fn left(&self, day: NaiveDate) -> i64 {
        let before = self.changes.iter().rev().find(|(changed_on, _)| *changed_on <= day);
        before.map_or(self.ordered, |(_, left)| *left)
    }

    /// The days d in (due_on, day] with P(d) > 0.
    pub fn days_past_due(&self, due_on: NaiveDate, day: NaiveDate) -> i64 {
        days_between(due_on, self.unpaid_until(due_on, day))
    }

    /// The last of the days in (due_on, day] with P(d) > 0; `due_on` itself if there is none.
    pub fn unpaid_until(&self, due_on: NaiveDate, day: NaiveDate) -> NaiveDate {
        // A share of a very small order can be nothing.
        if self.ordered == 0 {
            return due_on;
        }
        // Principal never grows again, so the unpaid days are one stretch that begins after the due date.
        let gone_on = self.changes.iter().find(|(_, left)| *left == 0).map(|(day, _)| *day);
        let last_unpaid = gone_on.map_or(day, |gone_on| plus(gone_on, -1).min(day));
        last_unpaid.max(due_on)
    }

    /// Σ P(d) over the days d with after < d ≤ upto that are not held.
    pub(super) fn sum(&self, after: NaiveDate, upto: NaiveDate, held: &Covered) -> i64 {
        let mut total = 0;
        let mut from = after;
        let mut left = self.left(after);
        for &(changed_on, left_then) in &self.changes {
            if changed_on <= after {
                continue;
            }
            let until = plus(changed_on, -1).min(upto);
            if until > from {
                total += left * held.free_days(from, until);
                from = until;
            }
            left = left_then;
        }
        if upto > from {
            total += left * held.free_days(from, upto);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    #[test]
    fn days_past_due_count_unpaid_days_after_the_due_date() {
        for (paid, asked, days) in [
            (None, "10", 0),
            (None, "11", 1),
            (None, "20", 10),
            (Some("09"), "20", 0),
            (Some("10"), "20", 0),
            (Some("11"), "20", 0),
            (Some("12"), "11", 1),
            (Some("12"), "20", 1),
            (Some("15"), "20", 4),
        ] {
            let mut principal = Principal::new(100);
            if let Some(on) = paid {
                principal.take(day(on), 100);
            }
            assert_eq!(principal.days_past_due(day("10"), day(asked)), days, "paid {paid:?}, asked {asked}");
        }
    }
}
