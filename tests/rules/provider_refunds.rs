//! Refunds that the provider gave back itself.

use crate::support::timeline::{books, check};

#[test]
fn what_the_provider_gave_back_itself_is_cash_and_never_credit() {
    for (story, row) in [
        // left, paid, refunded, credit, cash, merchant
        ("pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3", "0.00 70.00 30.00 0.00 70.00 70.00"),
        // A partial refund of a partly paid order: the goods that the customer kept are owed.
        ("pay 05 60.00 | refund 08 30.00 | gave-back 08 refund-3", "40.00 30.00 30.00 0.00 30.00 70.00"),
        // The order was already refunded: the provider's refund pays out that credit, completely or in part.
        ("pay 05 100.00 | cancelled 07 | refund 08 100.00 | gave-back 08 refund-4", "0.00 0.00 100.00 0.00 0.00 0.00"),
        (
            "pay 05 100.00 | refund 07 30.00 | refund 08 30.00 | gave-back 08 refund-4",
            "0.00 70.00 30.00 0.00 70.00 70.00",
        ),
        (
            "pay 05 100.00 | refund 07 30.00 | refund 08 50.00 | gave-back 08 refund-4",
            "0.00 50.00 50.00 0.00 50.00 50.00",
        ),
        // The bill reports the merchant's own refund as given back, on its day or later.
        ("pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3 known 11", "0.00 70.00 30.00 0.00 70.00 70.00"),
        // Paid twice: the second payment is given back, and the order stays paid.
        (
            "pay 05 100.00 | pay 06 100.00 | refund 08 100.00 | gave-back 08 refund-4",
            "0.00 100.00 0.00 0.00 100.00 100.00",
        ),
        // The payment becomes known later, with an earlier date or a later one.
        ("refund 08 30.00 | gave-back 08 refund-2 | pay 05 100.00 known 10", "0.00 70.00 30.00 0.00 70.00 70.00"),
        ("refund 08 30.00 | gave-back 08 refund-2 | pay 09 100.00", "0.00 70.00 30.00 0.00 70.00 70.00"),
        ("refund 08 30.00 | gave-back 08 refund-2", "70.00 0.00 30.00 -30.00 -30.00 70.00"),
        // The bank also takes the payment back: the customer has 30.00 twice.
        (
            "pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3 | chargeback 10 100.00 pay-2",
            "70.00 0.00 30.00 -30.00 -30.00 70.00",
        ),
        // Paid out by the bank before the bill reports it.
        (
            "pay 05 100.00 | refund 08 30.00 | pay-out 10 30.00 | gave-back 08 refund-3 known 11",
            "0.00 70.00 30.00 -30.00 40.00 70.00",
        ),
    ] {
        let table = format!("day left paid refunded credit cash merchant\n 12 {row}");
        check("", &format!("delivered 02 | {story}"), &table);
    }
    assert_eq!(
        books(
            "",
            "delivered 02 | pay 05 100.00 | cancelled 07 | refund 08 100.00 suspended | gave-back 08 refund-4",
            "08"
        )[1..],
        [
            "payment 1 assets:cash-clearing assets:receivable:principal 100.00 pay-2",
            "refund 0 liabilities:merchant-payable liabilities:customer-credit 100.00 cancelled-3",
            "refund 0 liabilities:customer-credit assets:cash-clearing 100.00 refund-4",
            "refund 0 liabilities:suspense liabilities:merchant-payable 100.00 refund-4",
        ]
    );
}
