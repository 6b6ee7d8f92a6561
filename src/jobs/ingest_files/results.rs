//! The banks' answers to instructions. A paid debit becomes a payment under its `debit_id`, and a paid pay-out takes
//! the customer's credit out of the books. Other answers only advance the plan.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveTime;

use super::chunk::Chunk;
use super::outcome::Outcome;
use crate::books::environment::Environment;
use crate::domain::bank::instruction::{Answer, Direction};
use crate::domain::calendar::{day_of, instant_of, plus};
use crate::domain::facts::fact::{Fact, FactKind, What};
use crate::domain::facts::source::Source;
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::owner::Owner;
use crate::files::read::reader::Line;
use crate::files::rows::facts::fingerprint_of_money;
use crate::files::rows::{Kind, ResultRow, Row};
use crate::scheme::Merchant;
use crate::store::facts::{self, NewFact};
use crate::store::instructions::{self, NewAnswer, StoredInstruction};
use crate::store::{Tx, exceptions, orders};

pub async fn decide(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    chunk: &Chunk<'_>,
) -> Result<Vec<Outcome>> {
    let direction = if chunk.kind == Kind::DebitResults { Direction::Debit } else { Direction::PayOut };
    let rows: Vec<&ResultRow> = chunk.lines.iter().filter_map(result_row).collect();
    let mut intake = ResultIntake::open(tx, environment, merchant, direction, &rows, chunk).await?;
    let mut outcomes = Vec::with_capacity(chunk.lines.len());
    for line in chunk.lines {
        outcomes.push(match (&line.parsed, result_row(line)) {
            (Ok(parsed), Some(row)) => intake.decide(row, parsed.fingerprint, line.number),
            (Err(rejection), _) => Outcome::from(rejection),
            (Ok(_), None) => unreachable!("a file of results holds results"),
        });
    }
    let paid: Vec<String> = intake.accepted.iter().map(|new| new.order_id.clone()).collect();
    intake.write(tx).await?;
    if direction == Direction::Debit {
        let paid: Vec<&str> = paid.iter().map(String::as_str).collect();
        super::pending::try_chargebacks_again(tx, environment, merchant, &paid, chunk.today).await?;
    }
    Ok(outcomes)
}

fn result_row(line: &Line) -> Option<&ResultRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Result(row) => Some(row),
        Row::Customer(_)
        | Row::Opening(_)
        | Row::Order(_)
        | Row::Fact(_)
        | Row::Bill(_)
        | Row::Correction(_)
        | Row::DeliveryFailure(_) => None,
    }
}

/// The loaded data for deciding a chunk of answers, and the results.
struct ResultIntake<'a> {
    environment: &'a Environment,
    merchant: &'a Merchant,
    direction: Direction,
    chunk: &'a Chunk<'a>,
    /// Instructions that were sent, by id.
    out: HashMap<String, StoredInstruction>,
    /// Payments that are booked under the ids of debits, with their orders, by id.
    booked: HashMap<String, (String, What)>,
    answers: Vec<NewAnswer>,
    accepted: Vec<NewFact>,
    /// Orders with an answer.
    answered: Vec<String>,
}

