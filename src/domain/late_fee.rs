//! Late fees: computed, not accumulated. [`LateFee::total`] gives the whole fee owed at the end of a day from
//! dated facts; what is already in the books is none of its business, so a rerun or late news needs no code.
//!
//! Words: P(d) is an instalment's principal left at the end of day d. E(n) is the n-th day after the due date
//! that no hold with effect `fees` covers, E(0) the due date. Grace is g days. D is the day asked about.

mod caps;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::calendar::{days_between, plus};
use super::hold::Covered;
use super::money::rated;
use super::principal::Principal;
use super::reference_rate::AnnualRate;

pub use caps::{Cap, CapKind, CapScope, Caps};

/// A policy's late fees: one rule for all orders, or one for each tier of orders by their amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFees {
    /// The rule of orders below every tier, which is that of all orders if there are no tiers.
    pub lowest: LateFee,
    /// Ascending by amount.
    pub higher: Vec<Tier>,
}

/// The rule of orders from an amount on, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    pub from_minor: i64,
    pub fee: LateFee,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFee {
    pub kind: FeeKind,
    /// Days after the due date in which nothing is charged. Steps say so themselves.
    pub grace: i64,
    pub caps: Caps,
}

#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Charges one after the other, ascending by days.
    Steps(Vec<Step>),
}

/// A charge at the end of E(n), if P(E(n)) > 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// n.
    pub after: i64,
    pub charge: Charge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Minor units.
    Amount(i64),
    /// A share of P(E(n)), rounded by itself.
    Rate(Decimal),
}

/// What a fee depends on.
pub struct Overdue<'a> {
    pub ordered_on: NaiveDate,
    pub due_on: NaiveDate,
    pub order_minor: i64,
    pub instalment_minor: i64,
    /// Principal left at the end of days.
    pub principal: &'a Principal,
    /// What was written off grows no more.
    pub written_off_on: Option<NaiveDate>,
    /// Days covered by holds with effect `fees`.
    pub held: &'a Covered,
}

/// A fee with what it would be without its cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workings {
    pub uncapped: i64,
    pub total: i64,
    /// The cap that cut it.
    pub cut: Option<Cap>,
}

impl LateFees {
    pub fn same_for_all(fee: LateFee) -> LateFees {
        LateFees { lowest: fee, higher: Vec::new() }
    }

    /// The rule of an order, by its amount as ordered.
    pub fn of(&self, order_minor: i64) -> &LateFee {
        let reached = self.higher.iter().rev().find(|tier| tier.from_minor <= order_minor);
        reached.map_or(&self.lowest, |tier| &tier.fee)
    }

    /// Where an order's tier begins, and where the next one does.
    pub fn tier_of(&self, order_minor: i64) -> (i64, Option<i64>) {
        let place = self.higher.partition_point(|tier| tier.from_minor <= order_minor);
        let from = place.checked_sub(1).map_or(0, |below| self.higher[below].from_minor);
        (from, self.higher.get(place).map(|tier| tier.from_minor))
    }

    pub fn rules(&self) -> impl Iterator<Item = &LateFee> {
        std::iter::once(&self.lowest).chain(self.higher.iter().map(|tier| &tier.fee))
    }
}

impl LateFee {
    pub fn none() -> LateFee {
        LateFee { kind: FeeKind::None, grace: 0, caps: Caps::default() }
    }

