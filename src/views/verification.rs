//! The view of `verify`: how much it recomputed, and what does not match.

use schemars::JsonSchema;
use serde::Serialize;

use crate::books::verify::Verified;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Verification {
    /// Whether everything is as it was sealed.
    pub ok: bool,
    /// Orders that were decided again; 0 if only some days were asked for.
    pub orders: i64,
    /// Sealed days that were proved.
    pub days: i64,
    /// Reports that were made again.
    pub files: i64,
    /// Journal entries in these reports.
    pub entries: i64,
    /// Sealed balances that were compared with the journal.
    pub balances: i64,
    /// Fingerprints of sealed rows that were compared with the rows.
    pub fingerprints: i64,
    /// Files that came on these days, whose rows were accounted for.
    pub input_files: i64,
    pub input_rows: i64,
    /// Days that were sealed before rows were fingerprinted, and that no close has fingerprinted since.
    pub days_without_fingerprint: i64,
    /// What does not match, in words.
    pub problems: Vec<String>,
}

impl From<Verified> for Verification {
    fn from(verified: Verified) -> Verification {
        Verification {
            ok: verified.problems.is_empty(),
            orders: verified.orders,
            days: verified.days,
            files: verified.files,
            entries: verified.entries,
            balances: verified.balances,
            fingerprints: verified.fingerprints,
            input_files: verified.input_files,
            input_rows: verified.input_rows,
            days_without_fingerprint: verified.days_without_fingerprint,
            problems: verified.problems,
        }
    }
}
