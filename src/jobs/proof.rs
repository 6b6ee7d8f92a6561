//! The proof of a day: what must hold before it is sealed. Work that is not done stops the close; a merchant whose books
//! do not add up is left out of the seal and stops no other. No broken rule is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use chrono::NaiveDate;

use super::Scheme;
use super::instructing::uses;
use super::reconciliation::{AccountDay, MerchantSums};
use super::{match_bills, suspense};
use crate::domain::instruction::Direction;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::store::files::RecordedFile;
use crate::store::{Tx, file_rows, files, instructions, orders};

/// What keeps a day, or a merchant, from being sealed.
#[derive(Debug, Default)]
pub struct Faults {
    /// Work of the day that is not done, or not whole: it stops the close.
    pub of_day: Vec<String>,
    /// What does not hold in the books of a merchant: each is proved by itself, and left out of the seal.
    pub of_merchants: BTreeMap<String, Vec<String>>,
}

impl Faults {
    pub fn add(&mut self, merchant: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.of_merchants.entry(merchant.to_owned()).or_default().extend(lines);
        }
    }

    pub fn is_whole(&self, merchant: &str) -> bool {
        !self.of_merchants.contains_key(merchant)
    }
}

/// What does not hold, line by line.
#[derive(Debug, thiserror::Error)]
pub struct BrokenBooks {
    pub day: NaiveDate,
    pub faults: Faults,
    /// The day was sealed, without the merchants whose books do not add up.
    pub is_sealed: bool,
}

impl fmt::Display for BrokenBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faults { of_day, of_merchants } = &self.faults;
        if self.is_sealed {
            let merchants: Vec<&str> = of_merchants.keys().map(String::as_str).collect();
            let who = merchants.join(", ");
            write!(
                f,
                "{} was sealed without {who}, whose books do not add up; the day is made good with the next \
                       seal that has them:",
                self.day
            )?;
        } else {
            write!(f, "the books of {0} do not add up; {0} was not sealed:", self.day)?;
        }
        for line in of_day.iter().chain(of_merchants.values().flatten()) {
            write!(f, "\n  {line}")?;
        }
        if !of_merchants.is_empty() {
            f.write_str(
                "\nKeep a copy of the store, run `paylater verify`, which lists all that differs, and put back what was changed",
            )?;
        }
        Ok(())
    }
}

/// Nothing that should have been done today is left: no position undecided, no file half read, no row lost.
pub async fn nothing_left(tx: &mut Tx, scheme: &Scheme, today: NaiveDate, faults: &mut Faults) -> Result<()> {
    let broken = &mut faults.of_day;
    for merchant in &scheme.config.merchants {
        let left = suspense::left(tx, &merchant.id, today).await?;
        if left > 0 {
            broken.push(format!(
                "{}: money of {left} rows is not in suspense yet, or still; run assess_positions",
                merchant.id
            ));
        }
        let left = orders::count_to_decide(tx, &merchant.id, today).await?;
        if left > 0 {
            broken.push(format!("{}: {left} orders are not decided yet; run assess_positions", merchant.id));
        }
        for (direction, job) in [(Direction::Debit, "collect_debits"), (Direction::PayOut, "pay_out_credit")] {
            let left = instructions::count_to_review(tx, &merchant.id, direction, today).await?;
            if left > 0 && uses(merchant, direction, today) {
                broken.push(format!("{}: {left} plans of instructions are not looked at yet; run {job}", merchant.id));
            }
        }
        let unmatched = match_bills::left(tx, scheme, merchant, today).await?.all();
        if unmatched > 0 {
            broken.push(format!(
                "{}: {unmatched} rows of bills or of ours are not matched yet; run match_bills",
                merchant.id
            ));
        }
    }
    for file in files::unfiled(tx).await? {
        broken.push(format!("file {} is {}, not finished; run ingest_files", file.name, file.status));
    }
    for file in files::between(tx, today, today).await? {
        let mut broken = Vec::new();
        rows_accounted_for(tx, &file, &mut broken).await?;
        // Customers and agreements are everybody's.
        match file.merchant_id.as_str() {
            "" => faults.of_day.extend(broken),
            merchant => faults.add(merchant, broken),
        }
    }
    Ok(())
}

/// Each row of a file has one outcome, and those that were not simply recorded are kept.
pub async fn rows_accounted_for(tx: &mut Tx, file: &RecordedFile, broken: &mut Vec<String>) -> Result<()> {
    let counts = file.counts;
    if !counts.adds_up() {
        broken.push(format!("file {}: its outcomes don't add up to its {} rows", file.name, counts.rows));
    }
    let kept = file_rows::counted(tx, file.file_no).await?;
    let outcomes = [
        ("declined", counts.declined),
        ("conflict", counts.conflict),
        ("pending", counts.pending),
        ("rejected", counts.rejected),
    ];
    for (outcome, counted) in outcomes {
        let kept = kept.get(outcome).copied().unwrap_or(0);
        if kept != counted {
            broken.push(format!("file {}: {counted} rows {outcome}, but {kept} are kept", file.name));
        }
    }
    Ok(())
}

/// What does not hold in a merchant's day, whose files add up to `sums`.
pub async fn merchant(tx: &mut Tx, merchant: &str, sums: &MerchantSums, today: NaiveDate) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for debit_id in instructions::beyond_what_is_owed(tx, merchant, today).await? {
        broken.push(format!("{merchant}: debit {debit_id} asks for more than is owed"));
    }
    adds_up(merchant, sums, &mut broken);
    Ok(broken)
}

/// A merchant's day adds up: the detail to the summary, positions to receivables, suspense to the rows that wait,
/// settlement to what the merchant is owed, matching to the money of the day, and everything to nothing.
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
