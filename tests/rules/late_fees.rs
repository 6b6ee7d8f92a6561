//! Late fees: flat, percentage, daily, steps, tiers, caps, waivers.

use crate::support::timeline::{check, fee_workings};

#[test]
fn a_flat_fee_is_charged_once_at_the_end_of_grace() {
    let flat = "fee flat 5.00 | grace 3";
    check(
        flat,
        "delivered 02",
        "day    due  fee   past_due
         16     16   0.00  0
         18     16   0.00  2
         19     16   5.00  3
         04-30  16   5.00  45",
    );
    check(flat, "delivered 02 | pay 19 100.00", "day left fee past_due\n 19 0.00 0.00 2\n 25 0.00 0.00 2");
    check(
        flat,
        "delivered 02 | pay 20 100.00 | pay 21 5.00",
        "day  left    fee   fee_paid  past_due
         19   100.00  5.00  0.00      3
         20   5.00    5.00  5.00      4
         21   0.00    5.00  5.00      4
         31   0.00    5.00  5.00      4",
    );
    // If one cent is left at the end of grace, the whole fee is charged.
    check(flat, "delivered 02 | pay 10 99.99", "day left fee\n 18 0.01 0.00\n 19 0.01 5.00");
}

#[test]
fn a_percentage_is_of_what_was_left_at_the_end_of_grace() {
    let two = "fee percent 0.02 | grace 3";
    for (happened, on_19, on_20) in [
        ("", "2.00", "2.00"),
        ("| pay 19 50.00", "1.00", "1.00"),
        ("| pay 20 50.00", "2.00", "2.00"),
        ("| refund 18 40.00", "1.20", "1.20"),
        ("| refund 20 40.00", "2.00", "2.00"),
        ("| cancelled 19", "0.00", "0.00"),
        // 2 % of 0.25 is half a cent, which is rounded away from zero.
        ("| pay 10 99.75", "0.01", "0.01"),
        ("| pay 10 99.76", "0.00", "0.00"),
        // Two days of grace under a hold: E(3) is the 21st.
        ("| hold 18 to 19 dispute", "0.00", "0.00"),
    ] {
        let table = format!("day fee\n 18 0.00\n 19 {on_19}\n 20 {on_20}");
        check(two, &format!("delivered 02 {happened}"), &table);
    }
}

#[test]
fn a_daily_fee_adds_up_what_was_left_each_day_and_rounds_once() {
    // 0.10 a day on 200.00, from the day after grace.
    let daily = "order 200.00 | fee daily 0.0005 | grace 3";
    check(
        daily,
        "delivered 02",
        "day    fee   past_due
         19     0.00  3
         20     0.10  4
         21     0.20  5
         31     1.20  15
         04-30  4.20  45",
    );
    // Of the 50.00 on the 22nd, 0.20 pays the fee of the 20th and 21st. Then 0.0005 × (200 + 200 + 150.20 + …):
    // 0.2751, 0.3502, 0.4253.
    check(
        daily,
        "delivered 02 | pay 22 50.00",
        "day  left    paid   fee   fee_paid
         21   200.00  0.00   0.20  0.00
         22   150.20  49.80  0.28  0.20
         23   150.20  49.80  0.35  0.20
         24   150.20  49.80  0.43  0.20",
    );
    // Paid in full with the fee of the day before: no more fee is charged.
    check(
        daily,
        "delivered 02 | pay 22 200.20",
        "day  left  fee   fee_paid  past_due  credit
         22   0.00  0.20  0.20      5         0.00
         31   0.00  0.20  0.20      5         0.00",
    );
    // There is no fee on fees: an unpaid fee does not grow.
    check(
        "principal first | order 200.00 | fee daily 0.0005 | grace 3",
        "delivered 02 | pay 22 200.00",
        "day  left  fee   fee_paid
         22   0.00  0.20  0.00
         31   0.00  0.20  0.00",
    );
    // 0.0005 × 10.01 a day is half a cent and a bit: 0.010010 after two days, 0.015015 after three.
    check(
        "order 10.01 | fee daily 0.0005",
        "delivered 02",
        "day fee
         17  0.01
         18  0.01
         19  0.02",
    );
}

