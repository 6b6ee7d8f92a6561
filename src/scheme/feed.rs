//! Feeds: where files of a kind arrive, how they are read, when they are expected, and which payments a bill must show.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::intake::arrival::{Expected, RejectLimit};
use crate::domain::owner::Owner;
use crate::files::inbox::{Found, NamePattern, valid_name};
use crate::files::profile::Profile;
use crate::files::read::container::{Delivery, Packing};
use crate::files::remote::RemoteFolder;
use crate::files::rows::Kind;

/// A folder and name pattern in which files of a kind arrive.
#[derive(Debug)]
pub struct Feed {
    pub name: String,
    /// The folder from which files are taken; for a remote feed, the folder in which fetched files wait.
    pub folder: PathBuf,
    /// The remote folder from which files are fetched, if the feed has one.
    pub remote: Option<Inbox>,
    /// An additional destination for acknowledgements and rejects.
    pub outbox: Option<RemoteFolder>,
    pub pattern: NamePattern,
    pub kind: Kind,
    /// How the files are read.
    pub profile: Arc<Profile>,
    /// Whose the files are: a merchant's, or the scheme's for customers and agreements.
    pub owner: Owner,
    /// The provider that reports the money in the files, for matching.
    pub provider: Option<String>,
    /// What the bills of this feed must show; `None` for other kinds of files.
    pub bill: Option<Bill>,
    pub zone: Tz,
    /// Whether files stay where they are; each file is then taken only once.
    pub keep: bool,
    /// How long a file must be unchanged before it is taken. Fetched files are always complete.
    pub settle: Duration,
    /// The ending of a marker file. A file is taken only when a marker with its name and this ending is beside it.
    pub done: Option<String>,
    /// How the files may be packed.
    pub packing: Packing,
    /// When files are expected; `None` if no file is ever missing.
    pub expected: Option<Expected>,
    /// What a missing file holds up; `GoOn` for files that do not report payments.
    pub when_missing: WhenMissing,
    /// The number of the first file.
    pub first_number: Option<i64>,
    /// How many rejected rows make a file count as failed.
    pub reject_limit: RejectLimit,
}

/// A remote folder from which files are fetched.
#[derive(Debug)]
pub struct Inbox {
    pub place: RemoteFolder,
    pub afterwards: Afterwards,
    pub unreachable: Unreachable,
    /// How long a file must be unchanged before it is fetched, at places where half-written files are visible.
    pub settle: Duration,
    /// The ending of a marker file. A file is fetched only when a marker with its name and this ending is beside it.
    pub done: Option<String>,
}

/// What a feed of bills must show, for matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Days after a payment by whose end the bill that shows it has arrived.
    pub usual_delay: i64,
    /// Feeds of the same merchant whose payments and refunds the bill must show.
    pub answers_for: Vec<String>,
    /// Limits these payments to those with one of these channels; all payments if the list is empty.
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

/// What is done about a day whose remote inbox could not be listed.
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
    /// Whether the feed's files concern a merchant. Those of the whole scheme concern every merchant.
    pub fn concerns(&self, merchant_id: &str) -> bool {
        self.owner.merchant().is_none_or(|owner| owner == merchant_id)
    }

    /// Whether the feed finds an entry of this name in its folder: one that matches its pattern, or one with a name that no
    /// feed takes.
    pub fn finds(&self, name: &str) -> bool {
        self.pattern.matches(name).is_some() || valid_name(OsStr::new(name)).is_err()
    }

    /// A found file of this feed, together with how to read it.
    pub fn delivery<'a>(&'a self, found: &'a Found) -> Delivery<'a> {
        Delivery { found, packing: &self.packing, profile: &self.profile, kind: self.kind, zone: self.zone }
    }

    /// The provider that reports the money in this feed's files; the feed's own name if no provider is set.
    pub fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or(&self.name)
    }

    /// The date in the name of the file expected on a business day; `None` if no file is expected.
    pub fn expected_on(&self, day: NaiveDate) -> Result<Option<NaiveDate>> {
        let Some(expected) = &self.expected else { return Ok(None) };
        expected.on(day).with_context(|| {
            format!(
                "feed {}: it is not known whether a file is expected on {day}; add the year to the calendar: a file of your \
                 own under [calendars] takes the place of a built-in one",
                self.name
            )
        })
    }
}

impl Bill {
    /// Whether the bill must show payments and refunds that arrived through this feed.
    pub fn answers_for(&self, feed: &str) -> bool {
        self.answers_for.iter().any(|name| name == feed)
    }

    /// Whether the bill must show payments with this channel.
    pub fn takes(&self, channel: Option<&str>) -> bool {
        self.channels.is_empty() || channel.is_some_and(|name| self.channels.iter().any(|taken| taken == name))
    }
}
