//! When each job runs.

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

/// The times at which a job runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    pub cron_text: String,
    pub catch_up: CatchUp,
}

/// What becomes of runs that were missed while the daemon was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// The latest missed run is made up for.
    Once,
    /// None is; the next due time will do.
    Skip,
}

impl Schedule {
    /// Parses times such as `0 30 0 * * *`: second (optional), minute, hour, day, month, weekday.
    pub fn parse(cron_text: &str, catch_up: CatchUp) -> Result<Schedule, CronError> {
        let cron = CronParser::builder().seconds(Seconds::Optional).build().parse(cron_text)?;
        Ok(Schedule { cron, cron_text: cron_text.to_owned(), catch_up })
    }
}

impl JobFile {
    /// Returns the first scheduled time after an instant; `None` for a part of the close.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.schedule.as_ref()?.cron.find_next_occurrence(&at.with_timezone(&self.zone), false).ok()?;
        Some(next.to_utc())
    }

    /// Returns the latest scheduled time up to and including an instant; `None` for a part of the close.
    pub fn latest_by(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest = self.schedule.as_ref()?.cron.find_previous_occurrence(&at.with_timezone(&self.zone), true).ok()?;
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
