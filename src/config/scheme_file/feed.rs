//! A `[[feed]]` of `paylater.toml`: its keys, and whether they are consistent. A feed is read with the whole scheme, or
//! alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bill::{self, RawBill};
use super::expected::{self, RawRejectLimit};
use super::packing::{RawLimits, marker, name_pattern};
use super::places::{self, Places, afterwards};
use crate::config::calendar_file::Calendars;
use crate::config::profiles;
use crate::config::toml::{Rules, join, shape, time_zone};
use crate::domain::intake::arrival::RejectLimit;
use crate::domain::owner::Owner;
use crate::files::inbox::NamePattern;
use crate::files::profile::Profile;
use crate::files::read::container::{Limits, Packing};
use crate::files::remote::RemoteFolder;
use crate::files::rows::Kind;
use crate::scheme::{Afterwards, Feed, Home, Inbox, Unreachable, WhenMissing};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFeed {
    /// Letters, digits, - and _.
    name: String,
    /// Where to look: a folder, s3://BUCKET/PREFIX or sftp://USER@HOST/FOLDER.
    folder: PathBuf,
    /// A file name with {date}, {number} and * in it.
    pattern: String,
    /// What the rows are.
    kind: Kind,
    /// How the files are read: canonical, another profile that comes with paylater, or the path of a .toml file.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    profile: Option<String>,
    /// Whose files they are; not for customers and agreements.
    merchant: Option<String>,
    /// Who reports the money, for the matching report.
    provider: Option<String>,
    /// What bills answer for; only with kind = "bills".
    bill: Option<RawBill>,
    /// IANA name, of times without an offset.
    time_zone: Option<String>,
    /// Leave files where they are and take each only once.
    #[serde(default)]
    keep: bool,
    /// How long a file must have been left alone before it is taken.
    #[serde(default = "default_settle")]
    settle_seconds: u64,
    /// A file is taken only when another of its name and this ending, such as .done, lies beside it.
    done: Option<String>,
    /// Which file of a zip holds the rows: a name with {date} and * in it.
    entry: Option<String>,
    /// How large its files may be.
    #[serde(default)]
    limits: RawLimits,
    /// The time, "HH:MM" in the feed's zone, by which the day's file should be there.
    expected_by: Option<String>,
    /// What a missing file with news of payments holds up.
    when_missing: Option<WhenMissing>,
    /// How many days after the date in its name that is.
    expected_after: Option<i64>,
    /// A calendar; dates on its days off have no file.
    calendar: Option<String>,
    /// The days of the week whose dates have a file, such as "monday".
    days: Option<Vec<String>>,
    /// The first date that has a file.
    from: Option<NaiveDate>,
    /// The number that files begin with, each day anew if the pattern has {date} as well.
    first_number: Option<i64>,
    /// From how many rejected rows on a file is no success: { share, rows }; without it, when all are rejected.
    reject_limit: Option<RawRejectLimit>,
    /// What becomes of a file in a bucket or on an SFTP server once its bytes are safe here.
    afterwards: Option<Afterwards>,
    /// What is done about a day on which the bucket or SFTP server can't be listed.
    unreachable: Option<Unreachable>,
    /// Where acknowledgements and rejects are sent as well: a folder, s3://… or sftp://….
    outbox: Option<String>,
}

/// The parts of a scheme that feeds are resolved with.
pub struct OfScheme<'a> {
    pub base: &'a Path,
    pub home: &'a Home,
    pub places: &'a Places,
    pub zone: Tz,
    pub starts_on: NaiveDate,
    pub merchants: &'a [String],
    pub calendars: &'a Calendars,
    pub limits: Limits,
}

/// Resolves the feeds of a configuration, each with its profile.
pub fn resolve(
    raw: Vec<RawFeed>,
    profiles: Vec<Option<Arc<Profile>>>,
    scheme: &OfScheme<'_>,
    rules: &mut Rules,
) -> Vec<Feed> {
    let (mut feeds, mut ats, mut raw_bills) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (mut raw, profile)) in raw.into_iter().zip(profiles).enumerate() {
        let raw_bill = raw.bill.take();
        let at = format!("feed[{i}]");
        if let Some(feed) = raw.resolve(&at, scheme, profile, rules) {
            feeds.push(feed);
            raw_bills.push((format!("{at}.bill"), raw_bill));
            ats.push(at);
        }
    }
    for (at, feed) in ats.iter().zip(&feeds) {
        rules.keep(&join(at, "outbox"), is_no_inbox(feed.outbox.as_ref(), &feeds));
    }
    let answers = bill::resolve(&feeds, raw_bills, rules);
    for (feed, bill) in feeds.iter_mut().zip(answers) {
        feed.bill = bill;
    }
    feeds
}

/// The feed of corrections that people make at the command line for a merchant. Its name contains a point, which no
/// configured feed's name may.
pub fn by_hand(merchant: &str, scheme: &OfScheme<'_>) -> Feed {
    Feed {
        name: format!("by_hand.{merchant}"),
        folder: scheme.home.by_hand(merchant),
        remote: None,
        outbox: None,
        pattern: NamePattern::parse("correction-{date}-*.csv").expect("a pattern like those of the documentation"),
        kind: Kind::Corrections,
        profile: Arc::new(Profile::canonical()),
        owner: Owner::Merchant(merchant.to_owned()),
        provider: None,
        bill: None,
        zone: scheme.zone,
        keep: false,
        settle: Duration::ZERO,
        done: None,
        packing: Packing { entry: None, limits: scheme.limits },
        expected: None,
        when_missing: WhenMissing::default(),
        first_number: None,
        reject_limit: RejectLimit::NONE,
    }
}

