//! Proves the books of the open day, seals it, and opens the next day. The seal belongs to the scheme and to no merchant: a
//! day has one. A merchant whose books do not add up, or whose part of the close or intake fails, is left out of the seal,
//! and the seal says so. The next seal that includes the merchant covers all days since its last one. If work is left
//! undone, or no merchant's books add up, the job stops, reports where, and seals nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use chrono::NaiveDate;

use crate::books::day_folders::{missing_merchant, staged_folder};
use crate::books::done::Done;
use crate::books::environment::{Environment, made};
use crate::books::held_back::MissingOf;
use crate::books::proof::{self, BrokenBooks, Faults};
use crate::books::reconciliation::{Books, Rendered, render_merchant, render_scheme, settings_of_open_day};
use crate::books::sealed_days::{self, Again, Finding, Tampered};
use crate::books::{expected_files, held_back, inboxes, recheck, reference_rates, remote};
use crate::clock;
use crate::domain::bank::instruction::Direction;
use crate::domain::calendar::plus;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::owner::Owner;
use crate::domain::words::count;
use crate::files::reports::{ManifestFile, MissingMerchant, seal};
use crate::scheme::{Clock, Slice};
use crate::store::exceptions::NewException;
use crate::store::failed_intakes::{self, FailedIntake};
use crate::store::scheme::{Missing, SealedDay, SealedFile};
use crate::store::{Tx, exceptions, fingerprints, instructions, scheme};

/// Refuses to close a day that is not over.
fn ensure_over(environment: &Environment, today: NaiveDate) -> Result<()> {
    let wall = clock::now().with_timezone(&environment.scheme.zone).date_naive();
    let over = environment.scheme.clock == Clock::Business || today < wall;
    ensure!(over, "{today} is not over yet; a business day is closed once it is");
    Ok(())
}

/// Refuses to start a close on books that were changed, or without files that the day requires. Returns the merchants that
/// the close leaves out: their files could not be taken in, or it could not be decided what to hold back for them.
pub async fn begin(environment: &Environment, today: NaiveDate) -> Result<(Again, Faults)> {
    ensure_over(environment, today)?;
    let mut tx = environment.store.write().await?;
    let again = sealed_days::prove_again(&mut tx, environment).await?;
    ensure_untouched(today, &again.findings)?;
    let mut faults = Faults::default();
    failed_intakes(&mut tx, environment, &mut faults).await?;
    let stopped = hold_back(&mut tx, environment, today, &mut faults).await?;
    // The missing files are listed even if the close is refused.
    tx.commit().await?;
    stopped.map(|()| (again, faults))
}

/// Leaves out the merchants whose files could not be taken in. Without the customers and agreements, nothing is sealed.
async fn failed_intakes(tx: &mut Tx, environment: &Environment, faults: &mut Faults) -> Result<()> {
    for FailedIntake { owner, since, reason } in failed_intakes::all(tx).await? {
        let what = format!("ingest_files has failed since {since}: {reason}");
        match owner {
            Owner::Scheme => faults.of_day.push(what),
            Owner::Merchant(id) if environment.scheme.merchant(&id).is_some() => {
                faults.stop_without_files(&id, anyhow!(what))?;
            }
            // A merchant that was taken out of the configuration.
            Owner::Merchant(_) => {}
        }
    }
    Ok(())
}

/// Reports missing files, and decides for each merchant what is held back because of them. Returns the refusal to close the
/// day, if a missing file stops the close.
async fn hold_back(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    faults: &mut Faults,
) -> Result<Result<()>> {
    expected_files::report_at_close(tx, environment, Slice::Scheme, today).await?;
    let mut missing = MissingOf::new();
    for merchant in &environment.scheme.merchants {
        let found = tx.part(async |tx| {
            expected_files::report_at_close(tx, environment, Slice::Merchant(merchant), today).await?;
            held_back::missing_at(tx, environment, merchant, today, None).await
        });
        match found.await? {
            Ok(files) => drop(missing.insert(&merchant.id, files)),
            Err(why) => drop(faults.stop(&merchant.id, why.context(WATCHING))?),
        }
    }
    // A merchant that is left out has no day to wait for.
    let waited_for = missing.iter().filter(|(id, _)| !faults.is_stopped(id)).map(|(id, files)| (*id, files.clone()));
    if let Err(refusal) = held_back::refuse_if_stopped(&waited_for.collect(), today) {
        return Ok(Err(refusal));
    }
    for merchant in &environment.scheme.merchants {
        let Some(files) = missing.get(merchant.id.as_str()) else { continue };
        if let Err(why) = tx.part(async |tx| held_back::settle(tx, merchant, files, today).await).await? {
            faults.stop(&merchant.id, why.context(WATCHING))?;
        }
    }
    Ok(Ok(()))
}

const WATCHING: &str = "deciding what is held back for missing files";

