//! The files that arrived, the latest first, and the files that wait in the inboxes.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::path::Path;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::YEARS;
use crate::domain::intake::code::FileCode;
use crate::domain::intake::status::{FileStatus, RowOutcome};
use crate::files::inbox::waiting::{self, Taker, Waiting};
use crate::store::files::{Counts, RecordedFile};
use crate::store::listing::{self, FileFilter, ListedFile};
use crate::store::{Tx, files, scheme};

/// What waits in the inboxes, and files that were taken.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileList {
    #[serde(flatten)]
    pub inboxes: Inboxes,
    /// The latest first.
    pub files: Vec<File>,
    /// Whether there are more files than these.
    pub more: bool,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Inboxes {
    pub waiting: Vec<WaitingFile>,
}

/// A file in an inbox that is not taken yet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitingFile {
    /// The feed that will take it; null if its name fits no feed.
    pub feed: Option<String>,
    pub name: String,
    /// Why it waits, in words.
    pub why: String,
}

/// A file and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct File {
    pub file_no: i64,
    /// The business day on which it was taken.
    pub business_date: NaiveDate,
    pub feed: String,
    /// What its rows are: orders, payments, …
    pub kind: String,
    /// Null of a feed of the whole scheme.
    pub merchant_id: Option<String>,
    /// Its name as it came.
    pub name: String,
    /// Its name in the archive or quarantine, and of its acknowledgement.
    pub kept_as: String,
    pub sha256: String,
    pub status: FileStatus,
    pub code: Option<FileCode>,
    pub message: Option<String>,
    pub rows: RowCounts,
    /// The number of the file that this one is, tried again.
    pub retry_of: Option<i64>,
    /// The number under which it was tried again.
    pub retried_as: Option<i64>,
}

/// Rows by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowCounts {
    /// All rows.
    pub rows: i64,
    pub accepted: i64,
    pub declined: i64,
    pub duplicate: i64,
    pub conflict: i64,
    pub pending: i64,
    pub rejected: i64,
}

/// The state of the files to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// In an inbox.
    Waiting,
    Recorded(FileStatus),
}

impl FileState {
    /// `waiting`, or the name of a file's status.
    pub fn names() -> impl Iterator<Item = &'static str> {
        iter::once(WAITING).chain(FileStatus::ALL.map(FileStatus::name))
    }

    pub fn parse(text: &str) -> Option<FileState> {
        if text == WAITING { Some(FileState::Waiting) } else { FileStatus::parse(text).map(FileState::Recorded) }
    }
}

const WAITING: &str = "waiting";

/// The files to list.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// The business day on which the files were taken. `None`: the latest days with files.
    pub date: Option<NaiveDate>,
    pub feed: Option<String>,
    pub status: Option<FileState>,
    /// Whether to list the files of every day.
    pub all: bool,
}

/// How many business days with files are listed by default.
const LATEST_DAYS: i64 = 3;

/// How many waiting files of a folder are listed.
const WAITING_SHOWN: usize = 100;

impl File {
    /// Returns at most `limit` files with a number below `before`, the latest first. All files of a scheme may not fit
    /// in memory.
    pub async fn load(tx: &mut Tx, filter: &FileFilter, before: i64, limit: i64) -> Result<Vec<File>> {
        Ok(listing::files(tx, filter, before, limit).await?.into_iter().map(File::from).collect())
    }
}

impl Which {
    /// Returns the filter for the store.
    pub async fn filter(&self, tx: &mut Tx) -> Result<FileFilter> {
        let (first, last) = (day(*YEARS.start()), day(*YEARS.end() + 1));
        let (from, to) = match self.date {
            Some(date) => (date, date),
            None if self.all => (first, last),
            None => (listing::since_latest_days(tx, LATEST_DAYS).await?.unwrap_or(first), last),
        };
        let status = match self.status {
            Some(FileState::Recorded(status)) => Some(status),
            Some(FileState::Waiting) | None => None,
        };
        Ok(FileFilter { from, to, feed: self.feed.clone(), status })
    }
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX)
}

impl From<ListedFile> for File {
    fn from(listed: ListedFile) -> File {
        let ListedFile { file, retried_as } = listed;
        File { retried_as, ..File::from(file) }
    }
}

