//! Takes files in: finds them, checks each as a whole, and records its rows chunk by chunk. The rows, the position in
//! the file and the lengths of the acknowledgement are written in one transaction, so that an interruption neither
//! loses nor repeats a row.

mod answers;
mod arrival;
mod bills;
pub mod by_hand;
mod chunk;
mod correction_intake;
mod corrections;
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
mod waiting_rows;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use self::taking::take;
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::remote;
use crate::books::{self, policy_versions};
use crate::domain::intake::status::FileStatus;
use crate::files::read::{reader, source};
use crate::store::files::{self, Counts};

/// Files in which too many rows were rejected. Their valid rows count, and no day waits for the rejected ones.
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
        retry::go_on(environment, today, &file)
            .await
            .with_context(|| format!("continuing with {}, which was partly read", file.name))?;
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
        environment.keep_going()?;
        let reading = || format!("reading {} file {}", feed.kind.name(), found.path.display());
        if let Some(file) = take(environment, feed, &found, today, None).await.with_context(reading)? {
            files += 1;
            quarantined += i64::from(file.status == FileStatus::Quarantined);
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
            "{}\nfiles from the other inboxes were taken; no day is closed until every inbox can be read",
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
