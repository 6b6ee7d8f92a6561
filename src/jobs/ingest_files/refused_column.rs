//! The column of a rejected value, so that the message names the cell to correct.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::outcome::Outcome;
use crate::domain::intake::code::RowCode;
use crate::files::rows::Kind;
use crate::files::rows::cell::quoted;

/// Adds the column and value of the rejected cell to the message.
pub fn with_column<'c>(outcome: Outcome, kind: Kind, cell: impl FnOnce(&str) -> &'c str) -> Outcome {
    let Outcome::Rejected { code, message } = outcome else { return outcome };
    let message = match column_of(code, kind) {
        Some(column) => format!("column {column}, value {}: {message}", quoted(cell(column))),
        None => message,
    };
    Outcome::Rejected { code, message }
}

/// Does the same for a pending row, from its stored cells. The stored cells of a bill's row are not the original ones,
/// so they are not named.
pub fn with_kept_column(outcome: Outcome, of_file: Kind, content: &str) -> Result<Outcome> {
    let Outcome::Rejected { code, .. } = outcome else { return Ok(outcome) };
    if of_file == Kind::Bills {
        return Ok(outcome);
    }
    let cells: HashMap<String, String> = serde_json::from_str(content).context("a pending row's cells")?;
    let cell = column_of(code, of_file).and_then(|column| cells.get(column)).map_or("", |cell| cell.trim());
    Ok(with_column(outcome, of_file, |_| cell))
}

fn column_of(code: RowCode, kind: Kind) -> Option<&'static str> {
    let day = match kind {
        Kind::Payments => "paid_at",
        Kind::Refunds => "refunded_at",
        Kind::Chargebacks => "charged_back_at",
        Kind::Extensions => "requested_at",
        Kind::Holds if code == RowCode::BeforeOrder => "starts_on",
        Kind::Holds => "ends_on",
        Kind::Waivers => "waived_on",
        Kind::Customers
        | Kind::Agreements
        | Kind::Orders
        | Kind::Fulfilments
        | Kind::DebitResults
        | Kind::Bills
        | Kind::PayoutResults
        | Kind::Corrections
        | Kind::DeliveryFailures => "occurred_at",
    };
    match code {
        RowCode::BeforeOrder => Some(day),
        RowCode::RefundTooMuch | RowCode::ChargebackTooMuch => Some("amount"),
        RowCode::RefundTooLate | RowCode::ChargebackTooEarly => Some(day),
        RowCode::ExtensionNotOffered | RowCode::ExtensionNotNeeded | RowCode::ExtensionLimit | RowCode::NoPolicy => {
            Some("order_id")
        }
        RowCode::ExtensionTooLong | RowCode::ExtensionNoEffect => Some("days"),
        RowCode::ExtensionTooEarly
        | RowCode::ExtensionTooLate
        | RowCode::ExtensionWrittenOff
        | RowCode::NoCalendarYear => Some(day),
        RowCode::Currency => Some("currency"),
        RowCode::Duplicate
        | RowCode::Conflict
        | RowCode::MissingValue
        | RowCode::BadText
        | RowCode::BadKey
        | RowCode::BadEmail
        | RowCode::BadQuotes
        | RowCode::BadAmount
        | RowCode::BadCurrency
        | RowCode::BadNumber
        | RowCode::BadValue
        | RowCode::BadTime
        | RowCode::ColumnCount
        | RowCode::SetAside
        | RowCode::NoAmount
        | RowCode::Corrected
        | RowCode::UnknownMerchant
        | RowCode::UnknownOrder
        | RowCode::UnknownPayment
        | RowCode::UnknownFact
        | RowCode::UnknownInstruction
        | RowCode::UnknownMail
        | RowCode::WrongOrder
        | RowCode::OrderDeclined
        | RowCode::PaymentChargedBack
        | RowCode::NoCustomer
        | RowCode::NoAgreement
        | RowCode::AgreementClosed
        | RowCode::ScoreNotAuthorised
        | RowCode::NotVerified
        | RowCode::NoBankCard
        | RowCode::ScoreTooLow
        | RowCode::AccountOverdue
        | RowCode::OverLimit => None,
    }
}
