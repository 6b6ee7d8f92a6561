//! Pay-outs of customer credit.

use crate::support::timeline::{books, check};

#[test]
fn credit_that_is_paid_out_leaves_the_books() {
    // Pays out an overpayment, and then the credit from a waiver.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 109.00 | pay-out 22 4.00 | waive 24 2.00 | pay-out 26 2.00",
        "day  left  fee   fee_paid  credit  cash
         20   0.00  5.00  5.00      4.00    109.00
         22   0.00  5.00  5.00      0.00    105.00
         24   0.00  3.00  3.00      2.00    105.00
         26   0.00  3.00  3.00      0.00    103.00",
    );
    // Two fees of 5.00 are waived after they were paid, and 7.00 of the 10.00 are paid out.
    assert_eq!(
        books(
            "clock ordered | instalments 0.5@0 0.5@7 | fee flat 5.00",
            "pay 10 110.00 | waive 12 10.00 | pay-out 13 7.00",
            "13"
        )[10..],
        [
            "fee_returned 1 assets:receivable:late-fee liabilities:customer-credit 5.00 pay-out-3",
            "fee_returned 2 assets:receivable:late-fee liabilities:customer-credit 3.00",
            "fee_returned 2 assets:receivable:late-fee liabilities:customer-credit 2.00 pay-out-3",
            "pay_out 0 liabilities:customer-credit assets:cash-clearing 7.00 pay-out-3",
        ]
    );
}

#[test]
fn late_news_about_credit_that_was_paid_out_leaves_it_overdrawn() {
    // Late news: the 10.00 no longer existed when they were paid out. 5.00 of them belonged to the fee, which is open
    // until it is paid again. The rest is missing.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 115.00 | pay-out 22 10.00 | chargeback 21 10.00 pay-2 known 23 | pay 25 5.00",
        "day  left  fee   fee_paid  credit  cash
         20   0.00  5.00  5.00      10.00   115.00
         22   0.00  5.00  5.00      0.00    105.00
         23   0.00  5.00  0.00      -5.00   95.00
         25   0.00  5.00  5.00      -5.00   100.00",
    );
    // Missing credit cannot pay a chargeback.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 115.00 | pay-out 22 10.00 | chargeback 21 10.00 pay-2 | chargeback 24 5.00 pay-2",
        "day  left  paid    fee_paid  credit  cash
         22   0.00  100.00  0.00      -5.00   95.00
         24   5.00  95.00   0.00      -5.00   90.00",
    );
    // A chargeback of a payment of which a part was paid out.
    check(
        "",
        "delivered 02 | pay 05 140.00 | pay-out 07 40.00 | chargeback 09 140.00 pay-2",
        "day  left    paid    credit  cash
         05   0.00    100.00  40.00   140.00
         07   0.00    100.00  0.00    100.00
         09   100.00  0.00    -40.00  -40.00",
    );
    // A refund was paid out, and then its payment is charged back. The goods that the customer kept are owed again. The
    // refunded part is not owed, but the customer has its 40.00 twice.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | pay-out 10 40.00 | chargeback 12 100.00 pay-2",
        "day  left    paid    refunded  credit  cash    merchant
         08   0.00    60.00   40.00     40.00   100.00  60.00
         10   0.00    60.00   40.00     0.00    60.00   60.00
         12   60.00   0.00    40.00     -40.00  -40.00  60.00",
    );
}
