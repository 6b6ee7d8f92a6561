//! Credit impact: what an instalment does to the customer's credit record, one dated step at a time.
//!
//! clear → notice due → notice sent → flagged → settled late, or corrected if the flag turns out wrong; on time
//! for one that was paid when it should be. No flag without a notice that was sent.

use chrono::NaiveDate;

use super::calendar::plus;
use super::late_fee::Principal;
use super::policy::CreditRule;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    #[default]
    Clear,
    OnTime,
    NoticeDue,
    NoticeSent,
    Flagged,
    SettledLate,
    Corrected,
}

impl Status {
    pub const ALL: [Status; 7] = [
        Status::Clear,
        Status::OnTime,
        Status::NoticeDue,
        Status::NoticeSent,
        Status::Flagged,
        Status::SettledLate,
        Status::Corrected,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Status::Clear => "clear",
            Status::OnTime => "on_time",
            Status::NoticeDue => "notice_due",
            Status::NoticeSent => "notice_sent",
            Status::Flagged => "flagged",
            Status::SettledLate => "settled_late",
            Status::Corrected => "corrected",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// Where an instalment's record stands, and since which business date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    pub since: Option<NaiveDate>,
    /// The day it was flagged, if ever.
    pub flagged_on: Option<NaiveDate>,
}

/// What the next step depends on.
pub struct Evidence<'a> {
    pub due_on: NaiveDate,
    pub principal: &'a Principal,
    /// Something was paid, and not all of the order was refunded.
    pub paid_some: bool,
    /// The day of the latest notice that was sent.
    pub notice_sent_on: Option<NaiveDate>,
    /// A hold with effect `credit` covers today.
    pub held: bool,
}

