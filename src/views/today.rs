//! A day at a glance: the status, what each feed has brought, the runs of the last 24 hours, and open exceptions by age.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::monitoring;
use super::runs::Run;
use super::status::Status;
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::days_between;
use crate::domain::intake::code::ExceptionCode;
use crate::scheme::{Clock, Feed};
use crate::store::overview::FeedFiles;
use crate::store::{Tx, overview};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Today {
    #[serde(flatten)]
    pub status: Status,
    /// Days that are over and should be sealed by now, but are not; null on the business clock.
    pub days_behind: Option<i64>,
    /// In the order of the configuration.
    pub feeds: Vec<FeedToday>,
    pub timeline: Timeline,
    /// By code.
    pub exceptions: Vec<ExceptionAges>,
}

/// What a feed has brought on the open day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedToday {
    pub feed: String,
    /// What its rows are: orders, payments, …
    pub kind: String,
    pub merchant_id: Option<String>,
    pub state: FeedState,
    /// When the day's file should be there; null if none is expected.
    pub expected_by: Option<DateTime<Utc>>,
    /// The date in the name of that file.
    pub dated_on: Option<NaiveDate>,
    /// Files that came on the open day.
    pub files: i64,
    /// Of those, the ones that were refused as a whole.
    pub refused: i64,
    pub rows: i64,
    /// Rows that were not simply accepted, or known before.
    pub rows_to_see: i64,
    /// The number of the latest file.
    pub last_file_no: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// A file came and was taken.
    Came,
    /// All that came was refused.
    Refused,
    /// A file is expected, and there is still time.
    Expected,
    /// A file is expected, and its time is over.
    Missing,
    /// Nothing came, and nothing is expected.
    Quiet,
}

/// The runs of all jobs that were due within a day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Timeline {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub jobs: Vec<JobLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct JobLine {
    pub job: String,
    /// The earliest first.
    pub runs: Vec<Run>,
}

/// Open exceptions with a code, by the days since they were opened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExceptionAges {
    pub code: ExceptionCode,
    pub count: i64,
    pub oldest_days: i64,
    /// Opened today or yesterday.
    pub days_0_1: i64,
    pub days_2_7: i64,
    pub days_8_30: i64,
    pub days_31: i64,
}

/// How many runs of a job are shown. A job that runs every five minutes has 288 a day.
const RUNS_SHOWN: i64 = 300;

impl Today {
    pub async fn load(tx: &mut Tx, environment: &Environment) -> Result<Today> {
        let status = Status::load(tx, environment).await?;
        let today = status.business_date;
        Ok(Today {
            days_behind: monitoring::days_behind(environment, today, clock::now()),
            feeds: feeds(tx, environment, today).await?,
            timeline: Timeline::load(tx, environment, &status).await?,
            exceptions: ages(&overview::open_exceptions_by_day(tx).await?, today),
            status,
        })
    }
}

async fn feeds(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<Vec<FeedToday>> {
    let files = overview::files_by_feed(tx, today).await?;
    let now = environment.now_of("watch_feeds", today);
    let overdue = monitoring::feeds(tx, environment, today).await?;
    let mut feeds = Vec::new();
    for feed in &environment.scheme.feeds {
        // A calendar that ends is reported where it stops work; here the feed expects nothing.
        let dated_on = feed.expected_on(today).unwrap_or_default();
        let came: Vec<&FeedFiles> = files.iter().filter(|files| files.feed == feed.name).collect();
        let is_overdue = overdue.get(&feed.name).copied().unwrap_or_default();
        feeds.push(FeedToday::of(feed, dated_on, &came, is_overdue, (today, now)));
    }
    Ok(feeds)
}

impl FeedToday {
    fn of(
        feed: &Feed,
        dated_on: Option<NaiveDate>,
        came: &[&FeedFiles],
        is_overdue: bool,
        (today, now): (NaiveDate, DateTime<Utc>),
    ) -> FeedToday {
        let files: i64 = came.iter().map(|files| files.files).sum();
        let taken = |files: &&&FeedFiles| matches!(files.status.as_str(), "taken" | "reading" | "duplicate");
        let refused = files - came.iter().filter(taken).map(|files| files.files).sum::<i64>();
        let deadline = dated_on.and_then(|_| Some(feed.expected.as_ref()?.deadline(today)));
        let state = match (files > refused, deadline) {
            _ if is_overdue => FeedState::Missing,
            (true, _) => FeedState::Came,
            (false, _) if files > 0 => FeedState::Refused,
            (false, Some(deadline)) if now < deadline => FeedState::Expected,
            // The file came on an earlier day, or a person said that none will come.
            (false, _) => FeedState::Quiet,
        };
        let counts = came.iter().map(|files| &files.counts);
        FeedToday {
            feed: feed.name.clone(),
            kind: feed.kind.name().to_owned(),
            merchant_id: feed.owner.merchant().map(str::to_owned),
            state,
            expected_by: deadline,
            dated_on,
            files,
            refused,
            rows: counts.clone().map(|counts| counts.rows).sum(),
            rows_to_see: counts
                .map(|counts| counts.declined + counts.conflict + counts.pending + counts.rejected)
                .sum(),
            last_file_no: came.iter().map(|files| files.last_file_no).max(),
        }
    }
}

impl Timeline {
    async fn load(tx: &mut Tx, environment: &Environment, status: &Status) -> Result<Timeline> {
        let latest = status.jobs.iter().filter_map(|job| Some(job.last.as_ref()?.scheduled_for)).max();
        let to = match environment.scheme.clock {
            Clock::Wall => clock::now(),
            Clock::Business => latest.unwrap_or_else(clock::now),
        };
        let from = to - TimeDelta::days(1);
        let mut jobs = Vec::new();
        for job in &environment.scheme.jobs {
            let mut runs = overview::runs_since(tx, &job.name, from, RUNS_SHOWN).await?;
            runs.reverse();
            let runs = runs.iter().filter(|run| run.scheduled_for <= to).map(Run::of).collect::<Result<_>>()?;
            jobs.push(JobLine { job: job.name.clone(), runs });
        }
        Ok(Timeline { from, to, jobs })
    }
}

fn ages(open: &[(ExceptionCode, NaiveDate, i64)], today: NaiveDate) -> Vec<ExceptionAges> {
    let mut ages: BTreeMap<ExceptionCode, ExceptionAges> = BTreeMap::new();
    for (code, opened_on, count) in open {
        let days = days_between(*opened_on, today);
        let of_code = ages.entry(*code).or_insert(ExceptionAges {
            code: *code,
            count: 0,
            oldest_days: 0,
            days_0_1: 0,
            days_2_7: 0,
            days_8_30: 0,
            days_31: 0,
        });
        of_code.count += count;
        of_code.oldest_days = of_code.oldest_days.max(days);
        let bucket = match days {
            ..=1 => &mut of_code.days_0_1,
            2..=7 => &mut of_code.days_2_7,
            8..=30 => &mut of_code.days_8_30,
            _ => &mut of_code.days_31,
        };
        *bucket += count;
    }
    ages.into_values().collect()
}
