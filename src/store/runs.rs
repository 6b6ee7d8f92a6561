//! Runs of jobs. The time at which a run is due is part of its key, so no run happens twice.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::engine::{Tx, on_engine};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RunRow {
    pub job: String,
    pub scheduled_for: DateTime<Utc>,
    pub business_date: NaiveDate,
    /// running, done, failed, or interrupted (the program ended during the run).
    pub status: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
}

/// Claims a run. Returns false if the run is done. An interrupted run is claimed again, and so is a run whose start is in the
/// future, because the clock was ahead then.
pub async fn claim(
    tx: &mut Tx,
    job: &str,
    scheduled_for: DateTime<Utc>,
    business_date: NaiveDate,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = "INSERT INTO run (job, scheduled_for, business_date, status, started_at)
               VALUES ($1, $2, $3, 'running', $4)
               ON CONFLICT (job, scheduled_for) DO UPDATE
               SET status = 'running', business_date = excluded.business_date, started_at = excluded.started_at,
                   finished_at = NULL, outcome = NULL
               WHERE run.status <> 'done' OR run.started_at > excluded.started_at";
    let claimed = on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(job).bind(scheduled_for).bind(business_date).bind(now);
        query.execute(c).await.map(|done| done.rows_affected())
    })?;
    Ok(claimed > 0)
}

pub async fn finish(
    tx: &mut Tx,
    job: &str,
    scheduled_for: DateTime<Utc>,
    status: &str,
    outcome: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE run SET status = $3, outcome = $4, finished_at = $5 WHERE job = $1 AND scheduled_for = $2";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(job).bind(scheduled_for).bind(status).bind(outcome).bind(now);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// The latest due time up to `now` for which a job ended, with success or failure. An interrupted run is due again. A run due
/// after `now` was started by a clock that was ahead, and must not delay the job.
pub async fn last_scheduled(tx: &mut Tx, job: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let sql =
        "SELECT MAX(scheduled_for) FROM run WHERE job = $1 AND status IN ('done', 'failed') AND scheduled_for <= $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(job).bind(now).fetch_one(c).await?))
}

/// The latest instant recorded by any run.
pub async fn last_known(tx: &mut Tx) -> Result<Option<DateTime<Utc>>> {
    let sql = "SELECT MAX(COALESCE(finished_at, started_at)) FROM run";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// Marks runs that were running when the program ended as interrupted; they are due again. The caller works exclusively and has
/// no runs of its own yet.
pub async fn interrupt(tx: &mut Tx) -> Result<()> {
    let sql =
        "UPDATE run SET status = 'interrupted', outcome = 'the program ended while it ran' WHERE status = 'running'";
    on_engine!(tx, |c| sqlx::query(sql).execute(c).await.map(|_| ()))?;
    Ok(())
}
