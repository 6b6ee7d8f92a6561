//! Receivables: what the open instalments of each merchant add up to. Every change to a position also updates these sums.

use anyhow::Result;

use super::bulk::{self, Table, row};
use super::engine::{Tx, on_engine};
use super::journal::currency;
use crate::domain::money::Currency;

const RECEIVABLE: Table =
    Table { name: "receivable", columns: &["merchant_id", "currency", "outstanding_minor", "late_fee_minor"], key: 2 };

/// Adds changes of principal and late fees.
pub async fn add(tx: &mut Tx, merchant: &str, changes: impl IntoIterator<Item = (Currency, (i64, i64))>) -> Result<()> {
    let changes = changes.into_iter().filter(|(_, minor)| *minor != (0, 0));
    let cells = changes.flat_map(|(currency, (principal, fees))| row![merchant, currency.code(), principal, fees]);
    bulk::add_up(tx, &RECEIVABLE, cells).await
}

/// The sums of a merchant's open instalments, as kept: principal and late fees by currency.
pub async fn kept(tx: &mut Tx, merchant: &str) -> Result<Vec<(Currency, i64, i64)>> {
    let sql = "SELECT currency, outstanding_minor, late_fee_minor FROM receivable
               WHERE merchant_id = $1 AND (outstanding_minor <> 0 OR late_fee_minor <> 0) ORDER BY currency";
    sums(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?))
}

/// The same sums, added up from the instalments.
pub async fn added_up(tx: &mut Tx, merchant: &str) -> Result<Vec<(Currency, i64, i64)>> {
    let sql = "SELECT o.currency, CAST(SUM(i.outstanding_minor) AS BIGINT),
                      CAST(SUM(i.late_fee_minor - i.late_fee_paid_minor) AS BIGINT)
               FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
               WHERE i.merchant_id = $1 AND (i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor)
               GROUP BY o.currency ORDER BY o.currency";
    sums(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?))
}

fn sums(rows: Vec<(String, i64, i64)>) -> Result<Vec<(Currency, i64, i64)>> {
    rows.into_iter().map(|(code, principal, fees)| Ok((currency(&code)?, principal, fees))).collect()
}
