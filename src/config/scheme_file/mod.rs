//! `paylater.toml`: its keys, and whether they are consistent. Other modules read the files that it names.

mod accounts;
mod alerts;
mod bill;
mod console;
mod expected;
pub mod feed;
mod letterhead;
mod mail;
pub mod packing;
pub mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use self::alerts::{RawAlerts, RawPing};
use self::console::RawConsole;
use self::feed::{OfScheme, RawFeed};
use self::letterhead::RawLetterhead;
use self::mail::RawMail;
use self::packing::RawLimits;
use self::places::{Places, RawPlace};
use super::calendar_file::Calendars;
use super::policy_file::{self, Version};
use super::reference_rates::{Rates, RawLegal, RawTable};
use super::toml::{Rules, in_days, is_name, time_zone, without_detours};
use crate::domain::decide::position::ListedPositions;
use crate::files::profile::Profile;
use crate::files::read::container::Limits;
use crate::scheme::{Alerts, Clock, Home, JobFile, Merchant, Scheme};

/// The files that the configuration names, read before the configuration itself.
pub struct Read {
    pub calendars: Calendars,
    pub rates: Rates,
    /// The policy of each merchant, in the order of the merchants.
    pub policies: Vec<Option<policy_file::Loaded>>,
    pub jobs: Option<Vec<JobFile>>,
    /// The profile of each feed, in the order of the feeds.
    pub profiles: Vec<Option<Arc<Profile>>>,
}

/// A scheme, with the written form of its policies and calendars, for `check`.
#[derive(Debug)]
pub struct Loaded {
    pub scheme: Scheme,
    /// For each merchant, in order, the versions of its policy with what they inherit.
    pub policies: Vec<Vec<Version>>,
    pub calendars: Calendars,
}

/// What `paylater.toml` says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// The scheme as a whole.
    scheme: RawScheme,
    /// Where the books are kept.
    store: RawStore,
    /// How customers are written to.
    mail: RawMail,
    /// What the close of a day does besides.
    #[serde(default)]
    close: RawClose,
    /// Reference rates that policies may refer to, by name.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    #[serde(default)]
    reference_rates: BTreeMap<String, RawTable>,
    /// What the law allows, by currency.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    #[serde(default)]
    legal: BTreeMap<String, RawLegal>,
    /// Files of calendars that policies may name, by name; one takes the place of a built-in one.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    #[serde(default)]
    calendars: BTreeMap<String, PathBuf>,
    /// Who sells, one table each.
    #[serde(default, rename = "merchant")]
    merchants: Vec<RawMerchant>,
    /// Where files of a kind arrive, one table each.
    #[serde(default, rename = "feed")]
    feeds: Vec<RawFeed>,
    /// How to get at buckets and SFTP servers, one table each.
    #[serde(default, rename = "place")]
    places: Vec<RawPlace>,
    /// Where else files go that are put out.
    #[serde(default)]
    outbox: RawOutbox,
    /// How large files may be, for feeds that don't say otherwise.
    #[serde(default)]
    limits: RawLimits,
    /// Names of accounts in exported journals, such as "1122 应收账款:{merchant}", by paylater's own names.
    #[serde(default)]
    accounts: BTreeMap<String, String>,
    /// The console: its pages, and its endpoints for monitoring. With this table, the daemon serves it.
    console: Option<RawConsole>,
    /// Who hears that something is wrong.
    alerts: Option<RawAlerts>,
    /// URLs that hear when a job's run begins, succeeds and fails, one table each.
    #[serde(default, rename = "ping")]
    pings: Vec<RawPing>,
    /// When jobs run, if not as built in.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    #[serde(default)]
    jobs: RawJobs,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawScheme {
    /// What customers know the scheme as.
    name: String,
    /// IANA name such as Asia/Shanghai; a business day is this zone's day.
    time_zone: String,
    /// The first business date, used once, when the store is empty.
    starts_on: NaiveDate,
    /// What now is: wall for real life, business for samples and tests.
    clock: Clock,
    /// The folder for everything paylater makes.
    home: PathBuf,
    /// First days of the delinquency buckets, rising, from 1 on.
    #[serde(default = "default_buckets")]
    buckets: Vec<i64>,
    /// After how many days a row that waits for its order becomes an exception; money does at once.
    #[serde(default = "default_pending_days")]
    pending_days: i64,
    /// How many days the daemon closes at once without being asked.
    #[serde(default = "default_days_at_once")]
    days_at_once: i64,
    /// How long a clock that stepped ahead must hold before the daemon believes it.
    #[serde(default = "default_clock_wait_minutes")]
    clock_wait_minutes: i64,
    /// Money that is dated more days ahead than this is an exception at once.
    #[serde(default = "default_dated_ahead_days")]
    dated_ahead_days: i64,
    /// The policy that every merchant's policy inherits from, unless it names another.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    base_policy: Option<PathBuf>,
}

