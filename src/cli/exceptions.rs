//! `paylater exceptions`: lists the open exceptions that finance must review, and closes an exception that no later row
//! will close.

use anyhow::Result;
use clap::Subcommand;

use super::json::{self, LongList};
use super::open::At;
use super::table::{Table, show};
use super::{Ending, remark, say};
use crate::books::exceptions;
use crate::domain::intake::code::ExceptionCode;
use crate::store::Lane;
use crate::store::scheme;
use crate::views::exceptions::{After, ClosedException, Exception, ExceptionHead};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Exceptions {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only those with this code.
    #[arg(long, value_name = "CODE", value_parser = known_code)]
    code: Option<ExceptionCode>,

    /// All, instead of the first 100.
    #[arg(long)]
    all: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Close an exception on the open day, with a reason, which the day's report shows.
    Close {
        /// Its id, such as TEA-X12, or TEA-N40 if no report has listed it yet.
        exception: String,

        /// Why it is settled, for whoever signs the books. Name no customer.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

fn known_code(text: &str) -> Result<ExceptionCode, String> {
    ExceptionCode::parse(text).ok_or_else(|| "no exception has this code; docs/file-formats.md lists all".to_owned())
}

/// How many exceptions are read at a time.
const PAGE: i64 = 500;
/// How many exceptions are shown without `--all`.
const SHOWN: i64 = 100;

impl Exceptions {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let Some(Command::Close { exception, reason }) = &self.command else { return self.list(at).await };
        let work = at.work(&[Lane::Books], "exceptions").await?;
        let today = work.environment.business_date().await?;
        let closed = exceptions::close(&work.environment, today, exception, reason).await?;
        let reason = reason.trim().to_owned();
        let closed = ClosedException { exception_id: exception.clone(), resolved_on: today, reason, closed };
        if at.json {
            json::print(&closed)?;
        } else {
            show!("{exception} is closed on {today}: {}", closed.closed);
        }
        work.environment.store.close().await;
        Ok(Ending::Done)
    }

    async fn list(&self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let business_date =
            scheme::days(&mut tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let limit = if self.all { i64::MAX } else { SHOWN };
        let mut list = match at.json {
            true => Some(LongList::begin(ExceptionHead { business_date }, "exceptions")?),
            false => None,
        };
        let mut table = Table::new(["exception", "code", "order", "file", "days", "message"]);
        let (mut shown, mut after, mut more) = (0, After::START, false);
        'pages: while let Some((page, next)) = Exception::load(&mut tx, self.code, &after, PAGE, business_date).await? {
            after = next;
            for exception in page {
                if shown == limit {
                    more = true;
                    break 'pages;
                }
                match &mut list {
                    Some(list) => list.add(&exception)?,
                    None => table.add(cells(exception)),
                }
                shown += 1;
            }
        }
        table.finish();
        match list {
            Some(list) => list.end(more),
            None if more => remark!("There are more. Ask with --code, or for everything with --all."),
            None if shown == 0 => say!("No open exceptions."),
            None => {}
        }
        Ok(Ending::Done)
    }
}

fn cells(exception: Exception) -> [String; 6] {
    let Exception { exception_id, code, order_id, file, line, days_open, message, .. } = exception;
    let place = match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (file, _) => file.unwrap_or_default(),
    };
    [exception_id, code.to_string(), order_id.unwrap_or_default(), place, days_open.to_string(), message]
}
