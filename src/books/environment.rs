//! The environment of a scheme: its settings, its store, and its mail transport. Every job and every command gets one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};

use super::day_folders::refuse_lost_store;
use crate::clock;
use crate::domain::calendar::plus;
use crate::domain::terms::policy::Terms;
use crate::files::inbox::kept::Kept;
use crate::mail::letter::Sender;
use crate::mail::templates::Templates;
use crate::mail::transport::Transport;
use crate::scheme::{Clock, JobFile, Scheme};
use crate::store::{Store, Tx, scheme};

/// A scheme's settings, its store, and its mail transport. Clones share everything.
#[derive(Clone)]
pub struct Environment {
    pub scheme: Arc<Scheme>,
    pub store: Store,
    pub transport: Arc<Transport>,
    pub templates: Arc<Templates>,
    pub sender: Arc<Sender>,
    /// Files that stay in the inboxes, each with the state in which it was handled.
    pub kept: Arc<Mutex<Kept>>,
    /// What this process last planned the day's mails on.
    pub mails_planned: Arc<Mutex<Option<PlannedOn>>>,
    /// When this process last began to prove sealed days other than the last one again.
    pub proving: Arc<Mutex<Option<Instant>>>,
    /// Reports the progress of long work.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
    /// This machine and process.
    pub node: String,
    /// The person who asked for the work; `None` if it is the daemon's.
    pub asked_by: Option<String>,
    /// Whether the process was asked to stop.
    pub stopping: Arc<AtomicBool>,
}

/// The work was ended because the process was asked to stop. It continues at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the program was asked to stop; the rest is done at the next start")]
pub struct Stopped;

/// What the mails of a day were planned on. The plan is valid until one of these values changes.
#[derive(Debug, PartialEq, Eq)]
pub struct PlannedOn {
    pub day: NaiveDate,
    /// The open business date: a close makes notices due.
    pub open: NaiveDate,
    pub next_file_no: i64,
    /// Merchants with missing payment files.
    pub without: Vec<String>,
}

impl Environment {
    /// The same environment with the store opened in lanes.
    pub fn with_store(&self, store: Store) -> Environment {
        Environment { store, ..self.clone() }
    }

    /// Asks the work under way to end at its next step.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Called between two steps of long work: an error if the process was asked to stop.
    pub fn keep_going(&self) -> Result<(), Stopped> {
        if self.stopping.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
    }

    /// Returns the open business date. An empty store begins with the configured one.
    pub async fn business_date(&self) -> Result<NaiveDate> {
        let mut tx = self.store.read().await?;
        match self.open_day(&mut tx).await? {
            Some(today) => Ok(today),
            None => self.begin().await,
        }
    }

    /// The open business date as a transaction sees it. `None` if the books have not begun.
    pub async fn open_day(&self, tx: &mut Tx) -> Result<Option<NaiveDate>> {
        let Some(days) = scheme::days(tx).await? else { return Ok(None) };
        scheme::same_zone(&days, self.scheme.zone.name())?;
        let last = scheme::last_sealed(tx).await?;
        let expected = last.as_ref().map_or(days.started_on, |last| plus(last.business_date, 1));
        let last =
            last.map_or("no day is sealed".to_owned(), |last| format!("{} is the last sealed day", last.business_date));
        ensure!(
            days.business_date == expected,
            "the store says that {} is the open business date, but {last}, so that it must be {expected}: the store was \
             changed by hand or put together from two; put it back from a backup",
            days.business_date
        );
        Ok(Some(days.business_date))
    }

    /// Begins the books on the first day, unless days were sealed before: the books must not begin a second time.
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

    /// Whether it is time to prove old days and orders again. A process waits at least `after` between two times.
    pub fn turn_to_prove(&self, now: Instant, after: Duration) -> bool {
        let Ok(mut last) = self.proving.lock() else { return true };
        let is_due = last.is_none_or(|last| now - last >= after);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    /// Returns the current time for a job on a business date: the wall clock's, or the time that the job is set to.
    pub fn now(&self, job: &JobFile, today: NaiveDate) -> DateTime<Utc> {
        match self.scheme.clock {
            Clock::Wall => clock::now(),
            Clock::Business => job.set_time_on(today),
        }
    }

    /// Returns the current time for the job of this name.
    pub fn now_of(&self, job: &str, today: NaiveDate) -> DateTime<Utc> {
        self.scheme.job(job).map_or_else(clock::now, |file| self.now(file, today))
    }

    /// Returns the terms that an order was decided on.
    pub fn terms(&self, merchant: &str, version: NaiveDate) -> Result<&Terms> {
        let merchant = self.scheme.merchant(merchant).with_context(|| {
            format!(
                "the books have orders of merchant {merchant}, which the configuration no longer names; add it again"
            )
        })?;
        merchant.policy.version(version).with_context(|| {
            format!(
                "orders were accepted under version {version} of the policy of {}, which is no longer in its file; put that \
                 version back",
                merchant.id
            )
        })
    }
}

/// Creates a folder if it is missing, and returns it.
pub fn made(folder: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    Ok(folder)
}
