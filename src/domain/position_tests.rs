//! Positions as tables: what is open, what is unpaid, and days past due between two decisions.

use super::*;

fn day(n: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
}

/// 100 due on the 10th, of which nothing is paid; decided on the 12th.
fn position() -> Position {
    Position {
        instalment: 1,
        principal: 100,
        due_on: Some(day(10)),
        paid: 0,
        refunded: 0,
        written_off_on: None,
        written_off: 0,
        recovered: 0,
        late_fee_charged: 0,
        late_fee: 0,
        late_fee_paid: 0,
        days_past_due: 2,
        credit: Standing::default(),
        hold: None,
        stopped: Stopped::default(),
        decided_on: day(12),
        next_action_on: None,
    }
}

#[test]
fn what_is_open_in_the_books_and_what_the_customer_has_not_paid() {
    let fee = |late_fee, late_fee_paid| Position { late_fee, late_fee_paid, ..position() };
    let paid = |paid, of: Position| Position { paid, ..of };
    let lost = |recovered| Position { written_off: 100, recovered, ..position() };
    for (what, position, outstanding, fee_owed, is_open, is_unpaid) in [
        ("nothing is paid", position(), 100, 0, true, true),
        ("all but one", paid(99, position()), 1, 0, true, true),
        ("paid", paid(100, position()), 0, 0, false, false),
        ("paid and refunded", Position { refunded: 30, ..paid(70, position()) }, 0, 0, false, false),
        ("paid but for the fee", paid(100, fee(5, 0)), 0, 5, true, false),
        ("paid with a part of the fee", paid(100, fee(5, 4)), 0, 1, true, false),
        ("paid with the fee", paid(100, fee(5, 5)), 0, 0, false, false),
        ("the fee is paid, the rest is not", fee(5, 5), 100, 0, true, true),
        ("written off", lost(0), 0, 0, false, true),
        ("written off, and a part of it paid since", lost(99), 0, 0, false, true),
        ("written off, and all of it paid since", lost(100), 0, 0, false, false),
    ] {
        assert_eq!((position.outstanding(), position.fee_owed()), (outstanding, fee_owed), "{what}");
        assert_eq!((position.is_open(), position.is_unpaid()), (is_open, is_unpaid), "{what}");
    }
}

#[test]
fn an_order_is_what_its_instalments_are() {
    let second = || Position { instalment: 2, due_on: Some(day(20)), days_past_due: 0, ..position() };
    let paid = |of: Position| Position { paid: 100, ..of };
    let lost = |of: Position| Position { written_off: 100, ..of };
    // Decided on the 12th, two days past due; one of those days may have had nothing to pay.
    let gap = Position { days_past_due: 1, ..position() };
    let written_off =
        Position { written_off_on: Some(day(11)), days_past_due: 1, decided_on: day(20), ..lost(position()) };
    for (what, positions, owed_minor, is_open, past_due_from) in [
        ("nothing is paid", [position(), second()], 200, true, Some(day(10))),
        ("a day past due had nothing to pay", [gap, second()], 200, true, Some(day(11))),
        ("the first is paid", [paid(position()), second()], 100, true, Some(day(20))),
        ("both are paid", [paid(position()), paid(second())], 0, false, None),
        ("the first is written off", [written_off, paid(second())], 0, false, Some(day(10))),
    ] {
        let decision = Decision {
            clock: ClockDay::Unknown,
            opening: Opening::of(&positions),
            positions: positions.to_vec(),
            movements: Vec::new(),
            credit_steps: Vec::new(),
            next_action_on: None,
            decide_on: None,
        };
        assert_eq!(decision.is_open(), is_open, "{what}");
        assert_eq!(decision.opening, Opening { owed_minor, past_due_from }, "{what}");
    }
}

#[test]
fn an_unpaid_instalment_gains_a_day_past_due_each_day() {
    let not_due_yet = Position { decided_on: day(8), days_past_due: 0, ..position() };
    let paid = Position { paid: 100, ..position() };
    let no_due_date = Position { due_on: None, days_past_due: 0, ..position() };
    for (what, position, expected) in [
        ("past due", position(), [(12, 2), (13, 3), (20, 10)]),
        ("not due yet", not_due_yet, [(9, 0), (10, 0), (13, 3)]),
        ("paid", paid, [(12, 2), (13, 2), (20, 2)]),
        ("without a due date", no_due_date, [(12, 0), (13, 0), (20, 0)]),
    ] {
        for (on, days) in expected {
            assert_eq!(position.days_past_due_on(day(on)), days, "{what}, on the {on}th");
        }
    }
}
