//! Pay-outs of customer credit: when an order's credit is paid back to the customer, and how much of it.
//!
//! Credit is the balance in the books after confirmed pay-outs. Facts that arrive late can reduce credit that was
//! already paid out. The balance is then negative, later credit of the order is netted with it, and an exception
//! reports it.

use chrono::NaiveDate;

use super::instruction::{Answer, Attempt, Next};
use crate::domain::calendar::plus;
use crate::domain::journal::{Account, Movement};
use crate::domain::terms::instructions::PayOutRule;

/// An order's customer credit at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    pub minor: i64,
    /// The business date since which there has been credit.
    pub since: NaiveDate,
    /// Whether an amount of the order is past due and unpaid. Credit is kept until that amount is paid.
    pub in_arrears: bool,
}

/// How much a movement of an amount adds to the customer's credit; negative if it reduces the credit.
pub fn credit_of(movement: &Movement, minor: i64) -> i64 {
    let side =
        i64::from(movement.credit == Account::CustomerCredit) - i64::from(movement.debit == Account::CustomerCredit);
    side * minor
}

/// Decides what to do about an order's credit today. `attempts` are all attempts of the order, oldest first, without
/// any of today.
pub fn next(rule: &PayOutRule, credit: Credit, attempts: &[&Attempt], today: NaiveDate) -> Next {
    if credit.minor <= 0 || credit.in_arrears {
        return Next::Nothing;
    }
    if let Some(open) = attempts.iter().find(|attempt| attempt.is_open(today)) {
        return open.answer.map_or(Next::Nothing, |(_, on)| Next::On(on));
    }
    // A paid attempt ends its series; a new series begins with the credit left after it.
    let paid = attempts.iter().rposition(|attempt| matches!(attempt.answer, Some((Answer::Paid, _))));
    let series: Vec<&Attempt> =
        attempts[paid.map_or(0, |at| at + 1)..].iter().copied().filter(|a| a.instructed_on >= credit.since).collect();
    let first_day = match series.last().and_then(|last| last.answer) {
        Some((Answer::Refused, _)) => None,
        Some(_) => rule.retry.day_after(&series),
        None => Some(plus(credit.since, rule.after)),
    };
    match first_day.map(|day| day.max(today)) {
        None => Next::Exhausted,
        Some(day) if day == today => Next::Now(credit.minor),
        Some(day) => Next::On(day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::terms::instructions::Retry;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    /// Walks through March. `credit`: a first day and the credit from then on, before pay-outs; `answers`: days after
    /// each attempt, and the answer. Returns the attempts: day and amount.
    fn walk(
        rule: &PayOutRule,
        credit: &[(u32, i64)],
        answers: &[(u32, Answer)],
        late: &[(u32, u32)],
    ) -> Vec<(u32, i64)> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let (mut since, mut out) = (None, 0);
        let mut made = Vec::new();
        for n in 1..=31 {
            let today = day(n);
            for (attempt, (after, answer)) in attempts.iter_mut().zip(answers) {
                if plus(attempt.instructed_on, i64::from(*after)) == today {
                    attempt.answer = Some((*answer, today));
                    out += if *answer == Answer::Paid { attempt.minor } else { 0 };
                }
            }
            let minor = credit.iter().rev().find(|(from, _)| *from <= n).map_or(0, |(_, minor)| *minor) - out;
            since = if minor > 0 { since.or(Some(today)) } else { None };
            let in_arrears = late.iter().any(|(first, last)| (*first..=*last).contains(&n));
            let credit = Credit { minor, since: since.unwrap_or(today), in_arrears };
            let earlier: Vec<&Attempt> = attempts.iter().collect();
            if let Next::Now(minor) = next(rule, credit, &earlier, today) {
                made.push((n, minor));
                attempts.push(Attempt {
                    id: format!("P{n}"),
                    instalment: 0,
                    number: i64::try_from(made.len()).unwrap(),
                    minor,
                    due_on: None,
                    instructed_on: today,
                    answer: None,
                    asked_after: false,
                });
            }
        }
        made
    }

    #[test]
    fn days_on_which_credit_is_paid_out() {
        use Answer::{Failed, Paid, Refused};
        let rule = PayOutRule { after: 3, retry: Retry::After(vec![2]), no_answer_after: 5 };
        let at_once = PayOutRule { after: 0, ..rule.clone() };
        type From<T> = &'static [(u32, T)];
        // Name, rule, credit from a day on, answers with their delay in days, past due from and to, attempts.
        type Case<'a> = (&'a str, &'a PayOutRule, From<i64>, From<Answer>, From<u32>, From<i64>);
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("after three days", &rule, &[(5, 200)], &[(1, Paid)], &[], &[(8, 200)]),
            ("on its day", &at_once, &[(5, 200)], &[(1, Paid)], &[], &[(5, 200)]),
            ("no answer: never again", &rule, &[(5, 200)], &[], &[], &[(8, 200)]),
            ("failed: once more two days after", &rule, &[(5, 200)], &[(1, Failed), (1, Failed)], &[], &[(8, 200), (10, 200)]),
            ("refused: not again", &rule, &[(5, 200)], &[(1, Refused)], &[], &[(8, 200)]),
            ("gone before its day", &rule, &[(5, 200), (7, 0)], &[], &[], &[]),
            ("gone and back: three days from then", &rule, &[(5, 200), (7, 0), (9, 150)], &[(1, Paid)], &[], &[(12, 150)]),
            ("more comes: paid with it", &rule, &[(5, 200), (7, 300)], &[(1, Paid)], &[], &[(8, 300)]),
            ("more comes while the answer is open", &rule, &[(5, 200), (9, 300)], &[(4, Paid)], &[], &[(8, 200), (12, 100)]),
            ("more comes before the answer: paid out on its day", &rule, &[(5, 200), (9, 300)], &[(1, Paid)], &[], &[(8, 200), (9, 100)]),
            ("less than was paid out, then more again: netted", &rule, &[(5, 200), (10, 50), (14, 260)], &[(1, Paid), (1, Paid)], &[],
                &[(8, 200), (17, 60)]),
            ("kept while something is past due", &rule, &[(5, 200)], &[(1, Paid)], &[(7, 11)], &[(12, 200)]),
            ("refused once, and new credit later", &rule, &[(5, 200), (12, 0), (15, 70)], &[(1, Refused), (1, Paid)], &[],
                &[(8, 200), (18, 70)]),
        ];
        for (what, rule, credit, answers, late, expected) in cases {
            assert_eq!(walk(rule, credit, answers, late), *expected, "{what}");
        }
    }
}
