//! Runs of jobs: planned, begun, ended. The time at which a run is due and the attempt are its key, so no run happens twice.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::engine::{Tx, key_set, on_engine, sql_for};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunStatus {
    /// It is planned and has not begun.
    Due,
    Running,
    Done,
    Failed,
    /// The program ended during the run.
    Interrupted,
    /// It was due and deliberately not run; the outcome says why.
    Skipped,
}

impl RunStatus {
    pub const ALL: [RunStatus; 6] = [
        RunStatus::Due,
        RunStatus::Running,
        RunStatus::Done,
        RunStatus::Failed,
        RunStatus::Interrupted,
        RunStatus::Skipped,
    ];

    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Due => "due",
            RunStatus::Running => "running",
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
            RunStatus::Skipped => "skipped",
        }
    }

    pub fn parse(name: &str) -> Option<RunStatus> {
        RunStatus::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Changes of the wall clock are recorded as runs with this name.
pub const CLOCK: &str = "clock";

/// What a run did, as numbers.
pub type Counts = BTreeMap<String, i64>;

/// An attempt at a run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RunRow {
    pub run_no: i64,
    pub job: String,
    pub scheduled_for: DateTime<Utc>,
    pub attempt: i64,
    pub business_date: NaiveDate,
    pub status: RunStatus,
    /// When it may begin.
    pub not_before: DateTime<Utc>,
    /// The number of earlier due times that it makes up for.
    pub missed: i64,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    /// [`Counts`] as JSON.
    counts: Option<String>,
    /// The machine and process that ran it.
    pub node: Option<String>,
    /// Who asked for it; `None` if it was due by its schedule.
    pub asked_by: Option<String>,
}

impl RunRow {
    /// What it did, as numbers.
    pub fn counts(&self) -> Result<Counts> {
        let counts = self.counts.as_deref().map(serde_json::from_str).transpose();
        Ok(counts.with_context(|| format!("the counts of run {}", self.run_no))?.unwrap_or_default())
    }
}

/// A run to record: planned, or begun at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    pub job: String,
    pub scheduled_for: DateTime<Utc>,
    pub attempt: i64,
    pub business_date: NaiveDate,
    pub status: RunStatus,
    pub not_before: DateTime<Utc>,
    pub missed: i64,
    pub outcome: Option<String>,
    pub asked_by: Option<String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended<'a> {
    pub status: RunStatus,
    pub outcome: &'a str,
    pub counts: &'a Counts,
}

/// Which runs to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    pub job: Option<&'a str>,
    pub status: Option<RunStatus>,
    pub business_date: Option<NaiveDate>,
}

pub(super) const COLUMNS: &str = "run_no, job, scheduled_for, attempt, business_date, status, not_before, missed, started_at, \
                       finished_at, outcome, counts, node, asked_by";

/// Records a run. Returns its number, or `None` if this attempt at this time is recorded already.
pub async fn add(tx: &mut Tx, run: &NewRun) -> Result<Option<i64>> {
    let sql =
        "INSERT INTO run (job, scheduled_for, attempt, business_date, status, not_before, missed, outcome, asked_by)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (job, scheduled_for, attempt) DO NOTHING RETURNING run_no";
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query_scalar(sql).bind(&run.job).bind(run.scheduled_for).bind(run.attempt);
        let query = query.bind(run.business_date).bind(run.status).bind(run.not_before).bind(run.missed);
        query.bind(&run.outcome).bind(&run.asked_by).fetch_optional(c).await?
    }))
}

/// Begins a planned run. Returns false if it is no longer due.
pub async fn begin(tx: &mut Tx, run_no: i64, today: NaiveDate, now: DateTime<Utc>, node: &str) -> Result<bool> {
    let sql = "UPDATE run SET status = 'running', business_date = $2, started_at = $3, node = $4
               WHERE run_no = $1 AND status = 'due'";
    let begun = on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(run_no).bind(today).bind(now).bind(node);
        query.execute(c).await.map(|done| done.rows_affected())
    })?;
    Ok(begun > 0)
}

