//! What the arrival of a file settles and reports: most of its rows were rejected, a missing file has arrived, a file
//! number was left out, or bytes that were refused before are now taken.

use std::ops::RangeInclusive;

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::expected_files::missing_key;
use crate::domain::facts::source::Source;
use crate::domain::intake::arrival::left_out;
use crate::domain::intake::code::{ExceptionCode, FileCode};
use crate::domain::intake::status::FileStatus;
use crate::scheme::Feed;
use crate::store::exceptions::{self, NewException};
use crate::store::files::RecordedFile;
use crate::store::{Tx, arrivals, file_rows, files, listing};

/// Records the arrival of a file.
pub async fn note(tx: &mut Tx, feed: &Feed, file: &RecordedFile, today: NaiveDate) -> Result<()> {
    if let Some(number) = file.number {
        count(tx, feed, file, number, today).await?;
    }
    files::save(tx, file).await?;
    let why = match &file.message {
        None => format!("taken in on {today} as file {}", file.file_no),
        Some(message) => format!("tried again on {today} as file {}: {message}", file.file_no),
    };
    let first = match file.retry_of {
        Some(first) => listing::file(tx, first).await?,
        None => None,
    };
    let mut settled: Vec<RecordedFile> = first.into_iter().map(|listed| listed.file).collect();
    if file.status != FileStatus::Quarantined {
        settled.extend(files::refused_with_bytes(tx, &feed.name, &file.sha256).await?);
        if let Some(date) = file.dated_on {
            let missing = missing_key(&feed.name, date);
            // Whether the day's file has arrived only matters if an exception says that it is missing.
            let waits =
                exceptions::open_about(tx, file.owner.borrowed(), ExceptionCode::FileMissing, &[&missing]).await?;
            if !waits.is_empty() && arrivals::has_arrived(tx, &feed.name, date).await? {
                exceptions::resolve(tx, file.owner.borrowed(), &[ExceptionCode::FileMissing], &[&missing], today)
                    .await?;
            }
        }
    }
    for refused in settled {
        exceptions::resolve_file(tx, refused.owner.borrowed(), refused.file_no, today, &why).await?;
    }
    Ok(())
}

/// Checks the rejected rows of a completely read file. If there are too many, an exception stays open until the file
/// arrives again, under its own name or as its `.rejects.csv`, and most of its rows can be taken.
pub async fn judge(tx: &mut Tx, feed: &Feed, file: &mut RecordedFile, today: NaiveDate) -> Result<()> {
    let (mut rejected, rows) = (file.counts.rejected, file.counts.rows);
    let mut codes = Vec::new();
    if feed.reject_limit.is_reached(rejected, rows) {
        // Rows refused by the terms do not count: they were read correctly, and the terms exist to refuse them.
        codes = file_rows::rejected_by_code(tx, file.file_no).await?;
        codes.retain(|(code, _)| !code.is_refused_by_terms());
        rejected = codes.iter().map(|(_, count)| count).sum();
    }
    if !feed.reject_limit.is_reached(rejected, rows) {
        let settled = rejected_before(tx, feed, file).await?;
        let settled: Vec<&str> = settled.iter().map(String::as_str).collect();
        return exceptions::resolve(tx, file.owner.borrowed(), &[FileCode::RowsRejected.into()], &settled, today).await;
    }
    let mostly = match codes.first() {
        Some((code, count)) if *count == rejected => format!(", with {code}"),
        Some((code, count)) => format!(", {count} of them with {code}"),
        None => String::new(),
    };
    let which = match rows {
        1 => "its only row was rejected".to_owned(),
        _ => format!("{rejected} of {rows} rows were rejected"),
    };
    let RecordedFile { name, kept_as, .. } = &*file;
    let message = format!(
        "{name}: {which}{mostly}; {kept_as}.rejects.csv in the outbox has them with their \
         reasons. Correct them there and drop that file in again, or have {name} sent again"
    );
    tracing::error!(file = name, code = FileCode::RowsRejected.name(), rejected, rows, "a file's rows were rejected");
    let exception = NewException {
        row_key: rejected_key(feed, kept_as),
        source: Source { file_no: file.file_no, line: 0 },
        ..NewException::new(FileCode::RowsRejected, message.clone())
    };
    exceptions::open(tx, file.owner.borrowed(), today, &[exception]).await?;
    (file.code, file.message) = (Some(FileCode::RowsRejected), Some(message));
    Ok(())
}

