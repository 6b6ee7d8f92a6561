//! The allocation of an order's money: its facts take effect one after the other. It is computed from the facts each
//! time, like the fee, so a fact that arrives late reallocates everything.
//!
//! `state` has the state of the replay; each kind of event has its own file.

pub mod fees;
pub mod state;

mod chargebacks;
mod payments;
mod refunds;
mod write_offs;

use chrono::{DateTime, NaiveDate, Utc};

use self::state::{Replay, ReplayResult};
use super::cancellation::by_policy;
use super::due::Due;
use crate::domain::calendar::plus;
use crate::domain::facts::fact::{Event, Fact, What};

impl Replay<'_> {
    /// Applies the facts that move money in their order: by instant, then by `rank`, then by key. Before each fact,
    /// and at the end, writes off the instalments whose write-off is due.
    pub fn run(&self, schedule: Vec<Due>, today: NaiveDate) -> ReplayResult {
        let mut result = ReplayResult::new(schedule);
        let cancelled = by_policy(self.order, self.terms, self.facts, today);
        let facts = self.facts.iter().copied().chain(&cancelled);
        let ranked = facts.filter_map(|fact| Some((self.instant(fact), rank(&fact.what)?, fact)));
        let mut ranked: Vec<(DateTime<Utc>, u8, &Fact)> = ranked.collect();
        ranked.sort_by(|(at, rank, a), (at_b, rank_b, b)| (at, rank, &a.id).cmp(&(at_b, rank_b, &b.id)));
        for (_, _, fact) in ranked {
            self.write_off(&mut result.instalments, plus(fact.effective_on, -1));
            match fact.what {
                What::Payment { minor, suspended } => self.pay(&mut result, fact, minor, suspended),
                What::Refund { minor, suspended } => self.refund(&mut result, fact, minor, suspended),
                What::Chargeback { minor, suspended, .. } => self.charge_back(&mut result, fact, minor, suspended),
                // A cancellation refunds the whole order, as far as earlier refunds have not.
                What::Fulfilment(Event::Cancelled) => self.refund(&mut result, fact, self.order.amount_minor, false),
                What::PayOut { minor } => self.pay_out(&mut result, fact, minor),
                What::Fulfilment(Event::Shipped | Event::Delivered | Event::Confirmed)
                | What::Extension { .. }
                | What::Hold { .. }
                | What::Waiver { .. }
                | What::Notice { .. }
                | What::GivenBack => {}
            }
        }
        self.write_off(&mut result.instalments, today);
        result
    }

    /// The instant at which a fact takes effect. A chargeback with only a date takes effect after the payment of that
    /// day, since no payment can be taken back before it is made.
    fn instant(&self, fact: &Fact) -> DateTime<Utc> {
        let What::Chargeback { ref payment_id, .. } = fact.what else { return fact.effective_at };
        let is_paid_by = |other: &&&Fact| matches!(other.what, What::Payment { .. }) && other.id == *payment_id;
        let paid = self.facts.iter().find(is_paid_by);
        paid.map_or(fact.effective_at, |paid| paid.effective_at.max(fact.effective_at))
    }
}

/// The order of facts at one instant: refunds, cancellations and pay-outs, then payments, then chargebacks. `None` if
/// the fact moves no money.
fn rank(what: &What) -> Option<u8> {
    match what {
        What::Refund { .. } | What::Fulfilment(Event::Cancelled) | What::PayOut { .. } => Some(0),
        What::Payment { .. } => Some(1),
        What::Chargeback { .. } => Some(2),
        What::Fulfilment(Event::Shipped | Event::Delivered | Event::Confirmed)
        | What::Extension { .. }
        | What::Hold { .. }
        | What::Waiver { .. }
        | What::Notice { .. }
        | What::GivenBack => None,
    }
}
