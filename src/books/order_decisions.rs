//! Loads orders with their facts, decides them, and records the difference from the books: the core of every job that
//! changes positions.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::held_back;
use super::not_fulfilled::NotFulfilled;
use crate::domain::bank::instruction::Direction;
use crate::domain::calendar::plus;
use crate::domain::decide::credit_record::CreditRecord;
use crate::domain::decide::end_of_day::{Decision, decide_with};
use crate::domain::decide::fee_days::date_fees;
use crate::domain::decide::mail_events::{Ended, MailEvent};
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::facts::correction::History;
use crate::domain::journal::{Account, Movement, Recorded, difference, name_corrections};
use crate::domain::money::Currency;
use crate::domain::terms::policy::Terms;
use crate::store::journal::Posting;
use crate::store::orders::{Decided, StoredOrder};
use crate::store::{
    Tx, credit_record, exposure, facts, instructions, journal, mail_events, orders, positions, receivables,
};

/// The number of rows that are read at once.
pub const PAGE: i64 = 2_000;

/// Counts of what deciding changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changed {
    pub decided: i64,
    pub entries: i64,
    pub credit_steps: i64,
}

impl Changed {
    pub fn add(&mut self, other: Changed) {
        self.decided += other.decided;
        self.entries += other.entries;
        self.credit_steps += other.credit_steps;
    }
}

/// Decides these orders as of the end of `today` and records the differences from the books.
pub async fn decide_orders(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &str,
    order_ids: &[&str],
    today: NaiveDate,
) -> Result<Changed> {
    let cases = load_cases(tx, merchant, order_ids).await?;
    let mut recorded = journal::recorded(tx, merchant, order_ids, today).await?;
    let positions = positions::of_orders(tx, merchant, order_ids).await?;
    let news = held_back::news_on(tx, merchant, today).await?;
    let mut recording = Recording::default();
    let mut not_fulfilled = NotFulfilled::default();
    for (stored, case) in &cases {
        let terms = environment.terms(merchant, case.order.policy_version)?;
        let order_id = &case.order.order_id;
        let before = positions.get(order_id).map(Vec::as_slice).unwrap_or_default();
        let standings: Vec<CreditRecord> = before.iter().map(|position| position.credit).collect();
        let mut decision =
            decide_with(case, terms, &standings, today, news).with_context(|| which_order(merchant, case))?;
        not_fulfilled.take(case, terms, &decision, today);
        let mut booked = recorded.remove(order_id).unwrap_or_default();
        booked.extend(before.iter().map(Position::late_fee_booked).filter(|fee| fee.minor != 0));
        date_fees(&mut decision, case, terms, &booked, today).with_context(|| which_order(merchant, case))?;
        recording.debits.extend(debit_plan(order_id, terms, &decision, before, today));
        recording.pay_outs.extend(pay_out_plan(order_id, terms, &decision, &booked, today));
        let ended =
            Ended { case, terms, before, positions: &decision.positions, credit_steps: &decision.credit_steps, today };
        recording.mail_events.extend(ended.events().into_iter().map(|event| (order_id.clone(), event)));
        recording.take((stored, case), decision, &booked, before, today);
    }
    not_fulfilled.write(tx, merchant, today).await?;
    recording.write(tx, merchant, today).await
}

/// Returns the accepted orders among these with all their facts, in the order of their keys.
pub async fn load_cases(tx: &mut Tx, merchant: &str, order_ids: &[&str]) -> Result<Vec<(StoredOrder, Case)>> {
    let loaded = orders::load(tx, merchant, order_ids).await?;
    let facts = facts::of_orders(tx, merchant, order_ids).await?;
    Ok(into_cases(loaded, facts))
}

/// Returns the order's description for an error message.
pub fn which_order(merchant: &str, case: &Case) -> String {
    let order = &case.order;
    format!("deciding order {} of {merchant}, policy version {}", order.order_id, order.policy_version)
}

/// Joins accepted orders with their facts.
pub fn into_cases(loaded: Vec<StoredOrder>, mut histories: HashMap<String, History>) -> Vec<(StoredOrder, Case)> {
    let accepted = loaded.into_iter().filter(|stored| stored.declined.is_none());
    accepted
        .map(|stored| {
            let order = stored.order.clone();
            let history = histories.remove(&order.order_id).unwrap_or_default();
            (stored, Case::of(order, history))
        })
        .collect()
}

/// The rows to write for a page of orders.
#[derive(Default)]
struct Recording {
    decided: Vec<(String, Decided)>,
    /// Orders of which nothing changes but the day of their next decision.
    scheduled: Vec<(String, Option<NaiveDate>)>,
    /// The change of each customer's exposure.
    exposures: BTreeMap<String, i64>,
    /// The change of the receivables: principal and late fees.
    receivables: BTreeMap<Currency, (i64, i64)>,
    positions: Vec<(String, Position)>,
    /// Positions whose late fee grew, and nothing else.
    accrued: Vec<(String, Position)>,
    postings: Vec<Posting>,
    credit_steps: Vec<(String, crate::domain::decide::credit_record::CreditStep)>,
    /// Plans of debits and pay-outs to review, and when.
    debits: Vec<(String, NaiveDate)>,
    pay_outs: Vec<(String, NaiveDate)>,
    mail_events: Vec<(String, MailEvent)>,
}