    /// The fees of an order's instalments, owed in total at the end of `day`, after caps and before waivers. Those that
    /// have no due date yet have none.
    pub fn totals<'o>(
        &self,
        order_minor: i64,
        instalments: impl Iterator<Item = Option<Overdue<'o>>> + Clone,
        day: NaiveDate,
    ) -> Vec<i64> {
        let by_themselves = |day| instalments.clone().map(move |on| on.map_or(0, |on| self.total(&on, day)));
        let Some(cap) = self.caps.of_order(order_minor) else { return by_themselves(day).collect() };
        let exceeds = |day| by_themselves(day).fold(0, i64::saturating_add) > cap.minor;
        if !exceeds(day) {
            return by_themselves(day).collect();
        }
        // What was charged before the cap was reached stays, and so nothing moves from one instalment to another. Of what
        // fell due on that day, as much is charged as there is room for.
        let first_due_on = instalments.clone().flatten().map(|on| on.due_on).min().unwrap_or(day);
        let reached_on = first_between(plus(first_due_on, -1), day, exceeds);
        let mut totals: Vec<i64> = by_themselves(plus(reached_on, -1)).collect();
        let mut room = cap.minor - totals.iter().sum::<i64>();
        for (total, then) in totals.iter_mut().zip(by_themselves(reached_on)) {
            let more = (then - *total).min(room);
            *total += more;
            room -= more;
        }
        totals
    }

    /// The first days after `day` on which the fees of an order's instalments can change by themselves, while the order
    /// stays as it is. `charged` is what they come to together at the end of `day`.
    pub fn next_changes<'o>(
        &self,
        order_minor: i64,
        instalments: impl Iterator<Item = Option<Overdue<'o>>>,
        charged: i64,
        day: NaiveDate,
    ) -> impl Iterator<Item = Option<NaiveDate>> {
        let is_full = self.caps.of_order(order_minor).is_some_and(|cap| charged >= cap.minor);
        instalments.map(move |on| on.filter(|_| !is_full).and_then(|on| self.next_change(&on, day)))
    }

    /// The fee of an instalment by itself, owed in total at the end of `day`.
    pub fn total(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let uncapped = self.uncapped(on, day);
        if uncapped == 0 {
            return 0;
        }
        self.caps.of_instalment(on, day).map_or(uncapped, |cap| uncapped.min(cap.minor))
    }

    /// The first day after `day` on which the fee of an instalment by itself can change by itself.
    pub fn next_change(&self, on: &Overdue<'_>, day: NaiveDate) -> Option<NaiveDate> {
        // Without principal the fee is what it is: none grows on it, and none begins.
        if self.kind == FeeKind::None || on.principal.left(day) == 0 || on.written_off_on.is_some() {
            return None;
        }
        let from = plus(self.begins_on(on), -1).max(day);
        let (uncapped, total) = (self.uncapped(on, day), self.total(on, day));
        let open_rates = self.caps.annual_rate.as_ref().is_some_and(AnnualRate::may_change);
        match self.caps.of_instalment(on, day).filter(|cap| cap.minor < uncapped) {
            Some(cut) if cut.by != CapKind::AnnualRate => None,
            // A rate not published yet may let a fee that is cut grow sooner than the known rates do.
            Some(_) if open_rates => Some(plus(day, 1)),
            None if open_rates => first_after(from, |later| self.uncapped(on, later) != uncapped),
            _ => first_after(from, |later| self.total(on, later) != total),
        }
    }

    /// How the fees of an order's instalments come about, at the end of a day.
    pub fn workings<'o>(
        &self,
        order_minor: i64,
        instalments: impl Iterator<Item = Option<Overdue<'o>>> + Clone,
        day: NaiveDate,
    ) -> Vec<Workings> {
        let totals = self.totals(order_minor, instalments.clone(), day);
        let explained = instalments.zip(totals).map(|(on, total)| {
            let uncapped = on.as_ref().map_or(0, |on| self.uncapped(on, day));
            let own = on.and_then(|on| self.caps.of_instalment(&on, day)).filter(|cap| cap.minor < uncapped);
            let by_itself = own.map_or(uncapped, |cap| cap.minor);
            let cut = if total < by_itself { self.caps.of_order(order_minor) } else { own };
            Workings { uncapped, total, cut }
        });
        explained.collect()
    }

    /// The first day with a fee, if there is to be one.
    fn begins_on(&self, on: &Overdue<'_>) -> NaiveDate {
        let first = match &self.kind {
            FeeKind::Steps(steps) => steps.first().map_or(0, |step| step.after),
            _ => self.grace,
        };
        on.held.advance(on.due_on, first)
    }

    fn uncapped(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let day = on.counted_to(day);
        if let FeeKind::Steps(steps) = &self.kind {
            let charged = steps.iter().filter_map(|step| step.charged(on, day));
            return charged.take(self.caps.steps.unwrap_or(usize::MAX)).sum();
        }
        let grace_end = on.held.advance(on.due_on, self.grace);
        if grace_end > day {
            return 0;
        }
        let at_grace_end = on.principal.left(grace_end);
        match self.kind {
            FeeKind::None | FeeKind::Steps(_) => 0,
            // Principal that was paid in time may come back with a chargeback; its days from then on count.
            FeeKind::Daily { rate, from_due: false } => rated(on.principal.sum(grace_end, day, on.held), rate),
            _ if at_grace_end == 0 => 0,
            FeeKind::Flat(minor) => minor,
            FeeKind::Percent(rate) => rated(at_grace_end, rate),
            FeeKind::Daily { rate, from_due: true } => rated(on.principal.sum(on.due_on, day, on.held), rate),
        }
    }
}

impl Overdue<'_> {
    /// The day up to which a fee counts at the end of `day`.
    fn counted_to(&self, day: NaiveDate) -> NaiveDate {
        self.written_off_on.map_or(day, |written_off_on| written_off_on.min(day))
    }
}

impl Step {
    /// None while its day has not come, and for good if nothing was left on that day.
    fn charged(self, on: &Overdue<'_>, day: NaiveDate) -> Option<i64> {
        let falls_on = on.held.advance(on.due_on, self.after);
        let left = on.principal.left(falls_on);
        match self.charge {
            _ if falls_on > day || left == 0 => None,
            Charge::Amount(minor) => Some(minor),
            Charge::Rate(rate) => Some(rated(left, rate)),
        }
    }
}

/// Further than any fee is looked ahead, in days.
const FOREVER: i64 = 100_000;

/// The first day after `day` on which something holds that, once it holds, holds for good: found by doubling steps and
/// halving the last one, so it takes few looks however far away it is.
fn first_after(day: NaiveDate, holds: impl Fn(NaiveDate) -> bool) -> Option<NaiveDate> {
    if holds(plus(day, 1)) {
        return Some(plus(day, 1));
    }
    if !holds(plus(day, FOREVER)) {
        return None;
    }
    let mut ahead = 2;
    while ahead < FOREVER && !holds(plus(day, ahead)) {
        ahead *= 2;
    }
    Some(first_between(plus(day, ahead / 2), plus(day, ahead), holds))
}

/// The first day on which something holds that does not hold on `not_yet`, holds on `by_then`, and once holds for good.
fn first_between(not_yet: NaiveDate, by_then: NaiveDate, holds: impl Fn(NaiveDate) -> bool) -> NaiveDate {
    let (mut not_yet, mut by_then) = (not_yet, by_then);
    while days_between(not_yet, by_then) > 1 {
        let between = plus(not_yet, days_between(not_yet, by_then) / 2);
        if holds(between) {
            by_then = between;
        } else {
            not_yet = between;
        }
    }
    by_then
}

#[cfg(test)]
#[path = "late_fee_tests.rs"]
mod tests;
