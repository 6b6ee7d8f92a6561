//! The journal: every movement of money, append-only, numbered without gaps for each merchant.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use serde::Deserialize;

use super::as_text::{by_name, day};
use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, rows, text_for};
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Entry, EntryKind, Movement, Reason, Recorded};
use crate::domain::money::Currency;

const JOURNAL: Table = Table {
    name: "journal",
    columns: &[
        "merchant_id",
        "entry_no",
        "business_date",
        "effective_on",
        "kind",
        "order_id",
        "instalment",
        "currency",
        "debit_account",
        "credit_account",
        "amount_minor",
        "cause",
        "file_no",
        "line",
        "policy_version",
        "reason",
    ],
    key: 2,
};

/// An entry to post, with its order.
pub struct Posting {
    pub order_id: String,
    pub currency: Currency,
    pub policy_version: Option<NaiveDate>,
    pub entry: Entry,
}

/// Posts entries on the open day.
pub async fn post(tx: &mut Tx, merchant: &str, business_date: NaiveDate, postings: &[Posting]) -> Result<()> {
    if postings.is_empty() {
        return Ok(());
    }
    let last = last_entry_no(tx, merchant).await?;
    let mut cells = Vec::with_capacity(postings.len() * JOURNAL.columns.len());
    for (posting, entry_no) in postings.iter().zip(last + 1..) {
        let Entry { movement, minor, effective_on, source, reason } = &posting.entry;
        cells.extend(row![
            merchant,
            entry_no,
            business_date,
            *effective_on,
            movement.kind,
            posting.order_id.as_str(),
            movement.instalment,
            posting.currency.code(),
            movement.debit.code(),
            movement.credit.code(),
            *minor,
            movement.cause.as_str(),
            source.file_no,
            source.line,
            posting.policy_version,
            *reason,
        ]);
    }
    bulk::insert(tx, &JOURNAL, cells).await
}

pub async fn last_entry_no(tx: &mut Tx, merchant: &str) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(entry_no), 0) FROM journal WHERE merchant_id = $1";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_one(c).await?))
}

/// The amounts booked for these orders, in total for each movement. Leaves out late fees, whose sum is in the positions, and
/// money in suspense, which belongs to no order.
pub async fn recorded(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
    day: NaiveDate,
) -> Result<HashMap<String, Vec<Recorded>>> {
    sums(tx, merchant, order_ids, day, "kind <> 'late_fee' AND kind <> 'suspense'").await
}

/// The late fees booked for these orders, added up from all entries.
pub async fn recorded_late_fees(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
    day: NaiveDate,
) -> Result<HashMap<String, Vec<Recorded>>> {
    sums(tx, merchant, order_ids, day, "kind = 'late_fee'").await
}

async fn sums(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
    day: NaiveDate,
    which: &'static str,
) -> Result<HashMap<String, Vec<Recorded>>> {
    let entries = "FROM journal WHERE merchant_id = $1 AND order_id IN {keys $2} AND business_date <= $3 AND ";
    let entries = text_for(tx, entries) + which;
    let keys = key_set(order_ids.iter().copied());
    let mut rows: Vec<RecordedRow> = rows!(tx, [RECORDED], entries, [merchant, keys, day]);
    rows.sort_by(|one, other| one.key().cmp(&other.key()));
    let mut recorded: HashMap<String, Vec<Recorded>> = HashMap::new();
    for row in rows {
        let of_order = recorded.entry(row.order_id).or_default();
        let movement = movement(row.kind, row.instalment, row.debit_account, row.credit_account, row.cause)?;
        match of_order.last_mut().filter(|last| last.movement == movement) {
            Some(sum) => {
                let minor = sum.minor.checked_add(row.amount_minor);
                sum.minor =
                    minor.with_context(|| format!("entries like {movement:?} add up to more than books hold"))?;
                sum.effective_on = sum.effective_on.min(row.effective_on);
                sum.source.file_no = sum.source.file_no.min(row.file_no);
                sum.source.line = sum.source.line.min(row.line);
            }
            None => {
                let source = Source { file_no: row.file_no, line: row.line };
                of_order.push(Recorded { movement, minor: row.amount_minor, effective_on: row.effective_on, source });
            }
        }
    }
    Ok(recorded)
}

