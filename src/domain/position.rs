//! The one function that decides: what is true of an order at the end of a day.
//!
//! Jobs call [`decide`], compare with what is recorded and post the difference. Reruns, missed days and late news
//! are the same call; deliberately, nothing here knows which of them it is.

use chrono::NaiveDate;

use super::allocation::{Fee, Ledger, Slot};
use super::business_days::NoYear;
use super::calendar::{days_between, plus};
use super::credit::{self, Evidence, Standing, Status};
use super::due::{ClockDay, clock_day, schedule};
use super::hold::{Covered, Effect, HoldReason, HoldSpan, Stopped, spans};
use super::journal::{Account, Declared, Kind, Movement, Recorded};
use super::late_fee::Workings;
use super::money::rated;
use super::order::{Case, Event, Fact, Source, What};
use super::policy::Terms;

/// What is left of an instalment on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub instalment: i64,
    /// Minor units throughout.
    pub principal: i64,
    pub due_on: Option<NaiveDate>,
    pub paid: i64,
    pub refunded: i64,
    /// The day it was written off, and the principal given up, less what was refunded since.
    pub written_off_on: Option<NaiveDate>,
    pub written_off: i64,
    /// Of that, paid since.
    pub recovered: i64,
    /// Late fee charged in total, after caps and before waivers.
    pub late_fee_charged: i64,
    /// Late fee owed in total, after caps and waivers; of a written-off instalment, what had been paid of it.
    pub late_fee: i64,
    pub late_fee_paid: i64,
    /// As of `decided_on`; [`Position::days_past_due_on`] tells a later day's.
    pub days_past_due: i64,
    pub credit: Standing,
    /// The hold that covers `decided_on`; of several, the one that began first.
    pub hold: Option<HoldReason>,
    /// What all holds that cover `decided_on` stop.
    pub stopped: Stopped,
    pub decided_on: NaiveDate,
    pub next_action_on: Option<NaiveDate>,
}

impl Position {
    /// Principal still owed, as far as it was not written off.
    pub fn outstanding(&self) -> i64 {
        self.principal - self.paid - self.refunded - self.written_off
    }

    /// Whether the customer has not paid yet, written off or not.
    pub fn is_unpaid(&self) -> bool {
        self.outstanding() > 0 || self.written_off > self.recovered
    }

    pub fn fee_owed(&self) -> i64 {
        self.late_fee - self.late_fee_paid
    }

    /// The late fee as the books have it. It may have been booked day by day; the position knows the total.
    pub fn late_fee_booked(&self) -> Recorded {
        Recorded {
            movement: late_fee_movement(self.instalment),
            minor: self.late_fee_charged,
            effective_on: self.decided_on,
            source: Source::default(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.outstanding() > 0 || self.fee_owed() > 0
    }

    /// Days past due on a day from `decided_on` on, as long as nothing else happens: an unpaid instalment gains
    /// one a day, which is no reason to decide it anew.
    pub fn days_past_due_on(&self, day: NaiveDate) -> i64 {
        match self.due_on {
            Some(due_on) if self.outstanding() > 0 => {
                self.days_past_due + days_between(due_on.max(self.decided_on), day).max(0)
            }
            _ => self.days_past_due,
        }
    }
}

/// A dated row of the customer's credit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditStep {
    pub instalment: i64,
    pub status: Status,
    pub days_past_due: i64,
    /// Principal owed at the time.
    pub minor: i64,
    pub reason: &'static str,
}

/// What is true of an order at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub clock: ClockDay,
    pub positions: Vec<Position>,
    /// All movements of the order, in total.
    pub movements: Vec<Declared>,
    /// Steps to record today.
    pub credit_steps: Vec<CreditStep>,
    /// The first day on which anything can change by itself.
    pub next_action_on: Option<NaiveDate>,
}

impl Decision {
    pub fn outstanding(&self) -> i64 {
        self.positions.iter().map(Position::outstanding).sum()
    }

    pub fn is_open(&self) -> bool {
        self.positions.iter().any(Position::is_open)
    }

    /// The due date of the oldest instalment that the customer has not paid, written off or not.
    pub fn oldest_due_on(&self) -> Option<NaiveDate> {
        let unpaid = self.positions.iter().filter(|position| position.is_unpaid());
        unpaid.filter_map(|position| position.due_on).min()
    }
}

