//! An order's money while its facts are replayed: what became of each instalment so far, and the movements that follow.

use chrono::NaiveDate;

use crate::domain::decide::due::Due;
use crate::domain::decide::holds::HeldDays;
use crate::domain::decide::principal::Principal;
use crate::domain::facts::fact::Fact;
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Declared, Kind, Movement};
use crate::domain::terms::policy::Terms;

/// What a replay works on.
pub struct Replay<'a> {
    pub order: &'a Order,
    pub terms: &'a Terms,
    /// Effective by the day asked about.
    pub facts: &'a [&'a Fact],
    /// Days covered by holds with effect `fees`.
    pub held: &'a HeldDays,
}

/// An instalment while the order's money is replayed.
#[derive(Debug, Clone)]
pub struct InstalmentState {
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

impl InstalmentState {
    /// Where the books have the principal: what was written off is a loss.
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

/// An order's money after all its facts.
pub struct ReplayResult {
    pub instalments: Vec<InstalmentState>,
    pub movements: Vec<Declared>,
    /// Refunds and cancellation together, whether they came off principal or gave back what was paid.
    pub refunded: i64,
    /// Customer credit so far, without fees that were paid and are not owed any more: those are known at the end only.
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

    /// Declares a movement that a rule makes, not a fact.
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
