//! Movements of money in words. The story summarises late fees elsewhere: one line for each day would be too long.

use super::words::reason;
use crate::domain::journal::{Account, EntryKind, Movement, Reason};
use crate::store::journal::JournalRow;

/// Returns a journal entry in words, or `None` if the entry adds nothing new to the story.
pub fn words(row: &JournalRow) -> Option<String> {
    let amount = format!("{} {}", row.currency.plain(row.minor), row.currency);
    let cause = &row.movement.cause;
    let (about, usual) = about(&row.movement);
    let what = match row.movement.kind {
        EntryKind::Order | EntryKind::ServiceFee | EntryKind::LateFee => return None,
        // The entry moves an amount between recovery and bad debt. The customer owes the same.
        EntryKind::Chargeback | EntryKind::Refund if is_reclassified(&row.movement) => return None,
        EntryKind::Refund if is_cash(&row.movement) => {
            let credit = [row.movement.debit, row.movement.credit].contains(&Account::CustomerCredit);
            let of = if credit { " of the customer's credit" } else { "" };
            format!("with refund {cause}, the provider gave {amount}{of} back itself")
        }
        EntryKind::Payment => format!("of payment {cause}, {amount} goes to {}", place(about)),
        EntryKind::Refund if row.source.is_empty() => {
            let goes = if about == Account::CustomerCredit { "goes to" } else { "comes off" };
            format!("cancelled by the policy, as no fulfilment was reported: {amount} {goes} {}", place(about))
        }
        EntryKind::Refund if about == Account::CustomerCredit => {
            format!("of refund {cause}, {amount} goes to {}", place(about))
        }
        EntryKind::Refund => format!("of refund {cause}, {amount} comes off {}", place(about)),
        EntryKind::Chargeback => match about {
            Account::ReceivablePrincipal | Account::ReceivableLateFee => {
                format!("by chargeback {cause}, {amount} of {} is owed again", place(about))
            }
            Account::ExpensesBadDebt => format!("chargeback {cause} adds {amount} to what was written off"),
            Account::IncomeRecovery => format!("chargeback {cause} takes back {amount} paid after the write-off"),
            _ => format!("chargeback {cause} takes {amount} from {}", place(about)),
        },
        EntryKind::Waiver => format!("{amount} of the late fee is waived"),
        EntryKind::FeeReturned if !cause.is_empty() => {
            format!("{amount} that had been paid as late fee went back to the customer with {cause}")
        }
        EntryKind::FeeReturned => {
            format!("{amount} paid as late fee is not owed any more and becomes the customer's credit")
        }
        EntryKind::WriteOff if !usual => {
            let what = if about == Account::ExpensesBadDebt { "the price" } else { "late fee" };
            return Some(format!("{amount} of {what} is not written off after all ({})", reason(row.reason)));
        }
        EntryKind::WriteOff if about == Account::ExpensesBadDebt => {
            format!("{amount} of the price is written off: the customer still owes it, but gets no more mails")
        }
        EntryKind::WriteOff => format!("{amount} of late fee is written off with it"),
        EntryKind::Recovery => format!("of payment {cause}, {amount} pays what was written off"),
        EntryKind::PayOut => format!("{amount} of the customer's credit is paid out, {cause}"),
        // A pending row goes into suspense with the reason `new`, and leaves it with another reason.
        EntryKind::Suspense => format!("{amount} of {cause} is in suspense"),
    };
    let usual = if row.movement.kind == EntryKind::Suspense { row.reason == Reason::New } else { usual };
    let way = if usual { "" } else { "taken back: " };
    let why = if row.reason == Reason::Corrected { format!(" ({})", reason(row.reason)) } else { String::new() };
    Some(format!("{way}{what}{why}"))
}

/// Returns the account that a movement is about, and whether it was posted in the usual direction. In the other
/// direction, the movement reverses an earlier one.
fn about(movement: &Movement) -> (Account, bool) {
    let Movement { kind, debit, credit, .. } = *movement;
    let (one, other) = match kind {
        // `one` is the outside account: the debit side when money comes in, the credit side when money goes out.
        EntryKind::Chargeback | EntryKind::PayOut => (credit, debit),
        EntryKind::Refund if is_cash(movement) => (credit, debit),
        EntryKind::Order
        | EntryKind::ServiceFee
        | EntryKind::Payment
        | EntryKind::Refund
        | EntryKind::LateFee
        | EntryKind::Waiver
        | EntryKind::FeeReturned
        | EntryKind::WriteOff
        | EntryKind::Recovery
        | EntryKind::Suspense => (debit, credit),
    };
    let usual = match kind {
        EntryKind::Waiver => debit == Account::IncomeLateFee,
        EntryKind::FeeReturned => debit == Account::ReceivableLateFee,
        EntryKind::WriteOff => matches!(credit, Account::ReceivablePrincipal | Account::ReceivableLateFee),
        EntryKind::Order
        | EntryKind::ServiceFee
        | EntryKind::Payment
        | EntryKind::Refund
        | EntryKind::Chargeback
        | EntryKind::LateFee
        | EntryKind::Recovery
        | EntryKind::Suspense
        | EntryKind::PayOut => is_outside(one),
    };
    let about = match (kind == EntryKind::WriteOff, usual) {
        // A write-off is about the account in which the loss is booked.
        (true, true) => debit,
        (true, false) => credit,
        (false, true) => other,
        (false, false) => one,
    };
    (about, usual)
}

fn is_reclassified(movement: &Movement) -> bool {
    let accounts = [movement.debit, movement.credit];
    [Account::IncomeRecovery, Account::ExpensesBadDebt].iter().all(|account| accounts.contains(account))
}

fn is_cash(movement: &Movement) -> bool {
    [movement.debit, movement.credit].contains(&Account::CashClearing)
}

fn is_outside(account: Account) -> bool {
    matches!(account, Account::CashClearing | Account::MerchantPayable | Account::Suspense)
}

fn place(account: Account) -> &'static str {
    match account {
        Account::ReceivablePrincipal => "the price",
        Account::ReceivableLateFee => "the late fee",
        Account::CustomerCredit => "the customer's credit, to be paid out",
        Account::ExpensesBadDebt => "what was written off",
        other => other.name(),
    }
}