#[test]
fn a_daily_fee_from_the_due_date_counts_the_days_of_grace_too() {
    let from_due = "order 200.00 | fee daily 0.0005 from due | grace 3";
    check(from_due, "delivered 02", "day fee\n 18 0.00\n 19 0.30\n 20 0.40");
    check(from_due, "delivered 02 | pay 19 200.00", "day fee\n 19 0.00\n 31 0.00");
    // 0.0005 × (200 + 100 + 100 + …).
    check(from_due, "delivered 02 | pay 18 100.00", "day fee\n 18 0.00\n 19 0.20\n 20 0.25");
    // E(3) is the 21st; of the days since the 16th, 17, 20 and 21 count.
    check(from_due, "delivered 02 | hold 18 to 19 dispute", "day fee\n 20 0.00\n 21 0.30\n 22 0.40");
}

#[test]
fn days_under_a_fees_hold_count_for_no_fee() {
    let daily = "order 200.00 | fee daily 0.0005 | grace 3";
    // The hold does not stop the days past due.
    check(
        daily,
        "delivered 02 | hold 21 to 23 dispute",
        "day  fee   past_due  hold
         20   0.10  4         -
         21   0.10  5         dispute
         23   0.10  7         dispute
         24   0.20  8         -",
    );
    // In grace: E(3) is 17, 20, 21.
    check(daily, "delivered 02 | hold 18 to 19 hardship", "day fee\n 20 0.00\n 21 0.00\n 22 0.10");
    // A hold that stops no fees.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3 | hold dispute 28 stops contact",
        "delivered 02 | hold 18 to 23 dispute",
        "day fee\n 19 0.00\n 20 0.10\n 24 0.50",
    );
    // A hold that becomes known late takes back the fee of its days.
    check(
        daily,
        "delivered 02 | hold 21 to 23 dispute known 25",
        "day  fee
         20   0.10
         24   0.50
         25   0.30",
    );
}

#[test]
fn the_smallest_cap_wins_and_rounds_down() {
    let daily = "fee daily 0.01";
    for (cap, on_17, on_18, on_19, on_20) in [
        ("", "1.00", "2.00", "3.00", "4.00"),
        ("| cap 2.50", "1.00", "2.00", "2.50", "2.50"),
        // 3.339 % of 100.00, rounded down to the cent.
        ("| cap share 0.03339", "1.00", "2.00", "3.00", "3.33"),
        // 24 % of 100.00 a year is 0.0657… a day.
        ("| cap year 0.24", "0.06", "0.13", "0.19", "0.26"),
        ("| cap 0.15 | cap share 0.5 | cap year 0.24", "0.06", "0.13", "0.15", "0.15"),
        ("| cap share 0.0018 | cap 0.20 | cap year 0.24", "0.06", "0.13", "0.18", "0.18"),
        ("| cap 0.00", "0.00", "0.00", "0.00", "0.00"),
    ] {
        let table = format!("day fee\n 16 0.00\n 17 {on_17}\n 18 {on_18}\n 19 {on_19}\n 20 {on_20}");
        check(&format!("{daily} {cap}"), "delivered 02", &table);
    }
}

#[test]
fn a_fee_tells_which_cap_cut_it() {
    for (cap, on, told) in [
        ("", "15", "0.00"),
        ("", "18", "2.00"),
        ("cap 2.50", "18", "2.00"),
        ("cap 2.50", "19", "2.50 of 3.00, cut by amount"),
        ("cap 3.00", "19", "3.00"),
        ("cap share 0.03339", "20", "3.33 of 4.00, cut by share"),
        ("cap 2.50 | cap year 0.24", "20", "0.26 of 4.00, cut by year"),
        ("cap 2.50 | cap of order", "20", "2.50 of 4.00, cut by amount"),
    ] {
        assert_eq!(fee_workings(&format!("fee daily 0.01 | {cap}"), "delivered 02", on), [told], "{cap} on {on}");
    }
}

