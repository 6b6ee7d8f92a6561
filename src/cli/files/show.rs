//! `paylater files show`: a file's rows that were not simply accepted, and what became of those that waited. Accepted and
//! duplicate rows stand in the acknowledgement alone.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;
use serde_json::json;

use super::super::open::At;
use super::super::table::Table;
use super::super::{Ending, remark, say};
use super::{as_json, find, status_in_words};
use crate::domain::calendar::days_between;
use crate::domain::facts::source::Source;
use crate::store::file_rows::RecordedRow;
use crate::store::files::RecordedFile;
use crate::store::{Tx, files, listing, orders, scheme};

#[derive(clap::Args)]
pub struct Show {
    /// The file's number, or its name as it came or as it is kept.
    file: String,

    /// Only rows with this outcome.
    #[arg(long, value_parser = ["accepted", "declined", "duplicate", "conflict", "pending", "rejected"])]
    outcome: Option<String>,

    /// Every row, instead of the first 100.
    #[arg(long)]
    all: bool,

    /// How many rows at most.
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "all")]
    limit: i64,
}

/// Rows read at a time.
const PAGE: i64 = 1_000;

impl Show {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let listed = find(&mut tx, &self.file).await?;
        let today = scheme::days(&mut tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let outbox = environment.scheme.home.outbox(&listed.file.feed);
        let answer = outbox.join(format!("{}.ack.csv", listed.file.kept_as));
        if at.json {
            say!("{{\"file\": {}, \"acknowledgement\": {}, \"rows\": [", as_json(&listed), json!(answer));
        } else {
            let (file, c) = (&listed.file, &listed.file.counts);
            say!(
                "file {}: {} of feed {}, {} on {}",
                file.file_no,
                file.kept_as,
                file.feed,
                status_in_words(&listed),
                file.business_date
            );
            if let Some(message) = &file.message {
                say!("  {}: {message}", file.code.as_deref().unwrap_or_default());
            }
            if let Some(first) = file.retry_of {
                say!("  file {first}, tried again");
            }
            say!(
                "  {} rows: {} accepted, {} declined, {} duplicate, {} conflict, {} pending, {} rejected",
                c.rows,
                c.accepted,
                c.declined,
                c.duplicate,
                c.conflict,
                c.pending,
                c.rejected
            );
            say!("  every row: {}", answer.display());
        }
        let more = self.rows(&mut tx, &listed.file, today, at.json).await?;
        if at.json {
            say!("], \"more\": {more}}}");
        } else if more {
            remark!("There are more. Ask with --outcome, for more with --limit, or for everything with --all.");
        }
        Ok(Ending::Done)
    }

    /// Prints rows, and tells whether there are more.
    async fn rows(&self, tx: &mut Tx, file: &RecordedFile, today: NaiveDate, as_json_rows: bool) -> Result<bool> {
        let limit = if self.all { i64::MAX } else { self.limit.max(0) };
        let outcome = self.outcome.as_deref().unwrap_or_default();
        let mut table = Table::new(["line", "key", "outcome", "code", "message", "waited"]);
        let (mut shown, mut after) = (0, i64::MIN);
        loop {
            let page = listing::rows(tx, file.file_no, outcome, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.line;
            let causes = causes(tx, file, &page).await?;
            for row in &page {
                if shown == limit {
                    table.finish();
                    return Ok(true);
                }
                let waited = waited(row, today, causes.get(row.order_id.as_str()).map(String::as_str));
                if as_json_rows {
                    let row = json!({
                        "line": row.line, "key": row.row_key, "outcome": row.outcome, "code": row.code, "message": row.message,
                        "order_id": row.order_id, "opened_on": row.opened_on, "resolved_on": row.resolved_on, "waited": waited,
                    });
                    say!("{}{row}", if shown == 0 { "" } else { "," });
                } else {
                    let RecordedRow { line, row_key, outcome, code, message, .. } = row.clone();
                    table.add([line.to_string(), row_key, outcome, code, message, waited]);
                }
                shown += 1;
            }
        }
        table.finish();
        if shown == 0 && !as_json_rows {
            say!("  no rows to show");
        }
        Ok(false)
    }
}

/// How long a row has waited, or had, and what ended it.
fn waited(row: &RecordedRow, today: NaiveDate, cause: Option<&str>) -> String {
    let days = |until: NaiveDate| match days_between(row.opened_on, until) {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    match row.resolved_on {
        Some(on) => {
            let cause = cause.map(|cause| format!(", when {cause}")).unwrap_or_default();
            format!("{}, until {on}{cause}", days(on))
        }
        None if row.outcome == "pending" => format!("{} so far", days(today)),
        None => String::new(),
    }
}

/// Of the orders that rows waited for, where each came from.
async fn causes(tx: &mut Tx, file: &RecordedFile, rows: &[RecordedRow]) -> Result<HashMap<String, String>> {
    let mut resolved: HashMap<&str, NaiveDate> = HashMap::new();
    resolved.extend(rows.iter().filter_map(|row| Some((row.order_id.as_str(), row.resolved_on?))));
    let mut ids: Vec<&str> = resolved.keys().copied().collect();
    ids.sort_unstable();
    let orders = orders::load(tx, &file.merchant_id, &ids).await?;
    let mut numbers: Vec<i64> = orders.iter().map(|stored| stored.order.source.file_no).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let names = files::names(tx, &numbers).await?;
    let cause = |stored: orders::StoredOrder| {
        let order = stored.order;
        let Source { file_no, line } = order.source;
        // A chargeback may have waited for its payment, long after the order had come.
        let came = match resolved.get(order.order_id.as_str()) {
            Some(day) if *day == order.booked_on => {
                let name = names.get(&file_no).map(String::as_str).unwrap_or_default();
                format!("order {} came ({name}:{line})", order.order_id)
            }
            _ => format!("what it waited for of order {} came", order.order_id),
        };
        (order.order_id, came)
    };
    Ok(orders.into_iter().map(cause).collect())
}
