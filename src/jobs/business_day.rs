//! A business day from beginning to end: every job in order, then the next day.

use anyhow::{Result, anyhow};
use chrono::NaiveDate;

use super::ingest_files::RowsRejected;
use super::places::Undelivered;
use super::proof::BrokenBooks;
use super::{Done, Environment, Job};
use crate::clock;
use crate::scheme::Clock;
use crate::store::runs;

/// Does every job of every open day up to `through`, in order, and tells which days those were. Files that can't be sent to
/// a remote place hold up no day, nor do rows that were rejected; that there are any is the error at the end.
pub async fn close_through(environment: &Environment, through: NaiveDate) -> Result<Vec<NaiveDate>> {
    let mut days = Vec::new();
    let (mut unsent, mut incomplete) = (None, None);
    let mut rejected = Vec::new();
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
            match run_recorded(environment, job, today).await {
                Err(why) if why.is::<Undelivered>() => unsent = Some(why),
                Err(why) if why.is::<RowsRejected>() => rejected.push(format!("{why:#}")),
                Err(why) if is_sealed_without_some(&why) => incomplete = Some(why),
                done => drop(done?),
            }
        }
        days.push(today);
    }
    if days.is_empty() {
        // A stop may have come after the last seal and before its files were out.
        Job::WriteReconciliation.run(environment, through, clock::now()).await?;
    }
    if let Some(why) = incomplete {
        return Err(why.context(format!("every day through {through} is closed, but not with everybody's books")));
    }
    match (unsent, days.last()) {
        (Some(why), Some(last)) => {
            Err(why.context(format!("every day through {last} is closed, but not all was sent")))
        }
        (Some(why), None) => Err(why),
        (None, Some(last)) if !rejected.is_empty() => {
            Err(anyhow!("every day through {last} is closed, but rows were rejected:\n{}", rejected.join("\n")))
        }
        (None, _) => Ok(days),
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

/// Does what the end of a day brings, but for the seal.
pub async fn run_parts_of_close(environment: &Environment, today: NaiveDate) -> Result<()> {
    for part in jobs(environment).filter(|job| job.is_part_of_close()) {
        Box::pin(run_recorded(environment, part, today)).await?;
    }
    Ok(())
}

/// The jobs of a business day, in its order.
fn jobs(environment: &Environment) -> impl Iterator<Item = Job> {
    environment.scheme.jobs.iter().filter_map(|file| Job::parse(&file.name))
}

/// Whether a day was sealed, but without a merchant whose books do not add up. It holds up nobody else.
fn is_sealed_without_some(why: &anyhow::Error) -> bool {
    why.downcast_ref::<BrokenBooks>().is_some_and(|broken| broken.is_sealed)
}

/// Runs a job for a business date and leaves word of it. Being asked twice is no harm: it finds nothing to do.
async fn run_recorded(environment: &Environment, job: Job, today: NaiveDate) -> Result<Done> {
    let Some(file) = environment.scheme.job(job.name()) else {
        return job.run(environment, today, clock::now()).await;
    };
    let scheduled_for = file.set_time_on(today);
    let mut tx = environment.store.write().await?;
    let claimed = runs::claim(&mut tx, job.name(), scheduled_for, today, clock::now()).await?;
    tx.commit().await?;
    let done = job.run(environment, today, environment.now(file, today)).await;
    let (status, outcome) = match &done {
        Ok(done) => ("done", done.to_string()),
        Err(why) => ("failed", format!("{why:#}")),
    };
    // What went well before and fails now is a failure as well, and `status` must show it.
    if claimed || done.is_err() {
        let mut tx = environment.store.write().await?;
        runs::finish(&mut tx, job.name(), scheduled_for, status, &outcome, clock::now()).await?;
        tx.commit().await?;
    }
    match &done {
        Ok(_) => tracing::info!(job = job.name(), day = %today, status, outcome, "job run"),
        Err(_) => tracing::error!(job = job.name(), day = %today, status, outcome, "job failed"),
    }
    done
}
