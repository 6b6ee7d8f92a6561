//! Every movement of money: from one account to another, so that it balances by construction.
//!
//! Decisions declare what the movements of an order should be in total; [`difference`] says which entries the
//! books still need. Entries are never changed: a wrong one is reversed by another.

use chrono::NaiveDate;

use super::facts::correction::Correction;
use super::facts::source::Source;

/// The accounts of the books. The numbers are what the store keeps; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Account {
    ReceivablePrincipal = 1,
    ReceivableLateFee = 2,
    CashClearing = 3,
    MerchantPayable = 4,
    CustomerCredit = 5,
    Suspense = 6,
    IncomeServiceFee = 7,
    IncomeLateFee = 8,
    IncomeRecovery = 9,
    ExpensesBadDebt = 10,
}

impl Account {
    pub const ALL: [Account; 10] = [
        Account::ReceivablePrincipal,
        Account::ReceivableLateFee,
        Account::CashClearing,
        Account::MerchantPayable,
        Account::CustomerCredit,
        Account::Suspense,
        Account::IncomeServiceFee,
        Account::IncomeLateFee,
        Account::IncomeRecovery,
        Account::ExpensesBadDebt,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Account::ReceivablePrincipal => "assets:receivable:principal",
            Account::ReceivableLateFee => "assets:receivable:late-fee",
            Account::CashClearing => "assets:cash-clearing",
            Account::MerchantPayable => "liabilities:merchant-payable",
            Account::CustomerCredit => "liabilities:customer-credit",
            Account::Suspense => "liabilities:suspense",
            Account::IncomeServiceFee => "income:service-fee",
            Account::IncomeLateFee => "income:late-fee",
            Account::IncomeRecovery => "income:recovery",
            Account::ExpensesBadDebt => "expenses:bad-debt",
        }
    }

    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Account> {
        Account::ALL.into_iter().find(|account| account.code() == code)
    }
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    Order,
    ServiceFee,
    Payment,
    Refund,
    /// A payment that was taken back.
    Chargeback,
    LateFee,
    Waiver,
    /// A fee that was paid and is not owed any more becomes customer credit.
    FeeReturned,
    /// Given up after so many days past due.
    WriteOff,
    /// Paid after it was written off.
    Recovery,
    /// Money that names no order known here.
    Suspense,
    /// Customer credit that left for the customer's bank.
    PayOut,
}

impl EntryKind {
    pub const ALL: [EntryKind; 12] = [
        EntryKind::Order,
        EntryKind::ServiceFee,
        EntryKind::Payment,
        EntryKind::Refund,
        EntryKind::Chargeback,
        EntryKind::LateFee,
        EntryKind::Waiver,
        EntryKind::FeeReturned,
        EntryKind::WriteOff,
        EntryKind::Recovery,
        EntryKind::Suspense,
        EntryKind::PayOut,
    ];

    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Order => "order",
            EntryKind::ServiceFee => "service_fee",
            EntryKind::Payment => "payment",
            EntryKind::Refund => "refund",
            EntryKind::Chargeback => "chargeback",
            EntryKind::LateFee => "late_fee",
            EntryKind::Waiver => "waiver",
            EntryKind::FeeReturned => "fee_returned",
            EntryKind::WriteOff => "write_off",
            EntryKind::Recovery => "recovery",
            EntryKind::Suspense => "suspense",
            EntryKind::PayOut => "pay_out",
        }
    }

    pub fn parse(text: &str) -> Option<EntryKind> {
        EntryKind::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// What a movement is: everything but its amount. An order has at most one of each in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Movement {
    pub kind: EntryKind,
    /// 0 when it concerns the order as a whole.
    pub instalment: i64,
    pub debit: Account,
    pub credit: Account,
    /// The key of the payment, refund, chargeback or cancellation behind it; empty when a rule is.
    pub cause: String,
}

/// A movement that should be in the books, in total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub movement: Movement,
    pub minor: i64,
    pub effective_on: NaiveDate,
    pub source: Source,
}

/// A movement as the books have it, in total: what was posted less what was posted back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub movement: Movement,
    pub minor: i64,
    pub effective_on: NaiveDate,
    pub source: Source,
}

/// One row to add to the journal; the amount is positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub movement: Movement,
    pub minor: i64,
    pub effective_on: NaiveDate,
    pub source: Source,
    pub reason: Reason,
}

/// Why an entry was posted on its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The first time this movement is booked.
    New,
    /// A late fee that grew with time.
    Accrued,
    /// A fact that arrived late, or a correction, changed what should have been booked.
    Corrected,
}

impl Reason {
    pub const ALL: [Reason; 3] = [Reason::New, Reason::Accrued, Reason::Corrected];

    pub fn name(self) -> &'static str {
        match self {
            Reason::New => "new",
            Reason::Accrued => "accrued",
            Reason::Corrected => "corrected",
        }
    }

    pub fn parse(text: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == text)
    }
}

impl Movement {
    /// What an amount of `other` counts for towards this movement: as it is, taken off if it was posted the other way
    /// round, and nothing if it is another movement.
    fn sign_of(&self, other: &Movement) -> i64 {
        if (self.kind, self.instalment, &self.cause) != (other.kind, other.instalment, &other.cause) {
            return 0;
        }
        match (other.debit, other.credit) {
            same if same == (self.debit, self.credit) => 1,
            reversed if reversed == (self.credit, self.debit) => -1,
            _ => 0,
        }
    }

