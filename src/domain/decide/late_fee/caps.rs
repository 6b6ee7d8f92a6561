//! The cap that limits a late fee, and its amount.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::overdue::Overdue;
use crate::domain::money::rated_down;
use crate::domain::terms::late_fee::{CapScope, Caps};

/// A cap and its amount, for explaining a fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    pub by: CapKind,
    pub minor: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapKind {
    Amount,
    OrderShare,
    AnnualRate,
}

impl Caps {
    /// The smallest cap of a single instalment at the end of a day.
    pub(super) fn of_instalment(&self, on: &Overdue<'_>, day: NaiveDate) -> Option<Cap> {
        let by_the_year = self.annual_rate.as_ref().map(|rate| {
            let unpaid = on.principal.unpaid(on.due_on, on.counted_to(day));
            let rates: Decimal = unpaid.map(|(after, upto)| rate.sum(on.ordered_on, after, upto)).sum();
            // Multiply before dividing, to keep exact values exact. Rounding down twice equals rounding down once.
            Cap { by: CapKind::AnnualRate, minor: rated_down(on.instalment_minor, rates) / 365 }
        });
        let lasting = if self.scope == CapScope::Instalment { self.lasting(on.order_minor) } else { None };
        lasting.into_iter().chain(by_the_year).min_by_key(|cap| cap.minor)
    }

    /// The smallest cap of all instalments of an order together.
    pub(super) fn of_order(&self, order_minor: i64) -> Option<Cap> {
        if self.scope == CapScope::Order { self.lasting(order_minor) } else { None }
    }

    /// The caps that don't change with time.
    fn lasting(&self, order_minor: i64) -> Option<Cap> {
        let amount = self.amount.map(|minor| Cap { by: CapKind::Amount, minor });
        let share =
            self.order_share.map(|share| Cap { by: CapKind::OrderShare, minor: rated_down(order_minor, share) });
        amount.into_iter().chain(share).min_by_key(|cap| cap.minor)
    }
}
