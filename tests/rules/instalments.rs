//! Orders with several instalments.

use crate::support::timeline::{IN_FOUR, check};

#[test]
fn a_split_gives_every_unit_away() {
    for (terms, amount, parts) in [
        (IN_FOUR, "100.00", ["25.00", "25.00", "25.00", "25.00"]),
        (IN_FOUR, "100.03", ["25.01", "25.01", "25.01", "25.00"]),
        (IN_FOUR, "0.02", ["0.01", "0.01", "0.00", "0.00"]),
        // 4.004, 3.003, 2.002 and 1.001: the remaining cent goes to the largest remainder.
        ("clock ordered | instalments 0.4@0 0.3@1 0.2@2 0.1@3", "10.01", ["4.01", "3.00", "2.00", "1.00"]),
        // 1.5015, 1.5015, 1.5015, 5.5055: of two remaining cents, one goes to the largest remainder and one to the
        // earliest.
        ("clock ordered | instalments 0.15@0 0.15@1 0.15@2 0.55@3", "10.01", ["1.50", "1.50", "1.50", "5.51"]),
    ] {
        let rows: Vec<String> = (1..=4).map(|no| format!("01 {no} {}", parts[no - 1])).collect();
        check(&format!("{terms} | order {amount}"), "", &format!("day no principal\n{}", rows.join("\n")));
    }
    let thirds = "clock ordered | instalments 0.3333@0 0.3333@30 0.3334@60 | order 10.01";
    check(thirds, "", "day no principal\n 01 1 3.34\n 01 2 3.33\n 01 3 3.34");
}

#[test]
fn each_instalment_has_its_own_term_from_the_same_clock_day() {
    check(
        IN_FOUR,
        "extend 20 2",
        "day  no  due
         01   1   01
         01   2   15
         01   3   29
         01   4   04-12
         20   1   03
         20   2   17
         20   3   31
         20   4   04-14",
    );
    // 10 to 12 are in the terms of all instalments but the first.
    check(IN_FOUR, "hold 10 to 12 return", "day no due\n 10 1 01\n 10 2 18\n 10 3 04-01\n 10 4 04-15");
}

#[test]
fn a_payment_goes_to_the_oldest_due_a_refund_to_the_latest() {
    check(
        IN_FOUR,
        "pay 01 25.00 | pay 16 30.00 | refund 20 30.00",
        "day  no  left   paid   refunded  past_due
         16   1   0.00   25.00  0.00      0
         16   2   0.00   25.00  0.00      0
         16   3   20.00  5.00   0.00      0
         16   4   25.00  0.00   0.00      0
         20   3   15.00  5.00   5.00      0
         20   4   0.00   0.00   25.00     0",
    );
    // A refund of more than the principal left: 75.00 of principal, and 15.00 given back.
    check(
        IN_FOUR,
        "pay 01 25.00 | refund 20 90.00",
        "day  no  left  paid   refunded  past_due  credit
         20   1   0.00  10.00  15.00     0         15.00
         20   2   0.00  0.00   25.00     4         15.00
         20   4   0.00  0.00   25.00     0         15.00",
    );
}

#[test]
fn each_instalment_has_its_own_fee_and_the_oldest_is_paid_whole_first() {
    let flat = "clock ordered | instalments 0.5@0 0.5@14 | fee flat 5.00";
    let story = "pay 16 58.00";
    check(
        flat,
        story,
        "day  no  due  left   fee   fee_paid
         01   1   01   50.00  5.00  0.00
         15   1   01   50.00  5.00  0.00
         15   2   15   50.00  5.00  0.00
         16   1   01   0.00   5.00  5.00
         16   2   15   50.00  5.00  3.00",
    );
    check(
        &format!("{flat} | principal first"),
        story,
        "day  no  left   fee_paid
         16   1   0.00   5.00
         16   2   47.00  0.00",
    );
    // 0.10 a day for each instalment. By the 16th the first has 15 days, the second one day. Of the 60.00 on the 17th,
    // 1.50 pays the fee of the first and 58.50 its principal; 1500 + 41.50 at one in a thousand is 1.5415.
    check(
        "clock ordered | instalments 0.5@0 0.5@14 | order 200.00 | fee daily 0.001",
        "pay 17 60.00",
        "day  no  left    fee   fee_paid  past_due
         16   1   100.00  1.50  0.00      15
         16   2   100.00  0.10  0.00      1
         17   1   41.50   1.54  1.50      16
         17   2   100.00  0.20  0.00      2",
    );
    // A waiver belongs to the order and goes to the oldest fees first.
    check(
        flat,
        "waive 05 7.00",
        "day  no  fee
         01   1   5.00
         05   1   0.00
         15   1   0.00
         15   2   3.00",
    );
    // For each instalment, the cap by share is of the order, 1.00, and the cap by annual rate is of the instalment,
    // 0.0657… a day.
    check(
        "clock ordered | instalments 0.5@0 0.5@14 | order 200.00 | fee daily 0.01 | cap share 0.005 | cap year 0.24",
        "",
        "day  no  fee
         02   1   0.06
         16   1   0.98
         17   1   1.00
         17   2   0.13
         31   1   1.00
         31   2   1.00",
    );
}

#[test]
fn an_instalment_of_nothing_is_never_past_due() {
    let terms = format!("{IN_FOUR} | order 0.02 | fee flat 5.00 | notice after 3 flag after 5");
    check(
        &terms,
        "",
        "day    no  due    left  fee   past_due  record
         04-30  1   01     0.01  5.00  60        notice_due
         04-30  4   04-12  0.00  0.00  0         clear",
    );
}
