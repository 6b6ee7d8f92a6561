//! Write-offs and recoveries.

use crate::support::timeline::{books, check};

#[test]
fn an_instalment_is_written_off_after_so_many_days_past_due() {
    let terms = "fee flat 5.00 | write off after 10";
    check(
        terms,
        "delivered 02",
        "day  left    fee   past_due  written_off  bad_debt  income  next
         16   100.00  5.00  0         0.00         0.00      5.00    26
         25   100.00  5.00  9         0.00         0.00      5.00    26
         26   0.00    0.00  10        100.00       100.00    0.00    -
         31   0.00    0.00  10        100.00       100.00    0.00    -",
    );
    // A part of fee and principal was paid: only the rest is written off, and the paid fee stays income.
    check(
        terms,
        "delivered 02 | pay 20 3.00 | pay 21 42.00",
        "day  left   paid   fee   fee_paid  written_off  bad_debt  income
         25   60.00  40.00  5.00  5.00      0.00         0.00      5.00
         26   0.00   40.00  5.00  5.00      60.00        60.00     5.00",
    );
    check(
        terms,
        "delivered 02 | pay 20 3.00",
        "day fee fee_paid income written_off\n 25 5.00 3.00 5.00 0.00\n 26 3.00 3.00 3.00 100.00",
    );
    // Paid on the last day, or one day too late.
    check(
        terms,
        "delivered 02 | pay 26 105.00",
        "day left written_off recovered\n 26 0.00 0.00 0.00\n 27 0.00 0.00 0.00",
    );
    check(terms, "delivered 02 | pay 27 105.00", "day written_off recovered credit\n 27 100.00 100.00 5.00");
    // A daily fee stops growing after ten days of 0.10.
    check(
        "order 200.00 | fee daily 0.0005 | write off after 10",
        "delivered 02",
        "day  fee   written_off  next
         25   0.90  0.00         26
         26   0.00  200.00       -",
    );
    // Days without debt don't count: the 17th and 18th count, then the 22nd to 29th.
    check(
        "write off after 10",
        "delivered 02 | pay 19 100.00 | chargeback 22 100.00 pay-2",
        "day  left    past_due  written_off
         22   100.00  3         0.00
         28   100.00  9         0.00
         29   0.00    10        100.00",
    );
    // No hold stops the write-off.
    check("write off after 10", "delivered 02 | hold 20 hardship", "day written_off\n 25 0.00\n 26 100.00");
    assert_eq!(
        books(terms, "delivered 02 | pay 20 3.00", "26")[1..],
        [
            "payment 1 assets:cash-clearing assets:receivable:late-fee 3.00 pay-2",
            "late_fee 1 assets:receivable:late-fee income:late-fee 5.00",
            "write_off 1 income:late-fee assets:receivable:late-fee 2.00",
            "write_off 1 expenses:bad-debt assets:receivable:principal 100.00",
        ]
    );
}

#[test]
fn what_is_paid_after_a_write_off_is_recovered() {
    let terms = "fee flat 5.00 | write off after 10";
    check(
        terms,
        "delivered 02 | pay 28 30.00 | pay 30 80.00",
        "day  written_off  recovered  recovery  bad_debt  credit  left
         26   100.00       0.00       0.00      100.00    0.00    0.00
         28   100.00       30.00      30.00     100.00    0.00    0.00
         30   100.00       100.00     100.00    100.00    10.00   0.00",
    );
    // A refund reduces the loss, at the merchant's cost.
    check(
        terms,
        "delivered 02 | pay 28 30.00 | refund 29 50.00 | refund 30 50.00",
        "day  written_off  recovered  bad_debt  merchant  credit
         28   100.00       30.00      100.00    100.00    0.00
         29   50.00        30.00      50.00     50.00     0.00
         30   0.00         0.00       0.00      0.00      30.00",
    );
    // A chargeback of a payment from before the write-off increases the loss. A recovery that is charged back no longer
    // counts.
    check(
        terms,
        "delivered 02 | pay 10 40.00 | pay 28 30.00 | chargeback 29 40.00 pay-2 | chargeback 30 30.00 pay-3",
        "day  paid   written_off  recovered  bad_debt  recovery  cash
         28   40.00  60.00        30.00      60.00     30.00     70.00
         29   30.00  70.00        0.00       70.00     0.00      30.00
         30   0.00   100.00       0.00       100.00    0.00      0.00",
    );
    // A waiver of a fee that the write-off already gave up has no effect.
    check(terms, "delivered 02 | waive 28 5.00", "day fee income credit\n 26 0.00 0.00 0.00\n 28 0.00 0.00 0.00");
}

#[test]
fn late_news_takes_a_write_off_back() {
    let terms = "fee flat 5.00 | write off after 10";
    // Paid before the write-off, in full or in part, but known after it.
    check(
        terms,
        "delivered 02 | pay 16 100.00 known 28",
        "day  left  fee   written_off  bad_debt  past_due
         26   0.00  0.00  100.00       100.00    10
         28   0.00  0.00  0.00         0.00      0",
    );
    check(
        terms,
        "delivered 02 | pay 20 45.00 known 28",
        "day  written_off  bad_debt  fee   paid
         26   100.00       100.00    0.00  0.00
         28   60.00        60.00     5.00  40.00",
    );
    // Also paid after the write-off: the recovery is then only 60.00, and the rest of that payment becomes credit.
    check(
        terms,
        "delivered 02 | pay 27 100.00 | pay 20 45.00 known 28",
        "day  recovered  recovery  bad_debt  credit
         27   100.00     100.00    100.00    0.00
         28   60.00      60.00     60.00     40.00",
    );
    // An extension requested in time: due on the 23rd, so the write-off is not before April 2nd.
    check(
        terms,
        "delivered 02 | extend 15 7 known 28",
        "day    left    fee   written_off
         27     0.00    0.00  100.00
         28     100.00  5.00  0.00
         04-01  100.00  5.00  0.00
         04-02  0.00    0.00  100.00",
    );
}

#[test]
fn each_instalment_is_written_off_by_itself() {
    let terms = "clock ordered | instalments 0.5@0 0.5@14 | write off after 20";
    check(
        terms,
        "pay 25 60.00",
        "day    no  left   written_off  recovered
         20     1   50.00  0.00         0.00
         21     1   0.00   50.00        0.00
         21     2   50.00  0.00         0.00
         25     1   0.00   50.00        50.00
         25     2   40.00  0.00         0.00
         04-04  2   0.00   40.00        0.00",
    );
}
