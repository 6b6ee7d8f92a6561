//! The view of `workbook`: the workbooks that were written.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::books::workbooks::Workbook;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Workbooks {
    /// The first day of the month.
    pub month: NaiveDate,
    /// One for each merchant that days of the month were sealed with.
    pub workbooks: Vec<WrittenWorkbook>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct WrittenWorkbook {
    pub merchant_id: String,
    pub file: String,
    pub sha256: String,
    /// The sealed days that it covers.
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// The sheets after the first, a report each.
    pub sheets: Vec<WrittenSheet>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct WrittenSheet {
    pub name: String,
    /// Without the header.
    pub rows: u64,
}

impl From<Workbook> for WrittenWorkbook {
    fn from(workbook: Workbook) -> WrittenWorkbook {
        let sheets = workbook.sheets.into_iter().map(|sheet| WrittenSheet { name: sheet.name, rows: sheet.rows });
        WrittenWorkbook {
            merchant_id: workbook.merchant_id,
            file: workbook.file.display().to_string(),
            sha256: workbook.sha256,
            first: workbook.days.0,
            last: workbook.days.1,
            sheets: sheets.collect(),
        }
    }
}