impl<'a> ResultIntake<'a> {
    async fn open(
        tx: &mut Tx,
        environment: &'a Environment,
        merchant: &'a Merchant,
        direction: Direction,
        rows: &[&ResultRow],
        chunk: &'a Chunk<'a>,
    ) -> Result<ResultIntake<'a>> {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let out = instructions::out_before(tx, &merchant.id, direction, &ids, chunk.today).await?;
        let mut booked = HashMap::new();
        if direction == Direction::Debit && !facts::known(tx, &merchant.id, FactKind::Payment, &ids).await?.is_empty() {
            let mut order_ids: Vec<&str> = out.values().map(|stored| stored.order_id.as_str()).collect();
            order_ids.sort_unstable();
            order_ids.dedup();
            // The original facts, because the bank's answer does not know later corrections.
            let facts = facts::with_notes(tx, &merchant.id, &order_ids).await?.into_iter();
            let payments = facts.filter(|(_, fact, _)| matches!(fact.what, What::Payment { .. }));
            booked.extend(payments.map(|(order_id, fact, _)| (fact.id, (order_id, fact.what))));
        }
        Ok(ResultIntake {
            environment,
            merchant,
            direction,
            chunk,
            out,
            booked,
            answers: Vec::new(),
            accepted: Vec::new(),
            answered: Vec::new(),
        })
    }

    fn decide(&mut self, row: &ResultRow, fingerprint: i64, line: i64) -> Outcome {
        let what = match self.direction {
            Direction::Debit => "debit",
            Direction::PayOut => "pay-out",
        };
        let Some(stored) = self.out.get_mut(&row.id) else {
            let message = format!("no {what} {} has gone out to the bank; send the id as it is in our file", row.id);
            return Outcome::Rejected { code: RowCode::UnknownInstruction, message };
        };
        if let Some(known) = stored.content {
            return Outcome::of_known(known, fingerprint, "answer to", &row.id);
        }
        if let Some(order_id) = row.order_id.as_ref().filter(|order_id| **order_id != stored.order_id) {
            let message = format!(
                "column order_id, value {order_id:?}: {what} {} is of order {}; write that",
                row.id, stored.order_id
            );
            return Outcome::Rejected { code: RowCode::WrongOrder, message };
        }
        let instructed_on = stored.attempt.instructed_on;
        let Some(terms) = self.merchant.policy.version(stored.policy_version) else {
            let version = stored.policy_version;
            return Outcome::of_lost_version(version, &stored.order_id);
        };
        let zone = self.environment.scheme.zone;
        let said_on = day_of(row.at, zone, terms.cut_off);
        if said_on < instructed_on {
            let message = format!("column at: {said_on} is before the day of the instruction, {instructed_on}");
            return Outcome::Rejected { code: RowCode::BadTime, message };
        }
        // Credit is counted at the end of the instruction's day, so it cannot be paid out earlier.
        let at = match self.direction {
            Direction::Debit => row.at,
            Direction::PayOut => row.at.max(instant_of(plus(instructed_on, 1).and_time(NaiveTime::MIN), zone)),
        };
        let settled_on = day_of(at, zone, terms.cut_off);
        let source = Source { file_no: self.chunk.file.file_no, line };
        if row.answer == Answer::Paid {
            let minor = stored.attempt.minor;
            match self.booked.get(&row.id) {
                // The provider's payments file came first.
                Some((order_id, What::Payment { minor: booked, .. }))
                    if (order_id, *booked) == (&stored.order_id, minor) => {}
                Some(_) => {
                    let message = format!("a payment with the id of {what} {} is booked with another amount", row.id);
                    return Outcome::Conflict { message };
                }
                None => {
                    let (what, fingerprint) = match self.direction {
                        Direction::Debit => {
                            let fingerprint =
                                fingerprint_of_money(FactKind::Payment, &stored.order_id, minor, Some(stored.currency));
                            (What::Payment { minor, suspended: false }, fingerprint)
                        }
                        Direction::PayOut => (What::PayOut { minor }, fingerprint),
                    };
                    let fact = Fact {
                        id: row.id.clone(),
                        effective_at: at,
                        effective_on: settled_on,
                        booked_on: self.chunk.today,
                        source,
                        what,
                    };
                    let (order_id, note) = (stored.order_id.clone(), row.reason.clone());
                    self.accepted.push(NewFact { order_id, fact, note, fingerprint });
                }
            }
        }
        stored.content = Some(fingerprint);
        self.answered.push(stored.order_id.clone());
        self.answers.push(NewAnswer {
            instruction_id: row.id.clone(),
            answer: row.answer,
            note: row.reason.clone(),
            settled_on,
            fingerprint,
            source,
        });
        Outcome::Accepted
    }

    async fn write(mut self, tx: &mut Tx) -> Result<()> {
        let (merchant, today) = (&self.merchant.id, self.chunk.today);
        facts::add(tx, merchant, &self.accepted).await?;
        let touched: Vec<&str> = self.accepted.iter().map(|new| new.order_id.as_str()).collect();
        orders::wake(tx, merchant, &touched, today).await?;
        instructions::answer(tx, merchant, today, &self.answers).await?;
        self.answered.sort_unstable();
        self.answered.dedup();
        let look: Vec<_> = self.answered.into_iter().map(|order_id| (order_id, today)).collect();
        instructions::schedule_reviews(tx, merchant, self.direction, &look).await?;
        let ids: Vec<&str> = self.answers.iter().map(|new| new.instruction_id.as_str()).collect();
        exceptions::resolve(
            tx,
            Owner::Merchant(merchant),
            &[ExceptionCode::DebitNoAnswer, ExceptionCode::PayoutNoAnswer],
            &ids,
            today,
        )
        .await
    }
}
