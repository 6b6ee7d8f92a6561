//! What becomes of an order whose payment is taken back, and of one that nobody pays: chargebacks and write-offs, as a
//! part of replaying its money.

use chrono::NaiveDate;

use super::allocation::{Ledger, Replayed, Slot, WriteOff, take};
use super::calendar::{days_between, plus};
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
        let credit = take(&mut replayed.credit.max(0), &mut left);
        replayed.credit -= credit;
        let returned = self.take_returned_fees(replayed, fact, &mut left);
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
        // What is missing now was given back before, as credit or by the provider: the credit is overdrawn by it, for
        // finance to see. Goods that a refund had settled are not owed again.
        replayed.credit -= left;
        let from_credit = credit + returned + left;
        replayed.declare(Kind::Chargeback, 0, Account::CustomerCredit, to, from_credit, fact);
    }

    /// A fee that was paid and is not owed any more is the customer's credit as well. A day's fee falls due at its end,
    /// after the chargeback; a waiver of the day came before it.
    fn take_returned_fees(&self, replayed: &mut Replayed, fact: &Fact, left: &mut i64) -> i64 {
        if *left == 0 || replayed.slots.iter().all(|slot| slot.fee_paid == 0) {
            return 0;
        }
        let owed = self.fees_waived_by(&replayed.slots, plus(fact.effective_on, -1), fact.effective_on);
        let mut returned = 0;
        for (i, owed) in owed.into_iter().enumerate() {
            let slot = &mut replayed.slots[i];
            let back = take(&mut (slot.fee_paid - owed.net()).max(0), left);
            slot.fee_paid -= back;
            returned += back;
            let (instalment, fee) = (slot.due.instalment, Account::ReceivableLateFee);
            replayed.declare(Kind::FeeReturned, instalment, fee, Account::CustomerCredit, back, fact);
        }
        returned
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
