//! Loads a scheme: reads a configuration file and all the files that it names.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use chrono_tz::Tz;

use super::calendar_file::Calendars;
use super::policy_file::{self, Named, Shared};
use super::reference_rates::Rates;
use super::scheme_file::feed::{OfScheme, RawFeed};
use super::scheme_file::places::Places;
use super::scheme_file::{Loaded, RawConfig, Read};
use super::toml::{Node, Problems, Rules, join, parse, read, schema, shape, without_detours};
use super::{job_file, profiles};
use crate::files::read::container::Limits;
use crate::scheme::{Feed, Home, JobFile};

/// Reads a configuration file and all files that it names. The error lists every problem in all of them.
pub fn load(path: &Path) -> Result<Loaded> {
    let mut problems = Problems::default();
    let loaded = scheme(path, &mut problems);
    Ok(problems.or_all(loaded)?)
}

/// Reads only what one feed needs, and ignores problems elsewhere.
pub fn load_feed(path: &Path, name: &str) -> Result<Feed> {
    let mut problems = Problems::default();
    let feed = feed_alone(path, name, &mut problems);
    Ok(problems.or_all(feed)?)
}

fn scheme(path: &Path, problems: &mut Problems) -> Option<Loaded> {
    let mut document = document(path, problems)?;
    let readable = shape::check(&mut document, &schema::of::<RawConfig>(), "", problems);
    let base = path.parent().unwrap_or(Path::new(""));
    // Policies and jobs are checked even if the configuration is invalid, so that one run reports all problems.
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

/// The policy of each merchant, in the order of the merchants.
fn policies(
    document: &Node,
    base: &Path,
    shared: Shared<'_>,
    problems: &mut Problems,
) -> Vec<Option<policy_file::Loaded>> {
    fn named<'a>(node: Option<&'a Node>, base: &Path, key: &'a str) -> Option<Named<'a>> {
        let node = node?;
        Some(Named { path: without_detours(&base.join(node.text()?)), location: &node.location, key })
    }
    let scheme_base = document.get("scheme").and_then(|scheme| scheme.get("base_policy"));
    let scheme_base = named(scheme_base, base, "scheme.base_policy");
    if let Some(named) = &scheme_base {
        policy_file::check_base(named, problems);
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
    // `RawConfig::resolve` reports an invalid time zone; the job files can be checked in any zone.
    let zone = zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let folder = document.get("jobs").and_then(|jobs| jobs.get("folder")).and_then(Node::text);
    job_file::load(folder.map(|folder| base.join(folder)).as_deref(), zone, problems)
}

fn document(path: &Path, problems: &mut Problems) -> Option<Node> {
    match read(path) {
        Ok(text) => parse(path, &text, problems),
        Err(why) => {
            problems.add_file(path, format!("can't be read: {}", why.root_cause()));
            None
        }
    }
}

/// Loads one feed of a configuration, with its profile.
fn feed_alone(path: &Path, name: &str, problems: &mut Problems) -> Option<Feed> {
    let document = document(path, problems)?;
    let text_of = |node: &Node, key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let feeds = document.get("feed").map(Node::list).unwrap_or_default();
    let names: Vec<String> = feeds.iter().map(|feed| text_of(feed, "name").unwrap_or_default()).collect();
    let Some(i) = names.iter().position(|known| known == name) else {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        problems.add_file(path, format!("there is no feed {name:?}; write {}", shape::listed(&known)));
        return None;
    };
    let merchants = document.get("merchant").map(Node::list).unwrap_or_default();
    let ids: Vec<String> = merchants.iter().filter_map(|merchant| text_of(merchant, "id")).collect();
    let zone = document.get("scheme").and_then(|scheme| text_of(scheme, "time_zone"));
    let zone = zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let (at, base) = (format!("feed[{i}]"), path.parent().unwrap_or(Path::new("")));
    let schema = schema::of::<RawConfig>();
    let mut node = feeds[i].clone();
    if !shape::check(&mut node, &schema["properties"]["feed"]["items"], &at, problems) {
        return None;
    }
    let named = text_of(&node, "profile");
    let raw = serde_json::from_value::<RawFeed>(node.to_json());
    let profile =
        profiles::load(named.as_deref().unwrap_or("canonical"), &join(&at, "profile"), base, &document, problems);
    let mut rules = Rules::new(&document, problems);
    let raw = rules.keep(&at, raw.map_err(anyhow::Error::from))?.of_reading();
    let (starts_on, calendars, limits) = (NaiveDate::default(), Calendars::default(), Limits::default());
    let (home, places) = (Home::new(base.to_owned()), Places::default());
    let scheme = OfScheme {
        base,
        home: &home,
        places: &places,
        zone,
        starts_on,
        merchants: &ids,
        calendars: &calendars,
        limits,
    };
    raw.resolve(&at, &scheme, profile, &mut rules)
}
