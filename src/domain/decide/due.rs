//! The due date of an instalment: due_on = roll(roll(advance(clock day, term)) + extension days).

use chrono::NaiveDate;

use super::holds::{HeldDays, Hold, holds};
use crate::domain::business_days::{Count, NoYear, Roll};
use crate::domain::calendar::{days_between, plus};
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Event, Fact, What};
use crate::domain::facts::order::Order;
use crate::domain::money::split;
use crate::domain::terms::due_dates::{Clock, Term};
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;

/// An amount owed, and the day it is due once the clock has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub instalment: i64,
    pub minor: i64,
    pub due_on: Option<NaiveDate>,
}

/// The day on which the term starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDay {
    Started {
        on: NaiveDate,
        /// Whether receipt counts as confirmed because time passed, and not because of an event.
        automatic: bool,
    },
    /// Receipt will count as confirmed on this day.
    Expected(NaiveDate),
    Unknown,
}

impl ClockDay {
    pub fn on(self) -> Option<NaiveDate> {
        match self {
            ClockDay::Started { on, .. } => Some(on),
            ClockDay::Expected(_) | ClockDay::Unknown => None,
        }
    }
}

/// The day on which the term starts, as known at the end of `today`. `facts` are those effective by then.
pub fn clock_day(order: &Order, terms: &Terms, facts: &[&Fact], holds: &[Hold], today: NaiveDate) -> ClockDay {
    // A later event implies the earlier ones: a confirmed order was delivered.
    let reached = |event: Event| {
        let counts =
            |fact: &&&Fact| matches!(fact.what, What::Fulfilment(seen) if seen >= event && seen != Event::Cancelled);
        facts.iter().filter(counts).map(|fact| fact.effective_on).min()
    };
    let started = |on: Option<NaiveDate>| match on {
        Some(on) => ClockDay::Started { on, automatic: false },
        None => ClockDay::Unknown,
    };
    match terms.clock {
        Clock::Ordered => started(Some(order.ordered_on)),
        Clock::Shipped => started(reached(Event::Shipped)),
        Clock::Delivered => started(reached(Event::Delivered)),
        Clock::Confirmed { auto } => {
            let confirmed = reached(Event::Confirmed);
            let automatic = auto.and_then(|auto| {
                let held = HeldDays::by(HoldEffect::Clock, holds, terms);
                let after_event = auto.after.and_then(|(event, days)| Some((reached(event)?, days)));
                let after_order = auto.after_order.map(|days| (order.ordered_on, days));
                after_event.into_iter().chain(after_order).map(|(from, days)| held.advance(from, days)).min()
            });
            match (confirmed, automatic) {
                (Some(on), Some(automatic)) if automatic < on => ClockDay::Started { on: automatic, automatic: true },
                (Some(on), _) => ClockDay::Started { on, automatic: false },
                (None, Some(on)) if on <= today => ClockDay::Started { on, automatic: true },
                (None, Some(on)) => ClockDay::Expected(on),
                (None, None) => ClockDay::Unknown,
            }
        }
    }
}

/// The order's instalments with their due dates.
pub fn schedule(
    order: &Order,
    terms: &Terms,
    facts: &[&Fact],
    holds: &[Hold],
    clock: ClockDay,
) -> Result<Vec<Due>, NoYear> {
    let ways = ways(order, terms, facts, holds, clock)?;
    let due_on = |way: Option<DueDateWorkings>| way.map(|way| way.due_on);
    if terms.instalments.is_empty() {
        let minor = order.amount_minor;
        return Ok(ways.into_iter().map(|way| Due { instalment: 1, minor, due_on: due_on(way) }).collect());
    }
    let shares: Vec<_> = terms.instalments.iter().map(|share| share.share).collect();
    let amounts = split(order.amount_minor, &shares);
    let numbered = ways.into_iter().zip(amounts).zip(1..);
    Ok(numbered.map(|((way, minor), instalment)| Due { instalment, minor, due_on: due_on(way) }).collect())
}

/// The steps that lead to a due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueDateWorkings {
    pub clock_on: NaiveDate,
    pub term: Term,
    /// The day on which the term ends, without days that don't count.
    pub term_ends_on: NaiveDate,
    /// Whether a hold moved the end of the term.
    pub held: bool,
    /// The due date without extensions: the end of the term, moved if it falls on a day off.
    pub unextended: NaiveDate,
    /// Days of extensions. They count from `unextended`, so that a day off never absorbs them.
    pub extension: i64,
    pub due_on: NaiveDate,
}

impl DueDateWorkings {
    /// The due date with extensions, before it is moved off a day off.
    pub fn extended(&self) -> NaiveDate {
        plus(self.unextended, self.extension)
    }
}

/// The steps to each instalment's due date, from the facts effective on a day; `None` for an instalment without a due
/// date.
pub fn due_date_workings(case: &Case, terms: &Terms, day: NaiveDate) -> Result<Vec<Option<DueDateWorkings>>, NoYear> {
    let facts = case.effective_by(day);
    let holds = holds(&facts, terms);
    ways(&case.order, terms, &facts, &holds, clock_day(&case.order, terms, &facts, &holds, day))
}

