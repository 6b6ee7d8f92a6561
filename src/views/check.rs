//! The view of `check`: the problems of the configuration or, if it has none, its contents.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::policy::PolicyFile;
use crate::clock;
use crate::config::{self, Loaded};
use crate::domain::decide::due;
use crate::domain::intake::code::DeclineCode;
use crate::domain::terms::due_dates::Clock as TermClock;
use crate::files::rows::Kind;
use crate::scheme::{Feed, JobFile, Merchant, Scheme};

#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct ConfigCheck {
    /// Whether the scheme can run. If not, `problems` says why, and the rest is empty.
    pub ok: bool,
    pub problems: Vec<Problem>,
    /// What is allowed, but hardly meant, in words.
    pub warnings: Vec<String>,
    /// The scheme's name.
    pub scheme: Option<String>,
    pub time_zone: Option<String>,
    pub feeds: Vec<FeedName>,
    pub policies: Vec<PolicyFile>,
    pub reference_rates: Vec<ReferenceRate>,
    pub calendars: Vec<Calendar>,
    pub jobs: Vec<JobTimes>,
}

/// Something that is wrong with a file.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Problem {
    /// Null if it is about no file.
    pub file: Option<String>,
    /// Null if it is about the file as a whole.
    pub line: Option<usize>,
    /// As in late_fee.rate.
    pub key: Option<String>,
    pub message: String,
    /// What inherits the key from another file or version.
    pub inherited_by: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedName {
    pub feed: String,
    /// What its rows are: orders, payments, …
    pub kind: String,
    /// Null of a feed of the whole scheme.
    pub merchant_id: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ReferenceRate {
    pub name: String,
    /// The latest rate, a decimal.
    pub rate: Option<String>,
    pub from: Option<NaiveDate>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Calendar {
    pub calendar: String,
    /// The years it knows; empty if it knows every year.
    pub years: Vec<i32>,
    /// Null of a built-in one.
    pub file: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct JobTimes {
    pub job: String,
    /// Null of a job that is part of the close of a day.
    pub cron: Option<String>,
    pub time_zone: String,
    /// Its next runs.
    pub next: Vec<DateTime<Utc>>,
}

impl ConfigCheck {
    /// The view of a configuration without problems, with the next `runs` runs of each job.
    pub fn of(loaded: &Loaded, day: NaiveDate, runs: usize) -> ConfigCheck {
        let Loaded { scheme, policies, calendars } = loaded;
        let feed = |feed: &Feed| FeedName {
            feed: feed.name.clone(),
            kind: feed.kind.name().to_owned(),
            merchant_id: feed.owner.merchant().map(str::to_owned),
        };
        let rates = scheme.reference_rates.iter().map(|(name, table)| {
            let latest = table.entries().last();
            let (from, rate) = (latest.map(|(from, _)| *from), latest.map(|(_, rate)| rate.to_string()));
            ReferenceRate { name: name.clone(), rate, from }
        });
        let calendars = calendars.all().map(|named| Calendar {
            calendar: named.calendar.name.clone(),
            years: named.calendar.years.clone(),
            file: named.path.as_ref().map(|path| path.display().to_string()),
        });
        let merchants = scheme.merchants.iter().zip(policies);
        let policies = merchants.map(|(merchant, versions)| PolicyFile::of(merchant, versions));
        ConfigCheck {
            ok: true,
            problems: Vec::new(),
            warnings: warnings(scheme, day),
            scheme: Some(scheme.name.clone()),
            time_zone: Some(scheme.zone.name().to_owned()),
            feeds: scheme.feeds.iter().map(feed).collect(),
            policies: policies.collect(),
            reference_rates: rates.collect(),
            calendars: calendars.collect(),
            jobs: scheme.jobs.iter().map(|job| JobTimes::of(job, runs)).collect(),
        }
    }

    pub fn failed(problems: Vec<Problem>) -> ConfigCheck {
        ConfigCheck { problems, ..ConfigCheck::default() }
    }
}

impl From<&config::Problem> for Problem {
    fn from(problem: &config::Problem) -> Problem {
        Problem {
            file: Some(problem.file.to_string()),
            line: problem.line,
            key: Some(problem.key.clone()).filter(|key| !key.is_empty()),
            message: problem.message.clone(),
            inherited_by: problem.inherited_by.clone(),
        }
    }
}

impl JobTimes {
    fn of(job: &JobFile, runs: usize) -> JobTimes {
        let next = std::iter::successors(job.next_after(clock::now()), |at| job.next_after(*at));
        JobTimes {
            job: job.name.clone(),
            cron: job.schedule.as_ref().map(|schedule| schedule.times.text.clone()),
            time_zone: job.zone.name().to_owned(),
            next: next.take(runs).collect(),
        }
    }
}

/// Returns warnings about settings that are allowed but probably a mistake.
fn warnings(scheme: &Scheme, day: NaiveDate) -> Vec<String> {
    let mut warnings = Vec::new();
    for feed in &scheme.feeds {
        if feed.remote.is_none() && !feed.folder.is_dir() {
            warnings.push(format!(
                "feed {}: the folder {} is not there; no day is closed until it is",
                feed.name,
                feed.folder.display()
            ));
        }
    }
    for (kind, code) in [(Kind::Customers, DeclineCode::NoCustomer), (Kind::Agreements, DeclineCode::NoAgreement)] {
        if !scheme.feeds.iter().any(|feed| feed.kind == kind) {
            warnings.push(format!("no feed brings {}: every order will be declined with {code}", kind.name()));
        }
    }
    for merchant in &scheme.merchants {
        warnings.extend(without_fulfilments(scheme, merchant));
        let first = merchant.policy.versions[0].effective_from;
        if first > scheme.starts_on {
            warnings
                .push(format!("merchant {}: no policy is in force from {} to {first}", merchant.id, scheme.starts_on));
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
        if !scheme.feeds.iter().any(|feed| feed.owner.merchant() == Some(&merchant.id)) {
            warnings.push(format!("merchant {}: no feed brings its files", merchant.id));
        }
    }
    warnings
}

/// Returns a warning if a merchant's orders wait for fulfilments that no feed brings.
fn without_fulfilments(scheme: &Scheme, merchant: &Merchant) -> Option<String> {
    let brings =
        |kind: Kind| scheme.feeds.iter().any(|feed| feed.kind == kind && feed.owner.merchant() == Some(&merchant.id));
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
