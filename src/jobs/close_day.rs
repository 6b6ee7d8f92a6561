//! Proves the books of the open day, seals it, and opens the next. A merchant whose books don't add up is left out of the
//! seal, which says so; the next seal that has the merchant covers the days since the last that had. If work is left
//! undone, or nobody's books add up, it stops, says where, and seals nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;

use super::business_day::run_parts_of_close;
use super::ingest_files::inboxes_gone;
use super::proof::{self, BrokenBooks, Faults};
use super::reconciliation::{Books, Rendered, render_merchant, render_scheme};
use super::sealed_days::{self, Again, Finding, Tampered};
use super::write_reconciliation::missing_merchant;
use super::{Done, Scheme, held_back, orders_again, places, reference_rates, watch_feeds};
use crate::clock;
use crate::config::Clock;
use crate::domain::calendar::plus;
use crate::domain::instruction::Direction;
use crate::files::reports::{ManifestFile, MissingMerchant, seal};
use crate::store::exceptions::NewException;
use crate::store::scheme::{Missing, SealedDay, SealedFile};
use crate::store::{Tx, exceptions, fingerprints, instructions, scheme};

/// Refuses a day that is not over.
pub fn ensure_over(scheme: &Scheme, today: NaiveDate) -> Result<()> {
    let wall = clock::now().with_timezone(&scheme.config.zone).date_naive();
    let over = scheme.config.clock == Clock::Business || today < wall;
    ensure!(over, "{today} is not over yet; a business day is closed once it is");
    Ok(())
}

/// The end of a day: what was sealed is proved again, what the end brings is decided, the books are proved, and sealed.
pub async fn run(scheme: &Scheme, today: NaiveDate) -> Result<Done> {
    ensure_over(scheme, today)?;
    let again = begin(scheme, today).await?;
    run_parts_of_close(scheme, today).await?;
    seal_books(scheme, today, again).await
}

/// Nothing is decided on top of books that were changed, nor without files that the day must not be closed without.
async fn begin(scheme: &Scheme, today: NaiveDate) -> Result<Again> {
    let mut tx = scheme.store.write().await?;
    let again = sealed_days::prove_again(&mut tx, scheme).await?;
    ensure_untouched(today, &again.findings)?;
    watch_feeds::at_close(&mut tx, scheme, today).await?;
    let stopped = held_back::refuse_if_stopped(&mut tx, scheme, today).await;
    // What is missing is listed all the same.
    tx.commit().await?;
    stopped.map(|()| again)
}

async fn seal_books(scheme: &Scheme, today: NaiveDate, again: Again) -> Result<Done> {
    let staged = staged_folder(&scheme.folder("reconciliation")?, today);
    if staged.exists() {
        fs::remove_dir_all(&staged).with_context(|| format!("clearing {}", staged.display()))?;
    }
    fs::create_dir_all(&staged).with_context(|| format!("making {}", staged.display()))?;
    let mut tx = scheme.store.write().await?;
    ensure_untouched(today, &sealed_days::strays(&mut tx, scheme, today).await?)?;
    let mut faults = Faults::default();
    if let Some(within) = again.left {
        let (rounds, findings) = orders_again::go_round(&mut tx, scheme, today, clock::monotonic() + within).await?;
        for finding in findings {
            faults.add(&finding.merchant, vec![finding.to_string()]);
        }
        for round in &rounds {
            fingerprints::save_round(&mut tx, round).await?;
        }
    }
    let (mut rendered, faults) = prove(&mut tx, scheme, today, Some(&staged), faults).await?;
    again.record(&mut tx, today).await?;
    leave_out(&mut tx, scheme, &faults, today).await?;
    render_scheme(&mut tx, scheme, today, Some(&staged), &mut rendered).await?;
    let files = i64::try_from(rendered.files.len()).unwrap_or(i64::MAX);
    let missing = faults.of_merchants.iter().map(|(id, lines)| (id.clone(), lines.join("\n")));
    let missing: Vec<Missing> = missing.map(|(merchant_id, reason)| Missing { merchant_id, reason }).collect();
    let day = seal_day(&mut tx, scheme, today, rendered, missing).await?;
    tx.commit().await?;
    tracing::info!(day = %today, sequence = day.sequence, seal = day.seal, "day sealed");
    if !faults.of_merchants.is_empty() {
        return Err(BrokenBooks { day: today, faults, is_sealed: true }.into());
    }
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
    let line = match prove(&mut tx, scheme, today, None, Faults::default()).await {
        Ok((mut rendered, faults)) if faults.of_merchants.is_empty() => {
            render_scheme(&mut tx, scheme, today, None, &mut rendered).await?;
            format!("{today} adds up and would be sealed with {} files", rendered.files.len())
        }
        Ok((_, faults)) => {
            let lines: Vec<&str> = faults.of_merchants.values().flatten().map(String::as_str).collect();
            let who: Vec<&str> = faults.of_merchants.keys().map(String::as_str).collect();
            format!("{today} would be sealed without {}: {}", who.join(", "), lines.join("; "))
        }
        Err(broken) => format!("{today} would not be sealed: {broken:#}"),
    };
    Ok(vec![line])
}

