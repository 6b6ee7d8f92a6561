//! The proof of a day: what must hold before the day is sealed. Unfinished work stops the close. A merchant whose books
//! do not add up, or whose part of the close failed, is left out of the seal and stops no other merchant. No broken
//! rule is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Error, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::instruction_plans::uses;
use super::reconciliation::{AccountDay, MerchantSums};
use super::{bill_matching, suspense};
use crate::domain::bank::instruction::Direction;
use crate::domain::intake::status::RowOutcome;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::domain::owner::Owner;
use crate::domain::words::count;
use crate::scheme::Merchant;
use crate::store::files::RecordedFile;
use crate::store::{Tx, file_rows, files, in_words, instructions, is_of_store, orders, receivables};

/// The faults that prevent a day, or a merchant, from being sealed.
#[derive(Debug, Default)]
pub struct Faults {
    /// Unfinished or incomplete work of the day. It stops the close.
    pub of_day: Vec<String>,
    /// The faults in each merchant's books. Each merchant is proved separately, and left out of the seal if it has
    /// faults.
    pub of_merchants: BTreeMap<String, Vec<String>>,
    /// The merchants among these whose part of the close or intake failed, so that their day is incomplete.
    stopped: BTreeSet<String>,
    /// The merchants among these whose files could not be taken in. Nothing is wrong with their books.
    without_files: BTreeSet<String>,
}

impl Faults {
    pub fn add(&mut self, merchant: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.of_merchants.entry(merchant.to_owned()).or_default().extend(lines);
        }
    }

    /// Leaves out a merchant whose part of a job failed, and returns the message. An error of the store is returned
    /// instead, and stops the job.
    pub fn stop(&mut self, merchant: &str, why: Error) -> Result<String> {
        if is_of_store(&why) {
            return Err(why);
        }
        let why = in_words(why);
        let line = format!("{merchant}: {why:#}");
        tracing::error!(merchant, why = format!("{why:#}"), "the merchant is left out");
        self.add(merchant, vec![line.clone()]);
        self.stopped.insert(merchant.to_owned());
        Ok(line)
    }

    /// Leaves out a merchant whose files could not be taken in.
    pub fn stop_without_files(&mut self, merchant: &str, why: Error) -> Result<()> {
        self.stop(merchant, why)?;
        self.without_files.insert(merchant.to_owned());
        Ok(())
    }

    pub fn is_stopped(&self, merchant: &str) -> bool {
        self.stopped.contains(merchant)
    }

    /// Returns why a merchant is not in a seal, in a few words.
    pub fn in_short(&self, merchant: &str) -> &'static str {
        if self.without_files.contains(merchant) {
            "files could not be taken in"
        } else if self.is_stopped(merchant) {
            "books could not be worked out"
        } else {
            "books do not add up"
        }
    }

    pub fn is_whole(&self, merchant: &str) -> bool {
        !self.of_merchants.contains_key(merchant)
    }
}

/// The error of a close with faults, one line each.
#[derive(Debug, thiserror::Error)]
pub struct BrokenBooks {
    pub day: NaiveDate,
    pub faults: Faults,
    /// Whether the day was sealed without the merchants whose books do not add up.
    pub is_sealed: bool,
}

impl fmt::Display for BrokenBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faults { of_day, of_merchants, without_files, .. } = &self.faults;
        let is_about_books = of_merchants.keys().any(|id| !without_files.contains(id));
        if self.is_sealed {
            let without = |id: &String| format!("{id}, whose {}", self.faults.in_short(id));
            let who: Vec<String> = of_merchants.keys().map(without).collect();
            let who = who.join(", and ");
            write!(f, "{} was sealed without {who}; the next seal that includes them covers this day too:", self.day)?;
        } else if is_about_books || !of_day.is_empty() {
            write!(f, "the books of {0} do not add up; {0} was not sealed:", self.day)?;
        } else {
            write!(f, "{} was not sealed:", self.day)?;
        }
        for line in of_day.iter().chain(of_merchants.values().flatten()) {
            write!(f, "\n  {line}")?;
        }
        if !without_files.is_empty() {
            f.write_str("\nPut right what is named; the next run takes the files in")?;
        }
        if is_about_books {
            f.write_str(
                "\nKeep a copy of the store, run `paylater verify`, which lists all that differs, and put back what was changed",
            )?;
        }
        Ok(())
    }
}