const RECORDED: &str = "order_id, kind, instalment, debit_account, credit_account, cause, amount_minor, effective_on,
    file_no, line";

#[derive(Deserialize, sqlx::FromRow)]
struct RecordedRow {
    order_id: String,
    #[serde(deserialize_with = "by_name")]
    kind: EntryKind,
    instalment: i64,
    debit_account: i16,
    credit_account: i16,
    cause: String,
    amount_minor: i64,
    #[serde(deserialize_with = "day")]
    effective_on: NaiveDate,
    file_no: i64,
    line: i64,
}

impl RecordedRow {
    fn key(&self) -> (&str, &str, i64, i16, i16, &str) {
        let RecordedRow { order_id, instalment, debit_account, credit_account, cause, .. } = self;
        (order_id, self.kind.name(), *instalment, *debit_account, *credit_account, cause)
    }
}

pub(super) const SELECT_ROW: &str = "SELECT j.entry_no, j.business_date, j.effective_on, j.kind, j.order_id, j.instalment,
        j.currency, j.debit_account, j.credit_account, j.amount_minor, j.cause, j.line, j.policy_version, j.reason, f.name
    FROM journal j LEFT JOIN file f ON f.file_no = j.file_no";

/// A journal row, as reported.
#[derive(Debug, Clone)]
pub struct JournalRow {
    pub entry_no: i64,
    pub business_date: NaiveDate,
    pub effective_on: NaiveDate,
    pub order_id: String,
    pub currency: Currency,
    pub minor: i64,
    pub movement: Movement,
    /// The name of the file that caused it; empty if a rule caused it.
    pub source: String,
    pub line: i64,
    pub policy_version: Option<NaiveDate>,
    pub reason: Reason,
}

/// A merchant's rows with after < entry_no ≤ upto, at most `limit`.
pub async fn rows(tx: &mut Tx, merchant: &str, after: i64, upto: i64, limit: i64) -> Result<Vec<JournalRow>> {
    let sql = format!(
        "{SELECT_ROW} WHERE j.merchant_id = $1 AND j.entry_no > $2 AND j.entry_no <= $3 ORDER BY j.entry_no LIMIT $4"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<StoredRow> = on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(after).bind(upto).bind(limit).fetch_all(c).await?
    });
    rows.into_iter().map(StoredRow::into_row).collect()
}

/// The currencies of a merchant's rows with after < entry_no.
pub async fn currencies_after(tx: &mut Tx, merchant: &str, after: i64) -> Result<Vec<Currency>> {
    let sql = "SELECT DISTINCT currency FROM journal WHERE merchant_id = $1 AND entry_no > $2 ORDER BY currency";
    let codes: Vec<String> =
        on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(after).fetch_all(c).await?);
    codes.iter().map(|code| currency(code)).collect()
}

/// The rows of an order, in booking order.
pub async fn of_order(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<JournalRow>> {
    let mut all = Vec::new();
    // There are two indexes by order, each with its own query.
    for which in ["j.kind <> 'late_fee'", "j.kind = 'late_fee'"] {
        let sql = format!("{SELECT_ROW} WHERE j.merchant_id = $1 AND j.order_id = $2 AND {which}");
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<StoredRow> =
            on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(order_id).fetch_all(c).await?);
        all.extend(rows);
    }
    all.sort_by_key(|row| row.entry_no);
    all.into_iter().map(StoredRow::into_row).collect()
}

/// The first entry after the last entry of a sealed day that is not dated on the days since..=today, with its order and day.
pub async fn first_of_another_day(
    tx: &mut Tx,
    merchant: &str,
    after: i64,
    since: NaiveDate,
    today: NaiveDate,
) -> Result<Option<(i64, String, NaiveDate)>> {
    let sql = "SELECT entry_no, order_id, business_date FROM journal
               WHERE merchant_id = $1 AND entry_no > $2 AND business_date NOT BETWEEN $3 AND $4
               ORDER BY entry_no LIMIT 1";
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(after).bind(since).bind(today).fetch_optional(c).await?
    }))
}

/// An account's turnover in a range of entries.
pub struct Turnover {
    pub currency: Currency,
    pub account: Account,
    pub debits: i64,
    pub credits: i64,
}

