//! The view of `files retry`: the result of each file that was tried again.

use schemars::JsonSchema;
use serde::Serialize;

use super::files::{File, RowCounts};
use crate::domain::intake::status::FileStatus;
use crate::domain::words::count;
use crate::jobs::ingest_files::retry::Tried;
use crate::store::files::RecordedFile;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Retries {
    /// Whether nothing was changed: the files are only those that would be tried.
    pub dry_run: bool,
    pub files: Vec<RetriedFile>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RetriedFile {
    /// The file as it came first.
    pub file_no: i64,
    pub feed: String,
    pub kept_as: String,
    pub result: RetryResult,
    /// The file as which it came in again.
    pub taken_as: Option<File>,
    /// The result in words.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryResult {
    /// It came in again; `taken_as` has its status, which may be quarantined for another reason.
    TriedAgain,
    /// It would be tried again, if this were no dry run.
    WouldBeTried,
    /// It is refused for the same reason as before; nothing was changed.
    RefusedAgain,
    /// It can't be tried again.
    NotTried,
}

impl Retries {
    pub fn of(tried: Vec<(RecordedFile, Tried)>, dry_run: bool) -> Retries {
        Retries { dry_run, files: tried.into_iter().map(|(file, tried)| RetriedFile::of(file, tried)).collect() }
    }

    /// Whether any file was refused again or could not be tried.
    pub fn has_failures(&self) -> bool {
        self.files.iter().any(|file| match file.result {
            RetryResult::TriedAgain => {
                file.taken_as.as_ref().is_some_and(|again| again.status == FileStatus::Quarantined)
            }
            RetryResult::RefusedAgain | RetryResult::NotTried => true,
            RetryResult::WouldBeTried => false,
        })
    }
}

impl RetriedFile {
    fn of(file: RecordedFile, tried: Tried) -> RetriedFile {
        let (result, message) = match &tried {
            Tried::As(again) if again.status == FileStatus::Taken => {
                let counts = RowCounts::from(again.counts);
                let rows = count(counts.rows, "row");
                (RetryResult::TriedAgain, format!("taken in as file {}; {rows}: {counts}", again.file_no))
            }
            Tried::As(again) => {
                let why = again.message.as_deref().unwrap_or_default();
                (RetryResult::TriedAgain, format!("{} as file {}: {why}", again.status, again.file_no))
            }
            Tried::Would => (RetryResult::WouldBeTried, "would be taken in".to_owned()),
            Tried::Still { message } => {
                (RetryResult::RefusedAgain, format!("refused for the same reason as before: {message}"))
            }
            Tried::Not { why } => (RetryResult::NotTried, format!("not tried: {why}")),
        };
        let taken_as = match tried {
            Tried::As(again) => Some(File::from(*again)),
            Tried::Would | Tried::Still { .. } | Tried::Not { .. } => None,
        };
        RetriedFile { file_no: file.file_no, feed: file.feed, kept_as: file.kept_as, result, taken_as, message }
    }
}
