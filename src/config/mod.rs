//! Configuration: `paylater.toml`, the policies it names and the jobs' files. Everything is checked while it is read;
//! what is wrong is said with file, place and what to write instead. Nothing is read from the store.

mod calendar_file;
mod job_file;
mod late_fee;
mod policy_file;
mod reference_rates;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::due;
use crate::domain::policy::Policy;
use crate::domain::reminders::ContactHours;
use crate::files::inbox::NamePattern;
use crate::files::incoming::Kind;
use reference_rates::{RawLegal, RawTable};

pub use calendar_file::Calendars;
pub use job_file::{CatchUp, JobFile};
pub use policy_file::{Changed, changed};
pub use reference_rates::Rates;

/// Everything paylater is told before it starts.
#[derive(Debug)]
pub struct Config {
    pub name: String,
    pub zone: Tz,
    pub starts_on: NaiveDate,
    pub clock: Clock,
    /// Everything paylater makes lies below it.
    pub home: PathBuf,
    /// `sqlite:` or `postgres://`. May hold a password: never shown.
    pub store_url: String,
    pub mail: Mail,
    pub rates: Rates,
    pub calendars: Calendars,
    pub merchants: Vec<Merchant>,
    pub feeds: Vec<Feed>,
    /// First days of the delinquency buckets.
    pub buckets: Vec<i64>,
    pub jobs: Vec<JobFile>,
}

/// What "now" is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// The business date at the job's set time: for samples, rehearsals and tests.
    Business,
}

#[derive(Debug)]
pub struct Merchant {
    pub id: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub policy: Policy,
    /// Of each version of the policy, what it decides.
    pub fingerprints: Vec<String>,
}

/// A folder and name pattern in which files of a kind arrive.
#[derive(Debug)]
pub struct Feed {
    pub name: String,
    pub folder: PathBuf,
    pub pattern: NamePattern,
    pub kind: Kind,
    /// Whose files they are; none for customers and agreements.
    pub merchant: Option<String>,
    /// Who reports the money in them, for the matching.
    pub provider: Option<String>,
    pub zone: Tz,
    /// Leave files where they are, and take each only once.
    pub keep: bool,
    /// How long a file must have been left alone before it is taken.
    pub settle: Duration,
}

#[derive(Debug)]
pub struct Mail {
    pub transport: MailTransport,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub contact_hours: ContactHours,
    pub weekly_cap: i64,
    /// A folder with templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
}

#[derive(Debug)]
pub enum MailTransport {
    /// Mails become `.eml` files in `mail/` below home.
    Folder,
    /// An `smtp://` or `smtps://` URL. May hold a password: never shown.
    Smtp { url: String },
}

impl Config {
    /// Reads a configuration file and all that it names.
    pub fn load(path: &Path) -> Result<Config> {
        let text = read(path)?;
        let raw: RawConfig = parse_toml(path, &text)?;
        let base = path.parent().unwrap_or(Path::new("."));
        raw.resolve(base).with_context(|| format!("in {}", path.display()))
    }

