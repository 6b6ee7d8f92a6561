//! Where payments and refunds go. Computed from the facts each time, like the fee: late news re-allocates.

use chrono::NaiveDate;

use super::calendar::plus;
use super::due::Due;
use super::hold::Covered;
use super::journal::{Account, Declared, Kind, Movement};
use super::late_fee::{LateFee, Overdue, Principal, Workings};
use super::order::{Event, Fact, Order, Source, What};
use super::policy::{Allocation, Terms};

/// An instalment while the order's money is replayed.
#[derive(Debug, Clone)]
pub struct Slot {
    pub due: Due,
    pub principal: Principal,
    /// Principal paid and refunded.
    pub paid: i64,
    pub refunded: i64,
    pub fee_paid: i64,
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
    credit: i64,
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
    /// Lets the money facts take effect in their order: by instant, refunds before payments, then by key.
    pub fn replay(&self, schedule: Vec<Due>) -> Replayed {
        let slots = schedule.into_iter().map(|due| Slot {
            principal: Principal::new(due.minor),
            due,
            paid: 0,
            refunded: 0,
            fee_paid: 0,
        });
        let mut replayed = Replayed { slots: slots.collect(), movements: Vec::new(), refunded: 0, credit: 0 };
        let mut events: Vec<&Fact> = self.facts.iter().copied().filter(|fact| moves_money(fact)).collect();
        events.sort_by(|a, b| {
            let rank = |fact: &Fact| matches!(fact.what, What::Payment { .. });
            (a.effective_at, rank(a), &a.id).cmp(&(b.effective_at, rank(b), &b.id))
        });
        for fact in events {
            match fact.what {
                What::Payment { minor, suspended } => self.pay(&mut replayed, fact, minor, suspended),
                What::Refund { minor, suspended } => self.refund(&mut replayed, fact, minor, suspended),
                // A cancelled order is refunded whole: what earlier refunds have left of it.
                What::Fulfilment(_) => self.refund(&mut replayed, fact, self.order.amount_minor, false),
                What::PayOut { minor } => self.pay_out(&mut replayed, fact, minor),
                _ => {}
            }
        }
        replayed
    }

    /// Every instalment's fee at the end of a day.
    pub fn fees(&self, slots: &[Slot], day: NaiveDate) -> Vec<Fee> {
        let mut waivers: i64 = self
            .facts
            .iter()
            .map(|fact| match fact.what {
                What::Waiver { minor } if fact.effective_on <= day => minor,
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
                held: self.held,
            })
        })
    }

    /// Oldest due instalment first, those without a due date last; in each the fee owed at the end of the day
    /// before, then principal, or the other way round. What is left over becomes customer credit.
    fn pay(&self, replayed: &mut Replayed, fact: &Fact, minor: i64, suspended: bool) {
        let from = if suspended { Account::Suspense } else { Account::CashClearing };
        let fees = self.fees(&replayed.slots, plus(fact.effective_on, -1));
        let mut oldest_first: Vec<usize> = (0..replayed.slots.len()).collect();
        oldest_first.sort_by_key(|&i| (replayed.slots[i].due.due_on.unwrap_or(NaiveDate::MAX), i));
        let mut left = minor;
        for i in oldest_first {
            let slot = &mut replayed.slots[i];
            let mut to_fee = (fees[i].net() - slot.fee_paid).max(0);
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
            slot.paid += to_principal;
            slot.principal.take(fact.effective_on, to_principal);
            left -= to_fee + to_principal;
            let instalment = slot.due.instalment;
            replayed.declare(Kind::Payment, instalment, from, Account::ReceivableLateFee, to_fee, fact);
            replayed.declare(Kind::Payment, instalment, from, Account::ReceivablePrincipal, to_principal, fact);
        }
        replayed.credit += left;
        replayed.declare(Kind::Payment, 0, from, Account::CustomerCredit, left, fact);
    }

    /// Principal first, latest instalment first; beyond what is left it gives back what was paid. Never more than was
    /// ordered: a cancellation that happened before this refund, but came to light after it, has left nothing of it.
    fn refund(&self, replayed: &mut Replayed, fact: &Fact, minor: i64, suspended: bool) {
        let from = if suspended { Account::Suspense } else { Account::MerchantPayable };
        let refunded = minor.min(self.order.amount_minor - replayed.refunded);
        let mut left = refunded;
        for i in (0..replayed.slots.len()).rev() {
            let slot = &mut replayed.slots[i];
            let taken = slot.principal.now().min(left);
            slot.refunded += taken;
            slot.principal.take(fact.effective_on, taken);
            left -= taken;
            let instalment = slot.due.instalment;
            replayed.declare(Kind::Refund, instalment, from, Account::ReceivablePrincipal, taken, fact);
        }
        replayed.refunded += refunded;
        replayed.credit += left;
        replayed.declare(Kind::Refund, 0, from, Account::CustomerCredit, left, fact);
        if suspended {
            replayed.declare(Kind::Refund, 0, from, Account::MerchantPayable, minor - refunded, fact);
        }
    }

    /// From credit first, then from fees that were paid: those not owed any more, and then those that late news or more
    /// days past due make owed again. A fee that went back to the customer is not paid any more: if it is owed, it is
    /// open. What late news turned from credit into principal stays overdrawn, for finance to see.
    fn pay_out(&self, replayed: &mut Replayed, fact: &Fact, minor: i64) {
        let fees = self.fees(&replayed.slots, plus(fact.effective_on, -1));
        let mut left = minor - replayed.credit.clamp(0, minor);
        let mut given_back = vec![0; fees.len()];
        for is_owed in [false, true] {
            for (i, slot) in replayed.slots.iter_mut().enumerate() {
                let kept = if is_owed { 0 } else { fees[i].net() };
                let back = (slot.fee_paid - kept).clamp(0, left);
                slot.fee_paid -= back;
                given_back[i] += back;
                left -= back;
            }
        }
        for (i, back) in given_back.iter().enumerate() {
            let (instalment, fee) = (replayed.slots[i].due.instalment, Account::ReceivableLateFee);
            replayed.declare(Kind::FeeReturned, instalment, fee, Account::CustomerCredit, *back, fact);
        }
        replayed.credit -= minor - given_back.iter().sum::<i64>();
        replayed.declare(Kind::PayOut, 0, Account::CustomerCredit, Account::CashClearing, minor, fact);
    }
}

impl Replayed {
    fn declare(&mut self, kind: Kind, instalment: i64, debit: Account, credit: Account, minor: i64, fact: &Fact) {
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

fn moves_money(fact: &Fact) -> bool {
    let cancelled = fact.what == What::Fulfilment(Event::Cancelled);
    cancelled || matches!(fact.what, What::Payment { .. } | What::Refund { .. } | What::PayOut { .. })
}
