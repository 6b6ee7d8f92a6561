//! The facts that the rules accept.

use crate::support::timeline::asked;

#[test]
fn a_refund_has_its_window_and_its_limit() {
    let delivered = "delivered 02";
    for (terms, story, refund, answer) in [
        // Thirty days after the clock day.
        ("refunds within 30", delivered, "refund 02 100.00", "ok"),
        ("refunds within 30", delivered, "refund 04-01 100.00", "ok"),
        ("refunds within 30", delivered, "refund 04-02 100.00", "REFUND_TOO_LATE"),
        ("", delivered, "refund 04-30 100.00", "ok"),
        ("refunds within 0", delivered, "refund 02 1.00", "ok"),
        ("refunds within 0", delivered, "refund 03 1.00", "REFUND_TOO_LATE"),
        // The window opens with the clock: the order is not delivered yet, or is automatically confirmed on the 9th.
        ("refunds within 30", "shipped 02", "refund 04-30 100.00", "ok"),
        ("refunds within 5 | clock confirmed by itself 7 after delivered", delivered, "refund 14 1.00", "ok"),
        (
            "refunds within 5 | clock confirmed by itself 7 after delivered",
            delivered,
            "refund 15 1.00",
            "REFUND_TOO_LATE",
        ),
        // The limit is the order's amount less other refunds, in any order of their dates.
        ("", delivered, "refund 05 100.00", "ok"),
        ("", delivered, "refund 05 100.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00", "refund 06 60.00", "ok"),
        ("", "delivered 02 | refund 05 40.00", "refund 06 60.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00", "refund 04 60.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00 | refund 06 60.00", "refund 07 0.01", "REFUND_TOO_MUCH"),
        // Payments do not change the limit.
        ("", "delivered 02 | pay 05 180.00", "refund 06 100.00", "ok"),
        ("", "delivered 02 | pay 05 180.00", "refund 06 100.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | cancelled 05", "refund 06 0.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | cancelled 05", "refund 04 0.01", "REFUND_TOO_MUCH"),
    ] {
        assert_eq!(asked(terms, story, refund), answer, "{terms}: {story}: {refund}");
    }
}

#[test]
fn a_chargeback_has_its_payment_and_its_limit() {
    let paid = "delivered 02 | pay 05 60.00 | pay 06 50.00";
    for (story, chargeback, answer) in [
        (paid, "chargeback 10 60.00 pay-2", "ok"),
        (paid, "chargeback 10 60.01 pay-2", "CHARGEBACK_TOO_MUCH"),
        (paid, "chargeback 10 0.01 pay-3", "ok"),
        // Chargebacks of another payment do not count.
        ("delivered 02 | pay 05 60.00 | pay 06 50.00 | chargeback 07 60.00 pay-2", "chargeback 10 50.00 pay-3", "ok"),
        ("delivered 02 | pay 05 60.00 | chargeback 07 20.00 pay-2", "chargeback 10 40.00 pay-2", "ok"),
        ("delivered 02 | pay 05 60.00 | chargeback 07 20.00 pay-2", "chargeback 06 40.01 pay-2", "CHARGEBACK_TOO_MUCH"),
        (paid, "chargeback 05 60.00 pay-2", "ok"),
        (paid, "chargeback 04 60.00 pay-2", "CHARGEBACK_TOO_EARLY"),
        (paid, "chargeback 10 10.00 pay-9", "UNKNOWN_PAYMENT"),
        ("delivered 02 | refund 05 60.00", "chargeback 10 10.00 refund-2", "UNKNOWN_PAYMENT"),
    ] {
        assert_eq!(asked("", story, chargeback), answer, "{story}: {chargeback}");
    }
}

