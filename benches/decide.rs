//! Measures how long it takes to decide an order: one with five facts, and a typical mix of a shop's orders.
//!
//!     cargo bench --bench decide

use chrono::{Days, NaiveDate};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paylater::domain::decide::end_of_day::decide;
use paylater::domain::facts::case::Case;
use paylater::domain::facts::fact::{Event, Fact, HoldReason, What};
use paylater::domain::facts::order::Order;
use paylater::domain::facts::source::Source;
use paylater::domain::money::Currency;
use paylater::domain::terms::due_dates::Clock;
use paylater::domain::terms::late_fee::{Caps, FeeKind, LateFee, LateFees};
use paylater::domain::terms::policy::{Allocation, Band, CreditRule, ExtensionLimits, Terms};
use paylater::domain::terms::reminders::Reminders;
use rust_decimal::Decimal;
use std::hint::black_box;

/// The same allocator as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn day(n: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).expect("a day") + Days::new(n)
}

/// Due two weeks after delivery. The late fee is 0.05 % a day after three days of grace, at most a quarter of the
/// order.
fn terms() -> Terms {
    let caps = Caps { order_share: Some(Decimal::new(25, 2)), ..Caps::default() };
    let fee = LateFee { kind: FeeKind::Daily { rate: Decimal::new(5, 4), from_due: false }, grace: 3, caps };
    Terms {
        effective_from: day(0),
        currency: Currency::parse("CNY").expect("a currency"),
        clock: Clock::Delivered,
        cut_off: None,
        before_order: 1,
        days_off: None,
        due_day: None,
        not_fulfilled_after: None,
        cancel_unfulfilled_after: None,
        bands: vec![Band { score: 550, limit_minor: 500_000, term: 14 }],
        freeze_when_overdue: Some(5),
        instalments: Vec::new(),
        service_fee: Decimal::new(6, 3),
        payable_after: 1,
        refund_window: Some(30),
        allocation: Allocation::FeeFirst,
        late_fee: LateFees::same_for_all(fee),
        extension: Some(ExtensionLimits { times: 1, days: 7, ask_within: None, when_overdue: true }),
        holds: Vec::new(),
        reminders: Reminders { steps: vec![-3, 0, 1, 7], ..Reminders::default() },
        credit: Some(CreditRule { notice_after: 3, flag_after: 5, expires_after: None }),
        write_off_after: Some(180),
        debit: None,
        pay_out: None,
    }
}

fn case(facts: &[(u64, What)]) -> Case {
    let at = |n: u64| day(n).and_hms_opt(9, 0, 0).expect("a time").and_utc();
    let order = Order {
        order_id: "T-1".into(),
        customer_id: "C-1".into(),
        amount_minor: 12_990,
        currency: Currency::parse("CNY").expect("a currency"),
        ordered_at: at(0),
        ordered_on: day(0),
        term: 14,
        policy_version: day(0),
        booked_on: day(0),
        source: Source { file_no: 1, line: 2 },
    };
    let fact = |(i, (n, what)): (usize, &(u64, What))| Fact {
        id: format!("F-{i}"),
        effective_at: at(*n),
        effective_on: day(*n),
        booked_on: day(*n),
        source: Source { file_no: 2, line: 2 },
        what: what.clone(),
    };
    Case::new(order, facts.iter().enumerate().map(fact).collect())
}

fn paid(minor: i64) -> What {
    What::Payment { minor, suspended: false }
}

fn decisions(c: &mut Criterion) {
    let terms = terms();
    let delivered = (2, What::Fulfilment(Event::Delivered));
    let five = case(&[
        delivered.clone(),
        (5, What::Refund { minor: 1_000, suspended: false }),
        (12, What::Extension { days: 7 }),
        (20, paid(5_000)),
        (33, paid(2_000)),
    ]);
    c.bench_function("one position with five facts, late", |b| {
        b.iter(|| decide(black_box(&five), &terms, &[], day(40)).expect("no calendar is needed"));
    });

    // Of a hundred orders, 30 are not delivered yet, 30 are delivered, 28 paid and 8 late; 4 have facts of every kind.
    let held = (4, What::Hold { reason: HoldReason::Return, ends_on: Some(day(8)) });
    let kinds = [
        (30, case(&[])),
        (30, case(std::slice::from_ref(&delivered))),
        (28, case(&[delivered.clone(), (10, paid(12_990))])),
        (8, case(std::slice::from_ref(&delivered))),
        (4, case(&[delivered, held, (12, What::Extension { days: 7 }), (26, paid(5_000)), (40, paid(7_990))])),
    ];
    let today = [day(3), day(10), day(20), day(45), day(45)];
    let hundred: Vec<(&Case, NaiveDate)> =
        kinds.iter().zip(today).flat_map(|((count, case), today)| std::iter::repeat_n((case, today), *count)).collect();
    let mut book = c.benchmark_group("a shop's book");
    book.throughput(Throughput::Elements(100));
    book.bench_function("a hundred orders", |b| {
        b.iter(|| {
            for (case, today) in &hundred {
                black_box(decide(case, &terms, &[], *today).expect("no calendar is needed"));
            }
        });
    });
    book.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
