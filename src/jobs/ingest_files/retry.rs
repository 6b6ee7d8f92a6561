//! Retries files after the configuration was corrected: quarantined files as a whole, and of taken files the rows that
//! were rejected because of configuration. They are read like any other file, on the open day; the records of the first
//! attempt stay.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::feeds::feed_of;
use super::origin::{again, in_quarantine, source};
use super::taking::take;
use super::terms;
use crate::books::environment::Environment;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::FileStatus;
use crate::files::atomic;
use crate::files::inbox::Found;
use crate::files::read::reader;
use crate::files::read::source::{Seen, Unreadable};
use crate::scheme::{Feed, Slice};
use crate::store::files::{self, RecordedFile};
use crate::store::{Tx, listing};

/// Codes of rows that are rejected because of configuration. The same rows may be accepted after the configuration is
/// corrected.
pub const BY_CONFIGURATION: [RowCode; 3] = [RowCode::NoCalendarYear, RowCode::NoPolicy, RowCode::UnknownMerchant];

/// The result of a retry.
pub enum Tried {
    /// It was read like any other file, and has this record.
    As(Box<RecordedFile>),
    /// It would be retried; this is a dry run.
    Would,
    /// It is refused for the same reason as before. Nothing changed.
    Still { message: String },
    /// It cannot be retried.
    Not { why: String },
}

/// Returns the files that a retry of everything includes.
pub async fn candidates(tx: &mut Tx) -> Result<Vec<RecordedFile>> {
    Ok(listing::to_retry(tx, &BY_CONFIGURATION).await?.into_iter().map(|listed| listed.file).collect())
}

/// Retries files, in the order in which a day takes files.
pub async fn retry(
    environment: &Environment,
    today: NaiveDate,
    mut files: Vec<RecordedFile>,
    dry_run: bool,
) -> Result<Vec<(RecordedFile, Tried)>> {
    let mut tx = environment.store.read().await?;
    let mut interrupted = Vec::new();
    for slice in environment.scheme.slices() {
        let is_of_slice = |file: &RecordedFile| file.owner.borrowed() == slice.owner();
        // The scheme's reference rates concern everyone.
        if matches!(slice, Slice::Scheme) || files.iter().any(is_of_slice) {
            terms::check(&mut tx, environment, slice, today).await?;
            if !dry_run {
                interrupted.append(&mut cut_off(&mut tx, slice).await?);
            }
        }
    }
    drop(tx);
    let mut tried = Vec::new();
    for file in interrupted {
        let done = go_on(environment, today, &file)
            .await
            .with_context(|| format!("continuing with {}, which was partly read", file.name))?;
        tried.extend(done.map(|done| (file, Tried::As(Box::new(done)))));
    }
    let turn =
        |file: &RecordedFile| environment.scheme.feeds.iter().find(|feed| feed.name == file.feed).map(|feed| feed.kind);
    files.sort_by_key(|file| (turn(file), file.dated_on, file.file_no));
    for file in files {
        let outcome = try_again(environment, today, &file, dry_run).await;
        let outcome = outcome.with_context(|| format!("trying {} again", file.name))?;
        tried.push((file, outcome));
    }
    Ok(tried)
}

/// Continues a retry that an interruption cut off.
pub async fn go_on(environment: &Environment, today: NaiveDate, file: &RecordedFile) -> Result<Option<RecordedFile>> {
    let feed = feed_of(environment, file)?;
    let (path, _) = source(environment, feed, file).await?;
    take(environment, feed, &found(feed, file, path)?, today, file.retry_of).await
}

