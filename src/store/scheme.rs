//! The state of the scheme: the open business date, sealed days and their files, balances, and the policy versions in use.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use super::journal::{currency, stored_account};
use crate::domain::decide::credit_record::CreditStatus;
use crate::domain::decide::position::ListedPositions;
use crate::domain::journal::Account;
use crate::domain::money::Currency;

/// The open day and the first day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Days {
    pub started_on: NaiveDate,
    pub time_zone: String,
    pub business_date: NaiveDate,
}

/// The scheme's days; on an empty store they begin at `starts_on`. The time zone cannot be changed afterwards.
pub async fn begin(tx: &mut Tx, starts_on: NaiveDate, time_zone: &str) -> Result<Days> {
    let sql = "INSERT INTO scheme (id, started_on, business_date, time_zone) VALUES (1, $1, $1, $2)
               ON CONFLICT (id) DO NOTHING";
    on_engine!(tx, |c| sqlx::query(sql).bind(starts_on).bind(time_zone).execute(c).await.map(|_| ()))?;
    let days = days(tx)
        .await?
        .context("the store has no open day: its table scheme is empty; put the store back from a backup")?;
    same_zone(&days, time_zone)?;
    Ok(days)
}

/// Refuses a time zone other than that of the recorded days.
pub fn same_zone(days: &Days, time_zone: &str) -> Result<()> {
    anyhow::ensure!(
        days.time_zone == time_zone,
        "the days of these books are days in the time zone {}, and cannot become days in {time_zone}; write the old time_zone \
         again, or begin a new scheme",
        days.time_zone
    );
    Ok(())
}

/// The scheme's days; `None` on an empty store.
pub async fn days(tx: &mut Tx) -> Result<Option<Days>> {
    let sql = "SELECT started_on, time_zone, business_date FROM scheme WHERE id = 1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_optional(c).await?))
}

/// The open business date, as this transaction sees it. In a writing transaction it stays so until the transaction ends.
pub async fn open_day(tx: &mut Tx) -> Result<NaiveDate> {
    Ok(days(tx)
        .await?
        .context("the store has no open day: its table scheme is empty; put the store back from a backup")?
        .business_date)
}

/// A sealed day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SealedDay {
    pub business_date: NaiveDate,
    pub sequence: i64,
    pub previous_seal: String,
    pub seal: String,
    pub published: bool,
}

/// A file of a sealed day.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SealedFile {
    pub name: String,
    pub row_count: i64,
    /// A JSON object with the sum for each column and currency.
    pub totals: String,
    pub sha256: String,
}

const SEALED_FILE: Table =
    Table { name: "sealed_file", columns: &["business_date", "name", "row_count", "totals", "sha256"], key: 2 };

/// How the reports of a day are made, as far as the configuration decides it. A sealed day keeps how its reports were made.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// The first day past due of each delinquency bucket.
    pub buckets: Vec<i64>,
    pub positions: ListedPositions,
}

/// Seals a day with its files and opens the next day.
pub async fn seal(
    tx: &mut Tx,
    day: &SealedDay,
    files: &[SealedFile],
    settings: &ReportSettings,
    next: NaiveDate,
) -> Result<()> {
    let sql = "INSERT INTO sealed_day (business_date, sequence, previous_seal, seal, buckets, positions, published)
               VALUES ($1, $2, $3, $4, $5, $6, FALSE)";
    let buckets = serde_json::to_string(&settings.buckets).context("buckets as JSON")?;
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(day.business_date).bind(day.sequence).bind(&day.previous_seal);
        query.bind(&day.seal).bind(&buckets).bind(settings.positions).execute(c).await.map(|_| ())
    })?;
    let mut cells = Vec::with_capacity(files.len() * SEALED_FILE.columns.len());
    for file in files {
        let (name, totals, sha256) = (file.name.as_str(), file.totals.as_str(), file.sha256.as_str());
        cells.extend(row![day.business_date, name, file.row_count, totals, sha256]);
    }
    bulk::insert(tx, &SEALED_FILE, cells).await?;
    let sql = "UPDATE scheme SET business_date = $2 WHERE business_date = $1";
    let moved = on_engine!(tx, |c| {
        sqlx::query(sql).bind(day.business_date).bind(next).execute(c).await.map(|done| done.rows_affected())
    })?;
    anyhow::ensure!(moved == 1, "the business date moved while {} was being closed", day.business_date);
    Ok(())
}

