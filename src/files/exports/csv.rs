//! The journal as CSV: one row an entry.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::{Entry, Holding, JournalWriter, SealedBalances};
use crate::files::reports::{defused, detail};

const HEADER: [&str; 16] = [
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
];

pub struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    /// Begins with the header. `bom` puts the three bytes in front that tell Excel that the file is UTF-8.
    pub fn begin(mut out: W, bom: bool) -> io::Result<Csv<W>> {
        if bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(HEADER).map_err(as_it_came)?;
        Ok(Csv(csv))
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> JournalWriter for Csv<W> {
    fn opening(&mut self, _: NaiveDate, _: &str, _: &[Holding]) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let movement = entry.movement;
        let (instalment, source, line) = detail::cause(movement, entry.source, entry.line);
        let record = [
            entry.id(),
            entry.merchant_id.to_owned(),
            entry.business_date.to_string(),
            entry.effective_on.to_string(),
            movement.kind.name().to_owned(),
            defused(entry.order_id).into_owned(),
            instalment,
            entry.currency.to_string(),
            movement.debit.name().to_owned(),
            movement.credit.name().to_owned(),
            entry.currency.plain(entry.minor),
            defused(&movement.cause).into_owned(),
            source,
            line,
            entry.policy_version.map(|version| version.to_string()).unwrap_or_default(),
            entry.reason.name().to_owned(),
        ];
        self.0.write_record(record).map_err(as_it_came)
    }

    fn sealed(&mut self, _: &SealedBalances<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the I/O error inside a CSV error, with its own `ErrorKind`. The conversion in the `csv` crate loses the
/// kind.
fn as_it_came(why: csv::Error) -> io::Error {
    match why.into_kind() {
        csv::ErrorKind::Io(why) => why,
        other => io::Error::other(format!("{other:?}")),
    }
}