/// Returns an error if a due date that follows from the known facts, including facts dated ahead, needs a year that the
/// calendar does not cover.
pub fn due_dates_are_known(case: &Case, terms: &Terms) -> Result<(), NoYear> {
    if terms.days_off.is_some() {
        due_date_workings(case, terms, NaiveDate::MAX)?;
    }
    Ok(())
}

/// The latest due date of an order that is placed, shipped, delivered or confirmed on `day`, if it is not held and is
/// extended by at most `extension` days.
pub fn latest(terms: &Terms, day: NaiveDate, extension: i64) -> Result<NaiveDate, NoYear> {
    let automatic = match terms.clock {
        Clock::Confirmed { auto: Some(auto) } => auto.after.map(|(_, days)| days).max(auto.after_order).unwrap_or(0),
        _ => 0,
    };
    let clock_on = plus(day, automatic + i64::from(terms.cut_off.is_some()));
    let counting = Counting { terms, held: HeldDays::default(), extension };
    let mut latest = clock_on;
    for term in all_terms(terms) {
        latest = latest.max(counting.way(clock_on, term)?.due_on);
    }
    Ok(latest)
}

/// The fewest days from an order to the due date of an instalment.
pub fn shortest_term(terms: &Terms) -> i64 {
    let rolls_back = terms
        .days_off
        .as_ref()
        .is_some_and(|days_off| matches!(days_off.roll, Roll::Preceding | Roll::ModifiedFollowing));
    let days = all_terms(terms).into_iter().map(|term| match term {
        Term::Days(days) if !rolls_back => days,
        Term::Days(_) | Term::Until(_) => 0,
    });
    days.min().unwrap_or(0)
}

/// All terms that an order on these terms can have.
fn all_terms(terms: &Terms) -> Vec<Term> {
    match (terms.due_day, terms.instalments.as_slice()) {
        (Some(due_day), _) => vec![Term::Until(due_day)],
        (None, []) => terms.bands.iter().map(|band| Term::Days(band.term)).collect(),
        (None, shares) => shares.iter().map(|share| share.term).collect(),
    }
}

fn ways(
    order: &Order,
    terms: &Terms,
    facts: &[&Fact],
    holds: &[Hold],
    clock: ClockDay,
) -> Result<Vec<Option<DueDateWorkings>>, NoYear> {
    let extension: i64 = facts
        .iter()
        .map(|fact| match fact.what {
            What::Extension { days } => days,
            _ => 0,
        })
        .sum();
    let counting = Counting { terms, held: HeldDays::by(HoldEffect::Clock, holds, terms), extension };
    let way = |term: Term| {
        let way = clock.on().map(|on| counting.way(on, term)).transpose()?;
        // A delivery may be dated a day before its order, and a roll may move a day back: nothing is due before its
        // order.
        Ok(way.map(|way| DueDateWorkings { due_on: way.due_on.max(order.ordered_on), ..way }))
    };
    match (terms.due_day, terms.instalments.as_slice()) {
        (Some(due_day), _) => Ok(vec![way(Term::Until(due_day))?]),
        (None, []) => Ok(vec![way(Term::Days(order.term))?]),
        (None, shares) => shares.iter().map(|share| way(share.term)).collect(),
    }
}

/// The inputs for counting the days of all due dates of an order.
struct Counting<'a> {
    terms: &'a Terms,
    /// Days covered by holds with effect `clock`.
    held: HeldDays,
    extension: i64,
}

