//! One run of a job: begun in the store, done, and recorded. Its due time and attempt are its key, so that no run happens twice.

use std::time::Duration;

use anyhow::{Result, anyhow};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tracing::Instrument;

use super::pings::Pings;
use super::slices::{ClosedBut, Shortcomings};
use crate::books::done::Done;
use crate::books::environment::{Environment, Stopped};
use crate::clock;
use crate::domain::words::count;
use crate::jobs::Job;
use crate::scheme::Schedule;
use crate::store::in_words;
use crate::store::lanes::Taker;
use crate::store::runs::{self, Counts, Ended, NewRun, RunRow, RunStatus};
use crate::store::{Lane, Tx};

/// A run: its job, its due time and its business date.
#[derive(Clone, Copy)]
pub struct Run {
    pub job: Job,
    pub scheduled_for: DateTime<Utc>,
    pub today: NaiveDate,
}

/// Does a job's work as a run of its own at a due time. If it was done before, it is repeated, which finds nothing to do; only a
/// failure is recorded then.
pub async fn run(environment: &Environment, run: Run, work: impl Future<Output = Result<Done>>) -> Result<Done> {
    let Run { job, scheduled_for, today } = run;
    let mut tx = environment.store.write().await?;
    let before = runs::at(&mut tx, job.name(), scheduled_for).await?;
    let is_due = before.as_ref().is_some_and(|before| before.status == RunStatus::Due);
    let was_done = before.as_ref().is_some_and(|before| before.status == RunStatus::Done);
    let next = NewRun {
        job: job.name().to_owned(),
        scheduled_for,
        attempt: before.as_ref().map_or(1, |before| before.attempt + 1),
        business_date: today,
        status: RunStatus::Due,
        not_before: scheduled_for,
        missed: 0,
        outcome: None,
        asked_by: environment.asked_by.clone(),
    };
    let mut run_no = match before {
        Some(before) if is_due => Some(before.run_no),
        _ if was_done => None,
        _ => runs::add(&mut tx, &next).await?,
    };
    if let Some(run_no) = run_no {
        runs::begin(&mut tx, run_no, today, clock::now(), &environment.node).await?;
    }
    tx.commit().await?;
    let span = tracing::info_span!("run", no = run_no, job = job.name(), day = %today);
    let done = work.instrument(span.clone()).await;
    if run_no.is_some() || done.is_err() {
        let mut tx = environment.store.write().await?;
        if run_no.is_none() {
            run_no = runs::add(&mut tx, &next).await?;
            if let Some(run_no) = run_no {
                runs::begin(&mut tx, run_no, today, clock::now(), &environment.node).await?;
            }
        }
        if let Some(run_no) = run_no {
            record(&mut tx, run_no, &done).await?;
        }
        tx.commit().await?;
    }
    span.in_scope(|| log(&done));
    done
}

/// Does the work of a run that has begun at its time, within its time limit, and plans the next attempt if it fails. The error is
/// from the store.
pub async fn work_off(
    environment: &Environment,
    pings: &Pings,
    planned: &RunRow,
    schedule: &Schedule,
    today: NaiveDate,
    work: impl Future<Output = Result<Done>>,
) -> Result<()> {
    let job = Job::parse(&planned.job);
    job.into_iter().for_each(|job| pings.began(job));
    let span = tracing::info_span!("run", no = planned.run_no, job = planned.job, day = %today);
    let done = within(schedule.time_limit, work).instrument(span.clone()).await.map_err(in_words);
    let mut tx = environment.store.write().await?;
    record(&mut tx, planned.run_no, &done).await?;
    let wait = done.as_ref().err().and_then(|why| retry_after(planned, schedule, why));
    if let Some(wait) = wait {
        runs::add(&mut tx, &next_attempt(planned, today, clock::now() + wait)).await?;
    }
    tx.commit().await?;
    let is_early = wait.is_some() && schedule.retries.waited(planned.attempt) < environment.scheme.alerts.patience;
    let is_cut_off = done.as_ref().is_err_and(|why| why.is::<Stopped>());
    if !is_early && !is_cut_off {
        job.into_iter().for_each(|job| pings.ended(job, done.is_ok()));
    }
    span.in_scope(|| {
        log(&done);
        if let Some(wait) = wait {
            tracing::warn!(in_seconds = wait.num_seconds(), "the job is tried again");
        }
    });
    Ok(())
}

