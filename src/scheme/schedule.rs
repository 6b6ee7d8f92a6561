//! When each job runs.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::calendar::{instant_of, plus};

/// When a job runs.
#[derive(Debug, Clone)]
pub struct JobFile {
    pub name: String,
    pub about: String,
    /// When the job runs; `None` for a job that is part of the close of a day.
    pub schedule: Option<Schedule>,
    pub zone: Tz,
    /// Jobs that run before this one on a business day.
    pub after: Vec<String>,
}

/// Jobs that end a business day. They run only in its close: if they ran earlier, the books would depend on which jobs
/// ran while the day was open.
const PARTS_OF_THE_CLOSE: [&str; 4] = ["assess_positions", "collect_debits", "pay_out_credit", "match_bills"];

/// Whether the job of this name is part of the close of a day.
pub fn is_part_of_close(name: &str) -> bool {
    PARTS_OF_THE_CLOSE.contains(&name)
}

/// The times at which a job runs, and how.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub times: Times,
    pub catch_up: CatchUp,
    /// How far back `CatchUp::All` makes up for missed runs.
    pub catch_up_within: Duration,
    /// A run that cannot begin for this long after its time is skipped.
    pub deadline: Option<Duration>,
    /// A run that takes longer is stopped, and counts as failed.
    pub time_limit: Duration,
    pub retries: Retries,
    /// A run begins up to this long after its time, so that several schemes do not all begin in the same second.
    pub jitter: Duration,
    /// Whether the daemon runs the job.
    pub enabled: bool,
}

/// Times as a cron text.
#[derive(Debug, Clone)]
pub struct Times {
    cron: Cron,
    pub text: String,
}

/// How often a failed run is tried again before the job's next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    pub at_most: i64,
    /// The wait before the first retry. Each further wait is twice as long.
    pub first_wait: Duration,
    pub longest_wait: Duration,
}

/// What becomes of runs that were missed while the daemon was down or busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are skipped; the next due time will do.
    None,
    /// The latest is made up for.
    Last,
    /// Each is made up for, in order, within `catch_up_days`.
    All,
}

impl Times {
    /// Parses times such as `0 30 0 * * *`: second (optional), minute, hour, day, month, weekday.
    pub fn parse(text: &str) -> Result<Times, CronError> {
        let cron = CronParser::builder().seconds(Seconds::Optional).build().parse(text)?;
        Ok(Times { cron, text: text.to_owned() })
    }
}

/// Waits are summed for this many attempts at most; by then, they are longer than any patience.
const MOST_SUMMED: i64 = 1_000;

impl Retries {
    /// Returns the wait after an attempt (1, 2, …) that failed.
    pub fn wait_after(&self, attempt: i64) -> Duration {
        let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(20);
        self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait)
    }

    /// Returns how long earlier attempts made this one (1, 2, …) wait.
    pub fn waited(&self, attempt: i64) -> Duration {
        (1..attempt.min(MOST_SUMMED)).map(|earlier| self.wait_after(earlier)).sum()
    }
}

impl JobFile {
    /// Returns the first scheduled time after an instant; `None` for a part of the close.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next =
            self.schedule.as_ref()?.times.cron.find_next_occurrence(&at.with_timezone(&self.zone), false).ok()?;
        Some(next.to_utc())
    }

    /// Returns the latest scheduled time up to and including an instant; `None` for a part of the close.
    pub fn latest_by(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest =
            self.schedule.as_ref()?.times.cron.find_previous_occurrence(&at.with_timezone(&self.zone), true).ok()?;
        Some(latest.to_utc())
    }

    /// Returns the scheduled time on a day: the first one on that day, or the start of the day if there is none. For a
    /// part of the close, the end of the day.
    pub fn set_time_on(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = instant_of(day.and_time(NaiveTime::MIN), self.zone);
        if self.schedule.is_none() {
            return instant_of(plus(day, 1).and_time(NaiveTime::MIN), self.zone);
        }
        let just_before = midnight - chrono::TimeDelta::seconds(1);
        self.next_after(just_before).filter(|at| at.with_timezone(&self.zone).date_naive() == day).unwrap_or(midnight)
    }
}
