//! Takes in files: finds them, makes sure of each as a whole, and records its rows chunk by chunk. Rows, the place
//! reached in the file and the lengths of the acknowledgement are one transaction, so a stop loses nothing and
//! repeats nothing.

mod answers;
mod arrival;
mod bills;
pub mod by_hand;
mod corrections;
mod facts;
mod filing;
mod inboxes;
mod orders;
mod other_keys;
mod outcome;
mod pending;
pub mod preview;
mod reading;
mod records;
mod results;
pub mod retry;
mod staying;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use self::reading::Chunk;
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::remote;
use crate::books::{self, policy_versions};
use crate::files::inbox::Found;
use crate::files::read::{reader, source};
use crate::scheme::{Feed, Merchant};
use crate::store::files::{self, Counts, RecordedFile};
use crate::store::{Tx, exceptions};

/// Files of which too many rows were rejected. What is right of them counts, and no day waits for the others.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RowsRejected(String);

pub async fn run(environment: &Environment, today: NaiveDate) -> Result<Done> {
    let mut tx = environment.store.read().await?;
    let unfiled = files::unfiled(&mut tx).await?;
    let cut_off = retry::cut_off(&mut tx).await?;
    policy_versions::check(&mut tx, environment).await?;
    environment.scheme.check_calendars(today)?;
    drop(tx);
    filing::finish(environment, unfiled, today).await?;

    for file in cut_off {
        retry::go_on(environment, today, &file).await.with_context(|| format!("going on with {}", file.name))?;
    }

    let mut looked = remote::fetch(environment, today).await?;
    let (mut files, mut quarantined) = (0, 0);
    let mut rejected = Vec::new();
    let mut counts = Counts::default();
    let mut arrived = inboxes::look(environment, today).await?;
    arrived.refused.append(&mut looked.refused);
    looked.unseen.append(&mut arrived.gone);
    let refused = inboxes::report(environment, &arrived.refused, &looked.unseen, today).await?;
    let mut fresh = staying::Fresh::default();
    for (feed, found) in arrived.files {
        let reading = || format!("reading {} file {}", feed.kind.name(), found.path.display());
        if let Some(file) = take(environment, feed, &found, today, None).await.with_context(reading)? {
            files += 1;
            quarantined += i64::from(file.status == "quarantined");
            counts.add(&file.counts);
            rejected.extend(file.message.filter(|_| file.code.as_deref() == Some(arrival::ROWS_REJECTED)));
        }
        if staying::may_stay(environment, feed, &found.name) {
            fresh.note(environment, feed, &found).await?;
        }
    }
    fresh.store(environment).await?;
    let sent = remote::hand_back_and_send(environment).await;
    let gone = books::inboxes::gone(environment);
    if !looked.failed.is_empty() || !gone.is_empty() {
        let unseen: Vec<String> = looked.failed.into_iter().chain(gone).collect();
        bail!(
            "{}\nfiles from elsewhere were taken; no day is closed without a look into every inbox",
            unseen.join("\n")
        );
    }
    sent?;
    if !rejected.is_empty() {
        return Err(RowsRejected(rejected.join("\n")).into());
    }
    Ok(Done(vec![
        ("fetched", looked.fetched),
        ("files", files),
        ("rows", counts.rows),
        ("accepted", counts.accepted),
        ("declined", counts.declined),
        ("duplicate", counts.duplicate),
        ("conflict", counts.conflict),
        ("pending", counts.pending),
        ("rejected", counts.rejected),
        ("quarantined", quarantined),
        ("refused", refused),
    ]))
}

