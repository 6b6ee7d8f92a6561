//! Counts, sums and lists for the console and for monitoring. Everything is found by index or has a limit, so that a page
//! costs the same whatever the number of orders. The two exceptions, [`unpaid_by_due_date`] and [`moved_by_kind`], say so.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::engine::{Tx, on_engine};
use super::exceptions::{ExceptionRow, REPORTED};
use super::files::Counts;
use super::journal::{JournalRow, SELECT_ROW, StoredRow, currency, stored_account};
use super::runs::{COLUMNS as RUN_COLUMNS, RunRow};
use crate::domain::intake::code::ExceptionCode;
use crate::domain::journal::{Account, EntryKind};
use crate::domain::money::Currency;

/// A job's runs that were due since an instant, the latest first, at most `limit`.
pub async fn runs_since(tx: &mut Tx, job: &str, since: DateTime<Utc>, limit: i64) -> Result<Vec<RunRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {RUN_COLUMNS} FROM run WHERE job = $1 AND scheduled_for >= $2 AND status NOT IN ('due', 'skipped')
         ORDER BY scheduled_for DESC, attempt DESC LIMIT $3"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(job).bind(since).bind(limit).fetch_all(c).await?))
}

/// The number of a job's runs by status, of those that were due since an instant.
pub async fn run_counts(tx: &mut Tx, job: &str, since: DateTime<Utc>) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT status, COUNT(*) FROM run WHERE job = $1 AND scheduled_for >= $2 GROUP BY status ORDER BY status";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(job).bind(since).fetch_all(c).await?))
}

/// The files of a day by feed and status: how many, and the sum of their rows.
pub async fn files_by_feed(tx: &mut Tx, day: NaiveDate) -> Result<Vec<FeedFiles>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT feed, status, COUNT(*) AS files, MAX(file_no) AS last_file_no, {SUMS} FROM file
         WHERE business_date = $1 GROUP BY feed, status ORDER BY feed, status"
    ));
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await?))
}

/// A feed's files of a day with one status.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FeedFiles {
    pub feed: String,
    pub status: String,
    pub files: i64,
    pub last_file_no: i64,
    #[sqlx(flatten)]
    pub counts: Counts,
}

/// The files and rows of the days from..=to by status of the file.
pub async fn files_by_status(tx: &mut Tx, from: NaiveDate, to: NaiveDate) -> Result<Vec<(String, i64, Counts)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        status: String,
        files: i64,
        #[sqlx(flatten)]
        counts: Counts,
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT status, COUNT(*) AS files, {SUMS} FROM file
         WHERE business_date BETWEEN $1 AND $2 GROUP BY status ORDER BY status"
    ));
    let rows: Vec<Row> = on_engine!(tx, |c| sqlx::query_as(sql).bind(from).bind(to).fetch_all(c).await?);
    Ok(rows.into_iter().map(|row| (row.status, row.files, row.counts)).collect())
}

const SUMS: &str = "CAST(SUM(read_rows) AS BIGINT) AS read_rows, CAST(SUM(accepted) AS BIGINT) AS accepted,
    CAST(SUM(declined) AS BIGINT) AS declined, CAST(SUM(duplicate) AS BIGINT) AS duplicate,
    CAST(SUM(conflict) AS BIGINT) AS conflict, CAST(SUM(pending) AS BIGINT) AS pending,
    CAST(SUM(rejected) AS BIGINT) AS rejected";

/// Open exceptions by code and the day they were opened on.
pub async fn open_exceptions_by_day(tx: &mut Tx) -> Result<Vec<(ExceptionCode, NaiveDate, i64)>> {
    let sql = "SELECT code, opened_on, COUNT(*) FROM exception WHERE resolved_on IS NULL
               GROUP BY code, opened_on ORDER BY code, opened_on";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Which open exceptions to list. An empty field matches everything.
#[derive(Debug, Clone)]
pub struct ExceptionFilter {
    /// As somebody typed it, so it may be no code.
    pub code: String,
    pub merchant: String,
    /// Only those opened on this day or before it.
    pub opened_by: NaiveDate,
}

/// Open exceptions, the oldest first, after the one with this day, merchant and number; at most `limit`.
pub async fn open_exceptions(
    tx: &mut Tx,
    filter: &ExceptionFilter,
    (opened_on, merchant, number): (NaiveDate, &str, i64),
    limit: i64,
) -> Result<Vec<ExceptionRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {REPORTED}
         WHERE e.resolved_on IS NULL AND ($1 = '' OR e.code = $1) AND ($2 = '' OR e.merchant_id = $2)
           AND e.opened_on <= $3 AND (e.opened_on, e.merchant_id, e.exception_no) > ($4, $5, $6)
         ORDER BY e.opened_on, e.merchant_id, e.exception_no LIMIT $7"
    ));
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(&filter.code).bind(&filter.merchant).bind(filter.opened_by);
        query.bind(opened_on).bind(merchant).bind(number).bind(limit).fetch_all(c).await?
    }))
}

