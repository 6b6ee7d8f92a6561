//! Files in remote folders. They are fetched into the spool before a day's files are taken, and moved or deleted in the
//! remote folder once their bytes are safe here; `sending` sends answers and reports. Every step can be interrupted and
//! repeated.
//!
//! When an inbox can't be reached, a marker file is written to its spool. While the marker exists, no day is sealed,
//! because the inbox may hold files of that day. A folder that can't be written to delays nothing: files wait in
//! `sending/`.

mod sending;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;

pub use self::sending::{queue_answers, queue_reports, send_reports};
use super::environment::Environment;
use crate::domain::intake::code::ExceptionCode;
use crate::files::atomic;
use crate::files::inbox::{self, Refused};
use crate::files::remote::spool::{Note, Spool};
use crate::files::remote::{Entry, MOST_BYTES, RemoteError, Session};
use crate::scheme::{Afterwards, Feed, Inbox, Scheme, Slice, Unreachable};
use crate::store::exceptions::{self, NewException};
use crate::store::{Tx, files};

/// The waits between attempts when a folder can't be reached.
const TRY_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// The marker file in the spool of an inbox that could not be reached.
const UNREACHABLE: &str = ".unreachable";

/// The error of files that could not be sent. They wait for the next run; nothing else waits for them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(String);

/// The result of fetching from the remote inboxes of a slice.
#[derive(Debug, Default)]
pub struct Looked<'s> {
    pub fetched: i64,
    pub refused: Vec<(&'s Feed, Refused)>,
    /// Feeds whose inboxes could not be reached.
    pub unseen: Vec<&'s Feed>,
    /// The errors of the feeds without which the day can't be closed.
    pub failed: Vec<String>,
}

/// Fetches the files of the day from the remote inboxes of a slice.
pub async fn fetch<'s>(environment: &'s Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Looked<'s>> {
    let mut looked = Looked::default();
    for (feed, inbox, outcome) in look_into_all(environment, slice, today).await {
        let owner = feed.owner.borrowed();
        let mut tx = environment.store.write().await?;
        match outcome {
            Ok(Found { fetched, refused }) => {
                looked.fetched += fetched;
                exceptions::resolve(&mut tx, owner, &[ExceptionCode::InboxUnreachable], &[&feed.name], today).await?;
                leave_word(feed, None)?;
                let scheme = &environment.scheme;
                let new = refused.into_iter().filter(|refused| !is_told_by_another(scheme, feed, inbox, &refused.name));
                looked.refused.extend(new.map(|refused| (feed, refused)));
            }
            Err(RemoteError::Disk(why)) => {
                return Err(why).with_context(|| format!("fetching the files of feed {}", feed.name));
            }
            Err(why) => {
                let words = format!("feed {}: the inbox {} can't be listed: {why}", feed.name, inbox.place);
                tracing::error!(feed = feed.name, place = %inbox.place, %why, "a remote inbox can't be listed");
                looked.unseen.push(feed);
                match inbox.unreachable {
                    Unreachable::Stop => {
                        leave_word(feed, Some(&words))?;
                        looked.failed.push(words);
                    }
                    Unreachable::Exception => {
                        leave_word(feed, None)?;
                        unreachable(&mut tx, feed, inbox, today).await?;
                    }
                }
            }
        }
        tx.commit().await?;
    }
    Ok(looked)
}

/// Looks into the remote inboxes of a slice, machine by machine at the same time. A machine that could not be reached for one inbox is not
/// tried again for the next: each attempt can take half a minute.
async fn look_into_all<'s>(
    environment: &'s Environment,
    slice: Slice<'_>,
    today: NaiveDate,
) -> Vec<(&'s Feed, &'s Inbox, Result<Found, RemoteError>)> {
    let mut by_machine: BTreeMap<String, Vec<(&Feed, &Inbox)>> = BTreeMap::new();
    for (feed, inbox) in remote_of(environment, slice) {
        by_machine.entry(machine(inbox)).or_default().push((feed, inbox));
    }
    let machines = by_machine.into_values().map(async |inboxes| {
        let (mut found, mut gone) = (Vec::new(), None);
        for (feed, inbox) in inboxes {
            let outcome = match &gone {
                Some(why) => Err(RemoteError::NoConnection(String::clone(why))),
                None => persistently(async || look(environment, feed, inbox, today).await).await,
            };
            if let Err(RemoteError::NoConnection(why)) = &outcome {
                gone = Some(why.clone());
            }
            found.push((feed, inbox, outcome));
        }
        found
    });
    futures_util::future::join_all(machines).await.into_iter().flatten().collect()
}

