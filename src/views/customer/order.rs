//! One order of a customer: what is owed of it, what comes next, and what if. Every figure is that of `during_day` and
//! `end_of_day`, the functions that the close calls.

use anyhow::{Context, Result};
use chrono::{NaiveDate, NaiveTime};

use super::{
    AtDaysEnd, CreditBack, CreditRecordStep, CreditState, CustomerOrder, Debit, DebitState, Extension, ExtensionChange,
    OrderState, Owing, Questions, Reason,
};
use crate::domain::bank::instruction::{Attempt, Direction};
use crate::domain::decide::credit::News;
use crate::domain::decide::credit_record::CreditRecord;
use crate::domain::decide::during_day::{Owed, owed_now};
use crate::domain::decide::end_of_day::decide_with;
use crate::domain::decide::pay_off::{owed_in_all, pay_off};
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::What;
use crate::domain::intake::admission::admit;
use crate::domain::money::Currency;
use crate::domain::terms::policy::Terms;
use crate::store::credit_record::CreditStepRow;
use crate::store::instructions::StoredInstruction;
use crate::store::journal::JournalRow;
use crate::views::Amount;
use crate::views::bank_plans::{self, NextDebit, PayBack};
use crate::views::instalment::Instalment;

/// What the books have of an order.
pub(super) struct OrderBooks<'a> {
    pub case: &'a Case,
    pub item: Option<String>,
    pub terms: &'a Terms,
    pub positions: &'a [Position],
    pub instructions: &'a [StoredInstruction],
    pub journal: &'a [JournalRow],
    pub credit_steps: &'a [&'a CreditStepRow],
    pub today: NaiveDate,
    /// Whether files with payments are missing.
    pub news: News,
}

impl OrderBooks<'_> {
    pub fn glance(&self, questions: &Questions) -> Result<CustomerOrder> {
        let Case { order, facts, .. } = self.case;
        let currency = order.currency;
        let owed = self.owed_on(self.today)?;
        let in_arrears = owed.iter().any(|owed| owed.position.is_unpaid() && owed.position.days_past_due > 0);
        let owed_on = match questions.on {
            Some(day) => Some(owing(&self.owed_on(day)?, day, currency)),
            None => None,
        };
        let pay_off = match questions.pay_off_on {
            Some(day) => Some(pay_off(self.case, self.terms, day).with_context(|| self.which())?),
            None => None,
        };
        let is_asked_about = questions.order.as_ref().is_none_or(|id| *id == order.order_id);
        let extension =
            match questions.extend.filter(|_| is_asked_about && (is_owed(&owed) || questions.order.is_some())) {
                Some(days) => Some(self.extension(days)?),
                None => None,
            };
        let payments = || facts.iter().filter(|fact| matches!(fact.what, What::Payment { .. }));
        Ok(CustomerOrder {
            order_id: order.order_id.clone(),
            item: self.item.clone(),
            ordered_on: order.ordered_on,
            amount: Amount::new(order.amount_minor, currency),
            state: state(&owed),
            owed: owing(&owed, self.today, currency),
            owed_on,
            pay_off: pay_off.map(|minor| Amount::new(minor, currency)),
            fee_grows_on: owed.iter().filter_map(|owed| owed.fee_grows_on).min(),
            paid: Amount::new(payments().map(paid_by).sum::<i64>() - self.charged_back(), currency),
            last_paid_on: payments().map(|fact| fact.effective_on).max(),
            hold: owed.iter().find_map(|owed| owed.position.hold).map(|reason| reason.name().to_owned()),
            debits: owed.iter().filter_map(|owed| self.debit(&owed.position)).collect(),
            credit: self.credit(in_arrears),
            credit_record: self.credit_steps.iter().map(|step| CreditRecordStep::from(*step)).collect(),
            extension,
            instalments: owed.iter().map(|owed| Instalment::of(&owed.position, currency)).collect(),
        })
    }

    fn which(&self) -> String {
        format!("order {}", self.case.order.order_id)
    }

    fn records(&self) -> Vec<CreditRecord> {
        self.positions.iter().map(|position| position.credit).collect()
    }

    fn owed_on(&self, day: NaiveDate) -> Result<Vec<Owed>> {
        owed_now(self.case, self.terms, &self.records(), day).with_context(|| self.which())
    }

    fn charged_back(&self) -> i64 {
        let charged_back = |fact: &crate::domain::facts::fact::Fact| match fact.what {
            What::Chargeback { minor, .. } => minor,
            _ => 0,
        };
        self.case.facts.iter().map(charged_back).sum()
    }

    fn debit(&self, position: &Position) -> Option<Debit> {
        let Position { instalment, .. } = *position;
        let asked = |stored: &&StoredInstruction| {
            let Attempt { instalment: of, instructed_on, .. } = stored.attempt;
            let is_out = instructed_on < self.today && stored.attempt.is_open(self.today);
            stored.direction == Direction::Debit && of == instalment && is_out
        };
        // An instalment that was paid otherwise can still be collected.
        if let Some(stored) = self.instructions.iter().find(asked) {
            let Attempt { minor, instructed_on, .. } = stored.attempt;
            let amount = Some(Amount::new(minor, stored.currency));
            return Some(Debit { instalment, state: DebitState::Asked, on: Some(instructed_on), amount });
        }
        let next = bank_plans::next_debit(self.case, self.terms, position, self.instructions, self.today)?;
        let (state, on) = match next {
            NextDebit::Today => (DebitState::Planned, Some(self.today)),
            NextDebit::On { day, held: true } => (DebitState::HeldUntil, Some(day)),
            NextDebit::On { day, held: false } => (DebitState::Planned, Some(day)),
            NextDebit::Asked => (DebitState::Asked, None),
            NextDebit::NotAgain => (DebitState::NotAgain, None),
        };
        Some(Debit { instalment, state, on, amount: None })
    }

    fn credit(&self, in_arrears: bool) -> Option<CreditBack> {
        let credit = bank_plans::credit(self.journal, in_arrears, self.today)?;
        let amount = Amount::new(credit.minor, self.case.order.currency);
        let (state, on) = match bank_plans::pay_back(credit, self.terms, self.instructions, self.today) {
            _ if credit.minor < 0 => (CreditState::PaidOutTooMuch, None),
            PayBack::Today => (CreditState::Planned, Some(self.today)),
            PayBack::On(day) => (CreditState::Planned, Some(day)),
            PayBack::Asked => (CreditState::Asked, None),
            PayBack::Kept => (CreditState::KeptWhileOverdue, None),
            PayBack::Failed => (CreditState::Failed, None),
            PayBack::ByHand => (CreditState::ByHand, None),
        };
        Some(CreditBack { amount, state, on })
    }

    /// What an extension would change by the end of the open day.
    fn extension(&self, days: i64) -> Result<Extension> {
        let what = What::Extension { days };
        if let Err(refusal) = admit(self.case, self.terms, &what, self.today) {
            let refused = Reason { code: refusal.code(), message: refusal.to_string() };
            return Ok(Extension { days, refused: Some(refused), changes: Vec::new() });
        }
        let extended = self.case.with(&what, self.today.and_time(NaiveTime::MIN).and_utc(), self.today);
        let at_days_end = |case: &Case| -> Result<Vec<AtDaysEnd>> {
            let decision = decide_with(case, self.terms, &self.records(), self.today, self.news);
            let positions = decision.with_context(|| self.which())?.positions;
            Ok(positions.iter().map(|position| AtDaysEnd::of(position, self.case.order.currency)).collect())
        };
        let pairs = at_days_end(self.case)?.into_iter().zip(at_days_end(&extended)?);
        let changes = pairs.zip(1..).filter(|((before, after), _)| before != after);
        let changes = changes.map(|((before, after), instalment)| ExtensionChange { instalment, before, after });
        Ok(Extension { days, refused: None, changes: changes.collect() })
    }
}

