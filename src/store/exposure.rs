//! Exposure: the sum that each customer owes a merchant. Every change to an order's debt also updates this sum.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, as_one, held_in, key_set, on_engine, sql_for};
use crate::domain::intake::eligibility::Exposure;

const EXPOSURE: Table = Table { name: "exposure", columns: &["merchant_id", "customer_id", "owed_minor"], key: 2 };

/// Adds changes to customers' sums. Fastest with customers in order.
pub async fn add(tx: &mut Tx, merchant: &str, changes: &[(&str, i64)]) -> Result<()> {
    let changes = changes.iter().filter(|(_, minor)| *minor != 0);
    bulk::add_up(tx, &EXPOSURE, changes.flat_map(|(customer, minor)| row![merchant, *customer, *minor])).await
}

/// The exposure of these customers and the day since which they are past due. Written-off debt is not in the sum, but counts
/// as past due.
pub async fn of(tx: &mut Tx, merchant: &str, customers: &[&str]) -> Result<HashMap<String, Exposure>> {
    let columns = "customer_id, owed_minor,
        (SELECT MIN(o.past_due_from) FROM orders o WHERE o.merchant_id = e.merchant_id
            AND o.customer_id = e.customer_id AND o.past_due_from IS NOT NULL)";
    let rows = as_one(tx, columns);
    let sql = format!("SELECT {rows} FROM exposure e WHERE merchant_id = $1 AND customer_id IN {{keys $2}}");
    let sql = sql_for(tx, &sql);
    let keys = key_set(customers.iter().copied());
    let rows: String = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(keys).fetch_one(c).await?);
    let exposure =
        |(id, minor, past_due_from): (String, i64, Option<NaiveDate>)| (id, Exposure { minor, past_due_from });
    Ok(held_in::<Vec<_>>(&rows)?.into_iter().map(exposure).collect())
}

/// Customers whose sum differs from the sum of their orders, at most `limit`.
pub async fn inconsistent(tx: &mut Tx, merchant: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT customer_id FROM (
                   SELECT customer_id, owed_minor FROM exposure WHERE merchant_id = $1
                   UNION ALL SELECT customer_id, -owed_minor FROM orders WHERE merchant_id = $1 AND owed_minor <> 0
               ) AS both_sides GROUP BY customer_id HAVING SUM(owed_minor) <> 0 ORDER BY customer_id LIMIT $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(limit).fetch_all(c).await?))
}
