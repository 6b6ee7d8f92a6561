//! Chargebacks: what a payment that is taken back undoes.

use crate::support::timeline::{IN_FOUR, books, check};

#[test]
fn a_payment_that_is_taken_back_reopens_the_position_from_that_day_on() {
    // Paid on the 10th, taken back on the 20th: the due date stays, and only days on which something was owed count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2",
        "day  due  left    paid    past_due  cash
         10   16   0.00    100.00  0         100.00
         19   16   0.00    100.00  0         100.00
         20   16   100.00  0.00    1         0.00
         25   16   100.00  0.00    6         0.00",
    );
    // Paid late, taken back, paid again: 17 and 18, then 22 to 24.
    check(
        "",
        "delivered 02 | pay 19 100.00 | chargeback 22 100.00 pay-2 | pay 25 100.00",
        "day  left    past_due
         18   100.00  2
         19   0.00    2
         21   0.00    2
         22   100.00  3
         24   100.00  5
         25   0.00    5
         31   0.00    5",
    );
    // Taken back before it was due, or on the day it was paid, or only in part.
    check(
        "",
        "delivered 02 | pay 05 100.00 | chargeback 08 100.00 pay-2",
        "day left past_due\n 08 100.00 0\n 17 100.00 1",
    );
    check("", "delivered 02 | pay 10 09:00 100.00 | chargeback 10 08:00 30.00 pay-2", "day left paid\n 10 30.00 70.00");
    check("", "delivered 02 | pay 10 100.00 | chargeback 20 25.00 pay-2", "day left paid past_due\n 20 25.00 75.00 1");
    // It comes to light late: the days since it happened count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2 known 23",
        "day  left    past_due
         22   0.00    0
         23   100.00  4",
    );
    // Between chargeback and payment nothing is paid twice: the second payment is not too much.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 12 100.00 pay-2 | pay 14 100.00",
        "day left credit\n 14 0.00 0.00",
    );
}

#[test]
fn fees_after_a_chargeback_count_what_was_paid_in_between_as_paid() {
    let story = "delivered 02 | pay 10 200.00 | chargeback 25 200.00 pay-2";
    // Paid at the end of grace: nothing once for all, whatever happens later.
    for once in ["fee flat 5.00 | grace 3", "fee percent 0.02 | grace 3", "fee daily 0.0005 from due | grace 3"] {
        check(
            &format!("order 200.00 | {once}"),
            story,
            "day fee left\n 19 0.00 0.00\n 25 0.00 200.00\n 31 0.00 200.00",
        );
    }
    // By the day, 0.10 for each day on which something is owed.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        story,
        "day  fee   left    next
         19   0.00  0.00    -
         24   0.00  0.00    -
         25   0.10  200.00  26
         26   0.20  200.00  27",
    );
    // 20 and 21 before the payment, 25 and on after it. What was paid of the fee is taken back with the rest.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        "delivered 02 | pay 22 200.20 | chargeback 25 200.20 pay-2",
        "day  fee   fee_paid  left    past_due
         22   0.20  0.20      0.00    5
         24   0.20  0.20      0.00    5
         25   0.30  0.00      200.00  6
         26   0.40  0.00      200.00  7",
    );
    // The annual cap counts the same days: 0.1315… a day.
    check(
        "order 200.00 | fee daily 0.01 | cap year 0.24",
        "delivered 02 | pay 18 200.13 | chargeback 20 200.13 pay-2",
        "day  fee   past_due
         17   0.13  1
         18   0.13  1
         19   0.13  1
         20   0.26  2",
    );
}