impl From<RecordedFile> for File {
    fn from(file: RecordedFile) -> File {
        File {
            file_no: file.file_no,
            business_date: file.business_date,
            feed: file.feed,
            kind: file.kind.name().to_owned(),
            merchant_id: file.owner.merchant().map(str::to_owned),
            name: file.name,
            kept_as: file.kept_as,
            sha256: file.sha256,
            status: file.status,
            code: file.code,
            message: file.message,
            rows: file.counts.into(),
            retry_of: file.retry_of,
            retried_as: None,
        }
    }
}

impl From<Counts> for RowCounts {
    fn from(counts: Counts) -> RowCounts {
        let Counts { rows, accepted, declined, duplicate, conflict, pending, rejected } = counts;
        RowCounts { rows, accepted, declined, duplicate, conflict, pending, rejected }
    }
}

impl RowCounts {
    /// Returns the count of each outcome, in the order that every list uses.
    pub fn outcomes(&self) -> [(RowOutcome, i64); 6] {
        [
            (RowOutcome::Accepted, self.accepted),
            (RowOutcome::Declined, self.declined),
            (RowOutcome::Duplicate, self.duplicate),
            (RowOutcome::Conflict, self.conflict),
            (RowOutcome::Pending, self.pending),
            (RowOutcome::Rejected, self.rejected),
        ]
    }
}

/// Formats the counts as `3 accepted, 0 declined, …`.
impl fmt::Display for RowCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = self.outcomes().map(|(name, count)| format!("{count} {name}"));
        f.write_str(&outcomes.join(", "))
    }
}

impl Inboxes {
    /// Returns the files in the feeds' folders that are not taken yet. The list is empty if `which` has a day or a
    /// status other than `waiting`: no waiting file has either.
    pub async fn load(tx: &mut Tx, environment: &Environment, which: &Which) -> Result<Inboxes> {
        match (which.date, which.status) {
            (None, None | Some(FileState::Waiting)) => {
                let waiting = waiting_files(tx, environment, which.feed.as_deref()).await?;
                let shown = |Waiting { feed, name, why }| WaitingFile { feed, name, why };
                Ok(Inboxes { waiting: waiting.into_iter().map(shown).collect() })
            }
            _ => Ok(Inboxes::default()),
        }
    }
}

async fn waiting_files(tx: &mut Tx, environment: &Environment, feed: Option<&str>) -> Result<Vec<Waiting>> {
    let today = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
    let mut folders: BTreeMap<&Path, Vec<Taker<'_>>> = BTreeMap::new();
    for feed in &environment.scheme.feeds {
        let (settle, done) = (feed.settle, feed.done.as_deref());
        let taker = Taker { feed: &feed.name, pattern: &feed.pattern, settle, done };
        folders.entry(&feed.folder).or_default().push(taker);
    }
    let mut waiting = Vec::new();
    for (folder, takers) in folders {
        let kept =
            takers.iter().any(|taker| environment.scheme.feeds.iter().any(|feed| feed.name == taker.feed && feed.keep));
        // In a folder whose files stay after they are taken, most files are already taken.
        let limit = if kept { usize::MAX } else { WAITING_SHOWN };
        let found = match waiting::list(folder, &takers, today, clock::system_now(), limit) {
            Ok(found) => found,
            Err(trouble) => {
                let why = format!("the files of this inbox can't be listed: {trouble}");
                waiting.push(Waiting { feed: None, name: folder.display().to_string(), why });
                continue;
            }
        };
        let mut shown = 0;
        for file in found.into_iter().filter(|file| feed.is_none() || file.feed.as_deref() == feed) {
            if shown < WAITING_SHOWN && !is_taken(tx, environment, &file).await? {
                waiting.push(file);
                shown += 1;
            }
        }
    }
    Ok(waiting)
}

/// Whether a file was taken before and is still in its folder because its feed keeps files.
async fn is_taken(tx: &mut Tx, environment: &Environment, file: &Waiting) -> Result<bool> {
    let feed = environment.scheme.feeds.iter().find(|feed| Some(&feed.name) == file.feed.as_ref() && feed.keep);
    let Some(feed) = feed else { return Ok(false) };
    Ok(files::named(tx, &feed.name, &file.name).await?.iter().any(|file| file.filed))
}
