//! Suspense: money whose order is unknown. It is booked into suspense at the end of the day on which it takes effect,
//! and out of suspense at the end of the day on which its row stops waiting. A row whose order comes on the same day is
//! never booked here, whatever the order of the files. When a pending row becomes a fact, deciding its order books the
//! money out of suspense. When that fact is corrected, deciding the order books the money back, and the row then
//! releases it for good.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::order_decisions::PAGE;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Entry, EntryKind, Movement, Reason};
use crate::domain::money::Currency;
use crate::files::rows::Kind;
use crate::store::file_rows::{self, RecordedRow};
use crate::store::journal::{self, Posting};
use crate::store::{Tx, exceptions};

/// Books a merchant's rows page by page. Rows are found by index, so an interrupted run loses nothing and repeats
/// nothing. Returns the number of journal entries.
pub async fn book(environment: &Environment, merchant: &str, today: NaiveDate) -> Result<i64> {
    let mut entries = 0;
    loop {
        let mut tx = environment.store.write().await?;
        let mut page = file_rows::to_suspend(&mut tx, merchant, today, PAGE).await?;
        if page.is_empty() {
            break;
        }
        page.iter_mut().for_each(|row| row.suspended_on = Some(today));
        entries += write(&mut tx, merchant, today, &page, Reason::New).await?;
        tx.commit().await?;
    }
    loop {
        let mut tx = environment.store.write().await?;
        let mut page = file_rows::to_release(&mut tx, merchant, today, PAGE).await?;
        if page.is_empty() {
            break;
        }
        page.iter_mut().for_each(|row| row.released_on = Some(today));
        entries += write(&mut tx, merchant, today, &page, Reason::Corrected).await?;
        tx.commit().await?;
    }
    let mut tx = environment.store.write().await?;
    exceptions::resolve_dated_ahead(&mut tx, merchant, today).await?;
    tx.commit().await?;
    Ok(entries)
}

/// The number of rows left to book.
pub async fn left(tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<usize> {
    let to_suspend = file_rows::to_suspend(tx, merchant, today, PAGE).await?;
    Ok(to_suspend.len() + file_rows::to_release(tx, merchant, today, PAGE).await?.len())
}

async fn write(tx: &mut Tx, merchant: &str, today: NaiveDate, page: &[RecordedRow], reason: Reason) -> Result<i64> {
    let postings = page.iter().map(|row| posting(row, reason)).collect::<Result<Vec<_>>>()?;
    journal::post(tx, merchant, today, &postings).await?;
    file_rows::save(tx, page).await?;
    Ok(i64::try_from(postings.len()).unwrap_or(i64::MAX))
}

fn posting(row: &RecordedRow, reason: Reason) -> Result<Posting> {
    let which = || format!("row {} of order {}", row.row_key, row.order_id);
    let (debit, credit) = match row.kind {
        Kind::Payments => (Account::CashClearing, Account::Suspense),
        Kind::Refunds => (Account::MerchantPayable, Account::Suspense),
        Kind::Chargebacks => (Account::Suspense, Account::CashClearing),
        Kind::Customers
        | Kind::Agreements
        | Kind::Orders
        | Kind::Fulfilments
        | Kind::Holds
        | Kind::Extensions
        | Kind::DebitResults
        | Kind::Bills
        | Kind::Waivers
        | Kind::PayoutResults
        | Kind::Corrections
        | Kind::DeliveryFailures => anyhow::bail!("{} has no money of its own: {}", which(), row.kind),
    };
    let (debit, credit) = if reason == Reason::New { (debit, credit) } else { (credit, debit) };
    let currency = row.currency.as_deref().and_then(Currency::parse).with_context(which)?;
    let cause = row.row_key.clone();
    let entry = Entry {
        movement: Movement { kind: EntryKind::Suspense, instalment: 0, debit, credit, cause },
        minor: row.amount_minor.with_context(which)?,
        effective_on: row.effective_on.with_context(which)?,
        source: Source { file_no: row.file_no, line: row.line },
        reason,
    };
    Ok(Posting { order_id: row.order_id.clone(), currency, policy_version: None, entry })
}