    fn reversed(&self) -> Movement {
        Movement { debit: self.credit, credit: self.debit, ..self.clone() }
    }
}

/// The entries that take the books from what is recorded to what is declared. No difference, no entries.
pub fn difference(declared: &[Declared], recorded: &[Recorded]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for should in declared {
        let before = booked(&should.movement, recorded);
        let minor = should.minor - before;
        let reason = match (before, minor) {
            (0, _) => Reason::New,
            (_, 1..) if should.movement.kind == EntryKind::LateFee => Reason::Accrued,
            _ => Reason::Corrected,
        };
        push(&mut entries, &should.movement, minor, should.effective_on, should.source, reason);
    }
    for (i, row) in recorded.iter().enumerate() {
        let is_same = |movement: &Movement| row.movement.sign_of(movement) != 0;
        let done = recorded[..i].iter().any(|earlier| is_same(&earlier.movement));
        if done || declared.iter().any(|should| is_same(&should.movement)) {
            continue;
        }
        let minor = -booked(&row.movement, recorded);
        push(&mut entries, &row.movement, minor, row.effective_on, row.source, Reason::Corrected);
    }
    entries
}

/// What the books have of a movement: what was posted less what was posted back.
pub fn booked(movement: &Movement, recorded: &[Recorded]) -> i64 {
    recorded.iter().map(|row| movement.sign_of(&row.movement) * row.minor).sum()
}

fn push(
    entries: &mut Vec<Entry>,
    movement: &Movement,
    minor: i64,
    effective_on: NaiveDate,
    source: Source,
    reason: Reason,
) {
    let movement = match minor {
        0 => return,
        1.. => movement.clone(),
        ..0 => movement.reversed(),
    };
    entries.push(Entry { movement, minor: minor.abs(), effective_on, source, reason });
}

/// Names the correction of a fact as the source of the entries that it causes.
pub fn name_corrections(entries: &mut [Entry], corrections: &[Correction]) {
    for entry in entries.iter_mut().filter(|entry| entry.reason == Reason::Corrected) {
        let cause = &entry.movement.cause;
        let about = corrections.iter().filter(|correction| !cause.is_empty() && correction.fact_id == *cause);
        if let Some(latest) = about.max_by_key(|correction| correction.booked_on) {
            entry.source = latest.source;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fee(minor: i64) -> Declared {
        Declared {
            movement: Movement {
                kind: EntryKind::LateFee,
                instalment: 1,
                debit: Account::ReceivableLateFee,
                credit: Account::IncomeLateFee,
                cause: String::new(),
            },
            minor,
            effective_on: "2026-03-20".parse().unwrap(),
            source: Source::default(),
        }
    }

    fn as_booked(entries: &[Entry]) -> Vec<Recorded> {
        let of = |entry: &Entry| Recorded {
            movement: entry.movement.clone(),
            minor: entry.minor,
            effective_on: entry.effective_on,
            source: entry.source,
        };
        entries.iter().map(of).collect()
    }

    fn paid(debit: Account, credit: Account, minor: i64) -> Declared {
        let movement = Movement { kind: EntryKind::Payment, instalment: 1, debit, credit, cause: "P1".into() };
        Declared { movement, ..fee(minor) }
    }

    #[test]
    fn movements_of_one_payment_are_told_apart_by_their_accounts() {
        let principal = paid(Account::CashClearing, Account::ReceivablePrincipal, 100);
        let late_fee = paid(Account::CashClearing, Account::ReceivableLateFee, 5);
        let first = difference(&[principal.clone(), late_fee.clone()], &[]);
        assert_eq!(first.iter().map(|entry| entry.minor).collect::<Vec<_>>(), [100, 5]);
        assert_eq!(difference(&[principal.clone(), late_fee], &as_booked(&first)), []);

        // The fee goes away, and the principal takes what went to it.
        let more = Declared { minor: 105, ..principal };
        let moved = difference(std::slice::from_ref(&more), &as_booked(&first));
        let (grown, back) = (&moved[0], &moved[1]);
        assert_eq!((grown.minor, grown.movement == more.movement, grown.reason), (5, true, Reason::Corrected));
        assert_eq!((back.minor, back.movement.debit), (5, Account::ReceivableLateFee));
        assert_eq!((back.movement.credit, back.reason), (Account::CashClearing, Reason::Corrected));
    }

    #[test]
    fn reasons_as_the_detail_report_has_them() {
        let names = [Reason::New, Reason::Accrued, Reason::Corrected].map(Reason::name);
        assert_eq!(names, ["new", "accrued", "corrected"]);
    }

    #[test]
    fn only_the_difference_is_posted() {
        let first = difference(&[fee(10)], &[]);
        assert_eq!((first[0].minor, first[0].reason), (10, Reason::New));
        assert_eq!(difference(&[fee(10)], &as_booked(&first)), []);

        let second = difference(&[fee(15)], &as_booked(&first));
        assert_eq!((second[0].minor, second[0].reason), (5, Reason::Accrued));

        let all = [first, second].concat();
        let back = difference(&[fee(0)], &as_booked(&all));
        assert_eq!((back[0].minor, back[0].movement.debit), (15, Account::IncomeLateFee));
        assert_eq!(back[0].reason, Reason::Corrected);

        // Not declared any more at all is the same as declared with nothing.
        assert_eq!(difference(&[], &as_booked(&all)), back);
        assert_eq!(difference(&[], &as_booked(&[all, back].concat())), []);
    }
}
