//! The one function that decides: what is true of an order at the end of a day, and, by the same rules, during it.
//!
//! The close calls [`decide`], compares with what is recorded and posts the difference. Reruns, missed days and late news
//! are the same call; deliberately, nothing here knows which of them it is. While a day is open, [`owed_now`] says what
//! the customer owes: what a day's end brings (fee, credit step, write-off) comes with the end, not before it.

mod fee_days;

use chrono::NaiveDate;

pub use self::fee_days::date_fees;
use super::allocation::{Fee, Ledger, Replayed, Slot};
use super::business_days::NoYear;
use super::calendar::{days_between, plus};
use super::credit::{self, Evidence, News, Standing, Status};
use super::due::{ClockDay, clock_day, schedule};
use super::hold::{Covered, Effect, HoldReason, HoldSpan, Stopped, spans};
use super::journal::{Account, Declared, Kind, Movement, Recorded};
use super::late_fee::Workings;
use super::money::rated;
use super::order::{Case, Fact, Order, Source, What};
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

    /// The day that days past due count from, as if without a gap: on a day D after it, the customer is D less this day
    /// past due. None when nothing is unpaid or nothing is due. What was written off goes on counting here.
    pub fn past_due_from(&self) -> Option<NaiveDate> {
        let due_on = self.due_on.filter(|_| self.is_unpaid())?;
        let counted_to = self.written_off_on.unwrap_or(self.decided_on);
        Some(plus(due_on.max(counted_to), -self.days_past_due))
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
    /// The first day whose end decides the order again: that day, or the day before a fact dated ahead takes effect, since
    /// its end says what the next day opens with.
    pub decide_on: Option<NaiveDate>,
    /// What the next day's orders are decided on.
    pub opening: Opening,
}

/// What the customer owes on an order as the next day opens: the state at the end of this day, with the facts known by now
/// that take effect on the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opening {
    /// Principal, in minor units.
    pub owed_minor: i64,
    /// See [`Position::past_due_from`]; of several instalments the earliest.
    pub past_due_from: Option<NaiveDate>,
}

impl Opening {
    fn of<'p>(positions: impl IntoIterator<Item = &'p Position> + Clone) -> Opening {
        Opening {
            owed_minor: positions.clone().into_iter().map(Position::outstanding).sum(),
            past_due_from: positions.into_iter().filter_map(Position::past_due_from).min(),
        }
    }
}

impl Decision {
    /// Nothing is booked before its day: an order that was placed after the cut-off begins on the next day. What it will owe
    /// counts at once.
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

    /// Whether nobody knows when the customer has to pay, for goods that were not given back.
    pub fn waits_for_fulfilment(&self) -> bool {
        self.clock == ClockDay::Unknown && self.positions.iter().any(|position| position.refunded < position.principal)
    }

    pub fn is_open(&self) -> bool {
        self.positions.is_empty() || self.positions.iter().any(Position::is_open)
    }
}

/// The moment at which an order is looked at.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Facts effective by this day count.
    facts_by: NaiveDate,
    /// The last day that is over.
    over: NaiveDate,
}

impl Moment {
    fn end_of(day: NaiveDate) -> Moment {
        Moment { facts_by: day, over: day }
    }

    fn during(day: NaiveDate) -> Moment {
        Moment { facts_by: day, over: plus(day, -1) }
    }
}

/// Decides an order at the end of `today`, on the terms it was ordered under. `standings` is the credit record so
/// far, by instalment; empty for an order not decided before. Fails only where a due date would need a year that the
/// terms' calendar does not know.
pub fn decide(case: &Case, terms: &Terms, standings: &[Standing], today: NaiveDate) -> Result<Decision, NoYear> {
    decide_with(case, terms, standings, today, News::Complete)
}

