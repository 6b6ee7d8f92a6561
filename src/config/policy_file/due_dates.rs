//! The keys of a policy about due dates, and whether they are consistent.

use anyhow::Result;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bands::RawBand;
use crate::config::calendar_file::Calendars;
use crate::config::toml::{Rules, in_days, join, share_of_one, wrong};
use crate::domain::business_days::{Count, Roll};
use crate::domain::terms::due_dates::{DaysOff, DueDay, Share, Term};

/// The largest `month` of a due day, counted from the month of the clock day.
const MOST_MONTHS: u32 = 120;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDueDay {
    /// Day of the month, 1 to 31; a shorter month's last day if it has no such day.
    day: i64,
    /// 1 for the month after the clock day's.
    month: i64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawShare {
    /// Share of the order, such as "0.25".
    share: Decimal,
    /// Days to pay it; or due_day.
    term: Option<i64>,
    /// The day of a month by which to pay it; or term.
    due_day: Option<RawDueDay>,
}

/// The keys of a version about due dates, as written.
pub struct Keys<'a> {
    /// Whether the version has a due day for all its orders.
    pub due_day: bool,
    pub instalments: &'a [RawShare],
    pub bands: &'a [RawBand],
    pub calendar: Option<&'a str>,
    pub count: Count,
    pub roll: Roll,
}

impl Keys<'_> {
    /// Checks that the keys about due dates are consistent, and returns the days off.
    pub fn days_off(&self, calendars: &Calendars, rules: &mut Rules) -> Option<Option<DaysOff>> {
        let (count, roll) = (self.count, self.roll);
        if self.due_day && !self.instalments.is_empty() {
            let advice = "with instalments, write it in each of them; here leave it out, or write due_day = false if it \
                          is inherited";
            rules.refuse("due_day", advice);
        } else if self.due_day {
            for (i, band) in self.bands.iter().enumerate().filter(|(_, band)| band.term.is_some()) {
                let advice = format!(
                    "score {} has a term, but due_day sets the due date; leave one of them out, or write due_day = false \
                     if it is inherited",
                    band.score
                );
                rules.refuse(&format!("bands[{i}].term"), advice);
            }
        }
        let counts_days =
            !self.due_day && (self.instalments.is_empty() || self.instalments.iter().any(|part| part.term.is_some()));
        if count == Count::Business && !counts_days {
            let advice = "\"business\" counts the days of a term, but due_day takes its place; leave count out, or write \
                          count = \"calendar\" if it is inherited";
            rules.refuse("count", advice);
        }
        match (self.calendar, count, roll) {
            (None, Count::Calendar, Roll::None) => Some(None),
            (None, Count::Business, _) => {
                let advice = "\"business\" needs to know the days off; write calendar = \"weekends\" or another";
                rules.refuse("count", advice);
                None
            }
            (None, Count::Calendar, _) => {
                let advice = "needs to know the days off; write calendar = \"weekends\" or another, or leave roll out, or \
                              write roll = false if it is inherited";
                rules.refuse("roll", advice);
                None
            }
            (Some(name), Count::Calendar, Roll::None) => {
                let advice = format!(
                    "{name:?} is named, but nothing uses it; write count = \"business\" or a roll such as roll = \
                     \"following\", or leave calendar out, or write calendar = false if it is inherited"
                );
                rules.refuse("calendar", advice);
                None
            }
            (Some(name), count, roll) => {
                let calendar = rules.keep("calendar", calendars.find(name))??;
                Some(Some(DaysOff { calendar, count, roll }))
            }
        }
    }
}

impl RawDueDay {
    pub fn resolve(self) -> Result<DueDay> {
        let within = |number: i64, to: u32| u32::try_from(number).ok().filter(|number| (1..=to).contains(number));
        let Some(day) = within(self.day, 31) else {
            return Err(wrong("day", format!("{} is not from 1 to 31; write a day of the month", self.day)));
        };
        let Some(month) = within(self.month, MOST_MONTHS) else {
            let advice = format!("write 1 for the month after the clock day's, up to {MOST_MONTHS}");
            return Err(wrong("month", format!("{} is not from 1 to {MOST_MONTHS}; {advice}", self.month)));
        };
        Ok(DueDay { day, month })
    }
}

