//! Refunds in the replay of an order's money: how much they take from the principal, and how much of the payments they
//! give back. Money that the provider gave back itself has left its cash and is never customer credit.

use super::state::{Replay, ReplayResult, take};
use crate::domain::facts::fact::{Fact, What};
use crate::domain::journal::{Account, EntryKind};
use crate::domain::money::rated;

impl Replay<'_> {
    /// Refunds principal first, latest instalment first. Beyond the principal that is left, gives back what was paid.
    /// Never refunds more than was ordered: a cancellation that took effect before this refund, but became known after
    /// it, leaves nothing to refund.
    pub(super) fn refund(&self, result: &mut ReplayResult, fact: &Fact, minor: i64, suspended: bool) {
        if self.is_given_back(fact) {
            return self.give_back(result, fact, minor, suspended);
        }
        let from = source_account(suspended);
        let refunded = minor.min(self.order.amount_minor - result.refunded);
        let mut left = refunded;
        result.refund_principal(fact, from, &mut left);
        let credit = left;
        for i in (0..result.instalments.len()).rev() {
            result.refund_paid(i, fact, &mut left);
        }
        result.credit += credit;
        result.declare(EntryKind::Refund, 0, from, Account::CustomerCredit, credit, fact);
        self.refunded(result, fact, (minor, refunded), suspended);
    }

    /// Whether the provider reports that it gave back a refund itself.
    fn is_given_back(&self, fact: &Fact) -> bool {
        let is_word = |other: &&&Fact| other.what == What::GivenBack && other.id == fact.id;
        matches!(fact.what, What::Refund { .. }) && self.facts.iter().any(|other| is_word(&other))
    }

    /// Books a refund that the customer already has. It pays out the available credit, from an earlier refund or from
    /// an overpayment; then it gives back what was paid, latest instalment first. An amount beyond the known payments
    /// reduces the principal, and overdraws the credit until the payment is known.
    fn give_back(&self, result: &mut ReplayResult, fact: &Fact, minor: i64, suspended: bool) {
        let from = source_account(suspended);
        let from_credit = result.credit.clamp(0, minor);
        let refunded = (minor - from_credit).min(self.order.amount_minor - result.refunded);
        let mut left = refunded;
        for i in (0..result.instalments.len()).rev() {
            let given_back = result.refund_paid(i, fact, &mut left);
            let instalment = result.instalments[i].due.instalment;
            result.declare(EntryKind::Refund, instalment, from, Account::CashClearing, given_back, fact);
        }
        let never_paid = left;
        result.refund_principal(fact, from, &mut left);
        let out_of_credit = minor - refunded + never_paid;
        result.credit -= out_of_credit;
        result.declare(EntryKind::Refund, 0, Account::CustomerCredit, Account::CashClearing, out_of_credit, fact);
        self.refunded(result, fact, (minor, refunded), suspended);
    }

    /// Books the parts that all refunds share: the service fee is reduced, and all of a row's money leaves suspense.
    fn refunded(&self, result: &mut ReplayResult, fact: &Fact, (minor, refunded): (i64, i64), suspended: bool) {
        let fee = |refunded: i64| rated((self.order.amount_minor - refunded).max(0), self.terms.service_fee);
        let returned = fee(result.refunded) - fee(result.refunded + refunded);
        result.refunded += refunded;
        let (income, payable) = (Account::IncomeServiceFee, Account::MerchantPayable);
        result.declare(EntryKind::ServiceFee, 0, income, payable, returned, fact);
        if suspended {
            result.declare(EntryKind::Refund, 0, Account::Suspense, payable, minor - refunded, fact);
        }
    }
}

impl ReplayResult {
    /// Subtracts a refund from the principal that is left, latest instalment first.
    fn refund_principal(&mut self, fact: &Fact, from: Account, left: &mut i64) {
        for i in (0..self.instalments.len()).rev() {
            let state = &mut self.instalments[i];
            let taken = state.principal.now().min(*left);
            state.refunded += taken;
            state.principal.take(fact.effective_on, taken);
            *left -= taken;
            let (instalment, off) = (state.due.instalment, state.receivable());
            self.declare(EntryKind::Refund, instalment, from, off, taken, fact);
        }
    }

    /// Turns the paid part of an instalment into a refund, and returns that amount. If the recovered part of a loss is
    /// refunded, that part was no loss.
    fn refund_paid(&mut self, i: usize, fact: &Fact, left: &mut i64) -> i64 {
        let state = &mut self.instalments[i];
        let recovered = take(&mut state.recovered, left);
        let paid = take(&mut state.paid, left);
        state.refunded += recovered + paid;
        let instalment = state.due.instalment;
        self.declare(EntryKind::Refund, instalment, Account::IncomeRecovery, Account::ExpensesBadDebt, recovered, fact);
        recovered + paid
    }
}

/// The account that a refund is taken from: the merchant bears it, unless it was booked in suspense.
fn source_account(suspended: bool) -> Account {
    if suspended { Account::Suspense } else { Account::MerchantPayable }
}
