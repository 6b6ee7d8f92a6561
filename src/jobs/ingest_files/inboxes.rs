//! What has arrived in the inboxes: files whose day has come and that are no longer being written. Anything in an inbox
//! that cannot be taken as a file is reported for as long as it is there.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::staying;
use crate::books::environment::Environment;
use crate::books::inboxes::is_gone;
use crate::clock;
use crate::domain::intake::code::ExceptionCode;
use crate::files::inbox::{self, Found, Refused};
use crate::files::read::source::{Seen, Unreadable};
use crate::scheme::{Feed, Slice};
use crate::store::exceptions::{self, NewException};

/// The contents of the inboxes: files to take, and entries that are refused.
#[derive(Default)]
pub struct Arrivals<'s> {
    /// Sorted in the order in which a day takes them.
    pub files: Vec<(&'s Feed, Found)>,
    pub refused: Vec<(&'s Feed, Refused)>,
    /// Feeds whose folders are missing.
    pub gone: Vec<&'s Feed>,
}

pub async fn look<'s>(environment: &'s Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Arrivals<'s>> {
    let mut arrived = Arrivals::default();
    // The folders for corrections by hand only contain files that an interruption left behind.
    let by_hand = environment.scheme.by_hand.iter().filter(|feed| feed.folder.is_dir());
    for feed in environment.scheme.feeds.iter().chain(by_hand).filter(|feed| slice.has(feed)) {
        let folder = feed.folder.display();
        let looking = || {
            format!(
                "the inbox {folder} of feed {} can't be read; give the user that runs paylater the right to read \
                 and write in it, or name another folder",
                feed.name
            )
        };
        if is_gone(feed) {
            arrived.gone.push(feed);
            continue;
        }
        staying::load(environment, feed).await?;
        let is_known = |name: &str, seen: &Seen| staying::is_dealt_with(environment, feed, name, seen);
        let is_due = |date: Option<NaiveDate>| date.is_none_or(|date| date <= today);
        let looked = inbox::list(&feed.folder, &feed.pattern, feed.done.as_deref(), is_due, is_known);
        let looked = looked.map_err(Unreadable::from).with_context(looking)?;
        arrived.files.extend(looked.found.into_iter().map(|found| (feed, found)));
        let new = looked.refused.into_iter().filter(|refused| !is_told_by_another(environment, feed, &refused.name));
        arrived.refused.extend(new.map(|refused| (feed, refused)));
    }
    // The sort is stable: within a kind, feeds keep the order of the configuration, and files the order of their dates.
    arrived.files.sort_by_key(|(feed, found)| (feed.kind, found.date));
    wait_for_writers(&mut arrived.files).await;
    Ok(arrived)
}

/// Whether a feed that is configured before this one, perhaps of another merchant, finds the same refused entry in the same
/// folder, and reports it.
fn is_told_by_another(environment: &Environment, feed: &Feed, name: &str) -> bool {
    let mut before = environment.scheme.feeds.iter().take_while(|other| other.name != feed.name);
    before.any(|other| other.folder == feed.folder && other.done == feed.done && other.finds(name))
}

/// Waits until recently changed files have been unchanged for the settle time, and leaves out those that still change.
async fn wait_for_writers(files: &mut Vec<(&Feed, Found)>) {
    let now = clock::system_now();
    // The sender's marker says that a file is complete. A file whose change time is in the future counts as changed
    // now.
    let settle = |feed: &Feed| if feed.done.is_some() { Duration::ZERO } else { feed.settle };
    let age = |found: &Found| found.seen.age(now).unwrap_or_default();
    let left = files.iter().filter_map(|(feed, found)| settle(feed).checked_sub(age(found)));
    let waited = match left.max().filter(|left| !left.is_zero()) {
        Some(longest) => {
            let wait = longest + Duration::from_millis(10);
            tokio::time::sleep(wait).await;
            wait
        }
        None => Duration::ZERO,
    };
    files.retain(|(feed, found)| inbox::is_settled(found, settle(feed), age(found), waited));
}

/// Opens one exception for each refused entry in the inboxes of a slice, and resolves the exceptions about entries that are
/// gone, except for feeds whose inboxes could not be read. Returns the number of new exceptions.
pub async fn report(
    environment: &Environment,
    slice: Slice<'_>,
    refused: &[(&Feed, Refused)],
    unseen: &[&Feed],
    today: NaiveDate,
) -> Result<i64> {
    let there: Vec<(String, &Feed, &Refused)> =
        refused.iter().map(|(feed, refused)| (format!("{}/{}", feed.name, refused.name), *feed, refused)).collect();
    let mut tx = environment.store.read().await?;
    let known = exceptions::open_keys(&mut tx, slice.owner(), ExceptionCode::FileRefused).await?;
    drop(tx);
    let new: Vec<_> = there.iter().filter(|(key, ..)| !known.contains(key)).collect();
    let is_unseen =
        |key: &str| unseen.iter().any(|feed| key.split_once('/').is_some_and(|(name, _)| name == feed.name));
    let is_gone = |known: &&str| there.iter().all(|(key, ..)| key != known) && !is_unseen(known);
    let gone: Vec<&str> = known.iter().map(String::as_str).filter(is_gone).collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(0);
    }
    let opened: Vec<NewException> = new.iter().map(|(key, feed, refused)| exception(key, feed, refused)).collect();
    for exception in &opened {
        tracing::warn!(
            code = exception.code.name(),
            why = exception.message,
            "an entry of an inbox can't be taken as a file"
        );
    }
    let mut tx = environment.store.write().await?;
    exceptions::open(&mut tx, slice.owner(), today, &opened).await?;
    exceptions::resolve(&mut tx, slice.owner(), &[ExceptionCode::FileRefused], &gone, today).await?;
    tx.commit().await?;
    Ok(i64::try_from(opened.len()).unwrap_or(i64::MAX))
}

fn exception(key: &str, feed: &Feed, refused: &Refused) -> NewException {
    let message = format!("in the inbox of feed {}: {} {}", feed.name, refused.name, refused.why);
    NewException { row_key: key.to_owned(), ..NewException::new(ExceptionCode::FileRefused, message) }
}