/// The machine of an inbox: its address without the folder.
fn machine(inbox: &Inbox) -> String {
    inbox.place.to_string().split('/').take(3).collect::<Vec<_>>().join("/")
}

/// Returns messages about the files that would be fetched.
pub async fn would_fetch(environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Vec<String>> {
    let mut would = Vec::new();
    for (feed, inbox) in remote_of(environment, slice) {
        let listed = async { inbox.place.open().await?.list().await };
        match listed.await {
            Ok(entries) => {
                let (wanted, refused) = wanted(feed, inbox, &Spool::at(&feed.folder), entries, today)?;
                let words = |entry: Entry| {
                    format!("{}: would be fetched from {} for feed {}", entry.name, inbox.place, feed.name)
                };
                would.extend(wanted.into_iter().map(words));
                would.extend(refused.into_iter().map(|Refused { name, why }| format!("{name}: {why}")));
            }
            Err(why) => would.push(format!("feed {}: the inbox {} can't be listed: {why}", feed.name, inbox.place)),
        }
    }
    Ok(would)
}

/// The errors of inboxes that could not be reached at the last attempt.
pub fn not_looked_into(environment: &Environment) -> Vec<String> {
    remote(&environment.scheme).filter_map(|(feed, _)| fs::read_to_string(feed.folder.join(UNREACHABLE)).ok()).collect()
}

/// Whether a feed's inbox could not be reached at the last attempt.
pub fn is_unseen(feed: &Feed) -> bool {
    feed.remote.is_some() && feed.folder.join(UNREACHABLE).exists()
}

/// Moves or deletes the originals of a slice's files whose bytes are safe here, and sends waiting files. The error is an
/// `Undelivered`.
pub async fn hand_back_and_send(environment: &Environment, slice: Slice<'_>) -> Result<()> {
    let mut failed = Vec::new();
    for (feed, inbox) in remote_of(environment, slice) {
        if let Err(why) = persistently(async || hand_back(environment, feed, inbox).await).await {
            let place = &inbox.place;
            failed.push(format!("feed {}: files that were taken are still in the inbox {place}: {why}", feed.name));
        }
    }
    failed.extend(sending::send_answers(environment, slice).await);
    undelivered(failed)
}

/// Sends answers that an interrupted run left behind after all its files were taken.
pub async fn send_answers_left(environment: &Environment) -> Result<()> {
    let mut failed = Vec::new();
    for slice in environment.scheme.slices() {
        failed.extend(sending::send_answers(environment, slice).await);
    }
    undelivered(failed)
}

pub fn undelivered(failed: Vec<String>) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    Err(Undelivered(failed.join("\n")).into())
}

fn remote(scheme: &Scheme) -> impl Iterator<Item = (&Feed, &Inbox)> {
    scheme.feeds.iter().filter_map(|feed| Some((feed, feed.remote.as_ref()?)))
}

fn remote_of<'s>(environment: &'s Environment, slice: Slice<'_>) -> impl Iterator<Item = (&'s Feed, &'s Inbox)> {
    remote(&environment.scheme).filter(move |(feed, _)| slice.has(feed))
}

/// Repeats an operation while the remote folder is unreachable. The operation must be safe to repeat.
async fn persistently<T>(mut once: impl AsyncFnMut() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
    for wait in TRY_AGAIN_AFTER {
        match once().await {
            Err(RemoteError::Unreachable(why) | RemoteError::NoConnection(why)) => {
                tracing::warn!(why, "a remote folder can't be reached; trying again");
            }
            done => return done,
        }
        tokio::time::sleep(wait).await;
    }
    once().await
}

struct Found {
    fetched: i64,
    refused: Vec<Refused>,
}

