//! Compares the built-in calendars with published lists, day by day, and tests calendars with the real program.

use std::collections::BTreeMap;

use crate::support::Scheme;
use chrono::{Datelike, NaiveDate, Weekday};
use paylater::config::{Calendars, Problems};

/// Checks that a day of these years is off if and only if the published list says so or, if it does not list the day,
/// the weekday is off.
fn agrees_with(name: &str, list: &str, years: std::ops::RangeInclusive<i32>) {
    let listed: BTreeMap<NaiveDate, bool> = list
        .lines()
        .filter(|line| !line.starts_with('#') && *line != "date,off")
        .map(|line| line.split_once(',').map(|(day, off)| (day.parse().unwrap(), off.parse().unwrap())).unwrap())
        .collect();
    let calendar = Calendars::built_in(&mut Problems::default()).get(name).unwrap();
    let mut days = 0;
    for day in NaiveDate::from_ymd_opt(*years.start(), 1, 1).unwrap().iter_days() {
        if !years.contains(&day.year()) {
            break;
        }
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        assert_eq!(calendar.is_off(day), Ok(listed.get(&day).copied().unwrap_or(weekend)), "{name} {day}");
        days += 1;
    }
    let off_but_not_worked = listed.keys().filter(|day| years.contains(&day.year())).count();
    assert!(days > 1_000 && off_but_not_worked > 20, "{days} days, {off_but_not_worked} of them listed");
    assert_eq!(calendar.years, years.collect::<Vec<_>>());
}

#[test]
fn china_is_as_the_state_council_announced() {
    agrees_with("cn", include_str!("calendars/cn.csv"), 2024..=2026);
}

#[test]
fn the_united_kingdom_has_its_bank_holidays() {
    agrees_with("uk", include_str!("calendars/uk.csv"), 2024..=2027);
}

const POLICY: &str = r#"
[[version]]
effective_from = "2025-01-01"
currency = "CNY"
clock = "ordered"
calendar = "cn"
roll = "following"
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
late_fee = { kind = "flat", amount = "5.00" }
extension = { times = 1, days = 365 }
"#;

/// A shop whose books begin on a given day, with one order on that day.
fn shop(policy: &str, starts_on: &str) -> Scheme {
    let scheme = Scheme::shop(policy);
    let config = scheme.read("paylater.toml").replace("2026-03-01", starts_on);
    scheme.write("paylater.toml", config);
    scheme.write(
        &format!("inbox/customers-{starts_on}.csv"),
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
         C1,王芳,c1@example.com,zh-CN,Asia/Shanghai,700,true,true\n",
    );
    scheme.write(
        &format!("inbox/agreements-{starts_on}.csv"),
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\nA1,C1,SHOP,open,2025-01-01,true\n",
    );
    order(&scheme, starts_on, &format!("O1,C1,100.00,CNY,{starts_on}"));
    scheme
}

fn order(scheme: &Scheme, day: &str, row: &str) {
    scheme
        .write(&format!("inbox/orders-{day}.csv"), format!("order_id,customer_id,amount,currency,ordered_at\n{row}\n"));
}

fn positions(scheme: &Scheme, day: &str) -> String {
    scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_positions.csv"))
}

#[test]
fn an_order_falls_due_after_the_holiday_and_explain_says_why() {
    let scheme = shop(POLICY, "2026-09-26");
    scheme.close("2026-10-08");
    assert!(positions(&scheme, "2026-10-07").contains("O1,C1,1,CNY,2026-10-08,100.00,0.00,0.00,100.00,0.00"));
    assert!(positions(&scheme, "2026-10-08").contains("O1,C1,1,CNY,2026-10-08,100.00,0.00,0.00,100.00,5.00"));
    let story = scheme.run(&["explain", "O1"]);
    let due = "due 2026-10-08, counted from 2026-09-26: the order; 7 days after it is 2026-10-03, a day off (国庆节): \
               moved to the next business day, calendar cn";
    assert!(story.contains(due), "{story}");
    assert!(scheme.run(&["verify"]).contains("1 order "), "verify");
}

