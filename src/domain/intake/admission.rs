//! Whether a fact that names a known order can be accepted: no fact happens before its order, and refunds, chargebacks
//! and extensions have limits. If several reasons to refuse apply, the first in the order of docs/rules.md is reported.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use super::code::RowCode;
use crate::domain::business_days::NoYear;
use crate::domain::calendar::{day_of, days_between, plus};
use crate::domain::decide::cancellation::is_cancelled;
use crate::domain::decide::due::{clock_day, due_date_workings, due_dates_are_known, schedule};
use crate::domain::decide::during_day::owed_now;
use crate::domain::decide::end_of_day::decide;
use crate::domain::decide::holds::holds;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Fact, What};
use crate::domain::terms::policy::Terms;
use crate::domain::words::count;

/// Why a well-formed row about a known order is rejected. The message states the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "dated {on}, but order {order_id} was placed on {ordered_on}; the policy takes what is dated at most {days} day(s) \
         before the order"
    )]
    BeforeOrder { on: NaiveDate, order_id: String, ordered_on: NaiveDate, days: i64 },
    #[error("refunded {} after the clock day {clock_on}; the policy takes refunds for {}", count(*days, "day"), count(*window, "day"))]
    RefundTooLate { days: i64, clock_on: NaiveDate, window: i64 },
    #[error("more than the {left} of the order that can still be refunded")]
    RefundTooMuch { left: String },
    #[error("charged back on {on}, but payment {payment_id} was made on {paid_on}")]
    ChargebackTooEarly { payment_id: String, paid_on: NaiveDate, on: NaiveDate },
    #[error("more than the {left} of payment {payment_id} that earlier chargebacks have left")]
    ChargebackTooMuch { payment_id: String, left: String },
    #[error("payment {payment_id} is not known")]
    ChargebackUnknown { payment_id: String },
    #[error("payment {payment_id} was taken back by chargeback {chargeback_id}; correct that first")]
    PaymentChargedBack { payment_id: String, chargeback_id: String },
    #[error("the policy allows no extensions")]
    ExtensionNotOffered,
    #[error(
        "nothing of the order was owed on {asked_on}, so there is nothing to extend; the request does not count as an extension"
    )]
    ExtensionNotNeeded { asked_on: NaiveDate },
    #[error(
        "with {} more, the due date would still be {due_on}, because it is moved back to a business day; ask for more days",
        count(*days, "day")
    )]
    ExtensionNoEffect { days: i64, due_on: NaiveDate },
    #[error("the policy allows {}, and the order has had all of them", count(*times, "extension"))]
    ExtensionLimit { times: i64 },
    #[error("{} requested; the policy allows 1 to {most}", count(*days, "day"))]
    ExtensionTooLong { days: i64, most: i64 },
    #[error(
        "requested {} before the due date {due_on}; the policy allows requests from {} before it",
        count(*before, "day"),
        count(*within, "day")
    )]
    ExtensionTooEarly { before: i64, due_on: NaiveDate, within: i64 },
    #[error(
        "requested on {asked_on}, after the due date {due_on}; the policy allows no extension of an overdue instalment"
    )]
    ExtensionTooLate { asked_on: NaiveDate, due_on: NaiveDate },
    #[error("requested on {asked_on}, but instalment {instalment} was written off on {written_off_on}")]
    ExtensionWrittenOff { asked_on: NaiveDate, instalment: i64, written_off_on: NaiveDate },
    #[error("its due date cannot be determined: {0}")]
    NoCalendarYear(#[from] NoYear),
}

impl Refusal {
    pub fn code(&self) -> RowCode {
        match self {
            Refusal::BeforeOrder { .. } => RowCode::BeforeOrder,
            Refusal::RefundTooLate { .. } => RowCode::RefundTooLate,
            Refusal::RefundTooMuch { .. } => RowCode::RefundTooMuch,
            Refusal::ChargebackTooEarly { .. } => RowCode::ChargebackTooEarly,
            Refusal::ChargebackTooMuch { .. } => RowCode::ChargebackTooMuch,
            Refusal::ChargebackUnknown { .. } => RowCode::UnknownPayment,
            Refusal::PaymentChargedBack { .. } => RowCode::PaymentChargedBack,
            Refusal::ExtensionNotOffered => RowCode::ExtensionNotOffered,
            Refusal::ExtensionNotNeeded { .. } => RowCode::ExtensionNotNeeded,
            Refusal::ExtensionNoEffect { .. } => RowCode::ExtensionNoEffect,
            Refusal::ExtensionLimit { .. } => RowCode::ExtensionLimit,
            Refusal::ExtensionTooLong { .. } => RowCode::ExtensionTooLong,
            Refusal::ExtensionTooEarly { .. } => RowCode::ExtensionTooEarly,
            Refusal::ExtensionTooLate { .. } => RowCode::ExtensionTooLate,
            Refusal::ExtensionWrittenOff { .. } => RowCode::ExtensionWrittenOff,
            Refusal::NoCalendarYear(_) => RowCode::NoCalendarYear,
        }
    }