/// Decides an order at the end of `today`, on the terms it was ordered under. `standings` is the credit record so
/// far, by instalment; empty for an order not decided before. Fails only where a due date would need a year that the
/// terms' calendar does not know.
pub fn decide(case: &Case, terms: &Terms, standings: &[Standing], today: NaiveDate) -> Result<Decision, NoYear> {
    let order = &case.order;
    let facts = case.effective_by(today);
    let spans = spans(&facts, terms);
    let clock = clock_day(order, terms, &facts, &spans, today);
    let held_fees = Covered::by(Effect::Fees, &spans, terms);
    let ledger = Ledger { order, terms, facts: &facts, held: &held_fees };

    let mut replayed = ledger.replay(schedule(order, terms, &facts, &spans, clock)?, today);
    let slots = std::mem::take(&mut replayed.slots);
    let fees = ledger.fees(&slots, today);
    let fee_changes = ledger.fee_changes(&slots, &fees, today);

    let booked = (order.ordered_on, order.source);
    let by_rule = (today, Source::default());
    for (slot, fee) in slots.iter().zip(&fees) {
        let instalment = slot.due.instalment;
        let receivable = Account::ReceivablePrincipal;
        replayed.declare_rule(Kind::Order, instalment, (receivable, Account::MerchantPayable), slot.due.minor, booked);
        let late_fee = Account::ReceivableLateFee;
        let charged = late_fee_movement(instalment);
        replayed.declare_rule(Kind::LateFee, instalment, (charged.debit, charged.credit), fee.total, by_rule);
        replayed.declare_rule(Kind::Waiver, instalment, (Account::IncomeLateFee, late_fee), fee.waived, by_rule);
        let too_much = slot.fee_paid - fee.net();
        replayed.declare_rule(Kind::FeeReturned, instalment, (late_fee, Account::CustomerCredit), too_much, by_rule);
        if let Some(written_off) = slot.written_off {
            let by_rule = (written_off.on, Source::default());
            let loss = (Account::ExpensesBadDebt, receivable);
            replayed.declare_rule(Kind::WriteOff, instalment, loss, written_off.minor, by_rule);
            // A fee that nobody pays was never earned.
            replayed.declare_rule(Kind::WriteOff, instalment, (Account::IncomeLateFee, late_fee), -too_much, by_rule);
        }
    }
    let kept = (order.amount_minor - replayed.refunded).max(0);
    let service_fee = (Account::MerchantPayable, Account::IncomeServiceFee);
    replayed.declare_rule(Kind::ServiceFee, 0, service_fee, rated(kept, terms.service_fee), booked);

    let stopped = Stopped::on(today, &spans, terms);
    let held_credit = &Covered::by(Effect::Credit, &spans, terms);
    let surroundings = Surroundings { case, terms, spans: &spans, stopped, held_credit, today, kept };
    let mut credit_steps = Vec::new();
    let mut positions = Vec::with_capacity(slots.len());
    for (i, (slot, fee)) in slots.iter().zip(&fees).enumerate() {
        let standing = standings.get(i).copied().unwrap_or_default();
        positions.push(surroundings.position(slot, *fee, fee_changes[i], standing, &mut credit_steps));
    }

    let waiting = surroundings.wakes(clock);
    let next_action_on = positions.iter().filter_map(|position| position.next_action_on).chain(waiting).min();
    Ok(Decision { clock, positions, movements: replayed.movements, credit_steps, next_action_on })
}

/// How the late fee of each instalment comes about at the end of `today`, for those who tell it. Computed as
/// [`decide`] does.
pub fn fee_workings(case: &Case, terms: &Terms, today: NaiveDate) -> Result<Vec<Workings>, NoYear> {
    let facts = case.effective_by(today);
    let spans = spans(&facts, terms);
    let clock = clock_day(&case.order, terms, &facts, &spans, today);
    let held = Covered::by(Effect::Fees, &spans, terms);
    let ledger = Ledger { order: &case.order, terms, facts: &facts, held: &held };
    let replayed = ledger.replay(schedule(&case.order, terms, &facts, &spans, clock)?, today);
    Ok(ledger.fee_workings(&replayed.slots, today))
}

fn late_fee_movement(instalment: i64) -> Movement {
    Movement {
        kind: Kind::LateFee,
        instalment,
        debit: Account::ReceivableLateFee,
        credit: Account::IncomeLateFee,
        cause: String::new(),
    }
}

/// What all instalments of an order share on the day.
struct Surroundings<'a> {
    case: &'a Case,
    terms: &'a Terms,
    spans: &'a [HoldSpan],
    stopped: Stopped,
    /// Days covered by holds with effect `credit`.
    held_credit: &'a Covered,
    today: NaiveDate,
    /// The order's amount after refunds.
    kept: i64,
}

