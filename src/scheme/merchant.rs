//! A merchant and its terms, and whether a version of the terms has changed since orders were decided on it.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use crate::domain::decide::due;
use crate::domain::terms::letterhead::Letterheads;
use crate::domain::terms::policy::Policy;

#[derive(Debug)]
pub struct Merchant {
    pub id: String,
    pub name: String,
    pub name_zh: Option<String>,
    /// What mails about its orders say, by language.
    pub letterheads: Letterheads,
    pub policy: Policy,
    /// The fingerprint of each version of the policy: of everything in the version that affects decisions.
    pub fingerprints: Vec<String>,
}

impl Merchant {
    /// Returns an error if an order of `day` could fall due in a year that the policy's calendar does not cover.
    pub fn check_calendar(&self, day: NaiveDate) -> Result<()> {
        let Some(terms) = self.policy.in_force(day) else { return Ok(()) };
        due::latest(terms, day, 0).with_context(|| {
            format!(
                "merchant {}, policy version {}: the due date of an order whose term starts on {day} cannot be determined; \
                 add the year to the calendar: a file of your own under [calendars] takes the place of a built-in one",
                self.id, terms.effective_from
            )
        })?;
        Ok(())
    }
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
