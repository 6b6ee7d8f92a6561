//! An instalment's position on a day.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use crate::domain::decide::position::Position;
use crate::domain::money::Currency;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Instalment {
    /// 1 for the first.
    pub instalment: i64,
    /// Null until the term has begun.
    pub due_on: Option<NaiveDate>,
    pub principal: Amount,
    /// Principal that is neither paid nor refunded nor written off.
    pub outstanding: Amount,
    /// Late fee owed in total, after caps and waivers.
    pub late_fee: Amount,
    /// Of that, not paid yet.
    pub late_fee_open: Amount,
    pub days_past_due: i64,
    /// The status of the credit record.
    pub credit_status: String,
    pub written_off_on: Option<NaiveDate>,
    pub written_off: Amount,
    /// Of what was written off, paid since.
    pub recovered: Amount,
    /// What holds stop: clock, fees, contact, credit, debit.
    pub stopped: Vec<String>,
    /// The first day on which anything about it changes automatically.
    pub next_action_on: Option<NaiveDate>,
}

impl Instalment {
    pub fn of(position: &Position, currency: Currency) -> Instalment {
        let amount = |minor: i64| Amount::new(minor, currency);
        Instalment {
            instalment: position.instalment,
            due_on: position.due_on,
            principal: amount(position.principal),
            outstanding: amount(position.outstanding()),
            late_fee: amount(position.late_fee),
            late_fee_open: amount(position.fee_owed()),
            days_past_due: position.days_past_due,
            credit_status: position.credit.status.name().to_owned(),
            written_off_on: position.written_off_on,
            written_off: amount(position.written_off),
            recovered: amount(position.recovered),
            stopped: position.hold_effects.names().split_whitespace().map(str::to_owned).collect(),
            next_action_on: position.next_action_on,
        }
    }
}
