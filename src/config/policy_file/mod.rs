//! Policy files: a merchant's terms, each version with everything it inherits.

mod bands;
mod due_dates;
mod inherit;
mod instructions;
mod late_fee;
mod overdue;
mod schema;
mod version;
mod written_out;

use anyhow::{Context, Result};
use serde_json::Value as Json;

use self::version::RawVersion;
use super::calendar_file;
use super::toml::{Problems, shape};
use crate::domain::terms::policy::{Policy, Terms};
use crate::files::reports::sha256;

pub use inherit::{Named, Parent, Version, check_base};
pub use schema::policy as policy_schema;
pub use version::Shared;
pub use written_out::written_out;

/// A loaded policy.
#[derive(Debug)]
pub struct Loaded {
    pub policy: Policy,
    /// The fingerprint of each version: of everything in the version that affects decisions.
    pub fingerprints: Vec<String>,
    /// Each version as written, with what it inherits.
    pub written: Vec<Version>,
}

/// Loads a policy with everything that its versions inherit. On failure, returns `None` and adds the problems.
pub fn load(named: &Named, scheme_base: Option<&Named>, shared: Shared<'_>, problems: &mut Problems) -> Option<Loaded> {
    let before = problems.count();
    let written = inherit::load(named, scheme_base, problems)?;
    let schema = schema::whole_version();
    let mut versions = Vec::new();
    let mut fingerprints = Vec::new();
    for (i, version) in written.iter().enumerate() {
        let Some(terms) = terms(version, &schema, shared, problems) else { continue };
        let followed_on = written.get(i + 1).map(|next| next.effective_from);
        let tiered = version.whole.get("late_fee").is_some_and(|fee| fee.get("tiers").is_some());
        let mut rules = version.rules(problems);
        rules.keep("late_fee", late_fee::lawful(&terms, followed_on, tiered, shared.rates));
        fingerprints.extend(rules.keep("", fingerprint(version, &terms)));
        versions.push(terms);
    }
    (problems.count() == before).then_some(Loaded { policy: Policy { versions }, fingerprints, written })
}

fn terms(version: &Version, schema: &Json, shared: Shared<'_>, problems: &mut Problems) -> Option<Terms> {
    let mut whole = version.whole.clone();
    if !shape::check(&mut whole, schema, "", problems) {
        return None;
    }
    let mut rules = version.rules(problems);
    let raw = serde_json::from_value::<RawVersion>(whole.to_json()).context("this version can't be read");
    rules.keep("", raw)?.resolve(shared, &mut rules)
}

/// Returns a fingerprint of a version with everything it inherits, and of the years of its calendar. It detects later
/// changes, here or in the base, to a version that orders keep. Reminder steps may change: they affect no amount or
/// date.
fn fingerprint(version: &Version, terms: &Terms) -> Result<String> {
    let mut decisive = version.whole.to_json();
    if let Some(table) = decisive.as_object_mut() {
        table.remove("reminders");
    }
    let of_terms = sha256(serde_json::to_string(&decisive).context("a policy as JSON")?.as_bytes());
    let years = terms.days_off.as_ref().map(|days_off| calendar_file::fingerprints(&days_off.calendar));
    Ok([vec![of_terms], years.unwrap_or_default()].concat().join(" "))
}