/// The same, where a file with news of payments may be missing.
pub fn decide_with(
    case: &Case,
    terms: &Terms,
    standings: &[Standing],
    today: NaiveDate,
    news: News,
) -> Result<Decision, NoYear> {
    let order = &case.order;
    if order.ordered_on > today {
        return Ok(Decision::of_order_to_come(order));
    }
    let facts = case.effective_by(today);
    let known = Known::of(case, terms, &facts, Moment::end_of(today));
    let (mut replayed, fees) = known.replay()?;
    let slots = std::mem::take(&mut replayed.slots);

    let as_ordered = (order.ordered_on, order.source);
    let by_rule = (today, Source::default());
    for (slot, fee) in slots.iter().zip(&fees) {
        let instalment = slot.due.instalment;
        let receivable = Account::ReceivablePrincipal;
        replayed.declare_rule(
            Kind::Order,
            instalment,
            (receivable, Account::MerchantPayable),
            slot.due.minor,
            as_ordered,
        );
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
    // Each refund gives its part of the service fee back.
    let service_fee = (Account::MerchantPayable, Account::IncomeServiceFee);
    replayed.declare_rule(Kind::ServiceFee, 0, service_fee, rated(order.amount_minor, terms.service_fee), as_ordered);

    let held_credit = Covered::by(Effect::Credit, &known.spans, terms);
    let surroundings = Surroundings { known: &known, news, kept };
    let mut credit_steps = Vec::new();
    let mut positions = surroundings.positions(&slots, &fees, standings);
    for (slot, position) in slots.iter().zip(&mut positions) {
        surroundings.record(slot, position, &held_credit, &mut credit_steps);
    }

    let tomorrow = plus(today, 1);
    let changes_overnight = case.facts.iter().any(|fact| fact.effective_on == tomorrow);
    let opening = match changes_overnight {
        true => Opening::of(owed_now(case, terms, standings, tomorrow)?.iter().map(|owed| &owed.position)),
        false => Opening::of(&positions),
    };
    let of_positions = positions.iter().filter_map(|position| position.next_action_on);
    let next_action_on = of_positions.chain(surroundings.wakes()).min();
    let takes_effect = case.facts.iter().map(|fact| fact.effective_on).filter(|on| *on > tomorrow);
    let decide_on = takes_effect.map(|on| plus(on, -1)).chain(next_action_on).min();
    let movements = replayed.movements;
    Ok(Decision { clock: known.clock, positions, movements, credit_steps, next_action_on, decide_on, opening })
}

/// What the customer owes on an instalment while a day goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// As of the end of the day before, with what has happened since.
    pub position: Position,
    /// The day whose end brings a late fee, or more of it, if nothing is paid by then.
    pub fee_grows_on: Option<NaiveDate>,
    /// The day since which no principal is left.
    pub gone_on: Option<NaiveDate>,
}

/// What the customer owes on `today` while the day goes on: by the days that are over and the facts known that take effect
/// by `today`. The credit record is as it was handed in.
pub fn owed_now(case: &Case, terms: &Terms, standings: &[Standing], today: NaiveDate) -> Result<Vec<Owed>, NoYear> {
    if case.order.ordered_on > today {
        return Ok(Vec::new());
    }
    let facts = case.effective_by(today);
    let known = Known::of(case, terms, &facts, Moment::during(today));
    let (replayed, fees) = known.replay()?;
    let kept = (case.order.amount_minor - replayed.refunded).max(0);
    let positions =
        Surroundings { known: &known, news: News::Complete, kept }.positions(&replayed.slots, &fees, standings);
    let fee_changes = known.ledger().fee_changes(&replayed.slots, &fees, known.at.over);
    let owed = positions.into_iter().zip(fee_changes).zip(&replayed.slots).map(|((position, changes_on), slot)| {
        let fee_grows_on = changes_on.filter(|_| position.outstanding() > 0);
        Owed { position, fee_grows_on, gone_on: slot.principal.gone_since() }
    });
    Ok(owed.collect())
}

/// How the late fee of each instalment comes about at the end of `today`, for those who tell it. Computed as
/// [`decide`] does.
pub fn fee_workings(case: &Case, terms: &Terms, today: NaiveDate) -> Result<Vec<Workings>, NoYear> {
    let facts = case.effective_by(today);
    let known = Known::of(case, terms, &facts, Moment::end_of(today));
    let (replayed, _) = known.replay()?;
    Ok(known.ledger().fee_workings(&replayed.slots, today))
}

/// An order with what is known of it at a moment.
struct Known<'a> {
    case: &'a Case,
    terms: &'a Terms,
    facts: &'a [&'a Fact],
    spans: Vec<HoldSpan>,
    held_fees: Covered,
    clock: ClockDay,
    at: Moment,
}

impl<'a> Known<'a> {
    fn of(case: &'a Case, terms: &'a Terms, facts: &'a [&'a Fact], at: Moment) -> Known<'a> {
        let spans = spans(facts, terms);
        let clock = clock_day(&case.order, terms, facts, &spans, at.facts_by);
        let held_fees = Covered::by(Effect::Fees, &spans, terms);
        Known { case, terms, facts, spans, held_fees, clock, at }
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger { order: &self.case.order, terms: self.terms, facts: self.facts, held: &self.held_fees }
    }

    /// Where the order's money went, and each instalment's fee.
    fn replay(&self) -> Result<(Replayed, Vec<Fee>), NoYear> {
        let ledger = self.ledger();
        let schedule = schedule(&self.case.order, self.terms, self.facts, &self.spans, self.clock)?;
        let replayed = ledger.replay(schedule, self.at.over);
        let fees = ledger.fees_waived_by(&replayed.slots, self.at.over, self.at.facts_by);
        Ok((replayed, fees))
    }
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

/// What all instalments of an order share at a moment.
struct Surroundings<'a> {
    known: &'a Known<'a>,
    news: News,
    /// The order's amount after refunds.
    kept: i64,
}

