//! Credit impact: what an instalment does to the customer's credit record, one dated step at a time.
//!
//! clear → notice due → notice sent → flagged → settled late → expired, or corrected if the flag turns out wrong; on
//! time for one that was paid when it should be. No flag without a notice that was sent. A payment that is taken back
//! begins it anew, with a notice of its own.
//!
//! There is no step for the export: the seal of a day exports its flags, so a flag of an earlier day than today is out.

use chrono::NaiveDate;

use super::calendar::plus;
use super::hold::Covered;
use super::policy::CreditRule;
use super::principal::Principal;

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
    Expired,
}

impl Status {
    pub const ALL: [Status; 8] = [
        Status::Clear,
        Status::OnTime,
        Status::NoticeDue,
        Status::NoticeSent,
        Status::Flagged,
        Status::SettledLate,
        Status::Corrected,
        Status::Expired,
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
            Status::Expired => "expired",
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
    /// The day of the flag that stands in the record, settled or not.
    pub flagged_on: Option<NaiveDate>,
}

impl Standing {
    /// Where the record stands after a step of a business date.
    pub fn after(self, status: Status, today: NaiveDate) -> Standing {
        let flagged_on = match status {
            Status::Flagged => Some(today),
            // A notice on the way to a further flag leaves the former one standing.
            Status::NoticeDue | Status::NoticeSent | Status::SettledLate => self.flagged_on,
            Status::Clear | Status::OnTime | Status::Corrected | Status::Expired => None,
        };
        Standing { status, since: Some(today), flagged_on }
    }
}

/// Whether it is known what customers have paid by the end of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum News {
    #[default]
    Complete,
    /// A file that should have said so has not come: no step is taken against a customer until it does.
    Missing,
}

/// What the next step depends on.
pub struct Evidence<'a> {
    pub due_on: NaiveDate,
    /// Whether it was written off is no matter: what the customer has not paid is unpaid.
    pub principal: &'a Principal,
    /// Something was paid, and not all of the order was refunded.
    pub paid_some: bool,
    /// The days on which notices were sent.
    pub notices: Vec<NaiveDate>,
    /// Days covered by holds with effect `credit`.
    pub held: &'a Covered,
    pub news: News,
    /// Written off: nobody is written to any more, so no further notice.
    pub written_off: bool,
}

impl Evidence<'_> {
    /// The day of the latest notice sent by a day.
    fn notice_by(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.notices.iter().copied().filter(|sent| *sent <= day).max()
    }

    /// Whether a step towards a flag could be taken on a day, by what is known now: late enough then, and not held.
    fn may_step_on(&self, day: NaiveDate, rule: CreditRule) -> bool {
        let days = self.principal.days_past_due(self.due_on, day);
        self.principal.left(day) > 0 && days >= rule.notice_after && !self.held.covers(day)
    }
}

