//! Job files: when each job runs. Each job has one TOML file in `jobs/` with the job's name.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use chrono::DateTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::toml::{Problems, Rules, read, read_as, time_zone};
use crate::scheme::{CatchUp, JobFile, Schedule, is_part_of_close};

/// The job files that come with paylater, by name. A folder named in the configuration can replace them.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("ingest_files", include_str!("../../jobs/ingest_files.toml")),
    ("watch_feeds", include_str!("../../jobs/watch_feeds.toml")),
    ("assess_positions", include_str!("../../jobs/assess_positions.toml")),
    ("send_reminders", include_str!("../../jobs/send_reminders.toml")),
    ("collect_debits", include_str!("../../jobs/collect_debits.toml")),
    ("pay_out_credit", include_str!("../../jobs/pay_out_credit.toml")),
    ("match_bills", include_str!("../../jobs/match_bills.toml")),
    ("close_day", include_str!("../../jobs/close_day.toml")),
    ("write_reconciliation", include_str!("../../jobs/write_reconciliation.toml")),
];

/// When a job runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawJob {
    /// What it does, for people.
    about: String,
    /// Second (may be left out), minute, hour, day, month, weekday. Parts of the close of a day have none.
    cron: Option<String>,
    /// scheme, or an IANA name.
    time_zone: Option<String>,
    /// Jobs that come first on a business day.
    #[serde(default)]
    after: Vec<String>,
    /// What becomes of runs missed while the daemon was down: once makes up for the latest, skip for none. Goes with cron.
    catch_up: Option<CatchUp>,
}

/// Loads all jobs, in the order in which a business day runs them. On failure, returns `None` and adds the problems.
pub fn load(folder: Option<&Path>, scheme_zone: Tz, problems: &mut Problems) -> Option<Vec<JobFile>> {
    let before = problems.count();
    let mut jobs = Vec::new();
    for (name, built_in) in BUILT_IN {
        let path = folder.map(|folder| folder.join(format!("{name}.toml"))).filter(|path| path.exists());
        let (shown, text) = match &path {
            Some(path) => match read(path) {
                Ok(text) => (path.clone(), text),
                Err(why) => {
                    problems.add_file(path, format!("can't be read: {}", why.root_cause()));
                    continue;
                }
            },
            None => (format!("jobs/{name}.toml").into(), (*built_in).to_owned()),
        };
        jobs.extend(job(name, &shown, &text, scheme_zone, problems));
    }
    if problems.count() > before {
        return None;
    }
    in_order(jobs).map_err(|why| problems.add_file(folder.unwrap_or(Path::new("jobs")), format!("{why:#}"))).ok()
}

fn job(name: &str, path: &Path, text: &str, scheme_zone: Tz, problems: &mut Problems) -> Option<JobFile> {
    let (raw, document) = read_as::<RawJob>(path, text, problems)?;
    raw.resolve(name, scheme_zone, &mut Rules::new(&document, problems))
}

impl RawJob {
    fn resolve(self, name: &str, scheme_zone: Tz, rules: &mut Rules) -> Option<JobFile> {
        let schedule = rules.keep("cron", schedule(name, self.cron, self.catch_up));
        let zone = match self.time_zone.as_deref() {
            None | Some("scheme") => Some(scheme_zone),
            Some(name) => rules.keep("time_zone", time_zone(name)),
        };
        let job =
            JobFile { name: name.to_owned(), about: self.about, schedule: schedule?, zone: zone?, after: self.after };
        // Only a search for the next run finds a date that never occurs.
        if let (Some(schedule), None) = (&job.schedule, job.next_after(DateTime::UNIX_EPOCH)) {
            let never = anyhow::anyhow!("{:?} never comes; write a day that exists", schedule.cron_text);
            rules.keep("cron", Err::<(), _>(never))?;
        }
        Some(job)
    }
}

fn schedule(name: &str, cron_text: Option<String>, catch_up: Option<CatchUp>) -> Result<Option<Schedule>> {
    let is_part = is_part_of_close(name);
    match (cron_text, catch_up) {
        (None, _) if is_part => Ok(None),
        (Some(_), _) if is_part => {
            bail!("{name} runs with the close of each day and has no time of its own; remove cron")
        }
        (Some(cron_text), Some(catch_up)) => schedule_of(cron_text, catch_up).map(Some),
        (Some(_), None) => bail!("say with catch_up what becomes of missed runs: \"once\" or \"skip\""),
        (None, _) => bail!("say when {name} runs, such as cron = \"0 30 0 * * *\""),
    }
}

fn schedule_of(cron_text: String, catch_up: CatchUp) -> Result<Schedule> {
    Schedule::parse(&cron_text, catch_up)
        .map_err(|why| anyhow::anyhow!("{cron_text:?}: {why}; write it like \"0 30 0 * * *\""))
}

/// Sorts jobs so that each job comes after the jobs in its `after` list.
fn in_order(mut jobs: Vec<JobFile>) -> Result<Vec<JobFile>> {
    let mut ordered: Vec<JobFile> = Vec::new();
    while !jobs.is_empty() {
        let ready =
            jobs.iter().position(|job| job.after.iter().all(|name| ordered.iter().any(|done| done.name == *name)));
        let names = || jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(ready.is_some(), "jobs wait for each other, or for one that does not exist: {}", names());
        ordered.extend(ready.map(|i| jobs.remove(i)));
    }
    Ok(ordered)
}
