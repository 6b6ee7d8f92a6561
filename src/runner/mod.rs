//! When and how jobs run. `run` claims a run in the store, does it and records what became of it: written once, for the daemon, for
//! `close` and for `job`. `business_day` runs a whole day, `daemon` runs each job at its time.

pub mod business_day;
pub mod daemon;
mod plausible;
mod run;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::done::Done;
use crate::books::environment::Scheme;
use crate::jobs::{
    Job, assess_positions, close_day, collect_debits, ingest_files, match_bills, pay_out_credit, send_reminders,
    watch_feeds, write_reconciliation,
};

/// Does a job for the open business date.
async fn work(job: Job, scheme: &Scheme, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
    let done = match job {
        Job::IngestFiles => ingest_files::run(scheme, today).await,
        Job::WatchFeeds => watch_feeds::run(scheme, today, now).await,
        Job::AssessPositions => assess_positions::run(scheme, today).await,
        Job::SendReminders => send_reminders::run(scheme, today, now).await,
        Job::CollectDebits => collect_debits::run(scheme, today).await,
        Job::PayOutCredit => pay_out_credit::run(scheme, today).await,
        Job::MatchBills => match_bills::run(scheme, today).await,
        Job::CloseDay => business_day::close(scheme, today).await,
        Job::WriteReconciliation => write_reconciliation::run(scheme).await,
    };
    done.with_context(|| format!("{} for {today}", job.name()))
}

/// What a job would do, without doing it.
pub async fn dry_run(job: Job, scheme: &Scheme, today: NaiveDate) -> Result<Vec<String>> {
    let now = scheme.now_of(job.name(), today);
    match job {
        Job::IngestFiles => ingest_files::dry_run(scheme, today).await,
        Job::WatchFeeds => watch_feeds::dry_run(scheme, today, now).await,
        Job::AssessPositions => assess_positions::dry_run(scheme, today).await,
        Job::SendReminders => send_reminders::dry_run(scheme, today, now).await,
        Job::CollectDebits => collect_debits::dry_run(scheme, today).await,
        Job::PayOutCredit => pay_out_credit::dry_run(scheme, today).await,
        Job::MatchBills => match_bills::dry_run(scheme, today).await,
        Job::CloseDay => close_day::dry_run(scheme, today).await,
        Job::WriteReconciliation => write_reconciliation::dry_run(scheme).await,
    }
}
