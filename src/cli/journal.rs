//! `paylater journal`: exports the journal for other tools.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, anyhow, bail};
use chrono::NaiveDate;

use super::open::At;
use super::{Ending, Misconfigured, which};
use crate::books::environment::Environment;
use crate::books::journal_by_day::{self, Which};
use crate::files::exports::{Beancount, Csv, Entry, Head, Hledger, Holding, JournalWriter, SealedBalances};
use crate::store::{Tx, scheme};
use crate::views::Document;
use crate::views::journal::JournalEntry;

#[derive(clap::Args)]
#[command(after_help = "\
Entries come in date order; those of a day by merchant and number.

For hledger, ledger and beancount, the journal has a balance assertion for each account and sealed day. They are the sealed \
balances and not sums of the entries, so that a doubled, missing or changed entry fails the check. With --from, the journal \
begins with the balances before that day. [accounts] in the configuration gives accounts the names of your chart.

Examples:
  paylater journal --format hledger > books.journal       then: hledger -f books.journal check -s
  paylater journal --format beancount > books.beancount   then: bean-check books.beancount
  paylater journal --format csv --bom --merchant TEA --from 2026-03-01 --to 2026-03-31 > march.csv
  paylater journal --format hledger --order T-STAR")]
pub struct Journal {
    /// csv: one row an entry. hledger, beancount: transactions with balance assertions; ledger reads hledger's form too. json:
    /// one JSON document an entry, each on its line; this is what --json asks for.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Only this merchant's entries.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// Only entries booked on this day or later; hledger and beancount begin with the balances before it.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,

    /// Only entries booked on this day or earlier.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,

    /// Only this order's entries; there are no balance assertions then.
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,

    /// Begin a CSV file with a byte order mark, so that Excel reads it as UTF-8.
    #[arg(long)]
    bom: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Hledger,
    Beancount,
    Json,
}

impl Journal {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let format = self.asked(at.json).map_err(Misconfigured)?;
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let merchants = which::merchants(&environment.scheme, self.merchant.as_deref())?;
        let which = Which {
            merchants: merchants.iter().map(|merchant| merchant.id.clone()).collect(),
            order: self.order.clone(),
            from: self.from,
            to: self.to,
        };
        let out = BufWriter::new(io::stdout().lock());
        let written = write(&mut tx, &environment, &which, (format, self.bom), out).await;
        match written {
            Ok(0) if let Some(order) = &self.order => {
                bail!("no entry names an order {order:?}; ids must match exactly, including upper and lower case")
            }
            Ok(_) => Ok(Ending::Done),
            // A reader may close the pipe early, as `head` does; that is not an error.
            Err(why) if why.downcast_ref::<io::Error>().is_some_and(is_broken_pipe) => Ok(Ending::Done),
            Err(why) => Err(why),
        }
    }

    /// Returns the format, or says why the options don't go together.
    fn asked(&self, json: bool) -> Result<Format> {
        let format = match (self.format, json) {
            (Some(Format::Csv | Format::Hledger | Format::Beancount), true) => {
                bail!("--json and --format ask for different formats; leave one out")
            }
            (Some(format), _) => format,
            (None, true) => Format::Json,
            (None, false) => return Err(anyhow!("which format? Write --format csv, hledger, beancount or json")),
        };
        if self.bom && format != Format::Csv {
            bail!("--bom is for --format csv; leave it out");
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            bail!("--from {from} is after --to {to}; exchange them");
        }
        Ok(format)
    }
}

fn is_broken_pipe(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::BrokenPipe
}

/// Writes the entries in a format, and returns how many.
async fn write(
    tx: &mut Tx,
    environment: &Environment,
    which: &Which,
    (format, bom): (Format, bool),
    out: impl Write,
) -> Result<u64> {
    let chart = &environment.scheme.chart;
    let written = match format {
        Format::Csv => {
            let mut csv = Csv::begin(out, bom)?;
            let written = journal_by_day::write(tx, which, &mut csv).await?;
            csv.finish()?;
            written
        }
        Format::Hledger => {
            let mut hledger = Hledger::begin(chart, &head(tx, environment, which).await?, out)?;
            let written = journal_by_day::write(tx, which, &mut hledger).await?;
            hledger.finish()?;
            written
        }
        Format::Beancount => {
            let mut beancount = Beancount::begin(chart, &head(tx, environment, which).await?, out)?;
            let written = journal_by_day::write(tx, which, &mut beancount).await?;
            beancount.finish()?;
            written
        }
        Format::Json => {
            let mut lines = JsonLines(out);
            let written = journal_by_day::write(tx, which, &mut lines).await?;
            lines.0.flush()?;
            written
        }
    };
    Ok(written)
}

async fn head<'a>(tx: &mut Tx, environment: &'a Environment, which: &'a Which) -> Result<Head<'a>> {
    let started_on = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.started_on);
    Ok(Head {
        scheme: &environment.scheme.name,
        merchants: &which.merchants,
        currencies: journal_by_day::currencies(tx, which).await?,
        first_day: which.from.unwrap_or(started_on),
    })
}

/// One JSON document an entry, each on its line.
struct JsonLines<W: Write>(W);

impl<W: Write> JournalWriter for JsonLines<W> {
    fn opening(&mut self, _: NaiveDate, _: &str, _: &[Holding]) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &Document::of(JournalEntry::from(entry))).map_err(io::Error::from)?;
        writeln!(self.0)
    }

    fn sealed(&mut self, _: &SealedBalances<'_>) -> io::Result<()> {
        Ok(())
    }
}
