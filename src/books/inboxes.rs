//! The state of the inbox folders: whether they exist, and whether they contain files of later days. `ingest_files`
//! reads them.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::remote;
use crate::scheme::{Feed, Slice};

/// Returns messages about a slice's local inbox folders that are missing. Their files belong to the day too.
pub fn gone(environment: &Environment, slice: Slice<'_>) -> Vec<String> {
    let gone = environment.scheme.feeds_of(slice).filter(|feed| is_gone(feed));
    gone.map(|feed| {
        format!(
            "feed {}: the inbox {} does not exist; mount its disk, or create the folder",
            feed.name,
            feed.folder.display()
        )
    })
    .collect()
}

/// Whether a feed's folder on this machine is missing.
pub fn is_gone(feed: &Feed) -> bool {
    feed.remote.is_none() && !feed.folder.is_dir()
}

/// Returns the merchants with an inbox for payments that could not be read.
pub fn money_unseen(environment: &Environment) -> Vec<&str> {
    let unseen = |feed: &&Feed| feed.kind.reports_payments() && (is_gone(feed) || remote::is_unseen(feed));
    environment.scheme.feeds.iter().filter(unseen).flat_map(|feed| merchants(environment, feed)).collect()
}

/// Returns the merchants whose inboxes contain payment files of a later day than the open one. It is unknown whether a
/// remote inbox has some, so it counts as if it does.
pub fn money_to_come(environment: &Environment, today: NaiveDate) -> Result<Vec<&str>> {
    let mut to_come = Vec::new();
    for feed in environment.scheme.feeds.iter().filter(|feed| feed.kind.reports_payments()) {
        let is_there = match (&feed.remote, feed.folder.is_dir()) {
            (Some(_), _) => feed.pattern.has_date(),
            (None, true) => has_later(feed, today)?,
            (None, false) => false,
        };
        if is_there {
            to_come.extend(merchants(environment, feed));
        }
    }
    Ok(to_come)
}

fn has_later(feed: &Feed, today: NaiveDate) -> Result<bool> {
    let listing = || format!("listing the inbox {}", feed.folder.display());
    for entry in std::fs::read_dir(&feed.folder).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name();
        let date = name.to_str().and_then(|name| feed.pattern.matches(name)?.date);
        if date.is_some_and(|date| date > today) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the merchants that a feed concerns.
fn merchants<'s>(environment: &'s Environment, feed: &'s Feed) -> impl Iterator<Item = &'s str> {
    let all = environment.scheme.merchants.iter().map(|merchant| merchant.id.as_str());
    all.filter(|id| feed.concerns(id))
}
