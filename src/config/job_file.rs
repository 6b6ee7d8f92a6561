//! Job files: when each job runs. One TOML file a job in `jobs/`, under the job's name.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::Deserialize;

use super::{parse_toml, read};
use crate::domain::calendar::instant_of;

/// The files that come with paylater; a folder named in the configuration can replace them.
const BUILT_IN: &[(&str, &str)] = &[
    ("ingest_files", include_str!("../../jobs/ingest_files.toml")),
    ("assess_positions", include_str!("../../jobs/assess_positions.toml")),
    ("send_reminders", include_str!("../../jobs/send_reminders.toml")),
    ("collect_debits", include_str!("../../jobs/collect_debits.toml")),
    ("pay_out_credit", include_str!("../../jobs/pay_out_credit.toml")),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// The latest missed run is made up for.
    Once,
    /// None is; the next due time will do.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJob {
    about: String,
    cron: String,
    time_zone: Option<String>,
    #[serde(default)]
    after: Vec<String>,
    catch_up: CatchUp,
}

/// All jobs, in the order in which a business day runs them.
pub fn load(folder: Option<&Path>, scheme_zone: Tz) -> Result<Vec<JobFile>> {
    let mut jobs = Vec::new();
    for (name, built_in) in BUILT_IN {
        let path = folder.map(|folder| folder.join(format!("{name}.toml"))).filter(|path| path.exists());
        let (shown, text) = match &path {
            Some(path) => (path.clone(), read(path)?),
            None => (format!("jobs/{name}.toml").into(), (*built_in).to_owned()),
        };
        let raw: RawJob = parse_toml(&shown, &text)?;
        jobs.push(raw.resolve(name, scheme_zone).with_context(|| format!("in {}", shown.display()))?);
    }
    in_order(jobs)
}

impl RawJob {
    fn resolve(self, name: &str, scheme_zone: Tz) -> Result<JobFile> {
        let cron = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Optional)
            .build()
            .parse(&self.cron)
            .map_err(|why| anyhow::anyhow!("cron {:?}: {why}", self.cron))?;
        let zone = match self.time_zone.as_deref() {
            None | Some("scheme") => scheme_zone,
            Some(name) => {
                Tz::from_str(name).ok().with_context(|| format!("time_zone {name:?}: write scheme or an IANA name"))?
            }
        };
        let job = JobFile {
            name: name.to_owned(),
            about: self.about,
            cron,
            cron_text: self.cron,
            zone,
            after: self.after,
            catch_up: self.catch_up,
        };
        // A date that never comes is found by looking for it.
        job.next_after(DateTime::UNIX_EPOCH).with_context(|| format!("cron {:?} never comes", job.cron_text))?;
        Ok(job)
    }
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
