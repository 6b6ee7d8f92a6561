//! A file's declined, rejected, conflicting and pending rows, with the end of each wait. Accepted and duplicate rows
//! are listed only in the acknowledgement.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::files::File;
use super::{Amount, some};
use crate::books::environment::Environment;
use crate::domain::calendar::days_between;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::RowOutcome;
use crate::store::file_rows::RecordedRow;
use crate::store::files::RecordedFile;
use crate::store::listing::ListedFile;
use crate::store::{Tx, files, listing, orders, scheme};

/// A file with its rows that were not simply accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileRows {
    #[serde(flatten)]
    pub head: FileHead,
    /// By line.
    pub rows: Vec<Row>,
    /// Whether there are more rows than these.
    pub more: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FileHead {
    pub file: File,
    /// Where the answer to every row of the file is.
    pub acknowledgement: String,
}

/// A row that was declined, rejected, in conflict, or that waits or waited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Row {
    pub line: i64,
    /// The row's own key.
    pub key: String,
    pub outcome: RowOutcome,
    pub code: Option<RowCode>,
    pub message: Option<String>,
    pub order_id: Option<String>,
    pub amount: Option<Amount>,
    /// The business day on which the row came.
    pub opened_on: NaiveDate,
    /// The day on which it stopped waiting.
    pub resolved_on: Option<NaiveDate>,
    /// How many days it has waited, or had when it stopped; null if it never waited.
    pub days_waited: Option<i64>,
    /// What ended the wait, in words.
    pub ended_by: Option<String>,
}

impl FileHead {
    pub fn of(environment: &Environment, listed: ListedFile) -> FileHead {
        let outbox = environment.scheme.home.outbox(&listed.file.feed);
        let answer = outbox.join(format!("{}.ack.csv", listed.file.kept_as));
        FileHead { file: listed.into(), acknowledgement: answer.display().to_string() }
    }
}

impl Row {
    /// Returns at most `limit` rows of a file after a line, with one outcome or any.
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        file: &RecordedFile,
        outcome: Option<RowOutcome>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Row>> {
        let today = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let rows = listing::rows(tx, file.file_no, outcome, after, limit).await?;
        let mut causes = causes(tx, file, &rows).await?;
        let causes: Vec<Option<String>> = rows.iter().map(|row| causes.remove(&row.line)).collect();
        Ok(rows.into_iter().zip(causes).map(|(row, ended_by)| Row::of(row, ended_by, today)).collect())
    }

    fn of(row: RecordedRow, ended_by: Option<String>, today: NaiveDate) -> Row {
        let days_waited = match row.resolved_on {
            Some(on) => Some(days_between(row.opened_on, on)),
            None if row.outcome == RowOutcome::Pending => Some(days_between(row.opened_on, today)),
            None => None,
        };
        Row {
            line: row.line,
            key: row.row_key,
            outcome: row.outcome,
            code: row.code,
            message: some(row.message),
            order_id: some(row.order_id),
            amount: Amount::stored(row.amount_minor, row.currency.as_deref()),
            opened_on: row.opened_on,
            resolved_on: row.resolved_on,
            days_waited,
            ended_by,
        }
    }
}

/// Returns, by line, the reason why each row no longer waits for its order, if the order is known.
async fn causes(tx: &mut Tx, file: &RecordedFile, rows: &[RecordedRow]) -> Result<HashMap<i64, String>> {
    // Rows of customers and agreements wait for no order.
    let Some(merchant) = file.owner.merchant() else { return Ok(HashMap::new()) };
    let resolved = || rows.iter().filter_map(|row| Some((row, row.resolved_on?)));
    let mut ids: Vec<&str> = resolved().map(|(row, _)| row.order_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let orders = orders::load(tx, merchant, &ids).await?;
    let mut numbers: Vec<i64> = orders.iter().map(|stored| stored.order.source.file_no).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let names = files::names(tx, &numbers).await?;
    let orders: HashMap<&str, _> =
        orders.iter().map(|stored| (stored.order.order_id.as_str(), &stored.order)).collect();
    let mut causes = HashMap::new();
    for (row, resolved_on) in resolved() {
        let Some(order) = orders.get(row.order_id.as_str()) else { continue };
        let Source { file_no, line } = order.source;
        // A chargeback can wait for its payment long after its order has arrived.
        let cause = if resolved_on == order.booked_on {
            let name = names.get(&file_no).map(String::as_str).unwrap_or_default();
            format!("order {} came ({name}:{line})", order.order_id)
        } else {
            format!("what it waited for of order {} came", order.order_id)
        };
        causes.insert(row.line, cause);
    }
    Ok(causes)
}
