//! Instructions to banks, their answers, and the index of orders to review next.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::bulk::{self, Table, row};
use super::engine::{Tx, key_set, on_engine, sql_for};
use super::journal::currency;
use crate::domain::bank::instruction::{Answer, Attempt, Direction};
use crate::domain::facts::source::Source;
use crate::domain::money::Currency;

const INSTRUCTION: Table = Table {
    name: "instruction",
    columns: &[
        "merchant_id",
        "instruction_id",
        "direction",
        "order_id",
        "instalment",
        "attempt",
        "amount_minor",
        "currency",
        "due_on",
        "instructed_on",
    ],
    key: 2,
};

const ANSWER: Table = Table {
    name: "instruction",
    columns: &[
        "merchant_id",
        "instruction_id",
        "answer",
        "note",
        "settled_on",
        "answered_on",
        "content",
        "file_no",
        "line",
    ],
    key: 2,
};

const ASKED_AFTER: Table =
    Table { name: "instruction", columns: &["merchant_id", "instruction_id", "no_answer_on"], key: 2 };

const REVIEW: Table =
    Table { name: "instruction_plan", columns: &["merchant_id", "direction", "order_id", "look_on"], key: 3 };

const PLAN: Table =
    Table { name: "instruction_plan", columns: &["merchant_id", "direction", "order_id", "look_on", "since"], key: 3 };

/// When an order's instructions are reviewed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub order_id: String,
    /// `None`: not until there is a new fact.
    pub next_review_on: Option<NaiveDate>,
    /// The day since which there is credit to pay out.
    pub since: Option<NaiveDate>,
}

/// Schedules the next reviews of these orders, each on its own day.
pub async fn schedule_reviews(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    orders: &[(String, NaiveDate)],
) -> Result<()> {
    let mut cells = Vec::with_capacity(orders.len() * REVIEW.columns.len());
    for (order_id, next_review_on) in orders {
        cells.extend(row![merchant, direction, order_id.as_str(), *next_review_on]);
    }
    bulk::upsert(tx, &REVIEW, cells).await
}

/// Orders to review by the end of `today`, by day and key, after `after`.
pub async fn to_review(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    today: NaiveDate,
    after: (NaiveDate, &str),
    limit: i64,
) -> Result<Vec<Plan>> {
    let sql = "SELECT order_id, look_on, since FROM instruction_plan
               WHERE merchant_id = $1 AND direction = $2 AND look_on <= $3 AND (look_on, order_id) > ($4, $5)
               ORDER BY look_on, order_id LIMIT $6";
    let rows: Vec<(String, Option<NaiveDate>, Option<NaiveDate>)> = on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(direction).bind(today).bind(after.0).bind(after.1);
        query.bind(limit).fetch_all(c).await?
    });
    Ok(rows.into_iter().map(|(order_id, next_review_on, since)| Plan { order_id, next_review_on, since }).collect())
}

/// Moves all reviews of a direction that are scheduled for `next` to `today`.
pub async fn bring_forward(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    next: NaiveDate,
    today: NaiveDate,
) -> Result<()> {
    let sql = "UPDATE instruction_plan SET look_on = $4 WHERE merchant_id = $1 AND direction = $2 AND look_on = $3";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(direction).bind(next).bind(today);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// The number of orders left to review by the end of `today`.
pub async fn count_to_review(tx: &mut Tx, merchant: &str, direction: Direction, today: NaiveDate) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM instruction_plan WHERE merchant_id = $1 AND direction = $2 AND look_on <= $3";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(direction).bind(today).fetch_one(c).await?))
}

