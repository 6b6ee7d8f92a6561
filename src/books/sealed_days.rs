//! Proves sealed days again: the chain of seals, the rows that each seal covers, and the published files. Every close
//! proves the last sealed day, and as many others as fit into the configured time, starting with those unproved for
//! longest.
//!
//! Proving only records when a day was proved, and the first fingerprints of days that have none. `recheck` proves that
//! orders follow from their facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::day_folders::{self, manifest};
use super::environment::Environment;
use crate::clock;
use crate::domain::calendar::plus;
use crate::domain::owner::Owner;
use crate::files::reports::{Manifest, seal, sha256_of};
use crate::store::fingerprints::{self, Form, PartPrint};
use crate::store::scheme::{Days, SealedDay};
use crate::store::{Tx, is_of_store, journal, scheme};

/// A difference from the sealed data, or from the result that follows from the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose books differ.
    pub owner: Owner,
    pub what: String,
}

impl Finding {
    pub fn of(owner: Owner<&str>, what: impl Into<String>) -> Finding {
        Finding { owner: owner.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Scheme => f.write_str(&self.what),
            Owner::Merchant(id) => write!(f, "{id} {}", self.what),
        }
    }
}

/// The error of a close that is refused because sealed or booked data has been changed.
#[derive(Debug, thiserror::Error)]
pub struct Tampered {
    pub day: NaiveDate,
    pub findings: Vec<Finding>,
}

/// The most findings that a message lists.
const NAMED: usize = 20;

impl fmt::Display for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the books are not as they were left; {} was not sealed:", self.day)?;
        for finding in self.findings.iter().take(NAMED) {
            write!(f, "\n  {finding}")?;
        }
        if let Some(more) = self.findings.len().checked_sub(NAMED).filter(|more| *more > 0) {
            write!(f, "\n  and {more} more")?;
        }
        f.write_str(
            "\nKeep a copy of the store and of reconciliation/ as they are now, then put back what was changed: rows of the \
             store from a backup; for a file of a sealed day, move the day's folder away and run \
             `paylater job write_reconciliation`, which makes it again. `paylater verify` lists all that differs",
        )
    }
}

/// How long one process waits before it proves the same days again.
const AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// The result of proving days again at a close.
pub struct Again {
    pub findings: Vec<Finding>,
    /// The days without a difference.
    days: Vec<NaiveDate>,
    /// Fingerprints for days that were sealed before fingerprints existed.
    first_prints: Vec<(NaiveDate, Prints)>,
    /// The time left for deciding orders again, or `None` if that is not due.
    pub left: Option<Duration>,
}

type Prints = Vec<(Owner, Vec<PartPrint>)>;

/// Proves the days that are due at a close. `Again::record` writes the result.
pub async fn prove_again(tx: &mut Tx, environment: &Environment) -> Result<Again> {
    let begun = clock::monotonic();
    let sealed = scheme::sealed_days(tx).await?;
    let mut again = Again { findings: Vec::new(), days: Vec::new(), first_prints: Vec::new(), left: None };
    let folders = day_folders::days_below(&environment.scheme.home)?;
    again.findings.extend(chain(scheme::days(tx).await?.as_ref(), &sealed, &folders));
    if let Some(last) = sealed.last() {
        again.prove(tx, environment, last).await?;
        again.findings.extend(strays(tx, environment, plus(last.business_date, 1)).await?);
    }
    if !environment.turn_to_prove(begun, AGAIN_AFTER) {
        return Ok(again);
    }
    let within = environment.scheme.prove_within;
    let proved = fingerprints::last_proved(tx).await?;
    let proved: BTreeMap<NaiveDate, NaiveDate> =
        proved.iter().map(|proved| (proved.business_date, proved.proved_on)).collect();
    let mut others: Vec<&SealedDay> = sealed.iter().rev().skip(1).collect();
    others.sort_by_key(|day| (proved.get(&day.business_date), day.business_date));
    for day in others {
        // The other half of the time is for orders.
        if clock::monotonic() - begun >= within / 2 {
            break;
        }
        again.prove(tx, environment, day).await?;
    }
    again.left = Some(within.saturating_sub(clock::monotonic() - begun));
    Ok(again)
}

