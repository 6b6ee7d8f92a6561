//! Missing files, and gaps in the numbers of files: each opens one exception, which closes automatically. Runs the real
//! program.

use crate::support::{OUTPUTS, POLICY, Scheme, assert_same, files_below};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at\n";

/// A shop whose orders feed has this pattern and these extra keys.
fn shop(pattern: &str, keys: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let config = scheme.read("paylater.toml");
    let with = format!("pattern = \"{pattern}\"\n{keys}\n");
    scheme.write("paylater.toml", config.replace("pattern = \"orders-{date}*.csv\"\n", &with));
    scheme
}

/// Delivers an orders file. Each file has a different order, so that no two files have the same bytes.
fn arrives(scheme: &Scheme, name: &str) {
    scheme.write(&format!("inbox/{name}"), format!("{ORDERS}{name},C1,5.00,CNY,2026-03-01\n"));
}

#[tokio::test]
async fn a_file_that_is_expected_and_not_there_is_told_until_it_comes() {
    let story = |scheme: &Scheme| {
        arrives(scheme, "orders-2026-03-02.csv");
        scheme.close("2026-03-04");
        // No file is missing on the 2nd. The 1st is a Sunday, and no file is expected for it.
        assert_eq!(scheme.exceptions("2026-03-01"), [""; 0]);
        assert_eq!(scheme.exceptions("2026-03-02"), [""; 0]);
        let missing = |date: &str, days: i64| {
            format!(
                "FILE_MISSING {days} no file of orders for {date}: feed orders expects orders-{{date}}.csv by 09:00"
            )
        };
        assert_eq!(scheme.exceptions("2026-03-03"), [missing("2026-03-03", 0)]);
        assert_eq!(scheme.exceptions("2026-03-04"), [missing("2026-03-03", 1), missing("2026-03-04", 0)]);
        let status = scheme.run(&["status"]);
        assert!(status.contains("2 FILE_MISSING"), "{status}");
        assert!(status.contains("2026-03-03: no file of orders for 2026-03-03"), "{status}");
        arrives(scheme, "orders-2026-03-03.csv");
        arrives(scheme, "orders-2026-03-05.csv");
        scheme.close("2026-03-07");
        assert_eq!(scheme.exceptions("2026-03-05"), [missing("2026-03-04", 1)]);
        // The file of Friday is missing, and no file is expected for Saturday.
        assert_eq!(scheme.exceptions("2026-03-07"), [missing("2026-03-04", 3), missing("2026-03-06", 1)]);
        scheme.run(&["verify"]);
    };
    let keys = "expected_by = \"09:00\"\ncalendar = \"weekends\"";
    let sqlite = shop("orders-{date}.csv", keys);
    let postgres = shop("orders-{date}.csv", keys).on_postgres().await;
    story(&sqlite);
    story(&postgres);
    assert_same(
        &files_below(&sqlite.path("run"), &["reconciliation"]),
        &files_below(&postgres.path("run"), &["reconciliation"]),
    );
}

#[test]
fn three_days_at_once_are_three_days_one_by_one() {
    let keys = "expected_by = \"09:00\"\nexpected_after = 1\nfrom = \"2026-03-02\"\ndays = [\"monday\", \"wednesday\"]";
    let scheme = |daily: bool| {
        let scheme = shop("orders-{date}.csv", keys);
        arrives(&scheme, "orders-2026-03-04.csv");
        if daily {
            for day in 1..=8 {
                scheme.run(&["job", "watch_feeds"]);
                scheme.close(&format!("2026-03-{day:02}"));
            }
        }
        scheme.close("2026-03-08");
        scheme
    };
    let (at_once, daily) = (scheme(false), scheme(true));
    // Monday's file is expected on Tuesday; Wednesday's file arrived.
    let missing = "no file of orders for 2026-03-02: feed orders expects orders-{date}.csv by 09:00";
    assert_eq!(at_once.exceptions("2026-03-02"), [""; 0]);
    assert_eq!(at_once.exceptions("2026-03-03"), [format!("FILE_MISSING 0 {missing}")]);
    assert_eq!(at_once.exceptions("2026-03-08"), [format!("FILE_MISSING 5 {missing}")]);
    assert_same(&files_below(&at_once.path("run"), &OUTPUTS[..2]), &files_below(&daily.path("run"), &OUTPUTS[..2]));
}