/// Proves the books and seals the day, without the merchants whose part of the close failed.
pub async fn seal_books(environment: &Environment, today: NaiveDate, again: Again, mut faults: Faults) -> Result<Done> {
    let staged = staged_folder(&made(environment.scheme.home.reconciliation())?, today);
    if staged.exists() {
        fs::remove_dir_all(&staged).with_context(|| format!("clearing {}", staged.display()))?;
    }
    fs::create_dir_all(&staged).with_context(|| format!("making {}", staged.display()))?;
    let mut tx = environment.store.write().await?;
    ensure_untouched(today, &sealed_days::strays(&mut tx, environment, today).await?)?;
    if let Some(within) = again.left {
        let until = clock::monotonic() + within;
        for round in &recheck::go_round(&mut tx, environment, today, until, &mut faults).await? {
            fingerprints::save_round(&mut tx, round).await?;
        }
    }
    for merchant in &environment.scheme.merchants {
        let numbered = tx.part(async |tx| {
            let since = scheme::missing_since(tx, &merchant.id, today).await?.unwrap_or(today);
            exceptions::number(tx, Owner::Merchant(&merchant.id), since, today).await
        });
        if let Err(why) = numbered.await? {
            faults.stop(&merchant.id, why.context("numbering its exceptions"))?;
        }
    }
    let (mut rendered, faults) = prove(&mut tx, environment, today, Some(&staged), faults).await?;
    again.record(&mut tx, today).await?;
    leave_out(&mut tx, environment, &faults, today).await?;
    exceptions::number(&mut tx, Owner::Scheme, today, today).await?;
    render_scheme(&mut tx, environment, today, Some(&staged), &mut rendered).await?;
    let files = i64::try_from(rendered.files.len()).unwrap_or(i64::MAX);
    let missing = faults.of_merchants.iter().map(|(id, lines)| (id.clone(), lines.join("\n")));
    let missing: Vec<Missing> = missing.map(|(merchant_id, reason)| Missing { merchant_id, reason }).collect();
    let day = seal_day(&mut tx, environment, today, rendered, missing).await?;
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

pub async fn dry_run(environment: &Environment, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    let again = sealed_days::prove_again(&mut tx, environment).await?;
    if let Err(tampered) = ensure_untouched(today, &again.findings) {
        return Ok(vec![format!("{today} would not be sealed: {tampered:#}")]);
    }
    let mut faults = Faults::default();
    failed_intakes(&mut tx, environment, &mut faults).await?;
    let line = match prove(&mut tx, environment, today, None, faults).await {
        Ok((mut rendered, faults)) if faults.of_merchants.is_empty() => {
            render_scheme(&mut tx, environment, today, None, &mut rendered).await?;
            format!("{today} adds up and would be sealed with {}", count(rendered.files.len(), "file"))
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

/// Returns the files of every merchant whose books add up, and the faults of the others.
async fn prove(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    folder: Option<&Path>,
    mut faults: Faults,
) -> Result<(Rendered, Faults)> {
    faults.of_day.extend(remote::not_looked_into(environment));
    for slice in environment.scheme.slices() {
        faults.of_day.extend(inboxes::gone(environment, slice));
    }
    proof::nothing_left(tx, environment, today, &mut faults).await?;
    let settings = settings_of_open_day(environment, today);
    let mut rendered = Rendered { files: Vec::new(), merchants: Vec::new() };
    for merchant in &environment.scheme.merchants {
        let id = &merchant.id;
        if faults.is_stopped(id) {
            continue;
        }
        let proved = tx.part(async |tx| {
            let (sums, files) = render_merchant(tx, environment, id, today, Books::Open, &settings, folder).await?;
            let lines = proof::merchant(tx, id, &sums, today).await?;
            Ok((sums, files, lines))
        });
        match proved.await? {
            Ok((sums, files, lines)) => {
                faults.add(id, lines);
                if faults.is_whole(id) {
                    rendered.files.extend(files);
                    rendered.merchants.push((id.clone(), sums));
                }
            }
            Err(why) => drop(faults.stop(id, why)?),
        }
        if let Some(folder) = folder.filter(|_| !faults.is_whole(id)) {
            remove_files_of(folder, id, today)?;
        }
    }
    let nobody = rendered.merchants.is_empty() && !faults.of_merchants.is_empty();
    if nobody || !faults.of_day.is_empty() {
        return Err(BrokenBooks { day: today, faults, is_sealed: false }.into());
    }
    Ok((rendered, faults))
}

fn remove_files_of(folder: &Path, merchant: &str, today: NaiveDate) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&format!("{merchant}_{today}_")) {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Opens an exception about each merchant left out of a seal. The instructions of these merchants are not sent with it;
/// their plans are reviewed on the next day.
async fn leave_out(tx: &mut Tx, environment: &Environment, faults: &Faults, today: NaiveDate) -> Result<()> {
    let reported = exceptions::open_keys(tx, Owner::Scheme, ExceptionCode::BooksBroken).await?;
    for merchant in &environment.scheme.merchants {
        let is_reported = reported.contains(&merchant.id);
        match faults.of_merchants.get(&merchant.id) {
            Some(lines) => {
                if !is_reported {
                    let short = faults.in_short(&merchant.id);
                    let message =
                        format!("left out of the seal since {today}, because its {short}: {}", lines.join("; "));
                    let row_key = merchant.id.clone();
                    let exception = NewException { row_key, ..NewException::new(ExceptionCode::BooksBroken, message) };
                    exceptions::open(tx, Owner::Scheme, today, &[exception]).await?;
                }
                for direction in Direction::ALL {
                    instructions::put_off(tx, &merchant.id, direction, today, plus(today, 1)).await?;
                }
            }
            None if is_reported => {
                exceptions::resolve(tx, Owner::Scheme, &[ExceptionCode::BooksBroken], &[&merchant.id], today).await?
            }
            None => {}
        }
    }
    Ok(())
}

async fn seal_day(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    rendered: Rendered,
    missing: Vec<Missing>,
) -> Result<SealedDay> {
    scheme::add_missing(tx, today, &missing).await?;
    for (merchant, sums) in &rendered.merchants {
        scheme::save_balances(tx, merchant, today, &sums.balances(), sums.last_entry_no).await?;
    }
    reference_rates::keep(tx, environment, today).await?;
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
    scheme::seal(tx, &day, &sealed, &settings_of_open_day(environment, today), plus(today, 1)).await?;
    let booked = rendered.merchants.into_iter().map(|(merchant, sums)| (merchant, sums.booked));
    sealed_days::keep(tx, today, booked.collect()).await?;
    Ok(day)
}
