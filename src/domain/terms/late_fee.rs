//! The part of a policy about late fees: a rule for each tier of orders, with its kind, its grace and its caps.
//!
//! Terms: P(d) is an instalment's principal left at the end of day d. E(n) is the n-th day after the due date that no
//! hold with effect `fees` covers; E(0) is the due date. Grace is g days.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reference_rate::AnnualRate;

/// A policy's late fees: one rule for all orders, or one for each tier of orders by amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFees {
    /// The rule for orders below all tiers; without tiers, the rule for all orders.
    pub lowest: LateFee,
    /// Ascending by amount.
    pub higher: Vec<Tier>,
}

/// The rule for orders of at least an amount, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    pub from_minor: i64,
    pub fee: LateFee,
}

impl LateFees {
    pub fn same_for_all(fee: LateFee) -> LateFees {
        LateFees { lowest: fee, higher: Vec::new() }
    }

    /// The rule for an order, by its amount as ordered.
    pub fn of(&self, order_minor: i64) -> &LateFee {
        let reached = self.higher.iter().rev().find(|tier| tier.from_minor <= order_minor);
        reached.map_or(&self.lowest, |tier| &tier.fee)
    }

    /// The amounts at which an order's tier and the next tier begin.
    pub fn tier_of(&self, order_minor: i64) -> (i64, Option<i64>) {
        let place = self.higher.partition_point(|tier| tier.from_minor <= order_minor);
        let from = place.checked_sub(1).map_or(0, |below| self.higher[below].from_minor);
        (from, self.higher.get(place).map(|tier| tier.from_minor))
    }

    pub fn rules(&self) -> impl Iterator<Item = &LateFee> {
        std::iter::once(&self.lowest).chain(self.higher.iter().map(|tier| &tier.fee))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFee {
    pub kind: FeeKind,
    /// Days after the due date without a charge. Steps have their own days instead.
    pub grace: i64,
    pub caps: Caps,
}

impl LateFee {
    pub fn none() -> LateFee {
        LateFee { kind: FeeKind::None, grace: 0, caps: Caps::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeeKind {
    None,
    /// The amount in minor units, once, if P(E(g)) > 0.
    Flat(i64),
    /// A share of P(E(g)), once.
    Percent(Decimal),
    /// A share of P(d) for each day d after E(g); with `from_due`, for each day after the due date, if something is
    /// unpaid when grace ends. The days are added up and rounded once.
    Daily {
        rate: Decimal,
        from_due: bool,
    },
    /// Charges one after the other, ascending by days.
    Steps(Vec<Step>),
}

impl FeeKind {
    /// Whether one more unpaid day can increase the fee.
    pub fn grows_by_the_day(&self) -> bool {
        match self {
            FeeKind::Daily { .. } => true,
            FeeKind::None | FeeKind::Flat(_) | FeeKind::Percent(_) | FeeKind::Steps(_) => false,
        }
    }
}

/// A charge at the end of E(n), if P(E(n)) > 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The n of E(n).
    pub after: i64,
    pub charge: Charge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Minor units.
    Amount(i64),
    /// A share of P(E(n)), rounded for each step.
    Rate(Decimal),
}

/// The limits of a late fee. The smallest cap applies, and caps round down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caps {
    pub amount: Option<i64>,
    /// A share of the order's amount.
    pub order_share: Option<Decimal>,
    /// Whether `amount` and `order_share` limit each instalment or the whole order.
    pub scope: CapScope,
    /// A yearly share of the instalment as ordered: × days past due ÷ 365.
    pub annual_rate: Option<AnnualRate>,
    /// How many steps are charged at most: the first ones that apply.
    pub steps: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapScope {
    /// Of each instalment's fee.
    #[default]
    Instalment,
    /// Of the fees of all instalments together, in the order of the days on which they are charged; on the day that
    /// reaches the cap, earlier instalments first.
    Order,
}
