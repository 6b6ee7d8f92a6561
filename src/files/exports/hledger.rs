//! The journal as hledger reads it, and ledger as well: transactions with their ids and sources as tags, and a balance
//! assertion for each account and sealed day. The assertions are the sealed balances, not sums of the entries.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::{Chart, Entry, Head, Holding, JournalWriter, SealedBalances, postings};
use crate::domain::journal::Account;
use crate::domain::money::Currency;

pub struct Hledger<'a, W: Write> {
    chart: &'a Chart,
    out: W,
}

impl<'a, W: Write> Hledger<'a, W> {
    /// Begins with the scheme's name, the commodities and the accounts.
    pub fn begin(chart: &'a Chart, head: &Head<'_>, mut out: W) -> io::Result<Hledger<'a, W>> {
        writeln!(out, "; {}", plain(head.scheme))?;
        for currency in &head.currencies {
            commodity(*currency, &mut out)?;
        }
        for (name, account) in postings::names(head, |account, merchant| chart.name(account, merchant)) {
            writeln!(out, "account {name}\n    ; type:{}", account_type(account))?;
        }
        Ok(Hledger { chart, out })
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> JournalWriter for Hledger<'_, W> {
    fn opening(&mut self, day: NaiveDate, merchant: &str, holdings: &[Holding]) -> io::Result<()> {
        writeln!(self.out, "\n{day} opening balances of {merchant}")?;
        for Holding { currency, account, minor } in holdings {
            writeln!(self.out, "    {}  {currency} {}", self.chart.name(*account, merchant), currency.plain(*minor))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let (day, currency, kind) = (entry.business_date, entry.currency, entry.movement.kind.name());
        let order = plain(entry.order_id);
        writeln!(self.out, "\n{day} ({}) {kind} {order}  ; {}", entry.id(), tags(entry))?;
        let name = |account| self.chart.name(account, entry.merchant_id);
        let (debit, credit) = (name(entry.movement.debit), name(entry.movement.credit));
        let amount = currency.plain(entry.minor);
        writeln!(self.out, "    {debit}  {currency} {amount}")?;
        writeln!(self.out, "    {credit}  {currency} -{amount}")
    }

    fn sealed(&mut self, balances: &SealedBalances<'_>) -> io::Result<()> {
        let closings = postings::closings(balances, |account, merchant| self.chart.name(account, merchant));
        if closings.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "\n{} sealed  ; seal:{}", balances.day, balances.seal)?;
        for ((name, currency), closing) in closings {
            let (zero, closing) = (currency.plain(0), currency.plain(closing));
            writeln!(self.out, "    {name}  {currency} {zero} = {currency} {closing}")?;
        }
        Ok(())
    }
}

fn commodity(currency: Currency, out: &mut impl Write) -> io::Result<()> {
    // hledger needs a decimal mark even for a currency without decimals.
    let mark = if currency.exponent() == 0 { "." } else { "" };
    let sample = currency.plain(1_000 * 10_i64.pow(currency.exponent()));
    writeln!(out, "commodity {currency}\n    format {currency} {sample}{mark}")
}

/// Returns what an account is, as hledger's reports ask for it.
fn account_type(account: Account) -> char {
    match account.name().as_bytes().first() {
        Some(b'a') => 'A',
        Some(b'l') => 'L',
        Some(b'i') => 'R',
        _ => 'X',
    }
}

/// Returns an entry's tags. A comma would end a value, and dates in brackets have a meaning of their own.
fn tags(entry: &Entry<'_>) -> String {
    let movement = entry.movement;
    let mut tags = format!("effective:{}, merchant:{}", entry.effective_on, entry.merchant_id);
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let value: String = value.chars().map(|c| if c == ',' { ' ' } else { c }).collect();
            tags.push_str(&format!(", {name}:{}", plain(&value)));
        }
    };
    add("order", entry.order_id);
    if movement.instalment > 0 {
        add("instalment", &movement.instalment.to_string());
    }
    add("cause", &movement.cause);
    match entry.source {
        "" => add("source", &format!("rule:{}", movement.kind.name())),
        source => {
            add("source", source);
            add("line", &entry.line.to_string());
        }
    }
    add("policy", &entry.policy_version.map(|version| version.to_string()).unwrap_or_default());
    add("reason", entry.reason.name());
    tags
}

/// Replaces characters that would end a description or begin something else.
fn plain(text: &str) -> String {
    let replaced = |c: char| match c {
        ';' | '|' => ' ',
        '[' => '(',
        ']' => ')',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(replaced).collect()
}
