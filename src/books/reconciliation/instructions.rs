//! The files for a bank: a day's debit instructions and credit pay-outs.

use anyhow::Result;

use super::super::instruction_plans::uses;
use super::super::order_decisions::PAGE;
use super::{Books, DayOf};
use crate::domain::bank::instruction::Direction;
use crate::files::reports::{CreditPayout, DebitInstruction, Report, Written};
use crate::store::instructions::StoredInstruction;
use crate::store::{Tx, instructions, scheme};

impl DayOf<'_> {
    /// Writes the instructions of a merchant that uses a bank. They are written once, with the day's seal, so that no
    /// instruction is sent twice.
    pub(super) async fn instructions(&self, tx: &mut Tx, direction: Direction) -> Result<Option<Written>> {
        let name = self.name(match direction {
            Direction::Debit => "debit-instructions",
            Direction::PayOut => "credit-payouts",
        });
        let id = &self.merchant.id;
        let is_wanted = match self.books {
            Books::Open => uses(self.merchant, direction, self.day),
            // The policy may have changed since, but the day must not.
            Books::Sealed => scheme::is_sealed_file(tx, self.day, &name).await?,
        };
        let mut page = instructions::of_day(tx, id, direction, self.day, ("", 0), PAGE).await?;
        if page.is_empty() && !is_wanted {
            return Ok(None);
        }
        let mut report = match direction {
            Direction::Debit => Report::begin::<DebitInstruction<'_>>(self.folder, name)?,
            Direction::PayOut => Report::begin::<CreditPayout<'_>>(self.folder, name)?,
        };
        while let Some(last) = page.last() {
            let after = (last.order_id.clone(), last.attempt.instalment);
            for stored in &page {
                match direction {
                    Direction::Debit => report.row(&self.debit_instruction(stored))?,
                    Direction::PayOut => report.row(&self.credit_payout(stored))?,
                }
            }
            page = instructions::of_day(tx, id, direction, self.day, (&after.0, after.1), PAGE).await?;
        }
        Ok(Some(report.finish()?))
    }

    fn debit_instruction<'r>(&'r self, stored: &'r StoredInstruction) -> DebitInstruction<'r> {
        DebitInstruction {
            debit_id: &stored.attempt.id,
            order_id: &stored.order_id,
            instalment: stored.attempt.instalment,
            customer_id: &stored.customer_id,
            minor: stored.attempt.minor,
            currency: stored.currency,
            due_on: stored.attempt.due_on,
            attempt: stored.attempt.number,
            merchant_id: &self.merchant.id,
            business_date: self.day,
        }
    }

    fn credit_payout<'r>(&'r self, stored: &'r StoredInstruction) -> CreditPayout<'r> {
        CreditPayout {
            payout_id: &stored.attempt.id,
            customer_id: &stored.customer_id,
            order_id: &stored.order_id,
            minor: stored.attempt.minor,
            currency: stored.currency,
            attempt: stored.attempt.number,
            merchant_id: &self.merchant.id,
            business_date: self.day,
        }
    }
}