async fn try_again(environment: &Environment, today: NaiveDate, file: &RecordedFile, dry_run: bool) -> Result<Tried> {
    let not = |why: String| Ok(Tried::Not { why });
    let Ok(feed) = feed_of(environment, file) else {
        return not(format!("feed {} is no longer configured", file.feed));
    };
    let (path, name) = match file.status {
        FileStatus::Quarantined => (in_quarantine(environment, file), file.name.clone()),
        FileStatus::Taken => (again(environment, file), format!("{}.rejects.csv", file.kept_as)),
        status @ (FileStatus::Reading | FileStatus::Duplicate | FileStatus::Interrupted) => {
            return not(format!("it is {status}; only files in quarantine and rejected rows are tried again"));
        }
    };
    if file.status == FileStatus::Taken {
        // The rows passed the same header check before.
        match rows_again(environment, feed, file, (!dry_run).then_some(&path)) {
            Ok(0) => {
                return not(format!(
                    "none of its rows was rejected with {}",
                    BY_CONFIGURATION.map(RowCode::name).join(", ")
                ));
            }
            Ok(_) if dry_run => return Ok(Tried::Would),
            Ok(_) => {}
            Err(why) => return not(format!("its rejected rows cannot be read: {why:#}")),
        }
    } else if !path.is_file() {
        return not(format!("{} is not there any more; have it sent again", path.display()));
    }
    let found = found(feed, &RecordedFile { name, ..file.clone() }, path)?;
    let examined = reader::examine(&feed.delivery(&found)).map_err(Unreadable::from)?;
    if let Some(distrust) = examined.trust.err().filter(|distrust| Some(distrust.code) == file.code) {
        return Ok(Tried::Still { message: distrust.message });
    }
    if dry_run {
        return Ok(Tried::Would);
    }
    match take(environment, feed, &found, today, Some(file.file_no)).await? {
        Some(taken) => Ok(Tried::As(Box::new(taken))),
        None => not("its content was taken or refused before".to_owned()),
    }
}

/// The byte order mark of UTF-8, which answers to files in other encodings begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Counts a file's rejected rows that can be retried, and writes them to a file of their own.
fn rows_again(environment: &Environment, feed: &Feed, file: &RecordedFile, to: Option<&PathBuf>) -> Result<usize> {
    let rejects = environment.scheme.home.outbox(&file.feed).join(format!("{}.rejects.csv", file.kept_as));
    let reading = || format!("they were put into {}", rejects.display());
    let rejects = fs::read(&rejects).with_context(reading)?;
    let mark: &[u8] = if rejects.starts_with(MARK) { MARK } else { &[] };
    // The answer has the delimiter of the original file. The right delimiter is the one with which our own columns are
    // found.
    let ours = |delimiter: &u8| {
        let mut rows = csv::ReaderBuilder::new().delimiter(*delimiter).flexible(true).from_reader(&rejects[..]);
        rows.headers().is_ok_and(|header| header.iter().rev().take(2).eq(["message", "code"]))
    };
    let delimiter = feed.profile.delimiters.iter().copied().find(ours).unwrap_or(b',');
    let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(&rejects[..]);
    let mut again = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(mark.to_vec());
    again.write_record(rows.headers()?)?;
    // The changed last cell makes the bytes of a repeated retry differ from those before.
    let tried = format!("tried again from file {}", file.file_no);
    let mut count = 0;
    for row in rows.records() {
        let row = row?;
        // The last two cells are code and message.
        let code = row.len().checked_sub(2).and_then(|at| row.get(at)).unwrap_or_default();
        if RowCode::parse(code).is_some_and(|code| BY_CONFIGURATION.contains(&code)) {
            again.write_record(row.iter().take(row.len() - 1).chain([tried.as_str()]))?;
            count += 1;
        }
    }
    if let Some(to) = to.filter(|_| count > 0) {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        atomic::write(to, &again.into_inner()?)?;
    }
    Ok(count)
}

fn found(feed: &Feed, file: &RecordedFile, path: PathBuf) -> Result<Found> {
    let metadata = fs::metadata(&path).with_context(|| format!("looking for {}", path.display()))?;
    // The file name pattern may be what was corrected.
    let in_name = feed.pattern.matches(&file.name).unwrap_or_default();
    Ok(Found { name: file.name.clone(), date: in_name.date, number: in_name.number, seen: Seen::of(&metadata), path })
}

/// Returns the retries of a slice's files that an interruption cut off.
pub async fn cut_off(tx: &mut Tx, slice: Slice<'_>) -> Result<Vec<RecordedFile>> {
    let unfiled = files::unfiled(tx).await?;
    let is_retry = |file: &RecordedFile| file.status == FileStatus::Reading && file.retry_of.is_some();
    Ok(unfiled.into_iter().filter(|file| file.owner.borrowed() == slice.owner() && is_retry(file)).collect())
}