pub async fn dry_run(environment: &Environment, today: NaiveDate) -> Result<Vec<String>> {
    let arrived = inboxes::look(environment, today).await?;
    let mut would = remote::would_fetch(environment, today).await?;
    would.extend(arrived.refused.iter().map(|(_, refused)| format!("{}: {}", refused.name, refused.why)));
    for (feed, found) in arrived.files {
        let examined = match reader::examine(&feed.delivery(&found)) {
            Err(why) if source::is_changed(&why) => continue,
            examined => examined?,
        };
        let mut tx = environment.store.read().await?;
        if staying::is_settled(&mut tx, environment, feed, &found.name, &examined.sha256).await? {
            continue;
        }
        let taken = files::taken_with_bytes(&mut tx, merchant_of(feed), feed.kind.name(), &examined.sha256).await?;
        would.push(match (taken, &examined.trust) {
            (Some(file), _) if file.status == "taken" => {
                format!(
                    "{}: the same bytes as {}, taken on {}; nothing to do",
                    found.name, file.name, file.business_date
                )
            }
            (_, Err(distrust)) => format!("{}: would be quarantined: {}", found.name, distrust.message),
            (_, Ok(())) => format!("{}: {} would be read for feed {}", found.name, feed.kind.name(), feed.name),
        });
    }
    Ok(would)
}

/// Takes a file in, or goes on with it; `retry_of`: one that is tried again. None: it is one that lies where it lay before.
async fn take(
    environment: &Environment,
    feed: &Feed,
    found: &Found,
    today: NaiveDate,
    retry_of: Option<i64>,
) -> Result<Option<RecordedFile>> {
    let examined = match reader::examine(&feed.delivery(found)) {
        Err(why) if source::is_changed(&why) => {
            tracing::warn!(file = found.name, "still being written to; left for the next run");
            return Ok(None);
        }
        examined => examined?,
    };
    if retry_of.is_none() {
        give_up_exchanged(environment, feed, found, &examined.sha256, today).await?;
    }
    let mut tx = environment.store.write().await?;
    if retry_of.is_none() && staying::is_settled(&mut tx, environment, feed, &found.name, &examined.sha256).await? {
        if feed.remote.is_some() {
            // It was fetched a second time; the first lies in the archive.
            std::fs::remove_file(&found.path)?;
        }
        return Ok(None);
    }
    let same = files::taken_with_bytes(&mut tx, merchant_of(feed), feed.kind.name(), &examined.sha256).await?;
    if let Some(file) = same.as_ref().filter(|file| file.status == "reading") {
        let theirs = (file.feed.as_str(), file.name.as_str());
        if theirs == (feed.name.as_str(), found.name.as_str()) {
            drop(tx);
            tracing::info!(file = found.name, after_line = file.last_line, "going on with a file");
            return reading::read(environment, feed, found, file.clone(), today).await.map(Some);
        }
    }
    let (mut file, again) = claim(&mut tx, feed, found, &examined.sha256, today).await?;
    file.retry_of = retry_of;
    let opened = match (&same, &examined.trust) {
        (Some(same), _) => {
            file.status = "duplicate".to_owned();
            let message = format!("the same bytes as {} of {}; nothing was taken again", same.name, same.business_date);
            (file.code, file.message) = (Some("FILE_DUPLICATE".to_owned()), Some(message));
            None
        }
        (None, Err(distrust)) => {
            file.status = "quarantined".to_owned();
            let message = format!("{}: {}; none of its rows count", found.name, distrust.message);
            (file.code, file.message) = (Some(distrust.code.to_owned()), Some(message.clone()));
            Some(exceptions::NewException {
                code: distrust.code.to_owned(),
                source: crate::domain::facts::source::Source { file_no: file.file_no, line: 0 },
                message,
                ..exceptions::NewException::default()
            })
        }
        (None, Ok(())) => {
            (file.code, file.message) = again.map(|message| ("FILE_NAME_AGAIN".to_owned(), message)).unzip();
            None
        }
    };
    exceptions::open(&mut tx, &file.merchant_id, today, opened.as_slice()).await?;
    arrival::note(&mut tx, feed, &file, today).await?;
    tx.commit().await?;
    if file.status == "reading" {
        return reading::read(environment, feed, found, file, today).await.map(Some);
    }
    tracing::warn!(file = found.name, code = file.code, "file not taken");
    filing::file_away(environment, file.clone(), Some(found)).await?;
    Ok(Some(file))
}

