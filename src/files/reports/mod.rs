//! Reports: one module per report. The same rows give the same bytes on any machine and on any day.

mod credit_impact;
mod credit_payouts;
mod debit_instructions;
pub mod detail;
mod exceptions;
mod manifest;
mod matching;
mod positions;
mod settlement;
mod summary;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::domain::money::Currency;
use crate::files::atomic;

pub use credit_impact::CreditImpact;
pub use credit_payouts::CreditPayout;
pub use debit_instructions::DebitInstruction;
pub use detail::Detail;
pub use exceptions::Exception;
pub use manifest::{Manifest, ManifestFile, MissingMerchant, seal};
pub use matching::Matching;
pub use positions::OpenInstalment;
pub use settlement::Settlement;
pub use summary::Summary;

/// Puts an apostrophe in front of text that a spreadsheet would run as a formula. Text that already begins with an apostrophe
/// and such a character gets another, so that two different keys stay different. For reports that people read; amounts, and
/// files that programs read, are written unchanged.
pub fn defused(text: &str) -> Cow<'_, str> {
    match text.trim_start_matches('\'').as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

/// A row of a report.
pub trait ReportRow {
    const HEADER: &'static [&'static str];

    /// The cells in the header's order. In reports for people, text is defused.
    fn cells(&self) -> Vec<String>;

    /// The amounts that the manifest adds up: column, currency and minor units.
    fn amounts(&self) -> Vec<(&'static str, Currency, i64)>;
}

/// A written report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub name: String,
    pub rows: i64,
    /// Sums by `column currency`, as plain decimals.
    pub totals: BTreeMap<String, String>,
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
}

/// A report that is being written. It gets its name once it is finished.
pub struct Report {
    name: String,
    /// `None` to compute the hash only.
    path: Option<PathBuf>,
    csv: csv::Writer<Hashed>,
    rows: i64,
    totals: BTreeMap<(&'static str, Currency), i128>,
}

impl Report {
    /// Begins a report in a folder, or without a folder to compute its fingerprint only.
    pub fn begin<R: ReportRow>(folder: Option<&Path>, name: String) -> io::Result<Report> {
        let path = folder.map(|folder| folder.join(&name));
        let file = path.as_ref().map(|path| File::create(atomic::part_of(path))).transpose()?;
        let out = Hashed { hash: Sha256::new(), file: file.map(|file| BufWriter::with_capacity(1 << 16, file)) };
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(R::HEADER).map_err(io::Error::other)?;
        Ok(Report { name, path, csv, rows: 0, totals: BTreeMap::new() })
    }

    pub fn row(&mut self, row: &impl ReportRow) -> io::Result<()> {
        self.csv.write_record(row.cells()).map_err(io::Error::other)?;
        self.rows += 1;
        for (column, currency, minor) in row.amounts() {
            *self.totals.entry((column, currency)).or_default() += i128::from(minor);
        }
        Ok(())
    }

    pub fn finish(self) -> io::Result<Written> {
        let out = self.csv.into_inner().map_err(|why| io::Error::other(why.to_string()))?;
        if let (Some(file), Some(path)) = (out.file, &self.path) {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            atomic::rename(&atomic::part_of(path), path)?;
        }
        let totals = self.totals.into_iter().map(|((column, currency), minor)| {
            let minor = i64::try_from(minor).map_err(|_| io::Error::other("a total is larger than the books hold"))?;
            Ok((format!("{column} {currency}"), currency.plain(minor)))
        });
        Ok(Written {
            name: self.name,
            rows: self.rows,
            totals: totals.collect::<io::Result<_>>()?,
            sha256: hex(&out.hash.finalize()),
        })
    }
}

/// Writes a complete report.
pub fn report<R: ReportRow>(folder: Option<&Path>, name: String, rows: &[R]) -> io::Result<Written> {
    let mut report = Report::begin::<R>(folder, name)?;
    for row in rows {
        report.row(row)?;
    }
    report.finish()
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file of any size, in hexadecimal.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hashed = Hashed { hash: Sha256::new(), file: None };
    io::copy(&mut io::BufReader::with_capacity(1 << 18, File::open(path)?), &mut hashed)?;
    Ok(hex(&hashed.hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes the bytes that are written to a file, if there is one.
struct Hashed {
    hash: Sha256,
    file: Option<BufWriter<File>>,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        for (text, shown) in
            [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "'-5"), ("+86", "'+86"), ("a=1", "a=1"), ("", ""), ("'s", "'s")]
        {
            assert_eq!(defused(text), shown);
        }
    }

    #[test]
    fn defused_texts_stay_different() {
        let texts = ["=T3", "'=T3", "''=T3", "T3", "'T3", "''T3", "'", "''", "+1", "'+1", "-", "'-"];
        let shown: std::collections::BTreeSet<_> = texts.iter().map(|text| defused(text)).collect();
        assert_eq!(shown.len(), texts.len());
        assert!(shown.iter().all(|shown| !shown.starts_with(['=', '+', '-', '@'])));
    }
}