/// The entries that are added up at once: SQLite sorts them in memory.
const ADDED_UP_AT_ONCE: i64 = 100_000;

/// The debits and credits of each account in the rows with after < entry_no ≤ upto.
pub async fn turnover(tx: &mut Tx, merchant: &str, mut after: i64, upto: i64) -> Result<Vec<Turnover>> {
    let mut sums: BTreeMap<(Currency, Account), (i64, i64)> = BTreeMap::new();
    while after < upto {
        let end = "SELECT entry_no FROM journal WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3
                   ORDER BY entry_no LIMIT 1 OFFSET $4";
        let end: Option<i64> = on_engine!(tx, |c| {
            let query = sqlx::query_scalar(end).bind(merchant).bind(after).bind(upto);
            query.bind(ADDED_UP_AT_ONCE - 1).fetch_optional(c).await?
        });
        let end = end.unwrap_or(upto);
        for Turnover { currency, account, debits, credits } in turnover_at_once(tx, merchant, after, end).await? {
            let sum = sums.entry((currency, account)).or_default();
            let more = sum.0.checked_add(debits).zip(sum.1.checked_add(credits));
            *sum = more.with_context(|| format!("the turnover of {} is larger than books hold", account.name()))?;
        }
        after = end;
    }
    let turnover = |((currency, account), (debits, credits))| Turnover { currency, account, debits, credits };
    Ok(sums.into_iter().map(turnover).collect())
}

async fn turnover_at_once(tx: &mut Tx, merchant: &str, after: i64, upto: i64) -> Result<Vec<Turnover>> {
    let sql = "SELECT currency, account, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT)
               FROM (SELECT currency, debit_account AS account, amount_minor AS debit, 0 AS credit FROM journal
                     WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3
                     UNION ALL
                     SELECT currency, credit_account, 0, amount_minor FROM journal
                     WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3) AS both_sides
               GROUP BY currency, account";
    let rows: Vec<(String, i16, i64, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(after).bind(upto).fetch_all(c).await?);
    rows.into_iter()
        .map(|(code, account, debits, credits)| {
            Ok(Turnover { currency: currency(&code)?, account: stored_account(account)?, debits, credits })
        })
        .collect()
}

#[derive(sqlx::FromRow)]
pub(super) struct StoredRow {
    entry_no: i64,
    business_date: NaiveDate,
    effective_on: NaiveDate,
    kind: EntryKind,
    order_id: String,
    instalment: i64,
    currency: String,
    debit_account: i16,
    credit_account: i16,
    amount_minor: i64,
    cause: String,
    line: i64,
    policy_version: Option<NaiveDate>,
    reason: Reason,
    name: Option<String>,
}

impl StoredRow {
    pub(super) fn into_row(self) -> Result<JournalRow> {
        Ok(JournalRow {
            entry_no: self.entry_no,
            business_date: self.business_date,
            effective_on: self.effective_on,
            order_id: self.order_id,
            currency: currency(&self.currency)?,
            minor: self.amount_minor,
            movement: movement(self.kind, self.instalment, self.debit_account, self.credit_account, self.cause)?,
            source: self.name.unwrap_or_default(),
            line: self.line,
            policy_version: self.policy_version,
            reason: self.reason,
        })
    }
}

pub(super) fn movement(kind: EntryKind, instalment: i64, debit: i16, credit: i16, cause: String) -> Result<Movement> {
    Ok(Movement { kind, instalment, debit: stored_account(debit)?, credit: stored_account(credit)?, cause })
}

pub(super) fn stored_account(code: i16) -> Result<Account> {
    Account::from_code(code).with_context(|| format!("the journal has an unknown account {code}"))
}

pub(super) fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).with_context(|| format!("the store has an unknown currency {code}"))
}

/// The order of a merchant's first entry after one of its entries. Money in suspense belongs to no order.
pub async fn first_order_after(tx: &mut Tx, merchant: &str, after: i64) -> Result<Option<String>> {
    let sql = "SELECT order_id FROM journal
               WHERE merchant_id = $1 AND entry_no > $2 AND order_id <> '' AND kind <> 'suspense'
               ORDER BY entry_no LIMIT 1";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(after).fetch_optional(c).await?))
}