#[test]
fn a_chargeback_undoes_what_payments_did_last_things_first() {
    // What was paid too much goes first, whichever payment is taken back.
    check(
        "",
        "delivered 02 | pay 05 100.00 | pay 06 100.00 | chargeback 08 100.00 pay-2 | chargeback 10 100.00 pay-3",
        "day  left    paid    credit  cash
         06   0.00    100.00  100.00  200.00
         08   0.00    100.00  0.00    100.00
         10   100.00  0.00    0.00    0.00",
    );
    // What a refund gave back is no credit any more, and the goods are refunded all the same.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | chargeback 12 100.00 pay-2",
        "day  left   paid    refunded  credit  merchant
         08   0.00   60.00   40.00     40.00   60.00
         12   60.00  0.00    40.00     0.00    60.00",
    );
    check(
        "",
        "delivered 02 | pay 05 100.00 | cancelled 08 | chargeback 12 100.00 pay-2",
        "day  left  paid    refunded  credit  merchant
         08   0.00  0.00    100.00    100.00  0.00
         12   0.00  0.00    100.00    0.00    0.00",
    );
    // Of 40.00 that a refund gave back, 30.00 are taken back. What is paid too much later goes before the rest.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | chargeback 10 30.00 pay-2 | pay 11 25.00 | chargeback 12 25.00 pay-5",
        "day  left  paid    refunded  credit
         08   0.00  60.00   40.00     40.00
         10   0.00  60.00   40.00     10.00
         11   0.00  60.00   40.00     35.00
         12   0.00  60.00   40.00     10.00",
    );
    // Later that day the second payment is made; its chargeback, which was told for noon, cannot come before it.
    check(
        "",
        "delivered 02 | pay 10 09:00 10.00 | pay 10 15:00 90.00 | chargeback 10 90.00 pay-3",
        "day  left   paid   credit\n 10 90.00 10.00 0.00",
    );
    // Fee first is undone principal first, and the other way round.
    for (terms, left, fee_paid) in [("", "60.00", "5.00"), ("principal first |", "55.00", "0.00")] {
        check(
            &format!("{terms} fee flat 5.00"),
            "delivered 02 | pay 20 105.00 | chargeback 25 60.00 pay-2",
            &format!("day left fee_paid\n 20 0.00 5.00\n 25 {left} {fee_paid}"),
        );
    }
    // Of several instalments, the one due last.
    check(
        IN_FOUR,
        "pay 01 25.00 | pay 14 30.00 | chargeback 20 25.00 pay-1",
        "day  no  left   paid   past_due
         14   2   0.00   25.00  0
         14   3   20.00  5.00   0
         20   1   0.00   25.00  0
         20   2   20.00  5.00   1
         20   3   25.00  0.00   0",
    );
    assert_eq!(
        books("fee flat 5.00", "delivered 02 | pay 20 109.00 | chargeback 25 109.00 pay-2 suspended", "25")[2..],
        [
            "payment 1 assets:cash-clearing assets:receivable:principal 100.00 pay-2",
            "payment 1 assets:cash-clearing assets:receivable:late-fee 5.00 pay-2",
            "chargeback 0 liabilities:customer-credit liabilities:suspense 4.00 chargeback-3",
            "chargeback 1 assets:receivable:principal liabilities:suspense 100.00 chargeback-3",
            "chargeback 1 assets:receivable:late-fee liabilities:suspense 5.00 chargeback-3",
            "late_fee 1 assets:receivable:late-fee income:late-fee 5.00",
        ]
    );
}

#[test]
fn a_chargeback_takes_credit_from_a_returned_fee_first() {
    // The waiver may come on the day of the chargeback, or the extension that takes the fee back.
    for (story, left) in [
        ("pay 20 105.00 | waive 22 5.00 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | waive 25 5.00 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | extend 22 7 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | waive 22 2.00 | chargeback 25 50.00 pay-2", "48.00"),
        ("pay 20 105.00 | waive 22 5.00 | chargeback 25 3.00 pay-2", "0.00"),
    ] {
        let credit = if left == "0.00" { "2.00" } else { "0.00" };
        let table = format!("day left credit\n 25 {left} {credit}");
        check("fee flat 5.00", &format!("delivered 02 | {story}"), &table);
    }
}

#[test]
fn a_chargeback_of_what_a_refund_had_settled_is_overdrawn_credit() {
    for (story, row) in [
        // The goods went back and the credit was paid out: nothing is owed again.
        ("refund 08 100.00 | pay-out 10 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 -100.00"),
        ("cancelled 08 | pay-out 10 100.00 | chargeback 12 60.00 pay-2", "0.00 0.00 100.00 -60.00"),
        ("refund 08 40.00 | pay-out 10 40.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -40.00"),
        ("refund 08 40.00 | pay-out 10 15.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -15.00"),
        // Not paid out yet, it is there to be taken.
        ("refund 08 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 0.00"),
    ] {
        let table = format!("day left paid refunded credit\n 12 {row}");
        check("", &format!("delivered 02 | pay 05 100.00 | {story}"), &table);
    }
}
