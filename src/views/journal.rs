//! The entries of the journal.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Amount, some};
use crate::books::journal_by_day;
use crate::files::exports::Entry;
use crate::store::journal::JournalRow;

#[derive(Debug, Serialize, JsonSchema)]
pub struct JournalEntry {
    /// As in reports: TEA-17.
    pub entry_id: String,
    pub merchant_id: String,
    /// Numbered without a gap for each merchant.
    pub entry_no: i64,
    pub business_date: NaiveDate,
    pub effective_on: NaiveDate,
    pub kind: String,
    pub order_id: Option<String>,
    /// Null if it concerns the order as a whole.
    pub instalment: Option<i64>,
    pub debit_account: String,
    pub credit_account: String,
    /// What moves from the credit account to the debit account; always positive.
    pub amount: Amount,
    /// The key of the payment, refund, chargeback or cancellation behind it; null if a rule is.
    pub cause: Option<String>,
    /// The file behind it; null if a rule is.
    pub source: Option<String>,
    pub source_line: Option<i64>,
    pub policy_version: Option<NaiveDate>,
    /// new, accrued or corrected.
    pub reason: String,
}

impl JournalEntry {
    pub fn of(merchant: &str, row: &JournalRow) -> JournalEntry {
        JournalEntry::from(&journal_by_day::entry(merchant, row))
    }
}

impl From<&Entry<'_>> for JournalEntry {
    fn from(entry: &Entry<'_>) -> JournalEntry {
        let movement = entry.movement;
        let source = some(entry.source.to_owned());
        JournalEntry {
            entry_id: entry.id(),
            merchant_id: entry.merchant_id.to_owned(),
            entry_no: entry.entry_no,
            business_date: entry.business_date,
            effective_on: entry.effective_on,
            kind: movement.kind.name().to_owned(),
            order_id: some(entry.order_id.to_owned()),
            instalment: Some(movement.instalment).filter(|instalment| *instalment > 0),
            debit_account: movement.debit.name().to_owned(),
            credit_account: movement.credit.name().to_owned(),
            amount: Amount::new(entry.minor, entry.currency),
            cause: some(movement.cause.clone()),
            source_line: source.as_ref().map(|_| entry.line),
            source,
            policy_version: entry.policy_version,
            reason: entry.reason.name().to_owned(),
        }
    }
}