/// Orders whose debits are reviewed by a day.
pub async fn planned_by(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<String>> {
    let sql = "SELECT order_id FROM instruction_plan
               WHERE merchant_id = $1 AND direction = 'debit' AND look_on <= $2 ORDER BY look_on, order_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// Saves plans. A plan without a day is deleted.
pub async fn save_plans(tx: &mut Tx, merchant: &str, direction: Direction, plans: &[Plan]) -> Result<()> {
    let mut cells = Vec::with_capacity(plans.len() * PLAN.columns.len());
    for plan in plans {
        cells.extend(row![merchant, direction, plan.order_id.as_str(), plan.next_review_on, plan.since]);
    }
    bulk::upsert(tx, &PLAN, cells).await?;
    let sql = sql_for(
        tx,
        "DELETE FROM instruction_plan
         WHERE merchant_id = $1 AND direction = $2 AND order_id IN {keys $3} AND look_on IS NULL AND since IS NULL",
    );
    let keys = key_set(plans.iter().map(|plan| plan.order_id.as_str()));
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(direction).bind(keys).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// Withdraws the open day's instructions for these orders. Instructions are published only when the day is sealed.
pub async fn withdraw(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    order_ids: &[&str],
    today: NaiveDate,
) -> Result<()> {
    let sql = sql_for(
        tx,
        "DELETE FROM instruction
         WHERE merchant_id = $1 AND direction = $2 AND order_id IN {keys $3} AND instructed_on = $4",
    );
    let keys = key_set(order_ids.iter().copied());
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(direction).bind(keys).bind(today);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Withdraws a day's instructions, and reschedules their orders' reviews for another day.
pub async fn put_off(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    today: NaiveDate,
    next: NaiveDate,
) -> Result<()> {
    let sql = "UPDATE instruction_plan SET look_on = $4
               WHERE merchant_id = $1 AND direction = $2
                 AND order_id IN (SELECT i.order_id FROM instruction i
                                  WHERE i.merchant_id = $1 AND i.direction = $2 AND i.instructed_on = $3)";
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(direction).bind(today).bind(next);
        query.execute(c).await.map(|_| ())
    })?;
    let sql = "DELETE FROM instruction WHERE merchant_id = $1 AND direction = $2 AND instructed_on = $3";
    on_engine!(tx, |c| sqlx::query(sql).bind(merchant).bind(direction).bind(today).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// An instruction with its order and its answer.
#[derive(Debug, Clone)]
pub struct StoredInstruction {
    pub order_id: String,
    pub customer_id: String,
    pub policy_version: NaiveDate,
    pub direction: Direction,
    pub currency: Currency,
    pub attempt: Attempt,
    /// The bank's reason.
    pub note: Option<String>,
    pub answered_on: Option<NaiveDate>,
    /// The fingerprint of the answer's row.
    pub content: Option<i64>,
    pub answer_source: Source,
}

/// Adds instructions of the open day.
pub async fn add(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    instructions: &[(String, Currency, Attempt)],
) -> Result<()> {
    let mut cells = Vec::with_capacity(instructions.len() * INSTRUCTION.columns.len());
    for (order_id, currency, attempt) in instructions {
        cells.extend(row![
            merchant,
            attempt.id.as_str(),
            direction,
            order_id.as_str(),
            attempt.instalment,
            attempt.number,
            attempt.minor,
            currency.code(),
            attempt.due_on,
            attempt.instructed_on,
        ]);
    }
    bulk::insert(tx, &INSTRUCTION, cells).await
}

/// An answer to record.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    pub instruction_id: String,
    pub answer: Answer,
    pub note: Option<String>,
    pub settled_on: NaiveDate,
    pub fingerprint: i64,
    pub source: Source,
}

/// Records answers to instructions that have none yet.
pub async fn answer(tx: &mut Tx, merchant: &str, today: NaiveDate, answers: &[NewAnswer]) -> Result<()> {
    let mut cells = Vec::with_capacity(answers.len() * ANSWER.columns.len());
    for new in answers {
        cells.extend(row![
            merchant,
            new.instruction_id.as_str(),
            new.answer,
            new.note.clone(),
            new.settled_on,
            today,
            new.fingerprint,
            new.source.file_no,
            new.source.line,
        ]);
    }
    bulk::update(tx, &ANSWER, cells).await
}

/// Marks these instructions as reported to finance today, because they have no answer.
pub async fn asked_after(tx: &mut Tx, merchant: &str, today: NaiveDate, ids: &[String]) -> Result<()> {
    let cells = ids.iter().flat_map(|id| row![merchant, id.as_str(), today]);
    bulk::update(tx, &ASKED_AFTER, cells).await
}

const SELECT: &str = "SELECT i.instruction_id, i.direction, i.order_id, o.customer_id, o.policy_version, i.instalment,
        i.attempt, i.amount_minor, i.currency, i.due_on, i.instructed_on, i.answer, i.note, i.settled_on, i.answered_on,
        i.content, i.file_no, i.line, i.no_answer_on
    FROM instruction i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id";

/// The instructions of these orders, by instalment and attempt.
pub async fn of_orders(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    order_ids: &[&str],
) -> Result<HashMap<String, Vec<StoredInstruction>>> {
    let sql = format!(
        "{SELECT} WHERE i.merchant_id = $1 AND i.direction = $2 AND i.order_id IN {{keys $3}}
         ORDER BY i.order_id, i.instalment, i.attempt"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(order_ids.iter().copied());
    let rows: Vec<InstructionRow> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(direction).bind(keys).fetch_all(c).await?);
    let mut of_orders: HashMap<String, Vec<StoredInstruction>> = HashMap::new();
    for row in rows {
        let stored = row.into_instruction()?;
        of_orders.entry(stored.order_id.clone()).or_default().push(stored);
    }
    Ok(of_orders)
}

/// The instructions with these ids that were published before `today`, by id.
pub async fn out_before(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    ids: &[&str],
    today: NaiveDate,
) -> Result<HashMap<String, StoredInstruction>> {
    let sql = format!(
        "{SELECT} WHERE i.merchant_id = $1 AND i.direction = $2 AND i.instruction_id IN {{keys $3}}
           AND i.instructed_on < $4"
    );
    let sql = sql_for(tx, &sql);
    let keys = key_set(ids.iter().copied());
    let rows: Vec<InstructionRow> = on_engine!(tx, |c| {
        sqlx::query_as(sql).bind(merchant).bind(direction).bind(keys).bind(today).fetch_all(c).await?
    });
    rows.into_iter().map(|row| row.into_instruction().map(|stored| (stored.attempt.id.clone(), stored))).collect()
}

/// A day's instructions by order and instalment, after (order, instalment).
pub async fn of_day(
    tx: &mut Tx,
    merchant: &str,
    direction: Direction,
    day: NaiveDate,
    after: (&str, i64),
    limit: i64,
) -> Result<Vec<StoredInstruction>> {
    let sql = format!(
        "{SELECT} WHERE i.merchant_id = $1 AND i.direction = $2 AND i.instructed_on = $3
           AND (i.order_id, i.instalment) > ($4, $5)
         ORDER BY i.order_id, i.instalment LIMIT $6"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<InstructionRow> = on_engine!(tx, |c| {
        let query = sqlx::query_as(sql).bind(merchant).bind(direction).bind(day).bind(after.0).bind(after.1);
        query.bind(limit).fetch_all(c).await?
    });
    rows.into_iter().map(InstructionRow::into_instruction).collect()
}

/// A day's debits, by id, that ask for more than their instalment owes. There must be none.
pub async fn beyond_what_is_owed(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<String>> {
    let sql = "SELECT i.instruction_id FROM instruction i
               LEFT JOIN instalment p
                 ON p.merchant_id = i.merchant_id AND p.order_id = i.order_id AND p.instalment = i.instalment
               WHERE i.merchant_id = $1 AND i.direction = 'debit' AND i.instructed_on = $2
                 AND i.amount_minor > COALESCE(p.outstanding_minor + p.late_fee_minor - p.late_fee_paid_minor, 0)
               ORDER BY i.instruction_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(day).fetch_all(c).await?))
}

/// Instructions, by id, that are answered as paid without a matching fact of their order. There must be none.
pub async fn paid_but_not_booked(tx: &mut Tx, merchant: &str) -> Result<Vec<String>> {
    let sql = "SELECT i.instruction_id FROM instruction i
               LEFT JOIN fact f
                 ON f.merchant_id = i.merchant_id AND f.order_id = i.order_id AND f.fact_id = i.instruction_id
                AND f.kind = CASE i.direction WHEN 'debit' THEN 'payment' ELSE 'pay_out' END
               WHERE i.merchant_id = $1 AND i.answer = 'paid' AND (f.amount_minor IS NULL OR f.amount_minor <> i.amount_minor)
               ORDER BY i.instruction_id";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).fetch_all(c).await?))
}

/// The number of a merchant's unanswered instructions, by direction.
pub async fn count_open(tx: &mut Tx, merchant: &str) -> Result<Vec<(Direction, i64)>> {
    let sql = "SELECT direction, COUNT(*) FROM instruction WHERE merchant_id = $1 AND answer IS NULL
               GROUP BY direction ORDER BY direction";
    Ok(on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).fetch_all(c).await?))
}