/// Marks what an earlier process left running in these lanes, which this one takes.
pub async fn interrupt_left(tx: &mut Tx, lanes: &[Lane], now: DateTime<Utc>) -> Result<()> {
    let jobs: Vec<&str> = Job::ALL.into_iter().filter(|job| lanes.contains(&job.lane())).map(Job::name).collect();
    runs::interrupt(tx, &jobs, now).await
}

/// Marks what ended processes left running in the lanes that nobody works in. Until then such a run seems to be under way, and the
/// jobs after it would not wait for its next attempt.
pub async fn interrupt_left_in_free_lanes(
    environment: &Environment,
    is_ours: impl Fn(Lane) -> bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = environment.store.read().await?;
    let running = runs::running(&mut tx).await?;
    drop(tx);
    let lanes_of_running = running.iter().filter_map(|job| Job::parse(job)).map(Job::lane);
    let lanes: Vec<Lane> = lanes_of_running.filter(|lane| !is_ours(*lane)).collect();
    for lane in Lane::ALL.into_iter().filter(|lane| lanes.contains(lane)) {
        if environment.store.is_taken(lane).await? {
            continue;
        }
        let taker = Taker { node: environment.node.clone(), doing: "runs left behind".to_owned(), since: now };
        let begin = async |tx: &mut Tx| interrupt_left(tx, &[lane], now).await;
        if let Some((store, ())) = environment.store.take(&[lane], &taker, begin).await? {
            store.give_back().await;
        }
    }
    Ok(())
}

/// The next attempt at a run that was interrupted or failed.
pub fn next_attempt(run: &RunRow, today: NaiveDate, not_before: DateTime<Utc>) -> NewRun {
    NewRun {
        job: run.job.clone(),
        scheduled_for: run.scheduled_for,
        attempt: run.attempt + 1,
        business_date: today,
        status: RunStatus::Due,
        not_before,
        missed: run.missed,
        outcome: None,
        asked_by: run.asked_by.clone(),
    }
}

async fn within(limit: Duration, work: impl Future<Output = Result<Done>>) -> Result<Done> {
    let minutes = limit.as_secs() / 60;
    let too_long = || {
        anyhow!(
            "it took longer than its time limit of {} (time_limit_minutes in its job file) and was stopped; what it had \
             committed is kept",
            count(minutes, "minute")
        )
    };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(too_long()))
}

async fn record(tx: &mut Tx, run_no: i64, done: &Result<Done>) -> Result<()> {
    let (status, outcome, counts) = match done {
        Ok(done) => (RunStatus::Done, done.to_string(), done.counts()),
        Err(why) if why.is::<Stopped>() => (RunStatus::Interrupted, why.to_string(), Counts::new()),
        Err(why) => (RunStatus::Failed, format!("{why:#}"), Counts::new()),
    };
    runs::finish(tx, run_no, &Ended { status, outcome: &outcome, counts: &counts }, clock::now()).await
}

fn log(done: &Result<Done>) {
    match done {
        Ok(done) => tracing::info!(status = "done", outcome = %done, "job run"),
        Err(why) if why.is::<Stopped>() => tracing::info!("{why}"),
        Err(why) => tracing::error!(status = "failed", outcome = format!("{why:#}"), "job failed"),
    }
}

/// Returns how long to wait before a failed run is tried again, or `None` if it is not: there are no retries left, or the next
/// attempt would find nothing to do and hide the failure.
fn retry_after(planned: &RunRow, schedule: &Schedule, why: &anyhow::Error) -> Option<TimeDelta> {
    let is_final = why.is::<Stopped>()
        || why.is::<ClosedBut>()
        || why.downcast_ref::<Shortcomings>().is_some_and(Shortcomings::is_final);
    let is_left = planned.attempt <= schedule.retries.at_most;
    if is_final || !is_left {
        return None;
    }
    TimeDelta::from_std(schedule.retries.wait_after(planned.attempt)).ok()
}
