//! The pages about money: what customers owe and when it is due, the accounts of a month, and the rows behind each figure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::Query;
use axum::response::Response;
use chrono::NaiveDate;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;

use super::charts;
use super::failure::Failure;
use super::page::Page;
use crate::books::environment::Environment;
use crate::domain::calendar::{last_of_month, plus};
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::store::scheme;
use crate::views::Amount;
use crate::views::money::{self, AccountDayRow, Money};
use crate::views::unpaid::{After, BucketSum, Unpaid, UnpaidInstalment, Which};

#[derive(Deserialize)]
pub struct OfMonth {
    /// Such as 2026-03.
    month: Option<String>,
}

pub async fn page(page: Page, Query(of): Query<OfMonth>) -> Response {
    let made = make(&page, of.month.as_deref()).await;
    page.answer("money", made)
}

async fn make(page: &Page, month: Option<&str>) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let asked = month.and_then(first_of_month);
    let money = Money::load(&mut tx, &environment, asked).await?;
    let open = scheme::days(&mut tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
    let unpaid = page.console.unpaid.get(&environment, open);
    let currencies = currencies(&money, unpaid.as_deref(), open);
    let before = money.month.pred_opt().filter(|day| *day >= environment.scheme.starts_on);
    let after = Some(plus(last_of_month(money.month), 1)).filter(|day| Some(*day) <= money.last_sealed);
    let in_url = |day: NaiveDate| day.format("%Y-%m").to_string();
    let rolls = money.sealed.map(|days| page.console.rolls.get(&environment, days));
    let value = context! {
        are_rolls_under_way => matches!(rolls, Some(None)),
        rolls => rolls.flatten().map(|rolls| Value::from(Serde(rolls.to_vec()))),
        before => before.map(in_url),
        after => after.map(in_url),
        month => in_url(money.month),
        money => Serde(&money),
        unpaid_of => unpaid.as_ref().map(|unpaid| plus(unpaid.business_date, -1).to_string()),
        currencies,
    };
    Ok((environment.clone(), value))
}

fn first_of_month(month: &str) -> Option<NaiveDate> {
    format!("{month}-01").parse().ok()
}

/// Returns, for each currency, what is owed, in which buckets, and when it is due.
fn currencies(money: &Money, unpaid: Option<&Unpaid>, open: NaiveDate) -> Vec<Value> {
    let of_currency = |total: &money::AccountsOf| {
        let currency = Currency::parse(&total.currency)?;
        let amount = |minor| Amount::new(minor, currency);
        let owed = total.closing(Account::ReceivablePrincipal);
        let dated: i64 = unpaid.map_or(0, |unpaid| {
            let of_currency = unpaid.buckets.iter().filter(|sum| sum.outstanding.currency == currency);
            of_currency.map(|sum| sum.outstanding.minor).sum()
        });
        let is_same_day = unpaid.is_some_and(|unpaid| Some(plus(unpaid.business_date, -1)) == money.last_sealed);
        let undated = (owed - dated).max(0);
        let value = context! {
            has_owed => owed != 0 || dated != 0,
            undated => (is_same_day && undated > 0).then(|| Value::from(Serde(amount(undated)))),
            currency => total.currency.as_str(),
            owed => Serde(amount(owed)),
            late_fees => Serde(amount(total.closing(Account::ReceivableLateFee))),
            payable => Serde(amount(total.closing(Account::MerchantPayable))),
            credit => Serde(amount(total.closing(Account::CustomerCredit))),
            suspense => Serde(amount(total.closing(Account::Suspense))),
            buckets => unpaid.map(|unpaid| buckets(unpaid, currency)),
            due => unpaid.map(|unpaid| due(unpaid, currency, open)),
        };
        Some(value)
    };
    money.total.iter().filter_map(of_currency).collect()
}

/// Returns the buckets of a currency in order: the sum of all merchants, and that of each.
fn buckets(unpaid: &Unpaid, currency: Currency) -> Vec<Value> {
    let of_currency = || unpaid.buckets.iter().filter(|sum| sum.outstanding.currency == currency);
    // `current` comes first, then ranges by their first day.
    let rank = |bucket: &str| -> i64 {
        bucket.split(['-', '+']).next().and_then(|start| start.parse().ok()).unwrap_or(0)
            + i64::from(bucket.ends_with('+'))
    };
    let names: BTreeSet<(i64, &str)> = of_currency().map(|sum| (rank(&sum.bucket), sum.bucket.as_str())).collect();
    let of_bucket = |name: &str| of_currency().filter(|sum| sum.bucket == name).collect::<Vec<&BucketSum>>();
    let sums: Vec<i64> =
        names.iter().map(|(_, name)| of_bucket(name).iter().map(|sum| sum.outstanding.minor).sum()).collect();
    let bars = charts::bars(&sums);
    let bucket = |(((_, name), minor), bar): ((&(i64, &str), &i64), i64)| {
        let parts = of_bucket(name);
        context! {
            bucket => *name,
            bar,
            outstanding => Serde(Amount::new(*minor, currency)),
            instalments => parts.iter().map(|sum| sum.instalments).sum::<i64>(),
            merchants => Serde(parts),
        }
    };
    names.iter().zip(&sums).zip(bars).map(bucket).collect()
}

/// How many days the chart of due dates shows.
const DAYS_SHOWN: i64 = 14;

/// How wide that chart is.
const WIDTH: i64 = 700;

