//! The rules as tables of days: terms, a story, and what should be true at the end of each day.
//!
//! Every figure here was worked out by hand from the rule's words; none was copied from the program.
//! Columns: `left` principal still owed, `fee` late fee owed in total, `past_due` days past due, `credit` the
//! customer's credit, `record` the credit record, `next` the first day on which anything can change by itself.

#[path = "support/story.rs"]
mod story;

use story::{asked, books, check, due_on, fee_workings, record};

// When it is due

#[test]
fn the_clock_starts_the_term() {
    // 14 days after the clock day; a later event implies the earlier ones.
    for (clock, happened, due) in [
        ("clock ordered", "", "15"),
        ("clock ordered", "delivered 05", "15"),
        ("clock shipped", "", "-"),
        ("clock shipped", "shipped 03", "17"),
        ("clock shipped", "shipped 03 | delivered 05", "17"),
        ("clock shipped", "delivered 05", "19"),
        ("clock shipped", "confirmed 06", "20"),
        ("clock shipped", "delivered 05 | shipped 08", "19"),
        ("clock delivered", "shipped 03", "-"),
        ("clock delivered", "delivered 05", "19"),
        ("clock delivered", "confirmed 06", "20"),
        ("clock delivered", "delivered 05 | confirmed 06", "19"),
        ("clock delivered", "delivered 05 | delivered 04 12:00 known 09", "18"),
        ("clock delivered", "cancelled 04", "-"),
        ("clock confirmed", "delivered 05", "-"),
        ("clock confirmed", "delivered 05 | confirmed 06", "20"),
        ("clock confirmed | term 7", "confirmed 06", "13"),
        ("clock ordered | term 0", "", "01"),
        ("clock ordered | term 60", "", "04-30"),
    ] {
        assert_eq!(due_on(clock, happened), due, "{clock}: {happened}");
    }
}

#[test]
fn receipt_counts_as_confirmed_by_itself() {
    let after_delivery = "clock confirmed by itself 7 after delivered";
    let after_shipping = "clock confirmed by itself 10 after shipped";
    for (clock, happened, due) in [
        (after_delivery, "shipped 03", "-"),
        // 05 + 7 = 12, + 14 = 26.
        (after_delivery, "shipped 03 | delivered 05", "26"),
        (after_delivery, "delivered 05 | confirmed 06", "20"),
        (after_delivery, "delivered 05 | confirmed 12", "26"),
        // Confirmed by hand when it had already counted as confirmed.
        (after_delivery, "delivered 05 | confirmed 14", "26"),
        // Three days of a hold don't count: 05 + 7 + 3 = 15.
        (after_delivery, "delivered 05 | hold 07 to 09 return", "29"),
        // A dispute stops no clock.
        (after_delivery, "delivered 05 | hold 07 to 09 dispute", "26"),
        // A hold after the 12th holds up the term, not the confirmation.
        (after_delivery, "delivered 05 | hold 13 to 14 return", "28"),
        // 03 + 10 = 13, + 14 = 27.
        (after_shipping, "shipped 03 | delivered 05", "27"),
        // What was delivered was shipped: 05 + 10 + 14.
        (after_shipping, "delivered 05", "29"),
    ] {
        assert_eq!(due_on(clock, happened), due, "{clock}: {happened}");
    }
    check(
        after_delivery,
        "delivered 05",
        "day  clock         due  next
         04   -             -    -
         05   -             -    12
         11   -             -    12
         12   12-by-itself  26   26",
    );
    // Whatever is heard of it, at the latest 20 days after the order.
    let after_order = "clock confirmed at the latest 20";
    let whichever = "clock confirmed by itself 7 after delivered at the latest 20";
    for (clock, happened, due) in [
        // 01 + 20 = 21, + 14 = April 4th.
        (after_order, "", "04-04"),
        (after_order, "delivered 05", "04-04"),
        (after_order, "confirmed 06", "20"),
        (after_order, "confirmed 25", "04-04"),
        (whichever, "", "04-04"),
        (whichever, "shipped 03", "04-04"),
        (whichever, "delivered 05", "26"),
        // 16 + 7 = 23 would be later.
        (whichever, "delivered 16", "04-04"),
        // Days of a hold don't count here either.
        (after_order, "hold 03 to 05 return", "04-07"),
    ] {
        assert_eq!(due_on(clock, happened), due, "{clock}: {happened}");
    }
    check(
        after_order,
        "",
        "day  clock         due    next
         01   -             -      21
         20   -             -      21
         21   21-by-itself  04-04  04-04",
    );
    // Confirmed by hand on the very day.
    check(after_delivery, "delivered 05 | confirmed 12", "day clock\n 12 12");
    check(
        after_delivery,
        "delivered 05 | confirmed 06",
        "day  clock  due  next
         05   -      -    12
         06   06     20   20",
    );
}

#[test]
fn an_event_after_the_cut_off_counts_for_the_next_day() {
    for (terms, happened, due) in [
        ("cut-off 22:00", "delivered 05 21:59:59", "19"),
        ("cut-off 22:00", "delivered 05 22:00", "19"),
        ("cut-off 22:00", "delivered 05 22:00:01", "20"),
        ("", "delivered 05 23:59:59", "19"),
        ("cut-off 22:00 | clock ordered", "ordered 01 23:00", "16"),
    ] {
        assert_eq!(due_on(terms, happened), due, "{terms}: {happened}");
    }
    // A payment after the cut-off of the due day is a day late.
    let flat = "cut-off 22:00 | fee flat 5.00";
    check(flat, "delivered 02 | pay 16 22:00 100.00", "day fee left\n 16 0.00 0.00");
    check(flat, "delivered 02 | pay 16 22:01 100.00", "day fee left\n 16 5.00 100.00\n 17 5.00 5.00");
}

#[test]
fn an_extension_adds_its_days() {
    for (happened, due) in [
        ("delivered 02", "16"),
        ("delivered 02 | extend 10 3", "19"),
        ("delivered 02 | extend 10 3 | extend 18 2", "21"),
        ("extend 01 3 | delivered 02", "19"),
        ("delivered 02 | extend 20 7", "23"),
    ] {
        assert_eq!(due_on("", happened), due, "{happened}");
    }
    check("", "delivered 02 | extend 10 3", "day due\n 09 16\n 10 19");
}

