//! `paylater check`: checks the whole configuration before anything runs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;

use super::open::{At, mail};
use super::table::show;
use super::{Ending, Misconfigured, check_file, json, say};
use crate::clock;
use crate::config::{AllProblems, Loaded, Written, written_out};
use crate::domain::business_days::years_in_words;
use crate::domain::words::count;
use crate::scheme::{Clock, Scheme};
use crate::views::check::{ConfigCheck, Problem};
use crate::views::policy::{PolicyTerms, PolicyVersion};
use crate::views::schema::{VIEWS, View};

#[derive(clap::Args)]
pub struct Check {
    /// How many of each job's next runs to show.
    #[arg(long, default_value_t = 3, value_name = "N")]
    runs: usize,

    /// Print a merchant's terms instead, with all that they inherit, each value with the file and line it comes from.
    #[arg(long, value_name = "MERCHANT")]
    policy: Option<String>,

    /// Print a JSON Schema instead: of a kind of file that people write, for editors, or of what a command prints with --json.
    #[arg(long, value_name = "NAME", value_parser = schemas(), conflicts_with = "policy")]
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
        if let Some(kind) = &self.schema {
            let schema = Written::parse(kind).map(Written::schema).or_else(|| View::named(kind).map(View::schema));
            say!("{}", serde_json::to_string_pretty(&schema)?);
            return Ok(Ending::Done);
        }
        if let (Some(file), Some(feed)) = (&self.file, &self.feed) {
            return check_file::run(at, file, feed).await;
        }
        if let Some(id) = &self.policy {
            let Loaded { scheme, policies, .. } = at.load_with_sources()?;
            let unknown = || format!("there is no merchant {id:?}");
            let mut merchants = scheme.merchants.iter().zip(&policies);
            let found = merchants.find(|(merchant, _)| merchant.id == *id);
            let (merchant, versions) = found.with_context(unknown).map_err(Misconfigured)?;
            if at.json {
                json::print(PolicyTerms::of(merchant, versions))?;
            } else {
                // The text already ends with a line break.
                say!("{}", written_out(versions).trim_end());
            }
            return Ok(Ending::Done);
        }
        match self.check(at) {
            Ok((scheme, check)) => {
                if at.json {
                    json::print(check)?;
                } else {
                    print(&scheme, &check);
                }
                Ok(Ending::Done)
            }
            Err(why) => {
                if at.json {
                    json::print(ConfigCheck::failed(problems(&why)))?;
                }
                Err(why)
            }
        }
    }

    fn check(&self, at: &At) -> Result<(Scheme, ConfigCheck)> {
        let loaded = at.load_with_sources()?;
        let scheme = &loaded.scheme;
        mail(scheme).map_err(Misconfigured)?;
        let today = clock::now().with_timezone(&scheme.zone).date_naive();
        let day = if scheme.clock == Clock::Wall { today.max(scheme.starts_on) } else { scheme.starts_on };
        scheme.check_calendars(day).map_err(Misconfigured)?;
        scheme.check_expected(day).map_err(Misconfigured)?;
        let check = ConfigCheck::of(&loaded, day, self.runs);
        Ok((loaded.scheme, check))
    }
}

fn schemas() -> PossibleValuesParser {
    let written = Written::ALL.map(Written::name);
    PossibleValuesParser::new(written.into_iter().chain(VIEWS.iter().map(|view| view.name)))
}

/// Returns the problems of the configuration files, for `--json`.
fn problems(why: &anyhow::Error) -> Vec<Problem> {
    let all = why.downcast_ref::<Misconfigured>().and_then(|why| why.0.downcast_ref::<AllProblems>());
    match all {
        Some(all) => all.0.iter().map(Problem::from).collect(),
        None => vec![Problem { message: format!("{why:#}"), ..Problem::default() }],
    }
}

fn print(scheme: &Scheme, check: &ConfigCheck) {
    let (merchants, feeds) = (count(check.policies.len(), "merchant"), count(check.feeds.len(), "feed"));
    show!("{}: {merchants}, {feeds}, time zone {}", scheme.name, scheme.zone);
    for policy in &check.policies {
        show!("  merchant {}: {}", policy.merchant_id, policy.file);
        for version in &policy.versions {
            let (from, currency) = (version.effective_from, &version.currency);
            show!("    version {from}: {currency}, {}{}", count(version.bands, "band"), inherits(version));
        }
    }
    for rate in &check.reference_rates {
        let latest = rate.rate.as_ref().zip(rate.from).map(|(rate, from)| format!("latest {rate}, from {from} on"));
        show!("  reference rate {}: {}", rate.name, latest.unwrap_or_default());
    }
    for calendar in &check.calendars {
        let from = calendar.file.as_deref().unwrap_or("built in");
        show!("  calendar {}: {} ({from})", calendar.calendar, years_in_words(&calendar.years));
    }
    for (job, check) in scheme.jobs.iter().zip(&check.jobs) {
        let time = |at: &DateTime<Utc>| at.with_timezone(&job.zone).format("%Y-%m-%d %H:%M:%S %Z").to_string();
        let times: Vec<String> = check.next.iter().map(time).collect();
        let times = if times.is_empty() { "with the close of each day".to_owned() } else { times.join(", ") };
        show!("  job {:<21} {times}", job.name);
    }
    for warning in &check.warnings {
        show!("  note: {warning}");
    }
    say!("All good.");
}

/// Returns what a version inherits: `, the same as 2026-01-01 but for late_fee`.
fn inherits(version: &PolicyVersion) -> String {
    let but =
        if version.own_keys.is_empty() { String::new() } else { format!(" but for {}", version.own_keys.join(", ")) };
    match (&version.base, version.same_as) {
        (Some(base), _) => format!(", the same as {} of {}{but}", base.effective_from, base.file),
        (None, Some(day)) => format!(", the same as {day}{but}"),
        (None, None) => String::new(),
    }
}
