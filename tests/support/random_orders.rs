//! Random terms, orders and facts for property tests. The numbers are small, so that edge cases coincide often.

use std::sync::Arc;

use chrono::{NaiveDate, Weekday};
use paylater::domain::business_days::{Calendar, Count, Roll, Special};
use paylater::domain::calendar::plus;
use paylater::domain::decide::end_of_day::{Decision, decide};
use paylater::domain::facts::case::Case;
use paylater::domain::facts::fact::{Event, Fact, HoldReason, What};
use paylater::domain::facts::order::Order;
use paylater::domain::facts::source::Source;
use paylater::domain::intake::admission::{admit, admit_given_back};
use paylater::domain::journal::{Account, Movement};
use paylater::domain::money::Currency;
use paylater::domain::terms::due_dates::{AutoConfirm, Clock, DaysOff, DueDay, Share, Term};
use paylater::domain::terms::hold::{HoldEffect, HoldRule};
use paylater::domain::terms::late_fee::{CapScope, Caps, Charge, FeeKind, LateFee, LateFees, Step, Tier};
use paylater::domain::terms::policy::{Allocation, CreditRule, ExtensionLimits, Terms};
use paylater::domain::terms::reference_rate::{AnnualRate, RateOf, RateTable, ReferenceRate};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rust_decimal::Decimal;

pub const ORDERED_ON: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
/// The number of days after the order that the tests cover. By then, most facts have had their effect.
pub const HORIZON: i64 = 75;

pub fn any_day() -> impl Strategy<Value = NaiveDate> {
    (0..=HORIZON).prop_map(|days| plus(ORDERED_ON, days))
}

/// Terms, and an order under these terms with all facts that were accepted.
pub fn known_order() -> impl Strategy<Value = (Terms, Case)> {
    let amount = prop_oneof![1 => 1_i64..10, 4 => 100_i64..20_000];
    (terms(), amount, 0_i64..15, vec(any_fact(), 0..14)).prop_map(|(terms, amount_minor, term, facts)| {
        let order = Order {
            order_id: "order".into(),
            customer_id: "customer".into(),
            amount_minor,
            currency: terms.currency,
            ordered_at: ORDERED_ON.and_hms_opt(9, 0, 0).unwrap().and_utc(),
            ordered_on: ORDERED_ON,
            term,
            policy_version: terms.effective_from,
            booked_on: ORDERED_ON,
            source: Source { file_no: 1, line: 2 },
        };
        let mut case = Case::new(order, Vec::new());
        let given_back = |fact: &AnyFact| matches!(fact.what, AnyWhat::GivenBack(..));
        let mut by_provider: Vec<String> = Vec::new();
        let mut arriving: Vec<Fact> = Vec::new();
        for (line, fact) in (1..).zip(facts) {
            let is_given_back = given_back(&fact);
            arriving.push(fact.happened(&case.order, line));
            by_provider.extend(is_given_back.then(|| arriving[arriving.len() - 1].id.clone()));
        }
        arriving.sort_by_key(|fact| (fact.booked_on, matches!(fact.what, What::PayOut { .. })));
        for mut fact in arriving {
            // At the end of a day, a pay-out asks for at most the available credit. There is one pay-out at a time.
            if let What::PayOut { minor } = &mut fact.what {
                let asked_on = fact.booked_on;
                let under_way = |fact: &Fact| matches!(fact.what, What::PayOut { .. }) && fact.effective_on > asked_on;
                *minor = (*minor).min(customer_credit(&decide(&case, &terms, &[], asked_on).unwrap()));
                if *minor <= 0 || case.facts.iter().any(under_way) {
                    continue;
                }
                let next_day = plus(asked_on, 1).and_hms_opt(0, 0, 0).unwrap().and_utc();
                fact.effective_at = fact.effective_at.max(next_day);
                fact.effective_on = fact.effective_at.date_naive();
                fact.booked_on = fact.effective_on;
            }
            meant_for_a_payment(&mut fact, &case);
            if by_provider.contains(&fact.id) {
                let What::Refund { minor, .. } = fact.what else { unreachable!("only refunds are given back") };
                if admit_given_back(&case, &terms, minor, fact.effective_on).is_ok() {
                    // The bill can report the refund on its day or later.
                    let booked_on = plus(fact.booked_on, fact.source.line % 3);
                    let word = Fact { booked_on, what: What::GivenBack, ..fact.clone() };
                    case.facts.extend([fact, word]);
                }
            } else if admit(&case, &terms, &fact.what, fact.effective_on).is_ok() {
                case.facts.push(fact);
            }
        }
        (terms, case)
    })
}

