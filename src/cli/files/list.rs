//! `paylater files`: the list, the latest first, and before it what lies in the inboxes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use chrono::NaiveDate;
use serde_json::json;

use super::super::open::At;
use super::super::table::Table;
use super::super::{Ending, remark, say};
use super::{as_json, status_in_words};
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::YEARS;
use crate::files::inbox::waiting::{self, Taker, Waiting};
use crate::store::listing::{self, FileFilter, ListedFile};
use crate::store::{Tx, files};

#[derive(clap::Args)]
pub struct List {
    /// Only files that were taken on this business day.
    #[arg(long, value_name = "DATE", conflicts_with = "all")]
    date: Option<NaiveDate>,

    /// Only files of this feed.
    #[arg(long)]
    feed: Option<String>,

    /// Only files that are reading, taken, duplicate or quarantined; or only those waiting in the inboxes.
    #[arg(long, value_parser = ["waiting", "reading", "taken", "duplicate", "quarantined"])]
    status: Option<String>,

    /// Every file there ever was, instead of those of the last three days with files.
    #[arg(long)]
    all: bool,

    /// How many at most; all with --all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i64,
}

/// Business days that are shown unless asked otherwise.
const LATEST_DAYS: i64 = 3;

/// Files read at a time.
const PAGE: i64 = 500;

/// Waiting files shown of a folder.
const WAITING_SHOWN: usize = 100;

impl List {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let waiting = match (&self.date, self.status.as_deref()) {
            (None, None | Some("waiting")) => waiting_files(&mut tx, &environment, self.feed.as_deref()).await?,
            _ => Vec::new(),
        };
        if at.json {
            let shown: Vec<_> =
                waiting.iter().map(|w| json!({ "feed": w.feed, "name": w.name, "why": w.why })).collect();
            say!("{{\"waiting\": {}, \"files\": [", serde_json::to_string(&shown)?);
        } else if !waiting.is_empty() {
            let mut table = Table::new(["waiting", "feed", "why"]);
            for file in waiting {
                table.add([file.name, file.feed.unwrap_or_default(), file.why]);
            }
            table.finish();
        }
        let more = if self.status.as_deref() == Some("waiting") { false } else { self.files(&mut tx, at.json).await? };
        if at.json {
            say!("], \"more\": {more}}}");
        } else if more {
            remark!(
                "There are more. Ask with --date, --feed or --status, for more with --limit, or for everything with --all."
            );
        }
        Ok(Ending::Done)
    }

    /// Prints files, and tells whether there are more.
    async fn files(&self, tx: &mut Tx, as_json_rows: bool) -> Result<bool> {
        let (first, last) = (day(*YEARS.start()), day(*YEARS.end() + 1));
        let (from, to) = match self.date {
            Some(date) => (date, date),
            None if self.all => (first, last),
            None => (listing::since_latest_days(tx, LATEST_DAYS).await?.unwrap_or(first), last),
        };
        let (feed, status) = (self.feed.clone().unwrap_or_default(), self.status.clone().unwrap_or_default());
        let filter = FileFilter { from, to, feed, status };
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
        let (mut shown, mut before) = (0, i64::MAX);
        loop {
            let page = listing::files(tx, &filter, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = last.file.file_no;
            for listed in &page {
                if shown == limit {
                    table.finish();
                    return Ok(true);
                }
                if as_json_rows {
                    say!("{}{}", if shown == 0 { "" } else { "," }, as_json(listed));
                } else {
                    table.add(cells(listed));
                }
                shown += 1;
            }
        }
        table.finish();
        if shown == 0 && !as_json_rows {
            remark!("No such files.");
        }
        Ok(false)
    }
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX)
}

fn cells(listed: &ListedFile) -> [String; 13] {
    let (file, c) = (&listed.file, &listed.file.counts);
    let counts = [c.rows, c.accepted, c.declined, c.duplicate, c.conflict, c.pending, c.rejected];
    let [rows, accepted, declined, duplicate, conflict, pending, rejected] = counts.map(|count| count.to_string());
    let (no, date) = (file.file_no.to_string(), file.business_date.to_string());
    let (name, status, code) = (file.kept_as.clone(), status_in_words(listed), file.code.clone().unwrap_or_default());
    [no, date, file.feed.clone(), name, status, rows, accepted, declined, duplicate, conflict, pending, rejected, code]
}

/// What lies in the feeds' folders and is not taken yet.
async fn waiting_files(tx: &mut Tx, environment: &Environment, feed: Option<&str>) -> Result<Vec<Waiting>> {
    let today = crate::store::scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
    let mut folders: BTreeMap<&Path, Vec<Taker<'_>>> = BTreeMap::new();
    for feed in &environment.scheme.feeds {
        let (settle, done) = (feed.settle, feed.done.as_deref());
        let taker = Taker { feed: &feed.name, pattern: &feed.pattern, settle, done };
        folders.entry(&feed.folder).or_default().push(taker);
    }
    let mut waiting = Vec::new();
    for (folder, takers) in folders {
        let kept =
            takers.iter().any(|taker| environment.scheme.feeds.iter().any(|feed| feed.name == taker.feed && feed.keep));
        // Of a folder that keeps its files, most are taken already.
        let limit = if kept { usize::MAX } else { WAITING_SHOWN };
        let found = match waiting::list(folder, &takers, today, clock::system_now(), limit) {
            Ok(found) => found,
            Err(trouble) => {
                let why = format!("this inbox can't be looked into: {trouble}");
                waiting.push(Waiting { feed: None, name: folder.display().to_string(), why });
                continue;
            }
        };
        let mut shown = 0;
        for file in found.into_iter().filter(|file| feed.is_none() || file.feed.as_deref() == feed) {
            if shown < WAITING_SHOWN && !is_taken(tx, environment, &file).await? {
                waiting.push(file);
                shown += 1;
            }
        }
    }
    Ok(waiting)
}

/// A feed that keeps its files has those that it took before.
async fn is_taken(tx: &mut Tx, environment: &Environment, file: &Waiting) -> Result<bool> {
    let feed = environment.scheme.feeds.iter().find(|feed| Some(&feed.name) == file.feed.as_ref() && feed.keep);
    let Some(feed) = feed else { return Ok(false) };
    Ok(files::named(tx, &feed.name, &file.name).await?.iter().any(|file| file.filed))
}