#[test]
fn an_extension_has_its_limits() {
    let (delivered, once) = ("delivered 02", "delivered 02 | extend 12 3");
    for (terms, story, extension, answer) in [
        ("", delivered, "extend 12 3", "EXTENSION_NOT_OFFERED"),
        // The number of days.
        ("extensions 1 of 7", delivered, "extend 12 1", "ok"),
        ("extensions 1 of 7", delivered, "extend 12 7", "ok"),
        ("extensions 1 of 7", delivered, "extend 12 8", "EXTENSION_TOO_LONG"),
        ("extensions 1 of 7", delivered, "extend 12 0", "EXTENSION_TOO_LONG"),
        // The number of extensions.
        ("extensions 1 of 7", once, "extend 13 3", "EXTENSION_LIMIT"),
        ("extensions 2 of 7", once, "extend 13 3", "ok"),
        ("extensions 2 of 7", "delivered 02 | extend 12 3 | extend 13 3", "extend 14 1", "EXTENSION_LIMIT"),
        // The days before the due date, the 16th.
        ("extensions 1 of 7 within 5", delivered, "extend 10 3", "EXTENSION_TOO_EARLY"),
        ("extensions 1 of 7 within 5", delivered, "extend 11 3", "ok"),
        ("extensions 1 of 7 within 0", delivered, "extend 15 3", "EXTENSION_TOO_EARLY"),
        ("extensions 1 of 7 within 0", delivered, "extend 16 3", "ok"),
        // With an earlier extension, the due date is the 19th.
        ("extensions 2 of 7 within 5", once, "extend 13 3", "EXTENSION_TOO_EARLY"),
        ("extensions 2 of 7 within 5", once, "extend 14 3", "ok"),
        ("extensions 2 of 7 within 5", once, "extend 19 3", "ok"),
        ("extensions 2 of 7 within 5", once, "extend 20 3", "EXTENSION_TOO_LATE"),
        // After the due date.
        ("extensions 1 of 7", delivered, "extend 16 3", "ok"),
        ("extensions 1 of 7", delivered, "extend 17 3", "EXTENSION_TOO_LATE"),
        ("extensions 1 of 7 overdue", delivered, "extend 17 3", "ok"),
        ("extensions 1 of 7 overdue", delivered, "extend 04-30 3", "ok"),
        // Written off at the end of the 26th, so not yet during the 26th.
        ("extensions 1 of 7 overdue | write off after 10", delivered, "extend 26 3", "ok"),
        ("extensions 1 of 7 overdue | write off after 10", delivered, "extend 27 3", "EXTENSION_WRITTEN_OFF"),
        ("extensions 1 of 7 overdue | write off after 10", "delivered 02 | pay 26 99.00", "extend 26 3", "ok"),
        // Nothing is owed: the order is paid, refunded, cancelled, or paid before the write-off.
        ("extensions 1 of 7 overdue", "delivered 02 | pay 12 100.00", "extend 12 3", "EXTENSION_NOT_NEEDED"),
        ("extensions 1 of 7 overdue", "delivered 02 | pay 12 100.00", "extend 11 3", "ok"),
        ("extensions 1 of 7 overdue", "delivered 02 | refund 12 100.00", "extend 13 3", "EXTENSION_NOT_NEEDED"),
        ("extensions 1 of 7 overdue", "delivered 02 | cancelled 12", "extend 13 3", "EXTENSION_NOT_NEEDED"),
        (
            "extensions 1 of 7 overdue | write off after 10",
            "delivered 02 | pay 26 100.00",
            "extend 27 3",
            "EXTENSION_NOT_NEEDED",
        ),
        ("extensions 1 of 7 overdue | fee flat 5.00", "delivered 02 | pay 20 100.00", "extend 21 3", "ok"),
        ("extensions 1 of 7", "delivered 02 | extend 03 3 | pay 12 100.00", "extend 13 3", "EXTENSION_NOT_NEEDED"),
        // There is no due date yet.
        ("extensions 1 of 7 within 5", "shipped 02", "extend 03 3", "ok"),
    ] {
        assert_eq!(asked(terms, story, extension), answer, "{terms}: {story}: {extension}");
    }
}

#[test]
fn everything_else_is_taken() {
    for fact in ["pay 04-30 999.00", "waive 05 999.00", "hold 05 return", "cancelled 05", "shipped 05", "notice 05 1"] {
        assert_eq!(asked("", "delivered 02 | cancelled 04", fact), "ok", "{fact}");
    }
}
