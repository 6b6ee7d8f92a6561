//! The credit record's steps: which step an instalment takes next.
//!
//! clear → notice due → notice sent → flagged → settled late → expired, or corrected if the flag turns out wrong; on
//! time for an instalment paid by its due date. No flag is set without a sent notice. After a chargeback the steps
//! start again, with a notice of their own.
//!
//! The export is not a step: the seal of a day exports its flags, so a flag of an earlier day is already exported.

use chrono::NaiveDate;

use super::credit_record::{CreditRecord, CreditStatus, StepReason};
use super::holds::HeldDays;
use super::principal::Principal;
use crate::domain::calendar::plus;
use crate::domain::terms::policy::CreditRule;

/// Whether all payments of customers by the end of a day are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum News {
    #[default]
    Complete,
    /// A file with payments is missing: no step against a customer is taken until it arrives.
    Missing,
}

/// The facts that the next step depends on.
pub struct Evidence<'a> {
    pub due_on: NaiveDate,
    /// The principal that the customer has not paid, whether or not it is written off.
    pub principal: &'a Principal,
    /// Whether something was paid, and not all of the order was refunded.
    pub paid_some: bool,
    /// The days on which notices were sent.
    pub notices: Vec<NaiveDate>,
    /// Days covered by holds with effect `credit`.
    pub held: &'a HeldDays,
    pub news: News,
    /// Whether the instalment is written off. The customer then gets no more mails, so no further notice.
    pub written_off: bool,
}

impl Evidence<'_> {
    /// The day of the latest notice sent on or before a day.
    fn notice_by(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.notices.iter().copied().filter(|sent| *sent <= day).max()
    }

    /// Whether the facts known now allow a step towards a flag on a day: the instalment was late enough then, and not
    /// held.
    fn may_step_on(&self, day: NaiveDate, rule: CreditRule) -> bool {
        let days = self.principal.days_past_due(self.due_on, day);
        self.principal.left(day) > 0 && days >= rule.notice_after && !self.held.covers(day)
    }
}

/// Returns the step to record today, with its reason; `None` if the record is up to date.
pub fn step(
    at: &CreditRecord,
    on: &Evidence<'_>,
    rule: CreditRule,
    today: NaiveDate,
) -> Option<(CreditStatus, StepReason)> {
    let days = on.principal.days_past_due(on.due_on, today);
    let unpaid = on.principal.left(today) > 0;
    let late = unpaid && days >= rule.notice_after;
    let gone_when_due = on.due_on <= today && on.principal.left(on.due_on) == 0;
    let stayed_gone = gone_when_due && days == 0;
    let held = on.held.covers(today) || on.news == News::Missing;
    let noticed_on = on.notice_by(today).filter(|sent| at.since.is_none_or(|since| *sent >= since));
    let noticed_too_early = || on.notice_by(today).is_some_and(|sent| !on.may_step_on(sent, rule));
    let without_a_flag = || if at.flagged_on.is_some() { CreditStatus::SettledLate } else { CreditStatus::Clear };
    match at.status {
        CreditStatus::Flagged if at.flagged_on == Some(today) && wrongly_flagged(at, on, rule) => {
            Some((CreditStatus::Clear, StepReason::FlagWithdrawn))
        }
        _ if wrongly_flagged(at, on, rule) => {
            let held = at.flagged_on.is_some_and(|day| on.held.covers(day));
            Some((CreditStatus::Corrected, if held { StepReason::FlagHeld } else { StepReason::FlagNotDue }))
        }
        CreditStatus::Clear | CreditStatus::Corrected | CreditStatus::SettledLate | CreditStatus::Expired
            if late && !held && !on.written_off =>
        {
            Some((CreditStatus::NoticeDue, StepReason::PastDue))
        }
        CreditStatus::Clear if stayed_gone && on.paid_some => Some((CreditStatus::OnTime, StepReason::PaidByDueDate)),
        CreditStatus::OnTime if on.due_on <= today && !stayed_gone => {
            let why = if gone_when_due { StepReason::PaymentChargedBack } else { StepReason::NotPaidByDueDate };
            Some((CreditStatus::Clear, why))
        }
        CreditStatus::NoticeDue | CreditStatus::NoticeSent if !unpaid => {
            Some((without_a_flag(), StepReason::PaidBeforeFlag))
        }
        CreditStatus::NoticeDue | CreditStatus::NoticeSent if !late => {
            Some((without_a_flag(), StepReason::NoLongerPastDue))
        }
        CreditStatus::NoticeSent if noticed_too_early() => Some((without_a_flag(), StepReason::NoticeTooEarly)),
        CreditStatus::NoticeDue if noticed_on.is_some() => Some((CreditStatus::NoticeSent, StepReason::NoticeSent)),
        CreditStatus::NoticeDue if on.written_off => Some((without_a_flag(), StepReason::WrittenOffBeforeNotice)),
        CreditStatus::NoticeSent if !held && flag_day(on, rule, today).is_some_and(|day| day <= today) => {
            Some((CreditStatus::Flagged, StepReason::UnpaidAfterNotice))
        }
        CreditStatus::Flagged if !unpaid => Some((CreditStatus::SettledLate, StepReason::PaidAfterFlag)),
        CreditStatus::SettledLate if expiry(on, rule).is_some_and(|day| day <= today) => {
            Some((CreditStatus::Expired, StepReason::Expired))
        }
        _ => None,
    }
}

