//! Reads the journal in date order over all merchants, a page of each merchant at a time, with the balances that each
//! sealed day ended with.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use chrono::NaiveDate;

use crate::domain::calendar::plus;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::files::exports::{Entry, Holding, JournalWriter, SealedBalances};
use crate::store::Tx;
use crate::store::journal::{self, JournalRow};
use crate::store::scheme::{self, SealedDay};

/// The entries to read.
#[derive(Debug, Clone)]
pub struct Which {
    pub merchants: Vec<String>,
    /// Only the entries of orders with this id.
    pub order: Option<String>,
    /// The first business date; the books begin with their balances before it.
    pub from: Option<NaiveDate>,
    /// The last business date.
    pub to: Option<NaiveDate>,
}

/// How many entries of all merchants together are in memory.
const BUFFERED: usize = 20_000;

/// The fewest and most entries that are read at a time.
const PAGES: (usize, usize) = (50, 5_000);

/// Writes the entries in date order; entries of a day by merchant, in the order of their numbers. Returns how many.
pub async fn write(tx: &mut Tx, which: &Which, out: &mut impl JournalWriter) -> Result<u64> {
    let mut cursors = Vec::new();
    for merchant in &which.merchants {
        cursors.push(Cursor::begin(tx, which, merchant).await?);
    }
    if let Some(from) = which.from {
        for cursor in &mut cursors {
            let holdings = cursor.opening(tx, which, from).await?;
            if !holdings.is_empty() {
                out.opening(from, &cursor.merchant, &holdings)?;
            }
        }
    }
    let mut sealed = sealed_days(tx, which).await?;
    let mut written = 0;
    loop {
        let mut next = sealed.front().map(|day| day.business_date);
        for cursor in &mut cursors {
            let of_merchant = cursor.peek(tx).await?.map(|row| row.business_date);
            next = [next, of_merchant].into_iter().flatten().min();
        }
        let Some(day) = next.filter(|day| which.to.is_none_or(|to| *day <= to)) else { return Ok(written) };
        for cursor in &mut cursors {
            while cursor.peek(tx).await?.is_some_and(|row| row.business_date <= day) {
                let Some(row) = cursor.rows.pop_front() else { break };
                out.entry(&entry(&cursor.merchant, &row))?;
                written += 1;
            }
        }
        if let Some(sealed) = sealed.pop_front_if(|sealed| sealed.business_date == day) {
            write_sealed(tx, which, &sealed, out).await?;
        }
    }
}

/// Returns the sealed days whose balances are written. The entries of one order have none.
async fn sealed_days(tx: &mut Tx, which: &Which) -> Result<VecDeque<SealedDay>> {
    if which.order.is_some() {
        return Ok(VecDeque::new());
    }
    let days = scheme::sealed_days(tx).await?.into_iter();
    Ok(days.filter(|day| which.from.is_none_or(|from| day.business_date >= from)).collect())
}

async fn write_sealed(tx: &mut Tx, which: &Which, sealed: &SealedDay, out: &mut impl JournalWriter) -> Result<()> {
    let day = sealed.business_date;
    let missing = scheme::missing(tx, day).await?;
    let is_missing = |merchant: &str| missing.iter().any(|missing| missing.merchant_id == merchant);
    let mut balances = SealedBalances { day, seal: &sealed.seal, merchants: Vec::new(), missing: Vec::new() };
    for merchant in &which.merchants {
        let of_merchant = scheme::balances(tx, merchant, day).await?;
        let holding = |balance: &scheme::Balance| Holding {
            currency: balance.currency,
            account: balance.account,
            minor: balance.closing,
        };
        balances.merchants.push((merchant, of_merchant.iter().map(holding).collect()));
        if is_missing(merchant) {
            balances.missing.push(merchant);
        }
    }
    Ok(out.sealed(&balances)?)
}

/// Returns an entry as exports write it.
pub fn entry<'a>(merchant: &'a str, row: &'a JournalRow) -> Entry<'a> {
    Entry {
        merchant_id: merchant,
        entry_no: row.entry_no,
        business_date: row.business_date,
        effective_on: row.effective_on,
        order_id: &row.order_id,
        currency: row.currency,
        minor: row.minor,
        movement: &row.movement,
        source: &row.source,
        line: row.line,
        policy_version: row.policy_version,
        reason: row.reason,
    }
}

/// The currencies in which merchants have had balances.
pub async fn currencies(tx: &mut Tx, which: &Which) -> Result<Vec<Currency>> {
    let mut currencies = Vec::new();
    let Some(days) = scheme::days(tx).await? else { return Ok(currencies) };
    for merchant in &which.merchants {
        let sealed = scheme::balances_before(tx, merchant, days.business_date).await?;
        currencies.extend(sealed.iter().map(|balance| balance.currency));
        let last = scheme::last_entry_by(tx, merchant, days.business_date).await?;
        currencies.extend(journal::currencies_after(tx, merchant, last).await?);
    }
    currencies.sort_unstable();
    currencies.dedup();
    Ok(currencies)
}

/// A merchant's entries that are still to be read.
struct Cursor {
    merchant: String,
    rows: VecDeque<JournalRow>,
    /// The last entry that was read.
    after: i64,
    page: i64,
    is_at_end: bool,
}

impl Cursor {
    async fn begin(tx: &mut Tx, which: &Which, merchant: &str) -> Result<Cursor> {
        let page = (BUFFERED / which.merchants.len().max(1)).clamp(PAGES.0, PAGES.1);
        let page = i64::try_from(page).unwrap_or(i64::MAX);
        let mut cursor =
            Cursor { merchant: merchant.to_owned(), rows: VecDeque::new(), after: 0, page, is_at_end: false };
        match (&which.order, which.from) {
            (Some(order), _) => {
                cursor.rows = journal::of_order(tx, merchant, order).await?.into();
                cursor.is_at_end = true;
            }
            (None, Some(from)) => cursor.after = scheme::last_entry_by(tx, merchant, plus(from, -1)).await?,
            (None, None) => {}
        }
        Ok(cursor)
    }

    async fn peek(&mut self, tx: &mut Tx) -> Result<Option<&JournalRow>> {
        if self.rows.is_empty() && !self.is_at_end {
            self.rows = journal::rows(tx, &self.merchant, self.after, i64::MAX, self.page).await?.into();
            match self.rows.back() {
                Some(last) => self.after = last.entry_no,
                None => self.is_at_end = true,
            }
        }
        Ok(self.rows.front())
    }

    /// Returns what the merchant's accounts held before `from`: the last sealed balances, and the entries since. One order
    /// has no sealed balances; its entries say it all.
    async fn opening(&mut self, tx: &mut Tx, which: &Which, from: NaiveDate) -> Result<Vec<Holding>> {
        let mut held: BTreeMap<(Currency, Account), i64> = BTreeMap::new();
        if which.order.is_none() {
            for balance in scheme::balances_before(tx, &self.merchant, from).await? {
                held.insert((balance.currency, balance.account), balance.closing);
            }
        }
        while self.peek(tx).await?.is_some_and(|row| row.business_date < from) {
            let Some(row) = self.rows.pop_front() else { break };
            *held.entry((row.currency, row.movement.debit)).or_default() += row.minor;
            *held.entry((row.currency, row.movement.credit)).or_default() -= row.minor;
        }
        let holding = |((currency, account), minor)| Holding { currency, account, minor };
        Ok(held.into_iter().map(holding).filter(|holding| holding.minor != 0).collect())
    }
}
