//! `paylater files`: lists the files that wait in the inboxes, then the files taken, the latest first.

use anyhow::Result;
use chrono::NaiveDate;

use super::super::json::LongList;
use super::super::open::At;
use super::super::table::Table;
use super::super::{Ending, remark};
use super::{one_of, status_in_words};
use crate::store::Tx;
use crate::views::files::{File, FileState, Inboxes, Which};

#[derive(clap::Args)]
pub struct List {
    /// Only files that were taken on this business day.
    #[arg(long, value_name = "DATE", conflicts_with = "all")]
    date: Option<NaiveDate>,

    /// Only files of this feed.
    #[arg(long)]
    feed: Option<String>,

    /// Only files with this status; `waiting` lists only the files in the inboxes.
    #[arg(long, value_parser = one_of(FileState::names(), FileState::parse))]
    status: Option<FileState>,

    /// All files, instead of those of the last three days with files.
    #[arg(long)]
    all: bool,

    /// How many at most; all with --all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
}

/// How many files are read at a time.
const PAGE: i64 = 500;

impl List {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let which = Which { date: self.date, feed: self.feed.clone(), status: self.status, all: self.all };
        let inboxes = Inboxes::load(&mut tx, &environment, &which).await?;
        let mut list = None;
        if at.json {
            list = Some(LongList::begin(inboxes, "files")?);
        } else if !inboxes.waiting.is_empty() {
            let mut table = Table::new(["waiting", "feed", "why"]);
            for file in inboxes.waiting {
                table.add([file.name, file.feed.unwrap_or_default(), file.why]);
            }
            table.finish();
        }
        let waiting_only = self.status == Some(FileState::Waiting);
        let more = if waiting_only { false } else { self.files(&mut tx, &which, list.as_mut()).await? };
        match list {
            Some(list) => list.end(more),
            None if more => remark!(
                "There are more. Ask with --date, --feed or --status, for more with --limit, or for everything with --all."
            ),
            None => {}
        }
        Ok(Ending::Done)
    }

    /// Prints files. Returns whether there are more.
    async fn files(&self, tx: &mut Tx, which: &Which, mut list: Option<&mut LongList>) -> Result<bool> {
        let filter = which.filter(tx).await?;
        let limit = if self.all { i64::MAX } else { self.limit.max(0) };
        let mut table = Table::new([
            "no",
            "date",
            "feed",
            "name",
            "status",
            "rows",
            "accepted",
            "declined",
            "duplicate",
            "conflict",
            "pending",
            "rejected",
            "code",
        ]);
        let (mut shown, mut before, mut more) = (0, i64::MAX, false);
        'pages: loop {
            let page = File::load(tx, &filter, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = last.file_no;
            for file in &page {
                if shown == limit {
                    more = true;
                    break 'pages;
                }
                match &mut list {
                    Some(list) => list.add(file)?,
                    None => table.add(cells(file)),
                }
                shown += 1;
            }
        }
        table.finish();
        if shown == 0 && !more && list.is_none() {
            remark!("No such files.");
        }
        Ok(more)
    }
}

fn cells(file: &File) -> [String; 13] {
    let (no, date) = (file.file_no.to_string(), file.business_date.to_string());
    let [accepted, declined, duplicate, conflict, pending, rejected] =
        file.rows.outcomes().map(|(_, count)| count.to_string());
    let rows = file.rows.rows.to_string();
    let (name, status, code) =
        (file.kept_as.clone(), status_in_words(file), file.code.map(|code| code.to_string()).unwrap_or_default());
    [no, date, file.feed.clone(), name, status, rows, accepted, declined, duplicate, conflict, pending, rejected, code]
}
