//! The one function that decides: the state of an order at the end of a day.
//!
//! The close calls [`decide`], compares the result with what is recorded and posts the difference. Reruns, missed days
//! and facts that arrive late are the same call; deliberately, this module does not know which of them it serves.

use chrono::NaiveDate;

use super::credit::News;
use super::credit_record::{CreditRecord, CreditStep};
use super::credit_steps::CreditSteps;
use super::due::ClockDay;
use super::known_order::{KnownOrder, Moment};
use super::opening::Opening;
use super::position::{Position, late_fee_movement};
use super::replay::fees::Fee;
use super::replay::state::{InstalmentState, ReplayResult};
use crate::domain::business_days::NoYear;
use crate::domain::calendar::plus;
use crate::domain::facts::case::Case;
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Declared, EntryKind};
use crate::domain::money::rated;
use crate::domain::terms::policy::Terms;

/// The state of an order at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub clock: ClockDay,
    pub positions: Vec<Position>,
    /// All movements of the order, as total amounts.
    pub movements: Vec<Declared>,
    /// Steps to record today.
    pub credit_steps: Vec<CreditStep>,
    /// The first day on which anything can change without a new fact.
    pub next_action_on: Option<NaiveDate>,
    /// The first day whose end decides the order again: `next_action_on`, or the day before a fact dated ahead takes
    /// effect, because that day's end decides what the next day opens with.
    pub decide_on: Option<NaiveDate>,
    /// The exposure on which the next day's orders are decided.
    pub opening: Opening,
}

impl Decision {
    /// The decision on an order of a later day. Nothing is booked before its day: an order placed after the cut-off
    /// begins on the next day. What the customer will owe counts immediately.
    fn of_order_to_come(order: &Order) -> Decision {
        Decision {
            clock: ClockDay::Unknown,
            positions: Vec::new(),
            movements: Vec::new(),
            credit_steps: Vec::new(),
            next_action_on: Some(order.ordered_on),
            decide_on: Some(order.ordered_on),
            opening: Opening { owed_minor: order.amount_minor, past_due_from: None },
        }
    }

    /// Whether the due date is unknown for goods that are not refunded.
    pub fn waits_for_fulfilment(&self) -> bool {
        self.clock == ClockDay::Unknown && self.positions.iter().any(|position| position.refunded < position.principal)
    }

    pub fn is_open(&self) -> bool {
        self.positions.is_empty() || self.positions.iter().any(Position::is_open)
    }
}

/// Decides an order at the end of `today`, on the terms it was ordered under. `records` is the credit record so far, by
/// instalment; it is empty for an order that was not decided before. Fails only if a due date needs a year that the
/// terms' calendar does not cover.
pub fn decide(case: &Case, terms: &Terms, records: &[CreditRecord], today: NaiveDate) -> Result<Decision, NoYear> {
    decide_with(case, terms, records, today, News::Complete)
}

/// Like [`decide`], but a file with payments may be missing.
pub fn decide_with(
    case: &Case,
    terms: &Terms,
    records: &[CreditRecord],
    today: NaiveDate,
    news: News,
) -> Result<Decision, NoYear> {
    let order = &case.order;
    if order.ordered_on > today {
        return Ok(Decision::of_order_to_come(order));
    }
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(today));
    let (mut result, fees) = known.money()?;
    let instalments = std::mem::take(&mut result.instalments);
    for (state, fee) in instalments.iter().zip(&fees) {
        declare_instalment(&mut result, order, state, *fee, today);
    }
    // Each refund returns its part of the service fee.
    let service_fee = (Account::MerchantPayable, Account::IncomeServiceFee);
    let charged = rated(order.amount_minor, terms.service_fee);
    result.declare_rule(EntryKind::ServiceFee, 0, service_fee, charged, (order.ordered_on, order.source));

    let mut positions = known.positions(&instalments, &fees, records);
    let steps = CreditSteps::of(&known, news, order.amount_minor > result.refunded);
    let mut credit_steps = Vec::new();
    for (state, position) in instalments.iter().zip(&mut positions) {
        steps.take(state, position, &mut credit_steps);
    }

    let opening = Opening::after(today, case, terms, records, &positions)?;
    let of_positions = positions.iter().filter_map(|position| position.next_action_on);
    let next_action_on = of_positions.chain(known.changes_of_order()).min();
    let tomorrow = plus(today, 1);
    let takes_effect = case.facts.iter().map(|fact| fact.effective_on).filter(|on| *on > tomorrow);
    let decide_on = takes_effect.map(|on| plus(on, -1)).chain(next_action_on).min();
    let movements = result.movements;
    Ok(Decision { clock: known.clock, positions, movements, credit_steps, next_action_on, decide_on, opening })
}

