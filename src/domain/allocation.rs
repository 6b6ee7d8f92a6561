//! Where payments go, and what a pay-out takes. Computed from the facts each time, like the fee: late news re-allocates.
//! Refunds have a file of their own (`refunds`), and so have chargebacks and write-offs (`losses`).

use chrono::{DateTime, NaiveDate, Utc};

use super::calendar::plus;
use super::cancellation::by_policy;
use super::due::Due;
use super::hold::Covered;
use super::journal::{Account, Declared, Kind, Movement};
use super::late_fee::{LateFee, Overdue, Workings};
use super::order::{Event, Fact, Order, Source, What};
use super::policy::{Allocation, Terms};
use super::principal::Principal;

/// An instalment while the order's money is replayed.
#[derive(Debug, Clone)]
pub struct Slot {
    pub due: Due,
    /// What the customer owes of the price, whether the books still have it or it was written off.
    pub principal: Principal,
    /// Principal that was paid and not given back, and all that was refunded.
    pub paid: i64,
    pub refunded: i64,
    pub fee_paid: i64,
    pub written_off: Option<WriteOff>,
    /// Principal paid after it was written off.
    pub recovered: i64,
}

/// The day on which an instalment was written off, and the principal left then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOff {
    pub on: NaiveDate,
    pub minor: i64,
}

/// An instalment's late fee on a day: capped, and what waivers take off it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    pub total: i64,
    pub waived: i64,
}

impl Fee {
    pub fn net(self) -> i64 {
        self.total - self.waived
    }
}

/// An order's money after all its facts.
pub struct Replayed {
    pub slots: Vec<Slot>,
    pub movements: Vec<Declared>,
    /// Refunds and cancellation together, whether they came off principal or gave back what was paid.
    pub refunded: i64,
    /// Customer credit so far, but for fees that were paid and are not owed any more: those are known at the end only.
    pub(super) credit: i64,
}

/// The fixed surroundings of a replay.
pub struct Ledger<'a> {
    pub order: &'a Order,
    pub terms: &'a Terms,
    /// Effective by the day asked about.
    pub facts: &'a [&'a Fact],
    /// Days covered by holds with effect `fees`.
    pub held: &'a Covered,
}