#[test]
fn an_extension_rewrites_the_due_date_from_the_start_and_gives_fees_back() {
    let flat = "fee flat 5.00";
    check(
        flat,
        "delivered 02 | extend 18 5",
        "day  due  left    fee   past_due
         15   16   100.00  0.00  0
         16   16   100.00  5.00  0
         17   16   100.00  5.00  1
         18   21   100.00  0.00  0
         20   21   100.00  0.00  0
         21   21   100.00  5.00  0
         22   21   100.00  5.00  1",
    );
    // A fee that was paid comes back too.
    check(
        flat,
        "delivered 02 | pay 17 105.00 | extend 18 5",
        "day  due  left  fee   fee_paid  credit
         17   16   0.00  5.00  5.00      0.00
         18   21   0.00  0.00  0.00      5.00
         21   21   0.00  0.00  0.00      5.00",
    );
    // What went to the fee goes to principal when the fee is taken back.
    check(
        flat,
        "delivered 02 | pay 17 55.00 | extend 18 5",
        "day  left   fee   fee_paid  credit
         17   50.00  5.00  5.00      0.00
         18   45.00  0.00  0.00      0.00
         21   45.00  5.00  0.00      0.00",
    );
    // An extension asked for in time that comes to light late.
    check(
        flat,
        "delivered 02 | extend 15 7 known 20",
        "day  due  fee
         16   16   5.00
         19   16   5.00
         20   23   0.00
         23   23   5.00",
    );
}

#[test]
fn days_under_a_clock_hold_do_not_count() {
    for (terms, happened, due) in [
        ("", "delivered 02 | hold 05 to 07 return", "19"),
        ("", "delivered 02 | hold 05 to 05 return", "17"),
        // It covers the due day and the day after: 15 is day 13, 18 is day 14.
        ("", "delivered 02 | hold 16 to 17 return", "18"),
        ("", "delivered 02 | hold 17 to 20 return", "16"),
        // Only days after the clock day would have counted: of 01 to 03, the 3rd.
        ("", "delivered 02 | hold 01 to 03 return", "17"),
        ("", "hold 01 to 02 return | delivered 02", "16"),
        // Days under two holds are skipped once: 05 to 09.
        ("", "delivered 02 | hold 05 to 07 return | hold 07 to 09 late_delivery", "21"),
        ("", "delivered 02 | hold 05 to 09 return | hold 06 to 07 late_delivery", "21"),
        ("", "delivered 02 | hold 05 to 07 return | hold 10 to 10 late_delivery", "20"),
        // The second hold covers days that the first one pushed the term into.
        ("", "delivered 02 | hold 05 to 07 return | hold 18 to 19 return", "21"),
        // Dispute and hardship stop no clock.
        ("", "delivered 02 | hold 05 to 07 dispute", "16"),
        ("", "delivered 02 | hold 05 to 07 hardship", "16"),
        ("hold dispute 10 stops clock", "delivered 02 | hold 05 to 07 dispute", "19"),
        ("hold return 10 stops fees", "delivered 02 | hold 05 to 07 return", "16"),
        // Without an end: 28 days for a return, 21 for a late delivery, or what the policy says.
        ("", "delivered 02 | hold 05 return", "04-13"),
        ("", "delivered 02 | hold 05 late_delivery", "04-06"),
        ("hold return 10 stops clock", "delivered 02 | hold 05 return", "26"),
        // Extension days are added to the day the term ends on, held or not.
        ("", "delivered 02 | hold 05 to 07 return | extend 06 3", "22"),
        ("", "delivered 02 | extend 10 3 | hold 17 to 18 return", "19"),
    ] {
        assert_eq!(due_on(terms, happened), due, "{terms}: {happened}");
    }
    check(
        "",
        "delivered 02 | hold 05 to 07 return",
        "day  due  hold    next
         04   16   -       16
         05   19   return  08
         07   19   return  08
         08   19   -       19",
    );
}

#[test]
fn a_hold_lasts_as_long_as_the_policy_says() {
    for (terms, reason, last, after) in [
        ("", "return", "04-01", "04-02"),
        ("", "late_delivery", "25", "26"),
        ("", "dispute", "04-01", "04-02"),
        ("", "hardship", "05-03", "05-04"),
        ("hold hardship 10 stops fees", "hardship", "14", "15"),
        ("hold dispute 1 stops fees", "dispute", "05", "06"),
    ] {
        let table = format!("day hold\n 04 -\n 05 {reason}\n {last} {reason}\n {after} -");
        check(terms, &format!("delivered 02 | hold 05 {reason}"), &table);
    }
}

#[test]
fn without_a_clock_event_nothing_is_late_and_payments_are_taken() {
    check(
        "fee flat 5.00 | notice after 3 flag after 5",
        "shipped 03 | pay 05 40.00",
        "day    due  left    fee   past_due  record  credit
         03     -    100.00  0.00  0         clear   0.00
         05     -    60.00   0.00  0         clear   0.00
         04-30  -    60.00   0.00  0         clear   0.00",
    );
    check("", "pay 05 140.00", "day due left credit\n 05 - 0.00 40.00");
}

