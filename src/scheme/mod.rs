//! A scheme as it is set up: merchants with their terms, feeds, mail, and when jobs run. It is what jobs work with.
//! Deliberately absent: how any of it is written in files, which `config` reads, and anything that the books record.

mod feed;
mod home;
mod mail;
mod merchant;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::decide::due;
use crate::domain::terms::reference_rate::RateTable;
use crate::files::remote::RemoteFolder;

pub use feed::{Afterwards, Bill, Feed, Inbox, Unreachable, WhenMissing};
pub use home::Home;
pub use mail::{Mail, MailTransport};
pub use merchant::{Changed, Merchant, changed};
pub use schedule::{CatchUp, JobFile, Schedule, is_part_of_close};

/// A scheme as it is set up: everything paylater knows before it starts.
#[derive(Debug)]
pub struct Scheme {
    pub name: String,
    pub zone: Tz,
    pub starts_on: NaiveDate,
    pub clock: Clock,
    /// Everything paylater makes is below it.
    pub home: Home,
    /// `sqlite:` or `postgres://`. May hold a password: never shown.
    pub store_url: String,
    /// Rows of a file that are committed together.
    pub commit_rows: usize,
    pub mail: Mail,
    /// How long a close proves sealed days and orders again, besides the last sealed day.
    pub prove_within: Duration,
    /// Reference rates that policies may refer to, by name.
    pub reference_rates: BTreeMap<String, RateTable>,
    pub merchants: Vec<Arc<Merchant>>,
    pub feeds: Vec<Feed>,
    /// Where corrections come from that people make at the command line: a folder below home for each merchant.
    pub by_hand: Vec<Feed>,
    /// Where the reports of each day are sent as well.
    pub reports: Option<RemoteFolder>,
    /// First days of the delinquency buckets.
    pub buckets: Vec<i64>,
    /// After how many days a row that waits for its order becomes an exception.
    pub pending_days: i64,
    /// How many days the daemon closes at once without being asked.
    pub days_at_once: i64,
    /// How long a wall clock that stepped ahead must hold before the daemon believes it.
    pub clock_wait: Duration,
    /// Money that is dated more days ahead than this is an exception at once.
    pub dated_ahead_days: i64,
    pub jobs: Vec<JobFile>,
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
    /// The feed of a name, also of those that are not configured.
    pub fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.iter().chain(&self.by_hand).find(|feed| feed.name == name)
    }

    pub fn merchant(&self, id: &str) -> Option<&Arc<Merchant>> {
        self.merchants.iter().find(|merchant| merchant.id == id)
    }

    pub fn job(&self, name: &str) -> Option<&JobFile> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// Refuses to go on if an order of `day` could fall due in a year that its policy's calendar does not know.
    pub fn check_calendars(&self, day: NaiveDate) -> Result<()> {
        for merchant in &self.merchants {
            let Some(terms) = merchant.policy.in_force(day) else { continue };
            due::latest(terms, day, 0).with_context(|| {
                format!(
                    "merchant {}, policy version {}: the due date of an order whose term starts on {day} cannot be told; \
                     add the year to the calendar: a file of your own under [calendars] takes the place of a built-in one",
                    merchant.id, terms.effective_from
                )
            })?;
        }
        Ok(())
    }

    /// Refuses to go on if it cannot be told whether a feed's file is due on `day`.
    pub fn check_expected(&self, day: NaiveDate) -> Result<()> {
        for feed in &self.feeds {
            feed.expected_on(day)?;
        }
        Ok(())
    }
}
