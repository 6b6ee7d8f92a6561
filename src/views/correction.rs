//! The view of `correct`: the outcome of a correction and, for a dry run, the order before and after it.

use schemars::JsonSchema;
use serde::Serialize;

use super::instalment::Instalment;
use super::some;
use crate::domain::facts::fact::FactKind;
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::jobs::ingest_files::by_hand::{Answer, CorrectionOutcome, Preview};

#[derive(Debug, Serialize, JsonSchema)]
pub struct CorrectionResult {
    pub correction_id: String,
    pub merchant_id: String,
    /// fulfilment, payment, refund, chargeback, extension, hold, waiver or pay_out.
    pub kind: String,
    /// The key of the corrected fact.
    pub fact_id: String,
    /// accepted, duplicate, pending, conflict or rejected; quarantined if it could not be read.
    pub outcome: CorrectionOutcome,
    pub code: Option<String>,
    pub message: Option<String>,
    /// Whether nothing was changed: the outcome is what it would be.
    pub dry_run: bool,
    /// Of a dry run, the order at the end of the open day without the correction and with it.
    pub preview: Option<CorrectionPreview>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct CorrectionPreview {
    pub before: Vec<Instalment>,
    pub after: Vec<Instalment>,
}

impl CorrectionResult {
    pub fn of(
        correction_id: String,
        merchant_id: String,
        (kind, fact_id): (FactKind, &str),
        answer: Answer,
        dry_run: bool,
    ) -> CorrectionResult {
        let Answer { outcome, code, message, preview } = answer;
        CorrectionResult {
            correction_id,
            merchant_id,
            kind: kind.to_string(),
            fact_id: fact_id.to_owned(),
            outcome,
            code: code.map(str::to_owned),
            message: some(message),
            dry_run,
            preview: preview.map(CorrectionPreview::from),
        }
    }

    /// Whether the correction is in the books, or will be once the fact or order that it names arrives.
    pub fn is_taken(&self) -> bool {
        match self.outcome {
            CorrectionOutcome::Row(RowOutcome::Accepted | RowOutcome::Duplicate | RowOutcome::Pending)
            | CorrectionOutcome::File(FileStatus::Duplicate) => true,
            CorrectionOutcome::Row(RowOutcome::Declined | RowOutcome::Conflict | RowOutcome::Rejected)
            | CorrectionOutcome::File(
                FileStatus::Reading | FileStatus::Taken | FileStatus::Quarantined | FileStatus::Interrupted,
            ) => false,
        }
    }
}

impl From<Preview> for CorrectionPreview {
    fn from(preview: Preview) -> CorrectionPreview {
        let Preview { currency, before, after } = preview;
        let all = |positions: &[_]| positions.iter().map(|position| Instalment::of(position, currency)).collect();
        CorrectionPreview { before: all(&before), after: all(&after) }
    }
}