/// Checks that no work of the day is left: no undecided position, no partly read file, no lost row.
pub async fn nothing_left(tx: &mut Tx, environment: &Environment, today: NaiveDate, faults: &mut Faults) -> Result<()> {
    for merchant in &environment.scheme.merchants {
        if faults.is_stopped(&merchant.id) {
            continue;
        }
        match tx.part(async |tx| left_of_merchant(tx, environment, merchant, today).await).await? {
            Ok(left) => faults.of_day.extend(left),
            Err(why) => drop(faults.stop(&merchant.id, why)?),
        }
    }
    // Files of a merchant whose intake failed wait for the next run.
    for file in files::unfiled(tx).await? {
        if !file.owner.merchant().is_some_and(|id| faults.is_stopped(id)) {
            faults.of_day.push(format!("file {} is {}, not finished; run ingest_files", file.name, file.status));
        }
    }
    for file in files::between(tx, today, today).await? {
        if file.owner.merchant().is_some_and(|id| faults.is_stopped(id)) {
            continue;
        }
        let checked = tx.part(async |tx| {
            let mut broken = Vec::new();
            rows_accounted_for(tx, &file, &mut broken).await.map(|()| broken)
        });
        // Customers and agreements belong to the whole scheme.
        match (file.owner.borrowed(), checked.await?) {
            (Owner::Scheme, broken) => faults.of_day.extend(broken?),
            (Owner::Merchant(merchant), Ok(broken)) => faults.add(merchant, broken),
            (Owner::Merchant(merchant), Err(why)) => drop(faults.stop(merchant, why)?),
        }
    }
    Ok(())
}

async fn left_of_merchant(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    today: NaiveDate,
) -> Result<Vec<String>> {
    let id = &merchant.id;
    let mut broken = Vec::new();
    let left = suspense::left(tx, id, today).await?;
    if left > 0 {
        broken.push(format!(
            "{id}: {} of money to book into or out of suspense; `paylater close` books it",
            count(left, "row")
        ));
    }
    let left = orders::count_to_decide(tx, id, today).await?;
    if left > 0 {
        broken.push(format!("{id}: {} not decided yet; `paylater close` decides them", count(left, "order")));
    }
    for direction in Direction::ALL {
        let left = instructions::count_to_review(tx, id, direction, today).await?;
        if left > 0 && uses(merchant, direction, today) {
            broken.push(format!(
                "{id}: {} of instructions not reviewed yet; `paylater close` reviews them",
                count(left, "plan")
            ));
        }
    }
    let unmatched = bill_matching::left(tx, environment, merchant, today).await?.all();
    if unmatched > 0 {
        broken.push(format!(
            "{id}: {} of bills or of our books not matched yet; `paylater close` matches them",
            count(unmatched, "row")
        ));
    }
    Ok(broken)
}

/// Checks that each row of a file has one outcome, and that the rows that were not simply recorded are stored.
pub async fn rows_accounted_for(tx: &mut Tx, file: &RecordedFile, broken: &mut Vec<String>) -> Result<()> {
    let counts = file.counts;
    if !counts.adds_up() {
        broken.push(format!("file {}: its outcomes don't add up to its {}", file.name, count(counts.rows, "row")));
    }
    let kept = file_rows::counted(tx, file.file_no).await?;
    let outcomes = [
        (RowOutcome::Declined, counts.declined),
        (RowOutcome::Conflict, counts.conflict),
        (RowOutcome::Pending, counts.pending),
        (RowOutcome::Rejected, counts.rejected),
    ];
    for (outcome, counted) in outcomes {
        let kept = kept.get(&outcome).copied().unwrap_or(0);
        if kept != counted {
            broken.push(format!("file {}: {} {outcome}, but the store has {kept}", file.name, count(counted, "row")));
        }
    }
    Ok(())
}

