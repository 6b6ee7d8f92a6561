//! The due date of an order.

use crate::support::timeline::{check, due_on};

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
        // Confirmed after receipt already counted as confirmed.
        (after_delivery, "delivered 05 | confirmed 14", "26"),
        // Three days of a hold don't count: 05 + 7 + 3 = 15.
        (after_delivery, "delivered 05 | hold 07 to 09 return", "29"),
        // A dispute does not stop the clock.
        (after_delivery, "delivered 05 | hold 07 to 09 dispute", "26"),
        // A hold after the 12th delays the term, not the confirmation.
        (after_delivery, "delivered 05 | hold 13 to 14 return", "28"),
        // 03 + 10 = 13, + 14 = 27.
        (after_shipping, "shipped 03 | delivered 05", "27"),
        // A delivered order was shipped: 05 + 10 + 14.
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
    // At the latest 20 days after the order, with or without events.
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
    // Confirmed on the day of automatic confirmation.
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
    // A paid fee is given back too.
    check(
        flat,
        "delivered 02 | pay 17 105.00 | extend 18 5",
        "day  due  left  fee   fee_paid  credit
         17   16   0.00  5.00  5.00      0.00
         18   21   0.00  0.00  0.00      5.00
         21   21   0.00  0.00  0.00      5.00",
    );
    // When the fee is taken back, the money that paid it pays principal.
    check(
        flat,
        "delivered 02 | pay 17 55.00 | extend 18 5",
        "day  left   fee   fee_paid  credit
         17   50.00  5.00  5.00      0.00
         18   45.00  0.00  0.00      0.00
         21   45.00  5.00  0.00      0.00",
    );
    // An extension that was requested in time and becomes known late.
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
        // The hold covers the due day and the day after: the 15th is day 13, the 18th is day 14.
        ("", "delivered 02 | hold 16 to 17 return", "18"),
        ("", "delivered 02 | hold 17 to 20 return", "16"),
        // A hold matters only after the clock day: of 01 to 03, only the 3rd.
        ("", "delivered 02 | hold 01 to 03 return", "17"),
        ("", "hold 01 to 02 return | delivered 02", "16"),
        // A day with two holds is skipped once: 05 to 09.
        ("", "delivered 02 | hold 05 to 07 return | hold 07 to 09 late_delivery", "21"),
        ("", "delivered 02 | hold 05 to 09 return | hold 06 to 07 late_delivery", "21"),
        ("", "delivered 02 | hold 05 to 07 return | hold 10 to 10 late_delivery", "20"),
        // The second hold covers days that belong to the term only because of the first hold.
        ("", "delivered 02 | hold 05 to 07 return | hold 18 to 19 return", "21"),
        // Dispute and hardship do not stop the clock.
        ("", "delivered 02 | hold 05 to 07 dispute", "16"),
        ("", "delivered 02 | hold 05 to 07 hardship", "16"),
        ("hold dispute 10 stops clock", "delivered 02 | hold 05 to 07 dispute", "19"),
        ("hold return 10 stops fees", "delivered 02 | hold 05 to 07 return", "16"),
        // A hold without an end lasts 28 days for a return, 21 for a late delivery, or as long as the policy says.
        ("", "delivered 02 | hold 05 return", "04-13"),
        ("", "delivered 02 | hold 05 late_delivery", "04-06"),
        ("hold return 10 stops clock", "delivered 02 | hold 05 return", "26"),
        // Extension days are added to the last day of the term, even if it is held.
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
