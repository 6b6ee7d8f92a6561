//! Configuration: `paylater.toml`, the policies it names and the jobs' files. Everything is checked while it is read;
//! what is wrong is said with file, place and what to write instead. Nothing is read from the store.

mod bills;
mod calendar_file;
pub mod document;
mod effective;
mod expected;
mod feed_file;
pub mod inherit;
mod job_file;
mod late_fee;
mod packing;
mod places;
mod policy_file;
pub mod problems;
mod profile_file;
pub mod profiles;
mod reference_rates;
pub mod schema;
mod scheme_file;
mod shape;
mod values;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::document::Node;
use self::inherit::{Named, Version};
use self::policy_file::{Loaded, Shared};
use self::problems::{Problems, Rules};
use self::scheme_file::{RawConfig, Read};
use crate::domain::arrival::{Expected, RejectLimit};
use crate::domain::due;
use crate::domain::policy::Policy;
use crate::domain::reminders::ContactHours;
use crate::files::container::{Delivery, Packing};
use crate::files::inbox::{Found, NamePattern};
use crate::files::incoming::Kind;
use crate::files::place::Place;
use crate::files::profile::Profile;

pub use bills::Bill;
pub use calendar_file::Calendars;
pub use effective::written_out;
pub use expected::WhenMissing;
pub use job_file::{CatchUp, JobFile};
pub use places::{Afterwards, Unreachable};
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
    /// Rows of a file that are committed together.
    pub commit_rows: usize,
    pub mail: Mail,
    /// How long a close proves sealed days and orders again, besides the last sealed day.
    pub prove_within: Duration,
    pub rates: Rates,
    pub calendars: Calendars,
    pub merchants: Vec<Arc<Merchant>>,
    pub feeds: Vec<Feed>,
    /// Where corrections come from that people make at the command line: a folder below home for each merchant.
    pub by_hand: Vec<Feed>,
    /// Where the reports of each day are sent as well.
    pub reports: Option<Place>,
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

#[derive(Debug)]
pub struct Merchant {
    pub id: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub policy: Policy,
    /// Of each version of the policy, what it decides.
    pub fingerprints: Vec<String>,
    /// Of each version of the policy, how it is written and what it inherits.
    pub written: Vec<Version>,
}

/// A folder and name pattern in which files of a kind arrive.
#[derive(Debug)]
pub struct Feed {
    pub name: String,
    /// Where its files are taken from; of a remote feed, where fetched files wait.
    pub folder: PathBuf,
    /// Where its files are fetched from, if not from a folder here.
    pub remote: Option<Inbox>,
    /// Where acknowledgements and rejects are sent as well.
    pub outbox: Option<Place>,
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
    pub place: Place,
    pub afterwards: Afterwards,
    pub unreachable: Unreachable,
    /// How long a file must stay as it is before it is fetched, where half a file can be seen.
    pub settle: Duration,
    /// A file is fetched only when another of its name and this ending lies beside it.
    pub done: Option<String>,
}

impl Feed {
    /// A file of this feed, with how it is read.
    pub fn delivery<'a>(&'a self, found: &'a Found) -> Delivery<'a> {
        Delivery { found, packing: &self.packing, profile: &self.profile, kind: self.kind, zone: self.zone }
    }
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
    /// Reads a configuration file and all that it names. The error tells everything that is wrong in any of them.
    pub fn load(path: &Path) -> Result<Config> {
        let mut problems = Problems::default();
        let config = load(path, &mut problems);
        Ok(problems.or_all(config)?)
    }

    /// Reads what concerns one feed only, whatever is wrong elsewhere.
    pub fn load_feed(path: &Path, name: &str) -> Result<Feed> {
        let mut problems = Problems::default();
        let feed = feed_file::load(path, name, &mut problems);
        Ok(problems.or_all(feed)?)
    }

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

impl Feed {
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

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Reads a whole file into what it is written for; with its values, for the rules to find their lines.
fn read_as<T: DeserializeOwned + JsonSchema>(path: &Path, text: &str, problems: &mut Problems) -> Option<(T, Node)> {
    let mut document = document::parse(path, text, problems)?;
    if !shape::check(&mut document, &schema::of::<T>(), "", problems) {
        return None;
    }
    let raw = serde_json::from_value(document.to_json()).context("it can't be read");
    let raw = Rules::new(&document, problems).keep("", raw)?;
    Some((raw, document))
}

fn load(path: &Path, problems: &mut Problems) -> Option<Config> {
    let text = match read(path) {
        Ok(text) => text,
        Err(why) => {
            problems.add_file(path, format!("can't be read: {}", why.root_cause()));
            return None;
        }
    };
    let mut document = document::parse(path, &text, problems)?;
    let readable = shape::check(&mut document, &schema::of::<RawConfig>(), "", problems);
    let base = path.parent().unwrap_or(Path::new(""));
    // Policies and jobs are looked at all the same, so that everything is told at once.
    let calendars = Calendars::load(&document, base, problems);
    let rates = Rates::load(&document, base, problems);
    let policies = policies(&document, base, Shared { calendars: &calendars, rates: &rates }, problems);
    let jobs = jobs(&document, base, problems);
    let profiles = profiles::of_feeds(&document, base, problems);
    if !readable {
        return None;
    }
    let raw = serde_json::from_value::<RawConfig>(document.to_json()).context("it can't be read");
    let mut rules = Rules::new(&document, problems);
    let raw = rules.keep("", raw)?;
    raw.resolve(base, Read { calendars, rates, policies, jobs, profiles }, &mut rules)
}

/// The policy of each merchant, in their order.
fn policies(document: &Node, base: &Path, shared: Shared<'_>, problems: &mut Problems) -> Vec<Option<Loaded>> {
    fn named<'a>(node: Option<&'a Node>, base: &Path, key: &'a str) -> Option<Named<'a>> {
        let node = node?;
        Some(Named { path: without_detours(&base.join(node.text()?)), place: &node.place, key })
    }
    let scheme_base = document.get("scheme").and_then(|scheme| scheme.get("base_policy"));
    let scheme_base = named(scheme_base, base, "scheme.base_policy");
    if let Some(named) = &scheme_base {
        inherit::check_base(named, problems);
    }
    let merchants = document.get("merchant").map(Node::list).unwrap_or_default();
    let policy = |merchant: &Node| {
        let named = named(merchant.get("policy"), base, "merchant.policy")?;
        policy_file::load(&named, scheme_base.as_ref(), shared, problems)
    };
    merchants.iter().map(policy).collect()
}

fn jobs(document: &Node, base: &Path, problems: &mut Problems) -> Option<Vec<JobFile>> {
    let zone = document.get("scheme").and_then(|scheme| scheme.get("time_zone")).and_then(Node::text);
    // A zone that is none is told where it stands; job files can be looked at in any.
    let zone = zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let folder = document.get("jobs").and_then(|jobs| jobs.get("folder")).and_then(Node::text);
    job_file::load(folder.map(|folder| base.join(folder)).as_deref(), zone, problems)
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