#[test]
fn explain_tells_held_days_extensions_and_fixed_days() {
    let policy =
        POLICY.replace("term = 7 ", "").replace("calendar = ", "due_day = { day = 8, month = 1 }\ncalendar = ");
    let policy = policy.replace("limit = \"1000.00\",", "limit = \"1000.00\"");
    let scheme = shop(&policy, "2026-08-31");
    scheme.write(
        "inbox/holds-2026-09-02.csv",
        "hold_id,order_id,reason,starts_on,ends_on\nH1,O1,return,2026-09-02,2026-09-03\n",
    );
    scheme.write("inbox/extensions-2026-09-03.csv", "extension_id,order_id,days,requested_at\nX1,O1,2,2026-09-03\n");
    scheme.close("2026-09-03");
    let story = scheme.run(&["explain", "O1"]);
    for line in [
        "limit 1000.00 from score 500, to pay by day 8 of the next month",
        "due 2026-09-08, counted from 2026-08-31: the order; day 8 of the next month is 2026-09-08, calendar cn",
        "due 2026-09-10 instead of 2026-09-08, counted from 2026-08-31: the order; day 8 of the next month, without the \
         days held, is 2026-09-10, calendar cn",
        "due 2026-09-14 instead of 2026-09-10, counted from 2026-08-31: the order; day 8 of the next month, without the \
         days held, is 2026-09-10, 2 days more is 2026-09-12, a day off (Saturday): moved to the next business day, \
         calendar cn",
    ] {
        assert!(story.contains(line), "{line}\n{story}");
    }
}

#[test]
fn a_year_without_data_stops_the_work_and_a_row_that_leads_there_is_rejected() {
    let scheme = shop(POLICY, "2026-12-20");
    order(&scheme, "2026-12-24", "O2,C1,50.00,CNY,2026-12-24");
    order(&scheme, "2026-12-25", "O3,C1,50.00,CNY,2026-12-25");
    scheme.write("inbox/extensions-2026-12-21.csv", "extension_id,order_id,days,requested_at\nX1,O1,30,2026-12-21\n");
    // An order of the 24th is due on the 31st. An order of the 25th or later is due in 2027.
    let stopped = scheme.run_failing(&["close", "--through", "2026-12-26"], 1);
    for part in ["SHOP", "policy version 2025-01-01", "2026-12-25", "calendar cn does not know 2027", "2024 to 2026"] {
        assert!(stopped.contains(part), "{part}\n{stopped}");
    }
    assert!(positions(&scheme, "2026-12-24").contains("O2,C1,1,CNY,2026-12-31"));
    assert!(!scheme.path("run/reconciliation/2026-12-25").exists());
    let ack = scheme.read("run/outbox/extensions/extensions-2026-12-21.csv.ack.csv");
    assert!(
        ack.contains("X1,rejected,NO_CALENDAR_YEAR,\"column requested_at, value \"\"2026-12-21\"\": its due date cannot be determined: calendar cn does not know 2027"),
        "{ack}"
    );

    // With the year in the calendar, the close continues where it stopped, and earlier decisions stay.
    let own = include_str!("../calendars/cn.toml")
        .replace("2026]", "2026, 2027]")
        .replace("days_off = [", "days_off = [{ name = \"元旦\", first = \"2027-01-01\", last = \"2027-01-03\" },");
    scheme.write("cn.toml", &own);
    scheme.write("paylater.toml", scheme.read("paylater.toml") + "[calendars]\ncn = \"cn.toml\"\n");
    scheme.close("2026-12-26");
    assert!(positions(&scheme, "2026-12-26").contains("O3,C1,1,CNY,2027-01-04"));
    scheme.run(&["verify"]);

    // The days of that year may no longer change either, because an order was decided with them.
    scheme.write("cn.toml", own.replace("2027-01-03", "2027-01-02"));
    let stopped = scheme.run_failing(&["close", "--through", "2026-12-27"], 1);
    assert!(stopped.contains("days of the calendar year cn/2027 were changed"), "{stopped}");

    // Without the year, no command guesses a due date.
    scheme.write("paylater.toml", scheme.read("paylater.toml").replace("[calendars]\ncn = \"cn.toml\"\n", ""));
    let why =
        "deciding order O3 of SHOP, policy version 2025-01-01: calendar cn does not know 2027; it covers 2024 to 2026";
    assert!(scheme.run_failing(&["verify"], 1).contains(why));
    assert!(scheme.run_failing(&["explain", "O3"], 1).contains("calendar cn does not know 2027"));
}