pub fn instalments(raw: Vec<RawShare>, counted: Count, rules: &mut Rules) -> Option<Vec<Share>> {
    let mut shares: Vec<Share> = Vec::new();
    let count = raw.len();
    for (i, RawShare { share, term, due_day }) in raw.into_iter().enumerate() {
        let at = format!("instalments[{i}]");
        let share = rules.keep(&at, share_of_one("share", share).and_then(more_than_nothing));
        let term = match (term, due_day) {
            (Some(days), None) => rules.keep(&at, in_days("term", days, 0)).map(Term::Days),
            (None, Some(due_day)) => rules.keep(&join(&at, "due_day"), due_day.resolve()).map(Term::Until),
            (Some(_), Some(_)) => {
                rules.refuse(&join(&at, "due_day"), "can't be used beside term; leave one of them out");
                None
            }
            (None, None) => {
                let advice = "has neither term nor due_day; write one of them, such as term = 30";
                rules.refuse(&at, advice);
                None
            }
        };
        let (Some(share), Some(term)) = (share, term) else { continue };
        if let Some(before) = shares.last().filter(|before| !in_order(before.term, term, counted)) {
            let (key, message) = match (before.term, term) {
                (Term::Days(before), Term::Days(days)) => ("term", format!("{days} comes after {before}")),
                (_, Term::Days(_)) => ("term", format!("number {} could fall due before number {i}", i + 1)),
                (_, Term::Until(_)) => ("due_day", format!("number {} could fall due before number {i}", i + 1)),
            };
            rules.refuse(&join(&at, key), format!("{message}; list instalments by rising term"));
        }
        shares.push(Share { share, term });
    }
    let sum: Decimal = shares.iter().map(|share| share.share).sum();
    if shares.len() == count && count > 0 && sum != Decimal::ONE {
        let change = if sum < Decimal::ONE { "add" } else { "take away" };
        let left = (Decimal::ONE - sum).abs();
        rules.refuse("instalments", format!("the shares make {sum} and must make 1; {change} {left}"));
    }
    (shares.len() == count).then_some(shares)
}

fn more_than_nothing(share: Decimal) -> Result<Decimal> {
    if share.is_zero() {
        return Err(wrong("share", "must be more than 0; leave an instalment of nothing out"));
    }
    Ok(share)
}

/// Whether the second term never falls due before the first, for any clock day.
fn in_order(first: Term, second: Term, count: Count) -> bool {
    match (first, second) {
        (Term::Days(first), Term::Days(second)) => first <= second,
        (Term::Until(first), Term::Until(second)) => (first.month, first.day) <= (second.month, second.day),
        // Counted from the last day of a month, which is the shortest way to the due day.
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
            // From the last day of a month, day 8 of the next month comes after 8 days, and day 8 of the month after
            // next comes after 36 days at the earliest.
            (Term::Days(8), on(8, 1), calendar, true),
            (Term::Days(9), on(8, 1), calendar, false),
            (Term::Days(36), on(8, 2), calendar, true),
            (Term::Days(37), on(8, 2), calendar, false),
            (Term::Days(28), on(31, 1), calendar, true),
            (Term::Days(29), on(31, 1), calendar, false),
            // The length of a number of business days is unknown.
            (Term::Days(0), on(1, 1), business, true),
            (Term::Days(1), on(31, 1), business, false),
            (on(8, 1), Term::Days(62), calendar, true),
            (on(8, 1), Term::Days(61), calendar, false),
        ] {
            assert_eq!(in_order(first, second, count), expected, "{first:?}, {second:?}, {count:?}");
        }
    }
}
