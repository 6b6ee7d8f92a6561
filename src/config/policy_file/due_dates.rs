//! The keys of a policy that say when something is due, and whether they go together.

use anyhow::{Context, Result, bail, ensure};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{RawVersion, in_days, share_of_one};
use crate::config::calendar_file::Calendars;
use crate::domain::business_days::{Count, Roll};
use crate::domain::policy::{DaysOff, DueDay, Share, Term};

/// The last month that a due day may lie in, counted from the clock day's.
const MOST_MONTHS: u32 = 120;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDueDay {
    day: u32,
    month: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawShare {
    share: Decimal,
    pub term: Option<i64>,
    due_day: Option<RawDueDay>,
}

impl RawVersion {
    /// What days are off, after a look at whether the keys about due dates go together.
    pub fn days_off(&self, calendars: &Calendars) -> Result<Option<DaysOff>> {
        let count = match self.count.as_deref() {
            None | Some("calendar") => Count::Calendar,
            Some("business") => Count::Business,
            Some(other) => bail!("count {other:?}: write calendar or business"),
        };
        let roll = match self.roll.as_deref() {
            None | Some("none") => Roll::None,
            Some("following") => Roll::Following,
            Some("preceding") => Roll::Preceding,
            Some("modified_following") => Roll::ModifiedFollowing,
            Some(other) => bail!("roll {other:?}: write none, following, preceding or modified_following"),
        };
        if self.due_day.is_some() {
            ensure!(self.instalments.is_empty(), "due_day: with instalments, write it in each of them");
            let banded = self.bands.iter().find(|band| band.term.is_some());
            if let Some(band) = banded {
                bail!("bands: score {} has a term, but due_day sets the due date; leave one of them out", band.score);
            }
        }
        let counts_days = self.due_day.is_none()
            && (self.instalments.is_empty() || self.instalments.iter().any(|part| part.term.is_some()));
        ensure!(
            count == Count::Calendar || counts_days,
            "count \"business\" counts the days of a term, but due_day takes its place; leave count out"
        );
        match (&self.calendar, count, roll) {
            (None, Count::Calendar, Roll::None) => Ok(None),
            (None, Count::Business, _) => {
                bail!("count \"business\" needs to know the days off; write calendar = \"weekends\" or another")
            }
            (None, Count::Calendar, _) => {
                bail!("roll needs to know the days off; write calendar = \"weekends\" or another, or leave roll out")
            }
            (Some(name), Count::Calendar, Roll::None) => bail!(
                "calendar {name:?} is named, but nothing uses it; write count = \"business\" or a roll such as \
                 roll = \"following\", or leave calendar out"
            ),
            (Some(name), count, roll) => Ok(Some(DaysOff { calendar: calendars.get(name)?, count, roll })),
        }
    }
}

impl RawDueDay {
    pub fn resolve(self) -> Result<DueDay> {
        let RawDueDay { day, month } = self;
        ensure!((1..=31).contains(&day), "due_day.day {day}: write a day of the month from 1 to 31");
        ensure!(
            (1..=MOST_MONTHS).contains(&month),
            "due_day.month {month}: write 1 for the month after the clock day's, up to {MOST_MONTHS}"
        );
        Ok(DueDay { day, month })
    }
}

pub fn instalments(raw: Vec<RawShare>, count: Count) -> Result<Vec<Share>> {
    let mut shares: Vec<Share> = Vec::new();
    for RawShare { share, term, due_day } in raw {
        let share = share_of_one("instalments.share", share)?;
        let term = match (term, due_day) {
            (Some(days), None) => Term::Days(in_days("instalments.term", days, 0)?),
            (None, Some(due_day)) => Term::Until(due_day.resolve().context("instalments")?),
            (Some(_), Some(_)) => bail!("instalments: one has both term and due_day; leave one of them out"),
            (None, None) => bail!("instalments: one has neither term nor due_day; write one of them"),
        };
        shares.push(Share { share, term });
    }
    let sum: Decimal = shares.iter().map(|share| share.share).sum();
    ensure!(shares.is_empty() || sum == Decimal::ONE, "instalments: the shares add up to {sum}; they must make 1");
    for (pair, number) in shares.windows(2).zip(1..) {
        ensure!(
            in_order(pair[0].term, pair[1].term, count),
            "instalments: number {} could fall due before number {number}; list them by rising term",
            number + 1
        );
    }
    Ok(shares)
}

/// Whether the second falls due no earlier than the first, whatever the clock day.
fn in_order(first: Term, second: Term, count: Count) -> bool {
    match (first, second) {
        (Term::Days(first), Term::Days(second)) => first <= second,
        (Term::Until(first), Term::Until(second)) => (first.month, first.day) <= (second.month, second.day),
        // From the last day of a month: the shortest way to the due day.
        (Term::Days(0), Term::Until(_)) => true,
        (Term::Days(days), Term::Until(due_day)) => {
            let soonest = 28 * (due_day.month - 1) + due_day.day.min(28);
            count == Count::Calendar && days <= i64::from(soonest)
        }
        (Term::Until(due_day), Term::Days(days)) => i64::from(31 * (due_day.month + 1)) <= days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instalments_fall_due_one_after_the_other_whatever_the_clock_day() {
        let on = |day, month| Term::Until(DueDay { day, month });
        let (calendar, business) = (Count::Calendar, Count::Business);
        for (first, second, count, expected) in [
            (Term::Days(7), Term::Days(7), calendar, true),
            (Term::Days(8), Term::Days(7), calendar, false),
            (on(8, 1), on(8, 1), calendar, true),
            (on(8, 1), on(7, 2), calendar, true),
            (on(8, 1), on(7, 1), calendar, false),
            (on(8, 2), on(9, 1), calendar, false),
            // From the last day of a month, day 8 of the next comes after 8 days, and of the one after that no sooner
            // than after 36.
            (Term::Days(8), on(8, 1), calendar, true),
            (Term::Days(9), on(8, 1), calendar, false),
            (Term::Days(36), on(8, 2), calendar, true),
            (Term::Days(37), on(8, 2), calendar, false),
            (Term::Days(28), on(31, 1), calendar, true),
            (Term::Days(29), on(31, 1), calendar, false),
            // How long business days take cannot be known.
            (Term::Days(0), on(1, 1), business, true),
            (Term::Days(1), on(31, 1), business, false),
            (on(8, 1), Term::Days(62), calendar, true),
            (on(8, 1), Term::Days(61), calendar, false),
        ] {
            assert_eq!(in_order(first, second, count), expected, "{first:?}, {second:?}, {count:?}");
        }
    }
}
