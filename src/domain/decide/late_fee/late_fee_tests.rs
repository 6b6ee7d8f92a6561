//! Late fees as tables of days: a kind, its caps, the payments and holds, and the fee at the end of each day.

use rust_decimal::Decimal;

use super::*;
use crate::domain::decide::holds::{HeldDays, Hold};
use crate::domain::decide::principal::Principal;
use crate::domain::facts::fact::HoldReason;
use crate::domain::terms::hold::HoldEffect;
use crate::domain::terms::late_fee::{CapScope, Caps, LateFees, Tier};
use crate::domain::terms::policy::tests::terms;
use crate::domain::terms::reference_rate::{RateOf, RateTable, ReferenceRate};

fn day(text: &str) -> NaiveDate {
    format!("2026-03-{text}").parse().unwrap()
}

fn rate(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// One instalment of 200.00 of an order of 300.00, placed on the 1st and due on the 10th. `paid` lists days and
/// amounts, `held` first and last days; `expect` lists days and total fees in minor units.
fn check(kind: &FeeKind, grace: i64, caps: &Caps, paid: &[(&str, i64)], held: &[(&str, &str)], expect: &[(&str, i64)]) {
    let mut principal = Principal::new(20_000);
    for (on, minor) in paid {
        principal.take(day(on), *minor);
    }
    let holds: Vec<Hold> = held
        .iter()
        .map(|(first, last)| Hold { reason: HoldReason::Return, first: day(first), last: day(last) })
        .collect();
    let held = HeldDays::by(HoldEffect::Fees, &holds, &terms());
    let on = Overdue {
        ordered_on: day("01"),
        due_on: day("10"),
        order_minor: 30_000,
        instalment_minor: 20_000,
        principal: &principal,
        written_off_on: None,
        held: &held,
    };
    let fee = LateFee { kind: kind.clone(), grace, caps: caps.clone() };
    for (asked, minor) in expect {
        assert_eq!(fee.total(&on, day(asked)), *minor, "{kind:?} at the end of March {asked}");
        next_change_is_exact(&fee, &on, day(asked));
    }
}

const NO_CAPS: Caps =
    Caps { amount: None, order_share: None, scope: CapScope::Instalment, annual_rate: None, steps: None };

#[test]
fn none_charges_nothing() {
    check(&FeeKind::None, 0, &NO_CAPS, &[], &[], &[("09", 0), ("10", 0), ("31", 0)]);
}

#[test]
fn flat_is_charged_once_at_the_end_of_grace() {
    let flat = FeeKind::Flat(500);
    // Without grace, the last moment to pay is the end of the due date.
    check(&flat, 0, &NO_CAPS, &[], &[], &[("09", 0), ("10", 500), ("11", 500), ("31", 500)]);
    check(&flat, 3, &NO_CAPS, &[], &[], &[("12", 0), ("13", 500), ("31", 500)]);
    // Paid on the last day of grace, or a day too late.
    check(&flat, 3, &NO_CAPS, &[("13", 20_000)], &[], &[("13", 0), ("31", 0)]);
    check(&flat, 3, &NO_CAPS, &[("14", 20_000)], &[], &[("13", 500), ("31", 500)]);
    // One cent left is late.
    check(&flat, 3, &NO_CAPS, &[("09", 19_999)], &[], &[("13", 500)]);
    // A hold over two days of grace moves its end by two.
    check(&flat, 3, &NO_CAPS, &[], &[("12", "13")], &[("14", 0), ("15", 500)]);
}

#[test]
fn percent_is_of_what_was_left_at_the_end_of_grace() {
    let two = FeeKind::Percent(rate("0.02"));
    check(&two, 1, &NO_CAPS, &[], &[], &[("10", 0), ("11", 400), ("31", 400)]);
    check(&two, 1, &NO_CAPS, &[("11", 5_000)], &[], &[("11", 300), ("31", 300)]);
    check(&two, 1, &NO_CAPS, &[("12", 5_000)], &[], &[("11", 400), ("31", 400)]);
    // Rounds half away from zero: 2 % of 0.25 is 0.005.
    check(&two, 1, &NO_CAPS, &[("10", 19_975)], &[], &[("11", 1)]);
}

#[test]
fn daily_adds_up_days_and_rounds_once() {
    let daily = FeeKind::Daily { rate: rate("0.0005"), from_due: false };
    let from_due = FeeKind::Daily { rate: rate("0.0005"), from_due: true };
    // 0.10 a day on 200.00, from the day after grace.
    check(&daily, 3, &NO_CAPS, &[], &[], &[("13", 0), ("14", 10), ("15", 20), ("31", 180)]);
    // From the due date, once grace has passed: three days at once.
    check(&from_due, 3, &NO_CAPS, &[], &[], &[("12", 0), ("13", 30), ("14", 40), ("31", 210)]);
    check(&from_due, 3, &NO_CAPS, &[("13", 20_000)], &[], &[("13", 0), ("31", 0)]);
    // A part payment on the 15th counts at the end of that day.
    check(&daily, 3, &NO_CAPS, &[("15", 10_000)], &[], &[("14", 10), ("15", 15), ("16", 20)]);
    // The fee stops growing when the principal is paid.
    check(&daily, 3, &NO_CAPS, &[("16", 20_000)], &[], &[("15", 20), ("16", 20), ("31", 20)]);
    // 0.0005 × 10.01 × 3 days = 0.015015. Rounded once, this is 0.02; rounded day by day, it would be 0.03.
    check(&daily, 0, &NO_CAPS, &[("01", 18_999)], &[], &[("11", 1), ("12", 1), ("13", 2)]);
    // Held days after grace add nothing.
    check(&daily, 3, &NO_CAPS, &[], &[("15", "17")], &[("14", 10), ("17", 10), ("18", 20)]);
}

#[test]
fn the_smallest_cap_wins_and_rounds_down() {
    let daily = FeeKind::Daily { rate: rate("0.01"), from_due: false };
    let amount = Caps { amount: Some(500), ..NO_CAPS };
    check(&daily, 0, &amount, &[], &[], &[("12", 400), ("13", 500), ("31", 500)]);
    // 1.11 % of 300.00 is 3.33.
    let share = Caps { order_share: Some(rate("0.0111")), amount: Some(500), ..NO_CAPS };
    check(&daily, 0, &share, &[], &[], &[("11", 200), ("12", 333), ("31", 333)]);
    // 24 % a year of 200.00 is 0.1315… a day.
    let year = Caps { annual_rate: Some(AnnualRate::Fixed(rate("0.24"))), ..NO_CAPS };
    check(&daily, 0, &year, &[], &[], &[("10", 0), ("11", 13), ("12", 26), ("13", 39), ("31", 276)]);
    // The cap stops growing when the principal is paid.
    check(&daily, 0, &year, &[("14", 20_000)], &[], &[("13", 39), ("14", 39), ("31", 39)]);
    // A flat fee grows into its annual cap.
    check(&FeeKind::Flat(30), 0, &year, &[], &[], &[("10", 0), ("11", 13), ("12", 26), ("13", 30), ("14", 30)]);
}

#[test]
fn steps_are_charged_one_after_the_other() {
    // Afterpay's steps in Australia: 10.00, and 7.00 more a week later.
    let two = steps(&[(0, Charge::Amount(1_000)), (7, Charge::Amount(700))]);
    check(&two, 0, &NO_CAPS, &[], &[], &[("09", 0), ("10", 1_000), ("16", 1_000), ("17", 1_700), ("31", 1_700)]);
    check(&two, 0, &NO_CAPS, &[("10", 20_000)], &[], &[("10", 0), ("31", 0)]);
    check(&two, 0, &NO_CAPS, &[("17", 20_000)], &[], &[("16", 1_000), ("17", 1_000), ("31", 1_000)]);
    check(&two, 0, &NO_CAPS, &[("16", 19_999)], &[], &[("16", 1_000), ("17", 1_700)]);
    // A hold over the 12th and 13th: E(7) is the 19th.
    check(&two, 0, &NO_CAPS, &[], &[("12", "13")], &[("10", 1_000), ("18", 1_000), ("19", 1_700)]);
    // Only the first step counts.
    check(&two, 0, &Caps { steps: Some(1), ..NO_CAPS }, &[], &[], &[("10", 1_000), ("17", 1_000), ("31", 1_000)]);
    check(&two, 0, &Caps { steps: Some(9), ..NO_CAPS }, &[], &[], &[("10", 1_000), ("17", 1_700)]);
    // Steps have their own days, so grace has no effect.
    check(&two, 5, &NO_CAPS, &[], &[], &[("09", 0), ("10", 1_000), ("17", 1_700)]);
    check(&two, 0, &Caps { amount: Some(1_250), ..NO_CAPS }, &[], &[], &[("10", 1_000), ("17", 1_250)]);
}

#[test]
fn a_step_with_a_rate_is_of_what_was_left_that_day_and_rounds_by_itself() {
    let rated = steps(&[(1, Charge::Rate(rate("0.02"))), (3, Charge::Rate(rate("0.01"))), (5, Charge::Amount(50))]);
    check(&rated, 0, &NO_CAPS, &[], &[], &[("10", 0), ("11", 400), ("12", 400), ("13", 600), ("15", 650)]);
    check(&rated, 0, &NO_CAPS, &[("13", 5_000)], &[], &[("11", 400), ("13", 550), ("15", 600)]);
    check(&rated, 0, &NO_CAPS, &[("11", 20_000)], &[], &[("11", 0), ("31", 0)]);
    // 2 % and 1 % of 0.50 are 0.01 and half a cent: 0.01 and 0.01.
    check(&rated, 0, &NO_CAPS, &[("10", 19_950)], &[], &[("11", 1), ("13", 2), ("15", 52)]);
}

#[test]
fn an_annual_cap_may_follow_a_reference_rate() {
    // 4 × 3.10 %, from the 13th 4 × 3.00 %: 0.0679… and 0.0657… a day on 200.00.
    let caps = |of| Caps { annual_rate: Some(four_times_lpr(of)), ..NO_CAPS };
    let daily = FeeKind::Daily { rate: rate("0.01"), from_due: false };
    let each_day = [("10", 0), ("11", 6), ("12", 13), ("13", 20), ("14", 26), ("15", 33)];
    check(&daily, 0, &caps(RateOf::EachDay), &[], &[], &each_day);
    // By the 31st, two days at the first rate and nineteen at the second: 1.3852…; all at the first would be 1.4268….
    check(&daily, 0, &caps(RateOf::EachDay), &[], &[], &[("31", 138)]);
    check(&daily, 0, &caps(RateOf::OrderDay), &[], &[], &[("12", 13), ("13", 20), ("14", 27), ("31", 142)]);
    // The cap stops growing with the days past due.
    check(&daily, 0, &caps(RateOf::EachDay), &[("14", 20_000)], &[], &[("13", 20), ("14", 20), ("31", 20)]);
}

#[test]
fn the_tier_is_the_highest_whose_amount_the_order_reaches() {
    let fee = |minor| LateFee { kind: FeeKind::Flat(minor), grace: 0, caps: NO_CAPS };
    let tier = |from_minor, minor| Tier { from_minor, fee: fee(minor) };
    let fees = LateFees { lowest: fee(1), higher: vec![tier(4_000, 2), tier(10_000, 3)] };
    for (order, kind, bounds) in [
        (1, 1, (0, Some(4_000))),
        (3_999, 1, (0, Some(4_000))),
        (4_000, 2, (4_000, Some(10_000))),
        (9_999, 2, (4_000, Some(10_000))),
        (10_000, 3, (10_000, None)),
    ] {
        assert_eq!(fees.of(order).kind, FeeKind::Flat(kind), "{order}");
        assert_eq!(fees.tier_of(order), bounds, "{order}");
    }
    assert_eq!(LateFees::same_for_all(fee(1)).tier_of(5), (0, None));
    assert_eq!(fees.rules().count(), 3);
}

#[test]
fn a_cap_of_the_order_is_filled_day_by_day_and_by_earlier_instalments_first() {
    // Four unpaid instalments of 40.00, due on the 1st, 8th, 15th and 22nd; 25 % of the order are 40.00.
    let caps = Caps { amount: Some(6_800), order_share: Some(rate("0.25")), scope: CapScope::Order, ..NO_CAPS };
    let kind = steps(&[(0, Charge::Amount(1_000)), (4, Charge::Amount(700))]);
    let fee = LateFee { kind, grace: 0, caps };
    let principal = Principal::new(4_000);
    let nothing_held = HeldDays::default();
    let instalments = || {
        let dues = ["01", "08", "15", "22"].into_iter();
        dues.map(|due_on| {
            Some(Overdue {
                ordered_on: day("01"),
                due_on: day(due_on),
                order_minor: 16_000,
                instalment_minor: 4_000,
                principal: &principal,
                written_off_on: None,
                held: &nothing_held,
            })
        })
    };
    for (asked, expected, next) in [
        ("01", [1_000, 0, 0, 0], Some("05")),
        ("05", [1_700, 0, 0, 0], Some("08")),
        ("12", [1_700, 1_700, 0, 0], Some("15")),
        // 6.00 of the 10.00 are within the cap; later charges are not.
        ("15", [1_700, 1_700, 600, 0], None),
        ("31", [1_700, 1_700, 600, 0], None),
    ] {
        let totals = fee.totals(16_000, instalments(), day(asked));
        assert_eq!(totals, expected, "{asked}");
        let next_changes = fee.next_changes(16_000, instalments(), totals.iter().sum(), day(asked));
        assert_eq!(next_changes.flatten().min(), next.map(day), "{asked}");
        let workings = fee.workings(16_000, instalments(), day(asked));
        assert_eq!(workings.iter().map(|workings| workings.total).collect::<Vec<_>>(), expected, "{asked}");
        assert_eq!(workings[0].cut, None);
    }
    let last = fee.workings(16_000, instalments(), day("31"))[2];
    let cut = Some(Cap { by: CapKind::OrderShare, minor: 4_000 });
    assert_eq!(last, FeeWorkings { uncapped: 1_700, total: 600, cut });
}

/// Checks that the fee stays the same from `today` until the predicted day, and changes on that day. With a table of
/// rates that may still get entries, the predicted day may be earlier.
#[track_caller]
fn next_change_is_exact(fee: &LateFee, on: &Overdue<'_>, today: NaiveDate) {
    if on.principal.left(today) != on.principal.now() {
        return;
    }
    let total = fee.total(on, today);
    let changes_on = (1..200).map(|days| plus(today, days)).find(|later| fee.total(on, *later) != total);
    let predicted = fee.next_change(on, today);
    let open_rates = fee.caps.annual_rate.as_ref().is_some_and(AnnualRate::may_change);
    let predicted = predicted.filter(|day| *day < plus(today, 200));
    if open_rates {
        assert!(
            changes_on.is_none() || predicted.is_some_and(|day| Some(day) <= changes_on),
            "{:?} after {today}",
            fee.kind
        );
    } else {
        assert_eq!(predicted, changes_on, "{:?} after {today}", fee.kind);
    }
}

fn steps(charges: &[(i64, Charge)]) -> FeeKind {
    FeeKind::Steps(charges.iter().map(|&(after, charge)| Step { after, charge }).collect())
}

fn four_times_lpr(of: RateOf) -> AnnualRate {
    let table = RateTable::new([(day("01"), rate("0.0310")), (day("13"), rate("0.0300"))]).unwrap();
    AnnualRate::Reference(ReferenceRate { name: "lpr_1y".into(), times: Decimal::from(4), of, table })
}
