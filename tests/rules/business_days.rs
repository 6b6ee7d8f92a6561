//! Due dates with a calendar, as tables of days: business days, due dates that roll from days off, fixed days of a
//! month.
//!
//! The dates were calculated by hand from wall calendars. In 2025, China had October 1st to 8th off and worked on
//! Sunday, September 28th, and Saturday, October 11th, instead. In 2026, October 1st to 7th are off, and Sunday,
//! September 20th, and Saturday, October 10th, are worked. March 1st 2026 is a Sunday.

use crate::support::timeline::{asked, check, due_on};

#[test]
fn business_days_over_a_holiday_with_moved_workdays() {
    // Ordered on Friday, September 26th 2025.
    for (term, by_cn, by_weekends) in [
        (0, "2025-09-26", "2025-09-26"),
        (1, "2025-09-28", "2025-09-29"),
        (2, "2025-09-29", "2025-09-30"),
        (3, "2025-09-30", "2025-10-01"),
        (4, "2025-10-09", "2025-10-02"),
        (5, "2025-10-10", "2025-10-03"),
        (6, "2025-10-11", "2025-10-06"),
        (7, "2025-10-13", "2025-10-07"),
    ] {
        for (calendar, due) in [("cn", by_cn), ("weekends", by_weekends)] {
            let terms = format!("clock ordered | term {term} | calendar {calendar} | count business");
            assert_eq!(due_on(&terms, "ordered 2025-09-26"), due, "{terms}");
        }
    }
}

#[test]
fn business_days_from_each_clock() {
    let five = "term 5 | calendar cn | count business";
    for (terms, happened, due) in [
        // From a Sunday: the five days are the 2nd to the 6th.
        ("clock ordered", "", "06"),
        ("clock shipped", "shipped 03 | delivered 05", "10"),
        ("clock delivered", "shipped 03 | delivered 05", "12"),
        ("clock confirmed", "delivered 05 | confirmed 06", "13"),
        // Receipt counts as confirmed after 7 calendar days, on the 9th.
        ("clock confirmed by itself 7 after delivered", "delivered 02", "16"),
        // A Thursday evening after the cut-off counts as Friday: one day later.
        ("clock delivered | cut-off 22:00", "delivered 05 22:00", "12"),
        ("clock delivered | cut-off 22:00", "delivered 05 22:01", "13"),
        // A Friday after the cut-off counts as Saturday, from which five business days end on the same day as from
        // Friday.
        ("clock delivered | cut-off 22:00", "delivered 06 22:01", "13"),
    ] {
        assert_eq!(due_on(&format!("{five} | {terms}"), happened), due, "{terms}: {happened}");
    }
}

#[test]
fn a_due_date_on_a_day_off_is_moved() {
    // Order day, term, unrolled due date, then the due date with following, preceding and modified following.
    for (calendar, ordered, term, on, moved) in [
        ("cn", "2026-09-26", 3, "09-29", ["09-29", "09-29", "09-29"]),
        // In the seven days off in October. No business day of October comes before them.
        ("cn", "2026-09-26", 7, "10-03", ["10-08", "09-30", "10-08"]),
        // A worked Saturday, and the Sunday after it.
        ("cn", "2026-09-26", 14, "10-10", ["10-10", "10-10", "10-10"]),
        ("cn", "2026-09-26", 15, "10-11", ["10-12", "10-10", "10-12"]),
        // Eight days off in a row. Sunday the 28th is worked.
        ("cn", "2025-09-20", 13, "2025-10-03", ["2025-10-09", "2025-09-30", "2025-10-09"]),
        ("cn", "2025-09-20", 8, "2025-09-28", ["2025-09-28", "2025-09-28", "2025-09-28"]),
        // The last day of May 2026 is a Sunday: the next business day is in June.
        ("uk", "2026-05-16", 14, "05-30", ["06-01", "05-29", "05-29"]),
        ("uk", "2026-05-16", 15, "05-31", ["06-01", "05-29", "05-29"]),
        // A bank holiday on a Monday at the end of a month.
        ("uk", "2026-08-17", 14, "08-31", ["09-01", "08-28", "08-28"]),
        // Boxing Day is a Saturday, and its substitute day the Monday.
        ("uk", "2026-12-12", 14, "12-26", ["12-29", "12-24", "12-29"]),
        // Across the end of the year; the calendar has both years.
        ("uk", "2026-12-18", 14, "2027-01-01", ["2027-01-04", "12-31", "2027-01-04"]),
        // The calendar `weekends` ignores moved workdays.
        ("weekends", "2026-09-26", 14, "10-10", ["10-12", "10-09", "10-12"]),
    ] {
        let plain = format!("clock ordered | term {term}");
        assert_eq!(due_on(&plain, &format!("ordered {ordered}")), on, "{ordered} + {term}");
        for (roll, due) in ["following", "preceding", "modified"].into_iter().zip(moved) {
            let terms = format!("{plain} | calendar {calendar} | roll {roll}");
            assert_eq!(due_on(&terms, &format!("ordered {ordered}")), due, "{ordered}: {terms}");
        }
    }
}

