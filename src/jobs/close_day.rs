//! Proves the books of the open day, seals it, and opens the next. If they don't add up it stops, says where, and seals
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;

use super::ingest_files::inboxes_gone;
use super::proof::{self, BrokenBooks};
use super::reconciliation::{Books, Rendered, render};
use super::sealed_days::{self, Finding, Tampered};
use super::{Done, Scheme, held_back, orders_again, places, reference_rates, watch_feeds};
use crate::clock;
use crate::config::Clock;
use crate::domain::calendar::plus;
use crate::files::outgoing::{ManifestFile, seal};
use crate::store::scheme::{SealedDay, SealedFile};
use crate::store::{Tx, fingerprints, scheme};

/// Refuses a day that is not over.
pub fn ensure_over(scheme: &Scheme, today: NaiveDate) -> Result<()> {
    let wall = clock::now().with_timezone(&scheme.config.zone).date_naive();
    let over = scheme.config.clock == Clock::Business || today < wall;
    ensure!(over, "{today} is not over yet; a business day is closed once it is");
    Ok(())
}

pub async fn run(scheme: &Scheme, today: NaiveDate) -> Result<Done> {
    ensure_over(scheme, today)?;
    let staged = staged_folder(&scheme.folder("reconciliation")?, today);
    if staged.exists() {
        fs::remove_dir_all(&staged).with_context(|| format!("clearing {}", staged.display()))?;
    }
    fs::create_dir_all(&staged).with_context(|| format!("making {}", staged.display()))?;
    let mut tx = scheme.store.write().await?;
    let again = sealed_days::prove_again(&mut tx, scheme).await?;
    ensure_untouched(today, &again.findings)?;
    watch_feeds::at_close(&mut tx, scheme, today).await?;
    if let Err(stopped) = held_back::refuse_if_stopped(&mut tx, scheme, today).await {
        // What is missing is listed all the same.
        tx.commit().await?;
        return Err(stopped);
    }
    let rendered = prove(&mut tx, scheme, today, Some(&staged)).await?;
    if let Some(until) = again.until {
        let (rounds, findings) = orders_again::go_round(&mut tx, scheme, today, until).await?;
        ensure_untouched(today, &findings)?;
        for round in &rounds {
            fingerprints::save_round(&mut tx, round).await?;
        }
    }
    again.record(&mut tx, today).await?;
    let files = i64::try_from(rendered.files.len()).unwrap_or(i64::MAX);
    let day = seal_day(&mut tx, scheme, today, rendered).await?;
    tx.commit().await?;
    tracing::info!(day = %today, sequence = day.sequence, seal = day.seal, "day sealed");
    Ok(Done(vec![("days sealed", 1), ("files sealed", files)]))
}

/// Refuses to seal a day on top of books that were changed.
fn ensure_untouched(today: NaiveDate, findings: &[Finding]) -> Result<()> {
    if findings.is_empty() { Ok(()) } else { Err(Tampered { day: today, findings: findings.to_vec() }.into()) }
}

pub async fn dry_run(scheme: &Scheme, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = scheme.store.read().await?;
    let again = sealed_days::prove_again(&mut tx, scheme).await?;
    if let Err(tampered) = ensure_untouched(today, &again.findings) {
        return Ok(vec![format!("{today} would not be sealed: {tampered:#}")]);
    }
    let line = match prove(&mut tx, scheme, today, None).await {
        Ok(rendered) => format!("{today} adds up and would be sealed with {} files", rendered.files.len()),
        Err(broken) => format!("{today} would not be sealed: {broken:#}"),
    };
    Ok(vec![line])
}

/// Where a day's files wait between its seal and their publication.
pub fn staged_folder(reconciliation: &Path, day: NaiveDate) -> PathBuf {
    reconciliation.join(format!(".{day}.part"))
}

async fn prove(tx: &mut Tx, scheme: &Scheme, today: NaiveDate, folder: Option<&Path>) -> Result<Rendered> {
    let mut lines = places::not_looked_into(scheme);
    lines.extend(inboxes_gone(scheme));
    proof::nothing_left(tx, scheme, today, &mut lines).await?;
    let rendered = render(tx, scheme, today, Books::Open, folder).await?;
    for (merchant, sums) in &rendered.merchants {
        proof::adds_up(merchant, sums, &mut lines);
    }
    if lines.is_empty() { Ok(rendered) } else { Err(BrokenBooks { day: today, lines }.into()) }
}

async fn seal_day(tx: &mut Tx, scheme: &Scheme, today: NaiveDate, rendered: Rendered) -> Result<SealedDay> {
    for (merchant, sums) in &rendered.merchants {
        scheme::save_balances(tx, merchant, today, &sums.balances(), sums.last_entry_no).await?;
    }
    reference_rates::keep(tx, scheme, today).await?;
    let before = scheme::last_sealed(tx).await?;
    if let Some(before) = &before {
        let expected = plus(before.business_date, 1);
        ensure!(expected == today, "the day after {} is {expected}, not {today}", before.business_date);
    }
    let (sequence, previous_seal) = before.map_or((1, String::new()), |before| (before.sequence + 1, before.seal));
    let files: Vec<ManifestFile> = rendered.files.into_iter().map(ManifestFile::from).collect();
    let seal = seal(&previous_seal, today, sequence, &files);
    let day = SealedDay { business_date: today, sequence, previous_seal, seal, published: false };
    let mut sealed = Vec::with_capacity(files.len());
    for file in files {
        let totals = serde_json::to_string(&file.totals).context("totals as JSON")?;
        sealed.push(SealedFile { name: file.name, row_count: file.rows, totals, sha256: file.sha256 });
    }
    scheme::seal(tx, &day, &sealed, &scheme.config.buckets, plus(today, 1)).await?;
    sealed_days::keep(tx, today).await?;
    Ok(day)
}
