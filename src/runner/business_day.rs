//! A business day from beginning to end: every job in order, then the next day.

use anyhow::{Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};

use super::run::{IfDone, Run, run};
use super::{work, work_for};
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::proof::{BrokenBooks, Faults};
use crate::books::remote::Undelivered;
use crate::clock;
use crate::jobs::ingest_files::RowsRejected;
use crate::jobs::{Job, close_day};
use crate::scheme::Clock;

/// Does every job of every open day up to `through`, in order, and tells which days those were. Files that can't be sent to
/// a remote place hold up no day, nor do rows that were rejected; all of them are in the error at the end.
pub async fn close_through(environment: &Environment, through: NaiveDate) -> Result<Vec<NaiveDate>> {
    let mut days = Vec::new();
    let mut shortcomings = Shortcomings::default();
    loop {
        let today = environment.business_date().await?;
        if today > through {
            break;
        }
        for job in jobs(environment).filter(|job| !job.is_part_of_close()) {
            // On the wall clock the day is over, and so is the time for its mails; the daemon sends those of the calendar day.
            if job == Job::SendReminders && environment.scheme.clock == Clock::Wall {
                continue;
            }
            if let Err(why) = run_recorded(environment, job, today).await {
                shortcomings.take(why)?;
            }
        }
        days.push(today);
    }
    let Some(last) = days.last() else {
        // A stop may have come after the last seal and before its files were out.
        work(Job::WriteReconciliation, environment, through, clock::now()).await?;
        return Ok(days);
    };
    shortcomings.ensure_none(*last)?;
    Ok(days)
}

/// What went wrong on days that were closed all the same.
#[derive(Default)]
struct Shortcomings {
    /// Days that were sealed without somebody.
    incomplete: Vec<String>,
    unsent: Vec<String>,
    rejected: Vec<String>,
}

impl Shortcomings {
    /// Keeps an error that holds up no day; gives back any other.
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
        // A place that is away is away on every day.
        if !lines.contains(&line) {
            lines.push(line);
        }
        Ok(())
    }

    fn ensure_none(&self, last: NaiveDate) -> Result<()> {
        let kinds = [
            (&self.incomplete, "not with everybody's books"),
            (&self.unsent, "not all was sent"),
            (&self.rejected, "rows were rejected"),
        ];
        let said: Vec<String> = kinds
            .into_iter()
            .filter(|(lines, _)| !lines.is_empty())
            .map(|(lines, but)| format!("every day through {last} is closed, but {but}:\n{}", lines.join("\n")))
            .collect();
        ensure!(said.is_empty(), "{}", said.join("\n"));
        Ok(())
    }
}

/// Runs one job now. To close a day is to do all that its end brings; a part of that is never done alone.
pub async fn run_now(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    if job.is_part_of_close() {
        tracing::info!(job = job.name(), day = %today, "it is part of the close of the day and waits for that");
        return Ok(Done::default());
    }
    run_recorded(environment, job, today).await
}

/// A part of a close that failed for these merchants, and was done for the others.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FailedForSome(String);

/// The end of a day: what was sealed is proved again, what the end brings is decided, the books are proved, and sealed.
pub(super) async fn close(environment: &Environment, today: NaiveDate) -> Result<Done> {
    let again = close_day::begin(environment, today).await?;
    let faults = run_parts_of_close(environment, today).await?;
    close_day::seal_books(environment, today, again, faults).await
}

/// Does what the end of a day brings, merchant by merchant. A merchant whose part fails is skipped by the parts that follow, and
/// is among the faults.
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
        match work_for(part, environment, merchant, today).await {
            Ok(done) => all.add(done),
            Err(why) => failed.push(faults.stop(&merchant.id, why)?),
        }
    }
    if failed.is_empty() { Ok(all) } else { Err(FailedForSome(failed.join("\n")).into()) }
}

/// The jobs of a business day, in its order.
fn jobs(environment: &Environment) -> impl Iterator<Item = Job> {
    environment.scheme.jobs.iter().filter_map(|file| Job::parse(&file.name))
}

/// Whether a day was sealed, but without a merchant whose books do not add up. It holds up nobody else.
fn is_sealed_without_some(why: &anyhow::Error) -> bool {
    why.downcast_ref::<BrokenBooks>().is_some_and(|broken| broken.is_sealed)
}

/// Runs a job for a business date, at its set time. A job that was done before finds nothing to do.
async fn run_recorded(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    Box::pin(recorded(environment, job, today, async |now| work(job, environment, today, now).await)).await
}

/// Does a job's work as a run at its set time. A job that was done before finds nothing to do.
async fn recorded(
    environment: &Environment,
    job: Job,
    today: NaiveDate,
    work: impl AsyncFnOnce(DateTime<Utc>) -> Result<Done>,
) -> Result<Done> {
    let Some(file) = environment.scheme.job(job.name()) else { return work(clock::now()).await };
    let due = Run { job, scheduled_for: file.set_time_on(today), today };
    let done = run(environment, due, IfDone::Repeat, work(environment.now(file, today))).await?;
    done.unwrap_or_else(|| Ok(Done::default()))
}
