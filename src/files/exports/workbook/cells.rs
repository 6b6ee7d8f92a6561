//! What workbooks consist of: formats, and cells by what their column has.

use std::collections::BTreeMap;
use std::io;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Worksheet, XlsxError};

/// What the front sheet begins with.
#[derive(Debug)]
pub struct Title<'a> {
    pub merchant_id: &'a str,
    pub merchant: &'a str,
    pub scheme: &'a str,
    /// The sealed days that the workbook covers.
    pub days: (NaiveDate, NaiveDate),
    /// The seal of the last of them.
    pub seal: &'a str,
}

/// What a manifest says of a report.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    pub rows: i64,
    pub totals: &'a BTreeMap<String, String>,
}

/// A sheet that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    pub name: String,
    pub rows: u64,
}

pub struct Formats {
    pub title: Format,
    pub header: Format,
    /// Above amounts.
    pub header_of_amounts: Format,
    pub date: Format,
    /// By digits after the decimal point.
    amounts: [Format; 5],
}

impl Formats {
    pub fn new() -> Formats {
        let amount = |format: &str| Format::new().set_num_format(format).set_align(FormatAlign::Right);
        let header = Format::new().set_bold().set_background_color(0x00DD_E6F0);
        Formats {
            title: Format::new().set_bold().set_font_size(14),
            header_of_amounts: header.clone().set_align(FormatAlign::Right),
            header,
            date: Format::new().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            amounts: ["#,##0", "#,##0.0", "#,##0.00", "#,##0.000", "#,##0.0000"].map(amount),
        }
    }

    /// Returns the format of an amount, by its digits after the decimal point.
    pub fn of(&self, amount: Decimal) -> &Format {
        let digits = usize::try_from(amount.scale()).unwrap_or(0);
        &self.amounts[digits.min(self.amounts.len() - 1)]
    }
}

/// The longest text of a cell.
const LONGEST: usize = 32_767;

/// Columns with amounts, besides those that manifests have totals of.
const AMOUNTS: &[&str] = &[
    "opening",
    "debits",
    "credits",
    "closing",
    "difference",
    "amount",
    "gross",
    "refunds",
    "service_fee",
    "net",
    "provider_amount",
    "our_amount",
    "provider_fee",
    "principal",
    "paid",
    "refunded",
    "outstanding",
    "late_fee",
    "late_fee_paid",
];

/// Columns with whole numbers.
const NUMBERS: &[&str] = &["instalment", "line", "source_line", "days_open", "days_past_due", "attempt", "orders"];

/// Columns with dates whose names don't end in `_on` or `_date`.
const DATES: &[&str] = &["since", "policy_version"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Text,
    Date,
    Number,
    Amount,
}

impl Column {
    pub fn of(name: &str) -> Column {
        match name {
            name if DATES.contains(&name) || name.ends_with("_on") || name.ends_with("_date") => Column::Date,
            name if NUMBERS.contains(&name) => Column::Number,
            name if AMOUNTS.contains(&name) => Column::Amount,
            _ => Column::Text,
        }
    }

    pub fn width(self, name: &str) -> u8 {
        match (self, name) {
            (Column::Date, _) => 12,
            (Column::Number, _) => 10,
            (Column::Amount, _) => 15,
            (Column::Text, "message") => 70,
            (Column::Text, "currency") => 9,
            (Column::Text, _) if name.ends_with("account") || name == "source" || name == "file" => 30,
            (Column::Text, _) => 18,
        }
    }
}

/// Writes a cell as what its column has; text that is nothing of the kind stays text.
pub fn cell(
    sheet: &mut Worksheet,
    formats: &Formats,
    (row, column): (u32, u16),
    kind: Column,
    text: &str,
) -> io::Result<()> {
    let written = match kind {
        Column::Date => match text.parse::<NaiveDate>() {
            Ok(day) => sheet.write_date_with_format(row, column, date(day)?, &formats.date),
            Err(_) => sheet.write_string(row, column, text),
        },
        Column::Number => match text.parse::<i32>() {
            Ok(number) => sheet.write_number(row, column, number),
            Err(_) => sheet.write_string(row, column, text),
        },
        Column::Amount => match amount(text) {
            Some(amount) => sheet.write_with_format(row, column, amount, formats.of(amount)),
            None => sheet.write_string(row, column, text),
        },
        Column::Text => sheet.write_string(row, column, shortened(text)),
    };
    written.map(|_| ()).map_err(failed)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

pub fn date(day: NaiveDate) -> io::Result<ExcelDateTime> {
    let year = u16::try_from(day.year()).map_err(io::Error::other)?;
    let [month, day] = [day.month(), day.day()].map(|part| u8::try_from(part).unwrap_or(1));
    ExcelDateTime::from_ymd(year, month, day).map_err(failed)
}

/// Reads an amount as reports write it: with the digits of its currency.
pub fn amount(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok()
}

pub fn failed(why: XlsxError) -> io::Error {
    match why {
        XlsxError::IoError(why) => why,
        other => io::Error::other(other),
    }
}
