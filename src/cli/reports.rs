//! `paylater reports`: writes a sealed day's files again.

use std::path::PathBuf;

use anyhow::Result;
use chrono::NaiveDate;

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json, new_folder, which};
use crate::books::made_again;
use crate::domain::words::count;
use crate::views::made_again::ReportsMadeAgain;

#[derive(clap::Args)]
#[command(after_help = "\
The files are made from the books as they were known at the end of that day, also if the day's folder was moved to an archive or \
is lost. They are compared with the seal before the command succeeds; nothing in reconciliation/ is touched.

Examples:
  paylater reports --date 2026-03-24
  paylater reports --date 2026-03-24 --merchant TEA --into /tmp/for-the-auditor")]
pub struct Reports {
    /// The sealed day.
    #[arg(long, value_name = "DATE")]
    date: NaiveDate,

    /// Only this merchant's files, with the day's manifest.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,

    /// The folder to write into, new or empty; reports-DATE here, unless you name one.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

impl Reports {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        if let Some(id) = &self.merchant {
            which::merchants(&environment.scheme, Some(id))?;
        }
        let mut tx = environment.store.read().await?;
        let day = made_again::sealed_day(&mut tx, self.date).await?;
        let folder = self.into.unwrap_or_else(|| PathBuf::from(format!("reports-{}", self.date)));
        new_folder::make(&folder).map_err(Misconfigured)?;
        let merchant = self.merchant.as_deref();
        let (manifest, files) = made_again::write(&mut tx, &environment, &day, merchant, &folder).await?;
        let made = ReportsMadeAgain::of(&manifest, files, folder.display().to_string());
        if at.json {
            json::print(&made)?;
            return Ok(Ending::Done);
        }
        for file in &made.files {
            show!("{}  {}", file.sha256, file.name);
        }
        let files = count(made.files.len(), "file");
        show!("{files} of {} as sealed, with manifest.json, in {}.", made.business_date, made.folder);
        show!("Seal {}, no. {}", made.seal, made.sequence);
        Ok(Ending::Done)
    }
}
