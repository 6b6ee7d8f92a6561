//! Expected files: the day and time by which each should arrive, and the missing numbers of a sequence. Also how many
//! of a file's rows may be rejected before the file counts as failed.
//!
//! This module knows a file only by its date and its number, not how it was processed.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use crate::domain::business_days::{Calendar, NoYear};
use crate::domain::calendar::{instant_of, plus};

/// When a feed's files are expected.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The time by which a file should arrive, in `zone`.
    pub by: NaiveTime,
    pub zone: Tz,
    /// Days from the date in the file's name to the day on which the file is expected.
    pub after: i64,
    /// The calendar whose days off are dates without a file.
    pub calendar: Option<Arc<Calendar>>,
    /// Days of the week that have a file; all days if the list is empty.
    pub days: Vec<Weekday>,
    /// The first date that has a file.
    pub from: NaiveDate,
}

impl Expected {
    /// The date in the name of the file expected on a business day; `None` if no file is expected.
    pub fn on(&self, business_date: NaiveDate) -> Result<Option<NaiveDate>, NoYear> {
        let date = plus(business_date, -self.after);
        if date < self.from || !(self.days.is_empty() || self.days.contains(&date.weekday())) {
            return Ok(None);
        }
        let off = match &self.calendar {
            Some(calendar) => calendar.is_off(date)?,
            None => false,
        };
        Ok((!off).then_some(date))
    }

    /// The instant by which the file of a business day should arrive.
    pub fn deadline(&self, business_date: NaiveDate) -> DateTime<Utc> {
        instant_of(business_date.and_time(self.by), self.zone)
    }
}

/// How many rejected rows make a file count as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectLimit {
    /// A share of the file's rows.
    pub share: Option<Decimal>,
    pub rows: Option<i64>,
}

impl RejectLimit {
    pub const ALL_ROWS: RejectLimit = RejectLimit { share: Some(Decimal::ONE), rows: None };
    /// No limit, for a source whose sender gets the outcome of each row immediately.
    pub const NONE: RejectLimit = RejectLimit { share: None, rows: None };

    /// Whether `rejected` of `rows` rows reach the limit.
    pub fn is_reached(self, rejected: i64, rows: i64) -> bool {
        let by_share = self.share.is_some_and(|share| Decimal::from(rejected) >= share * Decimal::from(rows));
        let by_rows = self.rows.is_some_and(|most| rejected >= most);
        rejected > 0 && (by_share || by_rows)
    }
}

/// The numbers missing before a file, if `highest` is the highest earlier number and numbering starts with `first`. If
/// `first` is not set, numbering starts with the first file that arrives.
pub fn left_out(number: i64, highest: Option<i64>, first: Option<i64>) -> Option<RangeInclusive<i64>> {
    let next = highest.map(|highest| highest.saturating_add(1)).or(first)?;
    (next < number).then(|| next..=number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::business_days::tests::october;

    fn expected() -> Expected {
        let by = NaiveTime::from_hms_opt(9, 30, 0).unwrap();
        let from = "2026-10-07".parse().unwrap();
        Expected { by, zone: chrono_tz::Asia::Shanghai, after: 0, calendar: None, days: Vec::new(), from }
    }

    #[test]
    fn which_file_should_come_on_which_day() {
        let on_time = expected();
        let next_day = Expected { after: 1, ..expected() };
        // Weekends are off, but Saturday the 10th is a working day.
        let working = Expected { calendar: Some(Arc::new(october())), ..expected() };
        let mondays = Expected { days: vec![Weekday::Mon], ..expected() };
        let both = Expected { days: vec![Weekday::Sat, Weekday::Sun], ..working.clone() };
        // day, then the file's date: daily, a day later, on working days, on Mondays, on working days of weekends
        for (day, dates) in [
            ("2026-10-06", ["", "", "", "", ""]),
            ("2026-10-07", ["10-07", "", "10-07", "", ""]),
            ("2026-10-08", ["10-08", "10-07", "10-08", "", ""]),
            ("2026-10-10", ["10-10", "10-09", "10-10", "", "10-10"]),
            ("2026-10-11", ["10-11", "10-10", "", "", ""]),
            ("2026-10-12", ["10-12", "10-11", "10-12", "10-12", ""]),
        ] {
            for (expected, date) in [&on_time, &next_day, &working, &mondays, &both].into_iter().zip(dates) {
                let found = expected.on(day.parse().unwrap()).unwrap();
                let found = found.map(|date| date.format("%m-%d").to_string()).unwrap_or_default();
                assert_eq!(found, date, "{day} {expected:?}");
            }
        }
        assert!(working.on("2027-01-04".parse().unwrap()).is_err(), "a year without days is an error");
        assert_eq!(on_time.deadline("2026-10-07".parse().unwrap()).to_rfc3339(), "2026-10-07T01:30:00+00:00");
    }

    #[test]
    fn how_many_rejected_rows_are_too_many() {
        let limit = |share: Option<&str>, rows| RejectLimit { share: share.map(|share| share.parse().unwrap()), rows };
        // share, rows, rejected of rows: limit reached
        for (share, rows, rejected, of, reached) in [
            (Some("1"), None, 3, 3, true),
            (Some("1"), None, 2, 3, false),
            (Some("1"), None, 0, 0, false),
            (Some("0.5"), None, 1, 2, true),
            (Some("0.5"), None, 1, 3, false),
            (Some("0.0001"), None, 1, 10_000, true),
            (Some("0.0001"), None, 1, 10_001, false),
            (None, Some(2), 1, 1, false),
            (None, Some(2), 2, 1_000_000, true),
            (Some("0.5"), Some(100), 100, 1_000_000, true),
            (Some("0.5"), Some(100), 3, 4, true),
            (Some("0.5"), Some(1), 0, 4, false),
        ] {
            assert_eq!(limit(share, rows).is_reached(rejected, of), reached, "{share:?} {rows:?}: {rejected} of {of}");
        }
        assert!(RejectLimit::ALL_ROWS.is_reached(1, 1) && !RejectLimit::ALL_ROWS.is_reached(1, 2));
    }

    #[test]
    fn which_numbers_are_left_out() {
        // number, highest earlier number, first number: missing numbers
        for (number, highest, first, missing) in [
            (7, None, None, None),
            (8, Some(7), None, None),
            (9, Some(7), None, Some(8..=8)),
            (12, Some(7), None, Some(8..=11)),
            (6, Some(7), None, None),
            (7, Some(7), None, None),
            (3, None, Some(1), Some(1..=2)),
            (1, None, Some(1), None),
            (0, None, Some(1), None),
            (2, Some(1), Some(1), None),
            (5, Some(i64::MAX), None, None),
        ] {
            assert_eq!(left_out(number, highest, first), missing, "{number} after {highest:?}, from {first:?}");
        }
    }
}