    pub fn merchant(&self, id: &str) -> Option<&Merchant> {
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
}

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Parses TOML; the error shows file, line and the line itself.
pub(crate) fn parse_toml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|why| anyhow::anyhow!("{}: {}", path.display(), why.to_string().trim_end()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    scheme: RawScheme,
    store: RawStore,
    mail: RawMail,
    #[serde(default)]
    reference_rates: BTreeMap<String, RawTable>,
    #[serde(default)]
    legal: BTreeMap<String, RawLegal>,
    #[serde(default)]
    calendars: BTreeMap<String, PathBuf>,
    #[serde(default, rename = "merchant")]
    merchants: Vec<RawMerchant>,
    #[serde(default, rename = "feed")]
    feeds: Vec<RawFeed>,
    #[serde(default)]
    jobs: RawJobs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScheme {
    name: String,
    time_zone: String,
    starts_on: NaiveDate,
    clock: Clock,
    home: PathBuf,
    #[serde(default = "default_buckets")]
    buckets: Vec<i64>,
}

fn default_buckets() -> Vec<i64> {
    vec![1, 8, 31, 61, 91]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMail {
    transport: String,
    from: String,
    reply_to: Option<String>,
    smtp_url: Option<String>,
    smtp_url_file: Option<PathBuf>,
    #[serde(default = "default_hours")]
    contact_hours: [String; 2],
    #[serde(default = "default_weekly_cap")]
    weekly_cap: i64,
    templates: Option<PathBuf>,
}

fn default_hours() -> [String; 2] {
    ["08:00".to_owned(), "22:00".to_owned()]
}

fn default_weekly_cap() -> i64 {
    5
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMerchant {
    id: String,
    name: String,
    name_zh: Option<String>,
    policy: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeed {
    name: String,
    folder: PathBuf,
    pattern: String,
    kind: Kind,
    merchant: Option<String>,
    provider: Option<String>,
    time_zone: Option<String>,
    #[serde(default)]
    keep: bool,
    #[serde(default = "default_settle")]
    settle_seconds: u64,
}

fn default_settle() -> u64 {
    5
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawJobs {
    folder: Option<PathBuf>,
}

impl RawConfig {
    fn resolve(self, base: &Path) -> Result<Config> {
        let zone = time_zone("scheme.time_zone", &self.scheme.time_zone)?;
        let ascending = self.scheme.buckets.windows(2).all(|pair| pair[0] < pair[1]);
        ensure!(
            ascending && self.scheme.buckets.first() > Some(&0),
            "scheme.buckets: write first days in rising order"
        );
        let store_url = std::env::var("PAYLATER_STORE_URL").unwrap_or(self.store.url);
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|start| store_url.starts_with(start));
        ensure!(known, "the store's url must begin with sqlite: or postgres://");
        let calendars = Calendars::load(base, self.calendars)?;
        let rates = Rates::resolve(self.reference_rates, self.legal, base)?;
        let mut merchants = Vec::new();
        for raw in self.merchants {
            let path = base.join(&raw.policy);
            let (policy, fingerprints) = policy_file::load(&path, &calendars, &rates)?;
            ensure!(is_name(&raw.id), "merchant {:?}: an id is letters, digits, - and _", raw.id);
            merchants.push(Merchant { id: raw.id, name: raw.name, name_zh: raw.name_zh, policy, fingerprints });
        }
        unique("merchant", merchants.iter().map(|merchant| merchant.id.as_str()))?;
        ensure!(!merchants.is_empty(), "there is no [[merchant]]; a scheme has at least one");
        let mut feeds = Vec::new();
        for raw in self.feeds {
            let name = raw.name.clone();
            feeds.push(raw.resolve(base, zone, &merchants).with_context(|| format!("feed {name:?}"))?);
        }
        unique("feed", feeds.iter().map(|feed| feed.name.as_str()))?;
        Ok(Config {
            name: self.scheme.name,
            zone,
            starts_on: self.scheme.starts_on,
            clock: self.scheme.clock,
            home: without_detours(&base.join(self.scheme.home)),
            store_url,
            mail: self.mail.resolve(base)?,
            rates,
            calendars,
            merchants,
            feeds,
            buckets: self.scheme.buckets,
            jobs: job_file::load(self.jobs.folder.map(|folder| base.join(folder)).as_deref(), zone)?,
        })
    }
}

impl RawFeed {
    fn resolve(self, base: &Path, zone: Tz, merchants: &[Merchant]) -> Result<Feed> {
        ensure!(is_name(&self.name), "a feed's name is letters, digits, - and _");
        match (&self.merchant, self.kind.is_of_scheme()) {
            (Some(_), true) => bail!("{} belong to the whole scheme; leave out merchant", self.kind.name()),
            (None, false) => bail!("say whose {} these are: merchant = \"…\"", self.kind.name()),
            (Some(id), false) if !merchants.iter().any(|merchant| merchant.id == *id) => {
                bail!("there is no merchant {id:?}")
            }
            _ => {}
        }
        Ok(Feed {
            folder: base.join(self.folder),
            pattern: NamePattern::parse(&self.pattern)
                .map_err(|why| anyhow::anyhow!("pattern {:?}: {why}", self.pattern))?,
            kind: self.kind,
            merchant: self.merchant,
            provider: self.provider,
            zone: self.time_zone.map_or(Ok(zone), |name| time_zone("time_zone", &name))?,
            keep: self.keep,
            settle: Duration::from_secs(self.settle_seconds),
            name: self.name,
        })
    }
}

impl RawMail {
    fn resolve(self, base: &Path) -> Result<Mail> {
        let transport = match self.transport.as_str() {
            "folder" => MailTransport::Folder,
            "smtp" => {
                let from_file = self.smtp_url_file.map(|file| read(&base.join(file))).transpose()?;
                let url = std::env::var("PAYLATER_SMTP_URL").ok().or(from_file).or(self.smtp_url);
                let url =
                    url.context("mail.transport is smtp: say where with smtp_url, smtp_url_file or PAYLATER_SMTP_URL")?;
                MailTransport::Smtp { url: url.trim().to_owned() }
            }
            other => bail!("mail.transport {other:?}: write folder or smtp"),
        };
        let (from_name, from_address) = sender(&self.from)?;
        let [from, until] = &self.contact_hours;
        let (from, until) = (time_of_day("mail.contact_hours", from)?, time_of_day("mail.contact_hours", until)?);
        ensure!(from < until, "mail.contact_hours: the first must be before the second");
        ensure!(self.weekly_cap > 0, "mail.weekly_cap: write how many mails a customer may get in seven days");
        Ok(Mail {
            transport,
            from_name,
            from_address,
            reply_to: self.reply_to,
            contact_hours: ContactHours { from, until },
            weekly_cap: self.weekly_cap,
            templates: self.templates.map(|folder| base.join(folder)),
        })
    }
}

/// The parts of `Name <address>`.
fn sender(from: &str) -> Result<(String, String)> {
    let parts = from.split_once('<').and_then(|(name, rest)| Some((name.trim(), rest.strip_suffix('>')?.trim())));
    let (name, address) = parts.unwrap_or(("", from.trim()));
    ensure!(address.contains('@'), "mail.from {from:?}: write it like \"Tea Corner <no-reply@example.com>\"");
    Ok((name.to_owned(), address.to_owned()))
}

/// `a/../b` is `b`: how people would write the path.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let inside = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if inside => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

/// Names become folder and file names, so they are kept plain.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        // Folders of some systems don't tell case apart.
        ensure!(seen.insert(name.to_lowercase()), "there are two of {what} {name:?}");
    }
    Ok(())
}

fn time_zone(key: &str, name: &str) -> Result<Tz> {
    name.parse().ok().with_context(|| format!("{key} {name:?}: write an IANA name such as Asia/Shanghai"))
}

pub(crate) fn time_of_day(key: &str, text: &str) -> Result<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok().with_context(|| format!("{key} {text:?}: write a time like 08:00"))
}

pub(crate) fn share_of_one(key: &str, share: Decimal) -> Result<Decimal> {
    let sensible = share >= Decimal::ZERO && share <= Decimal::ONE && share.scale() <= 10;
    ensure!(
        sensible,
        "{key} {share}: write a share from 0 to 1 with at most 10 digits, in quotes, such as \"0.25\" for 25 %"
    );
    Ok(share.normalize())
}
