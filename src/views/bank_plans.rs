//! What the bank will do about an order next: collect an instalment, or pay credit back.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use crate::domain::bank::debit;
use crate::domain::bank::instruction::{Attempt, Direction, Next};
use crate::domain::bank::pay_out::{self, Credit};
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::policy::Terms;
use crate::store::instructions::StoredInstruction;
use crate::store::journal::JournalRow;
use crate::store::{Tx, instructions};

/// Returns the instructions of these orders with their answers, debits first.
pub async fn instructions_of(
    tx: &mut Tx,
    merchant: &str,
    order_ids: &[&str],
) -> Result<HashMap<String, Vec<StoredInstruction>>> {
    let mut all: HashMap<String, Vec<StoredInstruction>> = HashMap::new();
    for direction in Direction::ALL {
        for (order_id, stored) in instructions::of_orders(tx, merchant, direction, order_ids).await? {
            all.entry(order_id).or_default().extend(stored);
        }
    }
    Ok(all)
}

/// When the bank is next asked to collect an instalment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextDebit {
    /// With the files of the open day.
    Today,
    /// `held`: a hold stops debits until then.
    On {
        day: NaiveDate,
        held: bool,
    },
    /// It was asked and has not answered.
    Asked,
    NotAgain,
}

/// Returns when the bank is next asked to collect an instalment, or `None` if no debit is expected.
pub fn next_debit(
    case: &Case,
    terms: &Terms,
    position: &Position,
    all: &[StoredInstruction],
    open_day: NaiveDate,
) -> Option<NextDebit> {
    let rule = terms.debit.as_ref()?;
    let facts = case.effective_by(open_day);
    let held = HeldDays::by(HoldEffect::Debit, &holds(&facts, terms), terms);
    let debits = all.iter().filter(|stored| stored.direction == Direction::Debit).map(|stored| &stored.attempt);
    let of_instalment = |attempt: &&Attempt| attempt.instalment == position.instalment;
    let attempts: Vec<&Attempt> =
        debits.filter(of_instalment).filter(|attempt| attempt.instructed_on < open_day).collect();
    match debit::next(rule, position, &attempts, &held, open_day) {
        Next::Now(_) => Some(NextDebit::Today),
        Next::On(day) => Some(NextDebit::On { day, held: held.covers(open_day) }),
        Next::Nothing if position.is_open() && position.due_on.is_some() => Some(NextDebit::Asked),
        Next::Nothing => None,
        Next::Exhausted => Some(NextDebit::NotAgain),
    }
}

/// When an order's customer credit is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayBack {
    /// With the files of the open day.
    Today,
    On(NaiveDate),
    /// The bank was asked and has not answered.
    Asked,
    /// Kept while something of the order is overdue.
    Kept,
    Failed,
    /// The policy has no pay-outs.
    ByHand,
}

/// Returns the order's customer credit, or `None` if there is none. It is negative if more was paid out than there was.
pub fn credit(booked: &[JournalRow], in_arrears: bool, open_day: NaiveDate) -> Option<Credit> {
    let (mut minor, mut since) = (0, open_day);
    for row in booked {
        let more = pay_out::credit_of(&row.movement, row.minor);
        if minor <= 0 && more > 0 {
            since = row.business_date;
        }
        minor += more;
    }
    (minor != 0).then_some(Credit { minor, since, in_arrears })
}

/// Returns when an order's credit is paid back.
pub fn pay_back(credit: Credit, terms: &Terms, all: &[StoredInstruction], open_day: NaiveDate) -> PayBack {
    let Some(rule) = &terms.pay_out else { return PayBack::ByHand };
    let attempts = all.iter().filter(|stored| stored.direction == Direction::PayOut);
    let attempts: Vec<&Attempt> = attempts.map(|stored| &stored.attempt).collect();
    match pay_out::next(rule, credit, &attempts, open_day) {
        Next::Now(_) => PayBack::Today,
        Next::On(day) => PayBack::On(day),
        Next::Nothing if attempts.iter().any(|attempt| attempt.is_open(open_day)) => PayBack::Asked,
        Next::Nothing => PayBack::Kept,
        Next::Exhausted => PayBack::Failed,
    }
}
