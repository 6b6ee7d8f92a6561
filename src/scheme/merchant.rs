//! A merchant and its terms, and whether a version of the terms has changed since orders were decided on it.

use crate::domain::terms::policy::Policy;

#[derive(Debug)]
pub struct Merchant {
    pub id: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub policy: Policy,
    /// The fingerprint of each version of the policy: of everything in the version that affects decisions.
    pub fingerprints: Vec<String>,
}

/// What changed in a version since its fingerprint was recorded.
pub enum Changed {
    Terms,
    /// A year of a calendar, such as `cn/2026`.
    Days(String),
}

/// Returns what changed since a fingerprint was recorded. A year added to the calendar is not a change.
pub fn changed(recorded: &str, now: &str) -> Option<Changed> {
    let now: Vec<&str> = now.split(' ').collect();
    let part = recorded.split(' ').find(|part| !now.contains(part))?;
    Some(part.split_once('=').map_or(Changed::Terms, |(year, _)| Changed::Days(year.to_owned())))
}
