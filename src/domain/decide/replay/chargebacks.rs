//! Chargebacks in the replay of an order's money: a payment is taken back, and its principal is owed again.

use super::state::{Replay, ReplayResult, take};
use crate::domain::calendar::plus;
use crate::domain::facts::fact::Fact;
use crate::domain::journal::{Account, EntryKind};
use crate::domain::terms::policy::Allocation;

impl Replay<'_> {
    /// Reverses payments, the last allocation first: the customer's credit, then the instalment due last, and in each
    /// instalment principal before the late fee, or the other way round. Reversed principal is owed again from that day
    /// on.
    pub(super) fn charge_back(&self, result: &mut ReplayResult, fact: &Fact, minor: i64, suspended: bool) {
        let to = if suspended { Account::Suspense } else { Account::CashClearing };
        let mut left = minor;
        // Only credit that is left: some may have been paid out.
        let credit = take(&mut result.credit.max(0), &mut left);
        result.credit -= credit;
        let returned = self.take_returned_fees(result, fact, &mut left);
        for i in result.oldest_first().into_iter().rev() {
            let state = &mut result.instalments[i];
            let recovered = take(&mut state.recovered, &mut left);
            let (paid, fee) = match self.terms.allocation {
                Allocation::FeeFirst => {
                    let paid = take(&mut state.paid, &mut left);
                    (paid, take(&mut state.fee_paid, &mut left))
                }
                Allocation::PrincipalFirst => {
                    let fee = take(&mut state.fee_paid, &mut left);
                    (take(&mut state.paid, &mut left), fee)
                }
            };
            state.principal.put_back(fact.effective_on, recovered + paid);
            let (instalment, receivable) = (state.due.instalment, state.receivable());
            result.declare(EntryKind::Chargeback, instalment, Account::IncomeRecovery, to, recovered, fact);
            result.declare(EntryKind::Chargeback, instalment, receivable, to, paid, fact);
            result.declare(EntryKind::Chargeback, instalment, Account::ReceivableLateFee, to, fee, fact);
        }
        // The rest was given back before, as credit or by the provider. It overdraws the credit, which finance reviews.
        // Goods that were refunded are not owed again.
        result.credit -= left;
        let from_credit = credit + returned + left;
        result.declare(EntryKind::Chargeback, 0, Account::CustomerCredit, to, from_credit, fact);
    }

    /// Takes paid fees that are no longer owed, which are customer credit as well. A day's fee falls due at its end,
    /// after the chargeback; a waiver of the day comes before the chargeback.
    fn take_returned_fees(&self, result: &mut ReplayResult, fact: &Fact, left: &mut i64) -> i64 {
        if *left == 0 || result.instalments.iter().all(|state| state.fee_paid == 0) {
            return 0;
        }
        let owed = self.fees_waived_by(&result.instalments, plus(fact.effective_on, -1), fact.effective_on);
        let mut returned = 0;
        for (i, owed) in owed.into_iter().enumerate() {
            let state = &mut result.instalments[i];
            let back = take(&mut (state.fee_paid - owed.net()).max(0), left);
            state.fee_paid -= back;
            returned += back;
            let (instalment, fee) = (state.due.instalment, Account::ReceivableLateFee);
            result.declare(EntryKind::FeeReturned, instalment, fee, Account::CustomerCredit, back, fact);
        }
        returned
    }
}