impl Ledger<'_> {
    /// Lets the money facts take effect in their order: by instant, refunds before payments before chargebacks, then by
    /// key; and in between writes off what has come to it.
    pub fn replay(&self, schedule: Vec<Due>, today: NaiveDate) -> Replayed {
        let slots = schedule.into_iter().map(|due| Slot {
            principal: Principal::new(due.minor),
            due,
            paid: 0,
            refunded: 0,
            fee_paid: 0,
            written_off: None,
            recovered: 0,
        });
        let slots = slots.collect();
        let mut replayed = Replayed { slots, movements: Vec::with_capacity(8), refunded: 0, credit: 0 };
        let cancelled = by_policy(self.order, self.terms, self.facts, today);
        let mut events: Vec<&Fact> = self.facts.iter().copied().filter(|fact| moves_money(fact)).collect();
        events.extend(&cancelled);
        events.sort_by(|a, b| (self.instant(a), rank(a), &a.id).cmp(&(self.instant(b), rank(b), &b.id)));
        for fact in events {
            self.write_off(&mut replayed.slots, plus(fact.effective_on, -1));
            match fact.what {
                What::Payment { minor, suspended } => self.pay(&mut replayed, fact, minor, suspended),
                What::Refund { minor, suspended } => self.refund(&mut replayed, fact, minor, suspended),
                What::Chargeback { minor, suspended, .. } => self.take_back(&mut replayed, fact, minor, suspended),
                // A cancelled order is refunded whole: what earlier refunds have left of it.
                What::Fulfilment(_) => self.refund(&mut replayed, fact, self.order.amount_minor, false),
                What::PayOut { minor } => self.pay_out(&mut replayed, fact, minor),
                _ => {}
            }
        }
        self.write_off(&mut replayed.slots, today);
        replayed
    }

    /// When a fact takes effect. A payment cannot be taken back before it was made, so a chargeback that carries
    /// no more than the day comes after the payment of that day.
    fn instant(&self, fact: &Fact) -> DateTime<Utc> {
        let What::Chargeback { ref payment_id, .. } = fact.what else { return fact.effective_at };
        let is_paid_by = |other: &&&Fact| matches!(other.what, What::Payment { .. }) && other.id == *payment_id;
        let paid = self.facts.iter().find(is_paid_by);
        paid.map_or(fact.effective_at, |paid| paid.effective_at.max(fact.effective_at))
    }

    /// Every instalment's fee at the end of a day.
    pub fn fees(&self, slots: &[Slot], day: NaiveDate) -> Vec<Fee> {
        self.fees_waived_by(slots, day, day)
    }

    /// The same less what was waived by another day.
    pub(super) fn fees_waived_by(&self, slots: &[Slot], day: NaiveDate, waived_by: NaiveDate) -> Vec<Fee> {
        let mut waivers: i64 = self
            .facts
            .iter()
            .map(|fact| match fact.what {
                What::Waiver { minor } if fact.effective_on <= waived_by => minor,
                _ => 0,
            })
            .sum();
        let totals = self.late_fee().totals(self.order.amount_minor, self.overdue(slots), day);
        let net_of_waivers = totals.into_iter().map(|total| {
            let waived = waivers.min(total);
            waivers -= waived;
            Fee { total, waived }
        });
        net_of_waivers.collect()
    }

    /// The first day after `day` on which each fee can change by itself.
    pub fn fee_changes(&self, slots: &[Slot], fees: &[Fee], day: NaiveDate) -> Vec<Option<NaiveDate>> {
        let charged = fees.iter().map(|fee| fee.total).sum();
        self.late_fee().next_changes(self.order.amount_minor, self.overdue(slots), charged, day).collect()
    }

    /// How each fee comes about at the end of a day.
    pub fn fee_workings(&self, slots: &[Slot], day: NaiveDate) -> Vec<Workings> {
        self.late_fee().workings(self.order.amount_minor, self.overdue(slots), day)
    }

    fn late_fee(&self) -> &LateFee {
        self.terms.late_fee.of(self.order.amount_minor)
    }

    /// What the late fee of each instalment depends on; nothing while it has no due date.
    fn overdue<'s>(&'s self, slots: &'s [Slot]) -> impl Iterator<Item = Option<Overdue<'s>>> + Clone {
        slots.iter().map(|slot| {
            Some(Overdue {
                ordered_on: self.order.ordered_on,
                due_on: slot.due.due_on?,
                order_minor: self.order.amount_minor,
                instalment_minor: slot.due.minor,
                principal: &slot.principal,
                written_off_on: slot.written_off.map(|written_off| written_off.on),
                held: self.held,
            })
        })
    }

    /// Oldest due instalment first, those without a due date last; in each the fee owed at the end of the day
    /// before, then principal, or the other way round. What is left over becomes customer credit.
    fn pay(&self, replayed: &mut Replayed, fact: &Fact, minor: i64, suspended: bool) {
        let from = if suspended { Account::Suspense } else { Account::CashClearing };
        let day_before = plus(fact.effective_on, -1);
        let fees = self.fees(&replayed.slots, day_before);
        let mut left = minor;
        for i in replayed.oldest_first() {
            let slot = &mut replayed.slots[i];
            let written_off = slot.written_off.is_some();
            // With the principal the fee was given up.
            let mut to_fee = if written_off { 0 } else { (fees[i].net() - slot.fee_paid).max(0) };
            let mut to_principal = slot.principal.now();
            match self.terms.allocation {
                Allocation::FeeFirst => {
                    to_fee = to_fee.min(left);
                    to_principal = to_principal.min(left - to_fee);
                }
                Allocation::PrincipalFirst => {
                    to_principal = to_principal.min(left);
                    to_fee = to_fee.min(left - to_principal);
                }
            }
            slot.fee_paid += to_fee;
            *(if written_off { &mut slot.recovered } else { &mut slot.paid }) += to_principal;
            slot.principal.take(fact.effective_on, to_principal);
            left -= to_fee + to_principal;
            let instalment = slot.due.instalment;
            let (kind, account) = if written_off {
                (Kind::Recovery, Account::IncomeRecovery)
            } else {
                (Kind::Payment, Account::ReceivablePrincipal)
            };
            replayed.declare(Kind::Payment, instalment, from, Account::ReceivableLateFee, to_fee, fact);
            replayed.declare(kind, instalment, from, account, to_principal, fact);
        }
        replayed.credit += left;
        replayed.declare(Kind::Payment, 0, from, Account::CustomerCredit, left, fact);
    }

    /// From credit first, then from fees that were paid. Those not owed any more come first by themselves: a waiver takes
    /// the fees of earlier instalments first as well. A fee that went back to the customer is not paid any more: if late
    /// news or more days past due make it owed again, it is open. What late news turned from credit into principal stays
    /// overdrawn, for finance to see.
    fn pay_out(&self, replayed: &mut Replayed, fact: &Fact, minor: i64) {
        let from_credit = replayed.credit.clamp(0, minor);
        let mut left = minor - from_credit;
        for i in 0..replayed.slots.len() {
            let slot = &mut replayed.slots[i];
            let back = slot.fee_paid.min(left);
            slot.fee_paid -= back;
            left -= back;
            let (instalment, fee) = (slot.due.instalment, Account::ReceivableLateFee);
            replayed.declare(Kind::FeeReturned, instalment, fee, Account::CustomerCredit, back, fact);
        }
        replayed.credit -= from_credit + left;
        replayed.declare(Kind::PayOut, 0, Account::CustomerCredit, Account::CashClearing, minor, fact);
    }
}

