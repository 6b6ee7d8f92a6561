//! Runs a business day from beginning to end: every job in order, then the next day.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};

use super::run::{Run, run};
use super::slices::Shortcomings;
use super::{work, work_on};
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::proof::Faults;
use crate::clock;
use crate::jobs::{Job, close_day};
use crate::scheme::{Clock, Slice};

/// Runs every job of every open day up to `through`, in order, and returns these days. Files that can't be sent to a
/// remote place do not delay a day, nor do rejected rows, nor does the trouble of one merchant; the error at the end lists
/// them all.
pub async fn close_through(environment: &Environment, through: NaiveDate) -> Result<Vec<NaiveDate>> {
    let mut days = Vec::new();
    let mut shortcomings = Shortcomings::default();
    loop {
        let today = environment.business_date().await?;
        if today > through {
            break;
        }
        for job in jobs(environment).filter(|job| !job.is_part_of_close()) {
            // On the wall clock the day is over, and so is the time for its mails; the daemon sends those of the
            // calendar day.
            if job == Job::SendReminders && environment.scheme.clock == Clock::Wall {
                continue;
            }
            environment.keep_going()?;
            if let Err(why) = run_recorded(environment, job, today).await {
                shortcomings.add(why)?;
            }
        }
        days.push(today);
    }
    let Some(last) = days.last() else {
        // The process may have stopped after the last seal and before its files were written.
        work(Job::WriteReconciliation, environment, through, clock::now()).await?;
        return Ok(days);
    };
    shortcomings.ensure_none(*last)?;
    Ok(days)
}

/// Runs one job now. A part of the close never runs alone: `CloseDay` runs all parts.
pub async fn run_now(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    if job.is_part_of_close() {
        tracing::info!(job = job.name(), day = %today, "the job is part of the close of the day, and runs with it");
        return Ok(Done::default());
    }
    run_recorded(environment, job, today).await
}

/// Runs one job now, for one slice. It is not recorded as a run of the job, which works for all its slices.
pub async fn run_now_for(environment: &Environment, job: Job, slice: Slice<'_>, today: NaiveDate) -> Result<Done> {
    if job.is_part_of_close() {
        return run_now(environment, job, today).await;
    }
    let now = environment.now_of(job.name(), today);
    work_on(job, environment, &[slice], today, now, &mut Faults::default()).await
}

/// Closes a day: proves sealed days again, decides the end of the day, proves the books, and seals them.
pub(super) async fn close(environment: &Environment, today: NaiveDate) -> Result<Done> {
    let (again, mut faults) = close_day::begin(environment, today).await?;
    run_parts_of_close(environment, today, &mut faults).await?;
    close_day::seal_books(environment, today, again, faults).await
}

/// Runs the parts of the close, merchant by merchant. If a part fails for a merchant, the later parts skip that
/// merchant, and the failure is added to the faults.
async fn run_parts_of_close(environment: &Environment, today: NaiveDate, faults: &mut Faults) -> Result<()> {
    for part in jobs(environment).filter(|job| job.is_part_of_close()) {
        let slices = part.slices(&environment.scheme);
        let done = recorded(environment, part, today, async |now| {
            work_on(part, environment, &slices, today, now, faults).await
        });
        match done.await {
            Err(why) if why.is::<Shortcomings>() => {}
            done => drop(done?),
        }
    }
    Ok(())
}

/// The jobs of a business day, in the order in which it runs them.
fn jobs(environment: &Environment) -> impl Iterator<Item = Job> {
    environment.scheme.jobs.iter().filter_map(|file| Job::parse(&file.name))
}

/// Runs a job for a business date, at its set time. Repeating a finished job changes nothing.
async fn run_recorded(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    Box::pin(recorded(environment, job, today, async |now| work(job, environment, today, now).await)).await
}

/// Does a job's work as a run at its set time. Repeating a finished job changes nothing.
async fn recorded(
    environment: &Environment,
    job: Job,
    today: NaiveDate,
    work: impl AsyncFnOnce(DateTime<Utc>) -> Result<Done>,
) -> Result<Done> {
    let Some(file) = environment.scheme.job(job.name()) else { return work(clock::now()).await };
    let is_by_hand = environment.asked_by.is_some();
    let scheduled_for = if is_by_hand { time_of_its_own(clock::now()) } else { file.set_time_on(today) };
    let due = Run { job, scheduled_for, today };
    run(environment, due, work(environment.now(file, today))).await
}

/// A person's run has a time that no schedule has, so that it never stands for one of the daemon's: those are whole seconds.
fn time_of_its_own(now: DateTime<Utc>) -> DateTime<Utc> {
    let now = now.trunc_subsecs(6);
    if now.timestamp_subsec_micros() == 0 { now + TimeDelta::microseconds(1) } else { now }
}
