//! `paylater check`: everything paylater is told, looked at before anything runs.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::open::{At, mail};
use super::say;
use super::{Ending, Misconfigured};
use crate::clock;
use crate::config::{Clock, Config};
use crate::domain::business_days::years_in_words;
use crate::domain::due;

#[derive(clap::Args)]
pub struct Check {
    /// How many of each job's next runs to show.
    #[arg(long, default_value_t = 3, value_name = "N")]
    runs: usize,
}

impl Check {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let config = at.load_config()?;
        mail(&config).map_err(Misconfigured)?;
        let today = clock::now().with_timezone(&config.zone).date_naive();
        let day = if config.clock == Clock::Wall { today.max(config.starts_on) } else { config.starts_on };
        config.check_calendars(day).map_err(Misconfigured)?;
        let warnings = warnings(&config, day);
        let next_runs = |name: &str| -> Vec<DateTime<Utc>> {
            let Some(job) = config.job(name) else { return Vec::new() };
            std::iter::successors(job.next_after(clock::now()), |at| job.next_after(*at)).take(self.runs).collect()
        };
        if at.json {
            let jobs: Vec<_> = config
                .jobs
                .iter()
                .map(|job| json!({ "job": job.name, "cron": job.cron_text, "time_zone": job.zone.name(), "next": next_runs(&job.name) }))
                .collect();
            let calendars: Vec<_> = config
                .calendars
                .all()
                .map(|named| json!({ "calendar": named.calendar.name, "years": named.calendar.years, "file": named.path }))
                .collect();
            let told = json!({ "ok": true, "warnings": warnings, "calendars": calendars, "jobs": jobs });
            say!("{}", serde_json::to_string_pretty(&told)?);
            return Ok(Ending::Done);
        }
        say!(
            "{}: {} merchants, {} feeds, time zone {}",
            config.name,
            config.merchants.len(),
            config.feeds.len(),
            config.zone
        );
        for merchant in &config.merchants {
            let versions: Vec<String> = merchant
                .policy
                .versions
                .iter()
                .map(|terms| format!("{} ({}, {} bands)", terms.effective_from, terms.currency, terms.bands.len()))
                .collect();
            say!("  merchant {}: policy versions {}", merchant.id, versions.join(", "));
        }
        for (name, table) in &config.rates.tables {
            let latest = table.entries().last().map(|(from, rate)| format!("latest {rate}, from {from} on"));
            say!("  reference rate {name}: {}", latest.unwrap_or_default());
        }
        for named in config.calendars.all() {
            let from = named.path.as_ref().map_or("built in".to_owned(), |path| path.display().to_string());
            say!("  calendar {}: {} ({from})", named.calendar.name, years_in_words(&named.calendar.years));
        }
        for job in &config.jobs {
            let zone = job.zone;
            let times: Vec<String> = next_runs(&job.name)
                .iter()
                .map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string())
                .collect();
            say!("  job {:<21} {}", job.name, times.join(", "));
        }
        for warning in &warnings {
            say!("  note: {warning}");
        }
        say!("All good.");
        Ok(Ending::Done)
    }
}

/// What is allowed, but hardly meant.
fn warnings(config: &Config, day: NaiveDate) -> Vec<String> {
    let mut warnings = Vec::new();
    for feed in &config.feeds {
        if !feed.folder.is_dir() {
            warnings.push(format!("feed {}: the folder {} is not there yet", feed.name, feed.folder.display()));
        }
    }
    for merchant in &config.merchants {
        let first = merchant.policy.versions[0].effective_from;
        if first > config.starts_on {
            warnings
                .push(format!("merchant {}: no policy is in force from {} to {first}", merchant.id, config.starts_on));
        }
        for terms in merchant.policy.versions.iter().filter(|terms| terms.days_off.is_some()) {
            let from = day.max(terms.effective_from);
            if let Err(no_year) = due::latest(terms, from, terms.longest_delay()) {
                warnings.push(format!(
                    "merchant {}, policy version {}: an order of {from}, held and extended as long as it may be, can fall \
                     due later than its calendar knows; rows that lead there are rejected until it does: {no_year}",
                    merchant.id, terms.effective_from
                ));
            }
        }
        if !config.feeds.iter().any(|feed| feed.merchant.as_ref() == Some(&merchant.id)) {
            warnings.push(format!("merchant {}: no feed brings its files", merchant.id));
        }
    }
    warnings
}