#[test]
fn caps_with_payments_and_waivers() {
    // The annual cap is a rate of the instalment as ordered, and stops growing with the days past due: here two.
    check(
        "fee daily 0.01 | cap year 0.24",
        "delivered 02 | pay 18 50.13 | pay 19 100.00",
        "day  left   fee   fee_paid  past_due  credit
         17   100.00 0.06  0.00      1         0.00
         18   49.93  0.13  0.06      2         0.00
         19   0.00   0.13  0.13      2         50.00
         31   0.00   0.13  0.13      2         50.00",
    );
    // A flat fee grows into its annual cap: 200.00 × 24 % is 0.1315… a day.
    check(
        "order 200.00 | fee flat 0.30 | cap year 0.24",
        "delivered 02",
        "day fee
         16  0.00
         17  0.13
         18  0.26
         19  0.30",
    );
    // Waivers reduce the capped total.
    check(
        "fee daily 0.01 | cap 2.50",
        "delivered 02 | waive 18 1.00",
        "day fee
         17  1.00
         18  1.00
         19  1.50
         20  1.50",
    );
}

#[test]
fn steps_are_charged_one_after_the_other_while_something_is_unpaid() {
    let steps = "fee steps 0:10.00 7:7.00";
    for (happened, on_16, on_22, on_23, at_last) in [
        ("", "10.00", "10.00", "17.00", "17.00"),
        ("| pay 16 100.00", "0.00", "0.00", "0.00", "0.00"),
        ("| pay 22 110.00", "10.00", "10.00", "10.00", "10.00"),
        ("| pay 23 110.00", "10.00", "10.00", "10.00", "10.00"),
        ("| pay 24 117.00", "10.00", "10.00", "17.00", "17.00"),
        // Of the 100.00, 10.00 pay the fee, so 10.00 of principal stay open and are charged again a week later.
        ("| pay 22 100.00", "10.00", "10.00", "17.00", "17.00"),
        ("| refund 20 100.00", "10.00", "10.00", "10.00", "10.00"),
        ("| cancelled 15", "0.00", "0.00", "0.00", "0.00"),
        // E(7) is the 25th.
        ("| hold 18 to 19 dispute", "10.00", "10.00", "10.00", "17.00"),
        ("| waive 23 9.00", "10.00", "10.00", "8.00", "8.00"),
    ] {
        let table = format!("day fee\n 15 0.00\n 16 {on_16}\n 22 {on_22}\n 23 {on_23}\n 04-30 {at_last}");
        check(steps, &format!("delivered 02 {happened}"), &table);
    }
    check(&format!("{steps} | cap steps 1"), "delivered 02", "day fee\n 16 10.00\n 23 10.00\n 04-30 10.00");
    // The first step was not charged because everything was paid, so the cap of one step allows the second.
    check(
        &format!("{steps} | cap steps 1"),
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2",
        "day fee\n 16 0.00\n 22 0.00\n 23 7.00\n 04-30 7.00",
    );
    check(&format!("{steps} | cap 12.50"), "delivered 02", "day fee\n 16 10.00\n 23 12.50\n 04-30 12.50");
    // 2 % of 100.00, then 1 % of 52.00: a payment of 50.00 pays the fee of 2.00 first.
    check(
        "fee steps 1:2% 3:1%",
        "delivered 02 | pay 18 50.00",
        "day  fee   fee_paid  left
         16   0.00  0.00      100.00
         17   2.00  0.00      100.00
         18   2.00  2.00      52.00
         19   2.52  2.00      52.00",
    );
}

#[test]
fn what_comes_to_light_about_steps_gives_them_back() {
    let steps = "fee steps 0:10.00 7:7.00";
    // The extension moves the due date to the 21st.
    check(
        steps,
        "delivered 02 | extend 24 5",
        "day  due  fee
         23   16   17.00
         24   21   10.00
         27   21   10.00
         28   21   17.00",
    );
    // Paid in time, but known nine days later.
    check(steps, "delivered 02 | pay 16 100.00 known 25", "day fee past_due\n 24 17.00 8\n 25 0.00 0");
    // A hold of nine days becomes known late: E(7) is nine days later.
    check(
        steps,
        "delivered 02 | hold 17 to 25 dispute known 26",
        "day    fee
         25     17.00
         26     10.00
         31     10.00
         04-01  17.00",
    );
}

