//! Decides whether the wall clock can be trusted. The clock is compared with a monotonic clock: a difference since the
//! last reading is a step, and a step ahead is trusted only after it has lasted for a while. So a clock that is wrong
//! for some minutes never seals a day that is not over.
//!
//! This module reads no clock: the caller passes both times.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::domain::calendar::days_between;

/// The smallest difference that counts as a step. Time servers correct smaller ones, and a busy machine can lose as
/// much between two readings.
const STEP: TimeDelta = TimeDelta::minutes(5);

/// A daemon that was stopped for longer than this doubts the clock when it starts: a machine without a battery starts
/// with an arbitrary time until it reaches a time server. Jobs run every ten minutes.
const STOPPED: TimeDelta = TimeDelta::minutes(15);

/// A reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub wall: DateTime<Utc>,
    /// The time since the daemon started.
    pub running: Duration,
}

/// The result of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// No change since the last reading.
    Unchanged,
    /// The wall clock stepped ahead by this much, and is doubted from now on.
    Ahead(TimeDelta),
    /// The wall clock stepped back by this much.
    Back(TimeDelta),
    /// The wall clock is right again, and no longer doubted.
    Returned,
    /// The step has lasted long enough, and is trusted.
    Believed(TimeDelta),
}

/// Why the wall clock is doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The daemon was stopped for an unknown time. No day is closed.
    Stopped,
    /// The clock stepped ahead while the daemon ran. No job runs at a time that may be wrong.
    Stepped,
}

/// The state of the wall clock that the daemon watches.
#[derive(Debug)]
pub struct WallClock {
    /// How long a step ahead must last before it is trusted.
    wait: Duration,
    /// When the daemon started, according to the trusted time.
    started: DateTime<Utc>,
    /// The tolerance of `started`.
    tolerance: TimeDelta,
    doubted: Option<Doubted>,
    first: Option<Finding>,
}

#[derive(Debug, Clone, Copy)]
struct Doubted {
    why: Doubt,
    /// When the daemon started, according to the doubted time.
    started: DateTime<Utc>,
    /// How long the daemon had been running when the doubt began.
    since: Duration,
}

impl WallClock {
    /// `last_known`: the latest time recorded before the daemon started.
    pub fn new(look: Look, last_known: Option<DateTime<Utc>>, wait: Duration) -> WallClock {
        let started = start_of(look);
        let mut clock = WallClock { wait, started, tolerance: STEP, doubted: None, first: None };
        let Some(last_known) = last_known else { return clock };
        let gained = started - last_known;
        if gained > STOPPED {
            (clock.started, clock.tolerance) = (last_known, STOPPED);
            clock.doubted = Some(Doubted { why: Doubt::Stopped, started, since: look.running });
            clock.first = Some(Finding::Ahead(gained));
        } else if gained < -STEP {
            clock.first = Some(Finding::Back(-gained));
        }
        clock
    }

    /// Compares a reading with the earlier ones.
    pub fn look(&mut self, look: Look) -> Finding {
        if let Some(first) = self.first.take() {
            return first;
        }
        let started = start_of(look);
        let gained = started - self.started;
        if gained <= self.tolerance {
            let finding = match self.doubted {
                _ if gained < -STEP => Finding::Back(-gained),
                Some(_) => Finding::Returned,
                None => Finding::Unchanged,
            };
            self.believe(started);
            return finding;
        }
        match self.doubted {
            Some(doubted) if (started - doubted.started).abs() <= STEP => {
                if look.running.saturating_sub(doubted.since) < self.wait {
                    return Finding::Unchanged;
                }
                self.believe(started);
                Finding::Believed(gained)
            }
            _ => {
                self.doubted = Some(Doubted { why: Doubt::Stepped, started, since: look.running });
                Finding::Ahead(gained)
            }
        }
    }

    fn believe(&mut self, started: DateTime<Utc>) {
        (self.started, self.tolerance, self.doubted) = (started, STEP, None);
    }

    pub fn doubt(&self) -> Option<Doubt> {
        self.doubted.map(|doubted| doubted.why)
    }

    /// The current time according to the last trusted time.
    pub fn believed(&self, look: Look) -> DateTime<Utc> {
        self.started + TimeDelta::from_std(look.running).unwrap_or(TimeDelta::MAX)
    }
}

/// When the daemon started, if the wall clock is right.
fn start_of(look: Look) -> DateTime<Utc> {
    look.wall - TimeDelta::from_std(look.running).unwrap_or(TimeDelta::zero())
}

