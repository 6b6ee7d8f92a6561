//! Rules in words that a customer-service person can read out.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::domain::business_days::{Count, NoYear};
use crate::domain::decide::due::{ClockDay, DueDateWorkings};
use crate::domain::facts::correction::Correction;
use crate::domain::facts::fact::What;
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::journal::Reason;
use crate::domain::terms::due_dates::{Clock, DueDay, Term};
use crate::domain::terms::hold::{HoldEffect, HoldRule};
use crate::domain::terms::policy::Terms;
use crate::domain::words::count;

/// What happened at the bank or in a bill, in words, on its business date.
pub struct StoryLine {
    pub on: NaiveDate,
    pub what: String,
    /// The row that reports it. `None` for an instruction, which follows from the policy, and for a row that a bill should have.
    pub source: Option<Source>,
}

/// Returns a share as a percentage: 0.0005 is 0.05 %.
pub fn percent(share: Decimal) -> String {
    format!("{} %", (share * Decimal::ONE_HUNDRED).normalize())
}

/// Returns the event that starts the term.
pub fn clock(terms: &Terms, clock: ClockDay) -> String {
    let rule = match terms.clock {
        Clock::Ordered => "the order",
        Clock::Shipped => "shipping",
        Clock::Delivered => "delivery",
        Clock::Confirmed { .. } => "confirmed receipt",
    };
    match (clock, terms.clock) {
        (ClockDay::Started { automatic: true, .. }, Clock::Confirmed { auto: Some(auto) }) => {
            let after =
                auto.after.map(|(event, number)| format!("{} after the order was {}", days(number), event.name()));
            let after_order = auto.after_order.map(|number| format!("{} after the order was placed", days(number)));
            let whens: Vec<String> = after.into_iter().chain(after_order).collect();
            format!("{rule}, which counts as confirmed automatically {}", whens.join(", at the latest "))
        }
        _ => rule.to_owned(),
    }
}

/// Returns the customer's time to pay, as it was when the order was accepted.
pub fn time_to_pay(terms: Option<&Terms>, term: i64) -> String {
    match terms.map(|terms| (terms, terms.due_day, terms.instalments.len())) {
        Some((_, Some(due_day), _)) => format!("to pay by {}", day_of_month(due_day)),
        Some((terms, None, 0)) => format!("{} to pay", days_counted(terms, term)),
        Some((_, None, instalments)) => format!("to pay in {instalments} instalments"),
        None => format!("{} to pay", days(term)),
    }
}

/// Returns the steps from the clock day to the due date, or nothing if the term is a number of calendar days.
pub fn way(terms: &Terms, way: &DueDateWorkings) -> Result<String, NoYear> {
    let mut steps = match (way.term, &terms.days_off) {
        (Term::Days(_), None) => return Ok(String::new()),
        (Term::Days(count), Some(_)) => format!("; {} after it", days_counted(terms, count)),
        (Term::Until(due_day), _) => format!("; {}", day_of_month(due_day)),
    };
    if way.held {
        steps += ", without the days held,";
    }
    steps += &format!(" is {}{}", way.term_ends_on, moved(terms, way.term_ends_on, way.unextended)?);
    if way.extension > 0 {
        if way.unextended != way.term_ends_on {
            steps += &format!(", {}", way.unextended);
        }
        let moved = moved(terms, way.extended(), way.due_on)?;
        steps += &format!(", {} more is {}{moved}", days(way.extension), way.extended());
    }
    let Some(days_off) = &terms.days_off else { return Ok(steps) };
    Ok(format!("{steps}, calendar {}", days_off.calendar.name))
}

/// Returns why a due date moves to another day, or nothing if it does not move.
fn moved(terms: &Terms, from: NaiveDate, to: NaiveDate) -> Result<String, NoYear> {
    let Some(days_off) = terms.days_off.as_ref().filter(|_| from != to) else { return Ok(String::new()) };
    let why = days_off.calendar.why_off(from)?.unwrap_or_default();
    let where_to = if to > from { "the next business day" } else { "the business day before" };
    Ok(format!(", a day off ({why}): moved to {where_to}"))
}

fn days_counted(terms: &Terms, number: i64) -> String {
    let business = terms.days_off.as_ref().is_some_and(|days_off| days_off.count == Count::Business);
    count(number, if business { "business day" } else { "day" })
}

fn day_of_month(DueDay { day, month }: DueDay) -> String {
    match month {
        1 => format!("day {day} of the next month"),
        2 => format!("day {day} of the month after next"),
        _ => format!("day {day} of the {month}th month after"),
    }
}

/// Returns a correction in words.
pub fn correction(correction: &Correction, order: &Order) -> String {
    let Correction { id, kind, fact_id, instead, reason, approved_by, .. } = correction;
    let why = format!("({reason}; {approved_by})");
    let Some(fact) = instead else { return format!("correction {id}: {kind} {fact_id} is void {why}") };
    let amount = |minor: i64| format!(" of {} {}", order.currency.plain(minor), order.currency);
    let what = match &fact.what {
        What::Payment { minor, .. } if correction.channel.is_some() => {
            format!("{} by {}", amount(*minor), correction.channel.as_deref().unwrap_or_default())
        }
        What::Payment { minor, .. } | What::Refund { minor, .. } | What::Waiver { minor } => amount(*minor),
        What::Chargeback { minor, payment_id, .. } => format!("{} of payment {payment_id}", amount(*minor)),
        What::Extension { days: count } => format!(" of {}", days(*count)),
        What::Hold { reason, ends_on: Some(last) } => format!(" ({}) to {last}", reason.name()),
        What::Hold { reason, ends_on: None } => format!(" ({})", reason.name()),
        What::Fulfilment(_) | What::Notice { .. } | What::PayOut { .. } | What::GivenBack => String::new(),
    };
    format!("correction {id}: {kind} {fact_id} was{what} on {} {why}", fact.effective_on)
}

/// Returns the effects of a hold in words.
pub fn stops(rule: &HoldRule) -> String {
    let words = rule.effects.iter().map(|effect| match effect {
        HoldEffect::Clock => "its days don't count towards the due date",
        HoldEffect::Fees => "its days count for no late fee",
        HoldEffect::Contact => "no reminders",
        HoldEffect::Credit => "no step towards a report",
        HoldEffect::Debit => "no collection by debit",
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Returns in words why an entry was posted on its day.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Corrected => "what became known today changed what should have been",
        Reason::New | Reason::Accrued => reason.name(),
    }
}

pub fn days(number: i64) -> String {
    count(number, "day")
}
