//! Feeds: where files of a kind arrive, how they are read, when they should come, and what their bills answer for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::intake::arrival::{Expected, RejectLimit};
use crate::files::inbox::{Found, NamePattern};
use crate::files::profile::Profile;
use crate::files::read::container::{Delivery, Packing};
use crate::files::remote::RemoteFolder;
use crate::files::rows::Kind;

/// A folder and name pattern in which files of a kind arrive.
#[derive(Debug)]
pub struct Feed {
    pub name: String,
    /// Where its files are taken from; of a remote feed, where fetched files wait.
    pub folder: PathBuf,
    /// Where its files are fetched from, if not from a folder here.
    pub remote: Option<Inbox>,
    /// Where acknowledgements and rejects are sent as well.
    pub outbox: Option<RemoteFolder>,
    pub pattern: NamePattern,
    pub kind: Kind,
    /// How they are read.
    pub profile: Arc<Profile>,
    /// Whose files they are; none for customers and agreements.
    pub merchant: Option<String>,
    /// Who reports the money in them, for the matching.
    pub provider: Option<String>,
    /// What the bills in them answer for; none of other files.
    pub bill: Option<Bill>,
    pub zone: Tz,
    /// Leave files where they are, and take each only once.
    pub keep: bool,
    /// How long a file must have been left alone before it is taken. What was fetched from elsewhere is whole.
    pub settle: Duration,
    /// A file is taken only when another of its name and this ending lies beside it.
    pub done: Option<String>,
    /// What its files may be packed in.
    pub packing: Packing,
    /// When its files should be there; none if nobody waits for them.
    pub expected: Option<Expected>,
    /// What a missing file holds up; `GoOn` of files that bring no news of money.
    pub when_missing: WhenMissing,
    /// The number that its files begin with.
    pub first_number: Option<i64>,
    /// From how many rejected rows on a file is no success.
    pub reject_limit: RejectLimit,
}

/// A place that is not on this machine, from which files are fetched.
#[derive(Debug)]
pub struct Inbox {
    pub place: RemoteFolder,
    pub afterwards: Afterwards,
    pub unreachable: Unreachable,
    /// How long a file must stay as it is before it is fetched, where half a file can be seen.
    pub settle: Duration,
    /// A file is fetched only when another of its name and this ending lies beside it.
    pub done: Option<String>,
}

/// A bill's side of the matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Days after a payment by whose end the bill with it has come.
    pub usual_delay: i64,
    /// Feeds of the same merchant whose payments and refunds it must show.
    pub answers_for: Vec<String>,
    /// Of those, only payments with one of these channels; all if there are none.
    pub channels: Vec<String>,
}

/// What follows when a file with news of money is missing: until it comes, nobody knows who has paid.
#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WhenMissing {
    /// Overdue mails, notices, credit flags and debits of its merchant wait for it.
    #[default]
    Hold,
    /// They wait, and no day is closed.
    Stop,
    /// Nothing waits.
    GoOn,
}

/// What becomes of a file at a remote place once its bytes are safe here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Afterwards {
    /// It moves to `archive/` below the folder.
    #[default]
    Archive,
    /// It is deleted there.
    Delete,
    /// It stays where it is.
    Keep,
}

/// What is done about a day whose remote inbox could not be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreachable {
    /// The day stays open.
    #[default]
    Stop,
    /// The day goes on without its files, with an exception.
    Exception,
}

impl Feed {
    /// A file of this feed, with how it is read.
    pub fn delivery<'a>(&'a self, found: &'a Found) -> Delivery<'a> {
        Delivery { found, packing: &self.packing, profile: &self.profile, kind: self.kind, zone: self.zone }
    }

    /// Who reports the money in its files.
    pub fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or(&self.name)
    }

    /// The date in the name of the file that should come on a business day, if one should.
    pub fn expected_on(&self, day: NaiveDate) -> Result<Option<NaiveDate>> {
        let Some(expected) = &self.expected else { return Ok(None) };
        expected.on(day).with_context(|| {
            format!(
                "feed {}: whether a file is expected on {day} cannot be told; add the year to the calendar: a file of your \
                 own under [calendars] takes the place of a built-in one",
                self.name
            )
        })
    }
}

impl Bill {
    /// Whether payments and refunds that came by a feed are among those it must show.
    pub fn answers_for(&self, feed: &str) -> bool {
        self.answers_for.iter().any(|name| name == feed)
    }

    /// Whether payments by a channel are among them.
    pub fn takes(&self, channel: Option<&str>) -> bool {
        self.channels.is_empty() || channel.is_some_and(|name| self.channels.iter().any(|taken| taken == name))
    }
}
