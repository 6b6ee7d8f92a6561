//! The view of `job`: what the job did or, for a dry run, what it would do.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Tally;
use crate::books::done::Done;
use crate::jobs::Job;

#[derive(Debug, Serialize, JsonSchema)]
pub struct JobResult {
    pub job: String,
    /// The merchant that the job worked for; null if it worked for all.
    pub merchant_id: Option<String>,
    pub business_date: NaiveDate,
    /// Whether nothing was done: `would_do` says what would be.
    pub dry_run: bool,
    /// Whether the job is part of the close of the day and does nothing alone.
    pub part_of_close: bool,
    /// What was done, counted; what was done not once is left out.
    pub done: Tally,
    /// What would be done, in words.
    pub would_do: Vec<String>,
}

impl JobResult {
    pub fn done(job: Job, business_date: NaiveDate, done: &Done) -> JobResult {
        let counts = done.0.iter().filter(|(_, count)| *count != 0);
        let done = counts.map(|(name, count)| (name.replace([' ', '-'], "_"), *count)).collect();
        JobResult { done, ..JobResult::would(job, business_date, false, Vec::new()) }
    }

    pub fn dry_run(job: Job, business_date: NaiveDate, would_do: Vec<String>) -> JobResult {
        JobResult::would(job, business_date, true, would_do)
    }

    /// The same for one merchant, if one was asked for.
    pub fn of(self, merchant_id: Option<String>) -> JobResult {
        JobResult { merchant_id, ..self }
    }

    fn would(job: Job, business_date: NaiveDate, dry_run: bool, would_do: Vec<String>) -> JobResult {
        let part_of_close = job.is_part_of_close();
        JobResult {
            job: job.name().to_owned(),
            merchant_id: None,
            business_date,
            dry_run,
            part_of_close,
            done: Tally::new(),
            would_do,
        }
    }
}