impl Surroundings<'_> {
    /// Each instalment's position, with the credit record as it was.
    fn positions(&self, slots: &[Slot], fees: &[Fee], standings: &[Standing]) -> Vec<Position> {
        let fee_changes = self.known.ledger().fee_changes(slots, fees, self.known.at.over);
        let wakes_on = self.wakes().min();
        let positions = slots.iter().zip(fees).enumerate().map(|(i, (slot, fee))| {
            let standing = standings.get(i).copied().unwrap_or_default();
            let position = self.position(slot, *fee, fee_changes[i], standing);
            Position { next_action_on: earlier(position.next_action_on, wakes_on), ..position }
        });
        positions.collect()
    }

    fn position(&self, slot: &Slot, fee: Fee, fee_changes_on: Option<NaiveDate>, standing: Standing) -> Position {
        let Moment { facts_by, over } = self.known.at;
        let due_on = slot.due.due_on;
        // The days of what was written off are not counted any further.
        let counted_to = slot.written_off.map_or(over, |written_off| written_off.on);
        let days_past_due = due_on.map_or(0, |due_on| slot.principal.days_past_due(due_on, counted_to));
        let next_day = due_on.filter(|_| slot.written_off.is_none());
        let next_day = next_day.and_then(|due_on| self.next_day(slot, due_on, days_past_due));
        let covers_today = |span: &&HoldSpan| (span.first..=span.last).contains(&facts_by);
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
            hold: self.known.spans.iter().find(covers_today).map(|span| span.reason),
            stopped: Stopped::on(facts_by, &self.known.spans, self.known.terms),
            decided_on: over,
            next_action_on: earlier(fee_changes_on, next_day),
        }
    }

    /// Takes the steps of the credit record that the end of the day brings.
    fn record(&self, slot: &Slot, position: &mut Position, held: &Covered, steps: &mut Vec<CreditStep>) {
        let (Some(due_on), Some(rule)) = (position.due_on, self.known.terms.credit) else { return };
        let today = self.known.at.over;
        let evidence = self.evidence(slot, due_on, held);
        while let Some((status, reason)) = credit::step(&position.credit, &evidence, rule, today) {
            position.credit = position.credit.after(status, today);
            let (instalment, days_past_due) = (position.instalment, position.days_past_due);
            steps.push(CreditStep { instalment, status, days_past_due, minor: slot.principal.now(), reason });
        }
        let next_step = credit::next_step(&position.credit, &evidence, rule, today);
        position.next_action_on = earlier(position.next_action_on, next_step);
    }

    /// The day on which an unpaid instalment comes due, or is to be written off.
    fn next_day(&self, slot: &Slot, due_on: NaiveDate, days_past_due: i64) -> Option<NaiveDate> {
        let over = self.known.at.over;
        let unpaid = slot.principal.now() > 0;
        let comes_due = (unpaid && due_on > over).then_some(due_on);
        let written_off = self.known.terms.write_off_after.filter(|_| unpaid);
        let written_off = written_off.map(|after| plus(due_on.max(over), after - days_past_due));
        earlier(comes_due, written_off)
    }

    fn evidence<'s>(&self, slot: &'s Slot, due_on: NaiveDate, held: &'s Covered) -> Evidence<'s> {
        let instalment = slot.due.instalment;
        let today = self.known.at.over;
        let notices = self.known.case.facts.iter().filter(|fact| fact.what == What::Notice { instalment });
        let sent_on = notices.map(|fact| fact.effective_on).filter(|on| *on <= today);
        Evidence {
            due_on,
            principal: &slot.principal,
            paid_some: slot.paid > 0 && self.kept > 0,
            notices: sent_on.collect(),
            held,
            news: self.news,
            written_off: slot.written_off.is_some(),
        }
    }

    /// Days on which the order changes whatever its instalments do: receipt counts as confirmed, a fulfilment is missed, a fact
    /// dated ahead takes effect, a hold begins to cover or ends.
    fn wakes(&self) -> impl Iterator<Item = NaiveDate> {
        let of_clock = match self.known.clock {
            ClockDay::Expected(on) => vec![on],
            ClockDay::Unknown => {
                let Terms { not_fulfilled_after, cancel_unfulfilled_after, .. } = self.known.terms;
                let days = not_fulfilled_after.iter().chain(cancel_unfulfilled_after);
                days.map(|days| plus(self.known.case.order.ordered_on, *days)).collect()
            }
            ClockDay::Started { .. } => Vec::new(),
        };
        let ahead = self.known.case.facts.iter().map(|fact: &Fact| fact.effective_on);
        let holds_end = self.known.spans.iter().map(|span| plus(span.last, 1));
        let over = self.known.at.over;
        ahead.chain(holds_end).chain(of_clock).filter(move |day| *day > over)
    }
}

fn earlier(a: Option<NaiveDate>, b: Option<NaiveDate>) -> Option<NaiveDate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
