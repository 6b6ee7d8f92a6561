//! `paylater files show`: lists a file's declined, rejected, conflicting and pending rows, with the end of each wait.
//! Accepted and duplicate rows are listed only in the acknowledgement.

use anyhow::Result;

use super::super::json::LongList;
use super::super::open::At;
use super::super::table::{Table, show};
use super::super::{Ending, remark, say};
use super::{find, one_of, status_in_words};
use crate::domain::intake::code::FileCode;
use crate::domain::intake::status::RowOutcome;
use crate::domain::words::count;
use crate::views::file_rows::{FileHead, Row};

#[derive(clap::Args)]
pub struct Show {
    /// The file's number, or its original or archived name.
    file: String,

    /// Only rows with this outcome.
    #[arg(long, value_parser = one_of(RowOutcome::ALL.map(RowOutcome::name), RowOutcome::parse))]
    outcome: Option<RowOutcome>,

    /// Every row, instead of the first 100.
    #[arg(long)]
    all: bool,

    /// How many rows at most.
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "all")]
    limit: i64,
}

/// How many rows are read at a time.
const PAGE: i64 = 1_000;

impl Show {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let listed = find(&mut tx, &self.file).await?;
        let file = listed.file.clone();
        let head = FileHead::of(&environment, listed);
        let mut list = None;
        if at.json {
            list = Some(LongList::begin(head, "rows")?);
        } else {
            print_head(&head);
        }
        let limit = if self.all { i64::MAX } else { self.limit.max(0) };
        let mut table = Table::new(["line", "key", "outcome", "code", "message", "waited"]);
        let (mut shown, mut after, mut more) = (0, i64::MIN, false);
        'pages: loop {
            let page = Row::load(&mut tx, &environment, &file, self.outcome, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.line;
            for row in page {
                if shown == limit {
                    more = true;
                    break 'pages;
                }
                match &mut list {
                    Some(list) => list.add(&row)?,
                    None => table.add(cells(row)),
                }
                shown += 1;
            }
        }
        table.finish();
        match list {
            Some(list) => list.end(more),
            None if more => {
                remark!("There are more. Ask with --outcome, for more with --limit, or for everything with --all.");
            }
            None if shown == 0 => say!("  no rows to show"),
            None => {}
        }
        Ok(Ending::Done)
    }
}

fn print_head(head: &FileHead) {
    let file = &head.file;
    let status = status_in_words(file);
    show!("file {}: {} of feed {}, {status} on {}", file.file_no, file.kept_as, file.feed, file.business_date);
    if let Some(message) = &file.message {
        show!("  {}: {message}", file.code.map_or("", FileCode::name));
    }
    if let Some(first) = file.retry_of {
        show!("  file {first}, tried again");
    }
    show!("  {}: {}", count(file.rows.rows, "row"), file.rows);
    show!("  every row: {}", head.acknowledgement);
}

fn cells(row: Row) -> [String; 6] {
    let waited = waited(&row);
    let Row { line, key, outcome, code, message, .. } = row;
    [
        line.to_string(),
        key,
        outcome.to_string(),
        code.map(|code| code.to_string()).unwrap_or_default(),
        message.unwrap_or_default(),
        waited,
    ]
}

/// Returns how long a row has waited so far or, if the wait is over, how long it waited and why it ended.
fn waited(row: &Row) -> String {
    let Some(days) = row.days_waited.map(|days| count(days, "day")) else { return String::new() };
    match row.resolved_on {
        Some(on) => {
            let cause = row.ended_by.as_ref().map(|cause| format!(", when {cause}")).unwrap_or_default();
            format!("{days}, until {on}{cause}")
        }
        None => format!("{days} so far"),
    }
}