pub async fn last_sealed(tx: &mut Tx) -> Result<Option<SealedDay>> {
    let sql = "SELECT business_date, sequence, previous_seal, seal, published FROM sealed_day
               ORDER BY sequence DESC LIMIT 1";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_optional(c).await?))
}

/// Sealed days in order.
pub async fn sealed_days(tx: &mut Tx) -> Result<Vec<SealedDay>> {
    let sql = "SELECT business_date, sequence, previous_seal, seal, published FROM sealed_day ORDER BY sequence";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

pub async fn sealed_files(tx: &mut Tx, day: NaiveDate) -> Result<Vec<SealedFile>> {
    let sql = "SELECT name, row_count, totals, sha256 FROM sealed_file WHERE business_date = $1 ORDER BY name";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?))
}

/// Whether a sealed day has a file with this name.
pub async fn is_sealed_file(tx: &mut Tx, day: NaiveDate, name: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) > 0 FROM sealed_file WHERE business_date = $1 AND name = $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(day).bind(name).fetch_one(c).await?))
}

/// The merchants whose books are part of a sealed day.
pub async fn merchants_of_day(tx: &mut Tx, day: NaiveDate) -> Result<Vec<String>> {
    let sql = "SELECT merchant_id FROM merchant_day WHERE business_date = $1 ORDER BY merchant_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(day).fetch_all(c).await?))
}

/// How the reports of a sealed day were made.
pub async fn settings_of_day(tx: &mut Tx, day: NaiveDate) -> Result<ReportSettings> {
    let sql = "SELECT buckets, positions FROM sealed_day WHERE business_date = $1";
    let row: (String, ListedPositions) = on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_one(c).await?);
    Ok(ReportSettings { buckets: serde_json::from_str(&row.0).context("sealed buckets")?, positions: row.1 })
}

/// Marks a day's files and manifest as published.
pub async fn published(tx: &mut Tx, day: NaiveDate) -> Result<()> {
    let sql = "UPDATE sealed_day SET published = TRUE WHERE business_date = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(day).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// An account's balance at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    pub currency: Currency,
    pub account: Account,
    /// Debits less credits, in minor units.
    pub opening: i64,
    pub debits: i64,
    pub credits: i64,
    pub closing: i64,
}

const BALANCE: Table = Table {
    name: "account_balance",
    columns: &[
        "merchant_id",
        "business_date",
        "currency",
        "account",
        "opening_minor",
        "debits_minor",
        "credits_minor",
        "closing_minor",
    ],
    key: 4,
};

