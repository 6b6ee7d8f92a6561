//! The sealed reports of a merchant as files: where they were published or, if they are not there or not as they were sealed,
//! made again in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use super::day_folders::{folder_of, manifest};
use super::environment::Environment;
use super::reconciliation::{Books, render_merchant};
use crate::files::reports::{ManifestFile, sha256_of};
use crate::store::Tx;
use crate::store::scheme::{self, SealedDay};

/// A sealed report.
pub struct SealedReport {
    /// Such as `detail`.
    pub kind: String,
    pub day: NaiveDate,
    pub path: PathBuf,
    /// What the manifest says of it.
    pub file: ManifestFile,
}

/// Returns the days from..=to that were sealed with a merchant.
pub async fn days_with(tx: &mut Tx, merchant: &str, (from, to): (NaiveDate, NaiveDate)) -> Result<Vec<SealedDay>> {
    let mut days = Vec::new();
    for day in scheme::sealed_days(tx).await? {
        let is_in = (from..=to).contains(&day.business_date);
        if is_in && scheme::merchants_of_day(tx, day.business_date).await?.iter().any(|sealed| sealed == merchant) {
            days.push(day);
        }
    }
    Ok(days)
}

/// Returns a merchant's reports of a day. Reports that must be made again are written below `temporary`.
pub async fn of_day(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &str,
    day: &SealedDay,
    temporary: &Path,
) -> Result<Vec<SealedReport>> {
    let date = day.business_date;
    let start = format!("{merchant}_{date}_");
    let kind = |name: &str| name.strip_prefix(&start)?.strip_suffix(".csv").map(str::to_owned);
    let files = manifest(tx, day).await?.files.into_iter().filter_map(|file| Some((kind(&file.name)?, file)));
    let files: Vec<(String, ManifestFile)> = files.collect();
    let is_as_sealed = |folder: &Path, file: &ManifestFile| {
        sha256_of(&folder.join(&file.name)).is_ok_and(|found| found == file.sha256)
    };
    let mut folder = folder_of(&environment.scheme, date);
    if !files.iter().all(|(_, file)| is_as_sealed(&folder, file)) {
        folder = temporary.join(date.to_string());
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let settings = scheme::settings_of_day(tx, date).await?;
        render_merchant(tx, environment, merchant, date, Books::Sealed, &settings, Some(&folder)).await?;
        if let Some((_, file)) = files.iter().find(|(_, file)| !is_as_sealed(&folder, file)) {
            bail!("{}, made again, is not what was sealed; run `paylater verify --from {date} --to {date}`", file.name);
        }
    }
    let report =
        |(kind, file): (String, ManifestFile)| SealedReport { kind, day: date, path: folder.join(&file.name), file };
    Ok(files.into_iter().map(report).collect())
}
