//! What customers owe now on the orders that mails are about. Planning a mail and reviewing it before it is sent both
//! use this module.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use crate::books::environment::Environment;
use crate::books::order_decisions::{load_cases, which_order};
use crate::domain::bank::debit;
use crate::domain::bank::instruction::{Attempt, Direction, Next};
use crate::domain::calendar::plus;
use crate::domain::decide::credit_record::{CreditRecord, CreditStatus};
use crate::domain::decide::during_day::{self, Owed, if_unpaid_on};
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::mail_events::{MailEvent, not_any_more};
use crate::domain::decide::pay_off::owed_in_all;
use crate::domain::decide::position::Position;
use crate::domain::decide::reminders::Template;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::What;
use crate::domain::intake::admission::admit;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;
use crate::mail::letter::{Debited, NextFee};
use crate::store::mails::ReminderRow;
use crate::store::orders::StoredOrder;
use crate::store::{Tx, instructions, positions};

/// An order, with the amounts owed on it on the day.
pub struct OwedOrder<'s> {
    pub stored: StoredOrder,
    pub terms: &'s Terms,
    pub instalments: Vec<Owed>,
    case: Case,
    attempts: Vec<Attempt>,
}

/// When an amount is collected by debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collected {
    /// The bank receives the debit instruction on this day.
    On(NaiveDate),
    /// The bank received an instruction about this amount and has not answered yet.
    UnderWay(i64),
}

/// Returns what is owed during `day` on these orders of a merchant, by order.
pub async fn on_day<'s>(
    tx: &mut Tx,
    environment: &'s Environment,
    merchant: &str,
    order_ids: &[&str],
    day: NaiveDate,
) -> Result<HashMap<String, OwedOrder<'s>>> {
    let cases = load_cases(tx, merchant, order_ids).await?;
    let recorded = positions::of_orders(tx, merchant, order_ids).await?;
    let mut debits = instructions::of_orders(tx, merchant, Direction::Debit, order_ids).await?;
    let mut owed = HashMap::with_capacity(cases.len());
    for (stored, case) in cases {
        let id = stored.order.order_id.clone();
        let terms = environment.terms(merchant, case.order.policy_version)?;
        let standings: Vec<CreditRecord> =
            recorded.get(&id).into_iter().flatten().map(|position| position.credit).collect();
        let instalments =
            during_day::owed_now(&case, terms, &standings, day).with_context(|| which_order(merchant, &case))?;
        let attempts = debits.remove(&id).unwrap_or_default().into_iter().map(|stored| stored.attempt).collect();
        owed.insert(id, OwedOrder { stored, terms, instalments, case, attempts });
    }
    Ok(owed)
}

