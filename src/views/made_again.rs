//! The view of `reports`: a sealed day's files that were written again.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::files::reports::{Manifest, ManifestFile};

#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportsMadeAgain {
    pub business_date: NaiveDate,
    /// The day's number: 1, 2, …
    pub sequence: i64,
    pub seal: String,
    /// Where the files were written.
    pub folder: String,
    pub files: Vec<ReportMadeAgain>,
}

/// A file with the bytes that were sealed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportMadeAgain {
    pub name: String,
    pub rows: i64,
    pub sha256: String,
}

impl ReportsMadeAgain {
    pub fn of(manifest: &Manifest, files: Vec<ManifestFile>, folder: String) -> ReportsMadeAgain {
        let file = |file: ManifestFile| ReportMadeAgain { name: file.name, rows: file.rows, sha256: file.sha256 };
        ReportsMadeAgain {
            business_date: manifest.business_date,
            sequence: manifest.sequence,
            seal: manifest.seal.clone(),
            folder,
            files: files.into_iter().map(file).collect(),
        }
    }
}
