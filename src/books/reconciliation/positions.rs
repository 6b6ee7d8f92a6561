//! The positions report: what customers owe at the end of a day, all of it or what the day changed. For the open day, it lists
//! the recorded positions; for a sealed day, it decides them again.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::super::held_back;
use super::super::order_decisions::{PAGE, differs, into_cases, which_order};
use super::{Books, DayOf, MerchantSums};
use crate::domain::calendar::plus;
use crate::domain::decide::credit_record::CreditRecord;
use crate::domain::decide::end_of_day::decide_with;
use crate::domain::decide::position::{ListedPositions, Position};
use crate::domain::facts::order::Order;
use crate::domain::money::Currency;
use crate::files::reports::{OpenInstalment, Report, Written};
use crate::store::credit_record::{self, CreditStepRow};
use crate::store::positions::OpenPosition;
use crate::store::{Tx, facts, orders, positions, receivables};

impl DayOf<'_> {
    pub(super) async fn positions(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<OpenInstalment<'_>>(self.folder, self.name("positions"))?;
        match (self.books, self.listed()) {
            (Books::Open, ListedPositions::All) => self.open_positions(tx, &mut report, sums).await?,
            (Books::Open, ListedPositions::Changed) => {
                self.changed_positions(tx, &mut report).await?;
                for (currency, principal, fees) in receivables::kept(tx, &self.merchant.id).await? {
                    sums.outstanding.insert(currency, principal);
                    sums.fees_owed.insert(currency, fees);
                }
            }
            (Books::Sealed, listed) => self.sealed_positions(tx, listed, &mut report, sums).await?,
        }
        Ok(report.finish()?)
    }

    /// A merchant that was left out of the seals before lists every position, since several days changed them.
    fn listed(&self) -> ListedPositions {
        if self.since == self.day { self.settings.positions } else { ListedPositions::All }
    }

    async fn open_positions(&self, tx: &mut Tx, report: &mut Report, sums: &mut MerchantSums) -> Result<()> {
        let id = &self.merchant.id;
        let mut page = positions::open(tx, id, ("", 0), PAGE).await?;
        while let Some(last) = page.last() {
            let after = (last.order_id.as_str(), last.position.instalment);
            // The store reads the next page while this one is written.
            let (next, written) = tokio::join!(positions::open(tx, id, after, PAGE), async {
                page.iter().try_for_each(|open| {
                    add(sums, open.currency, &open.position);
                    self.row(report, (&open.order_id, &open.customer_id, open.currency, &open.position))
                })
            });
            written?;
            page = next?;
        }
        Ok(())
    }

    /// Lists the recorded positions that the day changed. One that was changed and changed back is as it was.
    async fn changed_positions(&self, tx: &mut Tx, report: &mut Report) -> Result<()> {
        let id = &self.merchant.id;
        let mut after = (String::new(), 0);
        loop {
            let page = positions::decided_on(tx, id, self.day, (&after.0, after.1), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.order_id.clone(), last.position.instalment);
            let ids: BTreeSet<&str> = page.iter().map(|decided| decided.order_id.as_str()).collect();
            let ids: Vec<&str> = ids.into_iter().collect();
            let orders = orders::load(tx, id, &ids).await?;
            let before = by_order(self.decided(tx, orders, plus(self.day, -1)).await?);
            for OpenPosition { order_id, customer_id, currency, position, .. } in &page {
                if is_changed(before.get(order_id).map(Vec::as_slice).unwrap_or_default(), position) {
                    self.row(report, (order_id, customer_id, *currency, position))?;
                }
            }
        }
    }

    async fn sealed_positions(
        &self,
        tx: &mut Tx,
        listed: ListedPositions,
        report: &mut Report,
        sums: &mut MerchantSums,
    ) -> Result<()> {
        let id = &self.merchant.id;
        let mut after = String::new();
        loop {
            let page = match listed {
                ListedPositions::All => orders::open_at(tx, id, self.day, &after, PAGE).await?,
                // Even an order that was closed before may have changed.
                ListedPositions::Changed => orders::booked_by(tx, id, self.day, &after, PAGE).await?,
            };
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.order.order_id);
            let before = match listed {
                ListedPositions::All => HashMap::new(),
                ListedPositions::Changed => by_order(self.decided(tx, page.clone(), plus(self.day, -1)).await?),
            };
            for (order, positions) in self.decided(tx, page, self.day).await? {
                let before = before.get(&order.order_id).map(Vec::as_slice).unwrap_or_default();
                for position in &positions {
                    add(sums, order.currency, position);
                    let is_listed = match listed {
                        ListedPositions::All => position.is_open(),
                        ListedPositions::Changed => is_changed(before, position),
                    };
                    if is_listed {
                        self.row(report, (&order.order_id, &order.customer_id, order.currency, position))?;
                    }
                }
            }
        }
    }

    /// Decides orders as they were known at the end of a day.
    async fn decided(
        &self,
        tx: &mut Tx,
        orders: Vec<orders::StoredOrder>,
        day: NaiveDate,
    ) -> Result<Vec<(Order, Vec<Position>)>> {
        let ids: Vec<String> = orders.iter().map(|stored| stored.order.order_id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let facts = facts::of_orders(tx, &self.merchant.id, &ids).await?;
        let steps = credit_record::of_orders(tx, &self.merchant.id, &ids).await?;
        let news = held_back::news_on(tx, &self.merchant.id, day).await?;
        let mut decided = Vec::with_capacity(orders.len());
        for (_, case) in into_cases(orders, facts) {
            if case.order.booked_on > day {
                continue;
            }
            let case = case.as_known_on(day);
            let terms = self.environment.terms(&self.merchant.id, case.order.policy_version)?;
            let standings = standings_on(&steps, &case.order.order_id, day)?;
            let decision = decide_with(&case, terms, &standings, day, news)
                .with_context(|| which_order(&self.merchant.id, &case))?;
            decided.push((case.order, decision.positions));
        }
        Ok(decided)
    }

    fn row(
        &self,
        report: &mut Report,
        (order_id, customer_id, currency, position): (&str, &str, Currency, &Position),
    ) -> Result<()> {
        report.row(&OpenInstalment {
            merchant_id: &self.merchant.id,
            business_date: self.day,
            order_id,
            customer_id,
            currency,
            position,
            buckets: &self.settings.buckets,
        })?;
        Ok(())
    }
}

fn by_order(decided: Vec<(Order, Vec<Position>)>) -> HashMap<String, Vec<Position>> {
    decided.into_iter().map(|(order, positions)| (order.order_id, positions)).collect()
}

fn add(sums: &mut MerchantSums, currency: Currency, position: &Position) {
    let (principal, fees) = position.receivable();
    *sums.outstanding.entry(currency).or_default() += principal;
    *sums.fees_owed.entry(currency).or_default() += fees;
}

/// Whether an instalment's position is another than among those of its order before.
fn is_changed(before: &[Position], position: &Position) -> bool {
    let before = before.iter().find(|before| before.instalment == position.instalment);
    before.is_none_or(|before| differs(before, position))
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
