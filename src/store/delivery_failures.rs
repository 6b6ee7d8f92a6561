//! What mail servers and readers said about mails, and who wants no more of them.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};

const DELIVERY_FAILURE: Table = Table {
    name: "delivery_failure",
    columns: &["message_id", "kind", "customer_id", "happened_at", "booked_on", "content", "file_no", "line"],
    key: 2,
};

/// A failure to add.
pub struct NewFailure<'a> {
    pub message_id: &'a str,
    pub kind: &'static str,
    pub customer_id: &'a str,
    pub happened_at: DateTime<Utc>,
    pub booked_on: NaiveDate,
    pub fingerprint: i64,
    pub file_no: i64,
    pub line: i64,
}

/// The fingerprints of the known failures of these mails, by Message-ID and kind.
pub async fn known(tx: &mut Tx, message_ids: &[&str]) -> Result<HashMap<(String, String), i64>> {
    let sql = sql_for(tx, "SELECT message_id, kind, content FROM delivery_failure WHERE message_id IN {keys $1}");
    let keys = key_set(message_ids.iter().copied());
    let rows: Vec<(String, String, i64)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id, kind, content)| ((id, kind), content)).collect())
}

pub async fn add(tx: &mut Tx, failures: &[NewFailure<'_>]) -> Result<()> {
    let cells = failures.iter().flat_map(|new| {
        row![
            new.message_id,
            new.kind,
            new.customer_id,
            new.happened_at,
            new.booked_on,
            new.fingerprint,
            new.file_no,
            new.line,
        ]
    });
    bulk::insert(tx, &DELIVERY_FAILURE, cells).await
}

/// Records that a customer wants no more mails than notices.
pub async fn opt_out(tx: &mut Tx, customer_id: &str, since: NaiveDate) -> Result<()> {
    let sql = "INSERT INTO mail_opt_out (customer_id, since) VALUES ($1, $2) ON CONFLICT (customer_id) DO NOTHING";
    on_engine!(tx, |c| sqlx::query(sql).bind(customer_id).bind(since).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The customers among these who want no more mails than notices.
pub async fn opted_out(tx: &mut Tx, ids: &[&str]) -> Result<Vec<String>> {
    let sql = sql_for(tx, "SELECT customer_id FROM mail_opt_out WHERE customer_id IN {keys $1}");
    let keys = key_set(ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(keys).fetch_all(c).await?))
}