// Late fees

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
    // A cent short at the end of grace is the whole fee.
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
        // 2 % of 0.25 is half a cent: away from zero.
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
    // Of 50.00 on the 22nd, 0.20 is for the fee of the 20th and 21st. Then 0.0005 × (200 + 200 + 150.20 + …):
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
    // Paid in full with the fee of the day before: nothing more comes.
    check(
        daily,
        "delivered 02 | pay 22 200.20",
        "day  left  fee   fee_paid  past_due  credit
         22   0.00  0.20  0.20      5         0.00
         31   0.00  0.20  0.20      5         0.00",
    );
    // No fee on fees: what is left of the fee does not grow.
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
    // Days past due go on.
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
    // A hold that comes to light late takes back what it covers.
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
    // The annual cap is of the instalment as ordered and stops with the days past due: two of them.
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
    // Waivers come off the capped total.
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
        // Ten of a hundred go to the fee, so ten of the principal stay open, and a week later that is late again.
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
    // The first step found everything paid and was not charged; the one that the cap allows is the second.
    check(
        &format!("{steps} | cap steps 1"),
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2",
        "day fee\n 16 0.00\n 22 0.00\n 23 7.00\n 04-30 7.00",
    );
    check(&format!("{steps} | cap 12.50"), "delivered 02", "day fee\n 16 10.00\n 23 12.50\n 04-30 12.50");
    // 2 % of 100.00; then 1 % of the 52.00 that a payment of 50.00 leaves, as 2.00 of it pay the fee.
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
    // Due on the 21st after all.
    check(
        steps,
        "delivered 02 | extend 24 5",
        "day  due  fee
         23   16   17.00
         24   21   10.00
         27   21   10.00
         28   21   17.00",
    );
    // Paid in time, and known nine days later.
    check(steps, "delivered 02 | pay 16 100.00 known 25", "day fee past_due\n 24 17.00 8\n 25 0.00 0");
    // Nine days that should not have counted: E(7) is nine days later.
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
    // Afterpay's in Australia, for an order in one instalment.
    let tiers = "fee flat 10.00 | cap share 0.25 | tier 40.00 | fee steps 0:10.00 7:7.00 | cap 68.00 | cap share 0.25";
    for (order, on_16, on_23) in [
        ("0.03", "0.00", "0.00"),
        ("20.00", "5.00", "5.00"),
        ("39.00", "9.75", "9.75"),
        // 9.9975, and caps round down.
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
    // The order as it was placed: a refund before the due date changes what is owed, not the tier.
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
    // The first payment had been there all along, so the last ones have more room.
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
    // Waivers come off what the caps leave, earlier instalments first; that makes no room for new fees.
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
    // By the day: 0.40 a day each. On the 10th there is room for 0.60, and then nothing moves any more.
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
    // Reached on the very first due date, and on the 3rd by nothing else.
    check(
        "clock ordered | instalments 0.5@0 0.5@1 | fee flat 10.00 | cap 8.00 | cap of order",
        "",
        "day  no  fee   next
         01   1   8.00  02
         01   2   0.00  02
         05   1   8.00  -
         05   2   0.00  -",
    );
    // What the second instalment was charged on the 4th, the first does not take from it on the 8th.
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
    // Due on the 1st and the 8th; extended, on the 4th and the 11th, so that the payment of the 10th comes before the first
    // one's second step. Of 57.00 it then pays 10.00 of fee, 40.00, and 7.00 of the second instalment.
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
    // Four times 3.10 % of 365.00 a year is 0.124 a day, four times 3.00 % is 0.12.
    let cap = |of: &str| format!("order 365.00 | fee daily 0.01 | cap year 4 times {of} 01:0.0310 20:0.0300");
    for (of, on_19, on_20, on_21) in [("each-day", "0.37", "0.49", "0.61"), ("order-day", "0.37", "0.49", "0.62")] {
        let table = format!("day fee\n 16 0.00\n 17 0.12\n 18 0.24\n 19 {on_19}\n 20 {on_20}\n 21 {on_21}");
        check(&cap(of), "delivered 02", &table);
    }
    // An extension moves the days past due, and with them the rates that count: 21, 22 and 23 only.
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
        // Granted before there was a fee.
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
    // A payment pays the fee owed at the end of the day before, so a waiver of the same day gives it back.
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

// Payments and refunds

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
    // A payment on the day a fee is charged meets no fee: none was owed at the end of the day before.
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
    // Of two payments at one instant, the first by key pays and the second is too much.
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
        // A cancelled order is refunded whole: what earlier refunds have left of it.
        ("cancelled 10", "0.00", "0.00", "100.00", "0.00"),
        ("pay 05 30.00 | cancelled 10", "0.00", "0.00", "100.00", "30.00"),
        ("refund 05 20.00 | cancelled 10", "0.00", "0.00", "100.00", "0.00"),
        ("pay 04 90.00 | refund 05 20.00 | cancelled 10", "0.00", "0.00", "100.00", "90.00"),
        ("cancelled 10 | pay 11 30.00", "0.00", "0.00", "100.00", "30.00"),
        // A cancellation that comes to light after a refund, but happened before it: whole is whole.
        ("refund 05 30.00 | cancelled 04 known 06", "0.00", "0.00", "100.00", "0.00"),
        ("pay 03 50.00 | refund 05 30.00 | cancelled 04 known 06", "0.00", "0.00", "100.00", "50.00"),
    ] {
        let table = format!("day left paid refunded credit\n 12 {left} {paid} {refunded} {credit}");
        check("", &format!("delivered 02 | {happened}"), &table);
    }
    // A fee that was rightly charged and paid is not refunded with the goods.
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
    // Paid on the due day, and known nine days later: no fee, no day past due.
    check(
        flat,
        "delivered 02 | pay 16 100.00 known 25",
        "day  left    fee   past_due
         19   100.00  5.00  3
         24   100.00  5.00  8
         25   0.00    0.00  0",
    );
    // Paid twice over: the later payment is then too much, with the fee it had paid.
    check(
        flat,
        "delivered 02 | pay 20 105.00 | pay 16 100.00 known 25",
        "day  left  fee   fee_paid  credit
         20   0.00  5.00  5.00      0.00
         24   0.00  5.00  5.00      0.00
         25   0.00  0.00  0.00      105.00",
    );
    // A refund before the end of grace makes a percentage smaller; the payment that met the larger fee shifts.
    check(
        "fee percent 0.02 | grace 3",
        "delivered 02 | pay 20 30.00 | refund 18 40.00 known 25",
        "day  left   paid   fee   fee_paid
         20   72.00  28.00  2.00  2.00
         25   31.20  28.80  1.20  1.20",
    );
    // A delivery that comes to light late: the fee of the 20th and 21st comes first after all.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        "delivered 02 known 25 | pay 22 50.00",
        "day  due  left    fee   fee_paid  past_due
         24   -    150.00  0.00  0.00      0
         25   16   150.20  0.50  0.20      9",
    );
    // A refund dated before the payment takes principal first; the payment is then partly too much.
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
    // 0.6 % of what is left of the order after refunds; payments and late fees are no matter.
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
    // All of it leaves suspense, even if the order was refunded whole before.
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

// Chargebacks