impl Again {
    async fn prove(&mut self, tx: &mut Tx, environment: &Environment, day: &SealedDay) -> Result<()> {
        let date = day.business_date;
        (environment.progress)(&format!("proving {date} again"));
        let kept = fingerprints::kept(tx, date).await?;
        let mut findings = rows(tx, date, &kept).await?;
        findings.extend(files(environment, day, &manifest(tx, day).await?)?);
        if findings.is_empty() {
            self.days.push(date);
            if kept.is_empty() {
                self.first_prints.push((date, prints(tx, date).await?));
            }
        }
        self.findings.extend(findings);
        Ok(())
    }

    /// Records which days were proved.
    pub async fn record(self, tx: &mut Tx, today: NaiveDate) -> Result<()> {
        for (day, prints) in &self.first_prints {
            fingerprints::keep(tx, *day, prints).await?;
        }
        fingerprints::proved(tx, &self.days, today).await
    }
}

/// Returns journal entries added since the last seal that are dated on another day than the open one. A merchant that
/// was left out of seals may also have entries of the days since.
pub async fn strays(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for merchant in &environment.scheme.merchants {
        let after = scheme::last_entry_by(tx, &merchant.id, plus(today, -1)).await?;
        let since = scheme::missing_since(tx, &merchant.id, today).await?.unwrap_or(today);
        let stray = journal::first_of_another_day(tx, &merchant.id, after, since, today).await?;
        if let Some((entry_no, order_id, day)) = stray {
            let what = format!(
                "{day}: entry {}-{entry_no} of order {order_id} was put into the journal after the day was sealed",
                merchant.id
            );
            findings.push(Finding::of(Owner::Merchant(&merchant.id), what));
        }
    }
    Ok(findings)
}

/// Keeps the fingerprints of a day that is being sealed, and of the earlier days of merchants that this seal brings in
/// again. `booked` are those of each merchant's journal, which its reports were made from.
pub async fn keep(tx: &mut Tx, day: NaiveDate, booked: Vec<(String, Vec<PartPrint>)>) -> Result<()> {
    let mut prints = vec![(Owner::Scheme, fingerprints::of(tx, Owner::Scheme, day, Form::NOW).await?)];
    for (merchant, booked) in booked {
        let of_merchant = fingerprints::beside(tx, Owner::Merchant(&merchant), day, booked).await?;
        prints.push((Owner::Merchant(merchant), of_merchant));
    }
    for merchant in prints.iter().filter_map(|(owner, _)| owner.merchant()) {
        let Some(since) = scheme::missing_since(tx, merchant, day).await? else { continue };
        for earlier in since.iter_days().take_while(|earlier| *earlier < day) {
            let owner = Owner::Merchant(merchant);
            let prints = vec![(owner.to_owned(), fingerprints::of(tx, owner, earlier, Form::NOW).await?)];
            fingerprints::keep(tx, earlier, &prints).await?;
        }
    }
    fingerprints::keep(tx, day, &prints).await?;
    fingerprints::proved(tx, &[day], day).await
}

/// Returns the current fingerprints of a day's rows, for each merchant and for the scheme.
async fn prints(tx: &mut Tx, day: NaiveDate) -> Result<Prints> {
    let mut owners = vec![Owner::Scheme];
    owners.extend(scheme::merchants_of_day(tx, day).await?.into_iter().map(Owner::Merchant));
    let mut all = Vec::with_capacity(owners.len());
    for owner in owners {
        let prints = fingerprints::of(tx, owner.borrowed(), day, Form::NOW).await?;
        all.push((owner, prints));
    }
    Ok(all)
}

/// Returns the differences between a sealed day's rows and their fingerprints. A day that was sealed before
/// fingerprints existed has nothing to compare.
pub async fn rows(tx: &mut Tx, day: NaiveDate, kept: &Prints) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (owner, sealed) in kept {
        let owner = owner.borrowed();
        let form = fingerprints::form_of(sealed);
        let found = match tx.part(async |tx| fingerprints::of(tx, owner, day, form).await).await? {
            Ok(found) => found,
            Err(why) if is_of_store(&why) => return Err(why),
            Err(why) => {
                findings.push(Finding::of(owner, format!("{day}: {why:#}")));
                continue;
            }
        };
        if *sealed != found {
            let differences = fingerprints::differences(tx, owner, day, sealed, &found).await?;
            findings.extend(differences.iter().map(|what| Finding::of(owner, format!("{day}: {what}"))));
        }
    }
    let are_gone = match kept.is_empty() {
        true => fingerprints::first_at_seal(tx).await?.is_some_and(|first| day >= first),
        // The scheme has fingerprints for every day.
        false => kept.iter().all(|(owner, _)| *owner != Owner::Scheme),
    };
    if are_gone {
        findings.push(Finding::of(Owner::Scheme, format!("{day}: the fingerprints that it was sealed with are gone")));
    }
    if !kept.is_empty() {
        let merchants = scheme::merchants_of_day(tx, day).await?;
        let unknown = merchants
            .iter()
            .filter(|merchant| kept.iter().all(|(known, _)| known.merchant() != Some(merchant.as_str())));
        findings.extend(
            unknown.map(|merchant| {
                Finding::of(Owner::Merchant(merchant), format!("{day}: it was not sealed with this day"))
            }),
        );
    }
    Ok(findings)
}

