//! The state of an order's money during a replay: each instalment so far, and the movements that follow.

use chrono::NaiveDate;

use crate::domain::decide::due::Due;
use crate::domain::decide::holds::HeldDays;
use crate::domain::decide::principal::Principal;
use crate::domain::facts::fact::Fact;
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Declared, EntryKind, Movement};
use crate::domain::terms::policy::Terms;

/// The input of a replay.
pub struct Replay<'a> {
    pub order: &'a Order,
    pub terms: &'a Terms,
    /// The facts effective by the day in question.
    pub facts: &'a [&'a Fact],
    /// Days covered by holds with effect `fees`.
    pub held: &'a HeldDays,
}

/// An instalment while the order's money is replayed.
#[derive(Debug, Clone)]
pub struct InstalmentState {
    pub due: Due,
    /// The part of the price that the customer owes, whether it is in the books or written off.
    pub principal: Principal,
    /// Principal that was paid and not given back, and all refunds.
    pub paid: i64,
    pub refunded: i64,
    pub fee_paid: i64,
    pub written_off: Option<WriteOff>,
    /// Principal paid after the write-off.
    pub recovered: i64,
}

impl InstalmentState {
    /// The account of the principal: written-off principal is a loss.
    pub(super) fn receivable(&self) -> Account {
        if self.written_off.is_some() { Account::ExpensesBadDebt } else { Account::ReceivablePrincipal }
    }
}

/// The day on which an instalment was written off, and the principal left then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOff {
    pub on: NaiveDate,
    pub minor: i64,
}

/// An order's money after all its facts took effect.
pub struct ReplayResult {
    pub instalments: Vec<InstalmentState>,
    pub movements: Vec<Declared>,
    /// Refunds and cancellations together, whether they reduced principal or gave back payments.
    pub refunded: i64,
    /// Customer credit so far, without paid fees that are no longer owed: those are known only at the end.
    pub(super) credit: i64,
}

impl ReplayResult {
    pub(super) fn new(schedule: Vec<Due>) -> ReplayResult {
        let instalments = schedule.into_iter().map(|due| InstalmentState {
            principal: Principal::new(due.minor),
            due,
            paid: 0,
            refunded: 0,
            fee_paid: 0,
            written_off: None,
            recovered: 0,
        });
        ReplayResult { instalments: instalments.collect(), movements: Vec::with_capacity(8), refunded: 0, credit: 0 }
    }

    /// Indexes of the instalments in the order in which payments reach them.
    pub(super) fn oldest_first(&self) -> Vec<usize> {
        let mut oldest_first: Vec<usize> = (0..self.instalments.len()).collect();
        oldest_first.sort_by_key(|&i| (self.instalments[i].due.due_on.unwrap_or(NaiveDate::MAX), i));
        oldest_first
    }

    /// Declares a movement that a fact makes.
    pub(super) fn declare(
        &mut self,
        kind: EntryKind,
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

    /// Declares a movement that a rule makes, not a fact.
    pub fn declare_rule(
        &mut self,
        kind: EntryKind,
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

/// Takes as much of `left` as `there` has, and returns that amount.
pub(super) fn take(there: &mut i64, left: &mut i64) -> i64 {
    let part = (*there).min(*left);
    *there -= part;
    *left -= part;
    part
}