    /// Whether a later fact may change the answer, so that the row can wait for it.
    pub fn may_pass(&self) -> bool {
        matches!(self, Refusal::ChargebackUnknown { .. })
    }
}

/// Checks that a fact does not happen before its order, within the tolerance of the terms. A fact at midnight has only
/// a date, and is compared by days.
pub fn not_before_order(
    order_id: &str,
    ordered_at: DateTime<Utc>,
    terms: &Terms,
    at: DateTime<Utc>,
    zone: Tz,
) -> Result<(), Refusal> {
    let (on, ordered_on) = (day_of(at, zone, None), day_of(ordered_at, zone, None));
    let by_day = at.with_timezone(&zone).time() == NaiveTime::MIN;
    let too_early = if by_day {
        on < plus(ordered_on, -terms.before_order)
    } else {
        ordered_at - at > Duration::days(terms.before_order)
    };
    if too_early {
        let (order_id, days) = (order_id.to_owned(), terms.before_order);
        return Err(Refusal::BeforeOrder { on, order_id, ordered_on, days });
    }
    Ok(())
}

/// Whether `what`, effective on a day, is consistent with the known facts of the order.
pub fn admit(case: &Case, terms: &Terms, what: &What, effective_on: NaiveDate) -> Result<(), Refusal> {
    match what {
        What::Refund { minor, .. } => admit_refund(case, terms, *minor, effective_on),
        What::Chargeback { minor, payment_id, .. } => admit_chargeback(case, payment_id, *minor, effective_on),
        What::Extension { days } => {
            admit_extension(case, terms, *days, effective_on)?;
            admit_due_dates(case, terms, what, effective_on)?;
            admit_effect(case, terms, what, effective_on)
        }
        What::Fulfilment(_) | What::Hold { .. } => admit_due_dates(case, terms, what, effective_on),
        What::Payment { .. } | What::Waiver { .. } | What::Notice { .. } | What::PayOut { .. } | What::GivenBack => {
            Ok(())
        }
    }
}

/// Refuses a row that would move a due date into a year that the calendar does not cover. Otherwise the order could not
/// be decided any more, and a typing error such as a hold until 2062 would stop the books.
fn admit_due_dates(case: &Case, terms: &Terms, what: &What, effective_on: NaiveDate) -> Result<(), Refusal> {
    if terms.days_off.is_none() {
        return Ok(());
    }
    Ok(due_dates_are_known(&case.with(what, midnight(effective_on), effective_on), terms)?)
}

/// Returns the instant at which a fact that has only a date happened.
fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Whether a refund that the provider paid to the customer itself is consistent with the known facts of the order. The
/// customer has the money, and the merchant may have reported the same refund under another key. So the limit counts
/// only earlier refunds that the provider paid itself.
pub fn admit_given_back(case: &Case, terms: &Terms, minor: i64, on: NaiveDate) -> Result<(), Refusal> {
    let sum = |of: &dyn Fn(&Fact) -> i64| case.facts.iter().map(of).sum::<i64>();
    let is_given_back = |fact: &Fact| case.facts.iter().any(|o| o.what == What::GivenBack && o.id == fact.id);
    let paid = sum(&|fact| match fact.what {
        What::Payment { minor, .. } => minor,
        _ => 0,
    });
    let refunds = |given_back: bool| {
        sum(&|fact| match fact.what {
            What::Refund { minor, .. } if is_given_back(fact) == given_back => minor,
            _ => 0,
        })
    };
    let left = case.order.amount_minor.max(paid) - refunds(true);
    if minor > left {
        return Err(Refusal::RefundTooMuch { left: case.order.currency.plain(left) });
    }
    // Refunds that were accepted earlier were in time.
    let refunded_before = if is_cancelled(case, terms, on) { case.order.amount_minor } else { refunds(false) };
    if minor <= refunded_before { Ok(()) } else { admit_refund_day(case, terms, on) }
}

fn admit_refund(case: &Case, terms: &Terms, minor: i64, refunded_on: NaiveDate) -> Result<(), Refusal> {
    let given_back = case.facts.iter().any(|fact| fact.what == What::GivenBack);
    let earlier: i64 = if given_back {
        // A refund that the provider gave back may be one of its own, or the pay-out of an earlier refund.
        let latest = case.facts.iter().map(|fact| fact.effective_on).max().unwrap_or(refunded_on);
        let decision = decide(case, terms, &[], latest.max(case.order.ordered_on))?;
        decision.positions.iter().map(|position| position.refunded).sum()
    } else {
        let refund = |fact: &Fact| match fact.what {
            What::Refund { minor, .. } => minor,
            _ => 0,
        };
        case.facts.iter().map(refund).sum()
    };
    let left = if is_cancelled(case, terms, refunded_on) { 0 } else { case.order.amount_minor - earlier };
    if minor > left {
        return Err(Refusal::RefundTooMuch { left: case.order.currency.plain(left) });
    }
    admit_refund_day(case, terms, refunded_on)
}

