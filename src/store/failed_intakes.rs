//! Intakes that failed: the merchants whose files could not be taken in at the last run. A day is not sealed as if their
//! files had been taken.

use anyhow::Result;
use chrono::NaiveDate;

use super::engine::{Tx, on_engine};
use crate::domain::owner::Owner;

/// A failed intake.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedIntake {
    /// Whose files could not be taken in.
    #[sqlx(rename = "merchant_id")]
    pub owner: Owner,
    /// The business date of the first run in a row that failed.
    pub since: NaiveDate,
    /// Why the last run failed.
    pub reason: String,
}

/// All failed intakes, by merchant.
pub async fn all(tx: &mut Tx) -> Result<Vec<FailedIntake>> {
    let sql = "SELECT merchant_id, since, reason FROM failed_intake ORDER BY merchant_id";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Whether a merchant's last intake failed.
pub async fn has_failed(tx: &mut Tx, owner: Owner<&str>) -> Result<bool> {
    let sql = "SELECT COUNT(*) > 0 FROM failed_intake WHERE merchant_id = $1";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(owner).fetch_one(c).await?))
}

/// Records that a merchant's intake failed.
pub async fn save(tx: &mut Tx, owner: Owner<&str>, today: NaiveDate, reason: &str) -> Result<()> {
    let sql = "INSERT INTO failed_intake (merchant_id, since, reason) VALUES ($1, $2, $3)
               ON CONFLICT (merchant_id) DO UPDATE SET reason = excluded.reason";
    on_engine!(tx, |c| sqlx::query(sql).bind(owner).bind(today).bind(reason).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Forgets a merchant's failed intake, because its files were taken in.
pub async fn remove(tx: &mut Tx, owner: Owner<&str>) -> Result<()> {
    let sql = "DELETE FROM failed_intake WHERE merchant_id = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(owner).execute(c).await.map(|_| ()))?;
    Ok(())
}