impl Recording {
    fn take(
        &mut self,
        (stored, case): (&StoredOrder, &Case),
        decision: Decision,
        booked: &[Recorded],
        before: &[Position],
        today: NaiveDate,
    ) {
        let order = &stored.order;
        let id = || order.order_id.clone();
        let owed_more = decision.opening.owed_minor - stored.owed_minor;
        if owed_more != 0 {
            *self.exposures.entry(order.customer_id.clone()).or_default() += owed_more;
        }
        let outcome = outcome_of(&decision, stored.closed_on, today);
        if (outcome.owed_minor, outcome.past_due_from, outcome.closed_on)
            == (stored.owed_minor, stored.past_due_from, stored.closed_on)
        {
            self.scheduled.push((id(), outcome.next_action_on));
        } else {
            self.decided.push((id(), outcome));
        }
        let mut entries = difference(&decision.movements, booked);
        name_corrections(&mut entries, &case.corrections);
        self.postings.extend(entries.into_iter().map(|entry| Posting {
            order_id: id(),
            currency: order.currency,
            policy_version: Some(order.policy_version),
            entry,
        }));
        self.credit_steps.extend(decision.credit_steps.into_iter().map(|step| (id(), step)));
        for (i, position) in decision.positions.into_iter().enumerate() {
            let (principal, fees) = position.receivable();
            let (principal_before, fees_before) = before.get(i).map_or((0, 0), Position::receivable);
            let sum = self.receivables.entry(order.currency).or_default();
            *sum = (sum.0 + principal - principal_before, sum.1 + fees - fees_before);
            match before.get(i) {
                Some(before) if !differs(before, &position) => {}
                Some(before) if only_fee_grew(before, &position) => self.accrued.push((id(), position)),
                _ => self.positions.push((id(), position)),
            }
        }
    }

    async fn write(self, tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<Changed> {
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        let changed = Changed {
            decided: count(self.decided.len() + self.scheduled.len()),
            entries: count(self.postings.len()),
            credit_steps: count(self.credit_steps.len()),
        };
        orders::update_decided(tx, merchant, &self.decided).await?;
        orders::schedule(tx, merchant, &self.scheduled).await?;
        let exposures: Vec<(&str, i64)> = self.exposures.iter().map(|(id, minor)| (id.as_str(), *minor)).collect();
        exposure::add(tx, merchant, &exposures).await?;
        receivables::add(tx, merchant, self.receivables).await?;
        positions::save(tx, merchant, &self.positions).await?;
        positions::save_accrued(tx, merchant, &self.accrued).await?;
        journal::post(tx, merchant, today, &self.postings).await?;
        credit_record::add(tx, merchant, today, &self.credit_steps).await?;
        instructions::schedule_reviews(tx, merchant, Direction::Debit, &self.debits).await?;
        instructions::schedule_reviews(tx, merchant, Direction::PayOut, &self.pay_outs).await?;
        mail_events::save(tx, merchant, today, &self.mail_events).await?;
        Ok(changed)
    }
}

/// Returns the day on which the order's debits are reviewed next. Any change may change or withdraw today's
/// instructions, so the review is today. A new order has no instructions, so its review waits for the first debit.
fn debit_plan(
    order_id: &str,
    terms: &Terms,
    decision: &Decision,
    before: &[Position],
    today: NaiveDate,
) -> Option<(String, NaiveDate)> {
    let rule = terms.debit.as_ref()?;
    let first_due = decision.positions.iter().filter_map(|position| position.due_on).min();
    let next_review_on = if before.is_empty() { plus(first_due?, -rule.days_before).max(today) } else { today };
    Some((order_id.to_owned(), next_review_on))
}

/// Returns the day on which the order's credit is reviewed next: today, if the order has or had credit.
fn pay_out_plan(
    order_id: &str,
    terms: &Terms,
    decision: &Decision,
    booked: &[Recorded],
    today: NaiveDate,
) -> Option<(String, NaiveDate)> {
    let declared = decision.movements.iter().map(|declared| &declared.movement);
    let mut movements = declared.chain(booked.iter().map(|recorded| &recorded.movement));
    let is_credit = |movement: &Movement| [movement.debit, movement.credit].contains(&Account::CustomerCredit);
    (terms.pay_out.is_some() && movements.any(is_credit)).then(|| (order_id.to_owned(), today))
}

fn outcome_of(decision: &Decision, closed_on: Option<NaiveDate>, today: NaiveDate) -> Decided {
    Decided {
        owed_minor: decision.opening.owed_minor,
        past_due_from: decision.opening.past_due_from,
        closed_on: if decision.is_open() { None } else { closed_on.or(Some(today)) },
        next_action_on: decision.decide_on,
    }
}

/// Whether time alone changed a recorded position: its late fee, and the days that go with it.
fn only_fee_grew(recorded: &Position, decided: &Position) -> bool {
    let &Position { late_fee_charged, late_fee, days_past_due, decided_on, next_action_on, .. } = decided;
    let grown = Position { late_fee_charged, late_fee, days_past_due, decided_on, next_action_on, ..recorded.clone() };
    grown == *decided
}

/// Whether a position differs from the recorded one. The mere passing of a day is no difference.
pub fn differs(recorded: &Position, decided: &Position) -> bool {
    let same_days = recorded.days_past_due_on(decided.decided_on) == decided.days_past_due;
    let as_of = |position: &Position| Position { decided_on: NaiveDate::MIN, days_past_due: 0, ..position.clone() };
    !same_days || as_of(recorded) != as_of(decided)
}
