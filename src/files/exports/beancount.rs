//! The journal as beancount reads it: transactions with their ids and sources as metadata, and a `balance` for each
//! account after each sealed day. The balances are the sealed ones, not sums of the entries.
//!
//! beancount compares balances at the beginning of a day, so the balances of a sealed day are dated the day after; and it
//! overlooks a difference of a cent unless the tolerance is written as 0.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::{Chart, Entry, Head, Holding, JournalWriter, SealedBalances, postings};
use crate::domain::calendar::plus;
use crate::domain::journal::Account;

pub struct Beancount<'a, W: Write> {
    chart: &'a Chart,
    out: W,
}

impl<'a, W: Write> Beancount<'a, W> {
    /// Begins with the scheme's name, the commodities and the accounts.
    pub fn begin(chart: &'a Chart, head: &Head<'_>, mut out: W) -> io::Result<Beancount<'a, W>> {
        let day = head.first_day;
        writeln!(out, "option \"title\" {}", quoted(head.scheme))?;
        for currency in &head.currencies {
            writeln!(out, "option \"operating_currency\" \"{currency}\"\n{day} commodity {currency}")?;
        }
        for name in postings::names(head, |account, merchant| spelled(chart, account, merchant)).keys() {
            writeln!(out, "{day} open {name}")?;
        }
        Ok(Beancount { chart, out })
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> JournalWriter for Beancount<'_, W> {
    fn opening(&mut self, day: NaiveDate, merchant: &str, holdings: &[Holding]) -> io::Result<()> {
        writeln!(self.out, "\n{day} * {}", quoted(&format!("opening balances of {merchant}")))?;
        for Holding { currency, account, minor } in holdings {
            let name = spelled(self.chart, *account, merchant);
            writeln!(self.out, "  {name}  {} {currency}", currency.plain(*minor))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let Entry { business_date, effective_on, currency, movement, .. } = entry;
        let narration = format!("{} {}", movement.kind.name(), entry.order_id);
        writeln!(self.out, "\n{business_date} * {}", quoted(narration.trim_end()))?;
        self.text("entry", &entry.id())?;
        self.text("merchant", entry.merchant_id)?;
        writeln!(self.out, "  effective: {effective_on}")?;
        self.text("order", entry.order_id)?;
        if movement.instalment > 0 {
            writeln!(self.out, "  instalment: {}", movement.instalment)?;
        }
        self.text("cause", &movement.cause)?;
        match entry.source {
            "" => self.text("source", &format!("rule:{}", movement.kind.name()))?,
            source => {
                self.text("source", source)?;
                writeln!(self.out, "  line: {}", entry.line)?;
            }
        }
        if let Some(version) = entry.policy_version {
            writeln!(self.out, "  policy: {version}")?;
        }
        self.text("reason", entry.reason.name())?;
        let (debit, credit) = (self.name(entry, movement.debit), self.name(entry, movement.credit));
        let amount = currency.plain(entry.minor);
        writeln!(self.out, "  {debit}  {amount} {currency}\n  {credit}  -{amount} {currency}")
    }

    fn sealed(&mut self, balances: &SealedBalances<'_>) -> io::Result<()> {
        let closings = postings::closings(balances, |account, merchant| spelled(self.chart, account, merchant));
        if closings.is_empty() {
            return Ok(());
        }
        let day = plus(balances.day, 1);
        writeln!(self.out, "\n; {} sealed as {}", balances.day, balances.seal)?;
        for ((name, currency), closing) in closings {
            writeln!(self.out, "{day} balance {name}  {} ~ 0 {currency}", currency.plain(closing))?;
        }
        Ok(())
    }
}

impl<W: Write> Beancount<'_, W> {
    fn name(&self, entry: &Entry<'_>, account: Account) -> String {
        spelled(self.chart, account, entry.merchant_id)
    }

    /// Writes a line of metadata, unless its text is empty.
    fn text(&mut self, key: &str, text: &str) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { writeln!(self.out, "  {key}: {}", quoted(text)) }
    }
}

/// Returns the name of an account in beancount's spelling: its first part is one of five words, the others begin with a
/// capital letter or a digit, and consist of letters, digits and hyphens.
fn spelled(chart: &Chart, account: Account, merchant: &str) -> String {
    let name = chart.name(account, merchant);
    let root = root(account);
    let (first, rest) = name.split_once(':').unwrap_or((&name, ""));
    let below = if first.eq_ignore_ascii_case(root) && !rest.is_empty() { rest } else { &name };
    let mut spelled = root.to_owned();
    for part in below.split(':') {
        spelled.push(':');
        spelled.push_str(&part_spelled(part));
    }
    spelled
}

/// Returns the first part of an account's name, which says what the account is.
fn root(account: Account) -> &'static str {
    match account.name().as_bytes().first() {
        Some(b'a') => "Assets",
        Some(b'l') => "Liabilities",
        Some(b'i') => "Income",
        _ => "Expenses",
    }
}

fn part_spelled(part: &str) -> String {
    let mut spelled = String::new();
    for c in part.chars() {
        match c {
            'a'..='z' if spelled.is_empty() => spelled.push(c.to_ascii_uppercase()),
            '_' => spelled.push_str("--"),
            c if c.is_alphanumeric() => spelled.push(c),
            _ => spelled.push('-'),
        }
    }
    if !spelled.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()) {
        spelled.insert(0, 'X');
    }
    spelled
}

/// Returns text as a string of beancount, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_are_spelled_as_beancount_reads_them() {
        let of = |name: &str| {
            let chart = Chart::new(BTreeMap::from([(Account::ReceivablePrincipal, name.to_owned())]));
            spelled(&chart, Account::ReceivablePrincipal, "tea_1")
        };
        assert_eq!(of("assets:receivable:{merchant}"), "Assets:Receivable:Tea--1");
        assert_eq!(of("1122 应收账款:{merchant}"), "Assets:1122-应收账款:Tea--1");
        assert_eq!(of("应收账款"), "Assets:X应收账款");
        assert_eq!(of("assets"), "Assets:Assets");
        assert_eq!(spelled(&Chart::default(), Account::ExpensesBadDebt, "TEA"), "Expenses:Bad-debt:TEA");
    }

    #[test]
    fn text_stays_within_its_quotes() {
        assert_eq!(quoted("a \"b\" \\ c\nd"), r#""a \"b\" \\ c d""#);
    }
}
