//! An order's debits and pay-outs in words: the instructions to the bank, its answers, and the next instruction.

use chrono::NaiveDate;

use super::words::{self, StoryLine};
use crate::domain::bank::instruction::{Answer, Attempt, Direction};
use crate::domain::calendar::plus;
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::instructions::{DebitRule, PayOutRule, Retry};
use crate::domain::terms::policy::Terms;
use crate::store::instructions::StoredInstruction;
use crate::store::journal::JournalRow;
use crate::views::bank_plans::{self, NextDebit, PayBack};

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
    Some(match bank_plans::next_debit(case, terms, position, all, open_day)? {
        NextDebit::Today => "the bank is asked for it with today's files".to_owned(),
        NextDebit::On { day, held: true } => {
            format!("the bank is asked for it on {day}, as a hold stops debits until then")
        }
        NextDebit::On { day, held: false } => format!("the bank is asked for it on {day}"),
        NextDebit::Asked => "the bank has not answered yet".to_owned(),
        NextDebit::NotAgain => "the bank is not asked for it again".to_owned(),
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
    let currency = booked.first()?.currency;
    let amount = |minor: i64| format!("{} {currency}", currency.plain(minor));
    let credit = bank_plans::credit(booked, in_arrears, open_day)?;
    if credit.minor < 0 {
        return Some(format!("     {} of credit was paid out that is not the customer's", amount(-credit.minor)));
    }
    let when = match bank_plans::pay_back(credit, terms, all, open_day) {
        PayBack::Today => "to be paid back with today's files".to_owned(),
        PayBack::On(day) => format!("to be paid back on {day}"),
        PayBack::Asked => "the bank was asked to pay it back and has not answered yet".to_owned(),
        PayBack::Kept => "kept while something is overdue".to_owned(),
        PayBack::Failed => "the bank could not pay it back".to_owned(),
        PayBack::ByHand => "not paid back automatically".to_owned(),
    };
    Some(format!("     {} of customer credit: {when}", amount(credit.minor)))
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
