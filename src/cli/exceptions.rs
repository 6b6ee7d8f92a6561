//! `paylater exceptions`: what finance must look at, and closing what no later row will close.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::open::At;
use super::table::Table;
use super::{Ending, remark, say};
use crate::books::exceptions::{self, name};
use crate::domain::calendar::days_between;
use crate::store::exceptions::ExceptionRow;
use crate::store::{listing, scheme};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Exceptions {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only those with this code.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,

    /// All, instead of the first 100.
    #[arg(long)]
    all: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Close an exception on the open day, with a reason, which the day's report shows.
    Close {
        /// Its id, such as TEA-X12; TEA-N40 of one that no report has listed yet.
        exception: String,

        /// Why it is settled, for whoever signs the books. Name no customer.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Exceptions read at a time, and shown unless asked otherwise.
const PAGE: i64 = 500;
const SHOWN: i64 = 100;

impl Exceptions {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let Some(Command::Close { exception, reason }) = &self.command else { return self.list(at).await };
        let work = at.work().await?;
        let today = work.environment.business_date().await?;
        let closed = exceptions::close(&work.environment, today, exception, reason).await?;
        if at.json {
            say!("{}", json!({ "exception_id": exception, "resolved_on": today, "reason": reason.trim() }));
        } else {
            say!("{exception} is closed on {today}: {closed}");
        }
        work.environment.store.close().await;
        Ok(Ending::Done)
    }

    async fn list(&self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let today = scheme::days(&mut tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let code = self.code.as_deref().unwrap_or_default();
        let limit = if self.all { i64::MAX } else { SHOWN };
        let mut table = Table::new(["exception", "code", "order", "file", "days", "message"]);
        let (mut shown, mut after, mut more) = (0, (String::new(), i64::MIN), false);
        if at.json {
            say!("{{\"exceptions\": [");
        }
        'pages: loop {
            let page = listing::open_exceptions(&mut tx, code, (&after.0, after.1), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.merchant_id.clone(), last.exception_no);
            for row in page {
                if shown == limit {
                    more = true;
                    break 'pages;
                }
                let days_open = days_between(row.opened_on, today);
                let id = name(&row);
                let ExceptionRow { merchant_id, code, order_id, file, line, opened_on, message, .. } = row;
                if at.json {
                    let row = json!({
                        "exception_id": id, "code": code, "merchant_id": merchant_id, "order_id": order_id, "file": file,
                        "line": line, "opened_on": opened_on, "days_open": days_open, "message": message,
                    });
                    say!("{}{row}", if shown == 0 { "" } else { "," });
                } else {
                    let place =
                        file.map_or(String::new(), |file| if line > 0 { format!("{file}:{line}") } else { file });
                    table.add([id, code, order_id, place, days_open.to_string(), message]);
                }
                shown += 1;
            }
        }
        table.finish();
        match (at.json, more, shown) {
            (true, ..) => say!("], \"more\": {more}}}"),
            (false, true, _) => remark!("There are more. Ask with --code, or for everything with --all."),
            (false, false, 0) => say!("No open exceptions."),
            _ => {}
        }
        Ok(Ending::Done)
    }
}
