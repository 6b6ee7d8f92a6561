//! What happened to an order that its customer may want to be told. It is decided with the end of a day, from the same facts; the
//! policy says what is told.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::credit_record::{CreditStatus, CreditStep};
use super::holds::{Hold, holds};
use super::position::Position;
use super::reminders::Template;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::What;
use crate::domain::terms::policy::Terms;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailEvent {
    pub template: Template,
    /// The instalment it is about; 0 for the order as a whole.
    pub instalment: i64,
    /// Names the event among those of the instalment, for ever.
    pub step: String,
    /// The day it happened.
    pub day: NaiveDate,
    pub minor: Option<i64>,
    /// The last day of a hold, or the next attempt of a debit.
    pub until: Option<NaiveDate>,
}

/// An order at the end of a day: what was recorded before, and what was decided.
pub struct Ended<'a> {
    pub case: &'a Case,
    pub terms: &'a Terms,
    pub before: &'a [Position],
    pub positions: &'a [Position],
    pub credit_steps: &'a [CreditStep],
    pub today: NaiveDate,
}

impl Ended<'_> {
    /// Returns the events of the day that the policy tells customers of.
    pub fn events(&self) -> Vec<MailEvent> {
        let told: &BTreeSet<Template> = &self.terms.reminders.events;
        if told.is_empty() {
            return Vec::new();
        }
        let mut events = Vec::new();
        if self.before.is_empty() {
            let minor = Some(self.case.order.amount_minor);
            events.push(of_order(Template::OrderAccepted, "accepted", self.case.order.ordered_on, minor));
        }
        self.facts(&mut events);
        self.ended_holds(&mut events);
        for position in self.positions {
            let charged = position.late_fee;
            let before = self.before.iter().find(|before| before.instalment == position.instalment);
            if charged > 0 && before.is_none_or(|before| before.late_fee == 0) {
                let of = of_order(Template::FeeCharged, "fee", self.today, Some(charged));
                events.push(MailEvent { instalment: position.instalment, ..of });
            }
        }
        for step in self.credit_steps.iter().filter(|step| step.status == CreditStatus::Corrected) {
            let name = format!("report withdrawn {}", self.today);
            let of = of_order(Template::ReportWithdrawn, &name, self.today, None);
            events.push(MailEvent { instalment: step.instalment, ..of });
        }
        events.retain(|event| told.contains(&event.template));
        events
    }

    /// The facts that count from today on.
    fn facts(&self, events: &mut Vec<MailEvent>) {
        for fact in self.case.facts.iter().filter(|fact| fact.booked_on.max(fact.effective_on) == self.today) {
            let (template, minor, until) = match fact.what {
                What::Payment { minor, .. } => (Template::PaymentReceived, Some(minor), None),
                What::Refund { minor, .. } => (Template::RefundNoted, Some(minor), None),
                What::PayOut { minor } => (Template::CreditPaidOut, Some(minor), None),
                What::Extension { .. } => (Template::ExtensionAgreed, None, None),
                What::Hold { .. } => {
                    let last = holds(&[fact], self.terms).first().map(|hold| hold.last);
                    (Template::HoldBegun, None, last)
                }
                What::Fulfilment(_)
                | What::Chargeback { .. }
                | What::Waiver { .. }
                | What::Notice { .. }
                | What::GivenBack => continue,
            };
            let step = format!("{} {}", fact.what.kind(), fact.id);
            events.push(MailEvent { until, ..of_order(template, &step, fact.effective_on, minor) });
        }
    }

    /// Holds that ended since the order was decided last, if none goes on.
    fn ended_holds(&self, events: &mut Vec<MailEvent>) {
        let Some(decided_on) = self.before.iter().map(|position| position.decided_on).max() else { return };
        let facts = self.case.effective_by(self.today);
        let all: Vec<Hold> = holds(&facts, self.terms);
        if all.iter().any(|hold| hold.last > self.today) {
            return;
        }
        let ended = all.iter().filter(|hold| hold.last > decided_on || hold.last == self.today);
        if let Some(last) = ended.map(|hold| hold.last).max() {
            events.push(of_order(Template::HoldEnded, &format!("hold ended {last}"), last, None));
        }
    }
}

fn of_order(template: Template, step: &str, day: NaiveDate, minor: Option<i64>) -> MailEvent {
    MailEvent { template, instalment: 0, step: step.to_owned(), day, minor, until: None }
}

/// Whether what happened is still true for a customer who is told on `day`; if not, the reason.
pub fn not_any_more(
    event: &MailEvent,
    case: &Case,
    terms: &Terms,
    positions: &[Position],
    day: NaiveDate,
) -> Option<&'static str> {
    let facts = case.effective_by(day);
    let is_known = || {
        case.facts
            .iter()
            .any(|fact| format!("{} {}", fact.what.kind(), fact.id) == event.step && amount(&fact.what) == event.minor)
    };
    let of_instalment = || positions.iter().find(|position| position.instalment == event.instalment);
    let held = || holds(&facts, terms).iter().any(|hold| hold.covers(day));
    match event.template {
        Template::OrderAccepted => positions.iter().all(|position| position.outstanding() == 0).then_some("settled"),
        Template::PaymentReceived | Template::RefundNoted | Template::CreditPaidOut | Template::ExtensionAgreed => {
            (!is_known()).then_some("corrected")
        }
        Template::HoldBegun if !is_known() => Some("corrected"),
        Template::HoldBegun => (!held()).then_some("not held any more"),
        Template::HoldEnded => held().then_some("held again"),
        Template::FeeCharged => {
            of_instalment().is_none_or(|position| position.fee_owed() == 0).then_some("no late fee any more")
        }
        Template::DebitFailed => of_instalment().is_none_or(|position| position.outstanding() == 0).then_some("paid"),
        Template::ReportWithdrawn => {
            let is_flagged = |position: &Position| position.credit.status == CreditStatus::Flagged;
            of_instalment().is_some_and(is_flagged).then_some("reported again")
        }
        Template::DebitAnnounced | Template::Upcoming | Template::DueToday | Template::Overdue | Template::Notice => {
            None
        }
    }
}

fn amount(what: &What) -> Option<i64> {
    match what {
        What::Payment { minor, .. } | What::Refund { minor, .. } | What::PayOut { minor } => Some(*minor),
        _ => None,
    }
}
