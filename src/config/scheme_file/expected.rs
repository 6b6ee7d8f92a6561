//! The keys of a feed about its files: by when each file is expected, the number of the first file, and how many rows
//! may be rejected.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::calendar_file::Calendars;
use crate::config::toml::{Rules, days_within, join, share_of_one, time_of_day, weekdays, wrong};
use crate::domain::business_days::Calendar;
use crate::domain::intake::arrival::{Expected, RejectLimit};
use crate::files::inbox::NamePattern;
use crate::files::rows::Kind;
use crate::scheme::WhenMissing;

/// The most days after its date that a file may be expected. More is a typing error.
const LATEST: i64 = 31;

/// What a missing file of a feed holds up. The key is valid only for feeds with expected files that report payments.
pub fn when_missing(written: Option<WhenMissing>, by: Option<&str>, kind: Kind) -> Result<WhenMissing> {
    if written.is_some() {
        ensure!(
            kind.reports_payments(),
            "{} say nothing of what customers have paid, so that nothing waits for them; leave it out",
            kind.name()
        );
        ensure!(
            by.is_some(),
            "no file is missing where none is expected; write expected_by as well, or leave this out"
        );
    }
    Ok(if kind.reports_payments() { written.unwrap_or_default() } else { WhenMissing::GoOn })
}

/// The keys about when files are expected, as written.
pub struct Keys<'a> {
    pub by: Option<&'a str>,
    pub after: Option<i64>,
    pub calendar: Option<&'a str>,
    pub days: Option<&'a [String]>,
    pub from: Option<NaiveDate>,
}

impl Keys<'_> {
    /// Returns when a feed's files are expected; `None` if they are never missing. `at` is the key of the feed.
    pub fn resolve(
        self,
        at: &str,
        pattern: &NamePattern,
        zone: Tz,
        starts_on: NaiveDate,
        calendars: &Calendars,
        rules: &mut Rules,
    ) -> Option<Expected> {
        let Some(by) = self.by else {
            for key in self.idle() {
                rules.refuse(
                    &join(at, key),
                    "says when files are expected, but not by which time; write expected_by as well",
                );
            }
            return None;
        };
        let by = rules.keep(&join(at, "expected_by"), deadline(by, pattern));
        let after = rules.keep(&join(at, "expected_after"), days_within("", self.after.unwrap_or(0), 0, LATEST));
        let calendar = rules.keep(&join(at, "calendar"), self.calendar.map_or(Ok(None), |name| calendars.find(name)));
        let days = rules.keep(&join(at, "days"), self.days.map_or(Ok(Vec::new()), weekdays));
        let calendar: Option<Arc<Calendar>> = calendar?;
        Some(Expected { by: by?, zone, after: after?, calendar, days: days?, from: self.from.unwrap_or(starts_on) })
    }

    /// The keys that have no effect without `expected_by`.
    fn idle(&self) -> Vec<&'static str> {
        let keys = [
            ("expected_after", self.after.is_some()),
            ("calendar", self.calendar.is_some()),
            ("days", self.days.is_some()),
            ("from", self.from.is_some()),
        ];
        keys.into_iter().filter(|(_, written)| *written).map(|(key, _)| key).collect()
    }
}

fn deadline(by: &str, pattern: &NamePattern) -> Result<NaiveTime> {
    let dated =
        "a file is expected for a day, and the pattern does not say which; write {date} in it, or leave this out";
    ensure!(pattern.has_date(), "{dated}");
    time_of_day("", by)
}

/// From how many rejected rows on a file is no success: whichever is reached first.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRejectLimit {
    /// Share of the file's rows, such as "0.05".
    share: Option<Decimal>,
    /// A number of rows.
    rows: Option<i64>,
}

impl RawRejectLimit {
    pub fn resolve(self) -> Result<RejectLimit> {
        let share = self.share.map(|share| share_of_one("share", share)).transpose()?;
        if share.is_some_and(|share| share.is_zero()) {
            return Err(wrong(
                "share",
                "0 would be reached by every file; write a share such as \"0.05\", or rows = 1",
            ));
        }
        if let Some(rows) = self.rows.filter(|rows| *rows < 1) {
            return Err(wrong("rows", format!("{rows} is below 1; write a number of rows from 1 on")));
        }
        ensure!(
            share.is_some() || self.rows.is_some(),
            "says neither share nor rows; write one of them, or leave this out"
        );
        Ok(RejectLimit { share, rows: self.rows })
    }
}

/// Checks the number of a feed's first file, if the feed sets one.
pub fn first_number(number: Option<i64>, pattern: &NamePattern) -> Result<Option<i64>> {
    match number {
        Some(_) if !pattern.has_number() => bail!("the pattern has no {{number}}; write it there, or leave this out"),
        Some(number) if number < 0 => bail!("{number} is below 0; write the number in the name of the first file"),
        number => Ok(number),
    }
}