fn default_settle() -> u64 {
    5
}

impl RawFeed {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Clears the keys about where files come from and when. They do not affect how a file is read.
    pub fn of_reading(self) -> RawFeed {
        RawFeed {
            folder: PathBuf::new(),
            outbox: None,
            afterwards: None,
            unreachable: None,
            expected_by: None,
            when_missing: None,
            expected_after: None,
            calendar: None,
            days: None,
            from: None,
            ..self
        }
    }

    pub fn resolve(
        self,
        at: &str,
        scheme: &OfScheme<'_>,
        profile: Option<Arc<Profile>>,
        rules: &mut Rules,
    ) -> Option<Feed> {
        if let Some(profile) = &profile {
            rules.keep(&join(at, "profile"), profiles::suits(profile, self.kind));
        }
        rules.keep(&join(at, "merchant"), whose(self.kind, self.merchant.as_deref(), scheme.merchants));
        let pattern = rules.keep(&join(at, "pattern"), name_pattern(&self.pattern));
        let entry = rules.keep(&join(at, "entry"), self.entry.as_deref().map(name_pattern).transpose());
        let done = rules.keep(&join(at, "done"), self.done.map(marker).transpose());
        let place = scheme.places.remote(&join(at, "folder"), &self.folder, rules);
        let is_remote = places::is_remote(&self.folder);
        let (afterwards, unreachable) =
            afterwards(at, is_remote, self.keep, (self.afterwards, self.unreachable), rules);
        let outbox = scheme.places.outbox(&join(at, "outbox"), self.outbox.as_deref(), scheme.base, rules);
        let limits = self.limits.resolve(&join(at, "limits"), scheme.limits, rules);
        let zone = rules.keep(&join(at, "time_zone"), self.time_zone.map_or(Ok(scheme.zone), |name| time_zone(&name)));
        let when_missing = expected::when_missing(self.when_missing, self.expected_by.as_deref(), self.kind);
        let when_missing = rules.keep(&join(at, "when_missing"), when_missing);
        let pattern = pattern?;
        let keys = expected::Keys {
            by: self.expected_by.as_deref(),
            after: self.expected_after,
            calendar: self.calendar.as_deref(),
            days: self.days.as_deref(),
            from: self.from,
        };
        let expected =
            keys.resolve(at, &pattern, zone.unwrap_or(scheme.zone), scheme.starts_on, scheme.calendars, rules);
        let first_number = rules.keep(&join(at, "first_number"), expected::first_number(self.first_number, &pattern));
        let reject_limit = self.reject_limit.map_or(Ok(RejectLimit::ALL_ROWS), RawRejectLimit::resolve);
        let reject_limit = rules.keep(&join(at, "reject_limit"), reject_limit);
        let (settle, done) = (Duration::from_secs(self.settle_seconds), done?);
        let inbox = |place| Inbox { place, afterwards, unreachable, settle, done: done.clone() };
        Some(Feed {
            // A fetched file waits in a folder here, and is taken from there like any other file.
            folder: if is_remote { scheme.home.spool(&self.name) } else { scheme.base.join(self.folder) },
            remote: place.map(inbox),
            outbox,
            pattern,
            kind: self.kind,
            profile: profile?,
            owner: self.merchant.map_or(Owner::Scheme, Owner::Merchant),
            provider: self.provider,
            bill: None,
            zone: zone?,
            keep: self.keep || (is_remote && afterwards == Afterwards::Keep),
            settle: if is_remote { Duration::ZERO } else { settle },
            done: done.filter(|_| !is_remote),
            packing: Packing { entry: entry?, limits: limits? },
            expected,
            when_missing: when_missing?,
            first_number: first_number?,
            reject_limit: reject_limit?,
            name: self.name,
        })
    }
}

/// Checks that a feed names its merchant if its kind needs one, and none otherwise.
fn whose(kind: Kind, merchant: Option<&str>, merchants: &[String]) -> Result<()> {
    let words: Vec<&str> = merchants.iter().map(String::as_str).collect();
    match (merchant, kind.is_of_scheme()) {
        (Some(_), true) => bail!("{} belong to the whole scheme; leave it out", kind.name()),
        (None, false) => bail!("is missing; say whose {} these are: merchant = \"…\"", kind.name()),
        (Some(id), false) if !words.contains(&id) => match shape::nearest(id, &words) {
            Some(meant) => bail!("there is no merchant {id:?}; did you mean {meant}?"),
            None => bail!("there is no merchant {id:?}; write {}", shape::listed(&words)),
        },
        _ => Ok(()),
    }
}

/// Checks that an outbox is no feed's inbox: a sent file would be taken as an arrived file.
fn is_no_inbox(outbox: Option<&RemoteFolder>, feeds: &[Feed]) -> Result<()> {
    let Some(outbox) = outbox.map(RemoteFolder::to_string) else { return Ok(()) };
    let lies = |feed: &&Feed| match &feed.remote {
        Some(inbox) => inbox.place.to_string() == outbox,
        None => feed.folder.display().to_string() == outbox,
    };
    match feeds.iter().find(lies) {
        Some(feed) => bail!("feed {} takes its files from there; name another folder", feed.name),
        None => Ok(()),
    }
}
