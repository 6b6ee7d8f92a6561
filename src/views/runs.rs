//! The latest and the next run of each job.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::books::environment::Environment;
use crate::clock;
use crate::store::runs::RunRow;

/// A job with its latest run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobRuns {
    pub job: String,
    /// When the daemon runs it next; null of a job that is part of the close of a day.
    pub next: Option<DateTime<Utc>>,
    pub last: Option<Run>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Run {
    pub business_date: NaiveDate,
    /// running, done, failed or interrupted.
    pub status: String,
    /// What it did, or why it failed, in words.
    pub outcome: Option<String>,
    pub scheduled_for: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Returns every job in the order of a business day, with its latest run.
pub fn of_jobs(environment: &Environment, latest: &[RunRow]) -> Vec<JobRuns> {
    let now = clock::now();
    let jobs = environment.scheme.jobs.iter();
    jobs.map(|job| JobRuns { job: job.name.clone(), next: job.next_after(now), last: last(latest, &job.name) })
        .collect()
}

/// Returns the latest run under a name.
pub fn last(latest: &[RunRow], job: &str) -> Option<Run> {
    latest.iter().find(|run| run.job == job).map(Run::from)
}

impl From<&RunRow> for Run {
    fn from(run: &RunRow) -> Run {
        Run {
            business_date: run.business_date,
            status: run.status.clone(),
            outcome: run.outcome.clone(),
            scheduled_for: run.scheduled_for,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}
