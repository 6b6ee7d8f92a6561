//! `paylater pause`, `resume` and `backfill`: change what the daemon runs. They write beside it, and it follows at its next beat.

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::open::{At, who};
use super::runs::job_name;
use super::{Ending, Misconfigured, json, say};
use crate::clock;
use crate::domain::calendar::{instant_of, plus};
use crate::domain::words::count;
use crate::jobs::Job;
use crate::scheme::JobFile;
use crate::store::runs::{self, NewRun, PausedJob, RunStatus};
use crate::views::runs::{Backfill as Backfilled, JobSwitch};

#[derive(clap::Args)]
pub struct Pause {
    /// The job's name, such as send_reminders.
    #[arg(value_parser = job_name)]
    job: String,

    /// Why, for those who find it paused.
    #[arg(long, value_name = "TEXT")]
    why: String,
}

#[derive(clap::Args)]
pub struct Resume {
    /// The job's name.
    #[arg(value_parser = job_name)]
    job: String,
}

#[derive(clap::Args)]
pub struct Backfill {
    /// The job's name, such as write_reconciliation.
    #[arg(value_parser = job_name)]
    job: String,

    /// The first day of the due times.
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,

    /// The last day of the due times.
    #[arg(long, value_name = "DATE")]
    to: NaiveDate,

    /// List the due times, and plan nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The most runs that are planned at once.
const MOST_RUNS: usize = 1_000;

impl Pause {
    pub async fn run(self, at: &At) -> Result<Ending> {
        at.look().await?;
        let environment = at.serve().await?.environment;
        if environment.scheme.job(&self.job).is_none_or(|file| file.schedule.is_none()) {
            let why = anyhow::anyhow!("{} is part of the close; pause close_day instead", self.job);
            return Err(Misconfigured(why).into());
        }
        let paused = PausedJob { job: self.job.clone(), paused_at: clock::now(), paused_by: who(), reason: self.why };
        let mut tx = environment.store.write().await?;
        let is_new = runs::pause(&mut tx, &paused).await?;
        tx.commit().await?;
        if at.json {
            json::print(JobSwitch { job: self.job, paused: true, changed: is_new })?;
        } else if is_new {
            say!(
                "{} is paused. A run under way is completed; the daemon begins no other. To run it again: `paylater resume {0}`.",
                self.job
            );
        } else {
            say!("{} is paused already.", self.job);
        }
        Ok(Ending::Done)
    }
}

impl Resume {
    pub async fn run(self, at: &At) -> Result<Ending> {
        at.look().await?;
        let environment = at.serve().await?.environment;
        let mut tx = environment.store.write().await?;
        let was_paused = runs::resume(&mut tx, &self.job).await?;
        tx.commit().await?;
        if at.json {
            json::print(JobSwitch { job: self.job, paused: false, changed: was_paused })?;
        } else if was_paused {
            say!("{} runs again at its times.", self.job);
        } else {
            say!("{} was not paused.", self.job);
        }
        Ok(Ending::Done)
    }
}

impl Backfill {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let scheme = at.load_config()?;
        let file = scheme.job(&self.job).filter(|file| file.schedule.is_some());
        let Some(file) = file.filter(|_| Job::parse(&self.job).is_some()) else {
            let why = anyhow::anyhow!("{} is part of the close and has no times of its own", self.job);
            return Err(Misconfigured(why).into());
        };
        let times = self.times(file)?;
        let mut new = Vec::new();
        if self.dry_run {
            let environment = at.look().await?;
            let mut tx = environment.store.read().await?;
            for time in times {
                if runs::at(&mut tx, &self.job, time).await?.is_none() {
                    new.push(time);
                }
            }
        } else {
            at.look().await?;
            let environment = at.serve().await?.environment;
            let today = environment.business_date().await?;
            let mut tx = environment.store.write().await?;
            for time in times {
                let run = NewRun {
                    job: self.job.clone(),
                    scheduled_for: time,
                    attempt: 1,
                    business_date: today,
                    status: RunStatus::Due,
                    not_before: time,
                    missed: 0,
                    outcome: None,
                    asked_by: Some(who()),
                };
                if runs::add(&mut tx, &run).await?.is_some() {
                    new.push(time);
                }
            }
            tx.commit().await?;
        }
        let backfilled = Backfilled { job: self.job, dry_run: self.dry_run, due: new };
        if at.json {
            json::print(&backfilled)?;
        } else {
            print(&backfilled, file);
        }
        Ok(Ending::Done)
    }

    /// The due times of these days that have come.
    fn times(&self, file: &JobFile) -> Result<Vec<DateTime<Utc>>> {
        let start = |day: NaiveDate| instant_of(day.and_time(NaiveTime::MIN), file.zone);
        let (mut after, end) =
            (start(self.from) - chrono::TimeDelta::seconds(1), start(plus(self.to, 1)).min(clock::now()));
        let mut times = Vec::new();
        while let Some(next) = file.next_after(after).filter(|next| *next < end) {
            if times.len() == MOST_RUNS {
                bail!("more than {MOST_RUNS} runs are due from {} to {}; name fewer days", self.from, self.to);
            }
            times.push(next);
            after = next;
        }
        Ok(times)
    }
}

fn print(backfilled: &Backfilled, file: &JobFile) {
    let job = &backfilled.job;
    for time in &backfilled.due {
        say!("{}", time.with_timezone(&file.zone).format("%Y-%m-%d %H:%M:%S"));
    }
    match (backfilled.due.len(), backfilled.dry_run) {
        (0, _) => say!("Nothing to make up for: {job} has a run, or a skipped one, at each of these times."),
        (runs, true) => say!(
            "{job} would run {}, for the open business date.",
            count(i64::try_from(runs).unwrap_or(i64::MAX), "time")
        ),
        (runs, false) => say!(
            "{} planned; the daemon begins them one after the other.",
            count(i64::try_from(runs).unwrap_or(i64::MAX), "run")
        ),
    }
}
