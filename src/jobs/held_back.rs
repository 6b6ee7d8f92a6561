//! What is held back because a file with news of money has not come. Until it does, nobody knows who has paid: no overdue
//! mail, no notice, no credit flag and no debit goes out for its merchant.
//!
//! A file that was missing on its day stays missing until it comes, or until a person closes its exception. What a day was
//! decided without is kept with the day, since it must come out the same when it is decided again. What was held back
//! falls due again each next day, so that nothing has to be looked for once the file is there.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, Utc};

use super::{Environment, watch_feeds};
use crate::domain::calendar::plus;
use crate::domain::credit::News;
use crate::domain::instruction::Direction;
use crate::scheme::{Feed, WhenMissing};
use crate::store::held_back::{self, MissingFile};
use crate::store::{Tx, exceptions, instructions, orders};

/// A file with news of money that should be there and is not.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'s> {
    pub feed: &'s Feed,
    /// The date in its name.
    pub dated_on: NaiveDate,
    /// The business date on which it should have come.
    pub since: NaiveDate,
}

impl Missing<'_> {
    /// `no file of payments for 2026-03-02 has come (feed tea-payments)`.
    pub fn words(&self) -> String {
        let (kind, feed) = (self.feed.kind.name(), &self.feed.name);
        format!("no file of {kind} for {} has come (feed {feed})", self.dated_on)
    }

    fn to_row(self) -> MissingFile {
        MissingFile { feed: self.feed.name.clone(), dated_on: self.dated_on, since: self.since }
    }
}

/// The missing files of each merchant that something is held back for, by feed and date.
pub type MissingOf<'s> = BTreeMap<&'s str, Vec<Missing<'s>>>;

/// What is missing at a moment of the open day; without a moment, at its end.
pub async fn missing_at<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    today: NaiveDate,
    now: Option<DateTime<Utc>>,
) -> Result<MissingOf<'s>> {
    let feeds = || environment.scheme.feeds.iter().filter(|feed| feed.when_missing != WhenMissing::GoOn);
    let mut missing = Vec::new();
    let mut owners: Vec<&str> = feeds().map(owner).collect();
    owners.sort_unstable();
    owners.dedup();
    for of in owners {
        let open = exceptions::files_missing(tx, of).await?;
        for feed in feeds().filter(|feed| owner(feed) == of) {
            for (key, since) in &open {
                let date = watch_feeds::missing_date(&feed.name, key);
                missing.extend(date.map(|dated_on| Missing { feed, dated_on, since: *since }));
            }
        }
    }
    // Of today's files nobody may have been told yet.
    let unreported = watch_feeds::missing(tx, environment, today, now).await?;
    let unreported = unreported.into_iter().filter(|(feed, _)| feed.when_missing != WhenMissing::GoOn);
    missing.extend(unreported.map(|(feed, dated_on)| Missing { feed, dated_on, since: today }));
    missing.sort_by(|a, b| (&a.feed.name, a.dated_on).cmp(&(&b.feed.name, b.dated_on)));
    let mut by_merchant = MissingOf::new();
    for merchant in &environment.scheme.merchants {
        // What a feed of the whole scheme says concerns every merchant.
        let theirs = missing.iter().filter(|file| file.feed.merchant.as_ref().is_none_or(|id| *id == merchant.id));
        let theirs: Vec<Missing<'_>> = theirs.copied().collect();
        if !theirs.is_empty() {
            by_merchant.insert(&merchant.id, theirs);
        }
    }
    Ok(by_merchant)
}

/// Writes down what the open day is decided without, before its orders are. If that changed since an earlier look at this
/// day, and nothing is missing any more, what was held back until tomorrow is decided today after all.
pub async fn settle(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
    let missing = missing_at(tx, environment, today, None).await?;
    for merchant in &environment.scheme.merchants {
        let found: Vec<MissingFile> =
            missing.get(merchant.id.as_str()).into_iter().flatten().map(|file| file.to_row()).collect();
        let before = held_back::on(tx, &merchant.id, today).await?;
        if before == found {
            continue;
        }
        held_back::set(tx, &merchant.id, today, &found).await?;
        for file in found.iter().filter(|file| !before.contains(file)) {
            let MissingFile { feed, dated_on, .. } = file;
            tracing::warn!(merchant = merchant.id, feed, %dated_on, "held back: a file with news of money is missing");
        }
        if found.is_empty() {
            let tomorrow = plus(today, 1);
            orders::bring_forward(tx, &merchant.id, tomorrow, today).await?;
            instructions::bring_forward(tx, &merchant.id, Direction::Debit, tomorrow, today).await?;
        }
    }
    Ok(())
}

/// Whether a merchant's day is, or was, decided without knowing who has paid.
pub async fn news_on(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<News> {
    let missing = held_back::on(tx, merchant, day).await?;
    Ok(if missing.is_empty() { News::Complete } else { News::Missing })
}

/// Refuses to close a day without files that it must not be closed without.
pub async fn refuse_if_stopped(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
    let missing = missing_at(tx, environment, today, None).await?;
    let stops = |file: &&Missing<'_>| file.feed.when_missing == WhenMissing::Stop;
    let mut lines: Vec<String> = missing.values().flatten().filter(stops).map(Missing::words).collect();
    lines.dedup();
    if lines.is_empty() {
        return Ok(());
    }
    bail!(
        "{today} is not closed as long as these files are missing:\n  {}\nask the sender for them; or, if there will be \
         none, close the exception FILE_MISSING with a reason, or let the feed say when_missing = \"hold\"",
        lines.join("\n  ")
    )
}

/// What `explain` and `status` say of a merchant: since when something is held back, and for which files.
pub fn in_words(missing: &[Missing<'_>]) -> Option<String> {
    let since = missing.iter().map(|file| file.since).min()?;
    let first = missing.iter().min_by_key(|file| (file.since, file.dated_on))?;
    let others = match missing.len() - 1 {
        0 => String::new(),
        1 => ", nor has another file".to_owned(),
        others => format!(", nor have {others} other files"),
    };
    Some(format!(
        "overdue mails, notices, credit flags and debits are held back since {since}: {}{others}",
        first.words()
    ))
}

fn owner(feed: &Feed) -> &str {
    feed.merchant.as_deref().unwrap_or_default()
}