fn admit_refund_day(case: &Case, terms: &Terms, refunded_on: NaiveDate) -> Result<(), Refusal> {
    let facts = case.effective_by(refunded_on);
    let clock = clock_day(&case.order, terms, &facts, &holds(&facts, terms), refunded_on);
    if let (Some(clock_on), Some(window)) = (clock.on(), terms.refund_window) {
        let days = days_between(clock_on, refunded_on);
        if days > window {
            return Err(Refusal::RefundTooLate { days, clock_on, window });
        }
    }
    Ok(())
}

fn admit_chargeback(case: &Case, payment_id: &str, minor: i64, on: NaiveDate) -> Result<(), Refusal> {
    let payment_id = payment_id.to_owned();
    let paid = case.facts.iter().find_map(|fact| match fact.what {
        What::Payment { minor, .. } if fact.id == payment_id => Some((minor, fact.effective_on)),
        _ => None,
    });
    let Some((paid, paid_on)) = paid else {
        return Err(Refusal::ChargebackUnknown { payment_id });
    };
    if on < paid_on {
        return Err(Refusal::ChargebackTooEarly { payment_id, paid_on, on });
    }
    let earlier = case.facts.iter().map(|fact| match &fact.what {
        What::Chargeback { minor, payment_id: of, .. } if *of == payment_id => *minor,
        _ => 0,
    });
    let left = paid - earlier.sum::<i64>();
    if minor > left {
        return Err(Refusal::ChargebackTooMuch { payment_id, left: case.order.currency.plain(left) });
    }
    Ok(())
}

fn admit_extension(case: &Case, terms: &Terms, days: i64, asked_on: NaiveDate) -> Result<(), Refusal> {
    let Some(limits) = terms.extension else {
        return Err(Refusal::ExtensionNotOffered);
    };
    let owed = owed_now(case, terms, &[], asked_on)?;
    let positions = || owed.iter().map(|owed| &owed.position);
    if !positions().any(|position| position.is_open() || position.is_unpaid()) {
        return Err(Refusal::ExtensionNotNeeded { asked_on });
    }
    let had = case.facts.iter().filter(|fact| matches!(fact.what, What::Extension { .. })).count();
    if i64::try_from(had).is_ok_and(|had| had >= limits.times) {
        return Err(Refusal::ExtensionLimit { times: limits.times });
    }
    if !(1..=limits.days).contains(&days) {
        return Err(Refusal::ExtensionTooLong { days, most: limits.days });
    }
    let facts = case.effective_by(asked_on);
    let holds = holds(&facts, terms);
    let clock = clock_day(&case.order, terms, &facts, &holds, asked_on);
    let due = schedule(&case.order, terms, &facts, &holds, clock)?;
    if terms.write_off_after.is_some() {
        // An instalment that this day's end will write off is not written off while the day is open.
        let written_off = positions().find_map(|position| Some((position.instalment, position.written_off_on?)));
        if let Some((instalment, written_off_on)) = written_off {
            return Err(Refusal::ExtensionWrittenOff { asked_on, instalment, written_off_on });
        }
    }
    // Without a due date, `ask_within` and `when_overdue` do not apply yet.
    if let Some(due_on) = due.iter().filter_map(|due| due.due_on).max() {
        let before = days_between(asked_on, due_on);
        if let Some(within) = limits.ask_within.filter(|within| before > *within) {
            return Err(Refusal::ExtensionTooEarly { before, due_on, within });
        }
        if before < 0 && !limits.when_overdue {
            return Err(Refusal::ExtensionTooLate { asked_on, due_on });
        }
    }
    Ok(())
}

/// Refuses an extension that changes no due date: it would be used up without effect.
fn admit_effect(case: &Case, terms: &Terms, what: &What, asked_on: NaiveDate) -> Result<(), Refusal> {
    let &What::Extension { days } = what else { return Ok(()) };
    if terms.days_off.is_none() {
        return Ok(());
    }
    let last_due = |case: &Case| -> Result<Option<NaiveDate>, NoYear> {
        Ok(due_date_workings(case, terms, asked_on)?.into_iter().flatten().map(|way| way.due_on).max())
    };
    match (last_due(case)?, last_due(&case.with(what, midnight(asked_on), asked_on))?) {
        (Some(due_on), Some(extended)) if extended <= due_on => Err(Refusal::ExtensionNoEffect { days, due_on }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_waits_only_for_what_may_come_yet() {
        assert!(Refusal::ChargebackUnknown { payment_id: "P1".into() }.may_pass());
        assert!(!Refusal::ChargebackTooMuch { payment_id: "P1".into(), left: "1.00".into() }.may_pass());
        assert!(!Refusal::ExtensionNotOffered.may_pass());
    }
}
