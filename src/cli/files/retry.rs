//! `paylater files retry`: after configuration was mended.

use anyhow::Result;
use serde_json::json;

use super::super::open::At;
use super::super::{Ending, say};
use super::find;
use crate::jobs::ingest_files::retry::{self, Tried};
use crate::store::files::RecordedFile;

#[derive(clap::Args)]
pub struct Retry {
    /// The file's number, or its name as it came or as it is kept.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    file: Option<String>,

    /// Everything in quarantine that nobody has settled, and all rows that were rejected for want of configuration.
    #[arg(long)]
    all: bool,

    /// Say what it would do, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Retry {
    pub async fn run(self, at: &At) -> Result<Ending> {
        // A dry run may go on beside a daemon.
        let (work, look) = if self.dry_run { (None, Some(at.look().await?)) } else { (Some(at.work().await?), None) };
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
        if at.json {
            let tried: Vec<_> = tried.iter().map(|(file, tried)| as_json(file, tried)).collect();
            say!("{}", serde_json::to_string_pretty(&tried)?);
        } else {
            if tried.is_empty() {
                say!("Nothing to try again.");
            }
            for (file, tried) in &tried {
                say!("{} {} of feed {}: {}", file.file_no, file.kept_as, file.feed, in_words(tried));
            }
        }
        let failed = tried.iter().any(|(_, tried)| match tried {
            Tried::As(file) => file.status == "quarantined",
            Tried::Still { .. } | Tried::Not { .. } => true,
            Tried::Would => false,
        });
        Ok(if failed { Ending::Failures } else { Ending::Done })
    }
}

fn in_words(tried: &Tried) -> String {
    match tried {
        Tried::As(file) if file.status == "taken" => {
            let c = &file.counts;
            format!(
                "taken in as file {}; {} rows: {} accepted, {} declined, {} duplicate, {} conflict, {} pending, {} rejected",
                file.file_no, c.rows, c.accepted, c.declined, c.duplicate, c.conflict, c.pending, c.rejected
            )
        }
        Tried::As(file) => {
            format!("{} as file {}: {}", file.status, file.file_no, file.message.as_deref().unwrap_or_default())
        }
        Tried::Would => "would be taken in".to_owned(),
        Tried::Still { message } => format!("refused for the same reason as before: {message}"),
        Tried::Not { why } => format!("not tried: {why}"),
    }
}

fn as_json(file: &RecordedFile, tried: &Tried) -> serde_json::Value {
    let (result, again) = match tried {
        Tried::As(again) => (again.status.as_str(), Some((again.file_no, again.counts))),
        Tried::Would => ("would be taken in", None),
        Tried::Still { .. } => ("refused as before", None),
        Tried::Not { .. } => ("not tried", None),
    };
    json!({ "file_no": file.file_no, "feed": file.feed, "kept_as": file.kept_as, "result": result,
            "as": again.map(|(file_no, _)| file_no), "rows": again.map(|(_, counts)| counts), "message": in_words(tried) })
}
