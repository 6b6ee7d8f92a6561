//! Instructions to the bank: each is sent once, an answer comes back, and a plan says when to try again.
//!
//! `debit` and `pay_out` decide what to ask for; this module has what both share. An instruction without an answer
//! blocks the next one: money that may already be on its way is never requested twice.

use chrono::NaiveDate;

use crate::domain::calendar::plus;
use crate::domain::terms::instructions::Retry;

/// The direction of the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the customer: what is owed on an instalment.
    Debit,
    /// To the customer: an order's customer credit.
    PayOut,
}

impl Direction {
    pub const ALL: [Direction; 2] = [Direction::Debit, Direction::PayOut];

    pub fn name(self) -> &'static str {
        match self {
            Direction::Debit => "debit",
            Direction::PayOut => "pay_out",
        }
    }

    pub fn parse(text: &str) -> Option<Direction> {
        Direction::ALL.into_iter().find(|direction| direction.name() == text)
    }
}

/// The bank's report of how an instruction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Paid,
    /// Failed this time: no funds, a limit, a technical reason.
    Failed,
    /// Failed for good: the account is closed, or the authority is withdrawn.
    Refused,
}

impl Answer {
    pub const ALL: [Answer; 3] = [Answer::Paid, Answer::Failed, Answer::Refused];

    pub fn name(self) -> &'static str {
        match self {
            Answer::Paid => "paid",
            Answer::Failed => "failed",
            Answer::Refused => "refused",
        }
    }

    pub fn parse(text: &str) -> Option<Answer> {
        Answer::ALL.into_iter().find(|answer| answer.name() == text)
    }
}

/// An instruction that was sent, with its answer if known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: String,
    /// 0 if the instruction concerns the whole order.
    pub instalment: i64,
    /// 1, 2, … for each instalment, whatever its due date was at the time.
    pub number: i64,
    pub minor: i64,
    /// The due date of the instalment at the time; `None` for a pay-out.
    pub due_on: Option<NaiveDate>,
    pub instructed_on: NaiveDate,
    /// The answer and the day it takes effect, which may be in the future.
    pub answer: Option<(Answer, NaiveDate)>,
    /// Whether an exception about the missing answer was reported.
    pub asked_after: bool,
}

impl Attempt {
    /// Whether no answer has taken effect by the end of a day.
    pub fn is_open(&self, day: NaiveDate) -> bool {
        self.answer.is_none_or(|(_, on)| on > day)
    }

    /// The day on which to report the missing answer, unless it is already reported.
    pub fn ask_on(&self, no_answer_after: i64) -> Option<NaiveDate> {
        (self.answer.is_none() && !self.asked_after).then(|| plus(self.instructed_on, no_answer_after))
    }
}

impl Retry {
    /// Days from the last of `made` attempts to the next; `None` if there is no next attempt.
    fn gap(&self, made: usize) -> Option<i64> {
        match self {
            Retry::Never => None,
            Retry::After(days) => {
                let next = *days.get(made.checked_sub(1)?)?;
                Some(next - made.checked_sub(2).map_or(0, |before| days[before]))
            }
            Retry::UntilSuccess { every, at_most } => {
                i64::try_from(made).is_ok_and(|made| made <= *at_most).then_some(*every)
            }
        }
    }

    /// The first day for the attempt after a series whose last attempt has its answer.
    pub fn day_after(&self, series: &[&Attempt]) -> Option<NaiveDate> {
        let last = series.last()?;
        Some(plus(last.instructed_on, self.gap(series.len())?))
    }
}

/// The action for an instalment or a credit today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Instruct the bank today, for this amount.
    Now(i64),
    /// Nothing before that day, unless a new fact or answer arrives.
    On(NaiveDate),
    /// Nothing until a new fact or answer arrives.
    Nothing,
    /// All attempts of the plan were made, or the bank refused for good.
    Exhausted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_answer_is_reported_once() {
        let day = |n| NaiveDate::from_ymd_opt(2026, 3, n).unwrap();
        for (answer, asked_after, on) in [
            (None, false, Some(day(15))),
            (None, true, None),
            (Some((Answer::Failed, day(12))), false, None),
            (Some((Answer::Failed, day(12))), true, None),
        ] {
            let attempt = Attempt {
                id: "D1".into(),
                instalment: 1,
                number: 1,
                minor: 10_000,
                due_on: Some(day(10)),
                instructed_on: day(10),
                answer,
                asked_after,
            };
            assert_eq!(attempt.ask_on(5), on, "{answer:?}, reported before: {asked_after}");
        }
    }

    #[test]
    fn a_plan_has_so_many_attempts_with_these_days_between() {
        let gaps = |retry: Retry| (0..6).map(|made| retry.gap(made)).collect::<Vec<_>>();
        assert_eq!(gaps(Retry::Never), [None; 6]);
        assert_eq!(gaps(Retry::After(vec![1, 3, 7])), [None, Some(1), Some(2), Some(4), None, None]);
        let twice = Retry::UntilSuccess { every: 2, at_most: 2 };
        assert_eq!(gaps(twice), [Some(2), Some(2), Some(2), None, None, None]);
    }
}
