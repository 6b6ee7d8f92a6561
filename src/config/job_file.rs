//! Job files: when each job runs. Each job has one TOML file in `jobs/` with the job's name.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::DateTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::toml::{Problems, Rules, read, read_as, time_zone};
use crate::scheme::{CatchUp, JobFile, Retries, Schedule, Times, is_part_of_close};

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
    /// What becomes of runs missed while the daemon was down or busy: none, last or all. Goes with cron.
    catch_up: Option<CatchUp>,
    /// How far back catch_up = "all" goes.
    #[serde(default = "default_catch_up_days")]
    catch_up_days: i64,
    /// A run that cannot begin for this long after its time is skipped. Default: 10 with catch_up = "none", else no limit.
    deadline_minutes: Option<i64>,
    /// A run that takes longer is stopped, and counts as failed. It continues where it stopped.
    #[serde(default = "default_time_limit_minutes")]
    time_limit_minutes: i64,
    /// How often a failed run is tried again before the next time.
    #[serde(default)]
    retries: i64,
    /// The wait before the first retry; each further wait is twice as long, up to 15 minutes.
    #[serde(default = "default_retry_seconds")]
    retry_seconds: i64,
    /// A run begins up to this long after its time.
    #[serde(default)]
    jitter_seconds: i64,
    /// Whether the daemon runs the job.
    #[serde(default = "yes")]
    enabled: bool,
}

fn default_catch_up_days() -> i64 {
    7
}

fn default_time_limit_minutes() -> i64 {
    60
}

fn default_retry_seconds() -> i64 {
    60
}

fn yes() -> bool {
    true
}

/// The longest wait before a retry.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The deadline of a job that does not catch up.
const MISSED_AFTER_MINUTES: i64 = 10;

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
    /// The outer `None` means that there are problems, the inner one that the job is part of the close.
    fn schedule(&self, name: &str, rules: &mut Rules) -> Option<Option<Schedule>> {
        let times = rules.keep("cron", times(name, self.cron.as_deref(), self.catch_up));
        let catch_up_within = rules.keep("catch_up_days", within(self.catch_up_days, 1, 366, 86_400));
        let deadline = match (self.deadline_minutes, self.catch_up) {
            (Some(minutes), _) => rules.keep("deadline_minutes", within(minutes, 1, 10_080, 60)).map(Some),
            (None, Some(CatchUp::None)) => {
                rules.keep("deadline_minutes", within(MISSED_AFTER_MINUTES, 1, 10_080, 60)).map(Some)
            }
            (None, _) => Some(None),
        };
        let time_limit = rules.keep("time_limit_minutes", within(self.time_limit_minutes, 1, 10_080, 60));
        let first_wait = rules.keep("retry_seconds", within(self.retry_seconds, 1, 3_600, 1));
        let jitter = rules.keep("jitter_seconds", within(self.jitter_seconds, 0, 3_600, 1));
        let retries = rules.keep("retries", within(self.retries, 0, 1_000, 1)).map(|_| self.retries);
        let Some((times, catch_up)) = times? else { return Some(None) };
        Some(Some(Schedule {
            times,
            catch_up,
            catch_up_within: catch_up_within?,
            deadline: deadline?,
            time_limit: time_limit?,
            retries: Retries { at_most: retries?, first_wait: first_wait?, longest_wait: LONGEST_WAIT },
            jitter: jitter?,
            enabled: self.enabled,
        }))
    }

    fn resolve(self, name: &str, scheme_zone: Tz, rules: &mut Rules) -> Option<JobFile> {
        let schedule = self.schedule(name, rules);
        let zone = match self.time_zone.as_deref() {
            None | Some("scheme") => Some(scheme_zone),
            Some(name) => rules.keep("time_zone", time_zone(name)),
        };
        let job =
            JobFile { name: name.to_owned(), about: self.about, schedule: schedule?, zone: zone?, after: self.after };
        // Only a search for the next run finds a date that never occurs.
        if let (Some(schedule), None) = (&job.schedule, job.next_after(DateTime::UNIX_EPOCH)) {
            let never = anyhow::anyhow!("{:?} never comes; write a day that exists", schedule.times.text);
            rules.keep("cron", Err::<(), _>(never))?;
        }
        Some(job)
    }
}

/// Returns a job's times and its catch-up; `None` for a part of the close.
fn times(name: &str, cron_text: Option<&str>, catch_up: Option<CatchUp>) -> Result<Option<(Times, CatchUp)>> {
    let is_part = is_part_of_close(name);
    match (cron_text, catch_up) {
        (None, _) if is_part => Ok(None),
        (Some(_), _) if is_part => {
            bail!("{name} runs with the close of each day and has no time of its own; remove cron")
        }
        (Some(text), Some(catch_up)) => {
            let times = Times::parse(text);
            let times = times.map_err(|why| anyhow::anyhow!("{text:?}: {why}; write it like \"0 30 0 * * *\""))?;
            Ok(Some((times, catch_up)))
        }
        (Some(_), None) => bail!("say with catch_up what becomes of missed runs: \"none\", \"last\" or \"all\""),
        (None, _) => bail!("say when {name} runs, such as cron = \"0 30 0 * * *\""),
    }
}

fn within(number: i64, least: i64, most: i64, unit_seconds: u64) -> Result<Duration> {
    let number = u64::try_from(number).ok().filter(|_| (least..=most).contains(&number));
    let number = number.with_context(|| format!("it is not from {least} to {most}; write a number that is"))?;
    Ok(Duration::from_secs(number * unit_seconds))
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