impl Slot {
    /// Where the books have the principal: what was written off is a loss.
    pub(super) fn receivable(&self) -> Account {
        if self.written_off.is_some() { Account::ExpensesBadDebt } else { Account::ReceivablePrincipal }
    }
}

impl Replayed {
    /// Places of the instalments in the order in which payments reach them.
    pub(super) fn oldest_first(&self) -> Vec<usize> {
        let mut oldest_first: Vec<usize> = (0..self.slots.len()).collect();
        oldest_first.sort_by_key(|&i| (self.slots[i].due.due_on.unwrap_or(NaiveDate::MAX), i));
        oldest_first
    }

    pub(super) fn declare(
        &mut self,
        kind: Kind,
        instalment: i64,
        debit: Account,
        credit: Account,
        minor: i64,
        fact: &Fact,
    ) {
        if minor > 0 {
            let movement = Movement { kind, instalment, debit, credit, cause: fact.id.clone() };
            let (effective_on, source) = (fact.effective_on, fact.source);
            self.movements.push(Declared { movement, minor, effective_on, source });
        }
    }

    /// Declares a movement that a rule makes, not a fact of its own.
    pub fn declare_rule(
        &mut self,
        kind: Kind,
        instalment: i64,
        accounts: (Account, Account),
        minor: i64,
        on: (NaiveDate, Source),
    ) {
        if minor > 0 {
            let movement = Movement { kind, instalment, debit: accounts.0, credit: accounts.1, cause: String::new() };
            self.movements.push(Declared { movement, minor, effective_on: on.0, source: on.1 });
        }
    }
}

/// Takes as much as is there, and says how much that was.
pub(super) fn take(there: &mut i64, left: &mut i64) -> i64 {
    let part = (*there).min(*left);
    *there -= part;
    *left -= part;
    part
}

fn moves_money(fact: &Fact) -> bool {
    use What::{Chargeback, Fulfilment, PayOut, Payment, Refund};
    let by_kind = matches!(fact.what, Payment { .. } | Refund { .. } | Chargeback { .. } | PayOut { .. });
    by_kind || matches!(fact.what, Fulfilment(Event::Cancelled))
}

/// At one instant: refunds, cancellations and pay-outs, then payments, then chargebacks.
fn rank(fact: &Fact) -> u8 {
    match fact.what {
        What::Payment { .. } => 1,
        What::Chargeback { .. } => 2,
        _ => 0,
    }
}