#[test]
fn days_that_orders_were_decided_on_do_not_change() {
    let scheme = shop(POLICY, "2026-09-26");
    let own = include_str!("../calendars/cn.toml");
    scheme.write("cn.toml", own);
    scheme.write("paylater.toml", scheme.read("paylater.toml") + "[calendars]\ncn = \"cn.toml\"\n");
    scheme.close("2026-09-26");
    // The name of a holiday may change.
    scheme.write("cn.toml", own.replace("国庆节", "National Day"));
    scheme.close("2026-09-27");
    for (year, changed) in [
        (2026, own.replace("last = \"2026-10-07\"", "last = \"2026-10-06\"")),
        (2026, own.replace(", \"2026-10-10\"]", "]")),
        (
            2024,
            own.replace("2024, 2025, 2026]", "2025, 2026]")
                .replace("    { name", "\n{ name")
                .split("\n")
                .filter(|line| !line.contains("\"2024-"))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    ] {
        assert_ne!(changed, own);
        scheme.write("cn.toml", changed);
        let stopped = scheme.run_failing(&["close", "--through", "2026-09-28"], 1);
        let why =
            format!("days of the calendar year cn/{year} were changed after orders were decided on version 2025-01-01");
        assert!(stopped.contains(&why), "{stopped}");
        assert!(scheme.run_failing(&["verify"], 1).contains(&why));
    }
    scheme.write("cn.toml", own);
    scheme.close("2026-09-28");
}

#[test]
fn an_order_row_that_leads_to_an_unknown_year_does_not_stop_its_file() {
    let scheme = shop(POLICY, "2026-09-26");
    order(&scheme, "2026-09-27", "O2,C1,50.00,CNY,2062-09-27\nO3,C1,50.00,CNY,2026-09-27\nO2,C1,50.00,CNY,2026-09-27");
    scheme.close("2026-09-27");
    let ack = scheme.read("run/outbox/orders/orders-2026-09-27.csv.ack.csv");
    let expected = "line,key,outcome,code,message\n\
                    2,O2,rejected,NO_CALENDAR_YEAR,\"column ordered_at, value \"\"2062-09-27\"\": its due date cannot be determined: \
                    calendar cn does not know 2062; it covers 2024 to 2026\"\n3,O3,accepted,,\n4,O2,accepted,,\n";
    assert_eq!(ack, expected);
}

#[test]
fn check_shows_calendars_and_refuses_a_year_without_data() {
    let scheme = shop(POLICY, "2026-09-26");
    let told = scheme.run(&["check"]);
    for line in [
        "calendar cn: 2024 to 2026 (built in)",
        "calendar uk: 2024 to 2027 (built in)",
        "calendar weekends: every year (built in)",
        "note: merchant SHOP, policy version 2025-01-01: an order of 2026-09-26, held and extended as long as it may be, can \
         fall due later than its calendar knows; rows that lead there are rejected until it does: calendar cn does not know 2027",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    scheme.write(
        "own.toml",
        "weekly_off = [\"sunday\"]\nyears = [2025]\ndays_off = [{ name = \"X\", first = \"2025-10-01\" }]",
    );
    scheme.write("paylater.toml", scheme.read("paylater.toml") + "[calendars]\nours = \"own.toml\"\n");
    assert!(scheme.run(&["check"]).contains("calendar ours: 2025 ("));
    scheme.write("policy.toml", POLICY.replace("\"cn\"", "\"ours\""));
    let refused = scheme.run_failing(&["check"], 2);
    assert!(refused.contains("merchant SHOP, policy version 2025-01-01"), "{refused}");
    assert!(refused.contains("calendar ours does not know 2026; it covers 2025"), "{refused}");
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let (calendar, roll, band) = ("calendar = \"cn\"\n", "roll = \"following\"\n", "term = 7 }");
    let due_day = "due_day = { day = 8, month = 1 }\nbands = ";
    let parts = |parts: &str| format!("instalments = [ {parts} ]\nbands = ");
    for (changes, why) in [
        (vec![(calendar, "")], "roll: needs to know the days off; write calendar = \"weekends\""),
        (vec![(calendar, ""), (roll, "count = \"business\"\n")], "count: \"business\" needs to know the days off"),
        (vec![(roll, "")], "calendar: \"cn\" is named, but nothing uses it; write count"),
        (
            vec![(calendar, "calendar = \"china\"\n")],
            "calendar: there is no calendar \"china\"; write cn, uk or weekends",
        ),
        (
            vec![(roll, "roll = \"next\"\n")],
            "roll: \"next\" is not known; write none, following, preceding or modified_following",
        ),
        (vec![(roll, "count = \"working\"\n")], "count: \"working\" is not known; write calendar or business"),
        (
            vec![("bands = ", due_day)],
            "bands.term: score 500 has a term, but due_day sets the due date; leave one of them out",
        ),
        (vec![(", term = 7", "")], "bands.term: is missing; write the days to pay, or a due_day"),
        (
            vec![("bands = ", due_day), (", term = 7", ""), (roll, "count = \"business\"\n")],
            "count: \"business\" counts the days of a term, but due_day takes its place",
        ),
        (
            vec![("bands = ", &due_day.replace('8', "32")), (", term = 7", "")],
            "due_day.day: 32 is not from 1 to 31; write a day of the month",
        ),
        (
            vec![("bands = ", &due_day.replace("month = 1", "month = 0")), (", term = 7", "")],
            "due_day.month: 0 is not from 1 to 120; write 1 for the month",
        ),
        (
            vec![("bands = ", &due_day.replace(", month = 1", "")), (", term = 7", "")],
            "due_day.month: is missing; write it",
        ),
        (
            vec![("bands = ", &(due_day.replace("bands = ", "") + &parts("{ share = \"1\", term = 0 }"))), (band, "}")],
            "due_day: with instalments, write it in each of them",
        ),
        (
            vec![("bands = ", &parts("{ share = \"1\" }")), (", term = 7", "")],
            "instalments: has neither term nor due_day",
        ),
        (
            vec![("bands = ", &parts("{ share = \"1\", term = 3, due_day = { day = 8, month = 1 } }"))],
            "instalments.due_day: can't be used beside term",
        ),
        (
            vec![(
                "bands = ",
                &parts(
                    "{ share = \"0.5\", due_day = { day = 8, month = 2 } }, { share = \"0.5\", due_day = { day = 9, month = 1 } }",
                ),
            )],
            "instalments.due_day: number 2 could fall due before number 1; list instalments by rising term",
        ),
        (
            // From the last day of a month to day 8 of the next month, there are eight days.
            vec![(
                "bands = ",
                &parts("{ share = \"0.5\", term = 9 }, { share = \"0.5\", due_day = { day = 8, month = 1 } }"),
            )],
            "instalments.due_day: number 2 could fall due before number 1",
        ),
    ] {
        let mut policy = POLICY.to_owned();
        for (from, to) in &changes {
            assert!(policy.contains(from), "{from}");
            policy = policy.replace(from, to);
        }
        let refused = Scheme::shop(&policy).run_failing(&["check"], 2);
        assert!(refused.contains(why) && refused.contains("policy.toml:"), "{policy}\n{refused}");
    }
}