#[test]
fn a_payment_that_is_taken_back_reopens_the_position_from_that_day_on() {
    // Paid on the 10th, taken back on the 20th: the due date stays, and only days on which something was owed count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2",
        "day  due  left    paid    past_due  cash
         10   16   0.00    100.00  0         100.00
         19   16   0.00    100.00  0         100.00
         20   16   100.00  0.00    1         0.00
         25   16   100.00  0.00    6         0.00",
    );
    // Paid late, taken back, paid again: 17 and 18, then 22 to 24.
    check(
        "",
        "delivered 02 | pay 19 100.00 | chargeback 22 100.00 pay-2 | pay 25 100.00",
        "day  left    past_due
         18   100.00  2
         19   0.00    2
         21   0.00    2
         22   100.00  3
         24   100.00  5
         25   0.00    5
         31   0.00    5",
    );
    // Taken back before it was due, or on the day it was paid, or only in part.
    check(
        "",
        "delivered 02 | pay 05 100.00 | chargeback 08 100.00 pay-2",
        "day left past_due\n 08 100.00 0\n 17 100.00 1",
    );
    check("", "delivered 02 | pay 10 09:00 100.00 | chargeback 10 08:00 30.00 pay-2", "day left paid\n 10 30.00 70.00");
    check("", "delivered 02 | pay 10 100.00 | chargeback 20 25.00 pay-2", "day left paid past_due\n 20 25.00 75.00 1");
    // It comes to light late: the days since it happened count.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 20 100.00 pay-2 known 23",
        "day  left    past_due
         22   0.00    0
         23   100.00  4",
    );
    // Between chargeback and payment nothing is paid twice: the second payment is not too much.
    check(
        "",
        "delivered 02 | pay 10 100.00 | chargeback 12 100.00 pay-2 | pay 14 100.00",
        "day left credit\n 14 0.00 0.00",
    );
}

#[test]
fn fees_after_a_chargeback_count_what_was_paid_in_between_as_paid() {
    let story = "delivered 02 | pay 10 200.00 | chargeback 25 200.00 pay-2";
    // Paid at the end of grace: nothing once for all, whatever happens later.
    for once in ["fee flat 5.00 | grace 3", "fee percent 0.02 | grace 3", "fee daily 0.0005 from due | grace 3"] {
        check(
            &format!("order 200.00 | {once}"),
            story,
            "day fee left\n 19 0.00 0.00\n 25 0.00 200.00\n 31 0.00 200.00",
        );
    }
    // By the day, 0.10 for each day on which something is owed.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        story,
        "day  fee   left    next
         19   0.00  0.00    -
         24   0.00  0.00    -
         25   0.10  200.00  26
         26   0.20  200.00  27",
    );
    // 20 and 21 before the payment, 25 and on after it. What was paid of the fee is taken back with the rest.
    check(
        "order 200.00 | fee daily 0.0005 | grace 3",
        "delivered 02 | pay 22 200.20 | chargeback 25 200.20 pay-2",
        "day  fee   fee_paid  left    past_due
         22   0.20  0.20      0.00    5
         24   0.20  0.20      0.00    5
         25   0.30  0.00      200.00  6
         26   0.40  0.00      200.00  7",
    );
    // The annual cap counts the same days: 0.1315… a day.
    check(
        "order 200.00 | fee daily 0.01 | cap year 0.24",
        "delivered 02 | pay 18 200.13 | chargeback 20 200.13 pay-2",
        "day  fee   past_due
         17   0.13  1
         18   0.13  1
         19   0.13  1
         20   0.26  2",
    );
}

#[test]
fn a_chargeback_undoes_what_payments_did_last_things_first() {
    // What was paid too much goes first, whichever payment is taken back.
    check(
        "",
        "delivered 02 | pay 05 100.00 | pay 06 100.00 | chargeback 08 100.00 pay-2 | chargeback 10 100.00 pay-3",
        "day  left    paid    credit  cash
         06   0.00    100.00  100.00  200.00
         08   0.00    100.00  0.00    100.00
         10   100.00  0.00    0.00    0.00",
    );
    // What a refund gave back is no credit any more, and the goods are refunded all the same.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | chargeback 12 100.00 pay-2",
        "day  left   paid    refunded  credit  merchant
         08   0.00   60.00   40.00     40.00   60.00
         12   60.00  0.00    40.00     0.00    60.00",
    );
    check(
        "",
        "delivered 02 | pay 05 100.00 | cancelled 08 | chargeback 12 100.00 pay-2",
        "day  left  paid    refunded  credit  merchant
         08   0.00  0.00    100.00    100.00  0.00
         12   0.00  0.00    100.00    0.00    0.00",
    );
    // Of 40.00 that a refund gave back, 30.00 are taken back. What is paid too much later goes before the rest.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | chargeback 10 30.00 pay-2 | pay 11 25.00 | chargeback 12 25.00 pay-5",
        "day  left  paid    refunded  credit
         08   0.00  60.00   40.00     40.00
         10   0.00  60.00   40.00     10.00
         11   0.00  60.00   40.00     35.00
         12   0.00  60.00   40.00     10.00",
    );
    // Later that day the second payment is made; its chargeback, which was told for noon, cannot come before it.
    check(
        "",
        "delivered 02 | pay 10 09:00 10.00 | pay 10 15:00 90.00 | chargeback 10 90.00 pay-3",
        "day  left   paid   credit\n 10 90.00 10.00 0.00",
    );
    // Fee first is undone principal first, and the other way round.
    for (terms, left, fee_paid) in [("", "60.00", "5.00"), ("principal first |", "55.00", "0.00")] {
        check(
            &format!("{terms} fee flat 5.00"),
            "delivered 02 | pay 20 105.00 | chargeback 25 60.00 pay-2",
            &format!("day left fee_paid\n 20 0.00 5.00\n 25 {left} {fee_paid}"),
        );
    }
    // Of several instalments, the one due last.
    check(
        IN_FOUR,
        "pay 01 25.00 | pay 14 30.00 | chargeback 20 25.00 pay-1",
        "day  no  left   paid   past_due
         14   2   0.00   25.00  0
         14   3   20.00  5.00   0
         20   1   0.00   25.00  0
         20   2   20.00  5.00   1
         20   3   25.00  0.00   0",
    );
    assert_eq!(
        books("fee flat 5.00", "delivered 02 | pay 20 109.00 | chargeback 25 109.00 pay-2 suspended", "25")[2..],
        [
            "payment 1 assets:cash-clearing assets:receivable:principal 100.00 pay-2",
            "payment 1 assets:cash-clearing assets:receivable:late-fee 5.00 pay-2",
            "chargeback 0 liabilities:customer-credit liabilities:suspense 4.00 chargeback-3",
            "chargeback 1 assets:receivable:principal liabilities:suspense 100.00 chargeback-3",
            "chargeback 1 assets:receivable:late-fee liabilities:suspense 5.00 chargeback-3",
            "late_fee 1 assets:receivable:late-fee income:late-fee 5.00",
        ]
    );
}

