//! Reference rates that closed days used.

use anyhow::Result;
use chrono::NaiveDate;

use super::engine::{Tx, on_engine};

/// The entries of a table of rates that closed days used: each first day with the rate's fingerprint, in order.
pub async fn used(tx: &mut Tx, name: &str) -> Result<Vec<(NaiveDate, String)>> {
    let sql = "SELECT effective_from, fingerprint FROM reference_rate WHERE name = $1 ORDER BY effective_from";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(name).fetch_all(c).await?))
}

/// Records that days use an entry from today on. An entry that is recorded stays as it is.
pub async fn record(
    tx: &mut Tx,
    name: &str,
    effective_from: NaiveDate,
    fingerprint: &str,
    today: NaiveDate,
) -> Result<()> {
    let sql = "INSERT INTO reference_rate (name, effective_from, fingerprint, first_used_on) VALUES ($1, $2, $3, $4)
               ON CONFLICT (name, effective_from) DO NOTHING";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(name).bind(effective_from).bind(fingerprint).bind(today);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}