/// Returns the exception keys of the earlier files that this file may correct.
async fn rejected_before(tx: &mut Tx, feed: &Feed, file: &RecordedFile) -> Result<Vec<String>> {
    let named = files::named(tx, &feed.name, &file.name).await?;
    let same_name = named.into_iter().map(|before| before.kept_as);
    let corrected = file.name.strip_suffix(".rejects.csv").map(str::to_owned);
    Ok(same_name.chain(corrected).map(|kept_as| rejected_key(feed, &kept_as)).collect())
}

fn rejected_key(feed: &Feed, kept_as: &str) -> String {
    format!("{}/{kept_as}", feed.name)
}

async fn count(tx: &mut Tx, feed: &Feed, file: &RecordedFile, number: i64, today: NaiveDate) -> Result<()> {
    let highest = arrivals::highest_number(tx, &feed.name, file.dated_on).await?;
    if let Some(numbers) = left_out(number, highest, feed.first_number) {
        let exception = NewException {
            row_key: gap_key(feed, file.dated_on, &numbers),
            source: Source { file_no: file.file_no, line: 0 },
            ..NewException::new(ExceptionCode::FileGap, not_there(feed, file, &numbers))
        };
        tracing::warn!(
            file = file.name,
            code = exception.code.name(),
            why = exception.message,
            "file numbers were skipped"
        );
        return exceptions::open(tx, file.owner.borrowed(), today, &[exception]).await;
    }
    // This file may be the last one missing from a gap.
    for key in exceptions::open_keys(tx, file.owner.borrowed(), ExceptionCode::FileGap).await? {
        let Some(numbers) = gap_of(feed, file.dated_on, &key).filter(|numbers| numbers.contains(&number)) else {
            continue;
        };
        let (from, to) = (*numbers.start(), *numbers.end());
        // Files usually arrive in order. If the next number has not arrived, the gap is still open.
        if number < to && arrivals::count_numbers(tx, &feed.name, file.dated_on, &(number + 1..=number + 1)).await? == 0
        {
            continue;
        }
        let mut come = arrivals::count_numbers(tx, &feed.name, file.dated_on, &numbers).await?;
        if arrivals::count_numbers(tx, &feed.name, file.dated_on, &(number..=number)).await? == 0 {
            come += 1;
        }
        if come > to - from {
            exceptions::resolve(tx, file.owner.borrowed(), &[ExceptionCode::FileGap], &[&key], today).await?;
        }
    }
    Ok(())
}

fn not_there(feed: &Feed, file: &RecordedFile, numbers: &RangeInclusive<i64>) -> String {
    let (from, to) = (numbers.start(), numbers.end());
    let missing = if from == to { format!("number {from} is") } else { format!("numbers {from} to {to} are") };
    format!("{missing} missing: {} came to feed {} before", file.name, feed.name)
}

/// The key of a gap: `bills 8-11`, or `orders 2026-03-05 8-11` if numbering restarts each day.
fn gap_key(feed: &Feed, date: Option<NaiveDate>, numbers: &RangeInclusive<i64>) -> String {
    format!("{}{}-{}", before_numbers(feed, date), numbers.start(), numbers.end())
}

fn gap_of(feed: &Feed, date: Option<NaiveDate>, key: &str) -> Option<RangeInclusive<i64>> {
    let (from, to) = key.strip_prefix(&before_numbers(feed, date))?.split_once('-')?;
    Some(from.parse().ok()?..=to.parse().ok()?)
}

fn before_numbers(feed: &Feed, date: Option<NaiveDate>) -> String {
    date.map_or_else(|| format!("{} ", feed.name), |date| format!("{} {date} ", feed.name))
}