#[test]
fn a_chargeback_takes_credit_from_a_returned_fee_first() {
    // The waiver may come on the day of the chargeback, or the extension that takes the fee back.
    for (story, left) in [
        ("pay 20 105.00 | waive 22 5.00 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | waive 25 5.00 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | extend 22 7 | chargeback 25 50.00 pay-2", "45.00"),
        ("pay 20 105.00 | waive 22 2.00 | chargeback 25 50.00 pay-2", "48.00"),
        ("pay 20 105.00 | waive 22 5.00 | chargeback 25 3.00 pay-2", "0.00"),
    ] {
        let credit = if left == "0.00" { "2.00" } else { "0.00" };
        let table = format!("day left credit\n 25 {left} {credit}");
        check("fee flat 5.00", &format!("delivered 02 | {story}"), &table);
    }
}

#[test]
fn a_chargeback_of_what_a_refund_had_settled_is_overdrawn_credit() {
    for (story, row) in [
        // The goods went back and the credit was paid out: nothing is owed again.
        ("refund 08 100.00 | pay-out 10 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 -100.00"),
        ("cancelled 08 | pay-out 10 100.00 | chargeback 12 60.00 pay-2", "0.00 0.00 100.00 -60.00"),
        ("refund 08 40.00 | pay-out 10 40.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -40.00"),
        ("refund 08 40.00 | pay-out 10 15.00 | chargeback 12 100.00 pay-2", "60.00 0.00 40.00 -15.00"),
        // Not paid out yet, it is there to be taken.
        ("refund 08 100.00 | chargeback 12 100.00 pay-2", "0.00 0.00 100.00 0.00"),
    ] {
        let table = format!("day left paid refunded credit\n 12 {row}");
        check("", &format!("delivered 02 | pay 05 100.00 | {story}"), &table);
    }
}

// Refunds that the provider gave back itself

#[test]
fn what_the_provider_gave_back_itself_is_cash_and_never_credit() {
    for (story, row) in [
        // left, paid, refunded, credit, cash, merchant
        ("pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3", "0.00 70.00 30.00 0.00 70.00 70.00"),
        // A part of an order that was paid in part: the goods that were kept are owed.
        ("pay 05 60.00 | refund 08 30.00 | gave-back 08 refund-3", "40.00 30.00 30.00 0.00 30.00 70.00"),
        // The order was refunded before: it pays out that credit, all of it or a part.
        ("pay 05 100.00 | cancelled 07 | refund 08 100.00 | gave-back 08 refund-4", "0.00 0.00 100.00 0.00 0.00 0.00"),
        (
            "pay 05 100.00 | refund 07 30.00 | refund 08 30.00 | gave-back 08 refund-4",
            "0.00 70.00 30.00 0.00 70.00 70.00",
        ),
        (
            "pay 05 100.00 | refund 07 30.00 | refund 08 50.00 | gave-back 08 refund-4",
            "0.00 50.00 50.00 0.00 50.00 50.00",
        ),
        // The bill says it of the merchant's own refund, on the day or later.
        ("pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3 known 11", "0.00 70.00 30.00 0.00 70.00 70.00"),
        // Paid twice: the second payment goes back, and the order stays paid.
        (
            "pay 05 100.00 | pay 06 100.00 | refund 08 100.00 | gave-back 08 refund-4",
            "0.00 100.00 0.00 0.00 100.00 100.00",
        ),
        // The payment becomes known later, with an earlier date or a later one.
        ("refund 08 30.00 | gave-back 08 refund-2 | pay 05 100.00 known 10", "0.00 70.00 30.00 0.00 70.00 70.00"),
        ("refund 08 30.00 | gave-back 08 refund-2 | pay 09 100.00", "0.00 70.00 30.00 0.00 70.00 70.00"),
        ("refund 08 30.00 | gave-back 08 refund-2", "70.00 0.00 30.00 -30.00 -30.00 70.00"),
        // The bank takes the payment back as well: the customer has 30.00 twice.
        (
            "pay 05 100.00 | refund 08 30.00 | gave-back 08 refund-3 | chargeback 10 100.00 pay-2",
            "70.00 0.00 30.00 -30.00 -30.00 70.00",
        ),
        // Paid out by the bank before the bill said so.
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

// Credit that is paid out

#[test]
fn credit_that_is_paid_out_leaves_the_books() {
    // What was paid too much, and then what a waiver made too much.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 109.00 | pay-out 22 4.00 | waive 24 2.00 | pay-out 26 2.00",
        "day  left  fee   fee_paid  credit  cash
         20   0.00  5.00  5.00      4.00    109.00
         22   0.00  5.00  5.00      0.00    105.00
         24   0.00  3.00  3.00      2.00    105.00
         26   0.00  3.00  3.00      0.00    103.00",
    );
    // Two fees of 5.00 are waived after they were paid, and 7.00 of the 10.00 go back.
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
    // The 10.00 were not there any more when they were paid out: 5.00 of them were the fee's, which is open again until
    // it is paid once more, and the rest is missing.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 115.00 | pay-out 22 10.00 | chargeback 21 10.00 pay-2 known 23 | pay 25 5.00",
        "day  left  fee   fee_paid  credit  cash
         20   0.00  5.00  5.00      10.00   115.00
         22   0.00  5.00  5.00      0.00    105.00
         23   0.00  5.00  0.00      -5.00   95.00
         25   0.00  5.00  5.00      -5.00   100.00",
    );
    // What is missing pays for no chargeback.
    check(
        "fee flat 5.00",
        "delivered 02 | pay 20 115.00 | pay-out 22 10.00 | chargeback 21 10.00 pay-2 | chargeback 24 5.00 pay-2",
        "day  left  paid    fee_paid  credit  cash
         22   0.00  100.00  0.00      -5.00   95.00
         24   5.00  95.00   0.00      -5.00   90.00",
    );
    // A payment is taken back of which a part was paid out.
    check(
        "",
        "delivered 02 | pay 05 140.00 | pay-out 07 40.00 | chargeback 09 140.00 pay-2",
        "day  left    paid    credit  cash
         05   0.00    100.00  40.00   140.00
         07   0.00    100.00  0.00    100.00
         09   100.00  0.00    -40.00  -40.00",
    );
    // A refund was paid out, and the payment it gave back is taken back: the goods that were kept are owed again. What
    // the refund had settled is not, but the customer has its 40.00 twice.
    check(
        "",
        "delivered 02 | pay 05 100.00 | refund 08 40.00 | pay-out 10 40.00 | chargeback 12 100.00 pay-2",
        "day  left    paid    refunded  credit  cash    merchant
         08   0.00    60.00   40.00     40.00   100.00  60.00
         10   0.00    60.00   40.00     0.00    60.00   60.00
         12   60.00   0.00    40.00     -40.00  -40.00  60.00",
    );
}

