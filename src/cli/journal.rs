//! `paylater journal`: exports the journal for other tools.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};

use anyhow::{Result, anyhow};

use super::open::At;
use super::{Ending, Misconfigured};
use crate::books::environment::Environment;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::files::reports::detail;
use crate::store::journal::JournalRow;
use crate::store::scheme::Balance;
use crate::store::{Tx, journal, scheme};
use crate::views::Document;
use crate::views::journal::JournalEntry;

#[derive(clap::Args)]
pub struct Journal {
    /// csv: one row an entry. hledger: transactions, with balance assertions for every account and sealed day. json: one
    /// JSON document an entry, each on its line; this is what --json asks for.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Csv,
    Hledger,
    Json,
}

/// How many entries are read at a time.
const PAGE: i64 = 5_000;

impl Journal {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let format = match (self.format, at.json) {
            (Some(Format::Csv | Format::Hledger), true) => {
                Err(anyhow!("--json and --format ask for different formats; leave one out"))
            }
            (Some(format), _) => Ok(format),
            (None, true) => Ok(Format::Json),
            (None, false) => Err(anyhow!("which format? Write --format csv, hledger or json")),
        };
        let format = format.map_err(Misconfigured)?;
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = match format {
            Format::Csv => csv(&mut tx, &environment, &mut out).await,
            Format::Hledger => hledger(&mut tx, &environment, &mut out).await,
            Format::Json => json_lines(&mut tx, &environment, &mut out).await,
        };
        // A reader may close the pipe early, as `head` does; that is not an error.
        match written.and_then(|()| Ok(out.flush()?)) {
            Err(why) if why.downcast_ref::<std::io::Error>().is_some_and(is_broken_pipe) => Ok(Ending::Done),
            written => written.map(|()| Ending::Done),
        }
    }
}

fn is_broken_pipe(why: &std::io::Error) -> bool {
    why.kind() == std::io::ErrorKind::BrokenPipe
}

/// Returns the I/O error inside a CSV error, with its own `ErrorKind`. The conversion in the `csv` crate loses the
/// kind.
fn as_it_came(why: csv::Error) -> std::io::Error {
    match why.into_kind() {
        csv::ErrorKind::Io(why) => why,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

async fn csv(tx: &mut Tx, environment: &Environment, out: &mut impl Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "entry_id",
        "merchant_id",
        "business_date",
        "effective_on",
        "kind",
        "order_id",
        "instalment",
        "currency",
        "debit_account",
        "credit_account",
        "amount",
        "cause",
        "source",
        "source_line",
        "policy_version",
        "reason",
    ])
    .map_err(as_it_came)?;
    for merchant in &environment.scheme.merchants {
        let mut after = 0;
        loop {
            let rows = journal::rows(tx, &merchant.id, after, i64::MAX, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.entry_no;
            for row in &rows {
                let movement = &row.movement;
                let (instalment, source, line) = detail::cause(movement, &row.source, row.line);
                csv.write_record([
                    format!("{}-{}", merchant.id, row.entry_no),
                    merchant.id.clone(),
                    row.business_date.to_string(),
                    row.effective_on.to_string(),
                    movement.kind.name().to_owned(),
                    crate::files::reports::defused(&row.order_id).into_owned(),
                    instalment,
                    row.currency.to_string(),
                    movement.debit.name().to_owned(),
                    movement.credit.name().to_owned(),
                    row.currency.plain(row.minor),
                    crate::files::reports::defused(&movement.cause).into_owned(),
                    source,
                    line,
                    row.policy_version.map(|version| version.to_string()).unwrap_or_default(),
                    row.reason.name().to_owned(),
                ])
                .map_err(as_it_came)?;
            }
        }
    }
    csv.flush()?;
    Ok(())
}

async fn json_lines(tx: &mut Tx, environment: &Environment, out: &mut impl Write) -> Result<()> {
    for merchant in &environment.scheme.merchants {
        let mut after = 0;
        loop {
            let entries = JournalEntry::load(tx, &merchant.id, after, PAGE).await?;
            let Some(last) = entries.last() else { break };
            after = last.entry_no;
            for entry in entries {
                serde_json::to_writer(&mut *out, &Document::of(entry)).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

async fn hledger(tx: &mut Tx, environment: &Environment, out: &mut impl Write) -> Result<()> {
    writeln!(out, "; {}", plain(&environment.scheme.name))?;
    let mut currencies: BTreeSet<Currency> = BTreeSet::new();
    let days = scheme::sealed_days(tx).await?;
    for merchant in &environment.scheme.merchants {
        for account in Account::ALL {
            writeln!(out, "account {}:{}", account.name(), merchant.id)?;
        }
        let mut after = 0;
        for day in &days {
            let last = scheme::last_entry_by(tx, &merchant.id, day.business_date).await?;
            after = entries(tx, &merchant.id, after, last, out).await?;
            let balances = scheme::balances(tx, &merchant.id, day.business_date).await?;
            currencies.extend(balances.iter().map(|balance| balance.currency));
            assertions(&merchant.id, day.business_date, &balances, out)?;
        }
        entries(tx, &merchant.id, after, i64::MAX, out).await?;
    }
    for currency in currencies {
        // hledger needs a decimal mark even for a currency without decimals.
        let mark = if currency.exponent() == 0 { "." } else { "" };
        writeln!(out, "commodity {currency} {}{mark}", currency.plain(1_000 * 10_i64.pow(currency.exponent())))?;
    }
    Ok(())
}

/// Writes the entries with after < entry_no ≤ upto. Returns the number of the last entry written.
async fn entries(tx: &mut Tx, merchant: &str, mut after: i64, upto: i64, out: &mut impl Write) -> Result<i64> {
    loop {
        let rows = journal::rows(tx, merchant, after, upto, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(after) };
        after = last.entry_no;
        for row in &rows {
            transaction(merchant, row, out)?;
        }
    }
}

fn transaction(merchant: &str, row: &JournalRow, out: &mut impl Write) -> Result<()> {
    let JournalRow { business_date, entry_no, currency, minor, movement, .. } = row;
    let (kind, order) = (movement.kind.name(), plain(&row.order_id));
    writeln!(out, "\n{business_date} ({merchant}-{entry_no}) {kind} {order}  ; effective:{}", row.effective_on)?;
    let amount = currency.plain(*minor);
    writeln!(out, "    {}:{merchant}  {currency} {amount}", movement.debit.name())?;
    writeln!(out, "    {}:{merchant}  {currency} -{amount}", movement.credit.name())?;
    Ok(())
}

/// Writes a balance assertion for each account at the end of a sealed day. The balances are the sealed ones, not sums
/// of the entries.
fn assertions(merchant: &str, day: chrono::NaiveDate, balances: &[Balance], out: &mut impl Write) -> Result<()> {
    if balances.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{day} {merchant} sealed")?;
    for balance in balances {
        let (currency, zero) = (balance.currency, balance.currency.plain(0));
        let closing = currency.plain(balance.closing);
        writeln!(out, "    {}:{merchant}  {currency} {zero} = {currency} {closing}", balance.account.name())?;
    }
    Ok(())
}

/// Replaces characters that would end an hledger description with blanks.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == ';' || c == '|' { ' ' } else { c }).collect()
}
