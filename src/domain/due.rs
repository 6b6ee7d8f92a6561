//! When an instalment is due: due_on = advance(clock day, term) + extension days.

use chrono::NaiveDate;

use super::calendar::plus;
use super::hold::{Covered, Effect, HoldSpan};
use super::money::split;
use super::order::{Event, Fact, Order, What};
use super::policy::{Clock, Terms};

/// An amount owed, and the day it is due once the clock has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub instalment: i64,
    pub minor: i64,
    pub due_on: Option<NaiveDate>,
}

/// The day the term starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDay {
    Started {
        on: NaiveDate,
        by_itself: bool,
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

/// Where the clock stands at the end of `today`. `facts` are those effective by then.
pub fn clock_day(order: &Order, terms: &Terms, facts: &[&Fact], spans: &[HoldSpan], today: NaiveDate) -> ClockDay {
    // A later event implies the earlier ones: what was confirmed was delivered.
    let reached = |event: Event| {
        let counts =
            |fact: &&&Fact| matches!(fact.what, What::Fulfilment(seen) if seen >= event && seen != Event::Cancelled);
        facts.iter().filter(counts).map(|fact| fact.effective_on).min()
    };
    let started = |on: Option<NaiveDate>| match on {
        Some(on) => ClockDay::Started { on, by_itself: false },
        None => ClockDay::Unknown,
    };
    match terms.clock {
        Clock::Ordered => started(Some(order.ordered_on)),
        Clock::Shipped => started(reached(Event::Shipped)),
        Clock::Delivered => started(reached(Event::Delivered)),
        Clock::Confirmed { auto } => {
            let confirmed = reached(Event::Confirmed);
            let automatic = auto.and_then(|auto| {
                let held = Covered::by(Effect::Clock, spans, terms);
                reached(auto.after).map(|from| held.advance(from, auto.days))
            });
            match (confirmed, automatic) {
                (Some(on), Some(automatic)) if automatic < on => ClockDay::Started { on: automatic, by_itself: true },
                (Some(on), _) => ClockDay::Started { on, by_itself: false },
                (None, Some(on)) if on <= today => ClockDay::Started { on, by_itself: true },
                (None, Some(on)) => ClockDay::Expected(on),
                (None, None) => ClockDay::Unknown,
            }
        }
    }
}

/// The order's instalments with their due dates.
pub fn schedule(order: &Order, terms: &Terms, facts: &[&Fact], spans: &[HoldSpan], clock: ClockDay) -> Vec<Due> {
    let extension: i64 = facts
        .iter()
        .map(|fact| match fact.what {
            What::Extension { days } => days,
            _ => 0,
        })
        .sum();
    let held = Covered::by(Effect::Clock, spans, terms);
    let due_on = |term: i64| clock.on().map(|on| plus(held.advance(on, term), extension));
    if terms.instalments.is_empty() {
        return vec![Due { instalment: 1, minor: order.amount_minor, due_on: due_on(order.term) }];
    }
    let shares: Vec<_> = terms.instalments.iter().map(|share| share.share).collect();
    let amounts = split(order.amount_minor, &shares);
    let numbered = terms.instalments.iter().zip(amounts).zip(1..);
    numbered.map(|((share, minor), instalment)| Due { instalment, minor, due_on: due_on(share.term) }).collect()
}