#[derive(sqlx::FromRow)]
struct InstructionRow {
    instruction_id: String,
    direction: Direction,
    order_id: String,
    customer_id: String,
    policy_version: NaiveDate,
    instalment: i64,
    attempt: i64,
    amount_minor: i64,
    currency: String,
    due_on: Option<NaiveDate>,
    instructed_on: NaiveDate,
    answer: Option<Answer>,
    note: Option<String>,
    settled_on: Option<NaiveDate>,
    answered_on: Option<NaiveDate>,
    content: Option<i64>,
    file_no: Option<i64>,
    line: Option<i64>,
    no_answer_on: Option<NaiveDate>,
}

impl InstructionRow {
    fn into_instruction(self) -> Result<StoredInstruction> {
        let attempt = Attempt {
            id: self.instruction_id,
            instalment: self.instalment,
            number: self.attempt,
            minor: self.amount_minor,
            due_on: self.due_on,
            instructed_on: self.instructed_on,
            answer: self.answer.zip(self.settled_on),
            asked_after: self.no_answer_on.is_some(),
        };
        Ok(StoredInstruction {
            order_id: self.order_id,
            customer_id: self.customer_id,
            policy_version: self.policy_version,
            direction: self.direction,
            currency: currency(&self.currency)?,
            attempt,
            note: self.note,
            answered_on: self.answered_on,
            content: self.content,
            answer_source: Source { file_no: self.file_no.unwrap_or(0), line: self.line.unwrap_or(0) },
        })
    }
}
