//! Jobs: load what may change today, decide, record the difference. One file a job, under the name it has in `jobs/`,
//! on the command line, in logs and in the store. Each can be run again at any time and then finds nothing to do.

mod assess_positions;
mod close_day;
mod collect_debits;
mod deciding;
pub mod held_back;
mod instructing;
mod match_bills;
mod not_fulfilled;
mod orders_again;
mod pay_out_credit;
mod places;
mod proof;
mod reconciliation;
mod reference_rates;
mod sealed_days;
mod send_reminders;
mod suspense;
mod watch_feeds;
mod write_reconciliation;

pub mod business_day;
pub mod exceptions;
pub mod ingest_files;
pub mod verify;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, NaiveDate, Utc};

use crate::clock;
use crate::domain::calendar::plus;
use crate::domain::policy::Terms;
use crate::mail::compose::{Sender, Templates};
use crate::mail::transport::Transport;
use crate::scheme::{Changed, Clock, JobFile, Merchant, Scheme, changed};
use crate::store::{Store, Tx, scheme};

/// The jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    IngestFiles,
    WatchFeeds,
    AssessPositions,
    SendReminders,
    CollectDebits,
    PayOutCredit,
    MatchBills,
    CloseDay,
    WriteReconciliation,
}

impl Job {
    pub const ALL: [Job; 9] = [
        Job::IngestFiles,
        Job::WatchFeeds,
        Job::AssessPositions,
        Job::SendReminders,
        Job::CollectDebits,
        Job::PayOutCredit,
        Job::MatchBills,
        Job::CloseDay,
        Job::WriteReconciliation,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Job::IngestFiles => "ingest_files",
            Job::WatchFeeds => "watch_feeds",
            Job::AssessPositions => "assess_positions",
            Job::SendReminders => "send_reminders",
            Job::CollectDebits => "collect_debits",
            Job::PayOutCredit => "pay_out_credit",
            Job::MatchBills => "match_bills",
            Job::CloseDay => "close_day",
            Job::WriteReconciliation => "write_reconciliation",
        }
    }

    pub fn parse(name: &str) -> Option<Job> {
        Job::ALL.into_iter().find(|job| job.name() == name)
    }

    /// Whether the job is part of the close of a day and never runs alone. What a day's end brings must not come before it,
    /// or the books would depend on which jobs ran while the day was open.
    pub fn is_part_of_close(self) -> bool {
        match self {
            Job::AssessPositions | Job::CollectDebits | Job::PayOutCredit | Job::MatchBills => true,
            Job::IngestFiles | Job::WatchFeeds | Job::SendReminders | Job::CloseDay | Job::WriteReconciliation => false,
        }
    }

    /// Does the job for the open business date.
    pub async fn run(self, environment: &Environment, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
        let done = match self {
            Job::IngestFiles => ingest_files::run(environment, today).await,
            Job::WatchFeeds => watch_feeds::run(environment, today, now).await,
            Job::AssessPositions => assess_positions::run(environment, today).await,
            Job::SendReminders => send_reminders::run(environment, today, now).await,
            Job::CollectDebits => collect_debits::run(environment, today).await,
            Job::PayOutCredit => pay_out_credit::run(environment, today).await,
            Job::MatchBills => match_bills::run(environment, today).await,
            Job::CloseDay => close_day::run(environment, today).await,
            Job::WriteReconciliation => write_reconciliation::run(environment).await,
        };
        done.with_context(|| format!("{} for {today}", self.name()))
    }

    /// What the job would do, without doing it.
    pub async fn dry_run(self, environment: &Environment, today: NaiveDate) -> Result<Vec<String>> {
        let now = environment.now_of(self.name(), today);
        match self {
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
}

/// What a run did: counts with their names, for logs and `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done(pub Vec<(&'static str, i64)>);

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done: Vec<String> =
            self.0.iter().filter(|(_, count)| *count != 0).map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(if done.is_empty() { "nothing to do" } else { "" })?;
        f.write_str(&done.join(", "))
    }
}

/// A scheme at work: how it is set up, its books, and its way to send mail.
pub struct Environment {
    pub scheme: Scheme,
    pub store: Store,
    pub transport: Arc<Transport>,
    pub templates: Templates,
    pub sender: Sender,
    /// Files that stay in the inboxes for now, and that need not be looked at again as they were seen.
    pub kept: Mutex<ingest_files::Kept>,
    /// The day whose mails this run has planned, and the number of the next file then: until one comes, the plan stands.
    pub mails_planned: Mutex<Option<(NaiveDate, i64)>>,
    /// When this process last began to prove sealed days again, other than the last one.
    pub proving: Mutex<Option<Instant>>,
    /// Told how far long work is.
    pub progress: Box<dyn Fn(&str) + Send + Sync>,
}

