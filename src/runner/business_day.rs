//! Runs a business day from beginning to end: every job in order, then the next day.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use super::run::{ClosedBut, Run, run};
use super::{work, work_for};
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::proof::{BrokenBooks, Faults};
use crate::books::remote::Undelivered;
use crate::clock;
use crate::jobs::ingest_files::RowsRejected;
use crate::jobs::{Job, close_day};
use crate::scheme::Clock;

/// Runs every job of every open day up to `through`, in order, and returns these days. Files that can't be sent to a
/// remote place do not delay a day, nor do rejected rows; the error at the end lists them all.
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
                shortcomings.take(why)?;
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

/// The errors of days that were closed nevertheless.
#[derive(Default)]
struct Shortcomings {
    /// Days that were sealed without all merchants.
    incomplete: Vec<String>,
    unsent: Vec<String>,
    rejected: Vec<String>,
}

impl Shortcomings {
    /// Keeps an error that does not prevent the close; returns any other.
    fn take(&mut self, why: anyhow::Error) -> Result<()> {
        let lines = if why.is::<Undelivered>() {
            &mut self.unsent
        } else if why.is::<RowsRejected>() {
            &mut self.rejected
        } else if is_sealed_without_some(&why) {
            &mut self.incomplete
        } else {
            return Err(why);
        };
        let line = format!("{why:#}");
        // An unreachable place is unreachable on every day, so it is listed once.
        if !lines.contains(&line) {
            lines.push(line);
        }
        Ok(())
    }

    fn ensure_none(&self, last: NaiveDate) -> Result<()> {
        let kinds = [
            (&self.incomplete, "without some merchants' books"),
            (&self.unsent, "not all was sent"),
            (&self.rejected, "rows were rejected"),
        ];
        let said: Vec<String> = kinds
            .into_iter()
            .filter(|(lines, _)| !lines.is_empty())
            .map(|(lines, but)| format!("every day through {last} is closed, but {but}:\n{}", lines.join("\n")))
            .collect();
        if said.is_empty() { Ok(()) } else { Err(ClosedBut(said.join("\n")).into()) }
    }
}

/// Runs one job now. A part of the close never runs alone: `CloseDay` runs all parts.
pub async fn run_now(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    if job.is_part_of_close() {
        tracing::info!(job = job.name(), day = %today, "it is part of the close of the day and waits for that");
        return Ok(Done::default());
    }
    run_recorded(environment, job, today).await
}

/// A part of a close failed for these merchants, and succeeded for the others.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FailedForSome(String);

/// Closes a day: proves sealed days again, decides the end of the day, proves the books, and seals them.
pub(super) async fn close(environment: &Environment, today: NaiveDate) -> Result<Done> {
    let again = close_day::begin(environment, today).await?;
    let faults = run_parts_of_close(environment, today).await?;
    close_day::seal_books(environment, today, again, faults).await
}

/// Runs the parts of the close, merchant by merchant. If a part fails for a merchant, the later parts skip that
/// merchant, and the failure is returned among the faults.
async fn run_parts_of_close(environment: &Environment, today: NaiveDate) -> Result<Faults> {
    let mut faults = Faults::default();
    for part in jobs(environment).filter(|job| job.is_part_of_close()) {
        let done = recorded(environment, part, today, async |_| {
            for_each_merchant(environment, part, today, &mut faults).await
        });
        match done.await {
            Err(why) if why.is::<FailedForSome>() => {}
            done => drop(done?),
        }
    }
    Ok(faults)
}

async fn for_each_merchant(
    environment: &Environment,
    part: Job,
    today: NaiveDate,
    faults: &mut Faults,
) -> Result<Done> {
    let (mut all, mut failed) = (Done::default(), Vec::new());
    for merchant in &environment.scheme.merchants {
        if faults.is_stopped(&merchant.id) {
            continue;
        }
        environment.keep_going()?;
        match work_for(part, environment, merchant, today).await {
            Ok(done) => all.add(done),
            Err(why) => failed.push(faults.stop(&merchant.id, why)?),
        }
    }
    if failed.is_empty() { Ok(all) } else { Err(FailedForSome(failed.join("\n")).into()) }
}

/// The jobs of a business day, in the order in which it runs them.
fn jobs(environment: &Environment) -> impl Iterator<Item = Job> {
    environment.scheme.jobs.iter().filter_map(|file| Job::parse(&file.name))
}

/// Whether a day was sealed without merchants whose books do not add up. This does not delay other merchants.
fn is_sealed_without_some(why: &anyhow::Error) -> bool {
    why.downcast_ref::<BrokenBooks>().is_some_and(|broken| broken.is_sealed)
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
    let due = Run { job, scheduled_for: file.set_time_on(today), today };
    run(environment, due, work(environment.now(file, today))).await
}