/// Returns why the daemon does not close the days that are over, if there are too many. `open` is the open business
/// date, and `last` the last day that is over by the clock.
pub fn too_many_days(open: NaiveDate, last: NaiveDate, at_most: i64) -> Option<String> {
    let days = days_between(open, last) + 1;
    (days > at_most).then(|| {
        format!(
            "by the clock, {days} days from {open} through {last} are over and not closed; the daemon closes at most \
             {at_most} at once. If the clock is right, run paylater close --through {last}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "2026-03-09T10:00:00Z";

    /// Minutes that the daemon has been running; the wall time as days after the start plus minutes; and the expected
    /// finding, with whether jobs wait.
    type Row = (u64, i64, i64, &'static str);

    fn walk(stopped_for: Option<i64>, rows: &[Row]) {
        let start: DateTime<Utc> = START.parse().unwrap();
        let look = |running: u64, days: i64, minutes: i64| Look {
            wall: start + TimeDelta::days(days) + TimeDelta::minutes(minutes),
            running: Duration::from_secs(60 * running),
        };
        let known = stopped_for.map(|minutes| start - TimeDelta::minutes(minutes));
        let mut clock = WallClock::new(look(0, 0, 0), known, Duration::from_secs(30 * 60));
        for (running, days, minutes, expected) in rows {
            let found = match clock.look(look(*running, *days, *minutes)) {
                Finding::Unchanged => "",
                Finding::Ahead(_) => "ahead",
                Finding::Back(_) => "back",
                Finding::Returned => "returned",
                Finding::Believed(_) => "believed",
            };
            let waits = if clock.doubt().is_some() { "waits" } else { "" };
            let found = [found, waits].join(" ").trim().to_owned();
            assert_eq!(found, *expected, "stopped for {stopped_for:?}, {running} minutes on: {days} days {minutes}");
        }
    }

    #[test]
    fn a_clock_that_only_counts_on_is_believed() {
        walk(None, &[(1, 0, 1, ""), (60, 0, 61, ""), (1440, 1, 0, ""), (1441, 1, 5, "")]);
    }

    #[test]
    fn a_wrong_day_of_twenty_minutes_is_waited_for() {
        let (ahead, waits, returned) = ("ahead waits", "waits", "returned");
        walk(
            None,
            &[(34, 0, 34, ""), (35, 1, 35, ahead), (45, 1, 45, waits), (54, 1, 54, waits), (55, 0, 55, returned)],
        );
        // The year 2106, and an hour ahead.
        walk(None, &[(35, 80 * 365, 35, ahead), (55, 0, 55, returned), (56, 0, 56, "")]);
        walk(None, &[(35, 0, 95, ahead), (36, 0, 96, waits), (37, 0, 37, returned)]);
    }

    #[test]
    fn a_step_ahead_that_holds_is_believed() {
        let rows = [(10, 1, 10, "ahead waits"), (39, 1, 39, "waits"), (40, 1, 40, "believed"), (41, 1, 41, "")];
        walk(None, &rows);
        // A second step restarts the wait.
        let rows =
            [(10, 1, 10, "ahead waits"), (30, 2, 30, "ahead waits"), (40, 2, 40, "waits"), (60, 2, 60, "believed")];
        walk(None, &rows);
    }

    #[test]
    fn a_step_back_is_reported_and_the_way_ahead_again_is_one_step() {
        walk(None, &[(10, 0, -50, "back"), (11, 0, -49, ""), (12, 0, 12, "ahead waits"), (42, 0, 42, "believed")]);
        // From a doubted time to a time before the trusted one.
        walk(None, &[(10, 1, 10, "ahead waits"), (11, -1, 11, "back"), (12, -1, 12, "")]);
    }

    #[test]
    fn after_a_longer_stop_the_clock_must_hold_as_well() {
        walk(Some(10), &[(1, 0, 1, "")]);
        walk(Some(60), &[(0, 0, 0, "ahead waits"), (1, 0, 1, "waits"), (29, 0, 29, "waits"), (30, 0, 30, "believed")]);
        // The machine reaches the time server: the daemon was stopped for ten minutes, not for a year.
        walk(Some(365 * 1440), &[(0, 0, 0, "ahead waits"), (1, -364, -1440 + 11, "returned")]);
        walk(Some(-60), &[(0, 0, 0, "back"), (1, 0, 1, "")]);
    }

    #[test]
    fn what_is_believed_goes_on_while_the_wall_clock_is_doubted() {
        let start: DateTime<Utc> = START.parse().unwrap();
        let mut clock = WallClock::new(Look { wall: start, running: Duration::ZERO }, None, Duration::from_secs(1800));
        let look = Look { wall: start + TimeDelta::days(7), running: Duration::from_secs(60) };
        assert_eq!(clock.look(look), Finding::Ahead(TimeDelta::days(7) - TimeDelta::minutes(1)));
        assert_eq!(clock.believed(look), start + TimeDelta::minutes(1));
    }

    #[test]
    fn many_days_at_once_are_closed_only_when_asked_for() {
        let day = |text: &str| format!("2026-03-{text}").parse().unwrap();
        // open, last day that is over, at most: closed
        for (open, last, at_most, closed) in [
            ("09", "08", 10, true),
            ("09", "09", 1, true),
            ("09", "10", 1, false),
            ("09", "18", 10, true),
            ("09", "19", 10, false),
        ] {
            let why = too_many_days(day(open), day(last), at_most);
            assert_eq!(why.is_none(), closed, "{open} to {last}: {why:?}");
        }
        let why = too_many_days("2026-03-09".parse().unwrap(), "2106-02-07".parse().unwrap(), 10).unwrap();
        assert!(why.contains("29190 days from 2026-03-09 through 2106-02-07"), "{why}");
    }
}
