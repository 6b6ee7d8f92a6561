//! Proves the books again: the store against damage, every order from its facts, every file's rows, every balance from the
//! journal, every sealed day's rows against the fingerprint in its seal, its files from the books and against what lies on the
//! disk. It changes nothing.

use anyhow::Result;
use chrono::NaiveDate;

use super::reconciliation::{Books, render};
use super::sealed_days::{self, Finding};
use super::write_reconciliation::manifest;
use super::{Scheme, orders_again, proof};
use crate::domain::calendar::plus;
use crate::store::scheme::SealedDay;
use crate::store::{self, Tx, fingerprints, inputs, scheme};

/// What was looked at, and what was wrong.
#[derive(Debug, Default)]
pub struct Verified {
    pub orders: i64,
    pub days: i64,
    pub files: i64,
    /// Days that were sealed before seals kept fingerprints, and whose turn has not come since.
    pub days_without_fingerprint: i64,
    pub problems: Vec<String>,
}

impl Verified {
    fn found(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.problems.extend(findings.into_iter().map(|finding| finding.to_string()));
    }
}

pub async fn run(scheme: &Scheme) -> Result<Verified> {
    let mut verified = Verified::default();
    let damage = store::damage(&scheme.store).await?;
    verified.problems.extend(damage.iter().map(|what| format!("the store is damaged: {what}")));
    // Looked at first: a day that is sealed and put out meanwhile is in the books that are read after.
    let folders = sealed_days::day_folders(scheme)?;
    let mut tx = scheme.store.read().await?;
    if let Err(changed) = scheme.check_policy_versions(&mut tx).await {
        verified.problems.push(format!("{changed:#}"));
    }
    let days = scheme::days(&mut tx).await?;
    let sealed = scheme::sealed_days(&mut tx).await?;
    verified.found(sealed_days::chain(days.as_ref(), &sealed, &folders));
    let Some(last) = sealed.last() else { return Ok(verified) };
    verified.found(sealed_days::strays(&mut tx, scheme, plus(last.business_date, 1)).await?);
    verify_orders(&mut tx, scheme, last.business_date, &mut verified).await?;
    for day in &sealed {
        (scheme.progress)(&format!("verifying {}", day.business_date));
        verify_day(&mut tx, scheme, day, &mut verified).await?;
        verified.days += 1;
    }
    Ok(verified)
}

/// Every order, decided again at the end of the last sealed day, says what the journal and its positions say.
async fn verify_orders(tx: &mut Tx, scheme: &Scheme, day: NaiveDate, verified: &mut Verified) -> Result<()> {
    for merchant in &scheme.config.merchants {
        let id = &merchant.id;
        verified.found(orders_again::sums(tx, id, day).await?);
        let (mut after, mut findings) = (String::new(), Vec::new());
        while let Some(page) = orders_again::page(tx, scheme, id, day, &after, &mut findings).await? {
            after = page.last;
            verified.orders += page.orders;
            verified.found(findings.drain(..));
            (scheme.progress)(&format!("verifying {id}: {} orders", verified.orders));
        }
    }
    Ok(())
}

/// A sealed day's rows are those that were sealed, its balances follow from the journal, its files from the books, and its seal
/// from both; and its files lie where they were put.
async fn verify_day(tx: &mut Tx, scheme: &Scheme, day: &SealedDay, verified: &mut Verified) -> Result<()> {
    let date = day.business_date;
    let kept = fingerprints::kept(tx, date).await?;
    verified.days_without_fingerprint += i64::from(kept.is_empty());
    verified.found(sealed_days::rows(tx, date, &kept).await?);
    for file in inputs::files_between(tx, date, date).await? {
        let mut lines = Vec::new();
        proof::rows_accounted_for(tx, &file, &mut lines).await?;
        verified.problems.extend(lines.iter().map(|line| format!("{date}: {line}")));
    }
    let problems = &mut verified.problems;
    let rendered = render(tx, scheme, date, Books::Sealed, None).await?;
    for (merchant, sums) in &rendered.merchants {
        proof::adds_up(merchant, sums, problems);
        if sums.balances() != scheme::balances(tx, merchant, date).await? {
            problems.push(format!("{date} {merchant}: the sealed balances are not what the journal gives"));
        }
    }
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
            "{date}: {} files were sealed, {} follow from the books",
            manifest.files.len(),
            rendered.files.len()
        ));
    }
    let folder = scheme.config.home.join("reconciliation").join(date.to_string());
    // Between its seal and the next `write_reconciliation` a day has no folder yet.
    if day.published && !folder.is_dir() {
        problems
            .push(format!("{date}: {} is gone; `paylater job write_reconciliation` makes it again", folder.display()));
    }
    verified.found(sealed_days::files(scheme, day, &manifest)?);
    Ok(())
}