#[test]
fn an_empty_day_is_there_and_a_refused_file_is_not() {
    let scheme = shop("orders-{date}.csv", "expected_by = \"09:00\"");
    // The files of two days without orders have the same bytes. The second is a duplicate, but it is not missing.
    scheme.write("inbox/orders-2026-03-01.csv", ORDERS);
    scheme.write("inbox/orders-2026-03-02.csv", ORDERS);
    scheme.write("inbox/orders-2026-03-03.csv", "");
    scheme.close("2026-03-03");
    assert_eq!(scheme.exceptions("2026-03-02"), [""; 0]);
    let third = scheme.exceptions("2026-03-03");
    assert_eq!(third.len(), 2, "{third:?}");
    assert!(third[1].starts_with("FILE_EMPTY"), "{third:?}");
    assert!(third[0].ends_with("by 09:00; orders-2026-03-03.csv came and is in quarantine"), "{third:?}");
}

#[tokio::test]
async fn the_rows_of_another_day_are_not_this_days() {
    let story = |scheme: &Scheme| {
        let orders = format!("{ORDERS}O1,C1,5.00,CNY,2026-03-01\n");
        scheme.write("inbox/orders-2026-03-01.csv", &orders);
        scheme.write("inbox/orders-2026-03-02.csv", &orders);
        scheme.close("2026-03-02");
        let second = scheme.exceptions("2026-03-02");
        assert_eq!(second.len(), 1, "{second:?}");
        assert!(
            second[0].starts_with("FILE_MISSING")
                && second[0].ends_with("orders-2026-03-02.csv came, but repeats the file of another day"),
            "{second:?}"
        );
        // The same is true if the exception is already open.
        scheme.write("inbox/orders-2026-03-02.csv", &orders);
        scheme.close("2026-03-02");
        arrives(scheme, "orders-2026-03-03.csv");
        scheme.close("2026-03-03");
        assert_eq!(scheme.exceptions("2026-03-03").len(), 1);
        arrives(scheme, "orders-2026-03-02.csv");
        arrives(scheme, "orders-2026-03-04.csv");
        scheme.close("2026-03-04");
        assert_eq!(scheme.exceptions("2026-03-04"), [""; 0]);
    };
    story(&shop("orders-{date}.csv", "expected_by = \"09:00\""));
    story(&shop("orders-{date}.csv", "expected_by = \"09:00\"").on_postgres().await);
}

#[test]
fn on_the_wall_clock_it_is_told_once_the_time_has_come() {
    let scheme = shop("orders-{date}.csv", "expected_by = \"00:00\"\ntime_zone = \"Asia/Shanghai\"");
    // The books begin today on the wall clock. A file expected at midnight is missing the whole day.
    let today = chrono::Utc::now().with_timezone(&chrono_tz::Asia::Shanghai).date_naive();
    let config = scheme.read("paylater.toml").replace("clock = \"business\"", "clock = \"wall\"");
    let config = config.replace("starts_on = \"2026-03-01\"", &format!("starts_on = \"{today}\""));
    scheme.write("paylater.toml", &config);
    scheme.run(&["job", "ingest_files"]);
    let told = scheme.run(&["job", "watch_feeds", "--dry-run"]);
    assert!(told.contains(&format!("no file of orders for {today}")), "{told}");
    let told = scheme.run(&["job", "watch_feeds"]);
    assert!(told.contains("files missing 1"), "{told}");
    let again = scheme.run(&["job", "watch_feeds"]);
    assert!(again.contains("nothing to do"), "{again}");
    arrives(&scheme, &format!("orders-{today}.csv"));
    scheme.run(&["job", "ingest_files"]);
    let status = scheme.run(&["status"]);
    assert!(!status.contains("FILE_MISSING"), "{status}");

    // In a time zone where the last minute of the day has not come, no file is missing yet.
    let later = shop("orders-{date}.csv", "expected_by = \"23:59\"\ntime_zone = \"Pacific/Pago_Pago\"");
    later.write(
        "paylater.toml",
        config.replace("\"00:00\"", "\"23:59\"").replace("Asia/Shanghai\"\nkind", "Pacific/Pago_Pago\"\nkind"),
    );
    let told = later.run(&["job", "watch_feeds"]);
    assert!(told.contains("nothing to do"), "{told}");
}