/// Saves a merchant's balances and last journal entry for the day being sealed.
pub async fn save_balances(
    tx: &mut Tx,
    merchant: &str,
    day: NaiveDate,
    balances: &[Balance],
    last_entry_no: i64,
) -> Result<()> {
    let mut cells = Vec::with_capacity(balances.len() * BALANCE.columns.len());
    for b in balances {
        let (code, account) = (b.currency.code(), b.account.code());
        cells.extend(row![merchant, day, code, account, b.opening, b.debits, b.credits, b.closing]);
    }
    bulk::insert(tx, &BALANCE, cells).await?;
    let sql = "INSERT INTO merchant_day (merchant_id, business_date, last_entry_no) VALUES ($1, $2, $3)";
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(day).bind(last_entry_no).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// A merchant's balances at the end of a sealed day.
pub async fn balances(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<Balance>> {
    let sql = "SELECT currency, account, opening_minor, debits_minor, credits_minor, closing_minor
               FROM account_balance WHERE merchant_id = $1 AND business_date = $2 ORDER BY currency, account";
    let rows: Vec<(String, i16, i64, i64, i64, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(day).fetch_all(c).await?);
    rows.into_iter()
        .map(|(code, account, opening, debits, credits, closing)| {
            let (currency, account) = (currency(&code)?, stored_account(account)?);
            Ok(Balance { currency, account, opening, debits, credits, closing })
        })
        .collect()
}

/// A merchant's balances at the end of the last day before `day` whose seal includes the merchant.
pub async fn balances_before(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<Balance>> {
    let sql = "SELECT MAX(business_date) FROM merchant_day WHERE merchant_id = $1 AND business_date < $2";
    let last: Option<NaiveDate> =
        on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(day).fetch_one(c).await?);
    match last {
        Some(last) => balances(tx, merchant, last).await,
        None => Ok(Vec::new()),
    }
}

/// A merchant that is missing in the seal of a day, and why.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Missing {
    pub merchant_id: String,
    pub reason: String,
}

/// Records the merchants that are missing in the seal of a day.
pub async fn add_missing(tx: &mut Tx, day: NaiveDate, missing: &[Missing]) -> Result<()> {
    let sql = "INSERT INTO missing_merchant (merchant_id, business_date, reason) VALUES ($1, $2, $3)";
    for Missing { merchant_id, reason } in missing {
        on_engine!(tx, |c| sqlx::query(sql).bind(merchant_id).bind(day).bind(reason).execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// The merchants that are missing in the seal of a day.
pub async fn missing(tx: &mut Tx, day: NaiveDate) -> Result<Vec<Missing>> {
    let sql = "SELECT merchant_id, reason FROM missing_merchant WHERE business_date = $1 ORDER BY merchant_id";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?))
}

/// The first of the consecutive days before `day` that were sealed without the merchant; `None` if the day before was sealed
/// with it.
pub async fn missing_since(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Option<NaiveDate>> {
    let sql = "SELECT MIN(m.business_date) FROM missing_merchant m
               WHERE m.merchant_id = $1 AND m.business_date < $2
                 AND NOT EXISTS (SELECT 1 FROM merchant_day d
                                 WHERE d.merchant_id = m.merchant_id AND d.business_date > m.business_date
                                   AND d.business_date < $2)";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(day).fetch_one(c).await?))
}

/// A merchant's last journal entry on or before a sealed day; 0 if there is none.
pub async fn last_entry_by(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(last_entry_no), 0) FROM merchant_day WHERE merchant_id = $1 AND business_date <= $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(day).fetch_one(c).await?))
}

/// The fingerprint that a policy version had when it was first used.
pub async fn policy_fingerprint(tx: &mut Tx, merchant: &str, version: NaiveDate) -> Result<Option<String>> {
    let sql = "SELECT fingerprint FROM policy_version WHERE merchant_id = $1 AND effective_from = $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(version).fetch_optional(c).await?))
}

/// The policy versions that a merchant's orders use.
pub async fn policy_versions(tx: &mut Tx, merchant: &str) -> Result<Vec<(NaiveDate, String)>> {
    let sql = "SELECT effective_from, fingerprint FROM policy_version WHERE merchant_id = $1 ORDER BY effective_from";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?))
}

/// Records that orders use a policy version from today on. The fingerprint may change when its calendar gains a year.
pub async fn use_policy_version(
    tx: &mut Tx,
    merchant: &str,
    version: NaiveDate,
    fingerprint: &str,
    today: NaiveDate,
) -> Result<()> {
    let sql = "INSERT INTO policy_version (merchant_id, effective_from, fingerprint, first_used_on)
               VALUES ($1, $2, $3, $4)
               ON CONFLICT (merchant_id, effective_from) DO UPDATE SET fingerprint = excluded.fingerprint";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(version).bind(fingerprint).bind(today);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Totals for the days from..=to.
#[derive(Debug, Clone, Default)]
pub struct Happened {
    pub credit_steps: Vec<(CreditStatus, i64)>,
    /// Late fees charged less late fees reversed, by currency, on sealed days.
    pub late_fees: Vec<(Currency, i64)>,
}

pub async fn happened(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Happened> {
    let steps =
        "SELECT status, COUNT(*) FROM credit_step WHERE since BETWEEN $1 AND $2 GROUP BY status ORDER BY status";
    let credit_steps = on_engine!(tx, |c| sqlx::query_as(steps).bind(from).bind(to).fetch_all(c).await?);
    let fees = "SELECT currency, CAST(SUM(credits_minor - debits_minor) AS BIGINT) FROM account_balance
                WHERE account = $1 AND business_date BETWEEN $2 AND $3 GROUP BY currency ORDER BY currency";
    let income = Account::IncomeLateFee.code();
    let fees: Vec<(String, i64)> =
        on_engine!(tx, |c| sqlx::query_as(fees).bind(income).bind(from).bind(to).fetch_all(c).await?);
    let late_fees = fees.into_iter().map(|(code, minor)| Ok((currency(&code)?, minor))).collect::<Result<_>>()?;
    Ok(Happened { credit_steps, late_fees })
}
