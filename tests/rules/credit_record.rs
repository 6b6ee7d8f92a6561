//! The credit record, step by step.

use crate::support::timeline::{check, record};

#[test]
fn the_credit_record_step_by_step() {
    // Due on the 16th. The notice is due at three days past due, the flag five days after the notice.
    let terms = "notice after 3 flag after 5";
    for (happened, steps) in [
        // Paid in time: a positive record on the due date.
        ("pay 16 100.00", "16 on_time"),
        ("pay 10 100.00", "16 on_time"),
        ("pay 05 40.00 | refund 10 60.00", "16 on_time"),
        ("pay 05 40.00 | pay 16 60.00", "16 on_time"),
        ("pay 10 100.00 | refund 20 100.00", "16 on_time"),
        // Nothing was paid, or everything was refunded.
        ("refund 10 100.00", ""),
        ("cancelled 10", ""),
        ("pay 05 100.00 | refund 10 100.00", ""),
        // Late, but not long enough for a notice.
        ("pay 17 100.00", ""),
        ("pay 18 100.00", ""),
        ("refund 18 100.00", ""),
        // There is no flag unless the notice was sent.
        ("", "19 notice_due"),
        ("pay 19 100.00", ""),
        ("pay 20 100.00", "19 notice_due, 20 clear"),
        ("notice 19 1", "19 notice_due, 19 notice_sent, 24 flagged"),
        ("notice 21 1", "19 notice_due, 21 notice_sent, 26 flagged"),
        ("notice 19 1 | pay 22 99.99", "19 notice_due, 19 notice_sent, 24 flagged"),
        // A notice for another instalment, or from before the notice was due, does not count.
        ("notice 19 2", "19 notice_due"),
        ("notice 18 1", "19 notice_due"),
        ("notice 19 1 | pay 23 100.00", "19 notice_due, 19 notice_sent, 23 clear"),
        ("notice 19 1 | pay 24 100.00", "19 notice_due, 19 notice_sent, 24 clear"),
        ("notice 19 1 | pay 25 100.00", "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late"),
        ("notice 19 1 | pay 25 60.00 | pay 28 40.00", "19 notice_due, 19 notice_sent, 24 flagged, 28 settled_late"),
        // Late news of a payment: in time, before the notice, before the flag, or after the flag.
        ("pay 16 100.00 known 20", "19 notice_due, 20 clear, 20 on_time"),
        ("pay 17 100.00 known 20", "19 notice_due, 20 clear"),
        ("notice 19 1 | pay 23 100.00 known 26", "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected"),
        ("notice 19 1 | pay 25 100.00 known 26", "19 notice_due, 19 notice_sent, 24 flagged, 26 settled_late"),
        (
            "notice 19 1 | pay 25 100.00 | pay 22 100.00 known 28",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 28 corrected",
        ),
        // Late news of an earlier delivery: the payment of the 16th was late.
        ("pay 16 100.00 | delivered 01 known 20", "16 on_time, 20 clear"),
        // An extension ends the steps. Three days past the new due date they start again, with a new notice.
        ("extend 20 5", "19 notice_due, 20 clear, 24 notice_due"),
        ("notice 19 1 | extend 20 5", "19 notice_due, 19 notice_sent, 20 clear, 24 notice_due"),
        (
            "notice 19 1 | extend 20 5 | notice 25 1",
            "19 notice_due, 19 notice_sent, 20 clear, 24 notice_due, 25 notice_sent, 30 flagged",
        ),
        // The new due date is the 26th, so the flag of the 24th was wrong.
        ("notice 19 1 | extend 26 10", "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected, 29 notice_due"),
        // On the day of the flag, the flag is not reported yet: it is withdrawn, not corrected.
        ("notice 19 1 | pay 24 100.00", "19 notice_due, 19 notice_sent, 24 clear"),
        // Charged back after a payment in time: no longer on time, and a notice three days later.
        ("pay 10 100.00 | chargeback 20 100.00 pay-2", "16 on_time, 20 clear, 22 notice_due"),
        ("pay 10 100.00 | chargeback 20 100.00 pay-2 | pay 21 100.00", "16 on_time, 20 clear"),
        ("pay 10 100.00 | chargeback 14 100.00 pay-2", "19 notice_due"),
        ("pay 10 100.00 | chargeback 10 100.00 pay-2", "19 notice_due"),
        // Charged back after it was settled: a new notice before the next flag.
        (
            "notice 19 1 | pay 25 100.00 | chargeback 27 100.00 pay-3",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 27 notice_due",
        ),
        (
            "notice 19 1 | pay 25 100.00 | chargeback 27 100.00 pay-3 | notice 28 1",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 27 notice_due, 28 notice_sent, 04-02 flagged",
        ),
        (
            "notice 19 1 | pay 25 100.00 | chargeback 27 100.00 pay-3 | pay 29 100.00",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 27 notice_due, 29 settled_late",
        ),
        // The same after a correction. A flag can also be corrected while the next notice is running.
        (
            "notice 19 1 | pay 23 100.00 known 26 | chargeback 28 100.00 pay-3",
            "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected, 28 notice_due",
        ),
        (
            "notice 19 1 | pay 25 100.00 | chargeback 27 100.00 pay-3 | pay 16 100.00 known 28",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 27 notice_due, 28 corrected",
        ),
        // A hold delays the steps.
        ("hold 19 to 20 dispute", "21 notice_due"),
        ("notice 19 1 | hold 23 to 25 dispute", "19 notice_due, 19 notice_sent, 26 flagged"),
        ("notice 19 1 | hold 20 to 21 dispute", "19 notice_due, 19 notice_sent, 24 flagged"),
    ] {
        assert_eq!(record(terms, &format!("delivered 02 | {happened}")), steps, "{happened}");
    }
    assert_eq!(record("", "delivered 02 | pay 10 100.00"), "");
    assert_eq!(record(terms, "pay 10 100.00"), "");
    assert_eq!(
        record("notice after 1 flag after 0", "delivered 02 | notice 17 1"),
        "17 notice_due, 17 notice_sent, 17 flagged"
    );
    // A settled record expires ten days after the settlement, even if the payment became known later. An unpaid record
    // does not expire.
    let expiring = "notice after 3 flag after 5 | expires after 10";
    let flagged = "19 notice_due, 19 notice_sent, 24 flagged";
    for (happened, steps) in [
        ("", ""),
        ("pay 25 100.00", ", 25 settled_late, 04-04 expired"),
        ("pay 25 100.00 known 28", ", 28 settled_late, 04-04 expired"),
        ("pay 25 100.00 | chargeback 28 100.00 pay-3", ", 25 settled_late, 28 notice_due"),
        (
            "pay 25 100.00 | chargeback 28 100.00 pay-3 | pay 29 100.00",
            ", 25 settled_late, 28 notice_due, 29 settled_late, 04-08 expired",
        ),
        ("pay 25 100.00 | chargeback 04-06 100.00 pay-3", ", 25 settled_late, 04-04 expired, 04-06 notice_due"),
        ("pay 25 100.00 | hold 04-01 to 04-20 dispute", ", 25 settled_late, 04-04 expired"),
        ("pay 25 100.00 | pay 22 100.00 known 28", ", 25 settled_late, 28 corrected"),
    ] {
        let story = format!("delivered 02 | notice 19 1 | {happened}");
        assert_eq!(record(expiring, &story), format!("{flagged}{steps}"), "{happened}");
    }
    // After a write-off, the record stays, because the customer still owes. But no more notices are sent.
    let lost = "notice after 3 flag after 5 | write off after 12";
    for (happened, steps) in [
        ("notice 19 1", "19 notice_due, 19 notice_sent, 24 flagged"),
        ("notice 19 1 | pay 30 60.00", "19 notice_due, 19 notice_sent, 24 flagged"),
        ("notice 19 1 | pay 30 100.00", "19 notice_due, 19 notice_sent, 24 flagged, 30 settled_late"),
        ("notice 27 1", "19 notice_due, 27 notice_sent, 04-01 flagged"),
        ("", "19 notice_due, 28 clear"),
        ("hold 18 to 31 dispute", ""),
    ] {
        assert_eq!(record(lost, &format!("delivered 02 | {happened}")), steps, "{happened}");
    }
    let free_dispute = "notice after 3 flag after 5 | hold dispute 28 stops contact";
    assert_eq!(record(free_dispute, "delivered 02 | hold 19 to 20 dispute"), "19 notice_due");
}