/// The step to record today, with its reason; none when the record is as it should be.
pub fn step(at: &Standing, on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<(Status, &'static str)> {
    let days = on.principal.days_past_due(on.due_on, today);
    let unpaid = on.principal.left(today) > 0;
    let late = unpaid && days >= rule.notice_after;
    let gone_when_due = on.due_on <= today && on.principal.left(on.due_on) == 0;
    let stayed_gone = gone_when_due && days == 0;
    let held = on.held.covers(today) || on.news == News::Missing;
    let noticed_on = on.notice_by(today).filter(|sent| at.since.is_none_or(|since| *sent >= since));
    let noticed_too_early = || on.notice_by(today).is_some_and(|sent| !on.may_step_on(sent, rule));
    let without_a_flag = || if at.flagged_on.is_some() { Status::SettledLate } else { Status::Clear };
    match at.status {
        Status::Flagged if at.flagged_on == Some(today) && wrongly_flagged(at, on, rule) => {
            Some((Status::Clear, WITHDRAWN))
        }
        _ if wrongly_flagged(at, on, rule) => {
            let held = at.flagged_on.is_some_and(|day| on.held.covers(day));
            let why = "the flag was wrong: paid or not due before it";
            Some((Status::Corrected, if held { "the flag was wrong: a hold covers its day" } else { why }))
        }
        Status::Clear | Status::Corrected | Status::SettledLate | Status::Expired
            if late && !held && !on.written_off =>
        {
            Some((Status::NoticeDue, "days past due reached"))
        }
        Status::Clear if stayed_gone && on.paid_some => Some((Status::OnTime, "paid by the due date")),
        Status::OnTime if on.due_on <= today && !stayed_gone => {
            let taken_back = "paid by the due date, but the payment was taken back";
            let never_paid = "late news: it was not paid by the due date";
            Some((Status::Clear, if gone_when_due { taken_back } else { never_paid }))
        }
        Status::NoticeDue | Status::NoticeSent if !unpaid => Some((without_a_flag(), "paid before a flag")),
        Status::NoticeDue | Status::NoticeSent if !late => Some((without_a_flag(), "no longer past due")),
        Status::NoticeSent if noticed_too_early() => {
            Some((without_a_flag(), "the notice was sent too early: held or not so late on its day"))
        }
        Status::NoticeDue if noticed_on.is_some() => Some((Status::NoticeSent, "notice sent")),
        Status::NoticeDue if on.written_off => Some((without_a_flag(), "written off before a notice was sent")),
        Status::NoticeSent if !held && flag_day(on, rule, today).is_some_and(|day| day <= today) => {
            Some((Status::Flagged, "still unpaid after notice"))
        }
        Status::Flagged if !unpaid => Some((Status::SettledLate, "paid after the flag")),
        Status::SettledLate if expiry(on, rule).is_some_and(|day| day <= today) => {
            Some((Status::Expired, "the policy's time after its settlement is over"))
        }
        _ => None,
    }
}

/// Why a flag is gone that was set and found wrong on one open day: nobody has seen it.
pub const WITHDRAWN: &str = "the flag was wrong and is withdrawn before it was exported";

/// The first day after `today` on which a step can fall due by itself.
pub fn next_step(at: &Standing, on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<NaiveDate> {
    let not_before_tomorrow = |day: NaiveDate| day.max(plus(today, 1));
    let unpaid = on.principal.left(today) > 0;
    match at.status {
        Status::Clear if !unpaid && on.due_on > today => Some(on.due_on),
        Status::Clear | Status::Corrected | Status::SettledLate | Status::Expired if unpaid && !on.written_off => {
            let missing = rule.notice_after - on.principal.days_past_due(on.due_on, today);
            Some(not_before_tomorrow(plus(on.due_on.max(today), missing)))
        }
        // What is paid has left this status by now: that is a step.
        Status::NoticeSent => flag_day(on, rule, today).map(not_before_tomorrow),
        Status::SettledLate => expiry(on, rule).map(not_before_tomorrow),
        _ => None,
    }
}

fn flag_day(on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<NaiveDate> {
    on.notice_by(today).map(|sent| plus(sent, rule.flag_after))
}

/// The day on which a settled record is to be forgotten.
fn expiry(on: &Evidence<'_>, rule: CreditRule) -> Option<NaiveDate> {
    Some(plus(on.principal.gone_since()?, rule.expires_after?))
}

/// By what is known now, a flag could not have been set on its day: neither the flag itself, nor the notice before it.
fn wrongly_flagged(at: &Standing, on: &Evidence<'_>, rule: CreditRule) -> bool {
    at.flagged_on.is_some_and(|flagged_on| {
        let notice = on.notice_by(flagged_on);
        !on.may_step_on(flagged_on, rule) || notice.is_some_and(|sent| !on.may_step_on(sent, rule))
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
    use super::super::hold::{Effect, HoldReason, HoldSpan};
    use super::super::policy::tests::terms;
    use super::*;

    const RULE: CreditRule = CreditRule { notice_after: 3, flag_after: 5, expires_after: None };

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    fn held_days<'d>(days: impl Iterator<Item = &'d str>) -> Covered {
        let span = |text| HoldSpan { reason: HoldReason::Dispute, first: day(text), last: day(text) };
        Covered::by(Effect::Credit, &days.map(span).collect::<Vec<_>>(), &terms())
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
            let known = held_days(held.iter().copied().filter(|held| day(held) <= today));
            let evidence = Evidence {
                due_on: day("10"),
                principal: &principal,
                paid_some: paid.is_some(),
                notices: notice.map(day).into_iter().collect(),
                held: &known,
                news: News::Complete,
                written_off: false,
            };
            while let Some((status, _)) = step(&at, &evidence, RULE, today) {
                at = at.after(status, today);
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
    fn a_step_says_why() {
        // Due on the 10th, noticed and flagged on days of March; paid on a day or not; what today brings.
        type On = Option<&'static str>;
        type Told = Option<(Status, &'static str)>;
        let cases: &[(Status, On, On, &str, Told)] = &[
            (Status::NoticeSent, None, Some("15"), "15", Some((Status::Clear, "paid before a flag"))),
            (Status::NoticeSent, None, None, "11", Some((Status::Clear, "no longer past due"))),
            (Status::NoticeSent, None, None, "18", Some((Status::Flagged, "still unpaid after notice"))),
            (Status::Flagged, Some("18"), Some("20"), "20", Some((Status::SettledLate, "paid after the flag"))),
            // Found wrong on the day of the flag, which nobody has seen, or later.
            (Status::Flagged, Some("18"), Some("09"), "18", Some((Status::Clear, WITHDRAWN))),
            (
                Status::Flagged,
                Some("18"),
                Some("09"),
                "19",
                Some((Status::Corrected, "the flag was wrong: paid or not due before it")),
            ),
            (Status::Flagged, Some("18"), None, "18", None),
        ];
        for (status, flagged, paid, today, expected) in cases {
            let mut principal = Principal::new(10_000);
            if let Some(paid) = paid {
                principal.take(day(paid), 10_000);
            }
            let evidence = Evidence {
                due_on: day("10"),
                principal: &principal,
                paid_some: paid.is_some(),
                notices: vec![day("13")],
                held: &Covered::default(),
                news: News::Complete,
                written_off: false,
            };
            let at = Standing { status: *status, since: Some(day("13")), flagged_on: flagged.map(day) };
            assert_eq!(step(&at, &evidence, RULE, day(today)), *expected, "{status:?}, paid {paid:?}, on {today}");
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
