//! An order's debits and pay-outs in words: the instructions to the bank, its answers, and the next instruction.

use anyhow::Result;
use chrono::NaiveDate;

use super::words::{self, StoryLine};
use crate::domain::bank::debit;
use crate::domain::bank::instruction::{Answer, Attempt, Direction, Next};
use crate::domain::bank::pay_out::{self, Credit};
use crate::domain::calendar::plus;
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::instructions::{DebitRule, PayOutRule, Retry};
use crate::domain::terms::policy::Terms;
use crate::store::instructions::StoredInstruction;
use crate::store::journal::JournalRow;
use crate::store::{Tx, instructions};

/// Returns the instructions of an order with their answers, debits first.
pub async fn load(tx: &mut Tx, merchant: &str, order_id: &str) -> Result<Vec<StoredInstruction>> {
    let mut all = Vec::new();
    for direction in Direction::ALL {
        let mut of_order = instructions::of_orders(tx, merchant, direction, &[order_id]).await?;
        all.extend(of_order.remove(order_id).unwrap_or_default());
    }
    Ok(all)
}

pub fn lines(case: &Case, terms: &Terms, all: &[StoredInstruction], open_day: NaiveDate) -> Vec<StoryLine> {
    let mut lines = Vec::new();
    for stored in all {
        let Attempt { id, number, minor, due_on, instructed_on, answer, .. } = &stored.attempt;
        let amount = format!("{} {}", stored.currency.plain(*minor), stored.currency);
        let asked = match (stored.direction, due_on) {
            (Direction::Debit, Some(due_on)) => {
                let put_off = put_off(case, terms, all, &stored.attempt);
                format!("to collect {amount}, due {due_on}{}", put_off.unwrap_or_default())
            }
            (Direction::Debit, None) => format!("to collect {amount}"),
            (Direction::PayOut, _) => format!("to send {amount} of credit back to the customer"),
        };
        // If a close could not seal its day, its instructions stay in the store; the next close creates them again.
        let unsealed = if *instructed_on >= open_day { "; it goes out once the day is sealed" } else { "" };
        let what = format!("the bank is asked {asked} (attempt {number}, {id}){unsealed}");
        lines.push(StoryLine { on: *instructed_on, what, source: None });
        if let Some(((answer, _), answered_on)) = answer.zip(stored.answered_on) {
            let result = match (answer, stored.direction) {
                (Answer::Paid, Direction::Debit) => "collected",
                (Answer::Paid, Direction::PayOut) => "sent to the customer",
                (Answer::Failed, _) => "it did not work",
                (Answer::Refused, _) => "refused for good",
            };
            let why = stored.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
            let what = format!("the bank answers to {id}: {result}{why}");
            lines.push(StoryLine { on: answered_on, what, source: Some(stored.answer_source) });
        }
    }
    lines
}

/// Returns, if a hold delayed the first attempt of a debit, the day that it was planned for.
fn put_off(case: &Case, terms: &Terms, all: &[StoredInstruction], attempt: &Attempt) -> Option<String> {
    let meant_for = plus(attempt.due_on?, -terms.debit.as_ref()?.days_before);
    let plan = |other: &&StoredInstruction| {
        (other.attempt.instalment, other.attempt.due_on) == (attempt.instalment, attempt.due_on)
    };
    let is_first = all.iter().find(plan).is_some_and(|first| first.attempt.id == attempt.id);
    let known = case.as_known_on(attempt.instructed_on);
    let held = HeldDays::by(HoldEffect::Debit, &holds(&known.effective_by(attempt.instructed_on), terms), terms);
    let by_hold = is_first && held.covers(meant_for) && held.first_free(meant_for) == attempt.instructed_on;
    by_hold.then(|| format!("; a hold put it off from {meant_for}"))
}

