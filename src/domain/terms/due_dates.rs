//! The part of a policy about due dates: the event that starts the term, the length of the term, instalments, and days
//! off.

use std::sync::Arc;

use chrono::{Datelike, Months, NaiveDate};
use rust_decimal::Decimal;

use crate::domain::business_days::{Calendar, Count, Roll};
use crate::domain::facts::fact::Event;

/// The event that starts the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Ordered,
    Shipped,
    Delivered,
    /// With automatic confirmation, receipt counts as confirmed a number of days after an event.
    Confirmed {
        auto: Option<AutoConfirm>,
    },
}

impl Clock {
    /// Whether the term of every order starts eventually, even if no event is reported.
    pub fn starts_without_events(self) -> bool {
        match self {
            Clock::Ordered => true,
            Clock::Shipped | Clock::Delivered => false,
            Clock::Confirmed { auto } => auto.is_some_and(|auto| auto.after_order.is_some()),
        }
    }
}

/// When receipt counts as confirmed automatically: on the earlier of these days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoConfirm {
    /// Days after the order was shipped or delivered.
    pub after: Option<(Event, i64)>,
    /// Days after the order, even if no event is reported.
    pub after_order: Option<i64>,
}

/// The time from the clock day to the due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    Days(i64),
    Until(DueDay),
}

/// A day of a month after the month of the clock day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueDay {
    /// From 1 to 31. In a shorter month, the last day.
    pub day: u32,
    /// From 1 on; 1 is the month after that of the clock day.
    pub month: u32,
}

impl DueDay {
    pub fn after(self, clock_day: NaiveDate) -> NaiveDate {
        let month = clock_day.checked_add_months(Months::new(self.month)).unwrap_or(NaiveDate::MAX);
        month.with_day(self.day.min(u32::from(month.num_days_in_month()))).unwrap_or(month)
    }
}

/// An instalment's share of the order and its own term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub share: Decimal,
    pub term: Term,
}

/// The days off, and how they affect due dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaysOff {
    pub calendar: Arc<Calendar>,
    pub count: Count,
    pub roll: Roll,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_day_lies_in_a_month_after_the_clock_days() {
        // clock day, day, month, due
        for (clock_day, day, month, due) in [
            ("2026-03-01", 8, 1, "2026-04-08"),
            ("2026-03-31", 8, 1, "2026-04-08"),
            ("2026-03-31", 8, 2, "2026-05-08"),
            ("2026-03-31", 31, 1, "2026-04-30"),
            ("2026-01-31", 31, 1, "2026-02-28"),
            ("2026-01-31", 29, 1, "2026-02-28"),
            ("2028-01-15", 30, 1, "2028-02-29"),
            ("2028-01-15", 28, 1, "2028-02-28"),
            ("2026-12-05", 8, 1, "2027-01-08"),
            ("2026-12-31", 31, 14, "2028-02-29"),
            ("2026-01-31", 31, 2, "2026-03-31"),
        ] {
            let found = DueDay { day, month }.after(clock_day.parse().unwrap());
            assert_eq!(found.to_string(), due, "day {day} of month {month} after {clock_day}");
        }
    }
}
