//! The folders of sealed days below `reconciliation/`, and the manifest that each has.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use crate::files::reports::{Manifest, ManifestFile, MissingMerchant};
use crate::scheme::{Home, Scheme};
use crate::store::Tx;
use crate::store::scheme::{self, Missing, SealedDay, SealedFile};

/// The folder of a day's files between its seal and their publication.
pub fn staged_folder(reconciliation: &Path, day: NaiveDate) -> PathBuf {
    reconciliation.join(format!(".{day}.part"))
}

/// Returns the folder with a sealed day's files: below `reconciliation/`, or in the archive if it was moved there. Neither may
/// exist.
pub fn folder_of(scheme: &Scheme, day: NaiveDate) -> PathBuf {
    let folder = scheme.home.reports(day);
    match &scheme.archived_reports {
        Some(archive) if !folder.is_dir() && archive.join(day.to_string()).is_dir() => archive.join(day.to_string()),
        _ => folder,
    }
}

/// Returns the days that have a folder in this home's `reconciliation/`.
pub fn days_below(home: &Home) -> Result<BTreeSet<NaiveDate>> {
    let folder = home.reconciliation();
    let reading = || format!("reading {}", folder.display());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(why) => return Err(why).with_context(reading),
    };
    let mut days = BTreeSet::new();
    for entry in entries {
        let entry = entry.with_context(reading)?;
        let day: Option<NaiveDate> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        days.extend(day.filter(|_| entry.path().is_dir()));
    }
    Ok(days)
}

/// Refuses to begin the books if the home already has folders of sealed days: the store was lost, or the configuration
/// names another one.
pub fn refuse_lost_store(scheme: &Scheme) -> Result<()> {
    let folders = days_below(&scheme.home)?;
    let (Some(first), Some(last)) = (folders.first(), folders.last()) else { return Ok(()) };
    bail!(
        "{}/reconciliation has the sealed days {first} to {last}, but the store is empty or gone; put the store back from a \
         backup, or see that store.url names the right one. To begin a new scheme, give it a home of its own",
        scheme.home.path().display()
    )
}

/// Returns the manifest of a sealed day.
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
