//! What becomes of an order whose payment is taken back, and of one that nobody pays: chargebacks and write-offs, as a
//! part of replaying its money.

use chrono::NaiveDate;

use super::allocation::{Ledger, Replayed, Slot, WriteOff};
use super::calendar::days_between;
use super::journal::{Account, Kind};
use super::order::Fact;
use super::policy::Allocation;

impl Ledger<'_> {
    /// Undoes what payments do, last things first: the customer's credit, then the instalment due last, and in each
    /// principal before the late fee, or the other way round. What it takes from principal is owed again from that day on.
    pub(super) fn take_back(&self, replayed: &mut Replayed, fact: &Fact, minor: i64, suspended: bool) {
        let to = if suspended { Account::Suspense } else { Account::CashClearing };
        let mut left = minor;
        // What is there of the customer's credit: some may have been paid out.
        let credit = replayed.credit.max(0);
        let refunds = replayed.given_back.min(credit);
        let too_much = take(&mut (credit - refunds), &mut left);
        // What a refund gave back was refunded all the same; it only was never paid, and so nothing was recovered.
        let given_back = left.min(refunds);
        let mut refunded = given_back;
        for i in (0..replayed.slots.len()).rev() {
            let slot = &mut replayed.slots[i];
            let recovered = take(&mut slot.recovered, &mut refunded);
            slot.refunded += recovered + take(&mut slot.paid, &mut refunded);
            let (instalment, recovery) = (slot.due.instalment, Account::IncomeRecovery);
            replayed.declare(Kind::Chargeback, instalment, recovery, Account::ExpensesBadDebt, recovered, fact);
        }
        replayed.given_back -= given_back;
        left -= given_back;
        for i in replayed.oldest_first().into_iter().rev() {
            let slot = &mut replayed.slots[i];
            let recovered = take(&mut slot.recovered, &mut left);
            let (paid, fee) = match self.terms.allocation {
                Allocation::FeeFirst => {
                    let paid = take(&mut slot.paid, &mut left);
                    (paid, take(&mut slot.fee_paid, &mut left))
                }
                Allocation::PrincipalFirst => {
                    let fee = take(&mut slot.fee_paid, &mut left);
                    (take(&mut slot.paid, &mut left), fee)
                }
            };
            slot.principal.put_back(fact.effective_on, recovered + paid);
            let (instalment, receivable) = (slot.due.instalment, slot.receivable());
            replayed.declare(Kind::Chargeback, instalment, Account::IncomeRecovery, to, recovered, fact);
            replayed.declare(Kind::Chargeback, instalment, receivable, to, paid, fact);
            replayed.declare(Kind::Chargeback, instalment, Account::ReceivableLateFee, to, fee, fact);
        }
        // Only what was paid out as credit can be missing now. The credit is overdrawn by it, for finance to see.
        let from_credit = too_much + given_back + left;
        replayed.credit -= from_credit;
        replayed.declare(Kind::Chargeback, 0, Account::CustomerCredit, to, from_credit, fact);
    }

    /// Writes off the instalments that have been past due for as many days as the policy says by the end of `day`.
    pub(super) fn write_off(&self, slots: &mut [Slot], day: NaiveDate) {
        let Some(after) = self.terms.write_off_after else { return };
        for slot in slots.iter_mut().filter(|slot| slot.written_off.is_none()) {
            let long_ago = slot.due.due_on.filter(|due_on| days_between(*due_on, day) >= after);
            let comes_on = long_ago.and_then(|due_on| slot.principal.nth_day_past_due(due_on, after));
            if let Some(on) = comes_on.filter(|on| *on <= day) {
                slot.written_off = Some(WriteOff { on, minor: slot.principal.left(on) });
            }
        }
    }
}

/// Takes as much as is there, and says how much that was.
fn take(there: &mut i64, left: &mut i64) -> i64 {
    let part = (*there).min(*left);
    *there -= part;
    *left -= part;
    part
}
