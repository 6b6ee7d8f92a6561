//! The manifest: lists the files of a sealed day. It is written last, so a reader that waits for it sees a complete day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Written, sha256};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub business_date: NaiveDate,
    /// 1, 2, … without gaps.
    pub sequence: i64,
    pub files: Vec<ManifestFile>,
    /// Merchants without files, because their books did not balance. Omitted if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingMerchant>,
    /// The seal of the day before; empty for the first day.
    pub previous_seal: String,
    pub seal: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Relative to the manifest.
    pub name: String,
    pub rows: i64,
    pub totals: BTreeMap<String, String>,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingMerchant {
    pub merchant_id: String,
    /// The failed checks, one per line.
    pub reason: String,
}

impl From<Written> for ManifestFile {
    fn from(written: Written) -> ManifestFile {
        let Written { name, rows, totals, sha256 } = written;
        ManifestFile { name, rows, totals, sha256 }
    }
}

impl Manifest {
    /// The bytes of `manifest.json`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("text and numbers always make JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// The seal of a day: SHA-256 over the seal of the day before, the date and the sequence number, then one line per file with
/// its hash and name, in the order of names, then one line per missing merchant. `sha256sum` reproduces it.
pub fn seal(
    previous_seal: &str,
    business_date: NaiveDate,
    sequence: i64,
    files: &[ManifestFile],
    missing: &[MissingMerchant],
) -> String {
    let mut text = format!("{previous_seal}\n{business_date}\n{sequence}\n");
    for file in files {
        text.push_str(&format!("{}  {}\n", file.sha256, file.name));
    }
    for merchant in missing {
        text.push_str(&format!("missing  {}\n", merchant.merchant_id));
    }
    sha256(text.as_bytes())
}
