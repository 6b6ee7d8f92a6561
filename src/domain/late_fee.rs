//! Late fees: computed, not accumulated. [`LateFee::total`] gives the whole fee owed at the end of a day from
//! dated facts; what is already in the books is none of its business, so a rerun or late news needs no code.
//!
//! Words: P(d) is an instalment's principal left at the end of day d. E(n) is the n-th day after the due date
//! that no hold with effect `fees` covers, E(0) the due date. Grace is g days. D is the day asked about.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::calendar::{days_between, plus};
use super::hold::Covered;
use super::money::{rated, rated_down};

/// A policy's late fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFee {
    pub kind: FeeKind,
    /// Days after the due date in which nothing is charged.
    pub grace: i64,
    pub caps: Caps,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeKind {
    None,
    /// The amount in minor units, once, if P(E(g)) > 0.
    Flat(i64),
    /// A share of P(E(g)), once.
    Percent(Decimal),
    /// A share of P(d) for each day d after E(g); with `from_due`, for each day after the due date once grace has
    /// passed with something unpaid. The days are added up and rounded once.
    Daily {
        rate: Decimal,
        from_due: bool,
    },
}

/// The fee is cut to the smallest of these. Caps round down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    pub amount: Option<i64>,
    /// Of the order's amount.
    pub order_share: Option<Decimal>,
    /// Of the instalment as ordered, by the year: × days past due ÷ 365.
    pub annual_rate: Option<Decimal>,
}

/// What a fee depends on.
pub struct Overdue<'a> {
    pub due_on: NaiveDate,
    pub order_minor: i64,
    pub instalment_minor: i64,
    /// Principal left at the end of days.
    pub principal: &'a Principal,
    /// Days covered by holds with effect `fees`.
    pub held: &'a Covered,
}

impl LateFee {
    /// The fee owed in total at the end of `day`, after caps and before waivers.
    pub fn total(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let uncapped = self.uncapped(on, day);
        if uncapped == 0 { 0 } else { uncapped.min(self.caps.smallest(on, day)) }
    }

    /// The first day after `day` on which the fee can change by itself while the instalment stays as it is.
    pub fn next_change(&self, on: &Overdue<'_>, day: NaiveDate) -> Option<NaiveDate> {
        // Without principal the fee is what it is: none grows on it, and none begins.
        if self.kind == FeeKind::None || on.principal.left(day) == 0 {
            return None;
        }
        let grace_end = on.held.advance(on.due_on, self.grace);
        if day < grace_end {
            return Some(grace_end);
        }
        let ceiling = match self.kind {
            FeeKind::Daily { .. } => self.caps.lasting(on),
            // Once charged, these only grow while the annual cap, which grows by the day, holds them down.
            _ => self.caps.lasting(on).min(self.uncapped(on, day)),
        };
        (self.total(on, day) < ceiling).then(|| plus(day, 1))
    }

    fn uncapped(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let grace_end = on.held.advance(on.due_on, self.grace);
        if grace_end > day {
            return 0;
        }
        let at_grace_end = on.principal.left(grace_end);
        if at_grace_end == 0 {
            return 0;
        }
        match self.kind {
            FeeKind::None => 0,
            FeeKind::Flat(minor) => minor,
            FeeKind::Percent(rate) => rated(at_grace_end, rate),
            FeeKind::Daily { rate, from_due } => {
                let after = if from_due { on.due_on } else { grace_end };
                rated(on.principal.sum(after, day, on.held), rate)
            }
        }
    }
}

impl Caps {
    fn smallest(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let by_the_year = self.annual_rate.map(|rate| {
            let days = Decimal::from(on.principal.days_past_due(on.due_on, day));
            // Multiply before dividing, so that what is exact stays exact; rounding down twice is rounding down once.
            rated_down(on.instalment_minor, rate * days) / 365
        });
        by_the_year.unwrap_or(i64::MAX).min(self.lasting(on))
    }

    /// The caps that don't grow with time.
    fn lasting(&self, on: &Overdue<'_>) -> i64 {
        let share = self.order_share.map(|share| rated_down(on.order_minor, share));
        self.amount.unwrap_or(i64::MAX).min(share.unwrap_or(i64::MAX))
    }
}