/// The step to record today, with its reason; none when the record is as it should be.
pub fn step(at: &Standing, on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<(Status, &'static str)> {
    let days = on.principal.days_past_due(on.due_on, today);
    let unpaid = on.principal.left(today) > 0;
    let late = unpaid && days >= rule.notice_after;
    let gone_when_due = on.due_on <= today && on.principal.left(on.due_on) == 0;
    let noticed_on = on.notice_sent_on.filter(|sent| at.since.is_none_or(|since| *sent >= since));
    match at.status {
        Status::Clear | Status::Corrected if late && !on.held => Some((Status::NoticeDue, "days past due reached")),
        Status::Clear if gone_when_due && on.paid_some => Some((Status::OnTime, "paid by the due date")),
        Status::OnTime if on.due_on <= today && !gone_when_due => {
            Some((Status::Clear, "late news: it was not paid by the due date"))
        }
        Status::NoticeDue | Status::NoticeSent if !unpaid => Some((Status::Clear, "paid before a flag")),
        Status::NoticeDue | Status::NoticeSent if !late => Some((Status::Clear, "no longer past due")),
        Status::NoticeDue if noticed_on.is_some() => Some((Status::NoticeSent, "notice sent")),
        Status::NoticeSent if !on.held && flag_day(on, rule).is_some_and(|day| day <= today) => {
            Some((Status::Flagged, "still unpaid after notice"))
        }
        Status::Flagged | Status::SettledLate if wrongly_flagged(at, on, rule) => {
            Some((Status::Corrected, "the flag was wrong: paid or not due before it"))
        }
        Status::Flagged if !unpaid => Some((Status::SettledLate, "paid after the flag")),
        _ => None,
    }
}

/// The first day after `today` on which a step can fall due by itself.
pub fn next_step(at: &Standing, on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<NaiveDate> {
    let not_before_tomorrow = |day: NaiveDate| day.max(plus(today, 1));
    let unpaid = on.principal.left(today) > 0;
    match at.status {
        Status::Clear if !unpaid && on.due_on > today => Some(on.due_on),
        Status::Clear | Status::Corrected if unpaid => Some(not_before_tomorrow(plus(on.due_on, rule.notice_after))),
        Status::NoticeSent if unpaid => flag_day(on, rule).map(not_before_tomorrow),
        _ => None,
    }
}

fn flag_day(on: &Evidence<'_>, rule: CreditRule) -> Option<NaiveDate> {
    on.notice_sent_on.map(|sent| plus(sent, rule.flag_after))
}

fn wrongly_flagged(at: &Standing, on: &Evidence<'_>, rule: CreditRule) -> bool {
    at.flagged_on.is_some_and(|flagged_on| {
        let days = on.principal.days_past_due(on.due_on, flagged_on);
        on.principal.left(flagged_on) == 0 || days < rule.notice_after
    })
}

/// The delinquency bucket of a number of days past due; `starts` are the first days of the buckets.
pub fn bucket(days_past_due: i64, starts: &[i64]) -> String {
    let reached = starts.iter().rposition(|start| *start <= days_past_due);
    match reached {
        None => "current".to_owned(),
        Some(i) => match starts.get(i + 1) {
            Some(next) => format!("{}-{}", starts[i], next - 1),
            None => format!("{}+", starts[i] - 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: CreditRule = CreditRule { notice_after: 3, flag_after: 5 };

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    /// 100.00 due on March 10. `paid` and `notice` name days; `known_on` is the day the payment came to light.
    /// Walks every day of the month and lists the steps.
    fn walk(paid: Option<&str>, known_on: Option<&str>, notice: Option<&str>, held: &[&str]) -> Vec<String> {
        let mut at = Standing::default();
        let mut steps = Vec::new();
        for n in 1..=31 {
            let today = day(&format!("{n:02}"));
            let mut principal = Principal::new(10_000);
            let known = known_on.or(paid).is_some_and(|known| day(known) <= today);
            if let (Some(paid), true) = (paid, known) {
                principal.take(day(paid), 10_000);
            }
            let evidence = Evidence {
                due_on: day("10"),
                principal: &principal,
                paid_some: paid.is_some(),
                notice_sent_on: notice.map(day).filter(|sent| *sent <= today),
                held: held.iter().any(|held| day(held) == today),
            };
            while let Some((status, _)) = step(&at, &evidence, RULE, today) {
                let flagged_on = if status == Status::Flagged { Some(today) } else { at.flagged_on };
                at = Standing { status, since: Some(today), flagged_on };
                steps.push(format!("{n} {}", status.name()));
            }
        }
        steps
    }

    #[test]
    fn steps_by_day() {
        // paid on, known on, notice sent on, held on → steps
        type Days = &'static [&'static str];
        type On = Option<&'static str>;
        let cases: &[(On, On, On, Days, Days)] = &[
            (Some("05"), None, None, &[], &["10 on_time"]),
            (Some("10"), None, None, &[], &["10 on_time"]),
            (Some("12"), None, None, &[], &[]),
            (None, None, None, &[], &["13 notice_due"]),
            (Some("15"), None, None, &[], &["13 notice_due", "15 clear"]),
            (None, None, Some("13"), &[], &["13 notice_due", "13 notice_sent", "18 flagged"]),
            (Some("17"), None, Some("13"), &[], &["13 notice_due", "13 notice_sent", "17 clear"]),
            (Some("18"), None, Some("13"), &[], &["13 notice_due", "13 notice_sent", "18 clear"]),
            (Some("20"), None, Some("13"), &[], &["13 notice_due", "13 notice_sent", "18 flagged", "20 settled_late"]),
            // Late news: paid in time for no flag, and known after it.
            (
                Some("17"),
                Some("22"),
                Some("13"),
                &[],
                &["13 notice_due", "13 notice_sent", "18 flagged", "22 corrected"],
            ),
            (
                Some("20"),
                Some("25"),
                Some("13"),
                &[],
                &["13 notice_due", "13 notice_sent", "18 flagged", "25 settled_late"],
            ),
            // A hold puts the steps off.
            (None, None, Some("16"), &["13", "14"], &["15 notice_due", "16 notice_sent", "21 flagged"]),
            (None, None, Some("13"), &["18", "19"], &["13 notice_due", "13 notice_sent", "20 flagged"]),
        ];
        for (paid, known, notice, held, expected) in cases {
            assert_eq!(
                walk(*paid, *known, *notice, held),
                *expected,
                "paid {paid:?}, known {known:?}, notice {notice:?}, held {held:?}"
            );
        }
    }

    #[test]
    fn buckets() {
        let starts = [1, 8, 31, 61, 91];
        for (days, name) in [
            (0, "current"),
            (1, "1-7"),
            (7, "1-7"),
            (8, "8-30"),
            (60, "31-60"),
            (90, "61-90"),
            (91, "90+"),
            (400, "90+"),
        ] {
            assert_eq!(bucket(days, &starts), name, "{days}");
        }
    }
}
