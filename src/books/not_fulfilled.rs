//! Orders without a fulfilment: their term does not start, so they never fall due and block their customers' limits.
//! From the day that the policy names, each is an exception until it is fulfilled, cancelled or refunded.
//! `next_action_on` makes sure that an order is decided on that day.

use anyhow::Result;
use chrono::NaiveDate;

use crate::domain::calendar::days_between;
use crate::domain::decide::end_of_day::Decision;
use crate::domain::facts::case::Case;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::owner::Owner;
use crate::domain::terms::due_dates::Clock;
use crate::domain::terms::policy::Terms;
use crate::domain::words::count;
use crate::store::Tx;
use crate::store::exceptions::{self, NewException};

/// Findings about a page of orders.
#[derive(Default)]
pub struct NotFulfilled {
    waiting: Vec<NewException>,
    /// Orders that are not, or not yet, overdue for fulfilment.
    others: Vec<String>,
}

impl NotFulfilled {
    pub fn take(&mut self, case: &Case, terms: &Terms, decision: &Decision, today: NaiveDate) {
        let Some(most) = terms.not_fulfilled_after else { return };
        let order = &case.order;
        let days = days_between(order.ordered_on, today);
        if !decision.waits_for_fulfilment() || days < most {
            self.others.push(order.order_id.clone());
            return;
        }
        let awaited = match terms.clock {
            Clock::Shipped => "shipped",
            Clock::Delivered => "delivered",
            Clock::Confirmed { .. } | Clock::Ordered => "confirmed",
        };
        let message = format!(
            "ordered on {} and not {awaited} after {}: it never falls due, and blocks its customer's limit; ask the \
             merchant to send the fulfilment or to cancel the order",
            order.ordered_on,
            count(days, "day")
        );
        self.waiting.push(NewException {
            row_key: order.order_id.clone(),
            order_id: order.order_id.clone(),
            amount_minor: Some(order.amount_minor),
            currency: Some(order.currency.code().to_owned()),
            ..NewException::new(ExceptionCode::NotFulfilled, message)
        });
    }

    pub async fn write(self, tx: &mut Tx, merchant: &str, today: NaiveDate) -> Result<()> {
        let NotFulfilled { mut waiting, others } = self;
        if !waiting.is_empty() {
            let keys: Vec<&str> = waiting.iter().map(|exception| exception.row_key.as_str()).collect();
            let reported = exceptions::not_fulfilled_reported(tx, merchant, &keys).await?;
            waiting.retain(|exception| !reported.contains(&exception.row_key));
            exceptions::open(tx, Owner::Merchant(merchant), today, &waiting).await?;
        }
        if !others.is_empty() {
            let keys: Vec<&str> = others.iter().map(String::as_str).collect();
            let settled =
                exceptions::open_about(tx, Owner::Merchant(merchant), ExceptionCode::NotFulfilled, &keys).await?;
            let mut settled: Vec<&str> = settled.iter().map(String::as_str).collect();
            settled.sort_unstable();
            exceptions::resolve(tx, Owner::Merchant(merchant), &[ExceptionCode::NotFulfilled], &settled, today).await?;
        }
        Ok(())
    }
}
