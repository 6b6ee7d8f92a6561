//! One run of a job: claimed in the store, done, and recorded. Its due time is its key, so that no run happens twice.

use std::fmt::Display;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::environment::Environment;
use crate::clock;
use crate::jobs::Job;
use crate::store::runs;

/// A run: its job, its due time and its business date.
#[derive(Clone, Copy)]
pub struct Run {
    pub job: Job,
    pub scheduled_for: DateTime<Utc>,
    pub today: NaiveDate,
}

/// How to treat a run that was done before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IfDone {
    /// Skip the run.
    Skip,
    /// Repeat the run, which finds nothing to do. If it succeeded before and fails now, it is recorded as failed.
    Repeat,
}

/// Claims a run, does its work and records how it ended. Returns `None` if the run was done before and is skipped. The
/// outer error is from the store, the inner error from the work.
pub async fn run<T: Display>(
    environment: &Environment,
    run: Run,
    if_done: IfDone,
    work: impl Future<Output = Result<T>>,
) -> Result<Option<Result<T>>> {
    let Run { job, scheduled_for, today } = run;
    let mut tx = environment.store.write().await?;
    let claimed = runs::claim(&mut tx, job.name(), scheduled_for, today, clock::now()).await?;
    tx.commit().await?;
    if !claimed && if_done == IfDone::Skip {
        return Ok(None);
    }
    let done = work.await;
    let (status, outcome) = match &done {
        Ok(done) => ("done", done.to_string()),
        Err(why) => ("failed", format!("{why:#}")),
    };
    if claimed || done.is_err() {
        let mut tx = environment.store.write().await?;
        runs::finish(&mut tx, job.name(), scheduled_for, status, &outcome, clock::now()).await?;
        tx.commit().await?;
    }
    match &done {
        Ok(_) => tracing::info!(job = job.name(), day = %today, status, outcome, "job run"),
        Err(_) => tracing::error!(job = job.name(), day = %today, status, outcome, "job failed"),
    }
    Ok(Some(done))
}
