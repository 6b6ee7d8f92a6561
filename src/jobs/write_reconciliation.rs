//! Puts out the files of sealed days. The manifest is written last, and the day's folder gets its name only then, so
//! that nobody sees half a day.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;

use super::close_day::staged_folder;
use super::reconciliation::{Books, render};
use super::{Done, Scheme, places};
use crate::files::atomic;
use crate::files::reports::{Manifest, ManifestFile, MissingMerchant, sha256};
use crate::store::Tx;
use crate::store::scheme::{self, Missing, SealedDay, SealedFile};

pub async fn run(scheme: &Scheme) -> Result<Done> {
    let waiting = waiting(scheme).await?;
    for day in &waiting {
        publish(scheme, day).await.with_context(|| format!("putting out the files of {}", day.business_date))?;
    }
    let answers = places::send_answers_left(scheme).await;
    places::send_reports(scheme).await?;
    answers?;
    Ok(Done(vec![("days put out", i64::try_from(waiting.len()).unwrap_or(i64::MAX))]))
}

pub async fn dry_run(scheme: &Scheme) -> Result<Vec<String>> {
    let waiting = waiting(scheme).await?;
    Ok(waiting.iter().map(|day| format!("{}: its files would be put out", day.business_date)).collect())
}

/// Sealed days whose files are not out: not yet, or not any more.
async fn waiting(scheme: &Scheme) -> Result<Vec<SealedDay>> {
    let mut tx = scheme.store.read().await?;
    let mut days = scheme::sealed_days(&mut tx).await?;
    let reconciliation = scheme.config.home.join("reconciliation");
    days.retain(|day| !day.published || !reconciliation.join(day.business_date.to_string()).exists());
    Ok(days)
}

/// What the manifest of a sealed day says.
pub async fn manifest(tx: &mut Tx, day: &SealedDay) -> Result<Manifest> {
    let files = scheme::sealed_files(tx, day.business_date).await?;
    let file = |file: SealedFile| {
        let totals = serde_json::from_str(&file.totals).context("sealed totals")?;
        Ok(ManifestFile { name: file.name, rows: file.row_count, totals, sha256: file.sha256 })
    };
    Ok(Manifest {
        business_date: day.business_date,
        sequence: day.sequence,
        files: files.into_iter().map(file).collect::<Result<_>>()?,
        missing: scheme::missing(tx, day.business_date).await?.into_iter().map(missing_merchant).collect(),
        previous_seal: day.previous_seal.clone(),
        seal: day.seal.clone(),
    })
}

pub fn missing_merchant(missing: Missing) -> MissingMerchant {
    MissingMerchant { merchant_id: missing.merchant_id, reason: missing.reason }
}

async fn publish(scheme: &Scheme, day: &SealedDay) -> Result<()> {
    let reconciliation = scheme.folder("reconciliation")?;
    let staged = staged_folder(&reconciliation, day.business_date);
    let folder = reconciliation.join(day.business_date.to_string());
    let mut tx = scheme.store.write().await?;
    let manifest = manifest(&mut tx, day).await?;
    if !folder.exists() {
        if !is_whole(&staged, &manifest) {
            render_again(&mut tx, scheme, day.business_date, &staged, &manifest).await?;
        }
        atomic::write(&staged.join("manifest.json"), &manifest.to_bytes())?;
        atomic::rename(&staged, &folder)?;
    }
    places::queue_reports(scheme, &folder, day.business_date).context("having the reports sent")?;
    scheme::published(&mut tx, day.business_date).await?;
    tx.commit().await
}

/// Whether a folder has all of a day's files with the bytes that were sealed.
fn is_whole(folder: &Path, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| fs::read(folder.join(&file.name)).is_ok_and(|bytes| sha256(&bytes) == file.sha256))
}

async fn render_again(tx: &mut Tx, scheme: &Scheme, day: NaiveDate, staged: &Path, manifest: &Manifest) -> Result<()> {
    fs::create_dir_all(staged)?;
    render(tx, scheme, day, Books::Sealed, Some(staged)).await?;
    ensure!(is_whole(staged, manifest), "made again, the files of {day} are not those that were sealed; run verify");
    Ok(())
}
