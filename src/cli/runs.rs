//! `paylater runs`: lists runs of jobs, and shows one with all its attempts.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::Subcommand;

use super::open::At;
use super::table::{print_box, print_fields};
use super::{Ending, json, say};
use crate::jobs::Job;
use crate::store::runs::{Filter, RunStatus};
use crate::views::runs::{self, Run, RunAttempts, RunList};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    #[command(subcommand)]
    command: Option<Command>,

    /// Only this job's runs.
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    job: Option<String>,

    /// Only runs with this status: due, running, done, failed, interrupted or skipped.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<RunStatus>,

    /// Only runs for this business date.
    #[arg(long, value_name = "DATE")]
    day: Option<NaiveDate>,

    /// How many, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    last: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Show a run: when it was due, began and ended, what it did, and why it failed or did nothing.
    Show {
        /// The run's number, from `paylater runs`.
        number: i64,
    },
}

/// The width of the labels.
const LABELS: u16 = 16;

/// Reads a job's name.
pub fn job_name(name: &str) -> Result<String, String> {
    let names = || Job::ALL.map(Job::name).join(", ");
    Job::parse(name).map(|job| job.name().to_owned()).ok_or_else(|| format!("the jobs are {}", names()))
}

fn status(name: &str) -> Result<RunStatus, String> {
    let names = || RunStatus::ALL.map(RunStatus::name).join(", ");
    RunStatus::parse(name).ok_or_else(|| format!("write one of {}", names()))
}

impl Runs {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        let zone = environment.scheme.zone;
        if let Some(Command::Show { number }) = self.command {
            let attempts = runs::attempts(&mut tx, number).await?;
            if at.json {
                json::print(RunAttempts { attempts })?;
            } else {
                attempts.iter().for_each(|run| print_run(run, zone));
            }
            return Ok(Ending::Done);
        }
        let filter = Filter { job: self.job.as_deref(), status: self.status, business_date: self.day };
        let runs = runs::list(&mut tx, &filter, i64::from(self.last)).await.context("listing the runs")?;
        if at.json {
            json::print(RunList { runs })?;
        } else if runs.is_empty() {
            say!("No such runs.");
        } else {
            print_list(&runs, zone);
        }
        Ok(Ending::Done)
    }
}

fn print_list(runs: &[Run], zone: Tz) {
    let rows = runs.iter().map(|run| {
        let status =
            if run.attempt > 1 { format!("{} (attempt {})", run.status, run.attempt) } else { run.status.clone() };
        vec![
            run.run_no.to_string(),
            run.job.clone(),
            run.business_date.to_string(),
            in_zone(run.started_at.unwrap_or(run.not_before), zone),
            status,
            run.outcome.clone().unwrap_or_default(),
        ]
    });
    print_box(&["run", "job", "for", "began", "status", "did"], rows);
}

fn print_run(run: &Run, zone: Tz) {
    let mut fields = vec![
        (format!("run {}", run.run_no), format!("{} for {}, attempt {}", run.job, run.business_date, run.attempt)),
        ("  status".to_owned(), run.status.clone()),
        ("  due".to_owned(), in_zone(run.scheduled_for, zone)),
    ];
    let mut field = |label: &str, text: Option<String>| {
        if let Some(text) = text {
            fields.push((format!("  {label}"), text));
        }
    };
    field("not before", (run.not_before != run.scheduled_for).then(|| in_zone(run.not_before, zone)));
    field("began", run.started_at.map(|at| in_zone(at, zone)));
    field("ended", run.finished_at.map(|at| in_zone(at, zone)));
    field("took", took(run));
    field("outcome", run.outcome.clone());
    field("makes up for", (run.missed > 0).then(|| format!("{} earlier due times", run.missed)));
    field("on", run.node.clone());
    field("asked for by", run.asked_by.clone());
    print_fields(LABELS, fields);
}

fn took(run: &Run) -> Option<String> {
    let took = run.finished_at? - run.started_at?;
    Some(format!("{}.{:03} s", took.num_seconds(), took.num_milliseconds().rem_euclid(1_000)))
}

fn in_zone(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string()
}
