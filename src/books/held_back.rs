//! Missing payment files hold back everything that assumes a customer has not paid: until the file comes, its merchant
//! gets no overdue mail, notice, credit flag or debit.
//!
//! A file that was missing on its day stays missing until it comes or a person closes its exception. The store keeps
//! which files each day was decided without, because deciding that day again must give the same result. Work that was
//! held back falls due again on the next day, so no search is needed when the file comes.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, Utc};

use super::environment::Environment;
use super::expected_files;
use crate::domain::bank::instruction::Direction;
use crate::domain::calendar::plus;
use crate::domain::decide::credit::News;
use crate::domain::words::count_with;
use crate::scheme::{Feed, Merchant, Slice, WhenMissing};
use crate::store::held_back::{self, MissingFile};
use crate::store::{Tx, exceptions, instructions, orders};

/// A file about money that is expected and missing.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'s> {
    pub feed: &'s Feed,
    /// The date in its name.
    pub dated_on: NaiveDate,
    /// The business date on which it should have come.
    pub since: NaiveDate,
}

impl Missing<'_> {
    /// Returns a message such as `no file of payments for 2026-03-02 has come (feed tea-payments)`.
    pub fn words(&self) -> String {
        let (kind, feed) = (self.feed.kind.name(), &self.feed.name);
        format!("no file of {kind} for {} has come (feed {feed})", self.dated_on)
    }

    fn to_row(self) -> MissingFile {
        MissingFile { feed: self.feed.name.clone(), dated_on: self.dated_on, since: self.since }
    }
}

/// The missing files of each merchant, by feed and date.
pub type MissingOf<'s> = BTreeMap<&'s str, Vec<Missing<'s>>>;

/// Returns a merchant's files that are missing at a moment of the open day, or at its end if `now` is `None`.
pub async fn missing_at<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    merchant: &Merchant,
    today: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<Vec<Missing<'s>>> {
    let slice = Slice::Merchant(merchant);
    let mut missing = Vec::new();
    let holds = |feed: &&Feed| feed.when_missing != WhenMissing::GoOn;
    let open = exceptions::files_missing(tx, slice.owner()).await?;
    for feed in environment.scheme.feeds_of(slice).filter(holds) {
        for (key, since) in &open {
            let date = expected_files::missing_date(&feed.name, key);
            missing.extend(date.map(|dated_on| Missing { feed, dated_on, since: *since }));
        }
    }
    missing.append(&mut missing_later(tx, environment, merchant, today, now).await?);
    missing.sort_by(|a, b| (&a.feed.name, a.dated_on).cmp(&(&b.feed.name, b.dated_on)));
    Ok(missing)
}

/// Returns a merchant's files of a day that are missing and for which no exception may be open yet, such as those of a later
/// day than the open one.
pub async fn missing_later<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    merchant: &Merchant,
    day: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<Vec<Missing<'s>>> {
    let missing = expected_files::missing_on(tx, environment, Slice::Merchant(merchant), day, now).await?;
    let missing = missing.into_iter().filter(|(feed, _)| feed.when_missing != WhenMissing::GoOn);
    Ok(missing.map(|(feed, dated_on)| Missing { feed, dated_on, since: day }).collect())
}

/// Records which files a merchant's open day is decided without. If an earlier run of this day missed files and the last of
/// them has come, orders and debits that were postponed until tomorrow are decided today.
pub async fn settle(tx: &mut Tx, merchant: &Merchant, missing: &[Missing<'_>], today: NaiveDate) -> Result<()> {
    let found: Vec<MissingFile> = missing.iter().map(|file| file.to_row()).collect();
    let before = held_back::on(tx, &merchant.id, today).await?;
    if before == found {
        return Ok(());
    }
    held_back::set(tx, &merchant.id, today, &found).await?;
    for file in found.iter().filter(|file| !before.contains(file)) {
        let MissingFile { feed, dated_on, .. } = file;
        tracing::warn!(merchant = merchant.id, feed, %dated_on, "held back, because a file that reports payments is missing");
    }
    if found.is_empty() {
        let tomorrow = plus(today, 1);
        orders::bring_forward(tx, &merchant.id, tomorrow, today).await?;
        instructions::bring_forward(tx, &merchant.id, Direction::Debit, tomorrow, today).await?;
    }
    Ok(())
}

/// Whether a merchant's day is, or was, decided without a payment file.
pub async fn news_on(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<News> {
    let missing = held_back::on(tx, merchant, day).await?;
    Ok(if missing.is_empty() { News::Complete } else { News::Missing })
}

/// Refuses to close a day while a file is missing whose feed says `when_missing = "stop"`.
pub fn refuse_if_stopped(missing: &MissingOf<'_>, today: NaiveDate) -> Result<()> {
    let stops = |file: &&Missing<'_>| file.feed.when_missing == WhenMissing::Stop;
    let mut lines: Vec<String> = missing.values().flatten().filter(stops).map(Missing::words).collect();
    lines.dedup();
    if lines.is_empty() {
        return Ok(());
    }
    bail!(
        "{today} can't be closed while these files are missing:\n  {}\nask the sender for them; or, if there will be \
         none, close the exception FILE_MISSING with a reason, or set when_missing = \"hold\" for the feed",
        lines.join("\n  ")
    )
}

/// Returns the sentence that `explain` and `status` show for a merchant: the day since when work is held back, and the
/// missing files.
pub fn in_words(missing: &[Missing<'_>]) -> Option<String> {
    let since = missing.iter().map(|file| file.since).min()?;
    let first = missing.iter().min_by_key(|file| (file.since, file.dated_on))?;
    let others = match missing.len() - 1 {
        0 => String::new(),
        others => format!(", and {} missing", count_with(others, "other file", "are")),
    };
    Some(format!(
        "overdue mails, notices, credit flags and debits are held back since {since}: {}{others}",
        first.words()
    ))
}
