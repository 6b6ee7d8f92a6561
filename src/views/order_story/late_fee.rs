//! Late fees in words that a customer-service person can read out: the rule of the order's tier, and the effect of a
//! cap.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::words::{days, percent};
use crate::domain::decide::late_fee::caps::{Cap, CapKind};
use crate::domain::decide::order_fees::fee_workings;
use crate::domain::facts::case::Case;
use crate::domain::money::Currency;
use crate::domain::terms::late_fee::{CapScope, Caps, Charge, FeeKind, LateFee, LateFees, Step};
use crate::domain::terms::policy::Terms;
use crate::domain::terms::reference_rate::{AnnualRate, RateOf};

/// Returns the rule for an order of this amount, with the tier that it follows from.
pub fn of_order(fees: &LateFees, order_minor: i64, currency: Currency) -> String {
    let amount = |minor: i64| format!("{} {currency}", currency.plain(minor));
    let rule = rule(fees.of(order_minor), currency);
    let tier = match fees.tier_of(order_minor) {
        (0, None) => return rule,
        (0, Some(next)) => format!("below {}", amount(next)),
        (from, None) => format!("from {} on", amount(from)),
        (from, Some(next)) => format!("from {} to below {}", amount(from), amount(next)),
    };
    format!("the order of {} is in the tier {tier}: {rule}", amount(order_minor))
}

/// Whether one more day can increase the fee. The story then shows its charges on one line.
pub fn grows_by_the_day(fee: &LateFee) -> bool {
    fee.kind.grows_by_the_day() || fee.caps.annual_rate.is_some()
}

/// Returns the rule, with the cap that reduced an instalment's fee, if one did. Uses the facts known on a day.
pub fn on_day(case: &Case, terms: &Terms, instalment: i64, day: NaiveDate) -> String {
    let order = &case.order;
    let fee = terms.late_fee.of(order.amount_minor);
    let rule = rule(fee, order.currency);
    // A day that no calendar covers is already reported with the due date.
    let all = fee_workings(&case.as_known_on(day), terms, day).unwrap_or_default();
    let of_instalment = usize::try_from(instalment - 1).ok().and_then(|place| all.get(place).copied());
    let Some((workings, cut)) = of_instalment.and_then(|workings| Some((workings, workings.cut?))) else { return rule };
    let (from, to) = (order.currency.plain(workings.uncapped), order.currency.plain(workings.total));
    let cap = cap_words(cut, &fee.caps, case, all.len());
    format!("{rule}; cut from {from} to {to} {} by the cap of {cap}", order.currency)
}

fn cap_words(cut: Cap, caps: &Caps, case: &Case, instalments: usize) -> String {
    let currency = case.order.currency;
    let amount = |minor: i64| format!("{} {currency}", currency.plain(minor));
    let together = caps.scope == CapScope::Order && instalments > 1;
    let all = if together { ", for all instalments together" } else { "" };
    match (cut.by, &caps.order_share, &caps.annual_rate) {
        (CapKind::OrderShare, Some(share), _) if together => {
            format!("{} of the order, {}{all}", percent(*share), amount(cut.minor))
        }
        (CapKind::OrderShare, Some(share), _) => {
            format!("{} of the order of {}", percent(*share), amount(case.order.amount_minor))
        }
        (CapKind::AnnualRate, _, Some(rate)) => format!("{}, by the days past due", annual(rate)),
        _ => format!("{}{all}", amount(cut.minor)),
    }
}

fn rule(fee: &LateFee, currency: Currency) -> String {
    let grace = match fee.grace {
        0 => "from the end of the due date".to_owned(),
        grace => format!("after {} of grace", days(grace)),
    };
    let rule = match &fee.kind {
        FeeKind::None => return "no late fee".to_owned(),
        FeeKind::Flat(minor) => format!("{} {currency} once, {grace}", currency.plain(*minor)),
        FeeKind::Percent(rate) => format!("{} once of what is unpaid {grace}", percent(*rate)),
        FeeKind::Daily { rate, from_due: false } => {
            format!("{} of what is unpaid for each day {grace}", percent(*rate))
        }
        FeeKind::Daily { rate, from_due: true } => {
            format!("{} of what is unpaid for each day after the due date, charged {grace}", percent(*rate))
        }
        FeeKind::Steps(steps) => {
            let words: Vec<String> = steps.iter().map(|step| step_words(*step, currency)).collect();
            let most = fee.caps.steps.filter(|most| *most < steps.len());
            let most = most.map_or(String::new(), |most| format!(", at most {most} of them"));
            format!("{}, each if something is still unpaid then{most}", words.join(", then "))
        }
    };
    let caps = caps(&fee.caps, currency);
    if caps.is_empty() { rule } else { format!("{rule}; at most {caps}") }
}

fn step_words(step: Step, currency: Currency) -> String {
    let charge = match step.charge {
        Charge::Amount(minor) => format!("{} {currency}", currency.plain(minor)),
        Charge::Rate(rate) => format!("{} of what is unpaid", percent(rate)),
    };
    match step.after {
        0 => format!("{charge} at the end of the due date"),
        after => format!("{charge} {} after it was due", days(after)),
    }
}

fn caps(caps: &Caps, currency: Currency) -> String {
    let amount = caps.amount.map(|minor| format!("{} {currency}", currency.plain(minor)));
    let share = caps.order_share.map(|share| format!("{} of the order", percent(share)));
    let all = if caps.scope == CapScope::Order { ", for all instalments together" } else { "" };
    let lasting = match (amount, share) {
        (Some(amount), Some(share)) => Some(format!("{share} or {amount}, whichever is less{all}")),
        (amount, share) => amount.or(share).map(|cap| format!("{cap}{all}")),
    };
    lasting.into_iter().chain(caps.annual_rate.as_ref().map(annual)).collect::<Vec<_>>().join(", ")
}

fn annual(rate: &AnnualRate) -> String {
    match rate {
        AnnualRate::Fixed(rate) => format!("{} a year", percent(*rate)),
        AnnualRate::Reference(reference) => {
            let times =
                if reference.times == Decimal::ONE { String::new() } else { format!("{} × ", reference.times) };
            let of = match reference.of {
                RateOf::EachDay => "",
                RateOf::OrderDay => " of the day of the order",
            };
            format!("{times}the reference rate {}{of} a year", reference.name)
        }
    }
}