impl Counting<'_> {
    fn way(&self, clock_on: NaiveDate, term: Term) -> Result<DueDateWorkings, NoYear> {
        let term_ends_on = match term {
            Term::Days(days) => self.advance(clock_on, days)?,
            // A held day before the due day moves it by one day, as it moves the end of a term.
            Term::Until(due_day) => self.held.advance(clock_on, days_between(clock_on, due_day.after(clock_on))),
        };
        let held = self.held.free_days(clock_on, term_ends_on) < days_between(clock_on, term_ends_on);
        let unextended = self.roll(term_ends_on)?;
        let extension = self.extension;
        let mut way = DueDateWorkings { clock_on, term, term_ends_on, held, unextended, extension, due_on: unextended };
        if extension > 0 {
            way.due_on = self.roll(way.extended())?;
        }
        Ok(way)
    }

    /// Moves a due date off a day off, as the terms say.
    fn roll(&self, day: NaiveDate) -> Result<NaiveDate, NoYear> {
        match &self.terms.days_off {
            Some(days_off) => days_off.roll.apply(day, &days_off.calendar),
            None => Ok(day),
        }
    }

    /// The n-th day after `from` that counts: it is not held, and not a day off if business days are counted.
    fn advance(&self, from: NaiveDate, n: i64) -> Result<NaiveDate, NoYear> {
        let business = self.terms.days_off.as_ref().filter(|days_off| days_off.count == Count::Business);
        let Some(days_off) = business else { return Ok(self.held.advance(from, n)) };
        let mut day = from;
        let mut counted = 0;
        while counted < n {
            day = plus(day, 1);
            if let Some(last) = self.held.covered_until(day) {
                day = last;
            } else if !days_off.calendar.is_off(day)? {
                counted += 1;
            }
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::business_days::tests::october;
    use crate::domain::facts::fact::HoldReason;
    use crate::domain::facts::source::Source;
    use crate::domain::terms::due_dates::{AutoConfirm, DaysOff, DueDay, Share};
    use crate::domain::terms::policy::tests::terms;

    fn day(text: &str) -> NaiveDate {
        format!("2026-{text}").parse().unwrap()
    }

    /// Bands of 7 and 14 days after delivery. Due dates move to the next business day.
    fn october_terms() -> Terms {
        let days_off = DaysOff { calendar: Arc::new(october()), count: Count::Calendar, roll: Roll::Following };
        Terms { days_off: Some(days_off), ..terms() }
    }

    #[test]
    fn the_latest_due_date_is_that_of_the_longest_term() {
        let due_day = DueDay { day: 8, month: 1 };
        let half = |term| Share { share: "0.5".parse().unwrap(), term };
        let automatic =
            Clock::Confirmed { auto: Some(AutoConfirm { after: Some((Event::Shipped, 10)), after_order: None }) };
        let business = DaysOff { count: Count::Business, ..october_terms().days_off.unwrap() };
        for (what, terms, extension, latest_on) in [
            ("14 days", terms(), 0, "10-07"),
            ("moved", Terms { bands: terms().bands[..1].to_vec(), ..october_terms() }, 0, "09-30"),
            (
                "14 business days: October 1st and 2nd are off, the 10th is worked",
                Terms { days_off: Some(business), ..terms() },
                0,
                "10-14",
            ),
            ("extended to Sunday the 11th", october_terms(), 4, "10-12"),
            (
                "after the cut-off",
                Terms { cut_off: chrono::NaiveTime::from_hms_opt(22, 0, 0), ..october_terms() },
                0,
                "10-08",
            ),
            (
                "confirmed automatically, on Saturday the 17th",
                Terms { clock: automatic, ..october_terms() },
                0,
                "10-19",
            ),
            ("a due day", Terms { due_day: Some(due_day), ..october_terms() }, 0, "10-08"),
            (
                "instalments",
                Terms {
                    instalments: vec![half(Term::Days(0)), half(Term::Until(DueDay { day: 31, month: 1 }))],
                    ..october_terms()
                },
                0,
                "11-02",
            ),
        ] {
            assert_eq!(latest(&terms, day("09-23"), extension), Ok(day(latest_on)), "{what}");
        }
        assert_eq!(latest(&october_terms(), day("12-17"), 0), Ok(day("12-31")));
        assert_eq!(latest(&october_terms(), day("12-18"), 0).unwrap_err().year, 2027);
        assert_eq!(latest(&october_terms(), day("12-10"), 8).unwrap_err().year, 2027);
    }

    #[test]
    fn the_steps_to_a_due_date() {
        let order = Order {
            order_id: "order".into(),
            customer_id: "customer".into(),
            amount_minor: 10_000,
            currency: terms().currency,
            ordered_at: day("09-23").and_hms_opt(4, 0, 0).unwrap().and_utc(),
            ordered_on: day("09-23"),
            term: 7,
            policy_version: terms().effective_from,
            booked_on: day("09-23"),
            source: Source::default(),
        };
        let fact = |on: &str, what: What| Fact {
            id: String::new(),
            effective_at: day(on).and_hms_opt(4, 0, 0).unwrap().and_utc(),
            effective_on: day(on),
            booked_on: day(on),
            source: Source::default(),
            what,
        };
        let held = What::Hold { reason: HoldReason::Return, ends_on: Some(day("09-26")) };
        let facts = vec![
            fact("09-23", What::Fulfilment(Event::Delivered)),
            fact("09-25", held),
            fact("09-28", What::Extension { days: 1 }),
        ];
        let case = Case::new(order, facts);
        // day asked about, end of the term, held, extension, due
        for (asked, ends_on, held, extension, due_on) in [
            ("09-23", "09-30", false, 0, "09-30"),
            ("09-25", "10-02", true, 0, "10-05"),
            // The extension counts from the day to which the term was moved, so that it moves the due date.
            ("09-28", "10-02", true, 1, "10-06"),
        ] {
            let way = due_date_workings(&case, &october_terms(), day(asked)).unwrap()[0].unwrap();
            assert_eq!((way.clock_on, way.term), (day("09-23"), Term::Days(7)), "{asked}");
            assert_eq!((way.term_ends_on, way.held), (day(ends_on), held), "{asked}");
            assert_eq!((way.extension, way.due_on), (extension, day(due_on)), "{asked}");
        }
        assert_eq!(due_date_workings(&case, &october_terms(), day("09-22")), Ok(vec![None]));
        // Delivered on December 30th, the order falls due in 2027, which is an error only if a calendar is used.
        let early = Case { facts: vec![fact("12-30", What::Fulfilment(Event::Delivered))], ..case };
        assert_eq!(due_dates_are_known(&early, &october_terms()).unwrap_err().year, 2027);
        assert_eq!(due_dates_are_known(&early, &terms()), Ok(()));
    }
}