impl AtDaysEnd {
    fn of(position: &Position, currency: Currency) -> AtDaysEnd {
        AtDaysEnd {
            due_on: position.due_on,
            late_fee: Amount::new(position.late_fee, currency),
            days_past_due: position.days_past_due,
            credit_status: position.credit.status.name().to_owned(),
        }
    }
}

fn paid_by(fact: &crate::domain::facts::fact::Fact) -> i64 {
    match fact.what {
        What::Payment { minor, .. } => minor,
        _ => 0,
    }
}

fn is_owed(owed: &[Owed]) -> bool {
    owed.iter().any(|owed| owed_in_all(&owed.position) > 0)
}

fn state(owed: &[Owed]) -> OrderState {
    if owed.is_empty() {
        OrderState::ToCome
    } else if owed.iter().any(|owed| owed.position.is_open()) {
        OrderState::Open
    } else if is_owed(owed) {
        OrderState::WrittenOff
    } else {
        OrderState::Settled
    }
}

fn owing(owed: &[Owed], day: NaiveDate, currency: Currency) -> Owing {
    let sum = |of: &dyn Fn(&Position) -> i64| Amount::new(owed.iter().map(|owed| of(&owed.position)).sum(), currency);
    let is_overdue = |position: &Position| position.due_on.is_some_and(|due_on| due_on < day);
    Owing {
        amount: sum(&owed_in_all),
        late_fee: sum(&Position::fee_owed),
        overdue: sum(&|position| if is_overdue(position) { owed_in_all(position) } else { 0 }),
    }
}

impl From<&CreditStepRow> for CreditRecordStep {
    fn from(step: &CreditStepRow) -> CreditRecordStep {
        let CreditStepRow { instalment, since, status, reason, .. } = step.clone();
        CreditRecordStep { instalment, since, status: status.name().to_owned(), reason }
    }
}
