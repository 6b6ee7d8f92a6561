//! Days, and the one place where an instant becomes a day of the scheme's time zone.
//!
//! The wall clock is deliberately absent: "now" and "today" are always handed in.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// The first and last year of a date that files may carry. Days near the ends of the calendar would
/// otherwise overflow when a term is added.
pub const YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;

/// `day` moved by whole calendar days; stays at the calendar's end rather than failing.
pub fn plus(day: NaiveDate, days: i64) -> NaiveDate {
    let moved = if days >= 0 {
        day.checked_add_days(Days::new(days.unsigned_abs()))
    } else {
        day.checked_sub_days(Days::new(days.unsigned_abs()))
    };
    moved.unwrap_or(if days >= 0 { NaiveDate::MAX } else { NaiveDate::MIN })
}

/// Days from `from` to `to`; negative if `to` is earlier.
pub fn days_between(from: NaiveDate, to: NaiveDate) -> i64 {
    (to - from).num_days()
}

/// The day an event counts for: the zone's day, or the next one if it came after the policy's cut-off.
pub fn day_of(at: DateTime<Utc>, zone: Tz, cut_off: Option<NaiveTime>) -> NaiveDate {
    let local = at.with_timezone(&zone).naive_local();
    match cut_off {
        Some(cut_off) if local.time() > cut_off => plus(local.date(), 1),
        _ => local.date(),
    }
}

/// The instant of a time as a clock on the wall showed it. Of an hour that came twice, the first; a time that
/// a clock change skipped counts with the offset before the change.
pub fn instant_of(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let before = local - chrono::TimeDelta::hours(3);
            match zone.from_local_datetime(&before).earliest() {
                Some(at) => at.to_utc() + chrono::TimeDelta::hours(3),
                None => local.and_utc(),
            }
        }
    }
}

/// How far [`first_after`] looks ahead, in days.
const FOREVER: i64 = 100_000;

/// The first day after `day` on which `holds` is true, if it stays true from then on. It doubles its steps and halves the
/// last one, so it asks rarely, however far away the day is.
pub fn first_after(day: NaiveDate, holds: impl Fn(NaiveDate) -> bool) -> Option<NaiveDate> {
    if holds(plus(day, 1)) {
        return Some(plus(day, 1));
    }
    if !holds(plus(day, FOREVER)) {
        return None;
    }
    let mut ahead = 2;
    while ahead < FOREVER && !holds(plus(day, ahead)) {
        ahead *= 2;
    }
    Some(first_between(plus(day, ahead / 2), plus(day, ahead), holds))
}

/// The first day on which `holds` is true, if it is false on `not_yet`, true on `by_then`, and stays true from its first day
/// on.
pub fn first_between(not_yet: NaiveDate, by_then: NaiveDate, holds: impl Fn(NaiveDate) -> bool) -> NaiveDate {
    let (mut not_yet, mut by_then) = (not_yet, by_then);
    while days_between(not_yet, by_then) > 1 {
        let between = plus(not_yet, days_between(not_yet, by_then) / 2);
        if holds(between) {
            by_then = between;
        } else {
            not_yet = between;
        }
    }
    by_then
}

/// Returns the last day of the month that begins with `first`.
pub fn last_of_month(first: NaiveDate) -> NaiveDate {
    let in_the_next = plus(first, 31);
    plus(in_the_next.with_day(1).unwrap_or(in_the_next), -1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    #[test]
    fn a_day_stays_at_the_calendars_end() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(
            [-1, 0, 1].map(|days| plus(day("2026-03-01"), days)),
            ["2026-02-28", "2026-03-01", "2026-03-02"].map(day)
        );
        assert_eq!([plus(NaiveDate::MAX, 1), plus(NaiveDate::MIN, -1)], [NaiveDate::MAX, NaiveDate::MIN]);
    }

    #[test]
    fn an_event_after_the_cut_off_counts_for_the_next_day() {
        let zone = chrono_tz::Asia::Shanghai;
        let cut_off = NaiveTime::from_hms_opt(22, 0, 0);
        for (local, cut_off, day) in [
            ("2026-03-01 21:59:59", cut_off, "2026-03-01"),
            ("2026-03-01 22:00:00", cut_off, "2026-03-01"),
            ("2026-03-01 22:00:01", cut_off, "2026-03-02"),
            ("2026-03-31 23:00:00", None, "2026-03-31"),
            ("2026-03-31 23:00:00", cut_off, "2026-04-01"),
        ] {
            let found = day_of(instant_of(at(local), zone), zone, cut_off);
            assert_eq!(found.to_string(), day, "{local}");
        }
    }

    #[test]
    fn clock_changes_neither_lose_nor_invent_an_instant() {
        let london = chrono_tz::Europe::London;
        for (local, utc) in [
            ("2011-03-27 00:59:59", "2011-03-27 00:59:59"),
            ("2011-03-27 01:32:00", "2011-03-27 01:32:00"),
            ("2011-03-27 02:32:00", "2011-03-27 01:32:00"),
            ("2011-10-30 01:30:00", "2011-10-30 00:30:00"),
        ] {
            assert_eq!(instant_of(at(local), london).naive_utc(), at(utc), "{local}");
        }
    }

    #[test]
    fn what_is_far_away_is_found_and_what_never_comes_is_not() {
        let start: NaiveDate = "2026-03-01".parse().unwrap();
        for days in [1, 2, 3, 4, 5, 1_000, 1_023, 1_024, 1_025, 99_999, FOREVER] {
            let from = plus(start, days);
            assert_eq!(first_after(start, |day| day >= from), Some(from), "{days}");
        }
        assert_eq!(first_after(start, |day| day > plus(NaiveDate::MAX, -9)), None);
    }
}