/// Returns what is due on each of the next days, and later.
fn due(unpaid: &Unpaid, currency: Currency, open: NaiveDate) -> Value {
    let mut days: BTreeMap<NaiveDate, (i64, i64)> = BTreeMap::new();
    for ahead in 0..DAYS_SHOWN {
        days.insert(plus(open, ahead), (0, 0));
    }
    let (mut later, mut later_count) = (0, 0);
    for sum in unpaid.due.iter().filter(|sum| sum.outstanding.currency == currency) {
        match days.get_mut(&sum.due_on) {
            Some(day) => *day = (day.0 + sum.outstanding.minor, day.1 + sum.instalments),
            None if sum.due_on > open => {
                later += sum.outstanding.minor;
                later_count += sum.instalments;
            }
            None => {}
        }
    }
    let values: Vec<i64> = days.values().map(|(minor, _)| *minor).collect();
    let columns = charts::columns(&values, WIDTH);
    let day = |((day, (minor, instalments)), column): ((&NaiveDate, &(i64, i64)), charts::Column)| {
        context! {
            day => day.to_string(),
            number => day.format("%-d").to_string(),
            amount => Serde(Amount::new(*minor, currency)),
            instalments,
            column => Serde(column),
        }
    };
    let listed: Vec<Value> = days.iter().zip(columns).map(day).collect();
    context! {
        days => listed,
        width => WIDTH,
        height => charts::HEIGHT,
        from_later => plus(open, DAYS_SHOWN).to_string(),
        later => Serde(Amount::new(later, currency)),
        later_count,
    }
}

#[derive(Deserialize)]
pub struct OfUnpaid {
    /// Empty: every merchant in turn.
    #[serde(default)]
    merchant: String,
    #[serde(default)]
    bucket: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    after_due: Option<NaiveDate>,
    after_order: Option<String>,
    after_instalment: Option<i64>,
}

/// How many rows a page lists.
const ROWS: usize = 50;

/// Dates before and after every due date.
const FIRST: (i32, u32, u32) = (1970, 1, 1);
const LAST: (i32, u32, u32) = (2999, 12, 31);

pub async fn unpaid(page: Page, Query(of): Query<OfUnpaid>) -> Response {
    let made = list_unpaid(&page, of).await;
    page.answer("unpaid", made)
}

async fn list_unpaid(page: &Page, of: OfUnpaid) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let first = environment.scheme.merchants.first().map(|merchant| merchant.id.clone()).unwrap_or_default();
    let merchant_id = if of.merchant.is_empty() { first } else { of.merchant };
    if environment.scheme.merchant(&merchant_id).is_none() {
        return Err(Failure::not_found());
    }
    let day = |(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    let which =
        Which { merchant_id, from: of.from.unwrap_or(day(FIRST)), to: of.to.unwrap_or(day(LAST)), bucket: of.bucket };
    let mut after = After::start(which.from);
    if let (Some(due_on), Some(order_id), Some(instalment)) = (of.after_due, of.after_order, of.after_instalment) {
        after = After { due_on, order_id, instalment };
    }
    let mut tx = environment.store.read().await?;
    let (rows, next) = UnpaidInstalment::load(&mut tx, &environment, &which, &after, ROWS).await?;
    let merchants = environment.scheme.merchants.iter();
    let merchants: Vec<Value> = merchants.map(|merchant| Value::from(merchant.id.as_str())).collect();
    let value = context! {
        merchant => which.merchant_id,
        bucket => which.bucket,
        from => of.from.map(|day| day.to_string()),
        to => of.to.map(|day| day.to_string()),
        merchants,
        rows => Serde(rows),
        next => next.map(|next| context! {
            due_on => next.due_on.to_string(), order_id => next.order_id, instalment => next.instalment,
        }),
    };
    Ok((environment.clone(), value))
}

#[derive(Deserialize)]
pub struct OfAccount {
    merchant: String,
    currency: String,
    account: String,
    month: Option<String>,
    day: Option<NaiveDate>,
    #[serde(default)]
    after: i64,
}

impl OfAccount {
    fn known(&self, environment: &Environment) -> Result<(Currency, Account), Failure> {
        let merchant = environment.scheme.merchant(&self.merchant);
        let known = Currency::parse(&self.currency).zip(money::account(&self.account));
        merchant.and(known).ok_or_else(Failure::not_found)
    }
}

/// The days of an account in a month.
pub async fn account(page: Page, Query(of): Query<OfAccount>) -> Response {
    let made = account_days(&page, &of).await;
    page.answer("account", made)
}

async fn account_days(page: &Page, of: &OfAccount) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let account = of.known(&environment)?;
    let month = of.month.as_deref().and_then(first_of_month).ok_or_else(Failure::not_found)?;
    let mut tx = environment.store.read().await?;
    let days = AccountDayRow::load(&mut tx, &of.merchant, account, (month, last_of_month(month))).await?;
    let value = context! {
        merchant => of.merchant.as_str(), currency => of.currency.as_str(), account => of.account.as_str(),
        month => month.to_string(),
        days => Serde(days),
    };
    Ok((environment.clone(), value))
}

/// The journal entries of an account on a day.
pub async fn entries(page: Page, Query(of): Query<OfAccount>) -> Response {
    let made = entries_of_day(&page, &of).await;
    page.answer("entries", made)
}

async fn entries_of_day(page: &Page, of: &OfAccount) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let account = of.known(&environment)?;
    let day = of.day.ok_or_else(Failure::not_found)?;
    let mut tx = environment.store.read().await?;
    let limit = i64::try_from(ROWS).unwrap_or(i64::MAX);
    let entries = money::entries(&mut tx, &of.merchant, account, day, of.after, limit).await?;
    let next = entries.last().map(|entry| entry.entry_no).filter(|_| entries.len() == ROWS);
    let value = context! {
        merchant => of.merchant.as_str(), currency => of.currency.as_str(), account => of.account.as_str(),
        day => day.to_string(),
        month => day.format("%Y-%m").to_string(),
        entries => Serde(entries),
        next,
    };
    Ok((environment.clone(), value))
}