async fn look(environment: &Environment, feed: &Feed, inbox: &Inbox, today: NaiveDate) -> Result<Found, RemoteError> {
    let spool = open_spool(feed)?;
    let session = inbox.place.open().await?;
    let (mut wanted_now, refused) = wanted(feed, inbox, &spool, session.list().await?, today)?;
    // The sender's marker says that a file is complete.
    let may_grow = inbox.place.shows_half_files() && inbox.done.is_none();
    if !wanted_now.is_empty() && may_grow && !inbox.settle.is_zero() {
        // The other machine's clock may be wrong, so a file's age is not used: the file must look the same twice.
        tokio::time::sleep(inbox.settle).await;
        let now: HashMap<String, Entry> =
            session.list().await?.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        wanted_now.retain(|entry| now.get(&entry.name) == Some(entry));
    }
    let mut fetched = 0;
    for entry in wanted_now {
        (environment.progress)(&format!("{today} fetching {}", entry.name));
        let part = spool.part_of(&entry.name);
        let got = session.fetch(&entry, &mut File::create(&part)?).await;
        if got.is_err() {
            fs::remove_file(&part)?;
        }
        match got {
            Ok(()) => {
                spool.arrived(&entry.name, &entry.stamp)?;
                fetched += 1;
            }
            // The sender is still writing the file, or removed it.
            Err(why @ RemoteError::Changed(_)) => {
                tracing::warn!(feed = feed.name, %why, "a file was not fetched; the next run fetches it")
            }
            Err(why) => return Err(why),
        }
    }
    Ok(Found { fetched, refused })
}

/// The files to fetch for the day, in the order of their names, and those that will never be fetched.
fn wanted(
    feed: &Feed,
    inbox: &Inbox,
    spool: &Spool,
    entries: Vec<Entry>,
    today: NaiveDate,
) -> Result<(Vec<Entry>, Vec<Refused>), RemoteError> {
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    let done = inbox.done.as_deref();
    let markers: HashSet<String> = match done {
        Some(ending) => {
            entries.iter().map(|entry| &entry.name).filter(|name| name.ends_with(ending)).cloned().collect()
        }
        None => HashSet::new(),
    };
    let most = MOST_BYTES.min(feed.packing.limits.bytes);
    for entry in entries {
        let name = match inbox::valid_name(OsStr::new(&entry.name)) {
            Ok(name) => name,
            Err(why) => {
                refused.extend(why);
                continue;
            }
        };
        let Some(in_name) = feed.pattern.matches(&name).filter(|_| !markers.contains(&name)) else { continue };
        if done.is_some_and(|ending| !markers.contains(&format!("{name}{ending}"))) {
            continue;
        }
        let bytes = entry.stamp.bytes;
        if let Some(why) = entry.not_a_file {
            refused.push(Refused { name, why });
        } else if bytes > most {
            let why = format!("has {bytes} bytes, but at most {most} are fetched; have it sent in parts");
            refused.push(Refused { name, why });
        } else if in_name.date.is_none_or(|date| date <= today)
            // Another file of the same name waits until this one is taken.
            && !spool.has(&name)
            && spool.note(&name)?.is_none_or(|note| note.stamp != entry.stamp)
        {
            wanted.push(entry);
        }
    }
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    refused.sort();
    Ok((wanted, refused))
}

/// Whether a feed that is configured before this one finds the same refused file in the same folder, and reports it.
fn is_told_by_another(scheme: &Scheme, feed: &Feed, inbox: &Inbox, name: &str) -> bool {
    let here = inbox.place.to_string();
    let mut before = remote(scheme).take_while(|(other, _)| other.name != feed.name);
    before.any(|(other, at)| {
        at.place.to_string() == here
            && at.done == inbox.done
            && other.packing.limits.bytes <= feed.packing.limits.bytes
            && other.finds(name)
    })
}