/// The first day after `today` on which a step can be due without a new fact.
pub fn next_step(at: &CreditRecord, on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<NaiveDate> {
    let not_before_tomorrow = |day: NaiveDate| day.max(plus(today, 1));
    let unpaid = on.principal.left(today) > 0;
    match at.status {
        CreditStatus::Clear if !unpaid && on.due_on > today => Some(on.due_on),
        CreditStatus::Clear | CreditStatus::Corrected | CreditStatus::SettledLate | CreditStatus::Expired
            if unpaid && !on.written_off =>
        {
            let missing = rule.notice_after - on.principal.days_past_due(on.due_on, today);
            Some(not_before_tomorrow(plus(on.due_on.max(today), missing)))
        }
        // A paid instalment has already left this status by a step.
        CreditStatus::NoticeSent => flag_day(on, rule, today).map(not_before_tomorrow),
        CreditStatus::SettledLate => expiry(on, rule).map(not_before_tomorrow),
        _ => None,
    }
}

fn flag_day(on: &Evidence<'_>, rule: CreditRule, today: NaiveDate) -> Option<NaiveDate> {
    on.notice_by(today).map(|sent| plus(sent, rule.flag_after))
}

/// The day on which a settled record expires.
fn expiry(on: &Evidence<'_>, rule: CreditRule) -> Option<NaiveDate> {
    Some(plus(on.principal.gone_since()?, rule.expires_after?))
}

/// Whether the facts known now rule out the flag on its day: the flag itself, or the notice before it.
fn wrongly_flagged(at: &CreditRecord, on: &Evidence<'_>, rule: CreditRule) -> bool {
    at.flagged_on.is_some_and(|flagged_on| {
        let notice = on.notice_by(flagged_on);
        !on.may_step_on(flagged_on, rule) || notice.is_some_and(|sent| !on.may_step_on(sent, rule))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decide::holds::Hold;
    use crate::domain::facts::fact::HoldReason;
    use crate::domain::terms::hold::HoldEffect;
    use crate::domain::terms::policy::tests::terms;

    const RULE: CreditRule = CreditRule { notice_after: 3, flag_after: 5, expires_after: None };

    fn day(text: &str) -> NaiveDate {
        format!("2026-03-{text}").parse().unwrap()
    }

    fn held_days<'d>(days: impl Iterator<Item = &'d str>) -> HeldDays {
        let hold = |text| Hold { reason: HoldReason::Dispute, first: day(text), last: day(text) };
        HeldDays::by(HoldEffect::Credit, &days.map(hold).collect::<Vec<_>>(), &terms())
    }

    /// 100.00 due on March 10. `paid` and `notice` are days; `known_on` is the day on which the payment became known.
    /// Walks through every day of the month and lists the steps.
    fn walk(paid: Option<&str>, known_on: Option<&str>, notice: Option<&str>, held: &[&str]) -> Vec<String> {
        let mut at = CreditRecord::default();
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
            // Late news: paid in time to avoid the flag, and known only after the flag.
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
            // A hold delays the steps.
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
        // Due on the 10th, with days of the notice, the flag and the payment in March, and the step that today brings.
        type On = Option<&'static str>;
        type Step = Option<(CreditStatus, StepReason)>;
        let cases: &[(CreditStatus, On, On, &str, Step)] = &[
            (CreditStatus::NoticeSent, None, Some("15"), "15", Some((CreditStatus::Clear, StepReason::PaidBeforeFlag))),
            (CreditStatus::NoticeSent, None, None, "11", Some((CreditStatus::Clear, StepReason::NoLongerPastDue))),
            (CreditStatus::NoticeSent, None, None, "18", Some((CreditStatus::Flagged, StepReason::UnpaidAfterNotice))),
            (
                CreditStatus::Flagged,
                Some("18"),
                Some("20"),
                "20",
                Some((CreditStatus::SettledLate, StepReason::PaidAfterFlag)),
            ),
            // Found wrong on the day of the flag, before its export, or later.
            (
                CreditStatus::Flagged,
                Some("18"),
                Some("09"),
                "18",
                Some((CreditStatus::Clear, StepReason::FlagWithdrawn)),
            ),
            (
                CreditStatus::Flagged,
                Some("18"),
                Some("09"),
                "19",
                Some((CreditStatus::Corrected, StepReason::FlagNotDue)),
            ),
            (CreditStatus::Flagged, Some("18"), None, "18", None),
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
                held: &HeldDays::default(),
                news: News::Complete,
                written_off: false,
            };
            let at = CreditRecord { status: *status, since: Some(day("13")), flagged_on: flagged.map(day) };
            assert_eq!(step(&at, &evidence, RULE, day(today)), *expected, "{status:?}, paid {paid:?}, on {today}");
        }
    }
}