/// Records how a run ended.
pub async fn finish(tx: &mut Tx, run_no: i64, ended: &Ended<'_>, now: DateTime<Utc>) -> Result<()> {
    let counts = serde_json::to_string(ended.counts).context("counts as JSON")?;
    let sql = "UPDATE run SET status = $2, outcome = $3, counts = $4, finished_at = $5 WHERE run_no = $1";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(run_no).bind(ended.status).bind(ended.outcome).bind(counts);
        query.bind(now).execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Skips a job's due runs that were scheduled before an instant. Returns how many.
pub async fn skip(tx: &mut Tx, job: &str, before: DateTime<Utc>, why: &str, now: DateTime<Utc>) -> Result<u64> {
    let sql = "UPDATE run SET status = 'skipped', outcome = $2, finished_at = $3
               WHERE job = $1 AND status = 'due' AND asked_by IS NULL AND scheduled_for < $4";
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(job).bind(why).bind(now).bind(before);
        query.execute(c).await.map(|done| done.rows_affected())
    })?)
}

/// Marks runs that were running when their program ended as interrupted. The caller holds the lane of these jobs and has no runs
/// of its own in it, so none of them can be running.
pub async fn interrupt(tx: &mut Tx, jobs: &[&str], now: DateTime<Utc>) -> Result<()> {
    let sql = sql_for(
        tx,
        "UPDATE run SET status = 'interrupted', outcome = 'the program ended while it ran', finished_at = $2
         WHERE status = 'running' AND job IN {keys $1}",
    );
    let jobs = key_set(jobs.iter().copied());
    on_engine!(tx, |c| sqlx::query(sql).bind(jobs).bind(now).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The jobs with a run that seems to be under way.
pub async fn running(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = "SELECT job FROM run WHERE status = 'running'";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_all(c).await?))
}

/// The due runs that may begin by an instant, the earliest first.
pub async fn due(tx: &mut Tx, by: DateTime<Utc>) -> Result<Vec<RunRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run WHERE status = 'due' AND not_before <= $1 ORDER BY not_before, run_no LIMIT 10000"
    );
    Ok(on_engine!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(by).fetch_all(c).await?))
}

/// The latest attempt of a job at its latest time up to an instant, of the runs that nobody asked for. A run due later was planned by a clock that was ahead, and
/// must not delay the job.
pub async fn newest(tx: &mut Tx, job: &str, by: DateTime<Utc>) -> Result<Option<RunRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run WHERE job = $1 AND scheduled_for <= $2 AND asked_by IS NULL
         ORDER BY scheduled_for DESC, attempt DESC LIMIT 1"
    );
    Ok(on_engine!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(job).bind(by).fetch_optional(c).await?))
}

/// The interrupted runs of a job at its times up to an instant that nobody has tried again, the earliest first. Those that a person
/// ran at once are not among them: only they have a time between two seconds.
pub async fn cut_off(tx: &mut Tx, job: &str, by: DateTime<Utc>) -> Result<Vec<RunRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run
         WHERE job = $1 AND status = 'interrupted' AND scheduled_for <= $2
           AND NOT EXISTS (SELECT 1 FROM run AS later WHERE later.job = run.job
                           AND later.scheduled_for = run.scheduled_for AND later.attempt > run.attempt)
         ORDER BY scheduled_for LIMIT 1000"
    );
    let mut rows: Vec<RunRow> =
        on_engine!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(job).bind(by).fetch_all(c).await?);
    rows.retain(|run| run.scheduled_for.timestamp_subsec_nanos() == 0);
    Ok(rows)
}

/// The latest attempt of a job at a time.
pub async fn at(tx: &mut Tx, job: &str, scheduled_for: DateTime<Utc>) -> Result<Option<RunRow>> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE job = $1 AND scheduled_for = $2 ORDER BY attempt DESC LIMIT 1");
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(job).bind(scheduled_for).fetch_optional(c).await?
    }))
}

/// A run by its number.
pub async fn numbered(tx: &mut Tx, run_no: i64) -> Result<Option<RunRow>> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE run_no = $1");
    Ok(on_engine!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run_no).fetch_optional(c).await?))
}

/// All attempts of a job at a time, in order.
pub async fn attempts(tx: &mut Tx, job: &str, scheduled_for: DateTime<Utc>) -> Result<Vec<RunRow>> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE job = $1 AND scheduled_for = $2 ORDER BY attempt");
    Ok(on_engine!(tx, |c| {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(job).bind(scheduled_for).fetch_all(c).await?
    }))
}

