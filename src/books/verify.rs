//! Proves the books again: the store against damage, every order against its facts, every file against its rows, every
//! balance against the journal, every sealed day's rows against the fingerprints in its seal, and every sealed day's
//! files against the books and the disk. It changes nothing.

use anyhow::Result;
use chrono::NaiveDate;

use super::day_folders::{self, manifest};
use super::environment::Environment;
use super::reconciliation::{Books, render};
use super::sealed_days::{self, Finding};
use super::{policy_versions, proof, recheck};
use crate::domain::calendar::plus;
use crate::domain::words::count;
use crate::store::scheme::SealedDay;
use crate::store::{self, Tx, files, fingerprints, is_of_store, scheme};

/// What was verified, and the problems found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Verified {
    /// Orders decided again; 0 if only some days are verified.
    pub orders: i64,
    pub days: i64,
    /// Reports made again.
    pub files: i64,
    /// Journal entries in these reports.
    pub entries: i64,
    /// Balances compared with the journal.
    pub balances: i64,
    /// Fingerprints of rows compared.
    pub fingerprints: i64,
    /// Files that came, whose rows were accounted for.
    pub input_files: i64,
    pub input_rows: i64,
    /// Days that were sealed before seals had fingerprints and have not been proved again since.
    pub days_without_fingerprint: i64,
    pub problems: Vec<String>,
}

impl Verified {
    fn found(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.problems.extend(findings.into_iter().map(|finding| finding.to_string()));
    }
}

/// The days to verify: all sealed days, or those from..=to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

impl Range {
    fn is_everything(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    fn has(self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// Verifies the days of a range. The chain of seals is always verified as a whole, orders only with all days.
pub async fn run(environment: &Environment, range: Range) -> Result<Verified> {
    let mut verified = Verified::default();
    let damage = store::damage(&environment.store).await?;
    verified.problems.extend(damage.iter().map(|what| format!("the store is damaged: {what}")));
    // The folders are listed first: a day that is sealed and published meanwhile is then in the books that are read
    // afterwards.
    let folders = day_folders::days_below(&environment.scheme.home)?;
    let mut tx = environment.store.read().await?;
    for slice in environment.scheme.slices() {
        if let Err(changed) = policy_versions::check(&mut tx, environment, slice).await {
            verified.problems.push(format!("{changed:#}"));
        }
    }
    let days = scheme::days(&mut tx).await?;
    let sealed = scheme::sealed_days(&mut tx).await?;
    verified.found(sealed_days::chain(days.as_ref(), &sealed, &folders));
    let Some(last) = sealed.last() else { return Ok(verified) };
    verified.found(sealed_days::strays(&mut tx, environment, plus(last.business_date, 1)).await?);
    if range.is_everything() {
        verify_orders(&mut tx, environment, last.business_date, &mut verified).await?;
    }
    let in_range: Vec<&SealedDay> = sealed.iter().filter(|day| range.has(day.business_date)).collect();
    for (done, day) in in_range.iter().enumerate() {
        let (date, of) = (day.business_date, count(in_range.len(), "day"));
        (environment.progress)(&format!("verifying {date}: {done} of {of} done"));
        verify_day(&mut tx, environment, day, &mut verified).await?;
        verified.days += 1;
    }
    Ok(verified)
}

/// Decides every order again as of the end of the last sealed day, and compares the results with the journal and the
/// positions.
async fn verify_orders(tx: &mut Tx, environment: &Environment, day: NaiveDate, verified: &mut Verified) -> Result<()> {
    for merchant in &environment.scheme.merchants {
        let verifying = tx.part(async |tx| verify_orders_of(tx, environment, &merchant.id, day, verified).await);
        match verifying.await? {
            Ok(()) => {}
            Err(why) if is_of_store(&why) => return Err(why),
            Err(why) => verified.problems.push(format!("{}: {why:#}", merchant.id)),
        }
    }
    Ok(())
}

async fn verify_orders_of(
    tx: &mut Tx,
    environment: &Environment,
    id: &str,
    day: NaiveDate,
    verified: &mut Verified,
) -> Result<()> {
    verified.found(recheck::sums(tx, id, day).await?);
    let (mut after, mut findings) = (String::new(), Vec::new());
    while let Some(page) = recheck::page(tx, environment, id, day, &after, &mut findings).await? {
        after = page.last;
        verified.orders += page.orders;
        verified.found(findings.drain(..));
        (environment.progress)(&format!("verifying {id}: {}", count(verified.orders, "order")));
    }
    Ok(())
}

/// Verifies a sealed day: its rows are those that were sealed, its balances follow from the journal, its files from the
/// books, its seal from both, and its published files are unchanged.
async fn verify_day(tx: &mut Tx, environment: &Environment, day: &SealedDay, verified: &mut Verified) -> Result<()> {
    let date = day.business_date;
    let kept = fingerprints::kept(tx, date).await?;
    verified.days_without_fingerprint += i64::from(kept.is_empty());
    verified.fingerprints += kept.iter().map(|(_, parts)| length(parts)).sum::<i64>();
    verified.found(sealed_days::rows(tx, date, &kept).await?);
    for file in files::between(tx, date, date).await? {
        let mut lines = Vec::new();
        proof::rows_accounted_for(tx, &file, &mut lines).await?;
        verified.input_files += 1;
        verified.input_rows += file.counts.rows;
        verified.problems.extend(lines.iter().map(|line| format!("{date}: {line}")));
    }
    let problems = &mut verified.problems;
    let rendered = match tx.part(async |tx| render(tx, environment, date, Books::Sealed, None).await).await? {
        Ok(rendered) => rendered,
        Err(why) if is_of_store(&why) => return Err(why),
        Err(why) => {
            problems.push(format!("{date}: its files can't be made again: {why:#}"));
            return Ok(());
        }
    };
    for (merchant, sums) in &rendered.merchants {
        proof::adds_up(merchant, sums, problems);
        verified.balances += length(&sums.balances());
        if sums.balances() != scheme::balances(tx, merchant, date).await? {
            problems.push(format!("{date} {merchant}: the sealed balances are not what the journal gives"));
        }
    }
    let details = rendered.files.iter().filter(|file| file.name.ends_with("_detail.csv"));
    verified.entries += details.map(|file| file.rows).sum::<i64>();
    let manifest = manifest(tx, day).await?;
    for file in &manifest.files {
        let again = rendered.files.iter().find(|written| written.name == file.name);
        if again.is_none_or(|written| written.sha256 != file.sha256) {
            problems.push(format!("{date}: made again, {} is not what was sealed", file.name));
        }
        verified.files += 1;
    }
    if rendered.files.len() != manifest.files.len() {
        problems.push(format!(
            "{date}: sealed with {}, but {} follow from the books",
            count(manifest.files.len(), "file"),
            rendered.files.len()
        ));
    }
    let folder = day_folders::folder_of(&environment.scheme, date);
    // A day has no folder between its seal and the next `write_reconciliation`.
    if day.published && !folder.is_dir() {
        problems
            .push(format!("{date}: {} is gone; `paylater job write_reconciliation` makes it again", folder.display()));
    }
    verified.found(sealed_days::files(environment, day, &manifest)?);
    Ok(())
}

fn length<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}