/// Returns the differences in the published files of a sealed day, and a finding if its seal does not follow from its
/// files and the seal before.
pub fn files(environment: &Environment, day: &SealedDay, manifest: &Manifest) -> Result<Vec<Finding>> {
    let date = day.business_date;
    let mut findings = Vec::new();
    if seal(&day.previous_seal, date, day.sequence, &manifest.files, &manifest.missing) != day.seal {
        findings.push(Finding::of(
            Owner::Scheme,
            format!("{date}: the seal does not follow from its files and the seal before"),
        ));
    }
    let folder = day_folders::folder_of(&environment.scheme, date);
    // Not published yet, or lost: `write_reconciliation` writes them again.
    if !folder.is_dir() {
        return Ok(findings);
    }
    for file in &manifest.files {
        let whose = environment
            .scheme
            .merchants
            .iter()
            .find(|merchant| file.name.starts_with(&format!("{}_{date}", merchant.id)));
        let whose = whose.map_or(Owner::Scheme, |merchant| Owner::Merchant(merchant.id.as_str()));
        match sha256_of(&folder.join(&file.name)) {
            Ok(found) if found == file.sha256 => {}
            Ok(_) => {
                findings.push(Finding::of(whose, format!("{date}: {} on the disk is not what was sealed", file.name)))
            }
            Err(why) => findings.push(Finding::of(whose, format!("{date}: {} on the disk: {why}", file.name))),
        }
    }
    match fs::read(folder.join(MANIFEST)) {
        Ok(bytes) if bytes == manifest.to_bytes() => {}
        Ok(_) => {
            findings.push(Finding::of(Owner::Scheme, format!("{date}: {MANIFEST} on the disk is not what was sealed")))
        }
        Err(why) => findings.push(Finding::of(Owner::Scheme, format!("{date}: {MANIFEST} on the disk: {why}"))),
    }
    let reading = || format!("reading {}", folder.display());
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&folder).with_context(reading)? {
        names.push(entry.with_context(reading)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let sealed: BTreeSet<&str> = manifest.files.iter().map(|file| file.name.as_str()).chain([MANIFEST]).collect();
    for name in names.iter().filter(|name| !sealed.contains(name.as_str())) {
        findings.push(Finding::of(
            Owner::Scheme,
            format!("{date}: {name} is in the day's folder, but was not sealed with it"),
        ));
    }
    Ok(findings)
}

const MANIFEST: &str = "manifest.json";

/// Checks that each sealed day follows the one before, that the open day follows the last, and that no other day has a
/// folder.
pub fn chain(days: Option<&Days>, sealed: &[SealedDay], folders: &BTreeSet<NaiveDate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(days) = days else { return findings };
    let (mut expected, mut sequence, mut previous) = (days.started_on, 1, "");
    for day in sealed {
        let date = day.business_date;
        if date != expected || day.sequence != sequence {
            let what = format!(
                "sealed day no. {sequence} should be {expected}, but the store has no. {} for {date}",
                day.sequence
            );
            findings.push(Finding::of(Owner::Scheme, what));
        } else if day.previous_seal != previous {
            findings.push(Finding::of(
                Owner::Scheme,
                format!("{date}: the seal before it is not that of {}", plus(date, -1)),
            ));
        }
        (expected, sequence, previous) = (plus(date, 1), day.sequence + 1, &day.seal);
    }
    if days.business_date != expected {
        let open = days.business_date;
        findings.push(Finding::of(
            Owner::Scheme,
            format!("the open business date is {open}, but after the last sealed day it is {expected}"),
        ));
    }
    let known: BTreeSet<NaiveDate> = sealed.iter().map(|day| day.business_date).collect();
    for day in folders.difference(&known) {
        let what = format!(
            "reconciliation/{day} is there, but the store has no sealed day {day}: the store is older than the folder, or a day was deleted from it"
        );
        findings.push(Finding::of(Owner::Scheme, what));
    }
    findings
}
