//! Makes the files of a sealed day again, in another folder, from the books as they were known then. They have the bytes that
//! were sealed, or none is kept.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use super::day_folders::manifest;
use super::environment::Environment;
use super::reconciliation::{Books, render, render_merchant};
use crate::files::atomic;
use crate::files::reports::{Manifest, ManifestFile, Written};
use crate::store::Tx;
use crate::store::scheme::{self, SealedDay};

/// Returns a sealed day, or says which days are sealed.
pub async fn sealed_day(tx: &mut Tx, day: NaiveDate) -> Result<SealedDay> {
    let sealed = scheme::sealed_days(tx).await?;
    if let Some(found) = sealed.iter().find(|sealed| sealed.business_date == day) {
        return Ok(found.clone());
    }
    match (sealed.first(), sealed.last()) {
        (Some(first), Some(last)) => {
            bail!("{day} is not sealed; the sealed days are {} to {}", first.business_date, last.business_date)
        }
        _ => bail!("{day} is not sealed; no day is"),
    }
}

/// Writes the files of a sealed day and its manifest into a folder that exists, and returns those files: all, or a
/// merchant's.
pub async fn write(
    tx: &mut Tx,
    environment: &Environment,
    day: &SealedDay,
    merchant: Option<&str>,
    folder: &Path,
) -> Result<(Manifest, Vec<ManifestFile>)> {
    let date = day.business_date;
    let manifest = manifest(tx, day).await?;
    let written: Vec<Written> = match merchant {
        None => render(tx, environment, date, Books::Sealed, Some(folder)).await?.files,
        Some(id) => {
            if !scheme::merchants_of_day(tx, date).await?.iter().any(|sealed| sealed == id) {
                bail!("{date} was sealed without {id}; its manifest.json says why, if it was a merchant then");
            }
            let settings = scheme::settings_of_day(tx, date).await?;
            render_merchant(tx, environment, id, date, Books::Sealed, &settings, Some(folder)).await?.1
        }
    };
    let is_same = |file: &ManifestFile, made: &Written| file.name == made.name && file.sha256 == made.sha256;
    let differing: Vec<&str> = written
        .iter()
        .filter(|made| !manifest.files.iter().any(|file| is_same(file, made)))
        .map(|made| made.name.as_str())
        .collect();
    let is_short = merchant.is_none() && written.len() != manifest.files.len();
    if !differing.is_empty() || is_short {
        for made in &written {
            fs::remove_file(folder.join(&made.name)).with_context(|| format!("removing {}", made.name))?;
        }
        bail!(
            "made again, these files of {date} are not what was sealed, and were removed: {}; run `paylater verify --from \
             {date} --to {date}`",
            differing.join(", ")
        );
    }
    atomic::write(&folder.join("manifest.json"), &manifest.to_bytes()).context("writing manifest.json")?;
    let files = manifest.files.iter().filter(|file| written.iter().any(|made| is_same(file, made)));
    let files = files.cloned().collect();
    Ok((manifest, files))
}
