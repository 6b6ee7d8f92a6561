//! A second, slow and simple computation of an order's positions. It steps through the days, keeps the open principal
//! and adds up. It shares the facts and terms with the program, but none of its arithmetic.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use paylater::domain::business_days::{Count, Roll};
use paylater::domain::facts::case::Case;
use paylater::domain::facts::fact::{Event, Fact, FactKind, What};
use paylater::domain::terms::due_dates::{Clock, Term};
use paylater::domain::terms::hold::HoldEffect;
use paylater::domain::terms::late_fee::{CapScope, Charge, FeeKind, LateFee};
use paylater::domain::terms::policy::{Allocation, Terms};
use paylater::domain::terms::reference_rate::{AnnualRate, RateOf};
use rust_decimal::Decimal;

/// An instalment at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instalment {
    pub due_on: Option<NaiveDate>,
    pub ordered: i64,
    pub paid: i64,
    pub refunded: i64,
    pub fee: i64,
    pub fee_paid: i64,
    pub past_due: i64,
    pub written_off: i64,
    pub recovered: i64,
}

/// The order at the end of a day, and the customer's credit from it.
pub fn walk(case: &Case, terms: &Terms, today: NaiveDate) -> (Vec<Instalment>, i64) {
    let walk = Walk::through(case, terms, today);
    let fees = walk.fees(today);
    let mut credit = walk.credit;
    let rows = walk.slots.iter().zip(fees).map(|(slot, fee)| {
        credit += (slot.fee_paid - fee).max(0);
        Instalment {
            due_on: slot.due_on,
            ordered: slot.ordered,
            paid: slot.paid,
            refunded: slot.refunded,
            fee: if slot.written_off_on.is_some() { fee.min(slot.fee_paid) } else { fee },
            fee_paid: slot.fee_paid.min(fee),
            past_due: slot.past_due(slot.written_off_on.unwrap_or(today)),
            written_off: if slot.written_off_on.is_some() { slot.ordered - slot.paid - slot.refunded } else { 0 },
            recovered: slot.recovered,
        }
    });
    let rows = rows.collect();
    (rows, credit)
}

/// Returns the principal left of an instalment at the end of each day from its due date to `today`, from the known
/// facts. Empty while the instalment has no due date.
pub fn left_since_due(case: &Case, terms: &Terms, instalment: i64, today: NaiveDate) -> Vec<(NaiveDate, i64)> {
    let walk = Walk::through(case, terms, today);
    let slot = &walk.slots[usize::try_from(instalment - 1).unwrap()];
    let since = slot.due_on.into_iter().flat_map(|due_on| due_on.iter_days().take_while(|day| *day <= today));
    since.map(|day| (day, slot.left_on(day))).collect()
}

struct Slot {
    due_on: Option<NaiveDate>,
    ordered: i64,
    left: i64,
    left_at_end_of: BTreeMap<NaiveDate, i64>,
    paid: i64,
    refunded: i64,
    fee_paid: i64,
    written_off_on: Option<NaiveDate>,
    recovered: i64,
}

impl Slot {
    /// Returns the principal left at the end of a day.
    fn left_on(&self, day: NaiveDate) -> i64 {
        self.left_at_end_of.range(..=day).next_back().map_or(self.ordered, |(_, left)| *left)
    }

    fn past_due(&self, today: NaiveDate) -> i64 {
        let Some(due_on) = self.due_on else { return 0 };
        let unpaid = days_after(due_on, today).filter(|day| self.left_on(*day) > 0);
        unpaid.map(|_| 1).sum()
    }
}

struct Walk<'a> {
    case: &'a Case,
    terms: &'a Terms,
    today: NaiveDate,
    slots: Vec<Slot>,
    /// The customer's credit. Negative if more was paid out than there was.
    credit: i64,
    refunded: i64,
}

