//! `paylater workbook`: writes Excel workbooks of a month.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;

use super::open::At;
use super::table::show;
use super::{Ending, json, which};
use crate::books::workbooks;
use crate::domain::calendar::last_of_month;
use crate::domain::words::count;
use crate::views::workbook::{Workbooks, WrittenWorkbook};

#[derive(clap::Args)]
#[command(after_help = "\
The sheet in front has the accounts of the month, what each report adds up to beside the totals of the manifests (the difference \
is 0), and each day's figures with charts. Then comes a sheet for each report with the rows of all sealed days; positions and \
exceptions are those of the last day. The same books give the same bytes.

Examples:
  paylater workbook --month 2026-03
  paylater workbook --month 2026-03 --merchant TEA --into /srv/finance")]
pub struct Workbook {
    /// The month; of a month that is not over, the days sealed so far.
    #[arg(long, value_name = "MONTH", value_parser = which::month)]
    month: NaiveDate,

    /// Only this merchant's workbook.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// The folder to write into; this one, unless you name another. A workbook of the same name is replaced.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

impl Workbook {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let merchants = which::merchants(&environment.scheme, self.merchant.as_deref())?;
        let folder = self.into.unwrap_or_else(|| PathBuf::from("."));
        std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
        let days = (self.month, last_of_month(self.month));
        let mut tx = environment.store.read().await?;
        let mut written = Workbooks { month: self.month, workbooks: Vec::new() };
        for merchant in merchants {
            let workbook = workbooks::write(&mut tx, &environment, merchant, days, &folder).await?;
            written.workbooks.extend(workbook.map(WrittenWorkbook::from));
        }
        if written.workbooks.is_empty() {
            bail!(
                "no day of {} is sealed with {}",
                self.month.format("%Y-%m"),
                self.merchant.as_deref().unwrap_or("any merchant")
            );
        }
        if at.json {
            json::print(&written)?;
            return Ok(Ending::Done);
        }
        for workbook in &written.workbooks {
            let rows: u64 = workbook.sheets.iter().map(|sheet| sheet.rows).sum();
            let (sheets, rows) = (count(workbook.sheets.len() + 1, "sheet"), count(i64::try_from(rows)?, "row"));
            show!("{}: {} to {}, {sheets}, {rows}", workbook.file, workbook.first, workbook.last);
        }
        Ok(Ending::Done)
    }
}
