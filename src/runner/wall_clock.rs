//! Watches the wall clock for the daemon: reads both clocks, reports changes, and says which jobs may run. `plausible` decides.

use std::time::Instant;

use anyhow::Result;
use chrono::TimeDelta;

use super::plausible::{Doubt, Finding, Look, WallClock};
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::words::count;
use crate::jobs::Job;
use crate::scheme::Clock;
use crate::store::nodes;
use crate::store::runs::{self, Counts, Ended, NewRun, RunStatus};

/// Watches the wall clock. The business clock does not depend on it.
pub struct Watch {
    began: Instant,
    clock: Option<WallClock>,
}

impl Watch {
    pub async fn begin(environment: &Environment) -> Result<Watch> {
        let began = clock::monotonic();
        let mut watch = Watch { began, clock: None };
        if environment.scheme.clock == Clock::Wall {
            let mut tx = environment.store.read().await?;
            let seen = nodes::last_seen(&mut tx).await?.map(|node| node.seen_at);
            let last_known = runs::last_known(&mut tx).await?.max(seen);
            watch.clock = Some(WallClock::new(watch.both(), last_known, environment.scheme.clock_wait));
        }
        Ok(watch)
    }

    fn both(&self) -> Look {
        Look { wall: clock::now(), running: clock::monotonic() - self.began }
    }

    /// Reads the wall clock, and reports changes.
    pub async fn look(&mut self, environment: &Environment) -> Result<()> {
        let look = self.both();
        let Some(clock) = &mut self.clock else { return Ok(()) };
        let finding = clock.look(look);
        let minutes = environment.scheme.clock_wait.as_secs() / 60;
        let (status, words) = match (finding, clock.doubt()) {
            (Finding::Unchanged, _) => return Ok(()),
            (Finding::Ahead(by), Some(Doubt::Stopped)) => (
                RunStatus::Done,
                format!(
                    "nothing ran for {}, if the clock is right; no day is closed until the clock has shown the same time for {minutes} minutes",
                    in_words(by)
                ),
            ),
            (Finding::Ahead(by), _) => (
                RunStatus::Failed,
                format!(
                    "the clock stepped ahead by {}; until it is set right, or has shown this time for {minutes} \
                     minutes, only files are taken in",
                    in_words(by)
                ),
            ),
            (Finding::Back(by), _) => (RunStatus::Done, format!("the clock was set back by {}", in_words(by))),
            (Finding::Returned, _) => (RunStatus::Done, "the clock is right again".to_owned()),
            (Finding::Believed(by), _) => (
                RunStatus::Done,
                format!(
                    "the clock has been ahead by {} for {minutes} minutes and is trusted from now on",
                    in_words(by)
                ),
            ),
        };
        match status {
            RunStatus::Failed => tracing::error!("{words}"),
            _ => tracing::warn!("{words}"),
        }
        let believed = clock.believed(look);
        let today = environment.business_date().await?;
        let mut tx = environment.store.write().await?;
        let run = NewRun {
            job: runs::CLOCK.to_owned(),
            scheduled_for: believed,
            attempt: 1,
            business_date: today,
            status: RunStatus::Due,
            not_before: believed,
            missed: 0,
            outcome: None,
            asked_by: None,
        };
        if let Some(run_no) = runs::add(&mut tx, &run).await? {
            runs::begin(&mut tx, run_no, today, believed, &environment.node).await?;
            let ended = Ended { status, outcome: &words, counts: &Counts::new() };
            runs::finish(&mut tx, run_no, &ended, believed).await?;
        }
        tx.commit().await
    }

    /// Whether the current state of the wall clock allows a job to run.
    pub fn lets(&self, job: Job) -> bool {
        match self.clock.as_ref().and_then(WallClock::doubt) {
            None => true,
            Some(Doubt::Stopped) => job != Job::CloseDay,
            Some(Doubt::Stepped) => job == Job::IngestFiles,
        }
    }
}

/// Formats a duration, such as `1 day 2 hours` or `20 minutes`.
fn in_words(delta: TimeDelta) -> String {
    let parts = [(delta.num_days(), "day"), (delta.num_hours() % 24, "hour"), (delta.num_minutes() % 60, "minute")];
    let words = parts.into_iter().filter(|(number, _)| *number != 0).take(2);
    let words: Vec<String> = words.map(|(number, unit)| count(number, unit)).collect();
    words.join(" ")
}
