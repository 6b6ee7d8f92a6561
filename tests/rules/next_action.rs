//! The next action: the first day on which anything can change without new facts.

use crate::support::timeline::check;

#[test]
fn the_next_action_is_the_next_day_that_matters() {
    check("", "delivered 02", "day next\n 01 -\n 02 16\n 15 16\n 16 -");
    check("", "delivered 02 | pay 05 100.00", "day next\n 04 16\n 05 -");
    // An order without a fulfilment is reviewed on the day on which the policy lists it.
    check("not fulfilled after 5", "", "day next\n 01 06\n 05 06\n 06 -");
    check("not fulfilled after 5", "delivered 03", "day next\n 02 06\n 03 17");
    check("fee flat 5.00 | grace 3", "delivered 02", "day next\n 02 16\n 16 19\n 19 -");
    check("fee flat 5.00 | grace 3", "delivered 02 | pay 05 100.00", "day next\n 04 16\n 05 -");
    let daily = "order 200.00 | fee daily 0.0005 | grace 3";
    check(daily, "delivered 02 | pay 22 200.20", "day next\n 16 20\n 19 20\n 20 21\n 21 22\n 22 -");
    // After the cap is reached, there is no next action.
    check(&format!("{daily} | cap 0.20"), "delivered 02", "day fee next\n 20 0.10 21\n 21 0.20 -");
    check(
        "order 200.00 | fee flat 0.30 | cap year 0.24",
        "delivered 02",
        "day fee next\n 16 0.00 17\n 18 0.26 19\n 19 0.30 -",
    );
    check("fee steps 0:10.00 7:7.00", "delivered 02", "day next\n 02 16\n 16 23\n 22 23\n 23 -");
    check("fee steps 0:10.00 7:7.00", "delivered 02 | hold 18 to 19 dispute", "day next\n 16 23\n 18 20\n 20 25");
    // 0.05 of a cent a day, rounded to the nearest cent: ten days to the first cent, twenty more to the second.
    check("order 1.00 | fee daily 0.0005", "delivered 02", "day fee next\n 16 0.00 26\n 25 0.00 26\n 26 0.01 04-15");
    // The cap by reference rate allows 12.00 a day, and the cap by amount nothing after 20.00.
    check(
        "order 36500.00 | fee daily 0.01 | cap 20.00 | cap year 4 times each-day 01:0.03",
        "delivered 02",
        "day fee next\n 16 0.00 17\n 17 12.00 18\n 18 20.00 -",
    );
    // 24 % a year of 10.00 is 0.0065… a day: two days to the first cent. With a fixed rate, the next change is known. A
    // rate that can change any day is reviewed every day, but only while it limits a fee of an order that is still
    // owed.
    let small = "order 10.00 | fee flat 0.30";
    for known in ["cap year 0.24", "cap year 4 times order-day 01:0.06"] {
        check(&format!("{small} | {known}"), "delivered 02", "day fee next\n 16 0.00 18\n 17 0.00 18\n 18 0.01 20");
    }
    let published = "cap year 4 times each-day 01:0.06";
    let terms = format!("{small} | {published}");
    check(&terms, "delivered 02", "day fee next\n 15 0.00 16\n 16 0.00 17\n 17 0.00 18\n 18 0.01 19");
    check(&terms, "delivered 02 | pay 19 10.01", "day fee next\n 18 0.01 19\n 19 0.01 -");
    let nothing = "fee flat 5.00 | grace 3 | cap year 4 times each-day 01:0.00";
    check(nothing, "delivered 02", "day fee next\n 16 0.00 19\n 18 0.00 19\n 19 0.00 20\n 20 0.00 21");
    let credit = "notice after 3 flag after 5";
    check(credit, "delivered 02 | notice 20 1", "day next\n 02 16\n 16 19\n 19 -\n 20 25\n 25 -");
    check(credit, "delivered 02 | pay 05 100.00", "day next\n 05 16\n 16 -");
    // Paid late, refunded completely, or written off: there is no notice.
    check(credit, "delivered 02 | pay 18 100.00", "day next\n 17 19\n 18 -");
    check(credit, "delivered 02 | cancelled 05", "day next\n 05 16\n 16 -");
    check(&format!("{credit} | write off after 2"), "delivered 02", "day next\n 16 18\n 18 -");
    // Flagged on the 24th, settled on the 25th, expired ten days later.
    check(
        &format!("{credit} | expires after 10"),
        "delivered 02 | notice 19 1 | pay 25 100.00",
        "day next record\n 19 24 notice_sent\n 24 - flagged\n 25 04-04 settled_late\n 04-04 - expired",
    );
    // Holds begin and end. A fact can be dated ahead.
    check("", "delivered 02 | hold 05 to 07 dispute", "day next\n 04 16\n 05 08\n 08 16");
    check("", "delivered 02 | hold 10 to 12 dispute known 05", "day next\n 05 10\n 10 13\n 13 16");
    check("", "delivered 02 | pay 10 100.00 known 05", "day next left\n 05 10 100.00\n 10 - 0.00");
}
