//! Publishes the files of sealed days: one folder for the whole scheme. The manifest is written last, and only then does the day's folder get its final
//! name, so that no reader sees an incomplete day.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;

use crate::books::day_folders::{folder_of, manifest, staged_folder};
use crate::books::done::Done;
use crate::books::environment::{Environment, made};
use crate::books::reconciliation::{Books, render};
use crate::books::remote;
use crate::files::atomic;
use crate::files::reports::{Manifest, sha256_of};
use crate::store::Tx;
use crate::store::scheme::{self, SealedDay};

pub async fn run(environment: &Environment) -> Result<Done> {
    let waiting = waiting(environment).await?;
    for day in &waiting {
        publish(environment, day).await.with_context(|| format!("publishing the files of {}", day.business_date))?;
    }
    let answers = remote::send_answers_left(environment).await;
    remote::send_reports(environment).await?;
    answers?;
    Ok(Done(vec![("days put out", i64::try_from(waiting.len()).unwrap_or(i64::MAX))]))
}

pub async fn dry_run(environment: &Environment) -> Result<Vec<String>> {
    let waiting = waiting(environment).await?;
    Ok(waiting.iter().map(|day| format!("{}: its files would be published", day.business_date)).collect())
}

/// Returns the sealed days whose files are not published yet, or are gone.
async fn waiting(environment: &Environment) -> Result<Vec<SealedDay>> {
    let mut tx = environment.store.read().await?;
    let mut days = scheme::sealed_days(&mut tx).await?;
    let folder = |day: &SealedDay| folder_of(&environment.scheme, day.business_date);
    days.retain(|day| !day.published || !folder(day).exists());
    // While the archive is away, nobody knows which days are in it.
    if let Some(archive) = environment.scheme.archived_reports.as_ref().filter(|archive| !archive.is_dir()) {
        let unknown = days.iter().filter(|day| day.published).count();
        if unknown > 0 {
            tracing::warn!(archive = %archive.display(), days = unknown, "the archive of reports is not there; days without a folder are not written again");
        }
        days.retain(|day| !day.published);
    }
    Ok(days)
}

async fn publish(environment: &Environment, day: &SealedDay) -> Result<()> {
    let reconciliation = made(environment.scheme.home.reconciliation())?;
    let staged = staged_folder(&reconciliation, day.business_date);
    let folder = reconciliation.join(day.business_date.to_string());
    let mut tx = environment.store.write().await?;
    let manifest = manifest(&mut tx, day).await?;
    if !folder.exists() {
        if !is_whole(&staged, &manifest) {
            render_again(&mut tx, environment, day.business_date, &staged, &manifest).await?;
        }
        atomic::write(&staged.join("manifest.json"), &manifest.to_bytes())?;
        atomic::rename(&staged, &folder)?;
    }
    remote::queue_reports(environment, &folder, day.business_date).context("queueing the reports to be sent")?;
    scheme::published(&mut tx, day.business_date).await?;
    tx.commit().await
}

/// Whether a folder has all files of a day with the bytes that were sealed.
fn is_whole(folder: &Path, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| sha256_of(&folder.join(&file.name)).is_ok_and(|sha256| sha256 == file.sha256))
}

async fn render_again(
    tx: &mut Tx,
    environment: &Environment,
    day: NaiveDate,
    staged: &Path,
    manifest: &Manifest,
) -> Result<()> {
    fs::create_dir_all(staged)?;
    render(tx, environment, day, Books::Sealed, Some(staged)).await?;
    ensure!(
        is_whole(staged, manifest),
        "the files of {day}, rendered again, differ from those that were sealed; run `paylater verify`"
    );
    Ok(())
}