/// Declares the movements of an instalment that no fact makes: its price, its late fee, and its write-off.
fn declare_instalment(result: &mut ReplayResult, order: &Order, state: &InstalmentState, fee: Fee, today: NaiveDate) {
    let instalment = state.due.instalment;
    let as_ordered = (order.ordered_on, order.source);
    let by_rule = (today, Source::default());
    let (receivable, late_fee) = (Account::ReceivablePrincipal, Account::ReceivableLateFee);
    let price = (receivable, Account::MerchantPayable);
    result.declare_rule(EntryKind::Order, instalment, price, state.due.minor, as_ordered);
    let charged = late_fee_movement(instalment);
    result.declare_rule(EntryKind::LateFee, instalment, (charged.debit, charged.credit), fee.total, by_rule);
    result.declare_rule(EntryKind::Waiver, instalment, (Account::IncomeLateFee, late_fee), fee.waived, by_rule);
    let too_much = state.fee_paid - fee.net();
    result.declare_rule(EntryKind::FeeReturned, instalment, (late_fee, Account::CustomerCredit), too_much, by_rule);
    if let Some(written_off) = state.written_off {
        let by_rule = (written_off.on, Source::default());
        let loss = (Account::ExpensesBadDebt, receivable);
        result.declare_rule(EntryKind::WriteOff, instalment, loss, written_off.minor, by_rule);
        // A fee that is never paid was never earned.
        result.declare_rule(EntryKind::WriteOff, instalment, (Account::IncomeLateFee, late_fee), -too_much, by_rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decide::position::tests::position;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    #[test]
    fn an_order_is_what_its_instalments_are() {
        let second = || Position { instalment: 2, due_on: Some(day(20)), days_past_due: 0, ..position() };
        let paid = |of: Position| Position { paid: 100, ..of };
        let lost = |of: Position| Position { written_off: 100, ..of };
        // Decided on the 12th, two days past due. In `gap`, nothing was unpaid on one of these days.
        let gap = Position { days_past_due: 1, ..position() };
        let written_off =
            Position { written_off_on: Some(day(11)), days_past_due: 1, decided_on: day(20), ..lost(position()) };
        for (what, positions, owed_minor, is_open, past_due_from) in [
            ("nothing is paid", [position(), second()], 200, true, Some(day(10))),
            ("a day past due had nothing to pay", [gap, second()], 200, true, Some(day(11))),
            ("the first is paid", [paid(position()), second()], 100, true, Some(day(20))),
            ("both are paid", [paid(position()), paid(second())], 0, false, None),
            ("the first is written off", [written_off, paid(second())], 0, false, Some(day(10))),
        ] {
            let decision = Decision {
                clock: ClockDay::Unknown,
                opening: Opening::of(&positions),
                positions: positions.to_vec(),
                movements: Vec::new(),
                credit_steps: Vec::new(),
                next_action_on: None,
                decide_on: None,
            };
            assert_eq!(decision.is_open(), is_open, "{what}");
            assert_eq!(decision.opening, Opening { owed_minor, past_due_from }, "{what}");
        }
    }
}
