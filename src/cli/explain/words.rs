//! Rules in words that a customer-service person can read out.

use rust_decimal::Decimal;

use crate::domain::due::ClockDay;
use crate::domain::policy::{Clock, Terms};

/// A share as per cent: 0.0005 is 0.05 %.
pub fn percent(share: Decimal) -> String {
    format!("{} %", (share * Decimal::ONE_HUNDRED).normalize())
}

/// Why the term starts when it does.
pub fn clock(terms: &Terms, clock: ClockDay) -> String {
    let rule = match terms.clock {
        Clock::Ordered => "the order",
        Clock::Shipped => "shipping",
        Clock::Delivered => "delivery",
        Clock::Confirmed { .. } => "confirmed receipt",
    };
    match (clock, terms.clock) {
        (ClockDay::Started { by_itself: true, .. }, Clock::Confirmed { auto: Some(auto) }) => {
            format!("{rule}, which counts by itself {} days after the order was {}", auto.days, auto.after.name())
        }
        _ => rule.to_owned(),
    }
}

pub fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}