/// Lets go of a file that was half read when another was put in its place.
async fn give_up_exchanged(
    environment: &Environment,
    feed: &Feed,
    found: &Found,
    sha256: &str,
    today: NaiveDate,
) -> Result<()> {
    let mut tx = environment.store.read().await?;
    let named = files::named(&mut tx, &feed.name, &found.name).await?;
    drop(tx);
    for file in named.into_iter().filter(|file| file.status == "reading" && file.sha256 != sha256) {
        filing::give_up(environment, file, today).await?;
    }
    Ok(())
}

/// A file's row; and if one of its name was taken before, what to say about it.
async fn claim(
    tx: &mut Tx,
    feed: &Feed,
    found: &Found,
    sha256: &str,
    today: NaiveDate,
) -> Result<(RecordedFile, Option<String>)> {
    let earlier = files::named(tx, &feed.name, &found.name).await?;
    let kept_as = free_name(tx, feed, &found.name, earlier.len() + 1).await?;
    let was_taken = |file: &&RecordedFile| matches!(file.status.as_str(), "taken" | "interrupted");
    let taken = earlier.iter().rev().find(was_taken).filter(|before| before.sha256 != sha256);
    let again = taken.map(|before| {
        let (name, on) = (&found.name, before.business_date);
        format!(
            "{name} came before, on {on}, with other bytes; this one is kept as {kept_as}, its rows count by their keys"
        )
    });
    let (file_no, sha256) = (files::next_number(tx).await?, sha256.to_owned());
    Ok((RecordedFile { file_no, kept_as, sha256, ..new_file(feed, found, today) }, again))
}

/// The row of a file of which nothing is known yet but that it was found.
fn new_file(feed: &Feed, found: &Found, today: NaiveDate) -> RecordedFile {
    RecordedFile {
        file_no: 0,
        feed: feed.name.clone(),
        kind: feed.kind.name().to_owned(),
        provider: feed.provider().to_owned(),
        merchant_id: merchant_of(feed).to_owned(),
        name: found.name.clone(),
        kept_as: String::new(),
        sha256: String::new(),
        business_date: today,
        dated_on: found.date,
        number: found.number,
        retry_of: None,
        status: "reading".to_owned(),
        filed: false,
        code: None,
        message: None,
        last_line: 0,
        ack_bytes: 0,
        rejects_bytes: 0,
        counts: Counts::default(),
    }
}

/// The name that a file is kept under: its own, or with a number if one of that name is there, so that both are kept.
async fn free_name(tx: &mut Tx, feed: &Feed, name: &str, mut number: usize) -> Result<String> {
    loop {
        let free = match (number, name.rsplit_once('.')) {
            (1, _) => name.to_owned(),
            (n, Some((stem, extension))) => format!("{stem}.{n}.{extension}"),
            (n, None) => format!("{name}.{n}"),
        };
        // A name like that of a reason is left to the reason.
        if !free.ends_with(filing::REASON) && !files::is_kept_as(tx, &feed.name, &free).await? {
            return Ok(free);
        }
        number += 1;
    }
}

fn feed_of<'s>(environment: &'s Environment, file: &RecordedFile) -> Result<&'s Feed> {
    let feed = environment.scheme.feed(&file.feed);
    feed.with_context(|| format!("{} came by feed {}, which is no longer configured", file.name, file.feed))
}

fn merchant_of(feed: &Feed) -> &str {
    feed.merchant.as_deref().unwrap_or_default()
}

fn merchant<'s>(environment: &'s Environment, feed: &Feed) -> Result<&'s Arc<Merchant>> {
    environment.scheme.merchant(merchant_of(feed)).with_context(|| format!("feed {} has no merchant", feed.name))
}