/// An account's turnover over several sealed days, in minor units.
pub struct AccountTurnover {
    pub currency: Currency,
    pub account: Account,
    pub debits: i64,
    pub credits: i64,
}

/// A merchant's turnover on the sealed days from..=to.
pub async fn turnover(tx: &mut Tx, merchant: &str, from: NaiveDate, to: NaiveDate) -> Result<Vec<AccountTurnover>> {
    let sql = "SELECT currency, account, CAST(SUM(debits_minor) AS BIGINT), CAST(SUM(credits_minor) AS BIGINT)
               FROM account_balance WHERE merchant_id = $1 AND business_date BETWEEN $2 AND $3
               GROUP BY currency, account ORDER BY currency, account";
    let rows: Vec<(String, i16, i64, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(from).bind(to).fetch_all(c).await?);
    let turnover = |(code, account, debits, credits): (String, i16, i64, i64)| {
        Ok(AccountTurnover { currency: currency(&code)?, account: stored_account(account)?, debits, credits })
    };
    rows.into_iter().map(turnover).collect()
}

/// What a merchant's entries of one kind moved on an account.
pub struct KindMoved {
    pub currency: Currency,
    pub account: Account,
    pub kind: EntryKind,
    pub entries: i64,
    /// Debits less credits, in minor units.
    pub minor: i64,
}

/// What a merchant's entries with after < entry_no ≤ upto moved on each account, by kind. This reads all those entries, so no
/// page may wait for it.
pub async fn moved_by_kind(tx: &mut Tx, merchant: &str, after: i64, upto: i64) -> Result<Vec<KindMoved>> {
    let sql = "SELECT currency, account, kind, COUNT(*), CAST(SUM(minor) AS BIGINT)
               FROM (SELECT currency, debit_account AS account, kind, amount_minor AS minor FROM journal
                     WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3
                     UNION ALL
                     SELECT currency, credit_account, kind, -amount_minor FROM journal
                     WHERE merchant_id = $1 AND entry_no > $2 AND entry_no <= $3) AS both_sides
               GROUP BY currency, account, kind ORDER BY currency, account, kind";
    let rows: Vec<(String, i16, EntryKind, i64, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(after).bind(upto).fetch_all(c).await?);
    let moved = |(code, account, kind, entries, minor): (String, i16, EntryKind, i64, i64)| {
        Ok(KindMoved { currency: currency(&code)?, account: stored_account(account)?, kind, entries, minor })
    };
    rows.into_iter().map(moved).collect()
}

/// A sealed day of an account: day, opening balance, debits, credits and closing balance.
pub type AccountDay = (NaiveDate, i64, i64, i64, i64);

/// The sealed days from..=to of a merchant's account, in order.
pub async fn account_days(
    tx: &mut Tx,
    merchant: &str,
    (currency, account): (Currency, Account),
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<AccountDay>> {
    let sql = "SELECT business_date, opening_minor, debits_minor, credits_minor, closing_minor FROM account_balance
               WHERE merchant_id = $1 AND business_date BETWEEN $2 AND $3 AND currency = $4 AND account = $5
               ORDER BY business_date";
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(from).bind(to).bind(currency.code());
        query.bind(account.code()).fetch_all(c).await?
    }))
}

/// The journal entries of a merchant's account with after < entry_no ≤ upto, at most `limit`.
pub async fn entries_of_account(
    tx: &mut Tx,
    merchant: &str,
    (currency, account): (Currency, Account),
    (after, upto): (i64, i64),
    limit: i64,
) -> Result<Vec<JournalRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{SELECT_ROW} WHERE j.merchant_id = $1 AND j.entry_no > $2 AND j.entry_no <= $3 AND j.currency = $4
           AND (j.debit_account = $5 OR j.credit_account = $5) ORDER BY j.entry_no LIMIT $6"
    ));
    let rows: Vec<StoredRow> = on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(after).bind(upto).bind(currency.code());
        query.bind(account.code()).bind(limit).fetch_all(c).await?
    });
    rows.into_iter().map(StoredRow::into_row).collect()
}

/// What is unpaid by due date, of one merchant.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UnpaidOnDay {
    pub currency: String,
    pub due_on: NaiveDate,
    /// The latest day past due from which the instalments count, as if without a gap.
    pub days_past_due: i64,
    pub decided_on: NaiveDate,
    pub instalments: i64,
    pub outstanding_minor: i64,
}

