//! Reports expected files that have not come, and rows that have waited too long for their order. Each gets one
//! exception, which closes automatically when the file or the order comes.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::done::Done;
use super::environment::Environment;
use crate::domain::calendar::plus;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::intake::status::FileStatus;
use crate::domain::owner::Owner;
use crate::scheme::{Feed, Slice, WhenMissing};
use crate::store::arrivals::{self, WaitingRow};
use crate::store::exceptions::{self, NewException};
use crate::store::{Tx, files, scheme};

/// The number of rows reported together. It bounds memory.
const PAGE: usize = 1_000;

/// Returns the messages that `report` would open exceptions with.
pub async fn would_report(
    tx: &mut Tx,
    environment: &Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let mut would = Vec::new();
    for (feed, date) in missing_by_now(tx, environment, slice, today, Some(now)).await? {
        would.push(not_there(tx, feed, date).await?);
    }
    if let Some(merchant) = slice.merchant() {
        let since = plus(today, -environment.scheme.pending_days);
        let rows = arrivals::waiting_since(tx, &merchant.id, since, PAGE as i64).await?;
        would.extend(rows.iter().filter_map(waits_too_long).map(|exception| exception.message));
    }
    Ok(would)
}

/// Reports at the end of a day, whatever the time is. The messages about missing files are updated to the state at the
/// end of the day, including those of exceptions opened during the day.
pub async fn report_at_close(tx: &mut Tx, environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<()> {
    report(tx, environment, slice, today, None).await?;
    for feed in environment.scheme.feeds_of(slice) {
        let Some(date) = feed.expected_on(today)? else { continue };
        let message = not_there(tx, feed, date).await?;
        let owner = feed.owner.borrowed();
        exceptions::update_missing(tx, owner, &missing_key(&feed.name, date), today, &message).await?;
    }
    Ok(())
}

/// Returns the key of the exception about a missing file.
pub fn missing_key(feed: &str, date: NaiveDate) -> String {
    format!("{feed} {date}")
}

/// Returns the date of a feed's missing file, if `key` is the key of an exception about one.
pub fn missing_date(feed: &str, key: &str) -> Option<NaiveDate> {
    key.strip_prefix(feed)?.strip_prefix(' ')?.parse().ok()
}

/// Opens an exception for each file that is missing and each row that has waited too long, once. Without a `now`, the
/// day is over and every file is due.
pub async fn report(
    tx: &mut Tx,
    environment: &Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<Done> {
    let missing = missing_by_now(tx, environment, slice, today, now).await?;
    for (feed, date) in &missing {
        let message = not_there(tx, feed, *date).await?;
        tracing::warn!(feed = feed.name, date = %date, "a file is missing");
        let row_key = missing_key(&feed.name, *date);
        let exception = NewException { row_key, ..NewException::new(ExceptionCode::FileMissing, message) };
        let owner = feed.owner.borrowed();
        exceptions::open(tx, owner, today, &[exception]).await?;
    }
    let waiting = match slice {
        // Rows of customers and agreements wait for nothing.
        Slice::Scheme => 0,
        Slice::Merchant(merchant) => report_waiting(tx, environment, &merchant.id, today).await?,
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Done(vec![("files missing", count(missing.len())), ("rows waiting long", count(waiting))]))
}

/// Opens an exception for each row of a merchant that has waited too long, and returns their number.
async fn report_waiting(tx: &mut Tx, environment: &Environment, merchant: &str, today: NaiveDate) -> Result<usize> {
    let mut waiting = 0;
    let since = plus(today, -environment.scheme.pending_days);
    loop {
        let rows = arrivals::waiting_since(tx, merchant, since, PAGE as i64).await?;
        let opened: Vec<NewException> = rows.iter().filter_map(waits_too_long).collect();
        exceptions::open(tx, Owner::Merchant(merchant), today, &opened).await?;
        arrivals::mark_reported(tx, &rows, today).await?;
        waiting += opened.len();
        if rows.len() < PAGE {
            return Ok(waiting);
        }
    }
}

/// Returns what is missing on the open day. For a merchant that was left out of seals, it also returns what is missing of the
/// days since: what was not noticed on its day is noticed now.
pub async fn missing_by_now<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<Vec<(&'s Feed, NaiveDate)>> {
    let since = match slice {
        Slice::Scheme => None,
        Slice::Merchant(merchant) => scheme::missing_since(tx, &merchant.id, today).await?,
    };
    let mut missing = Vec::new();
    for day in since.unwrap_or(today).iter_days().take_while(|day| *day <= today) {
        missing.append(&mut missing_on(tx, environment, slice, day, now.filter(|_| day == today)).await?);
    }
    Ok(missing)
}

/// Returns the feeds of a slice whose file is due and has not come, with the date in its name. Without a `now`, the day is
/// over and every file is due.
pub async fn missing_on<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<Vec<(&'s Feed, NaiveDate)>> {
    let mut missing = Vec::new();
    for feed in environment.scheme.feeds_of(slice) {
        let (Some(date), Some(expected)) = (feed.expected_on(today)?, &feed.expected) else { continue };
        let not_yet = now.is_some_and(|now| now < expected.deadline(today));
        let owner = feed.owner.borrowed();
        if not_yet
            || arrivals::has_arrived(tx, &feed.name, date).await?
            || exceptions::is_missing_reported(tx, owner, &missing_key(&feed.name, date)).await?
        {
            continue;
        }
        missing.push((feed, date));
    }
    Ok(missing)
}

async fn not_there(tx: &mut Tx, feed: &Feed, date: NaiveDate) -> Result<String> {
    let (name, kind, pattern) = (&feed.name, feed.kind.name(), feed.pattern.text());
    let by = feed.expected.as_ref().map(|expected| expected.by.format("%H:%M").to_string()).unwrap_or_default();
    let refused = files::dated(tx, name, date).await?;
    let but = match refused.last() {
        Some(file) if file.status == FileStatus::Duplicate => {
            format!("; {} came, but repeats the file of another day", file.name)
        }
        Some(file) => format!("; {} came and is in quarantine", file.name),
        None => String::new(),
    };
    Ok(format!("no file of {kind} for {date}: feed {name} expects {pattern} by {by}{but}{}", held_up(feed)))
}

/// Returns what a feed's missing file holds back, for the message.
fn held_up(feed: &Feed) -> String {
    let whose = feed.owner.merchant().map(|id| format!(" of {id}")).unwrap_or_default();
    let waits = format!("; overdue mails, notices, credit flags and debits{whose} are held back until it comes");
    match feed.when_missing {
        WhenMissing::GoOn => String::new(),
        WhenMissing::Hold => waits,
        WhenMissing::Stop => format!("{waits}, and no day is closed"),
    }
}

/// Returns the exception about a row that has waited too long. A row about money has had its own exception since it
/// came.
fn waits_too_long(row: &WaitingRow) -> Option<NewException> {
    if row.kind.is_money() {
        return None;
    }
    let (kind, order, since) = (&row.kind, &row.order_id, row.opened_on);
    let message = format!("order {order} has not been seen; the row of {kind} has waited for it since {since}");
    Some(NewException {
        row_key: row.row_key.clone(),
        order_id: row.order_id.clone(),
        source: Source { file_no: row.file_no, line: row.line },
        ..NewException::new(row.code, message)
    })
}
