//! Late fees: computed, not accumulated. [`LateFee::total`] returns the whole fee owed at the end of a day from dated
//! facts, whatever is already in the books. So reruns and late news need no code of their own.
//!
//! `terms::late_fee` has the rules, and defines P(d), E(n) and grace. D is the day in question.

pub mod caps;
pub mod overdue;

use chrono::NaiveDate;

use self::caps::{Cap, CapKind};
use self::overdue::Overdue;
use crate::domain::calendar::{first_after, first_between, plus};
use crate::domain::money::rated;
use crate::domain::terms::late_fee::{Charge, FeeKind, LateFee, Step};
use crate::domain::terms::reference_rate::AnnualRate;

/// A fee with its amount before the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeWorkings {
    pub uncapped: i64,
    pub total: i64,
    /// The cap that reduced the fee.
    pub cut: Option<Cap>,
}

impl LateFee {
    /// The total fees of an order's instalments at the end of `day`, after caps and before waivers. An instalment
    /// without a due date has no fee.
    pub fn totals<'o>(
        &self,
        order_minor: i64,
        instalments: impl Iterator<Item = Option<Overdue<'o>>> + Clone,
        day: NaiveDate,
    ) -> Vec<i64> {
        let of_each = |day| instalments.clone().map(move |on| on.map_or(0, |on| self.total(&on, day)));
        let Some(cap) = self.caps.of_order(order_minor) else { return of_each(day).collect() };
        let exceeds = |day| of_each(day).fold(0, i64::saturating_add) > cap.minor;
        if !exceeds(day) {
            return of_each(day).collect();
        }
        // Charges before the day that reaches the cap stay, so no charge moves from one instalment to another. The
        // charges of that day fill the rest of the cap.
        let first_due_on = instalments.clone().flatten().map(|on| on.due_on).min().unwrap_or(day);
        let reached_on = first_between(plus(first_due_on, -1), day, exceeds);
        let mut totals: Vec<i64> = of_each(plus(reached_on, -1)).collect();
        let mut room = cap.minor - totals.iter().sum::<i64>();
        for (total, then) in totals.iter_mut().zip(of_each(reached_on)) {
            let more = (then - *total).min(room);
            *total += more;
            room -= more;
        }
        totals
    }

    /// The first days after `day` on which the fees of an order's instalments can change without a new fact. `charged`
    /// is the sum of these fees at the end of `day`.
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

    /// The total fee of a single instalment at the end of `day`, without the caps of the order.
    pub fn total(&self, on: &Overdue<'_>, day: NaiveDate) -> i64 {
        let uncapped = self.uncapped(on, day);
        if uncapped == 0 {
            return 0;
        }
        self.caps.of_instalment(on, day).map_or(uncapped, |cap| uncapped.min(cap.minor))
    }

    /// The first day after `day` on which the fee of a single instalment can change without a new fact.
    pub fn next_change(&self, on: &Overdue<'_>, day: NaiveDate) -> Option<NaiveDate> {
        // Without principal the fee stays the same: no fee grows, and none begins.
        if self.kind == FeeKind::None || on.principal.left(day) == 0 || on.written_off_on.is_some() {
            return None;
        }
        let from = plus(self.begins_on(on), -1).max(day);
        let (uncapped, total) = (self.uncapped(on, day), self.total(on, day));
        let open_rates = self.caps.annual_rate.as_ref().is_some_and(AnnualRate::may_change);
        match self.caps.of_instalment(on, day).filter(|cap| cap.minor < uncapped) {
            Some(cut) if cut.by != CapKind::AnnualRate => None,
            // A rate that is not published yet may let a capped fee grow sooner than the known rates do.
            Some(_) if open_rates => Some(plus(day, 1)),
            None if open_rates => first_after(from, |later| self.uncapped(on, later) != uncapped),
            _ => first_after(from, |later| self.total(on, later) != total),
        }
    }

    /// How the fees of an order's instalments are computed, at the end of a day.
    pub fn workings<'o>(
        &self,
        order_minor: i64,
        instalments: impl Iterator<Item = Option<Overdue<'o>>> + Clone,
        day: NaiveDate,
    ) -> Vec<FeeWorkings> {
        let totals = self.totals(order_minor, instalments.clone(), day);
        let explained = instalments.zip(totals).map(|(on, total)| {
            let uncapped = on.as_ref().map_or(0, |on| self.uncapped(on, day));
            let own = on.and_then(|on| self.caps.of_instalment(&on, day)).filter(|cap| cap.minor < uncapped);
            let without_others = own.map_or(uncapped, |cap| cap.minor);
            let cut = if total < without_others { self.caps.of_order(order_minor) } else { own };
            FeeWorkings { uncapped, total, cut }
        });
        explained.collect()
    }

    /// The first day on which the instalment can have a fee.
    fn begins_on(&self, on: &Overdue<'_>) -> NaiveDate {
        let first = match &self.kind {
            FeeKind::Steps(steps) => steps.first().map_or(0, |step| step.after),
            FeeKind::None | FeeKind::Flat(_) | FeeKind::Percent(_) | FeeKind::Daily { .. } => self.grace,
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
            // A chargeback may restore principal that was paid in time; its days from then on count.
            FeeKind::Daily { rate, from_due: false } => rated(on.principal.sum(grace_end, day, on.held), rate),
            _ if at_grace_end == 0 => 0,
            FeeKind::Flat(minor) => minor,
            FeeKind::Percent(rate) => rated(at_grace_end, rate),
            FeeKind::Daily { rate, from_due: true } => rated(on.principal.sum(on.due_on, day, on.held), rate),
        }
    }
}

impl Step {
    /// The charge of this step; `None` before its day, and for good if no principal was left on that day.
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

#[cfg(test)]
#[path = "late_fee_tests.rs"]
mod tests;
