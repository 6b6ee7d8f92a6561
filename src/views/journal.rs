//! The entries of the journal.

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Amount, some};
use crate::store::Tx;
use crate::store::journal::{self, JournalRow};

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
    /// Returns at most `limit` entries of a merchant with a number above `after`.
    pub async fn load(tx: &mut Tx, merchant: &str, after: i64, limit: i64) -> Result<Vec<JournalEntry>> {
        let rows = journal::rows(tx, merchant, after, i64::MAX, limit).await?;
        Ok(rows.into_iter().map(|row| JournalEntry::of(merchant, row)).collect())
    }

    pub fn of(merchant: &str, row: JournalRow) -> JournalEntry {
        let source = some(row.source);
        JournalEntry {
            entry_id: format!("{merchant}-{}", row.entry_no),
            merchant_id: merchant.to_owned(),
            entry_no: row.entry_no,
            business_date: row.business_date,
            effective_on: row.effective_on,
            kind: row.movement.kind.name().to_owned(),
            order_id: some(row.order_id),
            instalment: Some(row.movement.instalment).filter(|instalment| *instalment > 0),
            debit_account: row.movement.debit.name().to_owned(),
            credit_account: row.movement.credit.name().to_owned(),
            amount: Amount::new(row.minor, row.currency),
            cause: some(row.movement.cause),
            source_line: source.as_ref().map(|_| row.line),
            source,
            policy_version: row.policy_version,
            reason: row.reason.name().to_owned(),
        }
    }
}