/// Returns the customer credit of the movements.
fn customer_credit(decision: &Decision) -> i64 {
    let side = |movement: &Movement| {
        i64::from(movement.credit == Account::CustomerCredit) - i64::from(movement.debit == Account::CustomerCredit)
    };
    decision.movements.iter().map(|declared| side(&declared.movement) * declared.minor).sum()
}

/// Chooses the payment of a random chargeback, and turns its percentage into an amount of that payment.
fn meant_for_a_payment(fact: &mut Fact, case: &Case) {
    let What::Chargeback { minor, payment_id, .. } = &mut fact.what else { return };
    let payments: Vec<(&str, i64)> = case
        .facts
        .iter()
        .filter_map(|paid| match paid.what {
            What::Payment { minor, .. } => Some((paid.id.as_str(), minor)),
            _ => None,
        })
        .collect();
    let which = usize::try_from(*minor).unwrap() % payments.len().max(1);
    if let Some((id, paid)) = payments.get(which) {
        // Often the whole payment.
        *minor = if *minor > 60 { *paid } else { (paid * *minor / 100).max(1) };
        *payment_id = (*id).to_owned();
    }
}

/// Shares that add up to one, in order of their terms.
pub fn shares() -> impl Strategy<Value = Vec<Share>> {
    let weights = vec(1_i64..100, 2..5);
    (weights, vec(0_i64..15, 5)).prop_map(|(weights, days)| {
        let total: i64 = weights.iter().sum();
        // In ten-thousandths; the last share is the remainder.
        let mut shares: Vec<i64> = weights.iter().map(|weight| weight * 10_000 / total).collect();
        let last = shares.len() - 1;
        shares[last] += 10_000 - shares.iter().sum::<i64>();
        let mut term = 0;
        let with_term = shares.into_iter().zip(days).map(|(share, days)| {
            term += days;
            Share { share: Decimal::new(share, 4), term: Term::Days(term) }
        });
        with_term.collect()
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let allocation = select(vec![Allocation::FeeFirst, Allocation::PrincipalFirst]);
    let extension = (1_i64..4, 1_i64..15, option::of(0_i64..10), any::<bool>())
        .prop_map(|(times, days, ask_within, when_overdue)| ExtensionLimits { times, days, ask_within, when_overdue });
    let credit = (1_i64..6, 0_i64..6, option::of(1_i64..20))
        .prop_map(|(notice_after, flag_after, expires_after)| CreditRule { notice_after, flag_after, expires_after });
    let write_off = option::weighted(0.4, 1_i64..25);
    let refund_window = option::of(0_i64..60);
    let parts = (
        clock(),
        due_dates(),
        rate(50_000),
        refund_window,
        allocation,
        late_fees(),
        option::weighted(0.8, extension),
        vec(hold_rule(), 0..3),
        option::weighted(0.8, credit),
        write_off,
    );
    parts.prop_map(
        |(
            clock,
            (due_day, instalments, days_off),
            service_fee,
            refund_window,
            allocation,
            late_fee,
            extension,
            holds,
            credit,
            write_off_after,
        )| Terms {
            effective_from: ORDERED_ON,
            currency: Currency::parse("CNY").unwrap(),
            clock,
            cut_off: None,
            before_order: 1,
            bands: Vec::new(),
            not_fulfilled_after: None,
            cancel_unfulfilled_after: None,
            due_day,
            days_off,
            freeze_when_overdue: None,
            instalments,
            service_fee,
            payable_after: 0,
            refund_window,
            allocation,
            late_fee,
            extension,
            holds,
            reminders: paylater::domain::terms::reminders::Reminders::default(),
            credit,
            debit: None,
            pay_out: None,
            write_off_after,
        },
    )
}

/// The rule for an order's due dates: the order's own term, a day of a month, or instalments of either kind, with or
/// without a calendar.
fn due_dates() -> impl Strategy<Value = (Option<DueDay>, Vec<Share>, Option<DaysOff>)> {
    let by_due_day = (shares(), due_day(), any::<bool>()).prop_map(|(mut shares, first, at_once)| {
        for (share, month) in shares.iter_mut().zip(first.month..) {
            share.term = Term::Until(DueDay { month, ..first });
        }
        if at_once {
            shares[0].term = Term::Days(0);
        }
        shares
    });
    let due = prop_oneof![
        4 => Just((None, Vec::new())),
        2 => due_day().prop_map(|due_day| (Some(due_day), Vec::new())),
        3 => shares().prop_map(|shares| (None, shares)),
        1 => by_due_day.prop_map(|shares| (None, shares)),
    ];
    (due, option::of(days_off())).prop_map(|((due_day, instalments), days_off)| (due_day, instalments, days_off))
}

fn due_day() -> impl Strategy<Value = DueDay> {
    (prop_oneof![Just(8_u32), 1_u32..=31], 1_u32..3).prop_map(|(day, month)| DueDay { day, month })
}

/// Up to three weekly days off, and random special days from 30 days before the order on: off or worked.
fn days_off() -> impl Strategy<Value = DaysOff> {
    let week = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let special = btree_map(0_i64..150, any::<bool>(), 0..40);
    let count = select(vec![Count::Calendar, Count::Business]);
    let roll = select(vec![Roll::None, Roll::Following, Roll::Preceding, Roll::ModifiedFollowing]);
    (subsequence(week.to_vec(), 0..=3), special, count, roll).prop_map(|(weekly_off, special, count, roll)| {
        let special = special.into_iter().map(|(days, off)| {
            let day = plus(ORDERED_ON, days - 30);
            Special { day, off, name: "holiday".into() }
        });
        let calendar =
            Calendar { name: "random".into(), weekly_off, years: vec![2025, 2026, 2027], special: special.collect() };
        DaysOff { calendar: Arc::new(calendar), count, roll }
    })
}

fn clock() -> impl Strategy<Value = Clock> {
    let after = option::weighted(0.7, (select(vec![Event::Shipped, Event::Delivered]), 0_i64..12));
    let auto = (after, option::weighted(0.4, 0_i64..40));
    let auto = auto.prop_map(|(after, after_order)| {
        (after.is_some() || after_order.is_some()).then_some(AutoConfirm { after, after_order })
    });
    prop_oneof![
        2 => Just(Clock::Ordered),
        1 => Just(Clock::Shipped),
        2 => Just(Clock::Delivered),
        2 => auto.prop_map(|auto| Clock::Confirmed { auto }),
    ]
}

fn late_fees() -> impl Strategy<Value = LateFees> {
    let higher = vec((1_i64..10_000, late_fee()), 1..3).prop_map(|tiers| {
        let mut from_minor = 0;
        let rising = tiers.into_iter().map(|(more, fee)| {
            from_minor += more;
            Tier { from_minor, fee }
        });
        rising.collect()
    });
    let higher = prop_oneof![2 => Just(Vec::new()), 1 => higher];
    (late_fee(), higher).prop_map(|(lowest, higher)| LateFees { lowest, higher })
}

fn late_fee() -> impl Strategy<Value = LateFee> {
    let kind = prop_oneof![
        1 => Just(FeeKind::None),
        2 => (0_i64..1_000).prop_map(FeeKind::Flat),
        2 => rate(200_000).prop_map(FeeKind::Percent),
        4 => (rate(20_000), any::<bool>()).prop_map(|(rate, from_due)| FeeKind::Daily { rate, from_due }),
        3 => steps().prop_map(FeeKind::Steps),
    ];
    let caps = (
        option::weighted(0.3, 0_i64..2_000),
        option::weighted(0.3, rate(300_000)),
        select(vec![CapScope::Instalment, CapScope::Order]),
        option::weighted(0.3, annual_rate()),
        option::weighted(0.2, 1_usize..4),
    )
        .prop_map(|(amount, order_share, scope, annual_rate, steps)| Caps {
            amount,
            order_share,
            scope,
            annual_rate,
            steps,
        });
    (kind, 0_i64..6, caps).prop_map(|(kind, grace, caps)| LateFee { kind, grace, caps })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let charge = prop_oneof![2 => (0_i64..1_000).prop_map(Charge::Amount), 1 => rate(200_000).prop_map(Charge::Rate)];
    (0_i64..4, vec((1_i64..10, charge), 1..5)).prop_map(|(first, charges)| {
        let mut after = first - 1;
        let rising = charges.into_iter().map(|(days, charge)| {
            after = if after < first { first } else { after + days };
            Step { after, charge }
        });
        rising.collect()
    })
}

fn annual_rate() -> impl Strategy<Value = AnnualRate> {
    let entry = (1_i64..40, rate(200_000));
    let later = vec(entry, 0..3);
    let of = select(vec![RateOf::EachDay, RateOf::OrderDay]);
    let reference = (rate(200_000), later, 1_i64..80, of).prop_map(|(first, later, halves, of)| {
        // The first entry starts before the order, as the configuration requires.
        let mut from = plus(ORDERED_ON, -3);
        let mut entries = vec![(from, first)];
        for (days, rate) in later {
            from = plus(from, days);
            entries.push((from, rate));
        }
        let table = RateTable::new(entries).unwrap();
        ReferenceRate { name: "lpr".into(), times: Decimal::new(halves * 5, 1), of, table }
    });
    prop_oneof![1 => rate(400_000).prop_map(AnnualRate::Fixed), 1 => reference.prop_map(AnnualRate::Reference)]
}

fn hold_rule() -> impl Strategy<Value = HoldRule> {
    let effects = vec![HoldEffect::Clock, HoldEffect::Fees, HoldEffect::Contact, HoldEffect::Credit, HoldEffect::Debit];
    (select(HoldReason::ALL.to_vec()), 1_i64..15, subsequence(effects, 0..=5))
        .prop_map(|(reason, days, effects)| HoldRule { reason, days, effects })
}

/// A rate of at most `most` millionths.
fn rate(most: i64) -> impl Strategy<Value = Decimal> {
    (0..=most).prop_map(|millionths| Decimal::new(millionths, 6))
}

/// A fact that happens some days after the order.
#[derive(Debug, Clone)]
struct AnyFact {
    days: i64,
    hour: u32,
    /// The days from the effective date to the booking. Negative: the fact is booked before its effective date.
    lag: i64,
    what: AnyWhat,
}

#[derive(Debug, Clone)]
enum AnyWhat {
    /// A percentage of the order, as in the other variants with an amount.
    Payment(i64, bool),
    Refund(i64, bool),
    /// A refund that the provider gave back itself.
    GivenBack(i64, bool),
    Chargeback(i64, bool),
    Waiver(i64),
    PayOut(i64),
    Hold(HoldReason, Option<i64>),
    Other(What),
}

fn any_fact() -> impl Strategy<Value = AnyFact> {
    let event = select(vec![Event::Shipped, Event::Delivered, Event::Delivered, Event::Confirmed]);
    let suspended = || prop::bool::weighted(0.1);
    let what = prop_oneof![
        6 => (1_i64..130, suspended()).prop_map(|(share, suspended)| AnyWhat::Payment(share, suspended)),
        3 => (1_i64..100, suspended()).prop_map(|(share, suspended)| AnyWhat::Refund(share, suspended)),
        2 => (1_i64..100, suspended()).prop_map(|(share, suspended)| AnyWhat::GivenBack(share, suspended)),
        3 => (1_i64..150, suspended()).prop_map(|(share, suspended)| AnyWhat::Chargeback(share, suspended)),
        2 => (1_i64..20).prop_map(AnyWhat::Waiver),
        3 => (1_i64..130).prop_map(AnyWhat::PayOut),
        3 => (select(HoldReason::ALL.to_vec()), option::weighted(0.8, 0_i64..12)).prop_map(|(reason, days)| AnyWhat::Hold(reason, days)),
        3 => (1_i64..15).prop_map(|days| AnyWhat::Other(What::Extension { days })),
        5 => event.prop_map(|event| AnyWhat::Other(What::Fulfilment(event))),
        1 => Just(AnyWhat::Other(What::Fulfilment(Event::Cancelled))),
        2 => (1_i64..4).prop_map(|instalment| AnyWhat::Other(What::Notice { instalment })),
    ];
    let days = prop_oneof![1 => -2_i64..0, 5 => 0_i64..10, 10 => 10_i64..50];
    let lag = prop_oneof![6 => Just(0_i64), 3 => 1_i64..20, 1 => -6_i64..0];
    (days, select(vec![0_u32, 9, 15]), lag, what).prop_map(|(days, hour, lag, what)| AnyFact { days, hour, lag, what })
}

impl AnyFact {
    fn happened(self, order: &Order, line: i64) -> Fact {
        let effective_on = plus(ORDERED_ON, self.days);
        let part = |share: i64| (order.amount_minor * share / 100).max(1);
        let what = match self.what {
            AnyWhat::Payment(share, suspended) => What::Payment { minor: part(share), suspended },
            AnyWhat::Refund(share, suspended) | AnyWhat::GivenBack(share, suspended) => {
                What::Refund { minor: part(share), suspended }
            }
            AnyWhat::Chargeback(share, suspended) => {
                What::Chargeback { minor: share, payment_id: String::new(), suspended }
            }
            AnyWhat::Waiver(share) => What::Waiver { minor: part(share) },
            AnyWhat::PayOut(share) => What::PayOut { minor: part(share) },
            AnyWhat::Hold(reason, days) => What::Hold { reason, ends_on: days.map(|days| plus(effective_on, days)) },
            AnyWhat::Other(what) => what,
        };
        Fact {
            id: format!("fact {line:02}"),
            effective_at: effective_on.and_hms_opt(self.hour, 0, 0).unwrap().and_utc(),
            effective_on,
            booked_on: plus(effective_on, self.lag).max(ORDERED_ON),
            source: Source { file_no: 2, line },
            what,
        }
    }
}