/// How an instalment's principal went down: what was left at the end of each day on which it changed.
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
        // A share of a very small order can be nothing.
        if self.ordered == 0 {
            return 0;
        }
        // Principal never grows again, so the unpaid days are one stretch that begins after the due date.
        let gone_on = self.changes.iter().find(|(_, left)| *left == 0).map(|(day, _)| *day);
        let last_unpaid = gone_on.map_or(day, |gone_on| plus(gone_on, -1).min(day));
        days_between(due_on, last_unpaid).max(0)
    }

    /// Σ P(d) over the days d with after < d ≤ upto that are not held.
    fn sum(&self, after: NaiveDate, upto: NaiveDate, held: &Covered) -> i64 {
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
    use crate::domain::hold::{HoldReason, HoldSpan};
    use crate::domain::policy::tests::terms;

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    fn rate(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    /// One instalment of 200.00 out of an order of 300.00, due on the 10th. `paid` lists day and amount,
    /// `held` first and last day; `expect` lists day and total fee in minor units.
    fn check(
        kind: FeeKind,
        grace: i64,
        caps: Caps,
        paid: &[(&str, i64)],
        held: &[(&str, &str)],
        expect: &[(&str, i64)],
    ) {
        let mut principal = Principal::new(20_000);
        for (on, minor) in paid {
            principal.take(day(on), *minor);
        }
        let spans: Vec<HoldSpan> = held
            .iter()
            .map(|(first, last)| HoldSpan { reason: HoldReason::Return, first: day(first), last: day(last) })
            .collect();
        let held = Covered::by(crate::domain::hold::Effect::Fees, &spans, &terms());
        let on = Overdue {
            due_on: day("10"),
            order_minor: 30_000,
            instalment_minor: 20_000,
            principal: &principal,
            held: &held,
        };
        let fee = LateFee { kind, grace, caps };
        for (asked, minor) in expect {
            assert_eq!(fee.total(&on, day(asked)), *minor, "{kind:?} at the end of March {asked}");
        }
    }

    const NO_CAPS: Caps = Caps { amount: None, order_share: None, annual_rate: None };

    #[test]
    fn none_charges_nothing() {
        check(FeeKind::None, 0, NO_CAPS, &[], &[], &[("09", 0), ("10", 0), ("31", 0)]);
    }

    #[test]
    fn flat_is_charged_once_at_the_end_of_grace() {
        let flat = FeeKind::Flat(500);
        // No grace: the last moment to pay is the end of the due date.
        check(flat, 0, NO_CAPS, &[], &[], &[("09", 0), ("10", 500), ("11", 500), ("31", 500)]);
        check(flat, 3, NO_CAPS, &[], &[], &[("12", 0), ("13", 500), ("31", 500)]);
        // Paid on the last day of grace, or a day too late.
        check(flat, 3, NO_CAPS, &[("13", 20_000)], &[], &[("13", 0), ("31", 0)]);
        check(flat, 3, NO_CAPS, &[("14", 20_000)], &[], &[("13", 500), ("31", 500)]);
        // One cent left is late.
        check(flat, 3, NO_CAPS, &[("09", 19_999)], &[], &[("13", 500)]);
        // A hold over two days of grace moves its end by two.
        check(flat, 3, NO_CAPS, &[], &[("12", "13")], &[("14", 0), ("15", 500)]);
    }

    #[test]
    fn percent_is_of_what_was_left_at_the_end_of_grace() {
        let two = FeeKind::Percent(rate("0.02"));
        check(two, 1, NO_CAPS, &[], &[], &[("10", 0), ("11", 400), ("31", 400)]);
        check(two, 1, NO_CAPS, &[("11", 5_000)], &[], &[("11", 300), ("31", 300)]);
        check(two, 1, NO_CAPS, &[("12", 5_000)], &[], &[("11", 400), ("31", 400)]);
        // Half away from zero: 2 % of 0.25 is 0.005.
        check(two, 1, NO_CAPS, &[("10", 19_975)], &[], &[("11", 1)]);
    }

    #[test]
    fn daily_adds_up_days_and_rounds_once() {
        let daily = FeeKind::Daily { rate: rate("0.0005"), from_due: false };
        let from_due = FeeKind::Daily { rate: rate("0.0005"), from_due: true };
        // 0.10 a day on 200.00, from the day after grace.
        check(daily, 3, NO_CAPS, &[], &[], &[("13", 0), ("14", 10), ("15", 20), ("31", 180)]);
        // From the due date once grace has passed: three days at once.
        check(from_due, 3, NO_CAPS, &[], &[], &[("12", 0), ("13", 30), ("14", 40), ("31", 210)]);
        check(from_due, 3, NO_CAPS, &[("13", 20_000)], &[], &[("13", 0), ("31", 0)]);
        // A part payment on the 15th counts at the end of that day.
        check(daily, 3, NO_CAPS, &[("15", 10_000)], &[], &[("14", 10), ("15", 15), ("16", 20)]);
        // Stops when the principal is paid.
        check(daily, 3, NO_CAPS, &[("16", 20_000)], &[], &[("15", 20), ("16", 20), ("31", 20)]);
        // 0.0005 × 10.01 × 3 days = 0.015015: rounded once it is 0.02, day by day it would be 0.03.
        check(daily, 0, NO_CAPS, &[("01", 18_999)], &[], &[("11", 1), ("12", 1), ("13", 2)]);
        // Held days after grace add nothing.
        check(daily, 3, NO_CAPS, &[], &[("15", "17")], &[("14", 10), ("17", 10), ("18", 20)]);
    }

    #[test]
    fn the_smallest_cap_wins_and_rounds_down() {
        let daily = FeeKind::Daily { rate: rate("0.01"), from_due: false };
        let amount = Caps { amount: Some(500), ..NO_CAPS };
        check(daily, 0, amount, &[], &[], &[("12", 400), ("13", 500), ("31", 500)]);
        // 1.11 % of 300.00 is 3.33.
        let share = Caps { order_share: Some(rate("0.0111")), amount: Some(500), ..NO_CAPS };
        check(daily, 0, share, &[], &[], &[("11", 200), ("12", 333), ("31", 333)]);
        // 24 % a year of 200.00 is 0.1315… a day.
        let year = Caps { annual_rate: Some(rate("0.24")), ..NO_CAPS };
        check(daily, 0, year, &[], &[], &[("10", 0), ("11", 13), ("12", 26), ("13", 39), ("31", 276)]);
        // It stops growing when the principal is paid.
        check(daily, 0, year, &[("14", 20_000)], &[], &[("13", 39), ("14", 39), ("31", 39)]);
        // A flat fee grows into its annual cap.
        check(FeeKind::Flat(30), 0, year, &[], &[], &[("10", 0), ("11", 13), ("12", 26), ("13", 30), ("14", 30)]);
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
