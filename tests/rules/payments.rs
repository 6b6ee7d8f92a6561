//! Payments and refunds: their allocation, their order, and late news.

use crate::support::timeline::{books, check};

#[test]
fn fee_first_or_principal_first() {
    let story = "delivered 02 | pay 20 3.00 | pay 21 50.00 | pay 22 60.00";
    check(
        "fee flat 5.00",
        story,
        "day  left    paid    fee_paid  credit
         20   100.00  0.00    3.00      0.00
         21   52.00   48.00   5.00      0.00
         22   0.00    100.00  5.00      8.00",
    );
    check(
        "principal first | fee flat 5.00",
        story,
        "day  left   paid    fee_paid  credit
         20   97.00  3.00    0.00      0.00
         21   47.00  53.00   0.00      0.00
         22   0.00   100.00  5.00      8.00",
    );
    // A payment on the day of a fee does not pay the fee, because no fee was owed at the end of the day before.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 16 50.00",
        "day  left   fee   fee_paid
         16   50.00  5.00  0.00",
    );
}

#[test]
fn more_than_is_owed_becomes_customer_credit() {
    check(
        "",
        "delivered 02 | pay 10 60.00 | pay 11 60.00 | pay 12 5.00",
        "day  left   paid    credit
         10   40.00  60.00   0.00
         11   0.00   100.00  20.00
         12   0.00   100.00  25.00",
    );
}

#[test]
fn facts_take_effect_by_instant_then_refunds_first_then_by_key() {
    let day_10 = |happened: &str, row: &str| {
        check("", &format!("delivered 02 | {happened}"), &format!("day paid refunded credit\n {row}"));
    };
    day_10("pay 10 09:00 100.00 | refund 10 10:00 40.00", "10 60.00 40.00 40.00");
    day_10("refund 10 10:00 40.00 | pay 10 09:00 100.00", "10 60.00 40.00 40.00");
    day_10("pay 10 100.00 | refund 10 40.00", "10 60.00 40.00 40.00");
    day_10("pay 10 100.00 | cancelled 10", "10 0.00 100.00 100.00");
    // Of two payments at the same instant, the first by key pays, and the second is an overpayment.
    let movements = books("", "delivered 02 | pay 10 70.00 | pay 10 70.00", "10");
    let payments: Vec<&String> = movements.iter().filter(|row| row.starts_with("payment")).collect();
    assert_eq!(
        payments,
        [
            "payment 0 assets:cash-clearing liabilities:customer-credit 40.00 pay-3",
            "payment 1 assets:cash-clearing assets:receivable:principal 70.00 pay-2",
            "payment 1 assets:cash-clearing assets:receivable:principal 30.00 pay-3",
        ]
    );
}

#[test]
fn a_refund_takes_from_principal_and_beyond_it_gives_back_what_was_paid() {
    for (happened, left, paid, refunded, credit) in [
        ("refund 10 30.00", "70.00", "0.00", "30.00", "0.00"),
        ("refund 10 100.00", "0.00", "0.00", "100.00", "0.00"),
        ("pay 05 80.00 | refund 10 30.00", "0.00", "70.00", "30.00", "10.00"),
        ("pay 05 100.00 | refund 10 30.00", "0.00", "70.00", "30.00", "30.00"),
        ("refund 05 30.00 | pay 10 100.00", "0.00", "70.00", "30.00", "30.00"),
        ("pay 05 100.00 | refund 10 30.00 | refund 11 70.00", "0.00", "0.00", "100.00", "100.00"),
        // A cancellation refunds the rest of the order after earlier refunds.
        ("cancelled 10", "0.00", "0.00", "100.00", "0.00"),
        ("pay 05 30.00 | cancelled 10", "0.00", "0.00", "100.00", "30.00"),
        ("refund 05 20.00 | cancelled 10", "0.00", "0.00", "100.00", "0.00"),
        ("pay 04 90.00 | refund 05 20.00 | cancelled 10", "0.00", "0.00", "100.00", "90.00"),
        ("cancelled 10 | pay 11 30.00", "0.00", "0.00", "100.00", "30.00"),
        // A cancellation that becomes known after a refund, but happened before it: the order is refunded only once.
        ("refund 05 30.00 | cancelled 04 known 06", "0.00", "0.00", "100.00", "0.00"),
        ("pay 03 50.00 | refund 05 30.00 | cancelled 04 known 06", "0.00", "0.00", "100.00", "50.00"),
    ] {
        let table = format!("day left paid refunded credit\n 12 {left} {paid} {refunded} {credit}");
        check("", &format!("delivered 02 | {happened}"), &table);
    }
    // A refund of the goods does not refund a fee that was rightly charged and paid.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 105.00 | refund 25 100.00",
        "day  left  fee   fee_paid  credit
         25   0.00  5.00  5.00      100.00",
    );
}