impl OwedOrder<'_> {
    /// Returns when the bank collects the rest of an instalment by debit, or `None` if it does not.
    fn collected(&self, owed: &Owed, day: NaiveDate) -> Option<Collected> {
        let rule = self.terms.debit.as_ref()?;
        let instalment = owed.position.instalment;
        let attempts: Vec<&Attempt> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.instalment == instalment && attempt.instructed_on < day)
            .collect();
        let held = HeldDays::by(HoldEffect::Debit, &holds(&self.case.effective_by(day), self.terms), self.terms);
        let open = attempts.iter().find(|attempt| attempt.is_open(day)).map(|attempt| attempt.minor);
        match (debit::next(rule, &owed.position, &attempts, &held, day), open) {
            (Next::Now(_), _) => Some(Collected::On(day)),
            (Next::On(next), Some(minor)) if next > day => Some(Collected::UnderWay(minor)),
            (Next::On(next), _) => Some(Collected::On(next)),
            (Next::Nothing, Some(minor)) => Some(Collected::UnderWay(minor)),
            (Next::Nothing, None) | (Next::Exhausted, _) => None,
        }
    }

    /// Returns when the bank collects the rest of an instalment by debit and how much, with the late fee of the days until then;
    /// `None` if it does not.
    pub fn debited(&self, owed: &Owed, day: NaiveDate) -> Result<Option<Debited>> {
        Ok(match self.collected(owed, day) {
            None => None,
            Some(Collected::UnderWay(minor)) => Some(Debited::UnderWay { minor }),
            Some(Collected::On(on)) => {
                let then = self.unpaid_on(owed, day, on)?;
                Some(Debited::On { day: on, minor: then.outstanding() + then.fee_owed() })
            }
        })
    }

    /// Returns the late fee that is added if an instalment stays unpaid.
    pub fn next_fee(&self, owed: &Owed, day: NaiveDate) -> Result<Option<NextFee>> {
        let Some(grows_on) = owed.fee_grows_on else { return Ok(None) };
        let then = self.unpaid_on(owed, day, grows_on.max(day))?;
        let more = then.fee_owed() - owed.position.fee_owed();
        Ok(Some(NextFee {
            unless_paid_by: grows_on,
            // What is paid after the cut-off counts for the next day.
            until: self.terms.cut_off,
            // A rate that is not published yet decides later.
            minor: (more > 0).then_some(more),
        }))
    }

    /// The position of an instalment at the end of a later day if nothing more becomes known.
    fn unpaid_on(&self, owed: &Owed, day: NaiveDate, on: NaiveDate) -> Result<Position> {
        let positions = if_unpaid_on(&self.case, self.terms, day, on).context("what is owed on a later day")?;
        let position = positions.into_iter().find(|position| position.instalment == owed.position.instalment);
        position.context("an instalment that is gone on a later day")
    }

    /// Whether the terms still allow an extension to be asked for.
    pub fn may_extend(&self, day: NaiveDate) -> bool {
        self.terms.extension.is_some_and(|limits| self.admits(&What::Extension { days: limits.days }, day))
    }

    /// Whether the terms still allow goods to be given back.
    pub fn may_give_back(&self, day: NaiveDate) -> bool {
        self.admits(&What::Refund { minor: 1, suspended: false }, day)
    }

    fn admits(&self, what: &What, day: NaiveDate) -> bool {
        admit(&self.case, self.terms, what, day).is_ok()
    }

    /// What was paid and refunded of all instalments of the order.
    pub fn paid_and_refunded(&self) -> (i64, i64) {
        let positions = || self.instalments.iter().map(|owed| &owed.position);
        let paid = positions().map(|position| position.paid + position.late_fee_paid).sum();
        (paid, positions().map(|position| position.refunded).sum())
    }

    /// Returns the day of an instalment's debit if it is to be announced on `day`: in the next `before` days.
    pub fn announced(&self, owed: &Owed, day: NaiveDate, before: i64) -> Option<NaiveDate> {
        let is_told = self.terms.reminders.events.contains(&Template::DebitAnnounced);
        match self.collected(owed, day).filter(|_| is_told) {
            Some(Collected::On(on)) if on > day && on <= plus(day, before) => Some(on),
            Some(Collected::On(_) | Collected::UnderWay(_)) | None => None,
        }
    }

    /// Returns why an event is not told any more, or `None` if it still is.
    pub fn not_told_any_more(&self, event: &MailEvent, day: NaiveDate) -> Option<&'static str> {
        let positions: Vec<Position> = self.instalments.iter().map(|owed| owed.position.clone()).collect();
        not_any_more(event, &self.case, self.terms, &positions, day)
    }

    /// Returns why a planned reminder of an instalment no longer applies, or `None` if it still does.
    pub fn not_any_more(&self, owed: &Owed, template: Template, due_on: NaiveDate) -> Option<&'static str> {
        let position = &owed.position;
        if position.outstanding() == 0 {
            Some(match (position.written_off_on, position.refunded > 0 && position.paid == 0) {
                (Some(_), _) => "written off",
                (None, true) => "refunded",
                (None, false) => "paid",
            })
        } else if position.due_on != Some(due_on) {
            Some("due on another day")
        } else if template == Template::Notice && !self.is_noticed(owed) {
            Some("no longer past due")
        } else if position.hold_effects.has(HoldEffect::Contact) {
            Some("held")
        } else {
            None
        }
    }

    /// Returns what is left of each instalment and when it is due.
    pub fn dues(&self) -> Vec<(Option<NaiveDate>, i64)> {
        let left = |owed: &Owed| owed.position.outstanding() + owed.position.fee_owed();
        let open = self.instalments.iter().filter(|owed| left(owed) > 0);
        open.map(|owed| (owed.position.due_on, left(owed))).collect()
    }

    /// Whether nothing is left to pay on the order.
    pub fn is_settled(&self) -> bool {
        self.instalments.iter().all(|owed| owed_in_all(&owed.position) == 0)
    }

    /// Whether a notice before a negative report is due and still applies.
    pub fn is_noticed(&self, owed: &Owed) -> bool {
        let late = self.terms.credit.is_some_and(|rule| owed.position.days_past_due >= rule.notice_after);
        late && owed.position.credit.status == CreditStatus::NoticeDue && owed.position.outstanding() > 0
    }

    /// The day from which an unpaid instalment is reported: if its notice is sent on `day`, or was sent before.
    pub fn flag_on(&self, owed: &Owed, template: Template, day: NaiveDate) -> Option<NaiveDate> {
        let rule = self.terms.credit?;
        match (template, owed.position.credit.status) {
            (Template::Notice, _) => Some(plus(day, rule.flag_after)),
            (Template::Overdue, CreditStatus::NoticeSent) => {
                let instalment = owed.position.instalment;
                let notices = self.case.facts.iter().filter(|fact| fact.what == What::Notice { instalment });
                let sent_on = notices.map(|fact| fact.effective_on).max()?;
                Some(plus(sent_on, rule.flag_after)).filter(|flag_on| *flag_on > day)
            }
            _ => None,
        }
    }

    /// Whether paying late may still harm the customer's credit record.
    pub fn record_is_at_stake(&self, owed: &Owed) -> bool {
        self.terms.credit.is_some() && owed.position.credit.flagged_on.is_none()
    }
}

impl ReminderRow {
    /// Sets the current amounts.
    pub fn owes(&mut self, owed: &Owed) {
        let position = &owed.position;
        self.outstanding_minor = position.outstanding();
        self.late_fee_minor = position.fee_owed();
        self.days_past_due = position.days_past_due_on(self.business_date);
    }
}
