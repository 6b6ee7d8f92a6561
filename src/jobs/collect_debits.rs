//! Makes the day's debit instructions, for each instalment whose plan has a debit today. It runs last before the close,
//! so that no amount is requested that was paid or held that day.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::books::instruction_plans::{self, Asked, Findings, sooner};
use crate::books::order_decisions::load_cases;
use crate::domain::bank::debit;
use crate::domain::bank::instruction::{Answer, Attempt, Direction, Next};
use crate::domain::decide::holds::{HeldDays, holds};
use crate::domain::decide::mail_events::MailEvent;
use crate::domain::decide::reminders::Template;
use crate::domain::terms::hold::HoldEffect;
use crate::scheme::Merchant;
use crate::store::instructions::{Plan, StoredInstruction};
use crate::store::{instructions, mail_events, positions};

pub async fn run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Done> {
    instruction_plans::run(environment, merchant, Direction::Debit, today, async |tx, page| {
        let ids: Vec<&str> = page.iter().map(|plan| plan.order_id.as_str()).collect();
        let cases = load_cases(tx, &merchant.id, &ids).await?;
        let positions = positions::of_orders(tx, &merchant.id, &ids).await?;
        let mut earlier = instructions::of_orders(tx, &merchant.id, Direction::Debit, &ids).await?;
        let news = held_back::news_on(tx, &merchant.id, today).await?;
        let mut findings = Findings::new(Direction::Debit, today);
        let mut failed = Vec::new();
        for (_, case) in &cases {
            let order = &case.order;
            let terms = environment.terms(&merchant.id, order.policy_version)?;
            let Some(rule) = &terms.debit else { continue };
            let facts = case.effective_by(today);
            let held = HeldDays::by(HoldEffect::Debit, &holds(&facts, terms), terms);
            let earlier = earlier.remove(&order.order_id).unwrap_or_default();
            let mut next_review_on = findings.ask_after(&earlier, rule.no_answer_after);
            let mut by_instalment: HashMap<i64, Vec<&Attempt>> = HashMap::new();
            for stored in &earlier {
                by_instalment.entry(stored.attempt.instalment).or_default().push(&stored.attempt);
            }
            for position in positions.get(&order.order_id).into_iter().flatten() {
                let attempts = by_instalment.remove(&position.instalment).unwrap_or_default();
                let asked = Asked {
                    merchant: &merchant.id,
                    order_id: &order.order_id,
                    instalment: position.instalment,
                    currency: order.currency,
                    no_answer_after: rule.no_answer_after,
                };
                let next = debit::next_with(rule, position, &attempts, &held, today, news);
                let answered = answered_today(&earlier, position.instalment, today);
                if terms.reminders.events.contains(&Template::DebitFailed)
                    && let Some(attempt) = answered
                {
                    failed.push((order.order_id.clone(), debit_failed(attempt, next, today)));
                }
                next_review_on = sooner(next_review_on, findings.take(&asked, next, &attempts, position.due_on));
            }
            findings.plan(Plan { order_id: order.order_id.clone(), next_review_on, since: None });
        }
        mail_events::save(tx, &merchant.id, today, &failed).await?;
        Ok(findings)
    })
    .await
}

/// The attempt of an instalment whose answer, that it failed, came today.
fn answered_today(earlier: &[StoredInstruction], instalment: i64, today: NaiveDate) -> Option<&Attempt> {
    let failed = |attempt: &Attempt| attempt.answer.is_some_and(|(answer, _)| answer != Answer::Paid);
    let mut answered = earlier.iter().filter(|stored| stored.answered_on == Some(today)).map(|stored| &stored.attempt);
    answered.find(|attempt| attempt.instalment == instalment && failed(attempt))
}

/// What the customer is told of a debit that failed.
fn debit_failed(attempt: &Attempt, next: Next, today: NaiveDate) -> MailEvent {
    MailEvent {
        template: Template::DebitFailed,
        instalment: attempt.instalment,
        step: format!("debit failed {}", attempt.id),
        day: attempt.instructed_on,
        minor: Some(attempt.minor),
        until: match next {
            Next::Now(_) => Some(today),
            Next::On(day) => Some(day),
            Next::Nothing | Next::Exhausted => None,
        },
    }
}

pub async fn dry_run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Vec<String>> {
    instruction_plans::dry_run(environment, merchant, Direction::Debit, today).await
}
