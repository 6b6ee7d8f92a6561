//! Files that stay in the inbox although a feed has dealt with them: those of feeds that keep theirs, and those that another feed
//! takes as well. Each is read once by each feed; how it is known again is kept in memory, and in the store for feeds that keep
//! thousands of files for years.

use std::collections::HashMap;

use anyhow::Result;

use super::feeds::merchant_of;
use crate::books::environment::Environment;
use crate::files::inbox::Found;
use crate::files::read::source::Seen;
use crate::scheme::Feed;
use crate::store::files::{self, RecordedFile};
use crate::store::{Tx, done_in_inbox};

/// Notes of one run that are to be stored, by feed.
#[derive(Default)]
pub struct Fresh<'s>(HashMap<&'s str, (&'s Feed, Notes)>);

/// Files by name, as they were seen.
type Notes = Vec<(String, String)>;

/// So many are stored at once.
const STORED_AT_ONCE: usize = 500;

/// Loads what is stored of a feed's files, once for each process.
pub async fn load(environment: &Environment, feed: &Feed) -> Result<()> {
    let is_loaded = environment.kept.lock().is_ok_and(|kept| kept.is_loaded(&feed.name));
    if is_loaded || !feed.keep {
        return Ok(());
    }
    let mut tx = environment.store.read().await?;
    let stored = done_in_inbox::of_feed(&mut tx, merchant_of(feed), &feed.name).await?;
    if let Ok(mut kept) = environment.kept.lock() {
        kept.load(&feed.name, stored);
    }
    Ok(())
}

/// Whether a file was dealt with as it lies there.
pub fn is_dealt_with(environment: &Environment, feed: &Feed, name: &str, seen: &Seen) -> bool {
    environment.kept.lock().is_ok_and(|kept| kept.has(&feed.name, name, seen))
}

impl<'s> Fresh<'s> {
    /// Notes that a feed has dealt with a file that stays.
    pub async fn note(&mut self, environment: &Environment, feed: &'s Feed, found: &Found) -> Result<()> {
        let seen = found.seen.to_text();
        if let Ok(mut kept) = environment.kept.lock() {
            kept.note(&feed.name, &found.name, seen.clone());
        }
        if !feed.keep {
            return Ok(());
        }
        let (_, notes) = self.0.entry(&feed.name).or_insert_with(|| (feed, Vec::new()));
        notes.push((found.name.clone(), seen));
        if notes.len() < STORED_AT_ONCE { Ok(()) } else { self.store(environment).await }
    }

    pub async fn store(&mut self, environment: &Environment) -> Result<()> {
        if let Ok(mut kept) = environment.kept.lock() {
            for feed in environment.scheme.feeds.iter().filter(|feed| !feed.keep) {
                kept.retain(&feed.name, |name| std::fs::symlink_metadata(feed.folder.join(name)).is_ok());
            }
        }
        if self.0.is_empty() {
            return Ok(());
        }
        let mut tx = environment.store.write().await?;
        for (_, (feed, notes)) in self.0.drain() {
            done_in_inbox::save(&mut tx, merchant_of(feed), &feed.name, &notes).await?;
        }
        tx.commit().await
    }
}

/// Other feeds that take a file of this name from the same folder.
pub fn others<'s>(
    environment: &'s Environment,
    feed: &'s Feed,
    name: &'s str,
) -> impl Iterator<Item = &'s Feed> + use<'s> {
    let is_other = move |other: &&Feed| {
        other.name != feed.name
            && other.folder == feed.folder
            && other.remote.is_none()
            && other.done.as_deref().is_none_or(|ending| !name.ends_with(ending))
            && other.pattern.matches(name).is_some()
    };
    environment.scheme.feeds.iter().filter(is_other)
}

/// Whether a file can stay where it lies at all.
pub fn may_stay(environment: &Environment, feed: &Feed, name: &str) -> bool {
    feed.keep || others(environment, feed, name).next().is_some()
}

/// Whether a file stays where it lies when a feed is done with it: that feed or another keeps its files, or another has still to
/// take it.
pub async fn stays(tx: &mut Tx, environment: &Environment, feed: &Feed, name: &str, sha256: &str) -> Result<bool> {
    // What was fetched from elsewhere is ours to move, even if the original stays.
    if feed.remote.is_some() {
        return Ok(false);
    }
    if feed.keep || others(environment, feed, name).any(|other| other.keep) {
        return Ok(true);
    }
    for other in others(environment, feed, name) {
        if !has_filed(&files::named(tx, &other.name, name).await?, sha256) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a file that lies there is one that the feed has dealt with before, and that stays.
pub async fn is_settled(tx: &mut Tx, environment: &Environment, feed: &Feed, name: &str, sha256: &str) -> Result<bool> {
    if !may_stay(environment, feed, name) {
        return Ok(false);
    }
    let is_filed = has_filed(&files::named(tx, &feed.name, name).await?, sha256);
    // What all have taken, and what comes once more after that, is no longer expected to lie there.
    Ok(is_filed && (feed.keep || stays(tx, environment, feed, name, sha256).await?))
}

fn has_filed(files: &[RecordedFile], sha256: &str) -> bool {
    files.iter().any(|file| file.sha256 == sha256 && file.filed)
}