#[tokio::test]
async fn a_number_that_was_left_out_is_told_until_it_comes() {
    let story = |scheme: &Scheme| {
        for number in [7, 9, 10] {
            arrives(scheme, &format!("bill-{number}.csv"));
        }
        scheme.close("2026-03-01");
        assert_eq!(
            scheme.exceptions("2026-03-01"),
            ["FILE_GAP 0 number 8 is missing: bill-9.csv came to feed orders before"]
        );
        // File 8 is quarantined, which has its own exception; 11 to 13 are missing.
        scheme.write("inbox/bill-8.csv", "");
        arrives(scheme, "bill-14.csv");
        scheme.close("2026-03-02");
        let second = scheme.exceptions("2026-03-02");
        assert!(second[1].starts_with("FILE_EMPTY 0 bill-8.csv"), "{second:?}");
        let gap = "numbers 11 to 13 are missing: bill-14.csv came to feed orders before";
        assert_eq!((second.len(), &second[0]), (2, &format!("FILE_GAP 0 {gap}")));
        for number in [13, 11, 13, 5] {
            arrives(scheme, &format!("bill-{number}.csv"));
        }
        scheme.close("2026-03-03");
        let third = scheme.exceptions("2026-03-03");
        assert_eq!((third.len(), &third[0]), (2, &format!("FILE_GAP 1 {gap}")));
        arrives(scheme, "bill-0012.csv");
        scheme.close("2026-03-04");
        assert_eq!(scheme.exceptions("2026-03-04").len(), 1);
        scheme.run(&["verify"]);
    };
    story(&shop("bill-{number}.csv", ""));
    story(&shop("bill-{number}.csv", "").on_postgres().await);
}

#[tokio::test]
async fn numbers_that_begin_anew_each_day() {
    let story = |scheme: &Scheme| {
        for name in [
            "o-2026-03-01-1.csv",
            "o-2026-03-01-2.csv",
            "o-2026-03-02-2.csv",
            "o-2026-03-02-10.csv",
            "o-2026-03-02-9.csv",
        ] {
            arrives(scheme, name);
        }
        scheme.close("2026-03-02");
        assert_eq!(scheme.exceptions("2026-03-01"), [""; 0]);
        assert_eq!(
            scheme.exceptions("2026-03-02"),
            [
                "FILE_GAP 0 number 1 is missing: o-2026-03-02-2.csv came to feed orders before",
                "FILE_GAP 0 numbers 3 to 8 are missing: o-2026-03-02-9.csv came to feed orders before"
            ]
        );
        // The first file of another day does not close the exception.
        arrives(scheme, "o-2026-03-03-1.csv");
        scheme.close("2026-03-03");
        assert_eq!(scheme.exceptions("2026-03-03").len(), 2);
        arrives(scheme, "o-2026-03-02-1.csv");
        scheme.close("2026-03-04");
        assert_eq!(scheme.exceptions("2026-03-04").len(), 1);
    };
    story(&shop("o-{date}-{number}.csv", "first_number = 1"));
    story(&shop("o-{date}-{number}.csv", "first_number = 1").on_postgres().await);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_write() {
    let told = |pattern: &str, keys: &str| {
        let scheme = shop(pattern, keys);
        scheme.run_failing(&["check"], 2).replace(&scheme.path("").display().to_string(), "")
    };
    insta::assert_snapshot!("expected_without_a_date", told("orders.csv", "expected_by = \"09:00\""));
    insta::assert_snapshot!(
        "expected_in_wrong_words",
        told(
            "orders-{date}.csv",
            "expected_by = \"9 am\"\nexpected_after = 99\ncalendar = \"cm\"\ndays = [\"mo\", \"someday\"]"
        )
    );
    insta::assert_snapshot!(
        "days_without_a_time",
        told("orders-{date}.csv", "days = [\"monday\"]\nfrom = \"2026-03-02\"")
    );
    insta::assert_snapshot!("first_number_without_a_number", told("orders-{date}.csv", "first_number = 1"));
    insta::assert_snapshot!("two_numbers", told("orders-{number}-{number}.csv", ""));
}

#[test]
fn a_year_that_the_calendar_lacks_stops_the_day_with_words() {
    let scheme = shop("orders-{date}.csv", "expected_by = \"09:00\"\ncalendar = \"cn\"");
    let config = scheme.read("paylater.toml").replace("starts_on = \"2026-03-01\"", "starts_on = \"2023-12-30\"");
    scheme.write("paylater.toml", config);
    scheme.write("policy.toml", POLICY.replace("2026-01-01", "2023-01-01"));
    for told in [scheme.run_failing(&["check"], 2), scheme.run_failing(&["close", "--through", "2023-12-31"], 1)] {
        assert!(told.contains("feed orders: it is not known whether a file is expected on 2023-12-30"), "{told}");
        assert!(told.contains("calendar cn does not know 2023; it covers 2024 to 2026"), "{told}");
    }
}
