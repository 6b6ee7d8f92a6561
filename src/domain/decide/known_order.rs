//! An order with the facts known at a moment: during a day or at its end.

use chrono::NaiveDate;

use super::credit_record::CreditRecord;
use super::due::{ClockDay, clock_day, schedule};
use super::holds::{HeldDays, Hold, HoldEffects, holds};
use super::position::Position;
use super::replay::fees::Fee;
use super::replay::state::{InstalmentState, Replay, ReplayResult};
use crate::domain::business_days::NoYear;
use crate::domain::calendar::plus;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::Fact;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;

/// The moment at which an order is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Facts effective by this day count.
    pub(super) facts_by: NaiveDate,
    /// The last day that is over.
    pub(super) over: NaiveDate,
}

impl Moment {
    pub(super) fn end_of(day: NaiveDate) -> Moment {
        Moment { facts_by: day, over: day }
    }

    pub(super) fn during(day: NaiveDate) -> Moment {
        Moment { facts_by: day, over: plus(day, -1) }
    }
}

/// An order with the facts known at a moment.
pub(super) struct KnownOrder<'a> {
    pub(super) case: &'a Case,
    pub(super) terms: &'a Terms,
    /// The facts effective by the moment.
    facts: &'a [&'a Fact],
    pub(super) holds: Vec<Hold>,
    held_fees: HeldDays,
    pub(super) clock: ClockDay,
    pub(super) at: Moment,
}

impl<'a> KnownOrder<'a> {
    pub(super) fn of(case: &'a Case, terms: &'a Terms, facts: &'a [&'a Fact], at: Moment) -> KnownOrder<'a> {
        let holds = holds(facts, terms);
        let clock = clock_day(&case.order, terms, facts, &holds, at.facts_by);
        let held_fees = HeldDays::by(HoldEffect::Fees, &holds, terms);
        KnownOrder { case, terms, facts, holds, held_fees, clock, at }
    }

    pub(super) fn replay(&self) -> Replay<'_> {
        Replay { order: &self.case.order, terms: self.terms, facts: self.facts, held: &self.held_fees }
    }

    /// Returns the allocation of the order's money, and each instalment's fee.
    pub(super) fn money(&self) -> Result<(ReplayResult, Vec<Fee>), NoYear> {
        let replay = self.replay();
        let schedule = schedule(&self.case.order, self.terms, self.facts, &self.holds, self.clock)?;
        let result = replay.run(schedule, self.at.over);
        let fees = replay.fees_waived_by(&result.instalments, self.at.over, self.at.facts_by);
        Ok((result, fees))
    }

    /// Returns each instalment's position, with the credit record unchanged.
    pub(super) fn positions(
        &self,
        instalments: &[InstalmentState],
        fees: &[Fee],
        records: &[CreditRecord],
    ) -> Vec<Position> {
        let fee_changes = self.replay().fee_changes(instalments, fees, self.at.over);
        let order_changes_on = self.changes_of_order().min();
        let positions = instalments.iter().zip(fees).enumerate().map(|(i, (state, fee))| {
            let record = records.get(i).copied().unwrap_or_default();
            let position = self.position(state, *fee, fee_changes[i], record);
            Position { next_action_on: earlier(position.next_action_on, order_changes_on), ..position }
        });
        positions.collect()
    }

    fn position(
        &self,
        state: &InstalmentState,
        fee: Fee,
        fee_changes_on: Option<NaiveDate>,
        record: CreditRecord,
    ) -> Position {
        let Moment { facts_by, over } = self.at;
        let due_on = state.due.due_on;
        // Days past due stop counting at the write-off.
        let counted_to = state.written_off.map_or(over, |written_off| written_off.on);
        let days_past_due = due_on.map_or(0, |due_on| state.principal.days_past_due(due_on, counted_to));
        let next_day = due_on.filter(|_| state.written_off.is_none());
        let next_day = next_day.and_then(|due_on| self.next_day(state, due_on, days_past_due));
        let covers_today = |hold: &&Hold| hold.covers(facts_by);
        let late_fee = if state.written_off.is_some() { fee.net().min(state.fee_paid) } else { fee.net() };
        Position {
            instalment: state.due.instalment,
            principal: state.due.minor,
            due_on,
            paid: state.paid,
            refunded: state.refunded,
            written_off_on: state.written_off.map(|written_off| written_off.on),
            written_off: state.written_off.map_or(0, |_| state.principal.now() + state.recovered),
            recovered: state.recovered,
            late_fee_charged: fee.total,
            late_fee,
            late_fee_paid: state.fee_paid.min(fee.net()),
            days_past_due,
            credit: record,
            hold: self.holds.iter().find(covers_today).map(|hold| hold.reason),
            hold_effects: HoldEffects::on(facts_by, &self.holds, self.terms),
            decided_on: over,
            next_action_on: earlier(fee_changes_on, next_day),
        }
    }

    /// The day on which an unpaid instalment becomes due, or is written off.
    fn next_day(&self, state: &InstalmentState, due_on: NaiveDate, days_past_due: i64) -> Option<NaiveDate> {
        let over = self.at.over;
        let unpaid = state.principal.now() > 0;
        let comes_due = (unpaid && due_on > over).then_some(due_on);
        let written_off = self.terms.write_off_after.filter(|_| unpaid);
        let written_off = written_off.map(|after| plus(due_on.max(over), after - days_past_due));
        earlier(comes_due, written_off)
    }

    /// Days after the moment on which the order changes independently of its instalments: receipt counts as confirmed,
    /// a fulfilment is missing for too long, a fact dated ahead takes effect, or a hold ends.
    pub(super) fn changes_of_order(&self) -> impl Iterator<Item = NaiveDate> {
        let of_clock = match self.clock {
            ClockDay::Expected(on) => vec![on],
            ClockDay::Unknown => {
                let Terms { not_fulfilled_after, cancel_unfulfilled_after, .. } = self.terms;
                let days = not_fulfilled_after.iter().chain(cancel_unfulfilled_after);
                days.map(|days| plus(self.case.order.ordered_on, *days)).collect()
            }
            ClockDay::Started { .. } => Vec::new(),
        };
        let ahead = self.case.facts.iter().map(|fact: &Fact| fact.effective_on);
        let holds_end = self.holds.iter().map(|hold| plus(hold.last, 1));
        let over = self.at.over;
        ahead.chain(holds_end).chain(of_clock).filter(move |day| *day > over)
    }
}

/// The earlier of two days, or the only one.
pub(super) fn earlier(a: Option<NaiveDate>, b: Option<NaiveDate>) -> Option<NaiveDate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
