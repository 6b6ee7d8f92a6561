//! What goes out to remote places: the answers to files, and the reports of a day. It is queued in `sending/` when it is
//! final and leaves from there; one that can't be sent waits for the next run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::{persistently, undelivered};
use crate::config::Feed;
use crate::files::remote::send_queue;
use crate::files::remote::{RemoteError, RemoteFolder};
use crate::jobs::Scheme;

/// The last file of a day's reports.
const MANIFEST: &str = "manifest.json";

/// Has the answers to a file sent, once they have their names.
pub fn queue_answers(scheme: &Scheme, feed: &Feed, folder: &Path, kept_as: &str) -> io::Result<()> {
    if feed.outbox.is_none() {
        return Ok(());
    }
    for suffix in ["rejects.csv", "ack.csv"] {
        send_queue::add(&answers_of(scheme, feed), &folder.join(format!("{kept_as}.{suffix}")))?;
    }
    Ok(())
}

/// Has a day's reports sent, once they are out.
pub fn queue_reports(scheme: &Scheme, folder: &Path, day: NaiveDate) -> io::Result<()> {
    if scheme.config.reports.is_none() {
        return Ok(());
    }
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    fs::create_dir_all(reports_of(scheme))?;
    send_queue::add_folder(&reports_of(scheme).join(day.to_string()), &files)
}

/// Sends the answers that wait. Gives back what could not be sent, in words.
pub(super) async fn send_answers(scheme: &Scheme) -> Vec<String> {
    let mut failed = Vec::new();
    for feed in &scheme.config.feeds {
        let Some(place) = &feed.outbox else { continue };
        if let Err(why) = persistently(async || send(place, &answers_of(scheme, feed), "").await).await {
            failed.push(format!("feed {}: acknowledgements can't be sent to {place}: {why}", feed.name));
        }
    }
    failed
}

/// Sends the reports that wait, day by day; each day's manifest when all else is there. The error is an `Undelivered`.
pub async fn send_reports(scheme: &Scheme) -> Result<()> {
    let Some(place) = &scheme.config.reports else { return Ok(()) };
    for day in send_queue::list(&reports_of(scheme), "").context("looking for reports to send")? {
        let folder = reports_of(scheme).join(&day);
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

/// Sends what waits in a folder, and lets go of each file once it is there.
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

fn answers_of(scheme: &Scheme, feed: &Feed) -> PathBuf {
    scheme.config.home.join("sending/acknowledgements").join(&feed.name)
}

fn reports_of(scheme: &Scheme) -> PathBuf {
    scheme.config.home.join("sending/reports")
}
