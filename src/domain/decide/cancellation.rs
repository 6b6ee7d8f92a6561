//! Cancelled orders. A fact cancels an order, or the policy does, if no fulfilment is reported within a number of days.
//! Both refund what is left of the order. A fulfilment reported later, whatever its date, reverses the policy's
//! cancellation: the order is owed again.

use chrono::{Duration, NaiveDate};

use crate::domain::calendar::plus;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Event, Fact, What};
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::terms::policy::Terms;

/// Whether the facts contain a cancellation, whenever it takes effect, or the policy has cancelled the order before
/// `day`.
pub fn is_cancelled(case: &Case, terms: &Terms, day: NaiveDate) -> bool {
    let facts: Vec<&Fact> = case.facts.iter().collect();
    facts.iter().any(|fact| fact.what == What::Fulfilment(Event::Cancelled))
        || by_policy(&case.order, terms, &facts, plus(day, -1)).is_some()
}

/// The policy's cancellation as a fact at the end of its day, if that day is over. It has no source, since a rule makes
/// it.
pub fn by_policy(order: &Order, terms: &Terms, facts: &[&Fact], over: NaiveDate) -> Option<Fact> {
    let on = plus(order.ordered_on, terms.cancel_unfulfilled_after?);
    let is_fulfilment = |fact: &&Fact| matches!(fact.what, What::Fulfilment(event) if event != Event::Cancelled);
    if on > over || facts.iter().any(is_fulfilment) {
        return None;
    }
    // The instant is after all facts effective by the end of the day, and before all facts of the next day.
    let by_then = facts.iter().filter(|fact| fact.effective_on <= on).map(|fact| fact.effective_at);
    let last = by_then.max().unwrap_or(order.ordered_at).max(order.ordered_at);
    Some(Fact {
        id: format!("{}:not_fulfilled", order.order_id),
        effective_at: last + Duration::microseconds(1),
        effective_on: on,
        booked_on: on,
        source: Source::default(),
        what: What::Fulfilment(Event::Cancelled),
    })
}
