//! The names of accounts in exported journals: paylater's own, or those of finance's chart of accounts.

use std::collections::BTreeMap;

use crate::domain::journal::Account;

/// The place of the merchant's id in a name.
const MERCHANT: &str = "{merchant}";

/// Names for accounts. An account without one has its own name and the merchant's id.
#[derive(Debug, Clone, Default)]
pub struct Chart(BTreeMap<Account, String>);

impl Chart {
    pub fn new(names: BTreeMap<Account, String>) -> Chart {
        Chart(names)
    }

    /// Returns the name of a merchant's account, with parts that are separated by colons.
    pub fn name(&self, account: Account, merchant: &str) -> String {
        match self.0.get(&account) {
            Some(name) => name.replace(MERCHANT, merchant),
            None => format!("{}:{merchant}", account.name()),
        }
    }
}

/// Checks a name for an account: parts separated by colons, as hledger and ledger read them.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.split(':').any(|part| part.is_empty() || part.trim() != part) {
        return Err(
            "write parts separated by colons, without blanks around them, such as \"1122 Receivables:{merchant}\"",
        );
    }
    if name.contains("  ") {
        return Err("two blanks in a row end a name in hledger; write one");
    }
    if name.starts_with(['(', '[', '*', '!', ';', '#', '=', '~', '%', '@', '"']) {
        return Err(
            "hledger and ledger read the first character as a sign of their own; begin with a letter or a digit",
        );
    }
    if name.contains(|c: char| c.is_control() || matches!(c, ';' | '"')) {
        return Err("a name has no semicolon, quotation mark or control character; leave it out");
    }
    if name.replace(MERCHANT, "").contains(['{', '}']) {
        return Err("{merchant} is the only thing in braces that a name can have");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_own_name_or_that_of_the_chart() {
        let names = BTreeMap::from([
            (Account::ReceivablePrincipal, "1122 应收账款:{merchant}:本金".to_owned()),
            (Account::CashClearing, "1012 其他货币资金".to_owned()),
        ]);
        let chart = Chart::new(names);
        assert_eq!(chart.name(Account::ReceivablePrincipal, "TEA"), "1122 应收账款:TEA:本金");
        assert_eq!(chart.name(Account::CashClearing, "TEA"), "1012 其他货币资金");
        assert_eq!(chart.name(Account::Suspense, "TEA"), "liabilities:suspense:TEA");
    }

    #[test]
    fn names_that_a_bookkeeping_program_would_misread_are_refused() {
        for good in ["1122", "assets:1122 应收账款:{merchant}", "a:b"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a::b", "a: b", " a", "a  b", "(a)", "a;b", "a\tb", "{shop}", "a:", "\"a"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
