//! `paylater check`: everything paylater is told, looked at before anything runs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value as Json, json};

use super::open::{At, mail};
use super::{Ending, Misconfigured, check_file, say};
use crate::clock;
use crate::config::{self, AllProblems, Loaded, Parent, Version, Written, written_out};
use crate::domain::business_days::years_in_words;
use crate::domain::decide::due;
use crate::domain::terms::due_dates::Clock as TermClock;
use crate::files::rows::Kind;
use crate::scheme::{Clock, Merchant, Scheme};

#[derive(clap::Args)]
pub struct Check {
    /// How many of each job's next runs to show.
    #[arg(long, default_value_t = 3, value_name = "N")]
    runs: usize,

    /// Print a merchant's terms instead, with all that they inherit, each value with the file and line it comes from.
    #[arg(long, value_name = "MERCHANT")]
    policy: Option<String>,

    /// Print the JSON Schema of a kind of file instead, for editors.
    #[arg(long, value_name = "KIND", value_parser = ["policy", "config", "job", "profile"], conflicts_with = "policy")]
    schema: Option<String>,

    /// Show how a file would be read instead: header, columns, first rows, totals, and what would be rejected.
    #[arg(long, value_name = "FILE", requires = "feed", conflicts_with_all = ["policy", "schema"])]
    file: Option<PathBuf>,

    /// The feed that the file is for.
    #[arg(long, value_name = "NAME", requires = "file")]
    feed: Option<String>,
}

impl Check {
    pub async fn run(self, at: &At) -> Result<Ending> {
        if let Some(kind) = self.schema.as_deref().and_then(Written::parse) {
            say!("{}", serde_json::to_string_pretty(&kind.schema())?);
            return Ok(Ending::Done);
        }
        if let (Some(file), Some(feed)) = (&self.file, &self.feed) {
            return check_file::run(at, file, feed).await;
        }
        let loaded = match at.load_with_sources() {
            Ok(loaded) => loaded,
            Err(why) => {
                if at.json {
                    say!("{}", serde_json::to_string_pretty(&problems(&why))?);
                }
                return Err(why);
            }
        };
        let Loaded { scheme: config, policies, calendars } = loaded;
        if let Some(id) = &self.policy {
            let unknown = || format!("there is no merchant {id:?}");
            let at = config.merchants.iter().position(|merchant| merchant.id == *id);
            let at = at.with_context(unknown).map_err(Misconfigured)?;
            // The text ends its last line itself.
            say!("{}", written_out(&policies[at]).trim_end());
            return Ok(Ending::Done);
        }
        mail(&config).map_err(Misconfigured)?;
        let today = clock::now().with_timezone(&config.zone).date_naive();
        let day = if config.clock == Clock::Wall { today.max(config.starts_on) } else { config.starts_on };
        config.check_calendars(day).map_err(Misconfigured)?;
        config.check_expected(day).map_err(Misconfigured)?;
        let warnings = warnings(&config, day);
        let next_runs = |name: &str| -> Vec<DateTime<Utc>> {
            let Some(job) = config.job(name) else { return Vec::new() };
            std::iter::successors(job.next_after(clock::now()), |at| job.next_after(*at)).take(self.runs).collect()
        };
        if at.json {
            let jobs: Vec<_> = config
                .jobs
                .iter()
                .map(|job| json!({ "job": job.name, "cron": job.schedule.as_ref().map(|schedule| &schedule.cron_text), "time_zone": job.zone.name(), "next": next_runs(&job.name) }))
                .collect();
            let calendars: Vec<_> = calendars
                .all()
                .map(|named| json!({ "calendar": named.calendar.name, "years": named.calendar.years, "file": named.path }))
                .collect();
            let policies: Vec<_> =
                config.merchants.iter().zip(&policies).map(|(merchant, written)| policy(merchant, written)).collect();
            let answer = json!({ "ok": true, "warnings": warnings, "policies": policies, "calendars": calendars,
                                 "jobs": jobs });
            say!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(Ending::Done);
        }
        say!(
            "{}: {} merchants, {} feeds, time zone {}",
            config.name,
            config.merchants.len(),
            config.feeds.len(),
            config.zone
        );
        for (merchant, versions) in config.merchants.iter().zip(&policies) {
            say!("  merchant {}: {}", merchant.id, versions[0].own.location.file);
            for (terms, written) in merchant.policy.versions.iter().zip(versions) {
                let (from, currency, bands) = (terms.effective_from, terms.currency, terms.bands.len());
                say!("    version {from}: {currency}, {bands} bands{}", inherits(written));
            }
        }
        for (name, table) in &config.reference_rates {
            let latest = table.entries().last().map(|(from, rate)| format!("latest {rate}, from {from} on"));
            say!("  reference rate {name}: {}", latest.unwrap_or_default());
        }
        for named in calendars.all() {
            let from = named.path.as_ref().map_or("built in".to_owned(), |path| path.display().to_string());
            say!("  calendar {}: {} ({from})", named.calendar.name, years_in_words(&named.calendar.years));
        }
        for job in &config.jobs {
            let zone = job.zone;
            let times: Vec<String> = next_runs(&job.name)
                .iter()
                .map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string())
                .collect();
            let times = if times.is_empty() { "with the close of each day".to_owned() } else { times.join(", ") };
            say!("  job {:<21} {times}", job.name);
        }
        for warning in &warnings {
            say!("  note: {warning}");
        }
        say!("All good.");
        Ok(Ending::Done)
    }
}