/// What a merchant's customers have yet to pay, by due date and by the days past due that were recorded. This reads every
/// unpaid instalment with a due date, so no page may wait for it: the console computes it in the background, once a day.
pub async fn unpaid_by_due_date(tx: &mut Tx, merchant: &str) -> Result<Vec<UnpaidOnDay>> {
    let sql = "SELECT o.currency, i.due_on, i.days_past_due, i.decided_on, COUNT(*) AS instalments,
                      CAST(SUM(i.outstanding_minor) AS BIGINT) AS outstanding_minor
               FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
               WHERE i.merchant_id = $1 AND i.outstanding_minor > 0 AND i.due_on IS NOT NULL
               GROUP BY o.currency, i.due_on, i.days_past_due, i.decided_on ORDER BY o.currency, i.due_on";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?))
}

/// An unpaid instalment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UnpaidRow {
    pub order_id: String,
    pub instalment: i64,
    pub customer_id: String,
    pub currency: String,
    pub due_on: NaiveDate,
    pub principal_minor: i64,
    pub outstanding_minor: i64,
    pub late_fee_open_minor: i64,
    pub days_past_due: i64,
    pub decided_on: NaiveDate,
    pub credit_status: String,
}

/// A merchant's unpaid instalments due on the days from..=to, by due date, after the one with this day, order and number; at
/// most `limit`.
pub async fn unpaid(
    tx: &mut Tx,
    merchant: &str,
    (from, to): (NaiveDate, NaiveDate),
    (due_on, order_id, instalment): (NaiveDate, &str, i64),
    limit: i64,
) -> Result<Vec<UnpaidRow>> {
    let sql =
        "SELECT i.order_id, i.instalment, o.customer_id, o.currency, i.due_on, i.principal_minor, i.outstanding_minor,
                      i.late_fee_minor - i.late_fee_paid_minor AS late_fee_open_minor, i.days_past_due, i.decided_on,
                      i.credit_status
               FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
               WHERE i.merchant_id = $1 AND i.outstanding_minor > 0 AND i.due_on IS NOT NULL
                 AND i.due_on BETWEEN $2 AND $3 AND (i.due_on, i.order_id, i.instalment) > ($4, $5, $6)
               ORDER BY i.due_on, i.order_id, i.instalment LIMIT $7";
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(from).bind(to);
        query.bind(due_on).bind(order_id).bind(instalment).bind(limit).fetch_all(c).await?
    }))
}

/// The orders of a merchant whose ids begin with a text, by id, after `after`; at most `limit`.
pub async fn order_ids(tx: &mut Tx, merchant: &str, start: &str, after: &str, limit: i64) -> Result<Vec<String>> {
    // Text compares byte by byte, and no text is greater than one that goes on with the last character there is.
    let sql =
        "SELECT order_id FROM orders WHERE merchant_id = $1 AND order_id >= $2 AND order_id < $3 AND order_id > $4
               ORDER BY order_id LIMIT $5";
    let end = format!("{start}\u{10ffff}");
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_scalar(sql).bind(merchant).bind(start).bind(&end).bind(after).bind(limit);
        query.fetch_all(c).await?
    }))
}

/// The order of a merchant's payment, refund or chargeback with this key.
pub async fn order_of_money(tx: &mut Tx, merchant: &str, key: &str) -> Result<Option<String>> {
    let sql = "SELECT order_id FROM fact
               WHERE merchant_id = $1 AND kind IN ('payment', 'refund', 'chargeback') AND fact_id = $2 LIMIT 1";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(key).fetch_optional(c).await?))
}

/// A customer's orders with a merchant that are past due, or will be, unless they are paid: those due first come first.
pub async fn orders_owed(tx: &mut Tx, merchant: &str, customer: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT order_id FROM orders WHERE merchant_id = $1 AND customer_id = $2 AND past_due_from IS NOT NULL
               ORDER BY past_due_from, order_id LIMIT $3";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(customer).bind(limit).fetch_all(c).await?))
}

/// A customer's mail: its number, day, template and status, and an order that it is about.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CustomerMail {
    pub mail_no: i64,
    pub business_date: NaiveDate,
    pub template: String,
    pub status: String,
}

/// A customer's mails, the latest first, at most `limit`. Withdrawn ones never left and are not among them.
pub async fn mails_of(tx: &mut Tx, customer: &str, limit: i64) -> Result<Vec<CustomerMail>> {
    let sql = "SELECT mail_no, business_date, template, status FROM mail
               WHERE customer_id = $1 AND status <> 'withdrawn' ORDER BY business_date DESC LIMIT $2";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(customer).bind(limit).fetch_all(c).await?))
}

/// The merchant and id of each order that a mail is about.
pub async fn orders_in_mail(tx: &mut Tx, mail_no: i64) -> Result<Vec<(String, String)>> {
    let sql = "SELECT DISTINCT merchant_id, order_id FROM reminder WHERE mail_no = $1 ORDER BY merchant_id, order_id";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(mail_no).fetch_all(c).await?))
}
