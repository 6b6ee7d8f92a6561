//! How each account came from its opening to its closing balance over sealed days, by kind of entry. The balances are the sealed
//! ones; the movements are added up from the journal, so that a difference between the two would show.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use super::money::usual_side;
use crate::domain::calendar::plus;
use crate::domain::journal::{Account, EntryKind};
use crate::domain::money::Currency;
use crate::store::{Tx, overview, scheme};

/// The accounts of a merchant, or of all, in one currency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RollForward {
    /// Null of all merchants together.
    pub merchant_id: Option<String>,
    pub currency: String,
    pub accounts: Vec<AccountRoll>,
}

/// An account. Amounts are positive where the account usually stands: what is owed to the scheme, what the scheme owes, what it
/// has earned, what it has lost.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountRoll {
    /// As in reports, such as assets:receivable:principal.
    pub account: String,
    pub opening: Amount,
    /// What moved, in the order of the kinds' first use in an order's life.
    pub movements: Vec<KindMoved>,
    pub closing: Amount,
    /// Closing less opening less movements: always 0.
    pub difference: Amount,
}

/// What entries of one kind moved on an account, with corrections of them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KindMoved {
    pub kind: String,
    pub entries: i64,
    /// Negative where it makes the balance smaller.
    pub amount: Amount,
}

#[derive(Default, Clone)]
struct Roll {
    opening: i64,
    closing: i64,
    /// Entries, and debits less credits.
    moved: BTreeMap<EntryKind, (i64, i64)>,
}

/// What each account of a merchant did.
#[derive(Default, Clone)]
pub struct Rolls(BTreeMap<(Currency, Account), Roll>);

impl Rolls {
    /// Reads a merchant's accounts over the sealed days from..=to.
    pub async fn of_merchant(tx: &mut Tx, merchant: &str, (from, to): (NaiveDate, NaiveDate)) -> Result<Rolls> {
        let mut rolls = Rolls::default();
        for balance in scheme::balances_before(tx, merchant, from).await? {
            rolls.0.entry((balance.currency, balance.account)).or_default().opening = balance.closing;
        }
        for balance in scheme::balances_before(tx, merchant, plus(to, 1)).await? {
            rolls.0.entry((balance.currency, balance.account)).or_default().closing = balance.closing;
        }
        let after = scheme::last_entry_by(tx, merchant, plus(from, -1)).await?;
        let upto = scheme::last_entry_by(tx, merchant, to).await?;
        for moved in overview::moved_by_kind(tx, merchant, after, upto).await? {
            let roll = rolls.0.entry((moved.currency, moved.account)).or_default();
            roll.moved.insert(moved.kind, (moved.entries, moved.minor));
        }
        Ok(rolls)
    }

    pub fn add(&mut self, other: &Rolls) {
        for (key, roll) in &other.0 {
            let sum = self.0.entry(*key).or_default();
            sum.opening += roll.opening;
            sum.closing += roll.closing;
            for (kind, (entries, minor)) in &roll.moved {
                let moved = sum.moved.entry(*kind).or_default();
                *moved = (moved.0 + entries, moved.1 + minor);
            }
        }
    }

    /// Returns the accounts by currency, without currencies in which nothing is or was.
    pub fn each(&self, merchant_id: Option<&str>) -> Vec<RollForward> {
        let mut each: Vec<RollForward> = Vec::new();
        for ((currency, account), roll) in &self.0 {
            let account = AccountRoll::of(*currency, *account, roll);
            match each.last_mut().filter(|last| last.currency == currency.code()) {
                Some(last) => last.accounts.push(account),
                None => each.push(RollForward {
                    merchant_id: merchant_id.map(str::to_owned),
                    currency: currency.code().to_owned(),
                    accounts: vec![account],
                }),
            }
        }
        each.retain(|roll| roll.accounts.iter().any(|account| !account.is_empty()));
        each
    }
}

impl RollForward {
    pub fn account(&self, account: Account) -> Option<&AccountRoll> {
        self.accounts.iter().find(|roll| roll.account == account.name())
    }
}

impl AccountRoll {
    fn of(currency: Currency, account: Account, roll: &Roll) -> AccountRoll {
        let sign = usual_side(account);
        let amount = |minor: i64| Amount::new(sign * minor, currency);
        let kind = |(kind, (entries, minor)): (&EntryKind, &(i64, i64))| KindMoved {
            kind: kind.name().to_owned(),
            entries: *entries,
            amount: amount(*minor),
        };
        let moved: i64 = roll.moved.values().map(|(_, minor)| minor).sum();
        AccountRoll {
            account: account.name().to_owned(),
            opening: amount(roll.opening),
            movements: roll.moved.iter().map(kind).collect(),
            closing: amount(roll.closing),
            difference: amount(roll.closing - roll.opening - moved),
        }
    }

    /// Whether nothing was on it and nothing moved.
    pub fn is_empty(&self) -> bool {
        self.opening.minor == 0 && self.closing.minor == 0 && self.movements.is_empty()
    }
}
