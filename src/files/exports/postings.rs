//! Balances by the names that accounts have in a journal: accounts that share a name are added up.

use std::collections::{BTreeMap, BTreeSet};

use super::{Head, SealedBalances};
use crate::domain::journal::Account;
use crate::domain::money::Currency;

/// The closing balance of each name and currency at the end of a sealed day. A name that is also an account of a merchant
/// without a sealed balance is left out: what it holds in all is not known.
pub fn closings(
    balances: &SealedBalances<'_>,
    name: impl Fn(Account, &str) -> String,
) -> BTreeMap<(String, Currency), i64> {
    let mut closings: BTreeMap<(String, Currency), i64> = BTreeMap::new();
    for (merchant, holdings) in &balances.merchants {
        for holding in holdings {
            *closings.entry((name(holding.account, merchant), holding.currency)).or_default() += holding.minor;
        }
    }
    for merchant in &balances.missing {
        let unknown: BTreeSet<String> = Account::ALL.into_iter().map(|account| name(account, merchant)).collect();
        closings.retain(|(name, _), _| !unknown.contains(name));
    }
    closings
}

/// Returns the names of all accounts, each with an account that it stands for.
pub fn names(head: &Head<'_>, name: impl Fn(Account, &str) -> String) -> BTreeMap<String, Account> {
    let mut names = BTreeMap::new();
    for merchant in head.merchants {
        for account in Account::ALL {
            names.entry(name(account, merchant)).or_insert(account);
        }
    }
    names
}
