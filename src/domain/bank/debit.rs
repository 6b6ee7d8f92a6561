//! Collection by debit: which instalments to instruct a bank to debit today, and for how much. The calling job passes
//! the position, the attempts so far and the days on which holds forbid debits.

use chrono::NaiveDate;

use super::instruction::{Answer, Attempt, Next};
use crate::domain::calendar::plus;
use crate::domain::decide::credit::News;
use crate::domain::decide::holds::HeldDays;
use crate::domain::decide::position::Position;
use crate::domain::terms::instructions::DebitRule;

/// Decides what to do about an instalment today. `attempts` are all attempts of this instalment, oldest first, without
/// any of today.
pub fn next(rule: &DebitRule, position: &Position, attempts: &[&Attempt], held: &HeldDays, today: NaiveDate) -> Next {
    let owed = position.outstanding() + position.fee_owed();
    let Some(due_on) = position.due_on.filter(|_| owed > 0) else { return Next::Nothing };
    if attempts.iter().any(|attempt| matches!(attempt.answer, Some((Answer::Refused, _)))) {
        return Next::Exhausted;
    }
    let open = attempts.iter().filter(|attempt| attempt.is_open(today));
    let waited_for = open.filter_map(|attempt| rule.waits_until(attempt)).max();
    match waited_for {
        Some(Wait::ForAnswer) => return Next::Nothing,
        Some(Wait::Until(day)) if day > today => return Next::On(day),
        _ => {}
    }
    // An extension changes the due date, which starts a new series of attempts.
    let series: Vec<&Attempt> = attempts.iter().copied().filter(|attempt| attempt.due_on == Some(due_on)).collect();
    let first_day =
        if series.is_empty() { Some(plus(due_on, -rule.days_before)) } else { rule.retry.day_after(&series) };
    let Some(first_day) = first_day else { return Next::Exhausted };
    let day = held.first_free(first_day.max(today));
    if day == today { Next::Now(owed) } else { Next::On(day) }
}

/// Like [`next`], but instructs no debit while a file with payments may be missing: the customer may have paid by other
/// means.
pub fn next_with(
    rule: &DebitRule,
    position: &Position,
    attempts: &[&Attempt],
    held: &HeldDays,
    today: NaiveDate,
    news: News,
) -> Next {
    match (next(rule, position, attempts, held, today), news) {
        (Next::Now(_), News::Missing) => Next::On(plus(today, 1)),
        (next, _) => next,
    }
}

/// How long an open attempt blocks the next one; waiting for an answer is the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    Until(NaiveDate),
    ForAnswer,
}

