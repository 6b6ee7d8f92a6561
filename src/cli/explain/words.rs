//! Rules in words that a customer-service person can read out.

use rust_decimal::Decimal;

use crate::domain::due::ClockDay;
use crate::domain::late_fee::{FeeKind, LateFee};
use crate::domain::money::Currency;
use crate::domain::policy::{Clock, Terms};

/// A share as per cent: 0.0005 is 0.05 %.
pub fn percent(share: Decimal) -> String {
    format!("{} %", (share * Decimal::ONE_HUNDRED).normalize())
}

pub fn late_fee(fee: &LateFee, currency: Currency) -> String {
    let grace = match fee.grace {
        0 => "from the end of the due date".to_owned(),
        1 => "after 1 day of grace".to_owned(),
        days => format!("after {days} days of grace"),
    };
    let rule = match fee.kind {
        FeeKind::None => return "no late fee".to_owned(),
        FeeKind::Flat(minor) => format!("{} {currency} once, {grace}", currency.plain(minor)),
        FeeKind::Percent(rate) => format!("{} once of what is unpaid {grace}", percent(rate)),
        FeeKind::Daily { rate, from_due: false } => format!("{} of what is unpaid for each day {grace}", percent(rate)),
        FeeKind::Daily { rate, from_due: true } => {
            format!("{} of what is unpaid for each day after the due date, charged {grace}", percent(rate))
        }
    };
    let caps: Vec<String> = [
        fee.caps.amount.map(|minor| format!("{} {currency}", currency.plain(minor))),
        fee.caps.order_share.map(|share| format!("{} of the order", percent(share))),
        fee.caps.annual_rate.map(|rate| format!("{} a year", percent(rate))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if caps.is_empty() { rule } else { format!("{rule}; at most {}", caps.join(", ")) }
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
