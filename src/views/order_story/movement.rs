//! Movements of money in words. The story summarises late fees elsewhere: one line for each day would be too long.

use super::words::reason;
use crate::domain::journal::{Account, Kind, Movement};
use crate::store::journal::JournalRow;

/// Returns a journal entry in words, or `None` if the entry adds nothing new to the story.
pub fn words(row: &JournalRow) -> Option<String> {
    let amount = format!("{} {}", row.currency.plain(row.minor), row.currency);
    let cause = &row.movement.cause;
    let (about, usual) = about(&row.movement);
    let what = match row.movement.kind {
        Kind::Order | Kind::ServiceFee | Kind::LateFee => return None,
        // The entry moves an amount between recovery and bad debt. The customer owes the same.
        Kind::Chargeback | Kind::Refund if is_reclassified(&row.movement) => return None,
        Kind::Refund if is_cash(&row.movement) => {
            let credit = [row.movement.debit, row.movement.credit].contains(&Account::CustomerCredit);
            let of = if credit { " of the customer's credit" } else { "" };
            format!("with refund {cause}, the provider gave {amount}{of} back itself")
        }
        Kind::Payment => format!("of payment {cause}, {amount} goes to {}", place(about)),
        Kind::Refund if row.source.is_empty() => {
            let goes = if about == Account::CustomerCredit { "goes to" } else { "comes off" };
            format!("cancelled by the policy, as no fulfilment was reported: {amount} {goes} {}", place(about))
        }
        Kind::Refund if about == Account::CustomerCredit => {
            format!("of refund {cause}, {amount} goes to {}", place(about))
        }
        Kind::Refund => format!("of refund {cause}, {amount} comes off {}", place(about)),
        Kind::Chargeback => match about {
            Account::ReceivablePrincipal | Account::ReceivableLateFee => {
                format!("by chargeback {cause}, {amount} of {} is owed again", place(about))
            }
            Account::ExpensesBadDebt => format!("chargeback {cause} adds {amount} to what was written off"),
            Account::IncomeRecovery => format!("chargeback {cause} takes back {amount} paid after the write-off"),
            _ => format!("chargeback {cause} takes {amount} from {}", place(about)),
        },
        Kind::Waiver => format!("{amount} of the late fee is waived"),
        Kind::FeeReturned if !cause.is_empty() => {
            format!("{amount} that had been paid as late fee went back to the customer with {cause}")
        }
        Kind::FeeReturned => {
            format!("{amount} paid as late fee is not owed any more and becomes the customer's credit")
        }
        Kind::WriteOff if !usual => {
            let what = if about == Account::ExpensesBadDebt { "the price" } else { "late fee" };
            return Some(format!("{amount} of {what} is not given up after all ({})", reason(&row.reason)));
        }
        Kind::WriteOff if about == Account::ExpensesBadDebt => {
            format!("{amount} of the price is written off: the customer is not written to any more, but still owes it")
        }
        Kind::WriteOff => format!("{amount} of late fee is given up with it"),
        Kind::Recovery => format!("of payment {cause}, {amount} pays what was written off"),
        Kind::PayOut => format!("{amount} of the customer's credit is paid out, {cause}"),
        // A pending row goes into suspense with the reason `new`, and leaves it with another reason.
        Kind::Suspense => format!("{amount} of {cause} is in suspense"),
    };
    let usual = if row.movement.kind == Kind::Suspense { row.reason == "new" } else { usual };
    let way = if usual { "" } else { "taken back: " };
    let why = if row.reason == "corrected" { format!(" ({})", reason(&row.reason)) } else { String::new() };
    Some(format!("{way}{what}{why}"))
}

/// Returns the account that a movement is about, and whether it was posted in the usual direction. In the other
/// direction, the movement reverses an earlier one.
fn about(movement: &Movement) -> (Account, bool) {
    let Movement { kind, debit, credit, .. } = *movement;
    let (one, other) = match kind {
        // `one` is the outside account: the debit side when money comes in, the credit side when money goes out.
        Kind::Chargeback | Kind::PayOut => (credit, debit),
        Kind::Refund if is_cash(movement) => (credit, debit),
        _ => (debit, credit),
    };
    let usual = match kind {
        Kind::Waiver => debit == Account::IncomeLateFee,
        Kind::FeeReturned => debit == Account::ReceivableLateFee,
        Kind::WriteOff => matches!(credit, Account::ReceivablePrincipal | Account::ReceivableLateFee),
        _ => is_outside(one),
    };
    let about = match kind {
        // A write-off is about the account in which the loss is booked.
        Kind::WriteOff => {
            if usual {
                debit
            } else {
                credit
            }
        }
        _ => {
            if usual {
                other
            } else {
                one
            }
        }
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