impl DebitRule {
    fn waits_until(&self, open: &Attempt) -> Option<Wait> {
        match (open.answer, self.assume_failed_after) {
            // The answer takes effect later.
            (Some((_, on)), _) => Some(Wait::Until(on)),
            (None, Some(days)) => Some(Wait::Until(plus(open.instructed_on, days))),
            (None, None) => Some(Wait::ForAnswer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decide::credit_record::CreditRecord;
    use crate::domain::decide::holds::tests::debit_hold;
    use crate::domain::decide::holds::{Hold, HoldEffects};
    use crate::domain::terms::hold::HoldEffect;
    use crate::domain::terms::instructions::Retry;
    use crate::domain::terms::policy::tests::terms;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    fn rule(retry: Retry) -> DebitRule {
        DebitRule { days_before: 0, retry, assume_failed_after: None, no_answer_after: 5 }
    }

    /// The events of an instalment of 100.00, which is due on the 10th unless it is extended.
    #[derive(Default)]
    struct Story {
        /// The bank's answers in the order of the attempts: days after the attempt, and the answer.
        answers: &'static [(u32, Answer)],
        /// Other payments: day and amount.
        paid: &'static [(u32, i64)],
        /// First and last days of holds with effect `debit`.
        holds: &'static [(u32, u32)],
        /// The day of an extension, and the new due date.
        extended: Option<(u32, u32)>,
        /// A late fee: its first day and its amount.
        fee: Option<(u32, i64)>,
    }

    /// Walks through March as the closes would. Returns the attempts: day and amount.
    fn walk(rule: &DebitRule, story: &Story) -> Vec<(u32, i64)> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let (mut planned, mut collected) = (Some(day(1)), 0);
        for n in 1..=31 {
            let today = day(n);
            for (attempt, (after, answer)) in attempts.iter_mut().zip(story.answers) {
                if plus(attempt.instructed_on, i64::from(*after)) == today {
                    attempt.answer = Some((*answer, today));
                    collected += if *answer == Answer::Paid { attempt.minor } else { 0 };
                    planned = Some(today);
                }
            }
            let changes = story.paid.iter().map(|(on, _)| *on).chain(story.extended.map(|(on, _)| on));
            if changes.chain(story.fee.map(|(on, _)| on)).any(|on| on == n) {
                planned = Some(today);
            }
            // Between planned days nothing may change.
            if planned.is_none_or(|planned| planned > today) {
                assert!(!matches!(ask(rule, story, &attempts, collected, n), Next::Now(_)), "asked on {n} unplanned");
                continue;
            }
            let next = ask(rule, story, &attempts, collected, n);
            planned = match next {
                Next::On(on) => Some(on),
                _ => rule.assume_failed_after.map(|days| plus(today, days)).filter(|_| matches!(next, Next::Now(_))),
            };
            if let Next::Now(minor) = next {
                attempts.push(Attempt {
                    id: format!("D{n}"),
                    instalment: 1,
                    number: i64::try_from(attempts.len()).unwrap() + 1,
                    minor,
                    due_on: position(story, collected, n).due_on,
                    instructed_on: today,
                    answer: None,
                    asked_after: false,
                });
            }
        }
        attempts
            .iter()
            .map(|attempt| (attempt.instructed_on.format("%d").to_string().parse().unwrap(), attempt.minor))
            .collect()
    }

    fn ask(rule: &DebitRule, story: &Story, attempts: &[Attempt], collected: i64, n: u32) -> Next {
        let terms = terms();
        let holds: Vec<Hold> = story.holds.iter().map(|(first, last)| debit_hold(day(*first), day(*last))).collect();
        let held = HeldDays::by(HoldEffect::Debit, &holds, &terms);
        let attempts: Vec<&Attempt> = attempts.iter().collect();
        next(rule, &position(story, collected, n), &attempts, &held, day(n))
    }

    fn position(story: &Story, collected: i64, n: u32) -> Position {
        let paid: i64 = story.paid.iter().filter(|(on, _)| *on <= n).map(|(_, minor)| minor).sum();
        let fee = story.fee.filter(|(on, _)| *on <= n).map_or(0, |(_, minor)| minor);
        let due = story.extended.filter(|(on, _)| *on <= n).map_or(10, |(_, to)| to);
        let paid = paid + collected;
        Position {
            instalment: 1,
            principal: 10_000,
            due_on: Some(day(due)),
            paid: paid.min(10_000),
            refunded: 0,
            written_off_on: None,
            written_off: 0,
            recovered: 0,
            late_fee_charged: fee,
            late_fee: fee,
            late_fee_paid: (paid - 10_000).clamp(0, fee),
            days_past_due: 0,
            credit: CreditRecord::default(),
            hold: None,
            hold_effects: HoldEffects::default(),
            decided_on: day(n),
            next_action_on: None,
        }
    }

    #[test]
    fn days_on_which_the_bank_is_asked() {
        use Answer::{Failed, Paid, Refused};
        let once = rule(Retry::Never);
        let plan = rule(Retry::After(vec![1, 3, 7]));
        let daily = rule(Retry::UntilSuccess { every: 1, at_most: 4 });
        let early = DebitRule { days_before: 2, ..plan.clone() };
        let assuming = DebitRule { assume_failed_after: Some(4), ..plan.clone() };
        const ALL: i64 = 10_000;
        let no = Story::default;
        type Attempts = &'static [(u32, i64)];
        #[rustfmt::skip]
        let cases: &[(&str, &DebitRule, Story, Attempts)] = &[
            ("on the due date, and no answer comes", &plan, no(), &[(10, ALL)]),
            ("paid at once", &plan, Story { answers: &[(1, Paid)], ..no() }, &[(10, ALL)]),
            ("one attempt only", &once, Story { answers: &[(1, Failed)], ..no() }, &[(10, ALL)]),
            ("1, 3 and 7 days after the first", &plan,
                Story { answers: &[(1, Failed), (1, Failed), (1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (11, ALL), (13, ALL), (17, ALL)]),
            ("the second brings it", &plan, Story { answers: &[(1, Failed), (1, Paid)], ..no() }, &[(10, ALL), (11, ALL)]),
            ("a late answer puts off the rest", &plan, Story { answers: &[(4, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (14, ALL), (16, ALL)]),
            ("refused is for good", &plan, Story { answers: &[(1, Refused)], ..no() }, &[(10, ALL)]),
            ("until success, four times at most after the first", &daily,
                Story { answers: &[(1, Failed), (1, Failed), (1, Failed), (1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (11, ALL), (12, ALL), (13, ALL), (14, ALL)]),
            ("until success", &daily, Story { answers: &[(1, Failed), (1, Failed), (1, Paid)], ..no() },
                &[(10, ALL), (11, ALL), (12, ALL)]),
            ("two days before, for a slow bank", &early, Story { answers: &[(2, Failed)], ..no() }, &[(8, ALL), (10, ALL)]),
            ("paid before", &plan, Story { paid: &[(9, ALL)], ..no() }, &[]),
            ("paid on the day", &plan, Story { paid: &[(10, ALL)], ..no() }, &[]),
            ("paid in part before", &plan, Story { paid: &[(9, 4_000)], ..no() }, &[(10, 6_000)]),
            ("paid otherwise while the answer is open", &plan, Story { paid: &[(11, ALL)], answers: &[(2, Failed)], ..no() },
                &[(10, ALL)]),
            ("paid in part between", &plan, Story { paid: &[(12, 4_000)], answers: &[(1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (11, ALL), (13, 6_000)]),
            ("held over the due date", &plan, Story { holds: &[(8, 12)], answers: &[(1, Failed)], ..no() },
                &[(13, ALL), (14, ALL)]),
            ("held twice", &plan, Story { holds: &[(9, 10), (11, 12)], ..no() }, &[(13, ALL)]),
            ("held between attempts", &plan, Story { holds: &[(11, 14)], answers: &[(1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (15, ALL), (17, ALL)]),
            ("extended before", &plan, Story { extended: Some((9, 20)), ..no() }, &[(20, ALL)]),
            ("extended after a failure: the plan starts anew", &plan,
                Story { extended: Some((12, 20)), answers: &[(1, Failed), (1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (11, ALL), (20, ALL), (21, ALL)]),
            ("extended while the answer is open", &plan, Story { extended: Some((11, 12)), answers: &[(4, Failed)], ..no() },
                &[(10, ALL), (14, ALL)]),
            ("with the late fee owed by then", &plan, Story { fee: Some((12, 500)), answers: &[(1, Failed), (1, Failed)], ..no() },
                &[(10, ALL), (11, ALL), (13, 10_500)]),
            ("what a paid debit leaves of the fee", &plan, Story { fee: Some((11, 500)), answers: &[(1, Paid)], ..no() },
                &[(10, ALL), (11, 500)]),
            ("no answer counts as failed", &assuming, no(), &[(10, ALL), (14, ALL), (18, ALL), (22, ALL)]),
        ];
        for (what, rule, story, expected) in cases {
            assert_eq!(walk(rule, story), *expected, "{what}");
        }
    }
}