#[test]
fn late_news_allocates_anew() {
    let flat = "fee flat 5.00 | grace 3";
    // Paid on the due day, but known nine days later: no fee, and no day past due.
    check(
        flat,
        "delivered 02 | pay 16 100.00 known 25",
        "day  left    fee   past_due
         19   100.00  5.00  3
         24   100.00  5.00  8
         25   0.00    0.00  0",
    );
    // Paid twice: the later payment becomes an overpayment, including the fee that it had paid.
    check(
        flat,
        "delivered 02 | pay 20 105.00 | pay 16 100.00 known 25",
        "day  left  fee   fee_paid  credit
         20   0.00  5.00  5.00      0.00
         24   0.00  5.00  5.00      0.00
         25   0.00  0.00  0.00      105.00",
    );
    // A refund before the end of grace reduces a percentage fee, and the payment of the larger fee is allocated again.
    check(
        "fee percent 0.02 | grace 3",
        "delivered 02 | pay 20 30.00 | refund 18 40.00 known 25",
        "day  left   paid   fee   fee_paid
         20   72.00  28.00  2.00  2.00
         25   31.20  28.80  1.20  1.20",
    );
    // A delivery that becomes known late: the payment then pays the fee of the 20th and 21st first.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        "delivered 02 known 25 | pay 22 50.00",
        "day  due  left    fee   fee_paid  past_due
         24   -    150.00  0.00  0.00      0
         25   16   150.20  0.50  0.20      9",
    );
    // A refund dated before the payment reduces principal first, so a part of the payment becomes an overpayment.
    check(
        "",
        "delivered 02 | pay 10 100.00 | refund 09 40.00 known 12",
        "day  paid    refunded  credit
         10   100.00  0.00      0.00
         12   60.00   40.00     40.00",
    );
}

#[test]
fn the_service_fee_follows_refunds() {
    // 0.6 % of the order after refunds. Payments and late fees do not count.
    let terms = "service fee 0.006 | fee flat 5.00";
    check(
        terms,
        "delivered 02 | pay 05 50.00 | refund 10 40.00 | cancelled 12",
        "day  service_fee  merchant
         01   0.60         99.40
         05   0.60         99.40
         10   0.36         59.64
         12   0.00         0.00",
    );
    check("service fee 0.006 | order 2.50", "", "day service_fee merchant\n 01 0.02 2.48");
    check("service fee 0.006 | order 2.49", "", "day service_fee merchant\n 01 0.01 2.48");
}

#[test]
fn money_that_waited_for_its_order_comes_from_suspense() {
    check(
        "",
        "delivered 02 | pay 05 40.00 suspended | pay 06 10.00",
        "day  left   cash   suspense
         05   60.00  0.00   -40.00
         06   50.00  10.00  -40.00",
    );
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 06 30.00 suspended",
        "day  merchant  suspense  credit
         06   100.00    -30.00    30.00",
    );
    // The whole amount leaves suspense, even if the order was already refunded completely.
    check(
        "",
        "delivered 02 | refund 06 30.00 suspended | cancelled 05 known 07",
        "day  merchant  suspense  refunded  credit
         06   100.00    -30.00    30.00     0.00
         07   30.00     -30.00    100.00    0.00",
    );
}

#[test]
fn every_movement_stands_in_the_books_with_its_cause() {
    let terms = "service fee 0.006 | fee flat 5.00";
    let story = "delivered 02 | pay 20 105.00 | waive 22 2.00 | refund 23 10.00";
    assert_eq!(
        books(terms, story, "19"),
        [
            "order 1 assets:receivable:principal liabilities:merchant-payable 100.00",
            "service_fee 0 liabilities:merchant-payable income:service-fee 0.60",
            "late_fee 1 assets:receivable:late-fee income:late-fee 5.00",
        ]
    );
    assert_eq!(
        books(terms, story, "23"),
        [
            "order 1 assets:receivable:principal liabilities:merchant-payable 100.00",
            "service_fee 0 liabilities:merchant-payable income:service-fee 0.60",
            "service_fee 0 income:service-fee liabilities:merchant-payable 0.06 refund-4",
            "payment 1 assets:cash-clearing assets:receivable:principal 100.00 pay-2",
            "payment 1 assets:cash-clearing assets:receivable:late-fee 5.00 pay-2",
            "refund 0 liabilities:merchant-payable liabilities:customer-credit 10.00 refund-4",
            "late_fee 1 assets:receivable:late-fee income:late-fee 5.00",
            "waiver 1 income:late-fee assets:receivable:late-fee 2.00",
            "fee_returned 1 assets:receivable:late-fee liabilities:customer-credit 2.00",
        ]
    );
}