#[test]
fn a_fixed_day_of_a_month_after_the_clock_days() {
    for (due_day, ordered, due) in [
        ("8/1", "2026-03-01", "04-08"),
        ("8/1", "2026-03-08", "04-08"),
        ("8/1", "2026-03-31", "04-08"),
        ("8/2", "2026-03-31", "05-08"),
        ("8/1", "2026-12-09", "2027-01-08"),
        // Shorter months, with and without a leap day.
        ("31/1", "2026-03-20", "04-30"),
        ("31/1", "2026-01-31", "02-28"),
        ("30/1", "2028-01-15", "2028-02-29"),
        ("29/13", "2027-01-15", "2028-02-29"),
        ("29/1", "2027-01-15", "2027-02-28"),
        ("31/2", "2026-01-31", "31"),
    ] {
        let terms = format!("clock ordered | due day {due_day}");
        assert_eq!(due_on(&terms, &format!("ordered {ordered}")), due, "{due_day} after {ordered}");
    }
    // The clock day counts, not the day of the order.
    assert_eq!(due_on("due day 8/1", ""), "-");
    assert_eq!(due_on("due day 8/1", "delivered 04-02"), "05-08");
    assert_eq!(due_on("due day 8/1 | cut-off 22:00", "delivered 31 22:01"), "05-08");
    // A fixed due day rolls from a day off like any other.
    for (terms, due) in [
        ("due day 8/1 | calendar cn | roll following", "2025-10-09"),
        ("due day 8/1 | calendar cn | roll preceding", "2025-09-30"),
        ("due day 31/1 | calendar cn | roll modified", "2025-10-31"),
    ] {
        assert_eq!(due_on(&format!("clock ordered | {terms}"), "ordered 2025-09-05"), due, "{terms}");
    }
    let end_of_may = "clock ordered | due day 31/1 | calendar cn | roll modified";
    assert_eq!(due_on(end_of_may, "ordered 2026-04-10"), "05-29");
}

#[test]
fn holds_and_extensions_with_business_days() {
    // Delivered on Monday the 2nd: the five days are the 3rd, 4th, 5th, 6th and 9th.
    let five = "term 5 | calendar weekends | count business";
    for (happened, due) in [
        ("delivered 02", "09"),
        // The five days without a hold are the 3rd, 6th, 9th, 10th and 11th.
        ("delivered 02 | hold 04 to 05 return", "11"),
        // A hold on a weekend removes no business day.
        ("delivered 02 | hold 07 to 08 return", "09"),
        ("delivered 02 | hold 06 to 09 return", "11"),
        // The hold covers the due day and the day after it, so the fifth day is the 11th.
        ("delivered 02 | hold 09 to 10 return", "11"),
        ("delivered 02 | hold 10 to 12 return", "09"),
        ("delivered 02 | hold 04 to 05 dispute", "09"),
        // Extension days are calendar days.
        ("delivered 02 | extend 06 3", "12"),
        ("delivered 02 | extend 06 5", "14"),
        ("delivered 02 | hold 04 to 05 return | extend 06 3", "14"),
    ] {
        assert_eq!(due_on(five, happened), due, "{happened}");
    }
    // The due date rolls last, after holds and extensions.
    for (roll, happened, due) in [
        ("following", "delivered 02 | extend 06 5", "16"),
        ("preceding", "delivered 02 | extend 06 5", "13"),
        ("following", "delivered 02 | hold 04 to 05 return | extend 06 3", "16"),
        ("following", "delivered 02 | extend 06 5 | extend 07 2", "16"),
        // After the roll, held days do not move the due date again.
        ("following", "delivered 02 | extend 06 5 | hold 16 to 17 return", "16"),
    ] {
        assert_eq!(due_on(&format!("{five} | roll {roll}"), happened), due, "{roll}: {happened}");
    }
}

