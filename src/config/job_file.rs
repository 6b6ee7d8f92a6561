//! Job files: when each job runs. One TOML file a job in `jobs/`, under the job's name.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problems::{Problems, Rules};
use super::values::time_zone;
use super::{read, read_as};
use crate::domain::calendar::instant_of;

/// The files that come with paylater; a folder named in the configuration can replace them.
const BUILT_IN: &[(&str, &str)] = &[
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
#[derive(Debug, Clone)]
pub struct JobFile {
    pub name: String,
    pub about: String,
    cron: Cron,
    pub cron_text: String,
    pub zone: Tz,
    /// Jobs that come before it on a business day.
    pub after: Vec<String>,
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

/// When a job runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawJob {
    /// What it does, for people.
    about: String,
    /// Second (may be left out), minute, hour, day, month, weekday.
    cron: String,
    /// scheme, or an IANA name.
    time_zone: Option<String>,
    /// Jobs that come first on a business day.
    #[serde(default)]
    after: Vec<String>,
    /// What becomes of runs missed while the daemon was down: once makes up for the latest, skip for none.
    catch_up: CatchUp,
}

/// All jobs, in the order in which a business day runs them; none with every reason among the problems.
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
        let cron = rules.keep("cron", cron(&self.cron));
        let zone = match self.time_zone.as_deref() {
            None | Some("scheme") => Some(scheme_zone),
            Some(name) => rules.keep("time_zone", time_zone(name)),
        };
        let job = JobFile {
            name: name.to_owned(),
            about: self.about,
            cron: cron?,
            cron_text: self.cron,
            zone: zone?,
            after: self.after,
            catch_up: self.catch_up,
        };
        // A date that never comes is found by looking for it.
        let comes = job.next_after(DateTime::UNIX_EPOCH);
        rules
            .keep("cron", comes.with_context(|| format!("{:?} never comes; write a day that exists", job.cron_text)))?;
        Some(job)
    }
}

fn cron(text: &str) -> Result<Cron> {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    parser.parse(text).map_err(|why| anyhow::anyhow!("{text:?}: {why}; write it like \"0 30 0 * * *\""))
}

impl JobFile {
    /// The first due time after an instant.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&at.with_timezone(&self.zone), false).ok()?;
        Some(next.to_utc())
    }

    /// The latest due time up to an instant.
    pub fn latest_by(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest = self.cron.find_previous_occurrence(&at.with_timezone(&self.zone), true).ok()?;
        Some(latest.to_utc())
    }

    /// The set time on a day: the first due time that falls on it, or the day's beginning if none does.
    pub fn set_time_on(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = instant_of(day.and_time(NaiveTime::MIN), self.zone);
        let just_before = midnight - chrono::TimeDelta::seconds(1);
        self.next_after(just_before).filter(|at| at.with_timezone(&self.zone).date_naive() == day).unwrap_or(midnight)
    }
}

/// Sorts jobs so that each comes after those it names.
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
