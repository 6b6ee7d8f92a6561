//! When and how jobs run. `run` begins a run in the store, does its work and records how it ended; the daemon, `close`
//! and `job` share it. `slices` keeps merchants apart, `business_day` runs a whole day. `plan` says which times have come,
//! `daemon` runs each job at its time, and `presence` keeps it the only one and waits for a store that is away.

pub mod business_day;
pub mod daemon;
pub mod pings;
mod plan;
mod plausible;
mod presence;
mod run;
mod signals;
mod slices;
mod supervisor;
mod wall_clock;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::proof::Faults;
use crate::jobs::{
    Job, assess_positions, close_day, collect_debits, ingest_files, match_bills, pay_out_credit, send_reminders,
    watch_feeds, write_reconciliation,
};
use crate::scheme::Slice;

pub use run::interrupt_left;

/// Runs a job for the open business date, slice by slice. A merchant's trouble stops no other merchant.
async fn work(job: Job, environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
    work_on(job, environment, &job.slices(&environment.scheme), today, now, &mut Faults::default()).await
}

/// Runs a job for some slices, except those of merchants that the faults leave out.
async fn work_on(
    job: Job,
    environment: &Environment,
    slices: &[Slice<'_>],
    today: NaiveDate,
    now: DateTime<Utc>,
    faults: &mut Faults,
) -> Result<Done> {
    slices::each(slices, faults, async |slice| {
        environment.keep_going()?;
        let done = work_of(job, environment, slice, today, now).await;
        done.with_context(|| format!("{} for {today}", job.name()))
    })
    .await
}

/// Does a job's work for one slice. If it fails, uncommitted work is rolled back, and no other slice is affected.
async fn work_of(
    job: Job,
    environment: &Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Done> {
    job.ensure_has(slice)?;
    let merchant = || slice.merchant().context("the scheme is no merchant");
    match job {
        Job::IngestFiles => ingest_files::run(environment, slice, today).await,
        Job::WatchFeeds => watch_feeds::run(environment, slice, today, now).await,
        Job::AssessPositions => assess_positions::run(environment, merchant()?, today).await,
        Job::CollectDebits => collect_debits::run(environment, merchant()?, today).await,
        Job::PayOutCredit => pay_out_credit::run(environment, merchant()?, today).await,
        Job::MatchBills => match_bills::run(environment, merchant()?, today).await,
        Job::SendReminders => send_reminders::run(environment, now).await,
        // The close runs its parts in the same way, so the future contains itself.
        Job::CloseDay => Box::pin(business_day::close(environment, today)).await,
        Job::WriteReconciliation => write_reconciliation::run(environment).await,
    }
}

/// Describes what a job would do for a slice, without doing it.
pub async fn dry_run(job: Job, environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<Vec<String>> {
    job.ensure_has(slice)?;
    let merchant = || slice.merchant().context("the scheme is no merchant");
    let now = environment.now_of(job.name(), today);
    match job {
        Job::IngestFiles => ingest_files::dry_run(environment, slice, today).await,
        Job::WatchFeeds => watch_feeds::dry_run(environment, slice, today, now).await,
        Job::AssessPositions => assess_positions::dry_run(environment, merchant()?, today).await,
        Job::CollectDebits => collect_debits::dry_run(environment, merchant()?, today).await,
        Job::PayOutCredit => pay_out_credit::dry_run(environment, merchant()?, today).await,
        Job::MatchBills => match_bills::dry_run(environment, merchant()?, today).await,
        Job::SendReminders => send_reminders::dry_run(environment, today, now).await,
        Job::CloseDay => close_day::dry_run(environment, today).await,
        Job::WriteReconciliation => write_reconciliation::dry_run(environment).await,
    }
}
