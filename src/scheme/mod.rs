//! The model of a scheme that jobs work with: merchants with their terms, feeds, mail, and when jobs run. Deliberately
//! absent: the file format, which `config` reads, and everything that the books record.

pub mod alerts;
pub mod console;
mod feed;
mod home;
mod mail;
mod merchant;
mod schedule;
mod slice;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::decide::position::ListedPositions;
use crate::domain::terms::reference_rate::RateTable;
use crate::files::exports::Chart;
use crate::files::remote::RemoteFolder;

pub use alerts::Alerts;
pub use console::Console;
pub use feed::{Afterwards, Bill, Feed, Inbox, Unreachable, WhenMissing};
pub use home::Home;
pub use mail::{DkimSettings, Look, Mail, MailTransport, Secret, SmtpSettings};
pub use merchant::{Changed, Merchant, changed};
pub use schedule::{CatchUp, JobFile, Retries, Schedule, Times, is_part_of_close};
pub use slice::Slice;

/// A scheme: everything paylater knows before it starts.
#[derive(Debug)]
pub struct Scheme {
    pub name: String,
    pub zone: Tz,
    pub starts_on: NaiveDate,
    pub clock: Clock,
    /// The folder for everything paylater writes.
    pub home: Home,
    /// A `sqlite:` or `postgres://` URL. May contain a password, so it is never shown.
    pub store_url: String,
    /// How many rows of a file are committed in one transaction.
    pub commit_rows: usize,
    pub mail: Mail,
    /// How long a close spends on proving older sealed days and orders again, in addition to the last sealed day.
    pub prove_within: Duration,
    /// Which positions the reports list.
    pub positions: ListedPositions,
    /// The folder to which people move the reports of old days.
    pub archived_reports: Option<PathBuf>,
    /// Reference rates by name. Policies may refer to them.
    pub reference_rates: BTreeMap<String, RateTable>,
    pub merchants: Vec<Arc<Merchant>>,
    pub feeds: Vec<Feed>,
    /// Feeds for corrections that people make at the command line: one folder below home for each merchant.
    pub by_hand: Vec<Feed>,
    /// An additional destination for the reports of each day.
    pub reports: Option<RemoteFolder>,
    /// The first day past due of each delinquency bucket.
    pub buckets: Vec<i64>,
    /// After how many days a row that waits for its order becomes an exception.
    pub pending_days: i64,
    /// The most days that the daemon closes at once; a person must ask for more.
    pub days_at_once: i64,
    /// How long a step ahead of the wall clock must last before the daemon trusts it.
    pub clock_wait: Duration,
    /// Money dated more days ahead than this is an exception immediately.
    pub dated_ahead_days: i64,
    pub jobs: Vec<JobFile>,
    /// The names of accounts in exported journals.
    pub chart: Chart,
    /// The console as `[console]` sets it up, or as usual.
    pub console: Console,
    /// Whether the daemon serves the console too: there is a `[console]`.
    pub console_beside_daemon: bool,
    /// Who hears that something is wrong.
    pub alerts: Alerts,
    /// URLs that hear of each run of a job, and that the daemon works.
    pub pings: Vec<alerts::Ping>,
}

/// What "now" is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// The business date at the job's set time: for samples, rehearsals and tests.
    Business,
}

impl Scheme {
    /// Finds a feed by name, including the built-in feeds for corrections at the command line.
    pub fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.iter().chain(&self.by_hand).find(|feed| feed.name == name)
    }

    pub fn merchant(&self, id: &str) -> Option<&Arc<Merchant>> {
        self.merchants.iter().find(|merchant| merchant.id == id)
    }

    /// Returns the merchant that a person named.
    pub fn merchant_named(&self, id: &str) -> Result<&Arc<Merchant>> {
        self.merchant(id).with_context(|| {
            let known: Vec<&str> = self.merchants.iter().map(|merchant| merchant.id.as_str()).collect();
            match known.as_slice() {
                [only] => format!("there is no merchant {id:?}; the only merchant is {only}"),
                known => format!("there is no merchant {id:?}; the merchants are {}", known.join(", ")),
            }
        })
    }

    /// Returns all slices. The scheme's own comes first, because orders need customers and agreements.
    pub fn slices(&self) -> Vec<Slice<'_>> {
        let mut slices = vec![Slice::Scheme];
        slices.extend(self.merchant_slices());
        slices
    }

    /// Returns the slice of each merchant, for work that has no part that belongs to the scheme.
    pub fn merchant_slices(&self) -> Vec<Slice<'_>> {
        self.merchants.iter().map(|merchant| Slice::Merchant(merchant)).collect()
    }

    /// Returns the feeds whose files belong to a slice, in the order of the configuration.
    pub fn feeds_of<'s>(&'s self, slice: Slice<'_>) -> impl Iterator<Item = &'s Feed> {
        self.feeds.iter().filter(move |feed| slice.has(feed))
    }

    pub fn job(&self, name: &str) -> Option<&JobFile> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// Returns an error if an order of `day` could fall due in a year that its policy's calendar does not cover.
    pub fn check_calendars(&self, day: NaiveDate) -> Result<()> {
        self.merchants.iter().try_for_each(|merchant| merchant.check_calendar(day))
    }

    /// Returns an error if a calendar does not say whether a feed expects a file on `day`.
    pub fn check_expected(&self, day: NaiveDate) -> Result<()> {
        for feed in &self.feeds {
            feed.expected_on(day)?;
        }
        Ok(())
    }
}
