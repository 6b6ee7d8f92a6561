//! `[accounts]` of `paylater.toml`: the names of accounts in exported journals.

use std::collections::BTreeMap;

use crate::config::toml::Rules;
use crate::domain::journal::Account;
use crate::files::exports::Chart;
use crate::files::exports::chart::check_name;

/// Names by the names of paylater's own accounts.
pub fn chart(names: BTreeMap<String, String>, rules: &mut Rules) -> Option<Chart> {
    let mut chart = BTreeMap::new();
    let mut are_good = true;
    for (own, name) in names {
        let key = format!("accounts.{own}");
        let account = Account::ALL.into_iter().find(|account| account.name() == own);
        match (account, check_name(&name)) {
            (Some(account), Ok(())) => drop(chart.insert(account, name)),
            (Some(_), Err(why)) => {
                rules.refuse(&key, format!("{name:?}: {why}"));
                are_good = false;
            }
            (None, _) => {
                let known: Vec<&str> = Account::ALL.into_iter().map(Account::name).collect();
                rules.refuse(&key, format!("there is no account {own:?}; there are {}", known.join(", ")));
                are_good = false;
            }
        }
    }
    are_good.then(|| Chart::new(chart))
}
