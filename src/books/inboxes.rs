//! The inboxes as folders: whether they are there, and whether a file of a later day is in them. `ingest_files` reads them.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Scheme;
use crate::config::Feed;

/// Folders here that are not there, in words: whatever lies in them belongs to the day as well.
pub fn gone(scheme: &Scheme) -> Vec<String> {
    let gone = scheme.config.feeds.iter().filter(|feed| is_gone(feed));
    gone.map(|feed| {
        format!(
            "feed {}: the inbox {} is not there; mount its disk, or make the folder",
            feed.name,
            feed.folder.display()
        )
    })
    .collect()
}

/// Whether the folder of a feed on this machine is missing.
pub fn is_gone(feed: &Feed) -> bool {
    feed.remote.is_none() && !feed.folder.is_dir()
}

/// Merchants in whose inboxes there are files with news of money that belong to a later day than the open one.
pub fn money_to_come(scheme: &Scheme, today: NaiveDate) -> Result<Vec<&str>> {
    let mut merchants = Vec::new();
    for feed in scheme.config.feeds.iter().filter(|feed| feed.kind.tells_who_paid() && feed.folder.is_dir()) {
        let looking = || format!("looking into the inbox {}", feed.folder.display());
        let mut is_there = false;
        for entry in std::fs::read_dir(&feed.folder).with_context(looking)? {
            let name = entry.with_context(looking)?.file_name();
            let date = name.to_str().and_then(|name| feed.pattern.matches(name)?.date);
            is_there |= date.is_some_and(|date| date > today);
        }
        let all = scheme.config.merchants.iter().map(|merchant| merchant.id.as_str());
        merchants.extend(all.filter(|id| is_there && feed.merchant.as_deref().is_none_or(|owner| owner == *id)));
    }
    Ok(merchants)
}
