//! An Excel workbook for a merchant's month: a sheet for each report, and one in front with the accounts, control totals and
//! charts. Reports are written a row at a time, so that memory does not grow with them. The same rows give the same bytes.

mod cells;
mod front;
mod sheets;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::NaiveDate;
use rust_xlsxwriter::{DocProperties, Workbook};

use cells::{Formats, date, failed};
use sheets::ReportSheets;

pub use cells::{Sealed, Sheet, Title};

/// A workbook that is being written.
pub struct MonthWorkbook {
    workbook: Workbook,
    formats: Formats,
    reports: BTreeMap<usize, ReportSheets>,
    accounts: front::Accounts,
}

/// The reports in the order of their sheets; others come after them, in the order in which they first appear.
const ORDER: [&str; 8] =
    ["summary", "detail", "positions", "settlement", "matching", "exceptions", "debit-instructions", "credit-payouts"];

impl MonthWorkbook {
    /// Begins a workbook. Rows wait in unnamed files in `temporary` until it is saved.
    pub fn begin(temporary: &Path) -> io::Result<MonthWorkbook> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(temporary).map_err(failed)?;
        Ok(MonthWorkbook {
            workbook,
            formats: Formats::new(),
            reports: BTreeMap::new(),
            accounts: front::Accounts::default(),
        })
    }

    /// Adds a report with the columns that it has on any day of the month.
    pub fn report(&mut self, kind: &str, columns: &[String]) -> io::Result<()> {
        let place = self.place_of(kind);
        let sheets = ReportSheets::begin(&mut self.workbook, &self.formats, kind, columns)?;
        self.reports.insert(place, sheets);
        Ok(())
    }

    /// Adds the rows of a report of a day, from its sealed bytes: CSV with a header.
    pub fn add(&mut self, kind: &str, day: NaiveDate, csv: impl io::Read, sealed: &Sealed<'_>) -> io::Result<()> {
        let place = self.place_of(kind);
        let mut reader = csv::Reader::from_reader(csv);
        let header = reader.headers().map_err(io::Error::other)?.clone();
        let Some(sheets) = self.reports.get_mut(&place) else { return Ok(()) };
        sheets.expect(sealed)?;
        let columns = sheets.places_of(&header);
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(io::Error::other)? {
            let cells = columns.iter().copied().zip(&record);
            sheets.row(&mut self.workbook, &self.formats, day, cells)?;
            if kind == "summary" {
                self.accounts.take(day, &header, &record);
            }
        }
        Ok(())
    }

    /// Saves the workbook, and returns its sheets.
    pub fn save(mut self, path: &Path, title: &Title<'_>) -> io::Result<Vec<Sheet>> {
        let last = title.days.1;
        // The time of creation would make other bytes each time.
        let created = date(last)?;
        let name = format!("{} {}", title.merchant_id, last.format("%Y-%m"));
        let properties = DocProperties::new().set_creation_datetime(&created).set_title(name).set_company(title.scheme);
        self.workbook.set_properties(&properties);
        let mut written = Vec::new();
        let front = front::write(&self.formats, title, &self.accounts, &self.reports)?;
        self.workbook.push_worksheet(front);
        for (_, report) in self.reports {
            written.extend(report.finish(&mut self.workbook)?);
        }
        self.workbook.save(path).map_err(failed)?;
        Ok(written)
    }

    fn place_of(&self, kind: &str) -> usize {
        let known = ORDER.iter().position(|known| *known == kind);
        let other = || self.reports.iter().find(|(_, sheets)| sheets.kind == kind).map(|(place, _)| *place);
        let next = || self.reports.keys().next_back().map_or(ORDER.len(), |last| (last + 1).max(ORDER.len()));
        known.or_else(other).unwrap_or_else(next)
    }
}
