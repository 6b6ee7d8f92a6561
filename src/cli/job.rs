//! `paylater job`: runs one job now.

use anyhow::{Context, Result};

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json, say};
use crate::jobs::Job;
use crate::runner::{self, business_day};
use crate::views::job::JobResult;

#[derive(clap::Args)]
pub struct JobCommand {
    /// Its name, such as ingest_files; `paylater check` lists them.
    name: String,

    /// Show what it would do, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl JobCommand {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let job = Job::parse(&self.name).with_context(|| {
            let names = Job::ALL.map(Job::name).join(", ");
            format!("there is no job {:?}; the jobs are {names}", self.name)
        });
        let job = job.map_err(Misconfigured)?;
        if self.dry_run {
            let environment = at.look().await?;
            let today = environment.business_date().await?;
            let would = runner::dry_run(job, &environment, today).await?;
            if at.json {
                json::print(JobResult::dry_run(job, today, would))?;
                return Ok(Ending::Done);
            }
            say!("{} for {today}, without doing it:", job.name());
            if would.is_empty() {
                say!("  nothing to do");
            }
            for line in would {
                show!("  {line}");
            }
            return Ok(Ending::Done);
        }
        let work = at.work(&[job.lane()], job.name()).await?;
        let today = work.environment.business_date().await?;
        let done = business_day::run_now(&work.environment, job, today).await;
        work.progress.finish();
        let done = done?;
        if at.json {
            json::print(JobResult::done(job, today, &done))?;
        } else if job.is_part_of_close() {
            say!("{} for {today}: nothing to do now; it is part of the close of the day", job.name());
        } else {
            show!("{} for {today}: {done}", job.name());
        }
        work.environment.store.close().await;
        Ok(Ending::Done)
    }
}