/// Moves or deletes the originals of files that were taken. It only touches originals that have not changed since they
/// were fetched and whose exact bytes are filed here.
async fn hand_back(environment: &Environment, feed: &Feed, inbox: &Inbox) -> Result<(), RemoteError> {
    if inbox.afterwards == Afterwards::Keep {
        return Ok(());
    }
    let spool = open_spool(feed)?;
    let gone = spool.gone()?;
    if gone.is_empty() {
        return Ok(());
    }
    let session = &inbox.place.open().await?;
    for name in gone {
        let note = spool.note(&name)?;
        if let Some(note) = note
            && is_filed(environment, feed, &name, &note.sha256).await?
            && session.stat(&name).await?.as_ref() == Some(&note.stamp)
        {
            // The note is kept, and the original is tried again at the next run.
            if is_wanted_elsewhere(environment, feed, inbox, &name, &note)? {
                continue;
            }
            let free = free_name(session, &name).await?;
            // The marker is moved first: a marker without its file would declare the next file of that name complete.
            if let Some(ending) = &inbox.done {
                let marker = format!("{name}{ending}");
                if session.stat(&marker).await?.is_some() {
                    put_away(session, inbox, &marker, &format!("{free}{ending}")).await?;
                }
            }
            put_away(session, inbox, &name, &free).await?;
        }
        spool.forget(&name)?;
    }
    Ok(())
}

/// Whether another feed of the same folder has not fetched a file yet, or keeps its files there.
fn is_wanted_elsewhere(
    environment: &Environment,
    feed: &Feed,
    inbox: &Inbox,
    name: &str,
    fetched: &Note,
) -> Result<bool, RemoteError> {
    let here = inbox.place.to_string();
    for (other, at) in remote(&environment.scheme) {
        let takes = other.name != feed.name && at.place.to_string() == here && other.pattern.matches(name).is_some();
        if takes
            && (at.afterwards == Afterwards::Keep || Spool::at(&other.folder).note(name)?.as_ref() != Some(fetched))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn put_away(session: &Session, inbox: &Inbox, name: &str, free: &str) -> Result<(), RemoteError> {
    match inbox.afterwards {
        Afterwards::Archive => session.rename(name, free).await,
        Afterwards::Delete => session.remove(name).await,
        Afterwards::Keep => Ok(()),
    }
}

fn open_spool(feed: &Feed) -> Result<Spool, RemoteError> {
    Spool::open(&feed.folder).map_err(|why| match why.kind() {
        io::ErrorKind::WouldBlock => {
            RemoteError::Unreachable("another paylater is fetching from it just now".to_owned())
        }
        _ => RemoteError::Disk(why),
    })
}

/// Whether the archive or quarantine holds exactly these bytes.
async fn is_filed(environment: &Environment, feed: &Feed, name: &str, sha256: &str) -> Result<bool, RemoteError> {
    let look = async {
        let mut tx = environment.store.read().await?;
        files::named(&mut tx, &feed.name, name).await
    };
    let files = look.await.map_err(|why| RemoteError::Disk(io::Error::other(format!("{why:#}"))))?;
    Ok(files.iter().any(|file| file.filed && file.sha256 == sha256))
}

/// Returns a free name in the remote archive.
async fn free_name(session: &Session, name: &str) -> Result<String, RemoteError> {
    let mut free = format!("archive/{name}");
    for number in 2.. {
        if session.stat(&free).await?.is_none() {
            break;
        }
        free = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("archive/{stem}.{number}.{extension}"),
            None => format!("archive/{name}.{number}"),
        };
    }
    Ok(free)
}

fn leave_word(feed: &Feed, words: Option<&str>) -> Result<()> {
    let path = feed.folder.join(UNREACHABLE);
    let left = match words {
        Some(words) => fs::create_dir_all(&feed.folder).and_then(|()| atomic::write(&path, words.as_bytes())),
        None if path.exists() => fs::remove_file(&path),
        None => Ok(()),
    };
    left.with_context(|| format!("writing {}", path.display()))
}

/// Opens an exception about an inbox, unless one is open.
async fn unreachable(tx: &mut Tx, feed: &Feed, inbox: &Inbox, today: NaiveDate) -> Result<()> {
    let owner = feed.owner.borrowed();
    if exceptions::open_about(tx, owner, ExceptionCode::InboxUnreachable, &[&feed.name]).await?.is_empty() {
        let message = format!("the inbox {} can't be listed", inbox.place);
        let row_key = feed.name.clone();
        let exception = NewException { row_key, ..NewException::new(ExceptionCode::InboxUnreachable, message) };
        exceptions::open(tx, owner, today, &[exception]).await?;
    }
    Ok(())
}
