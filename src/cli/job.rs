//! `paylater job`: runs one job now.

use anyhow::{Context, Result};

use super::open::At;
use super::table::show;
use super::{Ending, Misconfigured, json, say};
use crate::jobs::Job;
use crate::runner::{self, business_day};
use crate::scheme::{Scheme, Slice};
use crate::views::job::JobResult;

#[derive(clap::Args)]
pub struct JobCommand {
    /// The job's name, such as ingest_files; `paylater check` lists them.
    name: String,

    /// Work for this merchant only. The run is not recorded as a run of the job. Jobs that work for the whole scheme refuse it
    #[arg(long)]
    merchant: Option<String>,

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
        let whose = self.merchant.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        if self.dry_run {
            let environment = at.look().await?;
            let slices = self.slices(job, &environment.scheme).map_err(Misconfigured)?;
            let today = environment.business_date().await?;
            let mut would = Vec::new();
            for slice in slices {
                would.append(&mut runner::dry_run(job, &environment, slice, today).await?);
            }
            if at.json {
                json::print(JobResult::dry_run(job, today, would).of(self.merchant))?;
                return Ok(Ending::Done);
            }
            say!("{} for {today}{whose}, without doing it:", job.name());
            if would.is_empty() {
                say!("  nothing to do");
            }
            for line in would {
                show!("  {line}");
            }
            return Ok(Ending::Done);
        }
        let work = at.work(&[job.lane()], job.name()).await?;
        let slices = self.slices(job, &work.environment.scheme).map_err(Misconfigured)?;
        let today = work.environment.business_date().await?;
        let done = match (&self.merchant, slices.as_slice()) {
            (Some(_), [slice]) => business_day::run_now_for(&work.environment, job, *slice, today).await,
            _ => business_day::run_now(&work.environment, job, today).await,
        };
        work.progress.finish();
        let done = done?;
        if at.json {
            json::print(JobResult::done(job, today, &done).of(self.merchant))?;
        } else if job.is_part_of_close() {
            say!("{} for {today}{whose}: nothing to do now; it is part of the close of the day", job.name());
        } else {
            show!("{} for {today}{whose}: {done}", job.name());
        }
        work.environment.store.close().await;
        Ok(Ending::Done)
    }

    /// The slices to work for: all of the job's, or the one of `--merchant`.
    fn slices<'s>(&self, job: Job, scheme: &'s Scheme) -> Result<Vec<Slice<'s>>> {
        let Some(id) = &self.merchant else { return Ok(job.slices(scheme)) };
        let slice = Slice::Merchant(scheme.merchant_named(id)?);
        job.ensure_has(slice)?;
        Ok(vec![slice])
    }
}
