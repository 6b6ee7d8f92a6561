//! The view of `verify`: how much it recomputed, and what does not match.

use schemars::JsonSchema;
use serde::Serialize;

use crate::books::verify::Verified;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Verification {
    /// Whether everything is as it was sealed.
    pub ok: bool,
    /// Orders that were decided again.
    pub orders: i64,
    /// Sealed days that were proved.
    pub days: i64,
    /// Reports that were made again.
    pub files: i64,
    /// Days that were sealed before rows were fingerprinted, and that no close has fingerprinted since.
    pub days_without_fingerprint: i64,
    /// What does not match, in words.
    pub problems: Vec<String>,
}

impl From<Verified> for Verification {
    fn from(verified: Verified) -> Verification {
        let Verified { orders, days, files, days_without_fingerprint, problems } = verified;
        Verification { ok: problems.is_empty(), orders, days, files, days_without_fingerprint, problems }
    }
}