// Write-off and recovery

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
    // A part of both was paid: only the rest is lost, and what was paid of the fee stays earned.
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
    // Paid on the last day, or a day too late.
    check(
        terms,
        "delivered 02 | pay 26 105.00",
        "day left written_off recovered\n 26 0.00 0.00 0.00\n 27 0.00 0.00 0.00",
    );
    check(terms, "delivered 02 | pay 27 105.00", "day written_off recovered credit\n 27 100.00 100.00 5.00");
    // A fee by the day stops growing: ten days of 0.10 and nothing more.
    check(
        "order 200.00 | fee daily 0.0005 | write off after 10",
        "delivered 02",
        "day  fee   written_off  next
         25   0.90  0.00         26
         26   0.00  200.00       -",
    );
    // Days on which nothing was owed don't count: 17, 18, then 22 to 29.
    check(
        "write off after 10",
        "delivered 02 | pay 19 100.00 | chargeback 22 100.00 pay-2",
        "day  left    past_due  written_off
         22   100.00  3         0.00
         28   100.00  9         0.00
         29   0.00    10        100.00",
    );
    // No hold stops it.
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
    // A refund makes the loss smaller: the merchant bears it.
    check(
        terms,
        "delivered 02 | pay 28 30.00 | refund 29 50.00 | refund 30 50.00",
        "day  written_off  recovered  bad_debt  merchant  credit
         28   100.00       30.00      100.00    100.00    0.00
         29   50.00        30.00      50.00     50.00     0.00
         30   0.00         0.00       0.00      0.00      30.00",
    );
    // A payment from before the write-off that is taken back makes it larger, a recovery that is taken back is none.
    check(
        terms,
        "delivered 02 | pay 10 40.00 | pay 28 30.00 | chargeback 29 40.00 pay-2 | chargeback 30 30.00 pay-3",
        "day  paid   written_off  recovered  bad_debt  recovery  cash
         28   40.00  60.00        30.00      60.00     30.00     70.00
         29   30.00  70.00        0.00       70.00     0.00      30.00
         30   0.00   100.00       0.00       100.00    0.00      0.00",
    );
    // A waiver of the fee that was given up gives nothing up twice.
    check(terms, "delivered 02 | waive 28 5.00", "day fee income credit\n 26 0.00 0.00 0.00\n 28 0.00 0.00 0.00");
}

