//! The money of the scheme: what accounts held and how they moved in a month of sealed days, by merchant and currency. It
//! is read from the balances that each seal keeps, so it costs the same whatever the number of orders.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use super::journal::JournalEntry;
use crate::books::environment::Environment;
use crate::domain::calendar::{last_of_month, plus};
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::store::{Tx, overview, scheme};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Money {
    /// The first day of the month.
    pub month: NaiveDate,
    /// The days of the month that are sealed; null if none is.
    pub sealed: Option<(NaiveDate, NaiveDate)>,
    pub last_sealed: Option<NaiveDate>,
    /// Every merchant together, one for each currency.
    pub total: Vec<AccountsOf>,
    /// One for each merchant and currency.
    pub merchants: Vec<AccountsOf>,
}

/// The accounts of a merchant, or of all, in one currency.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountsOf {
    /// Null of all merchants together.
    pub merchant_id: Option<String>,
    pub currency: String,
    pub accounts: Vec<AccountMonth>,
}

/// An account's month. Amounts are positive where the account usually stands: what is owed to the scheme, what the scheme
/// owes, what it has earned, what it has lost.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountMonth {
    /// As in reports, such as assets:receivable:principal.
    pub account: String,
    pub opening: Amount,
    pub increase: Amount,
    pub decrease: Amount,
    pub closing: Amount,
}

/// A day of an account.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountDayRow {
    pub business_date: NaiveDate,
    pub opening: Amount,
    pub increase: Amount,
    pub decrease: Amount,
    pub closing: Amount,
}

/// Balances and turnover, debit less credit.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    opening: i64,
    debits: i64,
    credits: i64,
}

type ByAccount = BTreeMap<(Currency, Account), Moved>;

impl Money {
    /// The money of a month; without one, of the month of the last sealed day.
    pub async fn load(tx: &mut Tx, environment: &Environment, month: Option<NaiveDate>) -> Result<Money> {
        let last_sealed = scheme::last_sealed(tx).await?.map(|sealed| sealed.business_date);
        let month = month.or(last_sealed).unwrap_or(environment.scheme.starts_on);
        let first = month.with_day(1).unwrap_or(month);
        let end = last_of_month(first);
        let mut total = ByAccount::new();
        let mut merchants = Vec::new();
        for merchant in &environment.scheme.merchants {
            let moved = of_merchant(tx, &merchant.id, first, end).await?;
            for (key, moved) in &moved {
                let sum = total.entry(*key).or_default();
                sum.opening += moved.opening;
                sum.debits += moved.debits;
                sum.credits += moved.credits;
            }
            merchants.extend(AccountsOf::each(Some(&merchant.id), &moved));
        }
        let from = first.max(environment.scheme.starts_on);
        let sealed = last_sealed.map(|last| (from, last.min(end))).filter(|(from, to)| from <= to);
        Ok(Money { month: first, sealed, last_sealed, total: AccountsOf::each(None, &total), merchants })
    }
}

async fn of_merchant(tx: &mut Tx, merchant: &str, first: NaiveDate, end: NaiveDate) -> Result<ByAccount> {
    let mut accounts = ByAccount::new();
    for balance in scheme::balances_before(tx, merchant, first).await? {
        accounts.entry((balance.currency, balance.account)).or_default().opening = balance.closing;
    }
    for turnover in overview::turnover(tx, merchant, first, end).await? {
        let moved = accounts.entry((turnover.currency, turnover.account)).or_default();
        (moved.debits, moved.credits) = (turnover.debits, turnover.credits);
    }
    Ok(accounts)
}

impl AccountsOf {
    fn each(merchant_id: Option<&str>, accounts: &ByAccount) -> Vec<AccountsOf> {
        let mut each: Vec<AccountsOf> = Vec::new();
        for ((currency, account), moved) in accounts {
            let month = AccountMonth::of(*currency, *account, *moved);
            match each.last_mut().filter(|last| last.currency == currency.code()) {
                Some(last) => last.accounts.push(month),
                None => each.push(AccountsOf {
                    merchant_id: merchant_id.map(str::to_owned),
                    currency: currency.code().to_owned(),
                    accounts: vec![month],
                }),
            }
        }
        each
    }

    /// The closing balance of an account, in minor units; 0 if it has none.
    pub fn closing(&self, account: Account) -> i64 {
        self.accounts.iter().find(|month| month.account == account.name()).map_or(0, |month| month.closing.minor)
    }
}

impl AccountMonth {
    fn of(currency: Currency, account: Account, moved: Moved) -> AccountMonth {
        let amount = |minor| Amount::new(minor, currency);
        let sign = usual_side(account);
        let (increase, decrease) = if sign > 0 { (moved.debits, moved.credits) } else { (moved.credits, moved.debits) };
        AccountMonth {
            account: account.name().to_owned(),
            opening: amount(sign * moved.opening),
            increase: amount(increase),
            decrease: amount(decrease),
            closing: amount(sign * (moved.opening + moved.debits - moved.credits)),
        }
    }
}

impl AccountDayRow {
    /// Returns the sealed days from..=to of a merchant's account.
    pub async fn load(
        tx: &mut Tx,
        merchant: &str,
        (currency, account): (Currency, Account),
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<Vec<AccountDayRow>> {
        let days = overview::account_days(tx, merchant, (currency, account), from, to).await?;
        let row = |(business_date, opening, debits, credits, _): overview::AccountDay| {
            let AccountMonth { opening, increase, decrease, closing, .. } =
                AccountMonth::of(currency, account, Moved { opening, debits, credits });
            AccountDayRow { business_date, opening, increase, decrease, closing }
        };
        Ok(days.into_iter().map(row).collect())
    }
}

/// Returns a merchant's journal entries of an account on a sealed day, after an entry; at most `limit`.
pub async fn entries(
    tx: &mut Tx,
    merchant: &str,
    of: (Currency, Account),
    day: NaiveDate,
    after: i64,
    limit: i64,
) -> Result<Vec<JournalEntry>> {
    let before = scheme::last_entry_by(tx, merchant, plus(day, -1)).await?;
    let last = scheme::last_entry_by(tx, merchant, day).await?;
    let rows = overview::entries_of_account(tx, merchant, of, (after.max(before), last), limit).await?;
    Ok(rows.iter().map(|row| JournalEntry::of(merchant, row)).collect())
}

/// Finds an account by its name in reports.
pub fn account(name: &str) -> Option<Account> {
    Account::ALL.into_iter().find(|account| account.name() == name)
}

/// 1 if an account usually has a debit balance, -1 if a credit balance.
pub fn usual_side(account: Account) -> i64 {
    match account {
        Account::ReceivablePrincipal
        | Account::ReceivableLateFee
        | Account::CashClearing
        | Account::ExpensesBadDebt => 1,
        Account::MerchantPayable
        | Account::CustomerCredit
        | Account::Suspense
        | Account::IncomeServiceFee
        | Account::IncomeLateFee
        | Account::IncomeRecovery => -1,
    }
}
