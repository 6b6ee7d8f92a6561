//! Takes the files of a slice in: finds them, checks each as a whole, and records its rows chunk by chunk. The rows, the position in
//! the file and the lengths of the acknowledgement are written in one transaction, so that an interruption neither
//! loses nor repeats a row.

mod answers;
mod arrival;
mod bills;
pub mod by_hand;
mod chunk;
mod correction_intake;
mod corrections;
mod delivery_failures;
mod fact_intake;
mod facts;
mod feeds;
mod filing;
mod inboxes;
mod orders;
mod origin;
mod other_keys;
mod outcome;
mod pending;
pub mod preview;
mod reading;
mod records;
mod refused_column;
mod results;
pub mod retry;
mod staying;
mod taking;
mod terms;
mod waiting_rows;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use self::taking::take;
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::{self, remote};
use crate::domain::intake::code::FileCode;
use crate::domain::intake::status::FileStatus;
use crate::files::read::{reader, source};
use crate::scheme::Slice;
use crate::store::files::{self, Counts};
use crate::store::{failed_intakes, is_of_store};

/// Files in which too many rows were rejected. Their valid rows count, and no day waits for the rejected ones.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RowsRejected(String);

/// Inboxes that could not be looked into. Files of the day may be in them, so no day is closed before they can be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InboxesUnseen(String);

/// Takes in the files of a slice. If that fails, files that are not taken stay where they are for the next run, and the failure
/// is recorded, so that no day is sealed as if they had been taken.
pub async fn run(environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Done> {
    let taken = take_in(environment, slice, today).await;
    record(environment, slice, today, taken.as_ref().err()).await?;
    taken?.done()
}

/// Records that the intake of a slice failed, or that it does not fail any more. An error of the store concerns no slice.
async fn record(
    environment: &Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    why: Option<&anyhow::Error>,
) -> Result<()> {
    let owner = slice.owner();
    match why {
        Some(why) if is_of_store(why) => return Ok(()),
        Some(why) => {
            let mut tx = environment.store.write().await?;
            failed_intakes::save(&mut tx, owner, today, &format!("{why:#}")).await?;
            tx.commit().await?;
        }
        None => {
            let mut tx = environment.store.read().await?;
            let has_failed = failed_intakes::has_failed(&mut tx, owner).await?;
            drop(tx);
            if has_failed {
                let mut tx = environment.store.write().await?;
                failed_intakes::remove(&mut tx, owner).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(())
}

/// What a run took in, and what it could not do for files that were taken.
struct Taken {
    counts: Counts,
    fetched: i64,
    files: i64,
    quarantined: i64,
    refused: i64,
    /// Why inboxes could not be looked into.
    unseen: Vec<String>,
    /// Why files have too many rejected rows.
    rejected: Vec<String>,
    sent: Result<()>,
}

async fn take_in(environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Taken> {
    resume(environment, slice, today).await?;
    let mut looked = remote::fetch(environment, slice, today).await?;
    let mut arrived = inboxes::look(environment, slice, today).await?;
    arrived.refused.append(&mut looked.refused);
    looked.unseen.append(&mut arrived.gone);
    let refused = inboxes::report(environment, slice, &arrived.refused, &looked.unseen, today).await?;
    let (mut files, mut quarantined) = (0, 0);
    let (mut counts, mut rejected) = (Counts::default(), Vec::new());
    let mut fresh = staying::Fresh::of(slice);
    for (feed, found) in arrived.files {
        environment.keep_going()?;
        let reading = || format!("reading {} file {}", feed.kind.name(), found.path.display());
        if let Some(file) = take(environment, feed, &found, today, None).await.with_context(reading)? {
            files += 1;
            quarantined += i64::from(file.status == FileStatus::Quarantined);
            counts.add(&file.counts);
            rejected.extend(file.message.filter(|_| file.code == Some(FileCode::RowsRejected)));
        }
        if staying::may_stay(environment, feed, &found.name) {
            fresh.note(environment, feed, &found).await?;
        }
    }
    fresh.store(environment).await?;
    let sent = remote::hand_back_and_send(environment, slice).await;
    let unseen = looked.failed.into_iter().chain(books::inboxes::gone(environment, slice)).collect();
    Ok(Taken { counts, fetched: looked.fetched, files, quarantined, refused, unseen, rejected, sent })
}

/// Checks the slice's terms, and continues what an interruption cut off.
async fn resume(environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<()> {
    let mut tx = environment.store.read().await?;
    terms::check(&mut tx, environment, slice, today).await?;
    let unfiled =
        files::unfiled(&mut tx).await?.into_iter().filter(|file| file.owner.borrowed() == slice.owner()).collect();
    let cut_off = retry::cut_off(&mut tx, slice).await?;
    drop(tx);
    filing::finish(environment, unfiled, today).await?;
    for file in cut_off {
        retry::go_on(environment, today, &file).await.with_context(|| format!("continuing with {}", file.name))?;
    }
    Ok(())
}

impl Taken {
    /// Returns the counts, or the most important of what could not be done.
    fn done(self) -> Result<Done> {
        let Taken { counts, fetched, files, quarantined, refused, unseen, rejected, sent } = self;
        if !unseen.is_empty() {
            return Err(InboxesUnseen(unseen.join("\n")).into());
        }
        sent?;
        if !rejected.is_empty() {
            return Err(RowsRejected(rejected.join("\n")).into());
        }
        Ok(Done(vec![
            ("fetched", fetched),
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
}

pub async fn dry_run(environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Vec<String>> {
    let arrived = inboxes::look(environment, slice, today).await?;
    let mut would = remote::would_fetch(environment, slice, today).await?;
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
        let taken = files::taken_with_bytes(&mut tx, feed.owner.borrowed(), feed.kind, &examined.sha256).await?;
        would.push(match (taken, &examined.trust) {
            (Some(file), _) if file.status == FileStatus::Taken => {
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
