//! Orders that the policy cancels because no fulfilment is known.

use crate::support::timeline::{asked, books, check, record};

const TERMS: &str = "not fulfilled after 5 | cancel unfulfilled after 10";

#[test]
fn an_order_without_fulfilment_is_cancelled_at_the_end_of_its_day() {
    // Ordered on the 1st: listed from the 6th on, cancelled at the end of the 11th.
    check(
        TERMS,
        "",
        "day  next  left    refunded  merchant
         01   06    100.00  0.00      100.00
         06   11    100.00  0.00      100.00
         10   11    100.00  0.00      100.00
         11   -     0.00    100.00    0.00
         30   -     0.00    100.00    0.00",
    );
    // The policy does not list unfulfilled orders.
    check("cancel unfulfilled after 10", "", "day next left\n 01 11 100.00\n 10 11 100.00\n 11 - 0.00");
    // A delivery on the last day is in time.
    check(TERMS, "delivered 11", "day due left\n 10 - 100.00\n 11 25 100.00");
    // A shipped order is not cancelled and stays owed.
    check(TERMS, "shipped 04", "day left\n 11 100.00\n 30 100.00");
    // An order whose term has begun is not cancelled: receipt counts as confirmed five days after shipping.
    check(
        "clock confirmed by itself 5 after shipped | cancel unfulfilled after 10",
        "shipped 10",
        "day left\n 11 100.00\n 15 100.00",
    );
}

#[test]
fn what_was_paid_or_refunded_before_is_settled() {
    // Earlier payments become credit; later payments become credit immediately.
    check(
        TERMS,
        "pay 03 60.00 | pay 15 40.00",
        "day  left   paid   refunded  credit  cash    merchant
         10   40.00  60.00  0.00      0.00    60.00   100.00
         11   0.00   0.00   100.00    60.00   60.00   0.00
         15   0.00   0.00   100.00    100.00  100.00  0.00",
    );
    // The cancellation refunds only the rest after earlier refunds, even if a refund becomes known later, or if the
    // merchant cancels after the policy.
    for story in ["refund 08 30.00", "refund 08 30.00 known 14", "refund 08 30.00 | cancelled 13"] {
        check(TERMS, story, "day left refunded merchant credit\n 11 0.00 100.00 0.00 0.00\n 15 0.00 100.00 0.00 0.00");
    }
    // A payment of the last day comes before the cancellation.
    check(TERMS, "pay 11 23:00 100.00", "day left credit\n 10 100.00 0.00\n 11 0.00 100.00");
    // The service fee is given back.
    check(
        "service fee 0.01 | cancel unfulfilled after 10",
        "",
        "day service_fee merchant\n 10 1.00 99.00\n 11 0.00 0.00",
    );
    // Nothing was ever due, so there is no credit record.
    assert_eq!(record("cancel unfulfilled after 10 | notice after 3 flag after 5", ""), "");
}

#[test]
fn a_fulfilment_that_is_reported_later_takes_the_cancellation_back() {
    // Delivered in time but known late; delivered after the cancellation; shipped after the cancellation.
    check(TERMS, "delivered 08 known 14", "day due left\n 11 - 0.00\n 13 - 0.00\n 14 22 100.00");
    check(TERMS, "delivered 14", "day due left\n 11 - 0.00\n 13 - 0.00\n 14 28 100.00");
    check(TERMS, "shipped 14 | delivered 16", "day due left\n 13 - 0.00\n 14 - 100.00\n 16 30 100.00");
    // The payment that became credit pays the order again.
    check(
        TERMS,
        "pay 03 60.00 | delivered 14",
        "day  left    paid   credit
         11   0.00    0.00   60.00
         14   40.00   60.00  0.00",
    );
}

#[test]
fn a_cancelled_order_has_nothing_to_refund_or_extend() {
    let terms = "cancel unfulfilled after 10 | extensions 1 of 7";
    assert_eq!(asked(terms, "", "refund 11 100.00"), "ok", "on the day itself, before it ends");
    assert_eq!(asked(terms, "", "refund 12 0.01"), "REFUND_TOO_MUCH");
    assert_eq!(asked(terms, "shipped 04", "refund 12 100.00"), "ok");
    assert_eq!(asked(terms, "", "extend 12 3"), "EXTENSION_NOT_NEEDED");
}

#[test]
fn the_books_name_the_rule() {
    let story = "pay 03 60.00";
    assert_eq!(
        books("service fee 0.01 | cancel unfulfilled after 10", story, "11"),
        [
            "order 1 assets:receivable:principal liabilities:merchant-payable 100.00",
            "service_fee 0 liabilities:merchant-payable income:service-fee 1.00",
            "service_fee 0 income:service-fee liabilities:merchant-payable 1.00 order:not_fulfilled",
            "payment 1 assets:cash-clearing assets:receivable:principal 60.00 pay-1",
            "refund 0 liabilities:merchant-payable liabilities:customer-credit 60.00 order:not_fulfilled",
            "refund 1 liabilities:merchant-payable assets:receivable:principal 40.00 order:not_fulfilled",
        ]
    );
}
