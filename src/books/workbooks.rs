//! Writes Excel workbooks from the sealed reports of a month.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::sealed_reports::{self, SealedReport};
use crate::files::atomic;
use crate::files::exports::workbook::{MonthWorkbook, Sealed, Sheet, Title};
use crate::files::reports::sha256_of;
use crate::scheme::Merchant;
use crate::store::Tx;

/// Reports of what is so at a day's end: of a month, the last day's.
const AT_THE_END: [&str; 3] = ["positions", "exceptions", "limits"];

/// A workbook that was written.
pub struct Workbook {
    pub merchant_id: String,
    pub file: PathBuf,
    pub sha256: String,
    /// The first and last sealed day in it.
    pub days: (NaiveDate, NaiveDate),
    pub sheets: Vec<Sheet>,
}

/// Writes a merchant's workbook for the sealed days from..=to into a folder that exists. Returns `None` if no day was sealed
/// with the merchant.
pub async fn write(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    (from, to): (NaiveDate, NaiveDate),
    folder: &Path,
) -> Result<Option<Workbook>> {
    let temporary = folder.join(format!(".{}_{}.part", merchant.id, to.format("%Y-%m")));
    let written = write_with(tx, environment, merchant, (from, to), folder, &temporary).await;
    match fs::remove_dir_all(&temporary) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound && written.is_ok() => {
            Err(why).with_context(|| format!("removing {}", temporary.display()))
        }
        _ => written,
    }
}

async fn write_with(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    (from, to): (NaiveDate, NaiveDate),
    folder: &Path,
    temporary: &Path,
) -> Result<Option<Workbook>> {
    let id = &merchant.id;
    let mut sources = Vec::new();
    let days = sealed_reports::days_with(tx, id, (from, to)).await?;
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(None) };
    for day in &days {
        (environment.progress)(&format!("workbook of {id}: looking for the reports of {}", day.business_date));
        sources.extend(sealed_reports::of_day(tx, environment, id, day, temporary).await?);
    }
    let is_wanted =
        |source: &SealedReport| !AT_THE_END.contains(&source.kind.as_str()) || source.day == last.business_date;
    sources.retain(is_wanted);
    fs::create_dir_all(temporary).with_context(|| format!("making {}", temporary.display()))?;
    let mut workbook = MonthWorkbook::begin(temporary)?;
    for (kind, columns) in columns(&sources)? {
        workbook.report(&kind, &columns)?;
    }
    for source in &sources {
        (environment.progress)(&format!("workbook of {id}: {} of {}", source.kind, source.day));
        let file = File::open(&source.path).with_context(|| format!("opening {}", source.path.display()))?;
        let sealed = Sealed { rows: source.file.rows, totals: &source.file.totals };
        let added = workbook.add(&source.kind, source.day, BufReader::with_capacity(1 << 16, file), &sealed);
        added.with_context(|| format!("reading {}", source.path.display()))?;
    }
    let file = folder.join(format!("{id}_{}.xlsx", to.format("%Y-%m")));
    let days = (first.business_date, last.business_date);
    let title =
        Title { merchant_id: id, merchant: &merchant.name, scheme: &environment.scheme.name, days, seal: &last.seal };
    let part = atomic::part_of(&file);
    let sheets = workbook.save(&part, &title).with_context(|| format!("writing {}", part.display()))?;
    File::open(&part)?.sync_all()?;
    atomic::rename(&part, &file).with_context(|| format!("writing {}", file.display()))?;
    Ok(Some(Workbook { merchant_id: id.clone(), sha256: sha256_of(&file)?, file, days, sheets }))
}

/// Returns the columns that each report has on any of the days, in the order of the reports' names.
fn columns(sources: &[SealedReport]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        let file = File::open(&source.path).with_context(|| format!("opening {}", source.path.display()))?;
        let mut reader = csv::Reader::from_reader(BufReader::new(file));
        let known = columns.entry(source.kind.clone()).or_default();
        for name in reader.headers().with_context(|| format!("reading {}", source.path.display()))? {
            if !known.iter().any(|known| known == name) {
                known.push(name.to_owned());
            }
        }
    }
    Ok(columns)
}
