//! Payments and pay-outs in the replay of an order's money: which instalment, fee or credit each amount goes to.

use super::state::{Replay, ReplayResult};
use crate::domain::calendar::plus;
use crate::domain::facts::fact::Fact;
use crate::domain::journal::{Account, EntryKind};
use crate::domain::terms::policy::Allocation;

impl Replay<'_> {
    /// Allocates a payment to the oldest due instalment first, and to those without a due date last. Within an
    /// instalment, it pays the fee owed at the end of the day before, then principal, or the other way round. The rest
    /// is customer credit.
    pub(super) fn pay(&self, result: &mut ReplayResult, fact: &Fact, minor: i64, suspended: bool) {
        let from = if suspended { Account::Suspense } else { Account::CashClearing };
        let day_before = plus(fact.effective_on, -1);
        let fees = self.fees(&result.instalments, day_before);
        let mut left = minor;
        for i in result.oldest_first() {
            let state = &mut result.instalments[i];
            let written_off = state.written_off.is_some();
            // The write-off of the principal gave up the fee as well.
            let mut to_fee = if written_off { 0 } else { (fees[i].net() - state.fee_paid).max(0) };
            let mut to_principal = state.principal.now();
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
            state.fee_paid += to_fee;
            *(if written_off { &mut state.recovered } else { &mut state.paid }) += to_principal;
            state.principal.take(fact.effective_on, to_principal);
            left -= to_fee + to_principal;
            let instalment = state.due.instalment;
            let (kind, account) = if written_off {
                (EntryKind::Recovery, Account::IncomeRecovery)
            } else {
                (EntryKind::Payment, Account::ReceivablePrincipal)
            };
            result.declare(EntryKind::Payment, instalment, from, Account::ReceivableLateFee, to_fee, fact);
            result.declare(kind, instalment, from, account, to_principal, fact);
        }
        result.credit += left;
        result.declare(EntryKind::Payment, 0, from, Account::CustomerCredit, left, fact);
    }

    /// Pays out credit first, then paid fees, earlier instalments first. A waiver uses the same order, so fees that are
    /// no longer owed come first. A fee returned to the customer is no longer paid: it is open if late facts or more
    /// days past due make it owed again. If late facts turned credit into principal, the credit stays overdrawn, which
    /// finance reviews.
    pub(super) fn pay_out(&self, result: &mut ReplayResult, fact: &Fact, minor: i64) {
        let from_credit = result.credit.clamp(0, minor);
        let mut left = minor - from_credit;
        for i in 0..result.instalments.len() {
            let state = &mut result.instalments[i];
            let back = state.fee_paid.min(left);
            state.fee_paid -= back;
            left -= back;
            let (instalment, fee) = (state.due.instalment, Account::ReceivableLateFee);
            result.declare(EntryKind::FeeReturned, instalment, fee, Account::CustomerCredit, back, fact);
        }
        result.credit -= from_credit + left;
        result.declare(EntryKind::PayOut, 0, Account::CustomerCredit, Account::CashClearing, minor, fact);
    }
}