impl<'a> Walk<'a> {
    fn through(case: &'a Case, terms: &'a Terms, today: NaiveDate) -> Walk<'a> {
        let mut walk = Walk { case, terms, today, slots: Vec::new(), credit: 0, refunded: 0 };
        walk.slots = walk.schedule();
        let first = case.facts.iter().map(|fact| fact.effective_on).min().unwrap_or(today);
        let first = first.min(case.order.ordered_on);
        for day in first.iter_days().take_while(|day| *day <= today) {
            walk.live(day);
        }
        walk
    }

    /// Applies the facts of a day, and then the end of the day.
    fn live(&mut self, day: NaiveDate) {
        let mut of_the_day: Vec<&Fact> = self.facts().filter(|fact| fact.effective_on == day).collect();
        of_the_day.sort_by_key(|fact| {
            let rank = match fact.what {
                What::Payment { .. } => 1,
                What::Chargeback { .. } => 2,
                _ => 0,
            };
            // A chargeback takes effect no earlier than its payment.
            let paid_at = self.facts().find(|paid| match &fact.what {
                What::Chargeback { payment_id, .. } => paid.what.kind() == FactKind::Payment && paid.id == *payment_id,
                _ => false,
            });
            let at = paid_at.map_or(fact.effective_at, |paid| paid.effective_at.max(fact.effective_at));
            (at, rank, fact.id.clone())
        });
        for fact in of_the_day {
            match fact.what {
                What::Payment { minor, .. } => self.pay(minor, day),
                What::Refund { minor, .. } if self.is_given_back(&fact.id) => self.give_back(minor),
                What::Refund { minor, .. } => self.refund(minor),
                What::Fulfilment(Event::Cancelled) => self.refund(self.case.order.amount_minor),
                What::PayOut { minor } => self.pay_out(minor, day),
                What::Chargeback { minor, .. } => {
                    let owed = self.fees_waived_by(day.pred_opt().unwrap(), day);
                    (0..minor).for_each(|_| self.take_back_one(&owed));
                }
                _ => {}
            }
        }
        for slot in &mut self.slots {
            slot.left_at_end_of.insert(day, slot.left);
            let days = slot.past_due(day);
            if slot.written_off_on.is_none() && days > 0 && self.terms.write_off_after == Some(days) {
                slot.written_off_on = Some(day);
            }
        }
    }

    fn facts(&self) -> impl Iterator<Item = &'a Fact> + use<'a> {
        let today = self.today;
        self.case.facts.iter().filter(move |fact| fact.effective_on <= today)
    }

    fn held(&self, effect: HoldEffect, day: NaiveDate) -> bool {
        self.facts().any(|fact| match fact.what {
            What::Hold { reason, ends_on } => {
                let rule = self.terms.hold_rule(reason);
                let covers = match ends_on {
                    Some(last) => fact.effective_on <= day && day <= last,
                    None => fact.effective_on <= day && (day - fact.effective_on).num_days() < rule.days,
                };
                covers && rule.effects.contains(&effect)
            }
            _ => false,
        })
    }

    /// Returns the n-th day after `from` that no hold with this effect covers.
    fn nth_free_day(&self, from: NaiveDate, n: i64, effect: HoldEffect) -> NaiveDate {
        let mut day = from;
        let mut counted = 0;
        while counted < n {
            day = day.succ_opt().unwrap();
            if !self.held(effect, day) {
                counted += 1;
            }
        }
        day
    }

    /// Steps from the clock day to the end of the term. Each day that counts reduces the rest of the term by one.
    fn end_of_term(&self, clock_day: NaiveDate, term: Term) -> NaiveDate {
        let mut left = match term {
            Term::Days(days) => days,
            // The number of calendar days up to the day of the month.
            Term::Until(due_day) => {
                let mut months_on = 0;
                let mut day = clock_day;
                let mut days = 0;
                loop {
                    let next = day.succ_opt().unwrap();
                    let last_of_month = next.month() != day.month();
                    if months_on == due_day.month && (day.day() == due_day.day || last_of_month) {
                        break days;
                    }
                    months_on += u32::from(last_of_month);
                    (day, days) = (next, days + 1);
                }
            }
        };
        let business = matches!(term, Term::Days(_))
            && self.terms.days_off.as_ref().is_some_and(|days_off| days_off.count == Count::Business);
        let mut day = clock_day;
        while left > 0 {
            day = day.succ_opt().unwrap();
            let skipped = self.held(HoldEffect::Clock, day) || (business && self.is_off(day));
            if !skipped {
                left -= 1;
            }
        }
        day
    }

    fn is_off(&self, day: NaiveDate) -> bool {
        let Some(days_off) = &self.terms.days_off else { return false };
        let of_the_week = days_off.calendar.weekly_off.contains(&day.weekday());
        let special = days_off.calendar.special.iter().find(|special| special.day == day);
        special.map_or(of_the_week, |special| special.off)
    }

    fn off_days_off(&self, due_on: NaiveDate) -> NaiveDate {
        let roll = self.terms.days_off.as_ref().map_or(Roll::None, |days_off| days_off.roll);
        let next = due_on.iter_days().find(|day| !self.is_off(*day)).unwrap();
        let mut before = due_on;
        while self.is_off(before) {
            before = before.pred_opt().unwrap();
        }
        match roll {
            Roll::None => due_on,
            Roll::Following => next,
            Roll::Preceding => before,
            Roll::ModifiedFollowing if next.month() == due_on.month() => next,
            Roll::ModifiedFollowing => before,
        }
    }

    fn clock_day(&self) -> Option<NaiveDate> {
        // A confirmed order was delivered, and a delivered order was shipped.
        let shipped = [Event::Shipped, Event::Delivered, Event::Confirmed];
        let first_of = |events: &[Event]| {
            let seen = self.facts().filter(|fact| events.iter().any(|event| fact.what == What::Fulfilment(*event)));
            seen.map(|fact| fact.effective_on).min()
        };
        match self.terms.clock {
            Clock::Ordered => Some(self.case.order.ordered_on),
            Clock::Shipped => first_of(&shipped),
            Clock::Delivered => first_of(&shipped[1..]),
            Clock::Confirmed { auto } => {
                let mut days: Vec<NaiveDate> = first_of(&shipped[2..]).into_iter().collect();
                if let Some((event, count)) = auto.and_then(|auto| auto.after) {
                    let from = if event == Event::Shipped { &shipped[..] } else { &shipped[1..] };
                    days.extend(first_of(from).map(|from| self.nth_free_day(from, count, HoldEffect::Clock)));
                }
                if let Some(count) = auto.and_then(|auto| auto.after_order) {
                    days.push(self.nth_free_day(self.case.order.ordered_on, count, HoldEffect::Clock));
                }
                days.into_iter().filter(|day| *day <= self.today).min()
            }
        }
    }

    fn schedule(&self) -> Vec<Slot> {
        let one = [(Decimal::ONE, self.terms.due_day.map_or(Term::Days(self.case.order.term), Term::Until))];
        let several: Vec<_> = self.terms.instalments.iter().map(|share| (share.share, share.term)).collect();
        let parts = if several.is_empty() { &one[..] } else { &several[..] };
        let exact = |share: Decimal| {
            let (over, under) = fraction(share);
            (i128::from(self.case.order.amount_minor) * over, under)
        };
        let mut amounts: Vec<i128> = parts.iter().map(|(share, _)| exact(*share).0 / exact(*share).1).collect();
        // Each remaining unit goes to the part that is furthest below its exact share.
        while amounts.iter().sum::<i128>() < i128::from(self.case.order.amount_minor) {
            let behind = |i: usize| {
                let (over, under) = exact(parts[i].0);
                Decimal::from_i128_with_scale(over - amounts[i] * under, 0) / Decimal::from_i128_with_scale(under, 0)
            };
            let mut next = 0;
            for i in 1..parts.len() {
                if behind(i) > behind(next) {
                    next = i;
                }
            }
            amounts[next] += 1;
        }
        let clock_day = self.clock_day();
        let slot = |(amount, (_, term)): (i128, &(Decimal, Term))| {
            let ordered = i64::try_from(amount).unwrap();
            let due_on = clock_day.map(|clock_day| {
                let mut due_on = self.off_days_off(self.end_of_term(clock_day, *term));
                for fact in self.facts() {
                    if let What::Extension { days } = fact.what {
                        due_on += chrono::TimeDelta::days(days);
                    }
                }
                self.off_days_off(due_on).max(self.case.order.ordered_on)
            });
            let left_at_end_of = BTreeMap::new();
            Slot {
                due_on,
                ordered,
                left: ordered,
                left_at_end_of,
                paid: 0,
                refunded: 0,
                fee_paid: 0,
                written_off_on: None,
                recovered: 0,
            }
        };
        amounts.into_iter().zip(parts).map(slot).collect()
    }

    /// Returns the late fees owed at the end of a day, by instalment, after caps and waivers.
    fn fees(&self, day: NaiveDate) -> Vec<i64> {
        self.fees_waived_by(day, day)
    }

    fn fees_waived_by(&self, day: NaiveDate, waived_by: NaiveDate) -> Vec<i64> {
        let mut waivers = 0;
        for fact in self.facts().filter(|fact| fact.effective_on <= waived_by) {
            if let What::Waiver { minor } = fact.what {
                waivers += minor;
            }
        }
        let mut fees = Vec::new();
        for fee in self.charged(day) {
            let waived = fee.min(waivers);
            waivers -= waived;
            fees.push(fee - waived);
        }
        fees
    }

    /// Returns the late fees charged by the end of a day, by instalment, before waivers. Under a cap on the whole
    /// order, the charges of each day are added one after the other until the cap is reached.
    fn charged(&self, day: NaiveDate) -> Vec<i64> {
        let by_then: Vec<i64> = self.slots.iter().map(|slot| self.fee(slot, day)).collect();
        let within = by_then.iter().sum::<i64>() <= self.lasting_cap();
        if self.rule().caps.scope == CapScope::Instalment || within {
            return by_then;
        }
        let mut charged = vec![0; self.slots.len()];
        let first = self.slots.iter().filter_map(|slot| slot.due_on).min().unwrap_or(day);
        for today in first.iter_days().take_while(|today| *today <= day) {
            for i in 0..self.slots.len() {
                let yesterday = today.pred_opt().unwrap();
                let more = self.fee(&self.slots[i], today) - self.fee(&self.slots[i], yesterday);
                charged[i] += more.min(self.lasting_cap() - charged.iter().sum::<i64>());
            }
        }
        charged
    }

    /// Returns the rule of the highest tier that the order reaches.
    fn rule(&self) -> &LateFee {
        let mut rule = &self.terms.late_fee.lowest;
        for tier in &self.terms.late_fee.higher {
            if self.case.order.amount_minor >= tier.from_minor {
                rule = &tier.fee;
            }
        }
        rule
    }

    /// Returns the smaller of the two lasting caps: an amount and a share of the order.
    fn lasting_cap(&self) -> i64 {
        let caps = &self.rule().caps;
        let mut cap = caps.amount.unwrap_or(i64::MAX);
        if let Some(share) = caps.order_share {
            let (over, under) = fraction(share);
            cap = cap.min(floor(i128::from(self.case.order.amount_minor) * over, under));
        }
        cap
    }

    fn fee(&self, slot: &Slot, day: NaiveDate) -> i64 {
        let Some(due_on) = slot.due_on else { return 0 };
        let rule = self.rule();
        let day = slot.written_off_on.map_or(day, |written_off_on| day.min(written_off_on));
        let mut fee = match &rule.kind {
            FeeKind::Steps(_) => self.steps(slot, due_on, day),
            _ => self.after_grace(slot, due_on, day),
        };
        if rule.caps.scope == CapScope::Instalment {
            fee = fee.min(self.lasting_cap());
        }
        if let Some(annual_rate) = &rule.caps.annual_rate {
            // In units of 10^-10, finer than any rate here.
            let under = 10_i128.pow(10);
            let mut over = 0;
            for unpaid in days_after(due_on, day).filter(|day| slot.left_on(*day) > 0) {
                let rate = match annual_rate {
                    AnnualRate::Fixed(rate) => *rate,
                    AnnualRate::Reference(reference) => {
                        let asked = if reference.of == RateOf::EachDay { unpaid } else { self.case.order.ordered_on };
                        // The first entry also applies to the days before it.
                        let entries = reference.table.entries();
                        let known = entries.iter().rfind(|(from, _)| *from <= asked).unwrap_or(&entries[0]);
                        known.1 * reference.times
                    }
                };
                let (rate_over, rate_under) = fraction(rate);
                over += rate_over * (under / rate_under);
            }
            fee = fee.min(floor(i128::from(slot.ordered) * over, under * 365));
        }
        fee
    }

    fn steps(&self, slot: &Slot, due_on: NaiveDate, day: NaiveDate) -> i64 {
        let FeeKind::Steps(steps) = &self.rule().kind else { return 0 };
        let mut fee = 0;
        let mut charges = 0;
        for step in steps {
            let on = self.nth_free_day(due_on, step.after, HoldEffect::Fees);
            if on <= day && slot.left_on(on) > 0 && self.rule().caps.steps.is_none_or(|most| charges < most) {
                charges += 1;
                fee += match step.charge {
                    Charge::Amount(minor) => minor,
                    Charge::Rate(rate) => nearest(slot.left_on(on), rate),
                };
            }
        }
        fee
    }

    fn after_grace(&self, slot: &Slot, due_on: NaiveDate, day: NaiveDate) -> i64 {
        let rule = self.rule();
        let grace_end = self.nth_free_day(due_on, rule.grace, HoldEffect::Fees);
        if grace_end > day {
            return 0;
        }
        // An instalment paid in time has no fee. But a daily fee counts the days on which principal is owed again.
        let by_the_day = matches!(rule.kind, FeeKind::Daily { from_due: false, .. });
        if slot.left_on(grace_end) == 0 && !by_the_day {
            return 0;
        }
        match rule.kind {
            FeeKind::None | FeeKind::Steps(_) => 0,
            FeeKind::Flat(minor) => minor,
            FeeKind::Percent(rate) => nearest(slot.left_on(grace_end), rate),
            FeeKind::Daily { rate, from_due } => {
                let after = if from_due { due_on } else { grace_end };
                let free = days_after(after, day).filter(|day| !self.held(HoldEffect::Fees, *day));
                nearest(free.map(|day| slot.left_on(day)).sum(), rate)
            }
        }
    }

    fn pay(&mut self, minor: i64, day: NaiveDate) {
        let fees = self.fees(day.pred_opt().unwrap());
        let mut purse = minor;
        // Terms rise from instalment to instalment, and rolling keeps the order of due dates, so the first instalment
        // is due first.
        for (slot, fee) in self.slots.iter_mut().zip(fees) {
            let owed = if slot.written_off_on.is_some() { 0 } else { (fee - slot.fee_paid).max(0) };
            let (to_fee, to_principal) = match self.terms.allocation {
                Allocation::FeeFirst => {
                    let to_fee = owed.min(purse);
                    (to_fee, slot.left.min(purse - to_fee))
                }
                Allocation::PrincipalFirst => {
                    let to_principal = slot.left.min(purse);
                    (owed.min(purse - to_principal), to_principal)
                }
            };
            slot.fee_paid += to_fee;
            if slot.written_off_on.is_some() {
                slot.recovered += to_principal;
            } else {
                slot.paid += to_principal;
            }
            slot.left -= to_principal;
            purse -= to_fee + to_principal;
        }
        self.credit += purse;
    }

    /// Pays out unit by unit: from credit, else from a fee that was paid but is not owed, else from any paid fee.
    fn pay_out(&mut self, minor: i64, day: NaiveDate) {
        let fees = self.fees(day.pred_opt().unwrap());
        for _ in 0..minor {
            if self.credit > 0 {
                self.credit -= 1;
                continue;
            }
            let too_much = (0..fees.len()).find(|&i| self.slots[i].fee_paid > fees[i]);
            match too_much.or((0..fees.len()).find(|&i| self.slots[i].fee_paid > 0)) {
                Some(i) => self.slots[i].fee_paid -= 1,
                None => self.credit -= 1,
            }
        }
    }

    fn refund(&mut self, minor: i64) {
        // After a cancellation has refunded the whole order, nothing is left for a later refund.
        let mut purse = minor.min(self.case.order.amount_minor - self.refunded);
        self.refunded += purse;
        for slot in self.slots.iter_mut().rev() {
            let part = slot.left.min(purse);
            slot.left -= part;
            slot.refunded += part;
            purse -= part;
        }
        self.credit += purse;
        (0..purse).for_each(|_| assert!(self.refund_one_paid(), "what is given back was paid"));
    }

    fn is_given_back(&self, refund: &str) -> bool {
        self.facts().any(|fact| fact.what == What::GivenBack && fact.id == refund)
    }

    /// Gives money back unit by unit: from credit, then from what was paid, then from what is owed. The customer
    /// already has the money.
    fn give_back(&mut self, minor: i64) {
        let from_credit = self.credit.clamp(0, minor);
        self.credit -= from_credit;
        for _ in from_credit..minor {
            if self.refunded == self.case.order.amount_minor {
                self.credit -= 1;
                continue;
            }
            self.refunded += 1;
            if !self.refund_one_paid() {
                let slot = self.slots.iter_mut().rev().find(|slot| slot.left > 0).expect("not all was refunded");
                slot.left -= 1;
                slot.refunded += 1;
                self.credit -= 1;
            }
        }
    }

    /// Turns one paid unit into a refunded unit. Returns whether there was a paid unit.
    fn refund_one_paid(&mut self) -> bool {
        let Some(slot) = self.slots.iter_mut().rev().find(|slot| slot.paid + slot.recovered > 0) else { return false };
        *(if slot.recovered > 0 { &mut slot.recovered } else { &mut slot.paid }) -= 1;
        slot.refunded += 1;
        true
    }

    /// Takes back one unit of a payment: from the last place that received money.
    fn take_back_one(&mut self, fees_owed: &[i64]) {
        if self.credit > 0 {
            self.credit -= 1;
            return;
        }
        // A paid fee that is no longer owed belongs to the customer.
        if let Some(i) = (0..fees_owed.len()).find(|&i| self.slots[i].fee_paid > fees_owed[i]) {
            self.slots[i].fee_paid -= 1;
            return;
        }
        let holds_money = |slot: &&mut Slot| slot.recovered > 0 || slot.paid > 0 || slot.fee_paid > 0;
        let Some(slot) = self.slots.iter_mut().rev().find(holds_money) else {
            // The money was already given back.
            self.credit -= 1;
            return;
        };
        let fee_last = self.terms.allocation == Allocation::FeeFirst;
        if slot.recovered > 0 {
            slot.recovered -= 1;
            slot.left += 1;
        } else if slot.paid > 0 && (fee_last || slot.fee_paid == 0) {
            slot.paid -= 1;
            slot.left += 1;
        } else {
            slot.fee_paid -= 1;
        }
    }
}

/// Returns the days d with after < d ≤ upto.
fn days_after(after: NaiveDate, upto: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    after.iter_days().skip(1).take_while(move |day| *day <= upto)
}

/// Returns a rate as a whole number and a power of ten to divide it by.
fn fraction(rate: Decimal) -> (i128, i128) {
    (rate.mantissa(), 10_i128.pow(rate.scale()))
}

fn floor(over: i128, under: i128) -> i64 {
    i64::try_from(over / under).unwrap()
}

/// Rounds half a unit or more up.
fn nearest(minor: i64, rate: Decimal) -> i64 {
    let (over, under) = fraction(rate);
    floor(2 * i128::from(minor) * over + under, 2 * under)
}
