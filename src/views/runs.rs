//! Runs of jobs: the latest and the next of each, a list, and one in full.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::books::environment::Environment;
use crate::clock;
use crate::store::nodes::{self, NodeRow};
use crate::store::runs::{self, Filter, PausedJob, RunRow};
use crate::store::{Store, Tx};

/// A job with its latest run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobRuns {
    pub job: String,
    /// When the daemon runs it next; null of a job that is part of the close of a day, is not enabled or is paused.
    pub next: Option<DateTime<Utc>>,
    pub last: Option<Run>,
    pub paused: Option<Paused>,
}

/// Who paused a job, when and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Paused {
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

/// An attempt at a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Run {
    pub run_no: i64,
    pub job: String,
    pub business_date: NaiveDate,
    /// due, running, done, failed, interrupted or skipped.
    pub status: String,
    /// What it did, why it failed, or why it did nothing, in words.
    pub outcome: Option<String>,
    /// What it did, as numbers.
    pub counts: BTreeMap<String, i64>,
    pub scheduled_for: DateTime<Utc>,
    /// 1, 2, …
    pub attempt: i64,
    /// When it may begin.
    pub not_before: DateTime<Utc>,
    /// The number of earlier due times that it makes up for.
    pub missed: i64,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The machine and process that ran it.
    pub node: Option<String>,
    /// Who asked for it; null if it was due by its schedule.
    pub asked_by: Option<String>,
}

/// Runs of jobs, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunList {
    pub runs: Vec<Run>,
}

/// All attempts at a run, in order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunAttempts {
    pub attempts: Vec<Run>,
}

/// A job was paused or resumed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobSwitch {
    pub job: String,
    /// Whether it is paused now.
    pub paused: bool,
    /// Whether that is new.
    pub changed: bool,
}

/// Runs that were planned for due times without a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Backfill {
    pub job: String,
    /// Whether nothing was planned, only listed.
    pub dry_run: bool,
    pub due: Vec<DateTime<Utc>>,
}

/// The daemon that was seen last.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Daemon {
    /// Its machine and process.
    pub node: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub seen_at: DateTime<Utc>,
    pub state: DaemonState,
}

/// The state of the daemon that was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DaemonState {
    Running,
    /// It runs, and has given no sign of life for ten minutes.
    Silent,
    /// It stopped as asked.
    Stopped,
    Killed,
}

/// A daemon gives a sign of life every 15 seconds, except during a long transaction.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(10);

impl Daemon {
    pub async fn load(tx: &mut Tx, store: &Store) -> Result<Option<Daemon>> {
        let Some(node) = nodes::last_seen(tx).await? else { return Ok(None) };
        let state = match (store.has_daemon().await?, node.stopped_at) {
            (true, _) if clock::now() - node.seen_at > SILENT_AFTER => DaemonState::Silent,
            (true, _) => DaemonState::Running,
            (false, Some(_)) => DaemonState::Stopped,
            (false, None) => DaemonState::Killed,
        };
        let NodeRow { node, version, started_at, seen_at, .. } = node;
        Ok(Some(Daemon { node, version, started_at, seen_at, state }))
    }
}

/// Returns every job in the order of a business day, with its latest run.
pub async fn of_jobs(tx: &mut Tx, environment: &Environment) -> Result<Vec<JobRuns>> {
    let now = clock::now();
    let paused = runs::paused(tx).await?;
    let mut jobs = Vec::new();
    for job in &environment.scheme.jobs {
        let paused = paused.iter().find(|paused| paused.job == job.name).map(Paused::from);
        let is_on = paused.is_none() && job.schedule.as_ref().is_some_and(|schedule| schedule.enabled);
        let next = if is_on { job.next_after(now) } else { None };
        let last = runs::latest(tx, &job.name, now).await?.as_ref().map(Run::of).transpose()?;
        jobs.push(JobRuns { job: job.name.clone(), next, last, paused });
    }
    Ok(jobs)
}

/// Returns what the daemon last found wrong with the wall clock.
pub async fn last_change_of_clock(tx: &mut Tx) -> Result<Option<Run>> {
    runs::last_recorded(tx, runs::CLOCK).await?.as_ref().map(Run::of).transpose()
}

/// Returns the latest runs, the newest first.
pub async fn list(tx: &mut Tx, filter: &Filter<'_>, at_most: i64) -> Result<Vec<Run>> {
    runs::list(tx, filter, at_most).await?.iter().map(Run::of).collect()
}

/// Returns all attempts at a run.
pub async fn attempts(tx: &mut Tx, run_no: i64) -> Result<Vec<Run>> {
    let run = runs::numbered(tx, run_no).await?;
    let run = run.with_context(|| format!("there is no run {run_no}; `paylater runs` lists them"))?;
    runs::attempts(tx, &run.job, run.scheduled_for).await?.iter().map(Run::of).collect()
}

impl Run {
    pub fn of(run: &RunRow) -> Result<Run> {
        Ok(Run {
            run_no: run.run_no,
            job: run.job.clone(),
            business_date: run.business_date,
            status: run.status.name().to_owned(),
            outcome: run.outcome.clone(),
            counts: run.counts()?,
            scheduled_for: run.scheduled_for,
            attempt: run.attempt,
            not_before: run.not_before,
            missed: run.missed,
            started_at: run.started_at,
            finished_at: run.finished_at,
            node: run.node.clone(),
            asked_by: run.asked_by.clone(),
        })
    }
}

impl From<&PausedJob> for Paused {
    fn from(paused: &PausedJob) -> Paused {
        Paused { at: paused.paused_at, by: paused.paused_by.clone(), reason: paused.reason.clone() }
    }
}
