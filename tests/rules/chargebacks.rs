//! Chargebacks: the effects of taking a payment back.

use crate::support::timeline::{IN_FOUR, books, check};

#[test]
fn a_payment_that_is_taken_back_reopens_the_position_from_that_day_on() {
    // Paid on the 10th, charged back on the 20th: the due date stays, and only days with principal owed count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2",
        "day  due  left    paid    past_due  cash
         10   16   0.00    100.00  0         100.00
         19   16   0.00    100.00  0         100.00
         20   16   100.00  0.00    1         0.00
         25   16   100.00  0.00    6         0.00",
    );
    // Paid late, charged back, paid again: the days past due are the 17th and 18th, then the 22nd to 24th.
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
    // Charged back before the due date, on the day of the payment, or only in part.
    check(
        "",
        "delivered 02 | pay 05 100.00 | chargeback 08 100.00 pay-2",
        "day left past_due\n 08 100.00 0\n 17 100.00 1",
    );
    check("", "delivered 02 | pay 10 09:00 100.00 | chargeback 10 08:00 30.00 pay-2", "day left paid\n 10 30.00 70.00");
    check("", "delivered 02 | pay 10 100.00 | chargeback 20 25.00 pay-2", "day left paid past_due\n 20 25.00 75.00 1");
    // The chargeback becomes known late: the days since its date count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2 known 23",
        "day  left    past_due
         22   0.00    0
         23   100.00  4",
    );
    // After the chargeback, the second payment is no overpayment.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 12 100.00 pay-2 | pay 14 100.00",
        "day left credit\n 14 0.00 0.00",
    );
}

#[test]
fn fees_after_a_chargeback_count_what_was_paid_in_between_as_paid() {
    let story = "delivered 02 | pay 10 200.00 | chargeback 25 200.00 pay-2";
    // Paid at the end of grace: there is no fee, even if the payment is charged back later.
    for once in ["fee flat 5.00 | grace 3", "fee percent 0.02 | grace 3", "fee daily 0.0005 from due | grace 3"] {
        check(
            &format!("order 200.00 | {once}"),
            story,
            "day fee left\n 19 0.00 0.00\n 25 0.00 200.00\n 31 0.00 200.00",
        );
    }
    // A daily fee: 0.10 for each day with principal owed.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        story,
        "day  fee   left    next
         19   0.00  0.00    -
         24   0.00  0.00    -
         25   0.10  200.00  26
         26   0.20  200.00  27",
    );
    // The fee counts the 20th and 21st, and the days from the 25th on. The chargeback also takes back the paid fee.
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
    // Overpaid money is taken back first, for either payment.
    check(
        "",
        "delivered 02 | pay 05 100.00 | pay 06 100.00 | chargeback 08 100.00 pay-2 | chargeback 10 100.00 pay-3",
        "day  left    paid    credit  cash
         06   0.00    100.00  100.00  200.00
         08   0.00    100.00  0.00    100.00
         10   100.00  0.00    0.00    0.00",
    );
    // The chargeback takes the credit of the refund, and the goods stay refunded.
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
    // A chargeback takes 30.00 of the 40.00 of refund credit. The next one takes a later overpayment before the rest.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | chargeback 10 30.00 pay-2 | pay 11 25.00 | chargeback 12 25.00 pay-5",
        "day  left  paid    refunded  credit
         08   0.00  60.00   40.00     40.00
         10   0.00  60.00   40.00     10.00
         11   0.00  60.00   40.00     35.00
         12   0.00  60.00   40.00     10.00",
    );
    // The second payment is made later that day. Its chargeback, dated noon, cannot come before it.
    check(
        "",
        "delivered 02 | pay 10 09:00 10.00 | pay 10 15:00 90.00 | chargeback 10 90.00 pay-3",
        "day  left   paid   credit\n 10 90.00 10.00 0.00",
    );
    // With `fee first`, a chargeback takes back principal first, and with `principal first`, the fee.
    for (terms, left, fee_paid) in [("", "60.00", "5.00"), ("principal first |", "55.00", "0.00")] {
        check(
            &format!("{terms} fee flat 5.00"),
            "delivered 02 | pay 20 105.00 | chargeback 25 60.00 pay-2",
            &format!("day left fee_paid\n 20 0.00 5.00\n 25 {left} {fee_paid}"),
        );
    }
    // Of several instalments, the one that is due last comes first.
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
    // The waiver, or the extension that takes the fee back, can also be on the day of the chargeback.
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
        // The goods were returned and the credit was paid out: nothing becomes owed again.
        ("refund 08 100.00 | pay-out 10 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 -100.00"),
        ("cancelled 08 | pay-out 10 100.00 | chargeback 12 60.00 pay-2", "0.00 0.00 100.00 -60.00"),
        ("refund 08 40.00 | pay-out 10 40.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -40.00"),
        ("refund 08 40.00 | pay-out 10 15.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -15.00"),
        // The credit is not paid out yet, so the chargeback takes it.
        ("refund 08 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 0.00"),
    ] {
        let table = format!("day left paid refunded credit\n 12 {row}");
        check("", &format!("delivered 02 | pay 05 100.00 | {story}"), &table);
    }
}
