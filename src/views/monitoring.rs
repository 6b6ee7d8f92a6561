//! What monitoring asks for: the open day, runs, rows, mails, exceptions and feeds, as numbers. No name, no address and no
//! order is in it, and the number of its series depends on the configuration and on the codes that the program knows.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::files::RowCounts;
use super::{Tally, by_name};
use crate::books::environment::Environment;
use crate::books::expected_files;
use crate::clock;
use crate::domain::calendar::{days_between, plus};
use crate::domain::intake::code::ExceptionCode;
use crate::scheme::Clock;
use crate::store::files::Counts;
use crate::store::mails::MailStatus;
use crate::store::{Tx, exceptions, mails, overview, runs, scheme};
use crate::views::status::DAYS_BACK;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Monitoring {
    /// The open business day; before anything has run, the first one.
    pub business_date: NaiveDate,
    pub last_sealed: Option<NaiveDate>,
    /// Days that are over and should be sealed by now, but are not; null on the business clock.
    pub days_behind: Option<i64>,
    pub jobs: Vec<MonitoredJob>,
    /// Files of the last seven business days, by status.
    pub files: Tally,
    /// Rows of the last seven business days.
    pub rows: RowCounts,
    /// Mails of the last seven business days, by status.
    pub mails: Tally,
    /// Open exceptions by code.
    pub exceptions: Vec<OpenExceptions>,
    /// The feeds that expect files, and whether one is overdue.
    pub feeds: BTreeMap<String, bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct MonitoredJob {
    pub job: String,
    /// Runs of the last 24 hours, by status.
    pub runs: Tally,
    /// The status of the latest run.
    pub last_status: Option<String>,
    /// How long the latest run took, in milliseconds; null while it runs.
    pub last_duration_ms: Option<i64>,
    pub last_started_at: Option<DateTime<Utc>>,
    pub last_finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OpenExceptions {
    pub code: ExceptionCode,
    pub count: i64,
    /// How many business days ago the oldest was opened.
    pub oldest_days: i64,
}

impl Monitoring {
    pub async fn load(tx: &mut Tx, environment: &Environment) -> Result<Monitoring> {
        let days = scheme::days(tx).await?;
        let today = days.as_ref().map_or(environment.scheme.starts_on, |days| days.business_date);
        let since = plus(today, 1 - DAYS_BACK);
        let mut files = Tally::new();
        let mut rows = Counts::default();
        for (status, count, counts) in overview::files_by_status(tx, since, today).await? {
            files.insert(status, count);
            rows.add(&counts);
        }
        let mut jobs = Vec::new();
        for job in &environment.scheme.jobs {
            jobs.push(MonitoredJob::load(tx, &job.name).await?);
        }
        Ok(Monitoring {
            business_date: today,
            last_sealed: scheme::last_sealed(tx).await?.map(|sealed| sealed.business_date),
            days_behind: days_behind(environment, today, clock::now()),
            jobs,
            files,
            rows: rows.into(),
            mails: by_name(mails::counts(tx, since, today).await?, MailStatus::name),
            exceptions: OpenExceptions::load(tx, today).await?,
            feeds: feeds(tx, environment, today).await?,
        })
    }
}

impl MonitoredJob {
    async fn load(tx: &mut Tx, job: &str) -> Result<MonitoredJob> {
        let now = clock::now();
        let last = runs::latest(tx, job, now).await?;
        let took = last.as_ref().and_then(|run| Some((run.finished_at? - run.started_at?).num_milliseconds().max(0)));
        Ok(MonitoredJob {
            job: job.to_owned(),
            runs: overview::run_counts(tx, job, now - TimeDelta::days(1)).await?.into_iter().collect(),
            last_duration_ms: took,
            last_started_at: last.as_ref().and_then(|run| run.started_at),
            last_finished_at: last.as_ref().and_then(|run| run.finished_at),
            last_status: last.map(|run| run.status.name().to_owned()),
        })
    }
}

impl OpenExceptions {
    async fn load(tx: &mut Tx, today: NaiveDate) -> Result<Vec<OpenExceptions>> {
        let mut open: Vec<OpenExceptions> = Vec::new();
        // By code, and within a code the oldest day first.
        for (code, opened_on, count) in overview::open_exceptions_by_day(tx).await? {
            match open.last_mut().filter(|last| last.code == code) {
                Some(last) => last.count += count,
                None => open.push(OpenExceptions { code, count, oldest_days: days_between(opened_on, today) }),
            }
        }
        Ok(open)
    }
}

/// Returns how many days are over, should be sealed by the times of `close_day`, and are not. On the business clock days
/// pass only as they are closed, so no day is ever behind.
pub fn days_behind(environment: &Environment, open: NaiveDate, now: DateTime<Utc>) -> Option<i64> {
    if environment.scheme.clock == Clock::Business {
        return None;
    }
    let close = environment.scheme.job("close_day")?.latest_by(now)?;
    let should_be_open = close.with_timezone(&environment.scheme.zone).date_naive();
    Some(days_between(open, should_be_open).max(0))
}

/// Returns the feeds that expect files, and whether a file of theirs is overdue: reported as missing, or about to be.
pub async fn feeds(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<BTreeMap<String, bool>> {
    let now = environment.now_of("watch_feeds", today);
    let mut unreported = Vec::new();
    for slice in environment.scheme.slices() {
        unreported.extend(expected_files::missing_by_now(tx, environment, slice, today, Some(now)).await?);
    }
    let mut feeds = BTreeMap::new();
    for feed in environment.scheme.feeds.iter().filter(|feed| feed.expected.is_some()) {
        let reported = exceptions::files_missing(tx, feed.owner.borrowed()).await?;
        let is_reported = reported.iter().any(|(key, _)| expected_files::missing_date(&feed.name, key).is_some());
        let is_unreported = unreported.iter().any(|(missing, _)| missing.name == feed.name);
        feeds.insert(feed.name.clone(), is_reported || is_unreported);
    }
    Ok(feeds)
}
