//! `paylater files retry`: tries files again after a person has fixed the configuration.

use anyhow::Result;

use super::super::open::At;
use super::super::table::show;
use super::super::{Ending, json, say};
use super::find;
use crate::jobs::ingest_files::retry;
use crate::store::Lane;
use crate::views::retry::Retries;

#[derive(clap::Args)]
pub struct Retry {
    /// The file's number, or its original or archived name.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    file: Option<String>,

    /// All files in quarantine whose exception is open, and all rows rejected because a policy or calendar was missing.
    #[arg(long)]
    all: bool,

    /// Show what it would do, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Retry {
    pub async fn run(self, at: &At) -> Result<Ending> {
        // A dry run only reads, so it can run while a daemon works.
        let (work, look) = if self.dry_run {
            (None, Some(at.look().await?))
        } else {
            (Some(at.work(&[Lane::Books], "files retry").await?), None)
        };
        let environment =
            work.as_ref().map(|work| &work.environment).or(look.as_ref()).expect("one of both was opened");
        let today = environment.business_date().await?;
        let mut tx = environment.store.read().await?;
        let files = match &self.file {
            Some(which) => vec![find(&mut tx, which).await?.file],
            None => retry::candidates(&mut tx).await?,
        };
        drop(tx);
        let tried = retry::retry(environment, today, files, self.dry_run).await;
        if let Some(work) = &work {
            work.progress.finish();
        }
        let tried = tried?;
        let retries = Retries::of(tried, self.dry_run);
        if at.json {
            json::print(&retries)?;
        } else {
            if retries.files.is_empty() {
                say!("Nothing to try again.");
            }
            for file in &retries.files {
                show!("{} {} of feed {}: {}", file.file_no, file.kept_as, file.feed, file.message);
            }
        }
        Ok(if retries.has_failures() { Ending::Failures } else { Ending::Done })
    }
}
