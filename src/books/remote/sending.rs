//! Sends the answers to files, and the reports of a day, to remote folders. Final files are queued in `sending/`; those
//! that can't be sent wait for the next run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::{persistently, undelivered};
use crate::books::environment::Environment;
use crate::files::remote::send_queue;
use crate::files::remote::{RemoteError, RemoteFolder};
use crate::scheme::{Feed, Slice};

/// The last file of a day's reports.
const MANIFEST: &str = "manifest.json";

/// Queues the answers to a file once they have their final names.
pub fn queue_answers(environment: &Environment, feed: &Feed, folder: &Path, kept_as: &str) -> io::Result<()> {
    if feed.outbox.is_none() {
        return Ok(());
    }
    for suffix in ["rejects.csv", "ack.csv"] {
        send_queue::add(&answers_of(environment, feed), &folder.join(format!("{kept_as}.{suffix}")))?;
    }
    Ok(())
}

/// Queues a day's reports once they are published.
pub fn queue_reports(environment: &Environment, folder: &Path, day: NaiveDate) -> io::Result<()> {
    if environment.scheme.reports.is_none() {
        return Ok(());
    }
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    fs::create_dir_all(reports_of(environment))?;
    send_queue::add_folder(&reports_of(environment).join(day.to_string()), &files)
}

/// Sends the queued answers of a slice. Returns the errors of those that could not be sent.
pub(super) async fn send_answers(environment: &Environment, slice: Slice<'_>) -> Vec<String> {
    let mut failed = Vec::new();
    for feed in environment.scheme.feeds_of(slice) {
        let Some(place) = &feed.outbox else { continue };
        if let Err(why) = persistently(async || send(place, &answers_of(environment, feed), "").await).await {
            failed.push(format!("feed {}: acknowledgements can't be sent to {place}: {why}", feed.name));
        }
    }
    failed
}

/// Sends queued reports day by day, each day's manifest last. The error is an `Undelivered`.
pub async fn send_reports(environment: &Environment) -> Result<()> {
    let Some(place) = &environment.scheme.reports else { return Ok(()) };
    for day in send_queue::list(&reports_of(environment), "").context("listing the reports to send")? {
        let folder = reports_of(environment).join(&day);
        let sent = persistently(async || {
            send(place, &folder, &format!("{day}/")).await?;
            Ok(fs::remove_dir(&folder)?)
        });
        if let Err(why) = sent.await {
            return undelivered(vec![format!("the reports of {day} can't be sent to {place}: {why}")]);
        }
    }
    Ok(())
}

/// Sends the files queued in a folder, and deletes each once it has arrived.
async fn send(place: &RemoteFolder, folder: &Path, below: &str) -> Result<(), RemoteError> {
    let waiting = send_queue::list(folder, MANIFEST)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let session = place.open().await?;
    for name in waiting {
        let path = folder.join(&name);
        session.put(&format!("{below}{name}"), &mut File::open(&path)?).await?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn answers_of(environment: &Environment, feed: &Feed) -> PathBuf {
    environment.scheme.home.answers_to_send(&feed.name)
}

fn reports_of(environment: &Environment) -> PathBuf {
    environment.scheme.home.reports_to_send()
}
