//! Makes the day's credit pay-outs: customer credit that is old enough is paid back to the customer. Nothing is booked
//! before the bank confirms it. Credit that was paid out and then found not to be the customer's is reported to
//! finance.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::instruction_plans::{self, Asked, Findings, sooner};
use crate::domain::bank::instruction::{Attempt, Direction, Next};
use crate::domain::bank::pay_out::{self, Credit};
use crate::domain::decide::position::Position;
use crate::domain::intake::code::ExceptionCode;
use crate::domain::owner::Owner;
use crate::scheme::Merchant;
use crate::store::exceptions::NewException;
use crate::store::instructions::Plan;
use crate::store::{exceptions, instructions, journal, orders, positions};

pub async fn run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Done> {
    instruction_plans::run(environment, merchant, Direction::PayOut, today, async |tx, page| {
        let ids: Vec<&str> = page.iter().map(|plan| plan.order_id.as_str()).collect();
        let known = orders::load(tx, &merchant.id, &ids).await?;
        let booked = journal::recorded(tx, &merchant.id, &ids, today).await?;
        let positions = positions::of_orders(tx, &merchant.id, &ids).await?;
        let earlier = instructions::of_orders(tx, &merchant.id, Direction::PayOut, &ids).await?;
        let failed_reported =
            exceptions::open_about(tx, Owner::Merchant(&merchant.id), ExceptionCode::PayoutFailed, &ids).await?;
        let overpaid_reported =
            exceptions::open_about(tx, Owner::Merchant(&merchant.id), ExceptionCode::CreditOverpaid, &ids).await?;
        let mut findings = Findings::new(Direction::PayOut, today);
        let plans: HashMap<&str, &Plan> = page.iter().map(|plan| (plan.order_id.as_str(), plan)).collect();
        for stored in &known {
            let order = &stored.order;
            let terms = environment.terms(&merchant.id, order.policy_version)?;
            let Some(rule) = &terms.pay_out else { continue };
            let id = order.order_id.as_str();
            let earlier = earlier.get(id).map(Vec::as_slice).unwrap_or_default();
            let attempts: Vec<&Attempt> = earlier.iter().map(|stored| &stored.attempt).collect();
            // Negative if more was paid out than the customer's credit.
            let booked = booked.get(id).map(Vec::as_slice).unwrap_or_default();
            let minor = booked.iter().map(|row| pay_out::credit_of(&row.movement, row.minor)).sum();
            let since = plans.get(id).and_then(|plan| plan.since).unwrap_or(today);
            let since = (minor > 0).then_some(since);
            let in_arrears = positions.get(id).is_some_and(|all| all.iter().any(|position| is_late(position, today)));
            let credit = Credit { minor, since: since.unwrap_or(today), in_arrears };
            let next = pay_out::next(rule, credit, &attempts, today);
            let asked = Asked {
                merchant: &merchant.id,
                order_id: id,
                instalment: 0,
                currency: order.currency,
                no_answer_after: rule.no_answer_after,
            };
            let next_review_on =
                sooner(findings.ask_after(earlier, rule.no_answer_after), findings.take(&asked, next, &attempts, None));
            findings.plan(Plan { order_id: id.to_owned(), next_review_on, since });

            let exception = |code: ExceptionCode, minor: i64, message: &str| NewException {
                row_key: id.to_owned(),
                order_id: id.to_owned(),
                amount_minor: Some(minor),
                currency: Some(order.currency.code().to_owned()),
                ..NewException::new(code, message)
            };
            match (next == Next::Exhausted, failed_reported.contains(id)) {
                (true, false) => findings.open(exception(
                    ExceptionCode::PayoutFailed,
                    minor,
                    "the bank did not pay it out, and the policy has no further attempt; settle it with the customer",
                )),
                (false, true) => findings.settled.push((ExceptionCode::PayoutFailed, id.to_owned())),
                _ => {}
            }
            match (minor < 0, overpaid_reported.contains(id)) {
                (true, false) => findings.open(exception(
                    ExceptionCode::CreditOverpaid,
                    -minor,
                    "paid out before it became known that it was not the customer's; later credit of the order is \
                     netted with it, or ask for it back",
                )),
                (false, true) => findings.settled.push((ExceptionCode::CreditOverpaid, id.to_owned())),
                _ => {}
            }
        }
        Ok(findings)
    })
    .await
}

pub async fn dry_run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Vec<String>> {
    instruction_plans::dry_run(environment, merchant, Direction::PayOut, today).await
}

fn is_late(position: &Position, today: NaiveDate) -> bool {
    (position.is_open() || position.is_unpaid()) && position.due_on.is_some_and(|due_on| due_on < today)
}
