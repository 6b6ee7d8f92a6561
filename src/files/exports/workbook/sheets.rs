//! The sheets of one report: typed cells by column, and what their amounts add up to. A report with more rows than a sheet can
//! have goes on in another.

use std::collections::BTreeMap;
use std::io;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_xlsxwriter::utility::column_number_to_name;
use rust_xlsxwriter::{Workbook, Worksheet};

use super::cells::{Column, Formats, Sealed, Sheet, amount, cell, date, failed};

/// The rows of a sheet, without its header.
const MOST_ROWS: u32 = 1_048_575;

/// The sheets of a report.
pub struct ReportSheets {
    pub kind: String,
    header: Vec<String>,
    columns: Vec<Column>,
    /// Where the currency is.
    currency: Option<usize>,
    /// Whether the day is put in front, since the report's rows don't have it.
    has_day: bool,
    full: Vec<Worksheet>,
    sheet: Worksheet,
    rows: u32,
    /// The rows that the manifests count.
    pub sealed_rows: i64,
    /// What the manifests say, and what the sheets have, by column and currency.
    pub totals: BTreeMap<(String, String), Control>,
}

/// A total of a column in a currency.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control {
    pub of_manifests: Decimal,
    pub of_sheets: Decimal,
}

impl ReportSheets {
    pub fn begin(
        workbook: &mut Workbook,
        formats: &Formats,
        kind: &str,
        header: &[String],
    ) -> io::Result<ReportSheets> {
        let has_day = !header.iter().any(|name| name == "business_date");
        let mut sheets = ReportSheets {
            kind: kind.to_owned(),
            columns: header.iter().map(|name| Column::of(name)).collect(),
            currency: header.iter().position(|name| name == "currency"),
            header: header.to_vec(),
            has_day,
            full: Vec::new(),
            sheet: Worksheet::new(),
            rows: 0,
            sealed_rows: 0,
            totals: BTreeMap::new(),
        };
        sheets.sheet = sheets.new_sheet(workbook, formats)?;
        Ok(sheets)
    }

    /// Returns the place of each column of a day's report.
    pub fn places_of(&self, header: &csv::StringRecord) -> Vec<usize> {
        let place = |name: &str| self.header.iter().position(|known| known == name).unwrap_or(self.header.len());
        header.iter().map(place).collect()
    }

    /// Notes the rows and totals of a day's manifest.
    pub fn expect(&mut self, sealed: &Sealed<'_>) -> io::Result<()> {
        self.sealed_rows += sealed.rows;
        for (name, total) in sealed.totals {
            let Some((column, currency)) = name.rsplit_once(' ') else { continue };
            if let Some(at) = self.header.iter().position(|known| known == column) {
                self.columns[at] = Column::Amount;
            }
            let total = amount(total).ok_or_else(|| io::Error::other(format!("{total:?} is no total of {name}")))?;
            self.totals.entry((column.to_owned(), currency.to_owned())).or_default().of_manifests += total;
        }
        Ok(())
    }

