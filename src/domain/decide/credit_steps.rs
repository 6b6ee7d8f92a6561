//! The steps that the end of a day adds to the credit record of an order.

use chrono::NaiveDate;

use super::credit::{self, Evidence, News};
use super::credit_record::CreditStep;
use super::holds::HeldDays;
use super::known_order::{KnownOrder, earlier};
use super::position::Position;
use super::replay::state::InstalmentState;
use crate::domain::facts::fact::What;
use crate::domain::terms::hold::HoldEffect;

/// The facts that the steps of all instalments of an order depend on.
pub(super) struct CreditSteps<'a> {
    known: &'a KnownOrder<'a>,
    news: News,
    /// Whether part of the order is left after refunds.
    is_kept: bool,
    held: HeldDays,
}

impl CreditSteps<'_> {
    pub(super) fn of<'a>(known: &'a KnownOrder<'a>, news: News, is_kept: bool) -> CreditSteps<'a> {
        CreditSteps { known, news, is_kept, held: HeldDays::by(HoldEffect::Credit, &known.holds, known.terms) }
    }

    /// Takes the steps of an instalment and plans the next one.
    pub(super) fn take(&self, state: &InstalmentState, position: &mut Position, steps: &mut Vec<CreditStep>) {
        let (Some(due_on), Some(rule)) = (position.due_on, self.known.terms.credit) else { return };
        let today = self.known.at.over;
        let evidence = self.evidence(state, due_on);
        while let Some((status, reason)) = credit::step(&position.credit, &evidence, rule, today) {
            position.credit = position.credit.after(status, today);
            let (instalment, days_past_due) = (position.instalment, position.days_past_due);
            steps.push(CreditStep { instalment, status, days_past_due, minor: state.principal.now(), reason });
        }
        let next_step = credit::next_step(&position.credit, &evidence, rule, today);
        position.next_action_on = earlier(position.next_action_on, next_step);
    }

    fn evidence<'s>(&'s self, state: &'s InstalmentState, due_on: NaiveDate) -> Evidence<'s> {
        let instalment = state.due.instalment;
        let today = self.known.at.over;
        let notices = self.known.case.facts.iter().filter(|fact| fact.what == What::Notice { instalment });
        let sent_on = notices.map(|fact| fact.effective_on).filter(|on| *on <= today);
        Evidence {
            due_on,
            principal: &state.principal,
            paid_some: state.paid > 0 && self.is_kept,
            notices: sent_on.collect(),
            held: &self.held,
            news: self.news,
            written_off: state.written_off.is_some(),
        }
    }
}