impl Surroundings<'_> {
    fn position(
        &self,
        slot: &Slot,
        fee: Fee,
        fee_changes_on: Option<NaiveDate>,
        mut standing: Standing,
        steps: &mut Vec<CreditStep>,
    ) -> Position {
        let due_on = slot.due.due_on;
        // The days of what was written off are not counted any further.
        let counted_to = slot.written_off.map_or(self.today, |written_off| written_off.on);
        let days_past_due = due_on.map_or(0, |due_on| slot.principal.days_past_due(due_on, counted_to));
        let mut next_action_on = fee_changes_on;
        if let Some(due_on) = due_on {
            if slot.written_off.is_none() {
                next_action_on = earlier(next_action_on, self.next_day(slot, due_on, days_past_due));
            }
            if let Some(rule) = self.terms.credit {
                let evidence = self.evidence(slot, due_on);
                while let Some((status, reason)) = credit::step(&standing, &evidence, rule, self.today) {
                    standing = standing.after(status, self.today);
                    let instalment = slot.due.instalment;
                    steps.push(CreditStep { instalment, status, days_past_due, minor: slot.principal.now(), reason });
                }
                next_action_on = earlier(next_action_on, credit::next_step(&standing, &evidence, rule, self.today));
            }
        }
        let covers_today = |span: &&HoldSpan| (span.first..=span.last).contains(&self.today);
        let late_fee = if slot.written_off.is_some() { fee.net().min(slot.fee_paid) } else { fee.net() };
        Position {
            instalment: slot.due.instalment,
            principal: slot.due.minor,
            due_on,
            paid: slot.paid,
            refunded: slot.refunded,
            written_off_on: slot.written_off.map(|written_off| written_off.on),
            written_off: slot.written_off.map_or(0, |_| slot.principal.now() + slot.recovered),
            recovered: slot.recovered,
            late_fee_charged: fee.total,
            late_fee,
            late_fee_paid: slot.fee_paid.min(fee.net()),
            days_past_due,
            credit: standing,
            hold: self.spans.iter().find(covers_today).map(|span| span.reason),
            stopped: self.stopped,
            decided_on: self.today,
            next_action_on,
        }
    }

    /// The day on which an unpaid instalment comes due, or is to be written off.
    fn next_day(&self, slot: &Slot, due_on: NaiveDate, days_past_due: i64) -> Option<NaiveDate> {
        let unpaid = slot.principal.now() > 0;
        let comes_due = (unpaid && due_on > self.today).then_some(due_on);
        let written_off = self.terms.write_off_after.filter(|_| unpaid);
        let written_off = written_off.map(|after| plus(due_on.max(self.today), after - days_past_due));
        earlier(comes_due, written_off)
    }

    fn evidence<'s>(&'s self, slot: &'s Slot, due_on: NaiveDate) -> Evidence<'s> {
        let instalment = slot.due.instalment;
        let notices = self.case.facts.iter().filter(|fact| fact.what == What::Notice { instalment });
        let sent_on = notices.map(|fact| fact.effective_on).filter(|on| *on <= self.today);
        Evidence {
            due_on,
            principal: &slot.principal,
            paid_some: slot.paid > 0 && self.kept > 0,
            notices: sent_on.collect(),
            held: self.held_credit,
            written_off: slot.written_off.is_some(),
        }
    }

    /// Days on which the order changes whatever its instalments do: receipt counts as confirmed, a fact dated
    /// ahead takes effect, a hold begins to cover or ends.
    fn wakes(&self, clock: ClockDay) -> impl Iterator<Item = NaiveDate> {
        let confirmed = match clock {
            ClockDay::Expected(on) => Some(on),
            ClockDay::Started { .. } | ClockDay::Unknown => None,
        };
        let ahead = self.case.facts.iter().map(|fact: &Fact| fact.effective_on);
        let holds_end = self.spans.iter().map(|span| plus(span.last, 1));
        let today = self.today;
        ahead.chain(holds_end).chain(confirmed).filter(move |day| *day > today)
    }
}

fn earlier(a: Option<NaiveDate>, b: Option<NaiveDate>) -> Option<NaiveDate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// True once a cancellation is among the facts, whenever it takes effect.
pub fn is_cancelled(case: &Case) -> bool {
    case.facts.iter().any(|fact| fact.what == What::Fulfilment(Event::Cancelled))
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