    /// Adds a row: its cells with their places.
    pub fn row<'r>(
        &mut self,
        workbook: &mut Workbook,
        formats: &Formats,
        day: NaiveDate,
        cells: impl Iterator<Item = (usize, &'r str)> + Clone,
    ) -> io::Result<()> {
        if self.rows == MOST_ROWS {
            let next = self.new_sheet(workbook, formats)?;
            let mut full = std::mem::replace(&mut self.sheet, next);
            finish(&mut full, self.rows, self.width())?;
            self.full.push(full);
            self.rows = 0;
        }
        self.rows += 1;
        let row = self.rows;
        if self.has_day {
            let day = date(day)?;
            self.sheet.write_date_with_format(row, 0, day, &formats.date).map_err(failed)?;
        }
        let currency = cells.clone().find(|(at, _)| Some(*at) == self.currency).map_or("", |(_, code)| code);
        for (at, text) in cells.filter(|(_, text)| !text.is_empty()) {
            let column = u16::try_from(at).map_err(io::Error::other)? + u16::from(self.has_day);
            let kind = self.columns.get(at).copied().unwrap_or(Column::Text);
            cell(&mut self.sheet, formats, (row, column), kind, text)?;
            if kind == Column::Amount
                && let Some(name) = self.header.get(at)
                && let Some(control) = self.totals.get_mut(&(name.clone(), currency.to_owned()))
            {
                control.of_sheets += amount(text).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Returns a formula that adds up a column's amounts in a currency, in all sheets of the report.
    pub fn sum_formula(&self, column: &str, currency: &str) -> Option<String> {
        let at = |name: &str| self.header.iter().position(|known| known == name);
        let (of, by) = (self.letter(at(column)?), self.letter(self.currency?));
        let part = |sheet: &str, last: u32| {
            format!("SUMIFS('{sheet}'!${of}$2:${of}${last},'{sheet}'!${by}$2:${by}${last},\"{currency}\")")
        };
        Some(self.formula(part))
    }

    /// Returns a formula that counts the rows, in all sheets of the report.
    pub fn count_formula(&self) -> String {
        self.formula(|sheet, last| format!("ROWS('{sheet}'!$A$1:$A${last})-1"))
    }

    /// Joins a part for each sheet, by its name and last row.
    fn formula(&self, part: impl Fn(&str, u32) -> String) -> String {
        let rows = self.full.iter().map(|_| MOST_ROWS).chain([self.rows]);
        let parts = rows.enumerate().map(|(i, rows)| part(&self.sheet_name(i), rows + 1));
        format!("={}", parts.collect::<Vec<_>>().join("+"))
    }

    pub fn row_count(&self) -> i64 {
        i64::try_from(self.full.len()).unwrap_or(0) * i64::from(MOST_ROWS) + i64::from(self.rows)
    }

    /// Adds the sheets to the workbook.
    pub fn finish(mut self, workbook: &mut Workbook) -> io::Result<Vec<Sheet>> {
        let width = self.width();
        finish(&mut self.sheet, self.rows, width)?;
        let (names, count) = ((0..=self.full.len()).map(|i| self.sheet_name(i)).collect::<Vec<_>>(), self.rows);
        let rows = self.full.iter().map(|_| MOST_ROWS).chain([count]);
        let written = names.iter().zip(rows).map(|(name, rows)| Sheet { name: name.clone(), rows: rows.into() });
        let written = written.collect();
        for sheet in self.full.into_iter().chain([self.sheet]) {
            workbook.push_worksheet(sheet);
        }
        Ok(written)
    }

    fn new_sheet(&self, workbook: &mut Workbook, formats: &Formats) -> io::Result<Worksheet> {
        let mut sheet = workbook.new_worksheet_with_constant_memory().map_err(failed)?;
        let number = if self.rows == 0 { 0 } else { self.full.len() + 1 };
        sheet.set_name(self.sheet_name(number)).map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        sheet.set_landscape().set_print_fit_to_pages(1, 0);
        sheet.set_repeat_rows(0, 0).map_err(failed)?;
        let day = self.has_day.then_some("day");
        for (at, name) in (0u16..).zip(day.into_iter().chain(self.header.iter().map(String::as_str))) {
            let width = if name == "day" { Column::Date } else { Column::of(name) }.width(name);
            sheet.set_column_width(at, width).map_err(failed)?;
            sheet.write_string_with_format(0, at, name, &formats.header).map_err(failed)?;
        }
        Ok(sheet)
    }

    fn sheet_name(&self, number: usize) -> String {
        if number == 0 { self.kind.clone() } else { format!("{} {}", self.kind, number + 1) }
    }

    fn width(&self) -> usize {
        self.header.len() + usize::from(self.has_day)
    }

    /// Returns the letters of a report's column.
    fn letter(&self, at: usize) -> String {
        column_number_to_name(u16::try_from(at + usize::from(self.has_day)).unwrap_or(u16::MAX))
    }
}

fn finish(sheet: &mut Worksheet, rows: u32, width: usize) -> io::Result<()> {
    let last = u16::try_from(width.saturating_sub(1)).map_err(io::Error::other)?;
    sheet.autofilter(0, 0, rows, last).map_err(failed)?;
    Ok(())
}
