//! The positions report: what customers owe at the end of a day. For the open day, it lists the recorded positions; for
//! a sealed day, it decides them again.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::super::held_back;
use super::super::order_decisions::{PAGE, into_cases, which_order};
use super::{Books, DayOf, MerchantSums};
use crate::domain::decide::credit_record::CreditRecord;
use crate::domain::decide::end_of_day::decide_with;
use crate::domain::decide::position::Position;
use crate::domain::money::Currency;
use crate::files::reports::{OpenInstalment, Report, Written};
use crate::store::credit_record::{self, CreditStepRow};
use crate::store::{Tx, facts, orders, positions};

impl DayOf<'_> {
    pub(super) async fn positions(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<OpenInstalment<'_>>(self.folder, self.name("positions"))?;
        match self.books {
            Books::Open => {
                let mut after = (String::new(), 0);
                loop {
                    let page = positions::open(tx, &self.merchant.id, (&after.0, after.1), PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = (last.order_id.clone(), last.position.instalment);
                    for open in &page {
                        let row = (open.order_id.as_str(), open.customer_id.as_str(), open.currency, &open.position);
                        self.position(&mut report, sums, row)?;
                    }
                }
            }
            Books::Sealed => {
                let mut after = String::new();
                loop {
                    let page = orders::open_at(tx, &self.merchant.id, self.day, &after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after.clone_from(&last.order.order_id);
                    self.positions_again(tx, page, &mut report, sums).await?;
                }
            }
        }
        Ok(report.finish()?)
    }

    /// Decides a page of orders as they were known at the end of the day.
    async fn positions_again(
        &self,
        tx: &mut Tx,
        page: Vec<orders::StoredOrder>,
        report: &mut Report,
        sums: &mut MerchantSums,
    ) -> Result<()> {
        let ids: Vec<String> = page.iter().map(|stored| stored.order.order_id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let facts = facts::of_orders(tx, &self.merchant.id, &ids).await?;
        let steps = credit_record::of_orders(tx, &self.merchant.id, &ids).await?;
        let news = held_back::news_on(tx, &self.merchant.id, self.day).await?;
        for (_, case) in into_cases(page, facts) {
            let case = case.as_known_on(self.day);
            let order = &case.order;
            let terms = self.environment.terms(&self.merchant.id, order.policy_version)?;
            let standings = standings_on(&steps, &order.order_id, self.day)?;
            let decision = decide_with(&case, terms, &standings, self.day, news)
                .with_context(|| which_order(&self.merchant.id, &case))?;
            for position in decision.positions.iter().filter(|position| position.is_open()) {
                let row = (order.order_id.as_str(), order.customer_id.as_str(), order.currency, position);
                self.position(report, sums, row)?;
            }
        }
        Ok(())
    }

    fn position(
        &self,
        report: &mut Report,
        sums: &mut MerchantSums,
        (order_id, customer_id, currency, position): (&str, &str, Currency, &Position),
    ) -> Result<()> {
        *sums.outstanding.entry(currency).or_default() += position.outstanding();
        *sums.fees_owed.entry(currency).or_default() += position.fee_owed();
        report.row(&OpenInstalment {
            merchant_id: &self.merchant.id,
            business_date: self.day,
            order_id,
            customer_id,
            currency,
            position,
            buckets: self.buckets,
        })?;
        Ok(())
    }
}

/// Returns the credit record of an order as it was at the end of a day, by instalment.
pub fn standings_on(steps: &[CreditStepRow], order_id: &str, day: NaiveDate) -> Result<Vec<CreditRecord>> {
    let mut standings: Vec<CreditRecord> = Vec::new();
    for step in steps.iter().filter(|step| step.order_id == order_id && step.since <= day) {
        let at = usize::try_from(step.instalment - 1).context("an instalment below 1")?;
        if standings.len() <= at {
            standings.resize(at + 1, CreditRecord::default());
        }
        standings[at] = standings[at].after(step.status, step.since);
    }
    Ok(standings)
}