fn default_pending_days() -> i64 {
    3
}

/// Enough for a week off and a weekend.
fn default_days_at_once() -> i64 {
    10
}

fn default_clock_wait_minutes() -> i64 {
    30
}

/// The longest wait is one day. A longer one would overlap with the next day's mistake.
const MOST_WAIT_MINUTES: i64 = 1_440;

fn default_dated_ahead_days() -> i64 {
    14
}

fn default_commit_rows() -> i64 {
    1_000_000
}

/// The most rows in one transaction. More would grow a write-ahead log beyond gigabytes.
const MOST_COMMIT_ROWS: usize = 10_000_000;

fn default_buckets() -> Vec<i64> {
    vec![1, 8, 31, 61, 91]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawStore {
    /// sqlite:FILE below home, or postgres://….
    url: String,
    /// Rows of a file that are committed together: what a stop throws away at most.
    #[serde(default = "default_commit_rows")]
    commit_rows: i64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawMerchant {
    /// Letters, digits, - and _; begins the names of reports.
    id: String,
    /// For mails and explanations.
    name: String,
    /// The name in Chinese mails.
    name_zh: Option<String>,
    /// What mails about its orders say, by language.
    #[serde(default)]
    texts: BTreeMap<String, RawLetterhead>,
    /// The file with the merchant's terms.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    policy: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawClose {
    /// For how many seconds each close proves sealed days and orders again, besides the last sealed day.
    #[serde(default = "default_prove_seconds")]
    prove_seconds: u64,
    /// Which positions the reports list: all that are open, or those that the day changed and all on the last day of a month.
    #[serde(default)]
    positions: ListedPositions,
    /// The folder to which you move the reports of old days. A day that is there is proved there and not written again.
    archived_reports: Option<PathBuf>,
}

impl Default for RawClose {
    fn default() -> RawClose {
        RawClose {
            prove_seconds: default_prove_seconds(),
            positions: ListedPositions::default(),
            archived_reports: None,
        }
    }
}

fn default_prove_seconds() -> u64 {
    5
}

/// The longest time for proving. A longer one would delay the night's other work.
const MOST_PROVE_SECONDS: u64 = 3_600;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct RawOutbox {
    /// Where the reports of each day are sent as well: a folder, s3://… or sftp://….
    reports: Option<String>,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
struct RawJobs {
    /// A folder with job files that replace the built-in ones of the same name.
    #[expect(dead_code, reason = "read before, so that everything is looked at whatever else is wrong")]
    folder: Option<PathBuf>,
}

impl RawConfig {
    /// Converts the configuration to a scheme. On failure, returns `None` and notes every problem.
    pub fn resolve(self, base: &Path, read: Read, rules: &mut Rules) -> Option<Loaded> {
        let zone = rules.keep("scheme.time_zone", time_zone(&self.scheme.time_zone));
        rules.keep("scheme.buckets", buckets(&self.scheme.buckets));
        let pending_days = rules.keep("scheme.pending_days", in_days("", self.scheme.pending_days, 1));
        let days_at_once = rules.keep("scheme.days_at_once", in_days("", self.scheme.days_at_once, 1));
        let clock_wait = rules.keep("scheme.clock_wait_minutes", clock_wait(self.scheme.clock_wait_minutes));
        let dated_ahead_days = rules.keep("scheme.dated_ahead_days", in_days("", self.scheme.dated_ahead_days, 0));
        let store_url = rules.keep("store.url", store_url(self.store.url));
        let commit_rows = rules.keep("store.commit_rows", commit_rows(self.store.commit_rows));
        let mail = self.mail.resolve(base, rules);
        let console_beside_daemon = self.console.is_some();
        let console = self.console.unwrap_or_default().resolve(base, rules);
        let alerts = self.alerts.map_or_else(|| Some(Alerts::default()), |alerts| alerts.resolve(base, rules));
        let pings = alerts::pings(self.pings, read.jobs.as_deref(), base, rules);
        let prove_within = rules.keep("close.prove_seconds", prove_within(self.close.prove_seconds));
        let chart = accounts::chart(self.accounts, rules);
        let ids: Vec<String> = self.merchants.iter().map(|merchant| merchant.id.clone()).collect();
        rules.keep("merchant", ensure_any(&ids));
        names("merchant", "id", &ids, rules);
        let (mut merchants, mut policies) = (Vec::new(), Vec::new());
        for (i, (raw, loaded)) in self.merchants.into_iter().zip(read.policies).enumerate() {
            let RawMerchant { id, name, name_zh, texts, policy: _ } = raw;
            let letterheads = letterhead::resolve(texts, &format!("merchant[{i}].texts"), rules);
            let Some(policy_file::Loaded { policy, fingerprints, written }) = loaded else { continue };
            merchants.push(Arc::new(Merchant { id, name, name_zh, letterheads, policy, fingerprints }));
            policies.push(written);
        }
        if let Some(mail) = &mail {
            let letterheads = merchants.iter().map(|merchant| &merchant.letterheads);
            rules.keep("mail", mail::check_key(mail, letterheads));
        }
        let home = Home::new(without_detours(&base.join(&self.scheme.home)));
        let places = Places::resolve(self.places, base, rules);
        let reports = places.outbox("outbox.reports", self.outbox.reports.as_deref(), base, rules);
        let feed_names: Vec<String> = self.feeds.iter().map(|feed| feed.name().to_owned()).collect();
        names("feed", "name", &feed_names, rules);
        let limits = self.limits.resolve("limits", Limits::default(), rules).unwrap_or_default();
        let of_scheme = OfScheme {
            base,
            home: &home,
            places: &places,
            zone: zone.unwrap_or(Tz::UTC),
            starts_on: self.scheme.starts_on,
            merchants: &ids,
            calendars: &read.calendars,
            limits,
        };
        let feeds = feed::resolve(self.feeds, read.profiles, &of_scheme, rules);
        let by_hand = ids.iter().map(|id| feed::by_hand(id, &of_scheme)).collect();
        let scheme = Scheme {
            name: self.scheme.name,
            zone: zone?,
            starts_on: self.scheme.starts_on,
            clock: self.scheme.clock,
            home,
            store_url: store_url?,
            commit_rows: commit_rows?,
            mail: mail?,
            prove_within: prove_within?,
            positions: self.close.positions,
            archived_reports: self.close.archived_reports.map(|folder| without_detours(&base.join(folder))),
            reference_rates: read.rates.tables,
            merchants,
            feeds,
            by_hand,
            reports,
            buckets: self.scheme.buckets,
            pending_days: pending_days?,
            days_at_once: days_at_once?,
            clock_wait: clock_wait?,
            dated_ahead_days: dated_ahead_days?,
            jobs: read.jobs?,
            chart: chart?,
            console: console?,
            console_beside_daemon,
            alerts: alerts?,
            pings,
        };
        Some(Loaded { scheme, policies, calendars: read.calendars })
    }
}

fn clock_wait(minutes: i64) -> Result<Duration> {
    let within = u64::try_from(minutes).ok().filter(|_| minutes <= MOST_WAIT_MINUTES);
    let minutes =
        within.with_context(|| format!("{minutes} is not from 0 to {MOST_WAIT_MINUTES} minutes; write one that is"))?;
    Ok(Duration::from_secs(60 * minutes))
}

fn buckets(first_days: &[i64]) -> Result<()> {
    let rising = first_days.windows(2).all(|pair| pair[0] < pair[1]) && first_days.first() > Some(&0);
    ensure!(rising, "write first days from 1 on in rising order, such as [1, 8, 31, 61, 91]");
    Ok(())
}

/// The URL of the store. May contain a password, so it is never shown.
fn store_url(written: String) -> Result<String> {
    let url = std::env::var("PAYLATER_STORE_URL").unwrap_or(written);
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|start| url.starts_with(start));
    ensure!(known, "it, or PAYLATER_STORE_URL in its place, must begin with sqlite: or postgres://");
    Ok(url)
}

fn commit_rows(written: i64) -> Result<usize> {
    let rows = usize::try_from(written).ok().filter(|rows| (1..=MOST_COMMIT_ROWS).contains(rows));
    rows.with_context(|| format!("{written} is not from 1 to {MOST_COMMIT_ROWS}; write a number that is"))
}

fn prove_within(seconds: u64) -> Result<Duration> {
    ensure!(seconds <= MOST_PROVE_SECONDS, "{seconds} is not from 0 to {MOST_PROVE_SECONDS}; write a number that is");
    Ok(Duration::from_secs(seconds))
}

fn ensure_any(ids: &[String]) -> Result<()> {
    ensure!(!ids.is_empty(), "there is none, and a scheme has at least one; write [[merchant]]");
    Ok(())
}

/// Checks that names contain only plain characters and are unique.
fn names(table: &str, key: &str, names: &[String], rules: &mut Rules) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let plain = match (is_name(name), seen.insert(name.to_lowercase())) {
            (false, _) => Err(anyhow::anyhow!("{name:?}: write letters, digits, - and _ only")),
            // Some file systems ignore case in the names of folders.
            (true, false) => Err(anyhow::anyhow!("{name:?} is listed twice; give each {table} its own")),
            (true, true) => Ok(()),
        };
        rules.keep(&format!("{table}[{i}].{key}"), plain);
    }
}
