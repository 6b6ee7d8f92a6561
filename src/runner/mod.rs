//! When and how jobs run. `run` begins a run in the store, does its work and records how it ended; the daemon, `close`
//! and `job` share it. `business_day` runs a whole day. `plan` says which times have come, and `daemon` runs each job at its time.

pub mod business_day;
pub mod daemon;
mod plan;
mod plausible;
mod run;
mod signals;
mod supervisor;
mod wall_clock;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::jobs::{
    Job, assess_positions, close_day, collect_debits, ingest_files, match_bills, pay_out_credit, send_reminders,
    watch_feeds, write_reconciliation,
};
use crate::scheme::Merchant;

/// Runs a job for the open business date. Parts of the close run merchant by merchant instead.
async fn work(job: Job, environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
    let done = match job {
        Job::IngestFiles => ingest_files::run(environment, today).await,
        Job::WatchFeeds => watch_feeds::run(environment, today, now).await,
        Job::SendReminders => send_reminders::run(environment, now).await,
        Job::CloseDay => business_day::close(environment, today).await,
        Job::WriteReconciliation => write_reconciliation::run(environment).await,
        Job::AssessPositions | Job::CollectDebits | Job::PayOutCredit | Job::MatchBills => {
            bail!("{} is part of the close of the day and runs with it", job.name())
        }
    };
    done.with_context(|| format!("{} for {today}", job.name()))
}

/// Runs a part of the close of the open business date for one merchant. If it fails, uncommitted work is rolled back,
/// and no other merchant is affected.
async fn work_for(job: Job, environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Done> {
    let done = match job {
        Job::AssessPositions => assess_positions::run_for(environment, merchant, today).await,
        Job::CollectDebits => collect_debits::run_for(environment, merchant, today).await,
        Job::PayOutCredit => pay_out_credit::run_for(environment, merchant, today).await,
        Job::MatchBills => match_bills::run_for(environment, merchant, today).await,
        Job::IngestFiles | Job::WatchFeeds | Job::SendReminders | Job::CloseDay | Job::WriteReconciliation => {
            bail!("{} is not part of the close of a day", job.name())
        }
    };
    done.with_context(|| format!("{} for {today}", job.name()))
}

/// Describes what a job would do, without doing it.
pub async fn dry_run(job: Job, environment: &Environment, today: NaiveDate) -> Result<Vec<String>> {
    let now = environment.now_of(job.name(), today);
    match job {
        Job::IngestFiles => ingest_files::dry_run(environment, today).await,
        Job::WatchFeeds => watch_feeds::dry_run(environment, today, now).await,
        Job::AssessPositions => assess_positions::dry_run(environment, today).await,
        Job::SendReminders => send_reminders::dry_run(environment, today, now).await,
        Job::CollectDebits => collect_debits::dry_run(environment, today).await,
        Job::PayOutCredit => pay_out_credit::dry_run(environment, today).await,
        Job::MatchBills => match_bills::dry_run(environment, today).await,
        Job::CloseDay => close_day::dry_run(environment, today).await,
        Job::WriteReconciliation => write_reconciliation::dry_run(environment).await,
    }
}
