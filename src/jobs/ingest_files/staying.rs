//! Files that stay in the inbox after a feed has handled them: the feed keeps its files, or another feed takes them
//! too. Each feed reads each file once. Handled files are remembered in memory, and also in the store for feeds that
//! keep thousands of files for years.

use std::collections::HashMap;

use anyhow::Result;

use crate::books::environment::Environment;
use crate::files::inbox::Found;
use crate::files::read::source::Seen;
use crate::scheme::{Feed, Slice};
use crate::store::files::{self, RecordedFile};
use crate::store::{Tx, done_in_inbox};

/// The notes of one run for a slice that are not stored yet, by feed.
pub struct Fresh<'s> {
    slice: Slice<'s>,
    notes: HashMap<&'s str, (&'s Feed, Notes)>,
}

/// File names, each with the file's state when it was handled.
type Notes = Vec<(String, String)>;

/// The number of notes that are stored at once.
const STORED_AT_ONCE: usize = 500;

/// Loads the stored notes of a feed, once for each process.
pub async fn load(environment: &Environment, feed: &Feed) -> Result<()> {
    let is_loaded = environment.kept.lock().is_ok_and(|kept| kept.is_loaded(&feed.name));
    if is_loaded || !feed.keep {
        return Ok(());
    }
    let mut tx = environment.store.read().await?;
    let stored = done_in_inbox::of_feed(&mut tx, feed.owner.borrowed(), &feed.name).await?;
    if let Ok(mut kept) = environment.kept.lock() {
        kept.load(&feed.name, stored);
    }
    Ok(())
}

/// Whether a feed has handled the file in its present state.
pub fn is_dealt_with(environment: &Environment, feed: &Feed, name: &str, seen: &Seen) -> bool {
    environment.kept.lock().is_ok_and(|kept| kept.has(&feed.name, name, seen))
}

impl<'s> Fresh<'s> {
    pub fn of(slice: Slice<'s>) -> Fresh<'s> {
        Fresh { slice, notes: HashMap::new() }
    }

    /// Notes that a feed has handled a file that stays.
    pub async fn note(&mut self, environment: &Environment, feed: &'s Feed, found: &Found) -> Result<()> {
        let seen = found.seen.to_text();
        if let Ok(mut kept) = environment.kept.lock() {
            kept.note(&feed.name, &found.name, seen.clone());
        }
        if !feed.keep {
            return Ok(());
        }
        let (_, notes) = self.notes.entry(&feed.name).or_insert_with(|| (feed, Vec::new()));
        notes.push((found.name.clone(), seen));
        if notes.len() < STORED_AT_ONCE { Ok(()) } else { self.store(environment).await }
    }

    pub async fn store(&mut self, environment: &Environment) -> Result<()> {
        if let Ok(mut kept) = environment.kept.lock() {
            for feed in environment.scheme.feeds_of(self.slice).filter(|feed| !feed.keep) {
                kept.retain(&feed.name, |name| std::fs::symlink_metadata(feed.folder.join(name)).is_ok());
            }
        }
        if self.notes.is_empty() {
            return Ok(());
        }
        let mut tx = environment.store.write().await?;
        for (_, (feed, notes)) in self.notes.drain() {
            done_in_inbox::save(&mut tx, feed.owner.borrowed(), &feed.name, &notes).await?;
        }
        tx.commit().await
    }
}

/// Returns the other feeds that take a file of this name from the same folder.
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

/// Whether a file can stay in the inbox at all.
pub fn may_stay(environment: &Environment, feed: &Feed, name: &str) -> bool {
    feed.keep || others(environment, feed, name).next().is_some()
}

/// Whether a file stays in the inbox when a feed is done with it: the feed or another one keeps its files, or another
/// feed has not taken it yet.
pub async fn stays(tx: &mut Tx, environment: &Environment, feed: &Feed, name: &str, sha256: &str) -> Result<bool> {
    // A fetched file is a local copy and can be moved even if the original stays.
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

/// Whether a file in the inbox stays there and was handled by the feed before.
pub async fn is_settled(tx: &mut Tx, environment: &Environment, feed: &Feed, name: &str, sha256: &str) -> Result<bool> {
    if !may_stay(environment, feed, name) {
        return Ok(false);
    }
    let is_filed = has_filed(&files::named(tx, &feed.name, name).await?, sha256);
    // Once all feeds have taken a file, it is moved; the same file in the inbox after that is a new arrival.
    Ok(is_filed && (feed.keep || stays(tx, environment, feed, name, sha256).await?))
}

fn has_filed(files: &[RecordedFile], sha256: &str) -> bool {
    files.iter().any(|file| file.sha256 == sha256 && file.filed)
}
