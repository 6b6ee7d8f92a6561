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
use crate::domain::decide::during_day::{self, Owed};
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::reminders::Template;
use crate::domain::facts::case::Case;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;
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
pub enum Collected {
    /// The bank receives the debit instruction on this day.
    On(NaiveDate),
    /// The bank received an instruction and has not answered yet.
    UnderWay,
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
    pub fn collected(&self, owed: &Owed, day: NaiveDate) -> Option<Collected> {
        let rule = self.terms.debit.as_ref()?;
        let instalment = owed.position.instalment;
        let attempts: Vec<&Attempt> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.instalment == instalment && attempt.instructed_on < day)
            .collect();
        let held = HeldDays::by(HoldEffect::Debit, &holds(&self.case.effective_by(day), self.terms), self.terms);
        match debit::next(rule, &owed.position, &attempts, &held, day) {
            Next::Now(_) => Some(Collected::On(day)),
            Next::On(next) if attempts.iter().any(|attempt| attempt.is_open(day)) && next > day => {
                Some(Collected::UnderWay)
            }
            Next::On(next) => Some(Collected::On(next)),
            Next::Nothing if attempts.iter().any(|attempt| attempt.is_open(day)) => Some(Collected::UnderWay),
            Next::Nothing | Next::Exhausted => None,
        }
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

    /// Whether a notice before a negative report is due and still applies.
    pub fn is_noticed(&self, owed: &Owed) -> bool {
        let late = self.terms.credit.is_some_and(|rule| owed.position.days_past_due >= rule.notice_after);
        late && owed.position.credit.status == CreditStatus::NoticeDue && owed.position.outstanding() > 0
    }

    /// The day from which an unpaid instalment is reported if its notice is sent on `day`.
    pub fn flag_on(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.terms.credit.map(|rule| plus(day, rule.flag_after))
    }

    /// Whether paying late may still harm the customer's credit record.
    pub fn record_is_at_stake(&self, owed: &Owed) -> bool {
        self.terms.credit.is_some() && owed.position.credit.flagged_on.is_none()
    }
}