/// What is wrong with the files, for programs.
fn problems(why: &anyhow::Error) -> Json {
    let all = why.downcast_ref::<Misconfigured>().and_then(|why| why.0.downcast_ref::<AllProblems>());
    let problem = |problem: &config::Problem| {
        json!({ "file": &*problem.file, "line": problem.line, "key": problem.key, "message": problem.message,
                "inherited_by": problem.inherited_by })
    };
    let problems: Vec<Json> = match all {
        Some(all) => all.0.iter().map(problem).collect(),
        None => vec![json!({ "message": format!("{why:#}") })],
    };
    json!({ "ok": false, "problems": problems })
}

/// A policy and what its versions inherit, for programs.
fn policy(merchant: &Merchant, versions: &[Version]) -> Json {
    let version = |version: &Version| {
        let (base, same_as) = match &version.parent {
            Parent::None => (None, None),
            Parent::Base { file, effective_from } => {
                (Some(json!({ "file": &**file, "effective_from": effective_from })), None)
            }
            Parent::Earlier(day) => (None, Some(day)),
        };
        json!({ "effective_from": version.effective_from, "line": version.own.location.line, "base": base, "same_as": same_as })
    };
    let written: Vec<Json> = versions.iter().map(version).collect();
    json!({ "merchant": merchant.id, "file": &*versions[0].own.location.file, "versions": written })
}

/// `, the same as 2026-01-01 but for late_fee`.
fn inherits(version: &Version) -> String {
    let own = version.own.table().map(|table| table.iter().map(|(key, _)| key).collect::<Vec<_>>()).unwrap_or_default();
    let own: Vec<&str> = own.into_iter().filter(|key| !matches!(*key, "effective_from" | "same_as")).collect();
    let but = if own.is_empty() { String::new() } else { format!(" but for {}", own.join(", ")) };
    match &version.parent {
        Parent::None => String::new(),
        Parent::Base { file, effective_from } => format!(", the same as {effective_from} of {file}{but}"),
        Parent::Earlier(day) => format!(", the same as {day}{but}"),
    }
}

/// What is allowed, but hardly meant.
fn warnings(config: &Scheme, day: NaiveDate) -> Vec<String> {
    let mut warnings = Vec::new();
    for feed in &config.feeds {
        if feed.remote.is_none() && !feed.folder.is_dir() {
            warnings.push(format!(
                "feed {}: the folder {} is not there; no day is closed until it is",
                feed.name,
                feed.folder.display()
            ));
        }
    }
    for (kind, code) in [(Kind::Customers, "NO_CUSTOMER"), (Kind::Agreements, "NO_AGREEMENT")] {
        if !config.feeds.iter().any(|feed| feed.kind == kind) {
            warnings.push(format!("no feed brings {}: every order will be declined with {code}", kind.name()));
        }
    }
    for merchant in &config.merchants {
        warnings.extend(without_fulfilments(config, merchant));
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

/// A merchant whose orders wait for events that no feed brings.
fn without_fulfilments(config: &Scheme, merchant: &Merchant) -> Option<String> {
    let brings =
        |kind: Kind| config.feeds.iter().any(|feed| feed.kind == kind && feed.merchant.as_ref() == Some(&merchant.id));
    if !brings(Kind::Orders) || brings(Kind::Fulfilments) {
        return None;
    }
    let waiting = merchant.policy.versions.iter().find(|terms| !terms.clock.starts_without_events())?;
    let (clock, column) = match waiting.clock {
        TermClock::Shipped => ("shipped", "shipped_at"),
        TermClock::Delivered => ("delivered", "delivered_at"),
        TermClock::Confirmed { .. } | TermClock::Ordered => ("confirmed", "confirmed_at"),
    };
    Some(format!(
        "merchant {}, policy version {}: clock = \"{clock}\", but no feed brings fulfilments: an order without {column} in \
         its own row never falls due, and blocks its customer's limit for ever",
        merchant.id, waiting.effective_from
    ))
}