/// Where a day's files wait between its seal and their publication.
pub fn staged_folder(reconciliation: &Path, day: NaiveDate) -> PathBuf {
    reconciliation.join(format!(".{day}.part"))
}

/// The files of every merchant whose books add up, and what is wrong with the others.
async fn prove(
    tx: &mut Tx,
    scheme: &Scheme,
    today: NaiveDate,
    folder: Option<&Path>,
    mut faults: Faults,
) -> Result<(Rendered, Faults)> {
    faults.of_day.extend(places::not_looked_into(scheme));
    faults.of_day.extend(inboxes_gone(scheme));
    proof::nothing_left(tx, scheme, today, &mut faults).await?;
    let mut rendered = Rendered { files: Vec::new(), merchants: Vec::new() };
    for merchant in &scheme.config.merchants {
        let (id, buckets) = (&merchant.id, &scheme.config.buckets);
        let (sums, files) = render_merchant(tx, scheme, id, today, Books::Open, buckets, folder).await?;
        faults.add(id, proof::merchant(tx, id, &sums, today).await?);
        if faults.is_whole(id) {
            rendered.files.extend(files);
            rendered.merchants.push((id.clone(), sums));
            continue;
        }
        for file in folder.iter().flat_map(|folder| files.iter().map(|file| folder.join(&file.name))) {
            fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        }
    }
    let nobody = rendered.merchants.is_empty() && !faults.of_merchants.is_empty();
    if nobody || !faults.of_day.is_empty() {
        return Err(BrokenBooks { day: today, faults, is_sealed: false }.into());
    }
    Ok((rendered, faults))
}

/// Tells finance who is missing in the seal of a day. What their banks were to be asked for is not sent with it: it is
/// looked at again the next day.
async fn leave_out(tx: &mut Tx, scheme: &Scheme, faults: &Faults, today: NaiveDate) -> Result<()> {
    let told = exceptions::open_keys(tx, "", BROKEN).await?;
    for merchant in &scheme.config.merchants {
        let is_told = told.contains(&merchant.id);
        match faults.of_merchants.get(&merchant.id) {
            Some(lines) => {
                if !is_told {
                    let message = format!("not sealed since {today}, its books do not add up: {}", lines.join("; "));
                    let code = BROKEN.to_owned();
                    let exception = NewException { code, row_key: merchant.id.clone(), message, ..Default::default() };
                    exceptions::open(tx, "", today, &[exception]).await?;
                }
                for direction in Direction::ALL {
                    instructions::put_off(tx, &merchant.id, direction, today, plus(today, 1)).await?;
                }
            }
            None if is_told => exceptions::resolve(tx, "", &[BROKEN], &[&merchant.id], today).await?,
            None => {}
        }
    }
    Ok(())
}

/// The exception about a merchant whose books do not add up.
const BROKEN: &str = "BOOKS_BROKEN";

async fn seal_day(
    tx: &mut Tx,
    scheme: &Scheme,
    today: NaiveDate,
    rendered: Rendered,
    missing: Vec<Missing>,
) -> Result<SealedDay> {
    scheme::add_missing(tx, today, &missing).await?;
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
    let missing: Vec<MissingMerchant> = missing.into_iter().map(missing_merchant).collect();
    let seal = seal(&previous_seal, today, sequence, &files, &missing);
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
