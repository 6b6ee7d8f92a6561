//! What other programs read: the journal as CSV, hledger and beancount, and the reports of a month as an Excel workbook. `books::journal_by_day` reads the entries in date
//! order and hands them to a [`JournalWriter`].

pub mod beancount;
pub mod chart;
pub mod csv;
pub mod hledger;
mod postings;
pub mod workbook;

use std::io;

use chrono::NaiveDate;

use crate::domain::journal::{Account, Movement, Reason};
use crate::domain::money::Currency;

pub use beancount::Beancount;
pub use chart::Chart;
pub use csv::Csv;
pub use hledger::Hledger;

/// A journal entry, as exports write it.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub merchant_id: &'a str,
    pub entry_no: i64,
    pub business_date: NaiveDate,
    pub effective_on: NaiveDate,
    /// Empty for money in suspense that names no order.
    pub order_id: &'a str,
    pub currency: Currency,
    pub minor: i64,
    pub movement: &'a Movement,
    /// The file that caused the entry; empty if a rule caused it.
    pub source: &'a str,
    pub line: i64,
    pub policy_version: Option<NaiveDate>,
    pub reason: Reason,
}

impl Entry<'_> {
    /// As in reports: TEA-17.
    pub fn id(&self) -> String {
        format!("{}-{}", self.merchant_id, self.entry_no)
    }
}

/// An account of a merchant, and what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    pub currency: Currency,
    pub account: Account,
    /// Debits less credits, in minor units.
    pub minor: i64,
}

/// The sealed balances of a day.
#[derive(Debug)]
pub struct SealedBalances<'a> {
    pub day: NaiveDate,
    pub seal: &'a str,
    /// The merchants sealed with this day.
    pub merchants: Vec<(&'a str, Vec<Holding>)>,
    /// The merchants that the day was sealed without.
    pub missing: Vec<&'a str>,
}

/// Writes a journal whose entries come in date order.
pub trait JournalWriter {
    /// What a merchant's accounts held before the first day that is written.
    fn opening(&mut self, day: NaiveDate, merchant: &str, holdings: &[Holding]) -> io::Result<()>;

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()>;

    /// The end of a sealed day, after its entries.
    fn sealed(&mut self, balances: &SealedBalances<'_>) -> io::Result<()>;
}

/// What a journal begins with.
#[derive(Debug)]
pub struct Head<'a> {
    pub scheme: &'a str,
    pub merchants: &'a [String],
    pub currencies: Vec<Currency>,
    /// The first day that the journal can have.
    pub first_day: NaiveDate,
}