#[test]
fn holds_and_extensions_with_a_fixed_day() {
    for (terms, happened, due) in [
        // Three held days before the due day move it by three days.
        ("", "delivered 02 | hold 05 to 07 return", "04-11"),
        ("", "delivered 02 | hold 04-07 to 04-10 return", "04-12"),
        ("", "delivered 02 | hold 04-09 to 04-10 return", "04-08"),
        // A hold before delivery has no effect: the clock day stays the same.
        ("", "hold 01 to 02 return | delivered 02", "04-08"),
        ("", "delivered 02 | extend 10 5", "04-13"),
        ("", "delivered 02 | hold 05 to 07 return | extend 10 5", "04-16"),
        // The 11th is a Saturday.
        ("| calendar weekends | roll following", "delivered 02 | hold 05 to 07 return", "04-13"),
        ("| calendar weekends | roll preceding", "delivered 02 | hold 05 to 07 return", "04-10"),
    ] {
        assert_eq!(due_on(&format!("due day 8/1 {terms}"), happened), due, "{terms}: {happened}");
    }
}

#[test]
fn receipt_that_counts_by_itself_waits_for_a_hold_and_the_date_is_moved() {
    let terms = "clock confirmed by itself 7 after delivered | calendar cn | roll following";
    for (happened, due) in [
        // Confirmed on the 12th, a Thursday: due on the 26th.
        ("delivered 05", "26"),
        // Three days later is the 29th, a Sunday.
        ("delivered 05 | hold 07 to 09 return", "30"),
    ] {
        assert_eq!(due_on(terms, happened), due, "{happened}");
    }
    check(
        terms,
        "delivered 05 | hold 07 to 09 return",
        "day  clock         due  next
         06   -             -    12
         07   -             -    10
         10   -             -    15
         14   -             -    15
         15   15-by-itself  30   30",
    );
}

#[test]
fn each_instalment_is_moved_by_itself() {
    // Sunday the 1st; ten business days later is Friday the 13th.
    let two = "clock ordered | instalments 0.5@0 0.5@10 | calendar weekends | count business";
    check(two, "", "day no due\n 01 1 01\n 01 2 13");
    check(&format!("{two} | roll following"), "", "day no due\n 01 1 02\n 01 2 13");
    // One part is due immediately, the others on the 8th of a month. August 8th 2026 is a Saturday, November 8th a
    // Sunday.
    let monthly = "clock ordered | instalments 0.25@0 0.25@8/1 0.25@8/2 0.25@8/5";
    check(monthly, "", "day no due\n 01 1 01\n 01 2 04-08\n 01 3 05-08\n 01 4 08-08");
    let moved = format!("{monthly} | calendar cn | roll following");
    check(
        &moved,
        "extend 02 31",
        "day  no  due
         01   1   02
         01   2   04-08
         01   3   05-08
         01   4   08-10
         02   1   04-02
         02   2   05-09
         02   3   06-08
         02   4   09-10",
    );
}