/// Returns the faults of a merchant's day. `sums` are the totals of its files.
pub async fn merchant(tx: &mut Tx, merchant: &str, sums: &MerchantSums, today: NaiveDate) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for debit_id in instructions::beyond_what_is_owed(tx, merchant, today).await? {
        broken.push(format!("{merchant}: debit {debit_id} asks for more than is owed"));
    }
    as_kept(merchant, sums, &receivables::kept(tx, merchant).await?, &mut broken);
    adds_up(merchant, sums, &mut broken);
    Ok(broken)
}

/// Checks that the sums kept beside the positions are those of the positions.
fn as_kept(merchant: &str, sums: &MerchantSums, kept: &[(Currency, i64, i64)], broken: &mut Vec<String>) {
    let kept: BTreeMap<Currency, (i64, i64)> =
        kept.iter().map(|&(currency, owed, fees)| (currency, (owed, fees))).collect();
    for currency in sums.outstanding.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
        let of = |sums: &BTreeMap<Currency, i64>| sums.get(currency).copied().unwrap_or(0);
        let found = (of(&sums.outstanding), of(&sums.fees_owed));
        let (owed, fees) = kept.get(currency).copied().unwrap_or_default();
        if found != (owed, fees) {
            let [owed, fees, found_owed, found_fees] =
                [owed, fees, found.0, found.1].map(|minor| currency.plain(minor));
            broken.push(format!(
                "{merchant}: the sums of open positions are kept as {owed} {currency} and {fees} of late fees, but the \
                 positions add up to {found_owed} and {found_fees}"
            ));
        }
    }
}

/// Checks that a merchant's day adds up: the detail equals the summary, open positions equal receivables, pending rows
/// equal suspense, the settlement equals the change in what the merchant is owed, the matching equals the money of the
/// day, and all accounts together are zero.
pub fn adds_up(merchant: &str, sums: &MerchantSums, broken: &mut Vec<String>) {
    let by_key: BTreeMap<(Currency, Account), AccountDay> =
        sums.accounts.iter().map(|(key, day)| (*key, *day)).collect();
    let mut compare = |what: &str, currency: Currency, account: Account, expected: i64, found: i64| {
        if expected != found {
            let (expected, found) = (currency.plain(expected), currency.plain(found));
            broken.push(format!("{merchant} {}: {what}: books {expected} {currency}, found {found}", account.name()));
        }
    };
    for ((currency, account), day) in &by_key {
        let detail = sums.detail.get(&(*currency, *account)).copied().unwrap_or_default();
        compare("debits of the detail", *currency, *account, day.debits, detail.0);
        compare("credits of the detail", *currency, *account, day.credits, detail.1);
        let found = match account {
            Account::ReceivablePrincipal => Some(("open positions", sums.outstanding.get(currency).copied())),
            Account::ReceivableLateFee => Some(("late fees of open positions", sums.fees_owed.get(currency).copied())),
            Account::Suspense => Some(("rows that wait", sums.suspended.get(currency).map(|minor| -minor))),
            _ => None,
        };
        if let Some((what, found)) = found {
            compare(what, *currency, *account, day.closing(), found.unwrap_or(0));
        }
        if *account == Account::MerchantPayable {
            let net = sums.settled.get(currency).copied().unwrap_or(0);
            compare("settlement of the day", *currency, *account, day.credits - day.debits, net);
        }
    }
    for currency in sums.money_booked.keys().chain(sums.matched.keys()).collect::<BTreeSet<_>>() {
        let booked = sums.money_booked.get(currency).copied().unwrap_or(0);
        let matched = sums.matched.get(currency).copied().unwrap_or(0);
        if booked != matched {
            let (booked, matched) = (currency.plain(booked), currency.plain(matched));
            broken.push(format!(
                "{merchant}: money booked on the day is {booked} {currency}, of which the matching has {matched}"
            ));
        }
    }
    let mut totals: BTreeMap<Currency, i64> = BTreeMap::new();
    for ((currency, _), day) in &by_key {
        *totals.entry(*currency).or_default() += day.closing();
    }
    for (currency, total) in totals.into_iter().filter(|(_, total)| *total != 0) {
        broken.push(format!("{merchant}: all accounts together are {} {currency}, not 0", currency.plain(total)));
    }
    for key in sums.detail.keys().filter(|key| !by_key.contains_key(key)) {
        broken.push(format!("{merchant} {}: in the detail, but not in the summary", key.1.name()));
    }
}
