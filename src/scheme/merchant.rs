//! A merchant and the terms it gives, and whether a version of them was changed since orders were decided on it.

use crate::domain::terms::policy::Policy;

#[derive(Debug)]
pub struct Merchant {
    pub id: String,
    pub name: String,
    pub name_zh: Option<String>,
    pub policy: Policy,
    /// Of each version of the policy, what it decides.
    pub fingerprints: Vec<String>,
}

/// What makes a version decide otherwise than when its fingerprint was recorded.
pub enum Changed {
    Terms,
    /// A year of a calendar, such as `cn/2026`.
    Days(String),
}

/// What was changed since a fingerprint was recorded. That the calendar has learned a year is no change.
pub fn changed(recorded: &str, now: &str) -> Option<Changed> {
    let now: Vec<&str> = now.split(' ').collect();
    let part = recorded.split(' ').find(|part| !now.contains(part))?;
    Some(part.split_once('=').map_or(Changed::Terms, |(year, _)| Changed::Days(year.to_owned())))
}