/// The latest runs, the newest first.
pub async fn list(tx: &mut Tx, filter: &Filter<'_>, at_most: i64) -> Result<Vec<RunRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run
         WHERE (CAST($1 AS TEXT) IS NULL OR job = $1) AND (CAST($2 AS TEXT) IS NULL OR status = $2)
           AND (CAST($3 AS DATE) IS NULL OR business_date = $3)
         ORDER BY run_no DESC LIMIT $4"
    );
    Ok(on_engine!(tx, |c| {
        let query =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(filter.job).bind(filter.status).bind(filter.business_date);
        query.bind(at_most).fetch_all(c).await?
    }))
}

/// A condition on runs up to `$2`, and the order that has the wanted run first.
type FirstOf = (&'static str, &'static str);

const ENDED: FirstOf = ("finished_at <= $2", "finished_at DESC, run_no DESC");

/// Runs begun by a clock that was ahead.
const OF_CLOCK_AHEAD: FirstOf = ("started_at > $2", "started_at DESC, run_no DESC");

/// The latest run of a job: the one under way, or else the one that ended last, whoever asked for it. Runs after `now` were begun
/// by a clock that was ahead, and only count if there is no other.
pub async fn latest(tx: &mut Tx, job: &str, now: DateTime<Utc>) -> Result<Option<RunRow>> {
    let under_way = ("status = 'running' AND started_at <= $2", "run_no DESC");
    first_found(tx, job, now, "status NOT IN ('due', 'skipped')", &[under_way, ENDED, OF_CLOCK_AHEAD]).await
}

/// The run of a job that ended last, whoever asked for it. A run that was cut off does not count: it says nothing about the job.
pub async fn last_ended(tx: &mut Tx, job: &str, now: DateTime<Utc>) -> Result<Option<RunRow>> {
    first_found(tx, job, now, "status IN ('done', 'failed')", &[ENDED, OF_CLOCK_AHEAD]).await
}

/// The first run of a job with such a status that one of these conditions finds, tried one after the other.
async fn first_found(
    tx: &mut Tx,
    job: &str,
    now: DateTime<Utc>,
    status: &str,
    tried: &[FirstOf],
) -> Result<Option<RunRow>> {
    for (condition, order) in tried {
        let sql =
            format!("SELECT {COLUMNS} FROM run WHERE job = $1 AND {condition} AND {status} ORDER BY {order} LIMIT 1");
        let sql = sqlx::AssertSqlSafe(sql);
        let row: Option<RunRow> = on_engine!(tx, |c| sqlx::query_as(sql).bind(job).bind(now).fetch_optional(c).await?);
        if row.is_some() {
            return Ok(row);
        }
    }
    Ok(None)
}

/// The run of a job that was recorded last, whatever the clock showed.
pub async fn last_recorded(tx: &mut Tx, job: &str) -> Result<Option<RunRow>> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE job = $1 ORDER BY run_no DESC LIMIT 1");
    Ok(on_engine!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(job).fetch_optional(c).await?))
}

/// The latest instant recorded by any run.
pub async fn last_known(tx: &mut Tx) -> Result<Option<DateTime<Utc>>> {
    let sql = "SELECT MAX(COALESCE(finished_at, started_at)) FROM run";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await?))
}

/// A job that begins no runs until somebody resumes it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PausedJob {
    pub job: String,
    pub paused_at: DateTime<Utc>,
    pub paused_by: String,
    pub reason: String,
}

pub async fn paused(tx: &mut Tx) -> Result<Vec<PausedJob>> {
    let sql = "SELECT job, paused_at, paused_by, reason FROM paused_job ORDER BY job";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).fetch_all(c).await?))
}

/// Pauses a job. Returns false if it is paused already.
pub async fn pause(tx: &mut Tx, paused: &PausedJob) -> Result<bool> {
    let sql = "INSERT INTO paused_job (job, paused_at, paused_by, reason) VALUES ($1, $2, $3, $4)
               ON CONFLICT (job) DO NOTHING";
    Ok(on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(&paused.job).bind(paused.paused_at).bind(&paused.paused_by);
        query.bind(&paused.reason).execute(c).await.map(|done| done.rows_affected() > 0)
    })?)
}

/// Resumes a job. Returns false if it was not paused.
pub async fn resume(tx: &mut Tx, job: &str) -> Result<bool> {
    let sql = "DELETE FROM paused_job WHERE job = $1";
    Ok(on_engine!(tx, |c| sqlx::query(sql).bind(job).execute(c).await.map(|done| done.rows_affected() > 0))?)
}