impl Environment {
    /// The open business date; an empty store begins with the configured one.
    pub async fn business_date(&self) -> Result<NaiveDate> {
        let mut tx = self.store.read().await?;
        let Some(days) = scheme::days(&mut tx).await? else { return self.begin().await };
        scheme::same_zone(&days, self.scheme.zone.name())?;
        let last = scheme::last_sealed(&mut tx).await?;
        let expected = last.as_ref().map_or(days.started_on, |last| plus(last.business_date, 1));
        let last =
            last.map_or("no day is sealed".to_owned(), |last| format!("{} is the last sealed day", last.business_date));
        ensure!(
            days.business_date == expected,
            "the store says that {} is the open business date, but {last}, so that it must be {expected}: the store was \
             changed by hand or put together from two; put it back from a backup",
            days.business_date
        );
        Ok(days.business_date)
    }

    /// Begins the books on the first day. Where days were sealed before, that would begin them a second time.
    async fn begin(&self) -> Result<NaiveDate> {
        if self.store.is_read_only() {
            return Ok(self.scheme.starts_on);
        }
        refuse_lost_store(&self.scheme)?;
        let mut tx = self.store.write().await?;
        let days = scheme::begin(&mut tx, self.scheme.starts_on, self.scheme.zone.name()).await?;
        tx.commit().await?;
        Ok(days.business_date)
    }

    /// Whether it is time to prove old days and orders again: in one process not before so long after the last time.
    fn turn_to_prove(&self, now: Instant, after: Duration) -> bool {
        let Ok(mut last) = self.proving.lock() else { return true };
        let is_due = last.is_none_or(|last| now - last >= after);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    /// "Now" for a job on a business date.
    pub fn now(&self, job: &JobFile, today: NaiveDate) -> DateTime<Utc> {
        match self.scheme.clock {
            Clock::Wall => clock::now(),
            Clock::Business => job.set_time_on(today),
        }
    }

    /// "Now" for the job of this name.
    pub fn now_of(&self, job: &str, today: NaiveDate) -> DateTime<Utc> {
        self.scheme.job(job).map_or_else(clock::now, |file| self.now(file, today))
    }

    /// A folder below home, made if it is not there.
    pub fn folder(&self, folder: PathBuf) -> Result<PathBuf> {
        std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
        Ok(folder)
    }

    /// The terms an order was decided on.
    fn terms(&self, merchant: &str, version: NaiveDate) -> Result<&Terms> {
        let merchant = self.scheme.merchant(merchant).with_context(|| {
            format!("orders of merchant {merchant} are in the books, but the configuration no longer names it")
        })?;
        merchant.policy.version(version).with_context(|| {
            format!("orders keep version {version} of the policy of {}, but it is no longer in its file", merchant.id)
        })
    }

    /// Refuses to go on if a policy version that orders keep, or a reference rate that days were closed on, was changed.
    pub async fn check_policy_versions(&self, tx: &mut Tx) -> Result<()> {
        for merchant in &self.scheme.merchants {
            for (version, recorded) in scheme::policy_versions(tx, &merchant.id).await? {
                let now = version_fingerprint(merchant, version).unwrap_or_default();
                match changed(&recorded, now) {
                    None => {}
                    Some(Changed::Terms) => bail!(
                        "version {version} of the policy of {} was changed after orders were decided on it, in its own file \
                         or in what it inherits; put it back as it was and add a new [[version]] with its own effective_from",
                        merchant.id
                    ),
                    Some(Changed::Days(year)) => bail!(
                        "days of the calendar year {year} were changed after orders were decided on version {version} of the \
                         policy of {}; put them back as they were, write the calendar under another name, and add a new \
                         [[version]] that names it",
                        merchant.id
                    ),
                }
            }
        }
        reference_rates::check(tx, self).await
    }
}

/// Refuses a home that has folders of sealed days, but no books: the store was lost, or another is named.
pub fn refuse_lost_store(scheme: &Scheme) -> Result<()> {
    let folders = sealed_days::day_folders_below(&scheme.home)?;
    let (Some(first), Some(last)) = (folders.first(), folders.last()) else { return Ok(()) };
    bail!(
        "{}/reconciliation has the sealed days {first} to {last}, but the store is empty or gone; put the store back from a \
         backup, or see that store.url names the right one. To begin a new scheme, give it a home of its own",
        scheme.home.path().display()
    )
}

fn version_fingerprint(merchant: &Merchant, version: NaiveDate) -> Option<&str> {
    let at = merchant.policy.versions.iter().position(|terms| terms.effective_from == version)?;
    merchant.fingerprints.get(at).map(String::as_str)
}