#[test]
fn the_tier_of_an_order_decides_its_fee() {
    // The tiers of Afterpay in Australia, for an order with one instalment.
    let tiers = "fee flat 10.00 | cap share 0.25 | tier 40.00 | fee steps 0:10.00 7:7.00 | cap 68.00 | cap share 0.25";
    for (order, on_16, on_23) in [
        ("0.03", "0.00", "0.00"),
        ("20.00", "5.00", "5.00"),
        ("39.00", "9.75", "9.75"),
        // The cap is 9.9975, and caps round down.
        ("39.99", "9.99", "9.99"),
        ("40.00", "10.00", "10.00"),
        ("60.00", "10.00", "15.00"),
        ("67.99", "10.00", "16.99"),
        ("68.00", "10.00", "17.00"),
        ("500.00", "10.00", "17.00"),
    ] {
        let table = format!("day fee\n 15 0.00\n 16 {on_16}\n 23 {on_23}\n 31 {on_23}");
        check(&format!("order {order} | {tiers}"), "delivered 02", &table);
    }
    // The original amount of the order decides the tier: a refund before the due date changes the debt, not the tier.
    check(&format!("order 45.00 | {tiers}"), "delivered 02 | refund 10 20.00", "day fee\n 16 10.00\n 23 11.25");
    // Each tier has its own kind, grace and caps.
    let three = "fee none | tier 50.00 | fee percent 0.02 | grace 2 | tier 100.00 | fee daily 0.001 | cap 0.25";
    for (order, on_16, on_18, on_19) in
        [("49.99", "0.00", "0.00", "0.00"), ("50.00", "0.00", "1.00", "1.00"), ("100.00", "0.00", "0.20", "0.25")]
    {
        let table = format!("day fee\n 16 {on_16}\n 18 {on_18}\n 19 {on_19}");
        check(&format!("order {order} | {three}"), "delivered 02", &table);
    }
}

#[test]
fn a_cap_may_hold_for_all_instalments_of_an_order_together() {
    // Four payments of 40.00, due on the 1st, the 15th, the 29th and April 12th; a quarter of the order is 40.00.
    let four = "clock ordered | order 160.00 | instalments 0.25@0 0.25@14 0.25@28 0.25@42
        | fee steps 0:10.00 7:7.00 | cap 68.00 | cap share 0.25";
    let together = &format!("{four} | cap of order");
    let fourth = |terms: &str, fee: &str| check(terms, "", &format!("day no fee\n 04-19 3 17.00\n 04-19 4 {fee}"));
    fourth(four, "17.00");
    fourth(&format!("{four} | cap share 0.5 | cap of order"), "17.00");
    fourth(&format!("{four} | cap share 0.4 | cap of order"), "13.00");
    check(
        together,
        "",
        "day    no  fee    next
         01     1   10.00  08
         08     1   17.00  15
         15     2   10.00  22
         22     2   17.00  29
         29     1   17.00  04-12
         29     2   17.00  04-12
         29     3   6.00   04-12
         04-12  3   6.00   -
         04-12  4   0.00   -",
    );
    // Late news: the first payment was in time, so the last instalments have more room under the cap.
    check(
        together,
        "pay 01 40.00 known 04-20",
        "day    no  fee
         04-19  1   17.00
         04-19  2   17.00
         04-19  3   6.00
         04-19  4   0.00
         04-20  1   0.00
         04-20  2   17.00
         04-20  3   17.00
         04-20  4   6.00",
    );
    // Waivers reduce the capped fees, earlier instalments first. They make no room for new fees.
    check(
        together,
        "waive 30 20.00",
        "day    no  fee
         30     1   0.00
         30     2   14.00
         30     3   6.00
         04-30  3   6.00
         04-30  4   0.00",
    );
    // A daily fee of 0.40 for each instalment. On the 10th there is room for 0.60, and after that no fee is added.
    check(
        "clock ordered | order 80.00 | instalments 0.5@0 0.5@5 | fee daily 0.01 | cap 5.00 | cap of order",
        "",
        "day  no  fee   next
         06   1   2.00  07
         06   2   0.00  07
         09   1   3.20  10
         09   2   1.20  10
         10   1   3.60  -
         10   2   1.40  -
         31   1   3.60  -
         31   2   1.40  -",
    );
    // The first due date reaches the cap, so the second instalment has no fee.
    check(
        "clock ordered | instalments 0.5@0 0.5@1 | fee flat 10.00 | cap 8.00 | cap of order",
        "",
        "day  no  fee   next
         01   1   8.00  02
         01   2   0.00  02
         05   1   8.00  -
         05   2   0.00  -",
    );
    // The second step of the first instalment, on the 8th, does not take the charge of the 4th from the second
    // instalment.
    check(
        "clock ordered | order 80.00 | instalments 0.5@0 0.5@3 | fee steps 0:10.00 7:7.00 | cap 20.00 | cap of order",
        "",
        "day  no  fee    next
         03   1   10.00  04
         04   1   10.00  -
         04   2   10.00  -
         31   1   10.00  -
         31   2   10.00  -",
    );
}