#[test]
fn what_follows_from_the_due_date_follows_from_where_it_was_moved() {
    // 12 days after Monday the 2nd is Saturday the 14th, so the order is due on the 16th.
    let moved = "term 12 | calendar weekends | roll following | fee flat 5.00 | grace 2 | notice after 3 flag after 5";
    check(
        moved,
        "delivered 02",
        "day  due  fee   past_due  record      next
         13   16   0.00  0         clear       16
         14   16   0.00  0         clear       16
         16   16   0.00  0         clear       18
         17   16   0.00  1         clear       18
         18   16   5.00  2         clear       19
         19   16   5.00  3         notice_due  -",
    );
    check(moved, "delivered 02 | pay 16 100.00", "day record\n 15 clear\n 16 on_time");
    // An extension counts from the rolled due date: it leads to Saturday the 21st, so Monday the 23rd. Fees of the old
    // due date are taken back.
    check(
        moved,
        "delivered 02 | extend 18 5",
        "day  due  fee
         17   16   0.00
         18   23   0.00
         24   23   0.00
         25   23   5.00",
    );
    // One day from Saturday the 14th is Sunday, which would roll to the same Monday. One day from Monday is Tuesday.
    assert_eq!(due_on("term 12 | calendar weekends | roll following", "delivered 02 | extend 03 1"), "17");
    // The days of several extensions are added.
    assert_eq!(
        due_on("term 12 | calendar weekends | roll following", "delivered 02 | extend 03 1 | extend 04 4"),
        "23"
    );
    // The due date rolls to the business day before, Friday the 13th. An extension of one or two days would roll back
    // to the same day and have no effect.
    let before = "term 12 | calendar weekends | roll preceding | extensions 1 of 7";
    assert_eq!(due_on(before, "delivered 02 | extend 03 3"), "16");
    for (extension, answer) in
        [("extend 03 1", "EXTENSION_NO_EFFECT"), ("extend 03 2", "EXTENSION_NO_EFFECT"), ("extend 03 3", "ok")]
    {
        assert_eq!(asked(before, "delivered 02", extension), answer, "{extension}");
    }
    // The limits of extensions count from the rolled due date.
    let limits = "term 12 | calendar weekends | roll following | extensions 1 of 7 within 5";
    assert_eq!(asked(limits, "delivered 02", "extend 10 3"), "EXTENSION_TOO_EARLY");
    assert_eq!(asked(limits, "delivered 02", "extend 11 3"), "ok");
    assert_eq!(asked(limits, "delivered 02", "extend 16 3"), "ok");
    assert_eq!(asked(limits, "delivered 02", "extend 17 3"), "EXTENSION_TOO_LATE");
    // The refund window is in calendar days after the clock day.
    let refunds = "calendar cn | count business | refunds within 7";
    assert_eq!(asked(refunds, "delivered 02", "refund 09 5.00"), "ok");
    assert_eq!(asked(refunds, "delivered 02", "refund 10 5.00"), "REFUND_TOO_LATE");
}

#[test]
fn what_leads_to_a_year_that_the_calendar_does_not_know_is_refused() {
    let (rolled, counted) = ("calendar cn | roll following", "calendar cn | count business");
    let long = "extensions 1 of 365 overdue";
    for (terms, happened, fact, answer) in [
        // Two of fourteen days are before the hold and twelve after it: due December 22nd, or January 1st 2027.
        (rolled, "delivered 02", "hold 05 to 12-10 return", "ok"),
        (rolled, "delivered 02", "hold 05 to 12-20 return", "NO_CALENDAR_YEAR"),
        (counted, "delivered 02", "hold 05 to 12-20 return", "NO_CALENDAR_YEAR"),
        ("", "delivered 02", "hold 05 to 12-20 return", "ok"),
        ("calendar weekends | roll following", "delivered 02", "hold 05 to 12-20 return", "ok"),
        // A dispute does not stop the clock.
        (rolled, "delivered 02", "hold 05 to 12-20 dispute", "ok"),
        // Without delivery there is no due date yet; the delivery sets it.
        (rolled, "", "hold 05 to 12-20 return", "ok"),
        (rolled, "hold 05 to 12-20 return", "delivered 04", "NO_CALENDAR_YEAR"),
        (rolled, "", "delivered 2023-12-01", "NO_CALENDAR_YEAR"),
        (rolled, "", "delivered 2023-12-20", "ok"),
        (counted, "", "delivered 2023-12-20", "NO_CALENDAR_YEAR"),
        // A delivery dated ahead would be decided on a later day.
        (rolled, "", "delivered 2062-03-01", "NO_CALENDAR_YEAR"),
        (&format!("{rolled} | {long}"), "delivered 02", "extend 10 290", "ok"),
        (&format!("{rolled} | {long}"), "delivered 02", "extend 10 291", "NO_CALENDAR_YEAR"),
        (&format!("{rolled} | {long}"), "delivered 02", "pay 10 5.00", "ok"),
    ] {
        assert_eq!(asked(terms, happened, fact), answer, "{terms}: {happened}: {fact}");
    }
}
