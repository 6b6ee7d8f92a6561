//! What becomes of a file as a whole, and of each of its rows. The store, answers and messages have the names.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The status of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// Its rows are being read, or reading was interrupted and continues with the next run.
    Reading,
    /// All its rows were read.
    Taken,
    /// Its bytes were taken before.
    Duplicate,
    /// It can't be trusted as a whole, and none of its rows count.
    Quarantined,
    /// Its sender replaced or removed it while it was being read. The rows read until then count.
    Interrupted,
}

impl FileStatus {
    pub const ALL: [FileStatus; 5] = [
        FileStatus::Reading,
        FileStatus::Taken,
        FileStatus::Duplicate,
        FileStatus::Quarantined,
        FileStatus::Interrupted,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            FileStatus::Reading => "reading",
            FileStatus::Taken => "taken",
            FileStatus::Duplicate => "duplicate",
            FileStatus::Quarantined => "quarantined",
            FileStatus::Interrupted => "interrupted",
        }
    }

    pub fn parse(text: &str) -> Option<FileStatus> {
        FileStatus::ALL.into_iter().find(|status| status.name() == text)
    }
}

impl fmt::Display for FileStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    Accepted,
    /// The terms or the profile decline it.
    Declined,
    /// It was recorded before with the same content.
    Duplicate,
    /// It was recorded before with other content. Nothing changes.
    Conflict,
    /// It waits for its order, or for the fact that it names.
    Pending,
    /// It can't be read or contradicts itself.
    Rejected,
}

impl RowOutcome {
    pub const ALL: [RowOutcome; 6] = [
        RowOutcome::Accepted,
        RowOutcome::Declined,
        RowOutcome::Duplicate,
        RowOutcome::Conflict,
        RowOutcome::Pending,
        RowOutcome::Rejected,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            RowOutcome::Accepted => "accepted",
            RowOutcome::Declined => "declined",
            RowOutcome::Duplicate => "duplicate",
            RowOutcome::Conflict => "conflict",
            RowOutcome::Pending => "pending",
            RowOutcome::Rejected => "rejected",
        }
    }

    pub fn parse(text: &str) -> Option<RowOutcome> {
        RowOutcome::ALL.into_iter().find(|outcome| outcome.name() == text)
    }
}

impl fmt::Display for RowOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