/// Returns in words when the bank is next asked to collect an instalment, or `None` if no debit is expected.
pub fn next_debit(
    case: &Case,
    terms: &Terms,
    position: &Position,
    all: &[StoredInstruction],
    open_day: NaiveDate,
) -> Option<String> {
    let rule = terms.debit.as_ref()?;
    let facts = case.effective_by(open_day);
    let held = HeldDays::by(HoldEffect::Debit, &holds(&facts, terms), terms);
    let of_instalment = all.iter().filter(|stored| stored.direction == Direction::Debit);
    let attempts: Vec<&Attempt> = of_instalment
        .map(|stored| &stored.attempt)
        .filter(|attempt| attempt.instalment == position.instalment && attempt.instructed_on < open_day)
        .collect();
    let by_hold = if held.covers(open_day) { ", as a hold stops debits until then" } else { "" };
    Some(match debit::next(rule, position, &attempts, &held, open_day) {
        Next::Now(_) => "the bank is asked for it with today's files".to_owned(),
        Next::On(day) => format!("the bank is asked for it on {day}{by_hold}"),
        Next::Nothing if position.is_open() && position.due_on.is_some() => "the bank has not answered yet".to_owned(),
        Next::Nothing => return None,
        Next::Exhausted => "the bank is not asked for it again".to_owned(),
    })
}

/// Returns the order's customer credit and when it is paid out, or `None` if there is no credit.
pub fn credit(
    booked: &[JournalRow],
    terms: &Terms,
    all: &[StoredInstruction],
    in_arrears: bool,
    open_day: NaiveDate,
) -> Option<String> {
    let (mut minor, mut since) = (0, open_day);
    for row in booked {
        let more = pay_out::credit_of(&row.movement, row.minor);
        if minor <= 0 && more > 0 {
            since = row.business_date;
        }
        minor += more;
    }
    let currency = booked.first()?.currency;
    let amount = |minor: i64| format!("{} {currency}", currency.plain(minor));
    match minor {
        0 => None,
        ..0 => Some(format!("     {} of credit was paid out that is not the customer's", amount(-minor))),
        _ => {
            let attempts = all.iter().filter(|stored| stored.direction == Direction::PayOut);
            let attempts: Vec<&Attempt> = attempts.map(|stored| &stored.attempt).collect();
            let next = terms
                .pay_out
                .as_ref()
                .map(|rule| pay_out::next(rule, Credit { minor, since, in_arrears }, &attempts, open_day));
            let when = match next {
                Some(Next::Now(_)) => "to be paid back with today's files".to_owned(),
                Some(Next::On(day)) => format!("to be paid back on {day}"),
                Some(Next::Nothing) if attempts.iter().any(|attempt| attempt.is_open(open_day)) => {
                    "the bank was asked to pay it back and has not answered yet".to_owned()
                }
                Some(Next::Nothing) => "kept while something is overdue".to_owned(),
                Some(Next::Exhausted) => "the bank could not pay it back".to_owned(),
                None => "not paid back automatically".to_owned(),
            };
            Some(format!("     {} of customer credit: {when}", amount(minor)))
        }
    }
}

pub fn debit_rule(rule: &DebitRule) -> String {
    let first = match rule.days_before {
        0 => "on the due date".to_owned(),
        days => format!("{} before the due date", words::days(days)),
    };
    format!("collected by debit {first}, {}", retry(&rule.retry))
}

pub fn pay_out_rule(rule: &PayOutRule) -> String {
    let first = match rule.after {
        0 => "on its day".to_owned(),
        days => format!("after {}", words::days(days)),
    };
    format!("paid out {first}, {}", retry(&rule.retry))
}

fn retry(retry: &Retry) -> String {
    match retry {
        Retry::Never => "once".to_owned(),
        Retry::After(days) => {
            let days: Vec<String> = days.iter().map(|count| words::days(*count)).collect();
            format!("and, if it does not work, {} after the first attempt", days.join(", "))
        }
        Retry::UntilSuccess { every, at_most } => {
            format!("and, until it works, every {} up to {at_most} times", words::days(*every))
        }
    }
}
