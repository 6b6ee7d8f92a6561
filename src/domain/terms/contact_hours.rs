//! When customers may be contacted, by the clock of their own time zone.

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use crate::domain::calendar::{instant_of, plus};

/// The hours within which mail is sent: at or after `from`, and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactHours {
    pub from: NaiveTime,
    pub until: NaiveTime,
}

impl ContactHours {
    /// The first instant at or after `now` within the hours.
    pub fn next_allowed(&self, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let local = now.with_timezone(&zone).naive_local();
        if local.time() < self.from {
            instant_of(local.date().and_time(self.from), zone)
        } else if local.time() < self.until {
            now
        } else {
            instant_of(plus(local.date(), 1).and_time(self.from), zone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_hours_are_the_customers_own() {
        let hours = ContactHours {
            from: NaiveTime::from_hms_opt(8, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        };
        for (now, zone, allowed) in [
            // 10:00 in Shanghai is within the hours. In London it is 02:00, and the mail waits for 08:00.
            ("2026-03-02T02:00:00Z", "Asia/Shanghai", "2026-03-02T02:00:00Z"),
            ("2026-03-02T02:00:00Z", "Europe/London", "2026-03-02T08:00:00Z"),
            // In New York it is 21:00 on the evening before.
            ("2026-03-02T02:00:00Z", "America/New_York", "2026-03-02T02:00:00Z"),
            // 22:00 is too late; the mail waits for the next morning.
            ("2026-03-02T14:00:00Z", "Asia/Shanghai", "2026-03-03T00:00:00Z"),
            ("2026-03-02T13:59:59Z", "Asia/Shanghai", "2026-03-02T13:59:59Z"),
            // The clocks go forward in London on March 29.
            ("2026-03-29T02:00:00Z", "Europe/London", "2026-03-29T07:00:00Z"),
        ] {
            let found = hours.next_allowed(now.parse().unwrap(), zone.parse().unwrap());
            assert_eq!(found, allowed.parse::<DateTime<Utc>>().unwrap(), "{now} {zone}");
        }
    }

    #[test]
    fn of_an_hour_that_comes_twice_the_second_time_is_within_the_hours_too() {
        // In London the clocks go back from 02:00 to 01:00 on October 25th: 01:30 is first 00:30 UTC and then 01:30
        // UTC.
        let hours = ContactHours {
            from: NaiveTime::from_hms_opt(1, 30, 0).unwrap(),
            until: NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        };
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            let now: DateTime<Utc> = now.parse().unwrap();
            assert_eq!(hours.next_allowed(now, chrono_tz::Europe::London), now);
        }
    }
}