#[test]
fn late_news_takes_a_write_off_back() {
    let terms = "fee flat 5.00 | write off after 10";
    // Paid before it, in full or in part, and known after it.
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
    // Paid afterwards as well: what was recovered is then the payment that it would have been.
    check(
        terms,
        "delivered 02 | pay 27 100.00 | pay 20 45.00 known 28",
        "day  recovered  recovery  bad_debt  credit
         27   100.00     100.00    100.00    0.00
         28   60.00      60.00     60.00     40.00",
    );
    // An extension that was asked for in time: due on the 23rd, so not written off before April 2nd.
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

// Several instalments

const IN_FOUR: &str = "clock ordered | instalments 0.25@0 0.25@14 0.25@28 0.25@42";

#[test]
fn a_split_gives_every_unit_away() {
    for (terms, amount, parts) in [
        (IN_FOUR, "100.00", ["25.00", "25.00", "25.00", "25.00"]),
        (IN_FOUR, "100.03", ["25.01", "25.01", "25.01", "25.00"]),
        (IN_FOUR, "0.02", ["0.01", "0.01", "0.00", "0.00"]),
        // 4.004, 3.003, 2.002 and 1.001: the cent left goes to the largest remainder.
        ("clock ordered | instalments 0.4@0 0.3@1 0.2@2 0.1@3", "10.01", ["4.01", "3.00", "2.00", "1.00"]),
        // 1.5015, 1.5015, 1.5015, 5.5055: of two cents left, one to the largest remainder, one to the earliest.
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
    // 10 to 12 lie within the terms of all but the first.
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
    // Beyond what is left: 75.00 of principal, 15.00 given back.
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
    // 0.10 a day each. By the 16th the first has had 15 days, the second one. Of 60.00 on the 17th, 1.50 is for
    // the first one's fee and 58.50 for its principal; 1500 + 41.50 at one in a thousand is 1.5415.
    check(
        "clock ordered | instalments 0.5@0 0.5@14 | order 200.00 | fee daily 0.001",
        "pay 17 60.00",
        "day  no  left    fee   fee_paid  past_due
         16   1   100.00  1.50  0.00      15
         16   2   100.00  0.10  0.00      1
         17   1   41.50   1.54  1.50      16
         17   2   100.00  0.20  0.00      2",
    );
    // A waiver is the order's and goes to the oldest fees first.
    check(
        flat,
        "waive 05 7.00",
        "day  no  fee
         01   1   5.00
         05   1   0.00
         15   1   0.00
         15   2   3.00",
    );
    // The share is of the order, the annual rate of the instalment: 1.00 and 0.0657… a day, for each.
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

// Credit impact

#[test]
fn the_credit_record_step_by_step() {
    // Due on the 16th; notice at three days past due, flag five days after the notice.
    let terms = "notice after 3 flag after 5";
    for (happened, steps) in [
        // In time: a positive record on the due date.
        ("pay 16 100.00", "16 on_time"),
        ("pay 10 100.00", "16 on_time"),
        ("pay 05 40.00 | refund 10 60.00", "16 on_time"),
        ("pay 05 40.00 | pay 16 60.00", "16 on_time"),
        ("pay 10 100.00 | refund 20 100.00", "16 on_time"),
        // Nothing of it was paid, or all was refunded.
        ("refund 10 100.00", ""),
        ("cancelled 10", ""),
        ("pay 05 100.00 | refund 10 100.00", ""),
        // Late, but not long enough for a notice.
        ("pay 17 100.00", ""),
        ("pay 18 100.00", ""),
        ("refund 18 100.00", ""),
        // No flag without a notice that was sent.
        ("", "19 notice_due"),
        ("pay 19 100.00", ""),
        ("pay 20 100.00", "19 notice_due, 20 clear"),
        ("notice 19 1", "19 notice_due, 19 notice_sent, 24 flagged"),
        ("notice 21 1", "19 notice_due, 21 notice_sent, 26 flagged"),
        ("notice 19 1 | pay 22 99.99", "19 notice_due, 19 notice_sent, 24 flagged"),
        // A notice of another instalment, or from before it was due, is none.
        ("notice 19 2", "19 notice_due"),
        ("notice 18 1", "19 notice_due"),
        ("notice 19 1 | pay 23 100.00", "19 notice_due, 19 notice_sent, 23 clear"),
        ("notice 19 1 | pay 24 100.00", "19 notice_due, 19 notice_sent, 24 clear"),
        ("notice 19 1 | pay 25 100.00", "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late"),
        ("notice 19 1 | pay 25 60.00 | pay 28 40.00", "19 notice_due, 19 notice_sent, 24 flagged, 28 settled_late"),
        // Late news: it had been paid in time, before the notice, before the flag, or after it.
        ("pay 16 100.00 known 20", "19 notice_due, 20 clear, 20 on_time"),
        ("pay 17 100.00 known 20", "19 notice_due, 20 clear"),
        ("notice 19 1 | pay 23 100.00 known 26", "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected"),
        ("notice 19 1 | pay 25 100.00 known 26", "19 notice_due, 19 notice_sent, 24 flagged, 26 settled_late"),
        (
            "notice 19 1 | pay 25 100.00 | pay 22 100.00 known 28",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 28 corrected",
        ),
        // The delivery was earlier than known: paid on the 16th was late after all.
        ("pay 16 100.00 | delivered 01 known 20", "16 on_time, 20 clear"),
        // An extension ends it, and three days past the new due date it begins anew, with a notice of its own.
        ("extend 20 5", "19 notice_due, 20 clear, 24 notice_due"),
        ("notice 19 1 | extend 20 5", "19 notice_due, 19 notice_sent, 20 clear, 24 notice_due"),
        (
            "notice 19 1 | extend 20 5 | notice 25 1",
            "19 notice_due, 19 notice_sent, 20 clear, 24 notice_due, 25 notice_sent, 30 flagged",
        ),
        // With the due date rewritten to the 26th, the flag of the 24th was wrong.
        ("notice 19 1 | extend 26 10", "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected, 29 notice_due"),
        // On the day of the flag itself nobody has seen it yet: it is withdrawn, not corrected.
        ("notice 19 1 | pay 24 100.00", "19 notice_due, 19 notice_sent, 24 clear"),
        // Taken back after it had been paid in time: on time no more, and three days later a notice.
        ("pay 10 100.00 | chargeback 20 100.00 pay-2", "16 on_time, 20 clear, 22 notice_due"),
        ("pay 10 100.00 | chargeback 20 100.00 pay-2 | pay 21 100.00", "16 on_time, 20 clear"),
        ("pay 10 100.00 | chargeback 14 100.00 pay-2", "19 notice_due"),
        ("pay 10 100.00 | chargeback 10 100.00 pay-2", "19 notice_due"),
        // Taken back after it was settled: a notice of its own before the next flag.
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
        // After a correction, too; and a flag is still found wrong while the next notice is under way.
        (
            "notice 19 1 | pay 23 100.00 known 26 | chargeback 28 100.00 pay-3",
            "19 notice_due, 19 notice_sent, 24 flagged, 26 corrected, 28 notice_due",
        ),
        (
            "notice 19 1 | pay 25 100.00 | chargeback 27 100.00 pay-3 | pay 16 100.00 known 28",
            "19 notice_due, 19 notice_sent, 24 flagged, 25 settled_late, 27 notice_due, 28 corrected",
        ),
        // A hold puts the steps off.
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
    // A settled record runs out so long after it was settled, by what is known of that; an unpaid one does not.
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
    // Written off, the record stays: the customer still owes. But nobody is given notice any more.
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
    // A hardship lets mails go; a dispute in its midst does not. The one that began first is shown.
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

// The first day on which anything can change by itself

#[test]
fn the_next_action_is_the_next_day_that_matters() {
    check("", "delivered 02", "day next\n 01 -\n 02 16\n 15 16\n 16 -");
    check("", "delivered 02 | pay 05 100.00", "day next\n 04 16\n 05 -");
    // An order of which nothing is heard is looked at on the day on which that is too long.
    check("not fulfilled after 5", "", "day next\n 01 06\n 05 06\n 06 -");
    check("not fulfilled after 5", "delivered 03", "day next\n 02 06\n 03 17");
    check("fee flat 5.00 | grace 3", "delivered 02", "day next\n 02 16\n 16 19\n 19 -");
    check("fee flat 5.00 | grace 3", "delivered 02 | pay 05 100.00", "day next\n 04 16\n 05 -");
    let daily = "order 200.00 | fee daily 0.0005 | grace 3";
    check(daily, "delivered 02 | pay 22 200.20", "day next\n 16 20\n 19 20\n 20 21\n 21 22\n 22 -");
    // Once the cap is reached, nothing more comes.
    check(&format!("{daily} | cap 0.20"), "delivered 02", "day fee next\n 20 0.10 21\n 21 0.20 -");
    check(
        "order 200.00 | fee flat 0.30 | cap year 0.24",
        "delivered 02",
        "day fee next\n 16 0.00 17\n 18 0.26 19\n 19 0.30 -",
    );
    check("fee steps 0:10.00 7:7.00", "delivered 02", "day next\n 02 16\n 16 23\n 22 23\n 23 -");
    check("fee steps 0:10.00 7:7.00", "delivered 02 | hold 18 to 19 dispute", "day next\n 16 23\n 18 20\n 20 25");
    // Half a hundredth of a cent a day: ten days to the first cent, twenty more to the second.
    check("order 1.00 | fee daily 0.0005", "delivered 02", "day fee next\n 16 0.00 26\n 25 0.00 26\n 26 0.01 04-15");
    // A cap that follows a reference rate lets 12.00 a day through, and the other one nothing more after 20.00.
    check(
        "order 36500.00 | fee daily 0.01 | cap 20.00 | cap year 4 times each-day 01:0.03",
        "delivered 02",
        "day fee next\n 16 0.00 17\n 17 12.00 18\n 18 20.00 -",
    );
    // 24 % of 10.00 a year are 0.0065… a day: two days to the first cent. A rate that is known for good can be waited for;
    // one that may be published any day is looked at every day, but only while it cuts a fee that somebody owes.
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
    // Paid late, refunded whole, or written off: there will be no notice.
    check(credit, "delivered 02 | pay 18 100.00", "day next\n 17 19\n 18 -");
    check(credit, "delivered 02 | cancelled 05", "day next\n 05 16\n 16 -");
    check(&format!("{credit} | write off after 2"), "delivered 02", "day next\n 16 18\n 18 -");
    // Flagged on the 24th, settled on the 25th, forgotten ten days later.
    check(
        &format!("{credit} | expires after 10"),
        "delivered 02 | notice 19 1 | pay 25 100.00",
        "day next record\n 19 24 notice_sent\n 24 - flagged\n 25 04-04 settled_late\n 04-04 - expired",
    );
    // Holds begin and end; a fact may be dated ahead.
    check("", "delivered 02 | hold 05 to 07 dispute", "day next\n 04 16\n 05 08\n 08 16");
    check("", "delivered 02 | hold 10 to 12 dispute known 05", "day next\n 05 10\n 10 13\n 13 16");
    check("", "delivered 02 | pay 10 100.00 known 05", "day next left\n 05 10 100.00\n 10 - 0.00");
}

// What can be taken at all

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
        // The window opens with the clock: not delivered yet, or confirmed by itself on the 9th.
        ("refunds within 30", "shipped 02", "refund 04-30 100.00", "ok"),
        ("refunds within 5 | clock confirmed by itself 7 after delivered", delivered, "refund 14 1.00", "ok"),
        (
            "refunds within 5 | clock confirmed by itself 7 after delivered",
            delivered,
            "refund 15 1.00",
            "REFUND_TOO_LATE",
        ),
        // The order's amount less earlier refunds, whichever of them happened first.
        ("", delivered, "refund 05 100.00", "ok"),
        ("", delivered, "refund 05 100.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00", "refund 06 60.00", "ok"),
        ("", "delivered 02 | refund 05 40.00", "refund 06 60.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00", "refund 04 60.01", "REFUND_TOO_MUCH"),
        ("", "delivered 02 | refund 05 40.00 | refund 06 60.00", "refund 07 0.01", "REFUND_TOO_MUCH"),
        // Payments make it neither larger nor smaller.
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
        // What was taken back of another payment is no matter.
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
        // How long.
        ("extensions 1 of 7", delivered, "extend 12 1", "ok"),
        ("extensions 1 of 7", delivered, "extend 12 7", "ok"),
        ("extensions 1 of 7", delivered, "extend 12 8", "EXTENSION_TOO_LONG"),
        ("extensions 1 of 7", delivered, "extend 12 0", "EXTENSION_TOO_LONG"),
        // How often.
        ("extensions 1 of 7", once, "extend 13 3", "EXTENSION_LIMIT"),
        ("extensions 2 of 7", once, "extend 13 3", "ok"),
        ("extensions 2 of 7", "delivered 02 | extend 12 3 | extend 13 3", "extend 14 1", "EXTENSION_LIMIT"),
        // How close to the due date, the 16th.
        ("extensions 1 of 7 within 5", delivered, "extend 10 3", "EXTENSION_TOO_EARLY"),
        ("extensions 1 of 7 within 5", delivered, "extend 11 3", "ok"),
        ("extensions 1 of 7 within 0", delivered, "extend 15 3", "EXTENSION_TOO_EARLY"),
        ("extensions 1 of 7 within 0", delivered, "extend 16 3", "ok"),
        // With an earlier extension it is due on the 19th.
        ("extensions 2 of 7 within 5", once, "extend 13 3", "EXTENSION_TOO_EARLY"),
        ("extensions 2 of 7 within 5", once, "extend 14 3", "ok"),
        ("extensions 2 of 7 within 5", once, "extend 19 3", "ok"),
        ("extensions 2 of 7 within 5", once, "extend 20 3", "EXTENSION_TOO_LATE"),
        // Once overdue.
        ("extensions 1 of 7", delivered, "extend 16 3", "ok"),
        ("extensions 1 of 7", delivered, "extend 17 3", "EXTENSION_TOO_LATE"),
        ("extensions 1 of 7 overdue", delivered, "extend 17 3", "ok"),
        ("extensions 1 of 7 overdue", delivered, "extend 04-30 3", "ok"),
        // Written off at the end of the 26th: on its morning nothing is written off yet.
        ("extensions 1 of 7 overdue | write off after 10", delivered, "extend 26 3", "ok"),
        ("extensions 1 of 7 overdue | write off after 10", delivered, "extend 27 3", "EXTENSION_WRITTEN_OFF"),
        ("extensions 1 of 7 overdue | write off after 10", "delivered 02 | pay 26 99.00", "extend 26 3", "ok"),
        // Nothing is owed: paid, refunded, cancelled, or paid before it would have been written off.
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
        // No due date yet.
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