#[test]
fn each_instalment_has_its_own_record() {
    let terms = "clock ordered | instalments 0.5@0 0.5@14 | notice after 3 flag after 5";
    for (happened, steps) in [
        ("pay 01 50.00 | pay 14 50.00", "01 on_time, 15 no 2 on_time"),
        ("pay 01 50.00 | refund 10 50.00", "01 on_time"),
        ("pay 01 50.00 | notice 18 2", "01 on_time, 18 no 2 notice_due, 18 no 2 notice_sent, 23 no 2 flagged"),
        (
            "notice 04 1 | pay 10 50.00 | pay 15 50.00",
            "04 notice_due, 04 notice_sent, 09 flagged, 10 settled_late, 15 no 2 on_time",
        ),
    ] {
        assert_eq!(record(terms, happened), steps, "{happened}");
    }
}

#[test]
fn several_holds_stop_things_together() {
    // A hardship does not stop mails; a dispute during it does. The hold that began first is shown.
    check(
        "",
        "delivered 02 | hold 05 to 20 hardship | hold 08 to 10 dispute",
        "day  hold      stops
         04   -         -
         05   hardship  fees,credit,debit
         08   hardship  fees,contact,credit,debit
         10   hardship  fees,contact,credit,debit
         11   hardship  fees,credit,debit
         21   -         -",
    );
}