#[test]
fn fees_given_back_make_room_under_a_cap_of_the_whole_order() {
    // Due on the 1st and the 8th; with the extension, on the 4th and the 11th. So the payment of the 10th comes before
    // the second step of the first instalment. Its 57.00 then pay 10.00 of fee, the 40.00 of the first instalment, and
    // 7.00 of the second.
    check(
        "clock ordered | order 80.00 | instalments 0.5@0 0.5@7 | fee steps 0:10.00 7:7.00 | cap 18.00 | cap of order",
        "pay 10 57.00 | refund 12 40.00 | extend 20 3",
        "day  no  due  left   fee    fee_paid  credit
         08   1   01   40.00  17.00  0.00      0.00
         08   2   08   40.00  1.00   0.00      0.00
         12   1   01   0.00   17.00  17.00     0.00
         12   2   08   0.00   1.00   0.00      0.00
         20   1   04   0.00   10.00  10.00     7.00
         20   2   11   0.00   8.00   0.00      7.00",
    );
}

#[test]
fn an_annual_cap_may_be_a_multiple_of_a_reference_rate() {
    // Four times 3.10 % a year of 365.00 is 0.124 a day, four times 3.00 % is 0.12.
    let cap = |of: &str| format!("order 365.00 | fee daily 0.01 | cap year 4 times {of} 01:0.0310 20:0.0300");
    for (of, on_19, on_20, on_21) in [("each-day", "0.37", "0.49", "0.61"), ("order-day", "0.37", "0.49", "0.62")] {
        let table = format!("day fee\n 16 0.00\n 17 0.12\n 18 0.24\n 19 {on_19}\n 20 {on_20}\n 21 {on_21}");
        check(&cap(of), "delivered 02", &table);
    }
    // An extension moves the days past due, and with them the days whose rates count: only the 21st, 22nd and 23rd.
    check(
        &cap("each-day"),
        "delivered 02 | extend 19 4",
        "day  due  fee
         18   16   0.24
         19   20   0.00
         21   20   0.12
         23   20   0.36",
    );
}

#[test]
fn a_waiver_comes_off_the_fee_and_never_below_zero() {
    let flat = "fee flat 5.00";
    for (waived, on_20, on_21) in [
        ("waive 21 2.00", "5.00", "3.00"),
        ("waive 21 5.00", "5.00", "0.00"),
        ("waive 21 9.00", "5.00", "0.00"),
        ("waive 20 1.00 | waive 21 1.50", "4.00", "2.50"),
        // Waived before there was a fee.
        ("waive 10 2.00", "3.00", "3.00"),
        ("waive 18 2.00 known 21", "5.00", "3.00"),
    ] {
        check(flat, &format!("delivered 02 | {waived}"), &format!("day fee\n 20 {on_20}\n 21 {on_21}"));
    }
}

#[test]
fn a_waived_fee_that_was_paid_comes_back_as_customer_credit() {
    let flat = "fee flat 5.00";
    check(
        flat,
        "delivered 02 | pay 20 105.00 | waive 22 2.00 | waive 23 9.00",
        "day  left  fee   fee_paid  credit
         20   0.00  5.00  5.00      0.00
         22   0.00  3.00  3.00      2.00
         23   0.00  0.00  0.00      5.00",
    );
    // A payment pays the fee owed at the end of the day before. So a waiver on the day of the payment gives the fee
    // back.
    check(
        flat,
        "delivered 02 | pay 20 55.00 | waive 20 5.00",
        "day  left   fee   fee_paid  credit
         20   50.00  0.00  0.00      5.00",
    );
    check(
        flat,
        "delivered 02 | waive 19 5.00 | pay 20 55.00",
        "day  left   fee   fee_paid  credit
         20   45.00  0.00  0.00      0.00",
    );
}
