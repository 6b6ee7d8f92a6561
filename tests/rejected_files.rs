//! Files without a good row, missing inboxes and missing feeds are failures. Runs the real program.

use std::fs;

use crate::support::{POLICY, Scheme, assert_same, files_below};

const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at\n";
const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at\n";

/// The shop with this reject limit or, without one, with the default limit.
fn shop(limit: Option<&str>) -> Scheme {
    let scheme = Scheme::shop(POLICY)
        .with_customer(&[("orders-2026-03-01.csv", &format!("{ORDERS}O1,C1,5.00,CNY,2026-03-01\n"))]);
    let of_tests = "reject_limit = { rows = 1000000 }\n";
    let limit = limit.map(|limit| format!("reject_limit = {limit}\n")).unwrap_or_default();
    scheme.write("paylater.toml", scheme.read("paylater.toml").replace(of_tests, &limit));
    scheme
}

/// Delivers a payments file of a day with this number of good rows and bad rows.
fn arrives(scheme: &Scheme, day: u32, good: u32, bad: u32) {
    let mut rows = PAYMENTS.to_owned();
    rows.extend((0..good).map(|n| format!("G{day}-{n},O1,0.01,CNY,2026-03-01 12:00:00\n")));
    rows.extend((0..bad).map(|n| format!("B{day}-{n},O1,a lot,CNY,2026-03-01 12:00:00\n")));
    scheme.write(&format!("inbox/payments-2026-03-{day:02}.csv"), rows);
}

fn codes(scheme: &Scheme, day: &str) -> Vec<String> {
    scheme.exceptions(day).into_iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn a_close_says_all_that_went_wrong_on_its_days() {
    let scheme = shop(None);
    scheme.write("paylater.toml", scheme.read("paylater.toml") + "[outbox]\nreports = \"reports\"\n");
    scheme.write("reports", "a file in the place of the folder");
    arrives(&scheme, 1, 0, 3);
    arrives(&scheme, 2, 0, 2);
    let told = scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
    for words in [
        "every day through 2026-03-02 is closed, but not all was sent:\n",
        "every day through 2026-03-02 is closed, but rows were rejected:\n",
        "payments-2026-03-01.csv: 3 of 3 rows were rejected",
        "payments-2026-03-02.csv: 2 of 2 rows were rejected",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(scheme.path("run/reconciliation/2026-03-02/manifest.json").exists());
}

#[tokio::test]
async fn a_file_of_which_nothing_could_be_taken_is_no_success() {
    let story = |scheme: &Scheme| {
        arrives(scheme, 1, 0, 3);
        arrives(scheme, 2, 1, 3);
        let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
        // The days are closed anyway, because the sealed rows are right.
        assert!(told.contains("every day through 2026-03-03 is closed, but rows were rejected"), "{told}");
        let why = "payments-2026-03-01.csv: 3 of 3 rows were rejected, with BAD_AMOUNT; payments-2026-03-01.csv.rejects.csv \
                   in the outbox has them with their reasons";
        assert!(told.contains(why), "{told}");
        assert!(!told.contains("payments-2026-03-02.csv"), "{told}");
        let first = scheme.exceptions("2026-03-01");
        assert!(first.iter().any(|row| row.starts_with(&format!("ROWS_REJECTED 0 {why}"))), "{first:?}");
        assert_eq!(codes(scheme, "2026-03-03").iter().filter(|code| *code == "ROWS_REJECTED").count(), 1);
        let status = scheme.run(&["status"]);
        assert!(status.contains("7 rejected") || status.contains("6 rejected"), "{status}");
        assert!(status.contains("3 of 3 rows were rejected"), "{status}");
        // Deliver the corrected rows under the name of the rejects.
        scheme.write(
            "inbox/payments-2026-03-01.csv.rejects.csv",
            format!("{PAYMENTS}B1-0,O1,0.02,CNY,2026-03-01 12:00:00\nB1-1,O1,0.02,CNY,2026-03-01 12:00:00\n"),
        );
        scheme.close("2026-03-04");
        assert!(!codes(scheme, "2026-03-04").contains(&"ROWS_REJECTED".to_owned()));
        scheme.run(&["verify"]);
    };
    let (sqlite, postgres) = (shop(None), shop(None).on_postgres().await);
    story(&sqlite);
    story(&postgres);
    let reports = |scheme: &Scheme| files_below(&scheme.path("run"), &["reconciliation"]);
    assert_same(&reports(&sqlite), &reports(&postgres));
}

#[test]
fn a_feed_says_how_many_rejected_rows_are_too_many() {
    // limit, good rows, bad rows, whether there are too many
    for (limit, good, bad, failed) in [
        ("{ share = \"0.5\" }", 1, 1, true),
        ("{ share = \"0.5\" }", 2, 1, false),
        ("{ rows = 2 }", 9, 2, true),
        ("{ rows = 2 }", 0, 1, false),
        ("{ share = \"0.5\", rows = 1 }", 9, 1, true),
    ] {
        let scheme = shop(Some(limit));
        arrives(&scheme, 1, good, bad);
        let output = scheme.command(&["job", "ingest_files"]).output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(failed)), "{limit}: {good} good, {bad} bad");
        let status = scheme.command(&["status"]).output().unwrap();
        assert_eq!(status.status.code(), Some(i32::from(failed)), "{limit}");
        // A second run finds nothing new.
        scheme.run(&["job", "ingest_files"]);
        assert_eq!(scheme.run(&["exceptions"]).contains("ROWS_REJECTED"), failed, "{limit}");
    }
}

#[test]
fn what_the_terms_refuse_is_no_failure_of_the_file() {
    let scheme = shop(None);
    let refunds = "refund_id,order_id,amount,currency,refunded_at\nR1,O1,9.00,CNY,2026-03-01 12:00:00\n";
    scheme.write("inbox/refunds-2026-03-01.csv", refunds);
    let extensions = "extension_id,order_id,days,requested_at\nX1,O1,3,2026-03-01 12:00:00\n";
    scheme.write("inbox/extensions-2026-03-01.csv", extensions);
    scheme.close("2026-03-01");
    assert!(!codes(&scheme, "2026-03-01").contains(&"ROWS_REJECTED".to_owned()));
    // Only one of the two rows can't be read, so the default limit is not reached.
    scheme.write("inbox/refunds-2026-03-02.csv", format!("{refunds}R2,O1,a lot,CNY,2026-03-01\n"));
    scheme.close("2026-03-02");
}

#[test]
fn the_same_name_once_more_with_good_rows_closes_it() {
    let scheme = shop(None);
    arrives(&scheme, 1, 0, 2);
    scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    // The next file has no good row either: a second exception is listed beside the first.
    arrives(&scheme, 1, 0, 3);
    scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
    assert_eq!(codes(&scheme, "2026-03-02").iter().filter(|code| *code == "ROWS_REJECTED").count(), 2);
    arrives(&scheme, 1, 2, 1);
    scheme.close("2026-03-03");
    assert!(!codes(&scheme, "2026-03-03").contains(&"ROWS_REJECTED".to_owned()));
    // A header alone is a file without rows, and no failure.
    scheme.write("inbox/payments-2026-03-04.csv", PAYMENTS);
    scheme.close("2026-03-04");
}

#[test]
fn what_a_limit_can_t_be_is_refused_with_what_to_write() {
    for (limit, told) in [
        ("{ share = \"0\" }", "reject_limit.share: 0 would be reached by every file"),
        ("{ share = \"1.5\" }", "reject_limit.share: 1.5 is not from 0 to 1"),
        ("{ rows = 0 }", "reject_limit.rows: 0 is below 1"),
        ("{ }", "reject_limit: says neither share nor rows"),
    ] {
        let said = shop(Some(limit)).run_failing(&["check"], 2);
        assert!(said.contains(told), "{limit}: {said}");
    }
}

#[test]
fn an_inbox_that_is_gone_closes_no_day() {
    let scheme = shop(None);
    let config = scheme.read("paylater.toml").replacen("folder = \"inbox\"", "folder = \"disk/inbox\"", 1);
    scheme.write("paylater.toml", config);
    let told = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(
        told.contains("feed customers: the inbox ") && told.contains("disk/inbox does not exist; mount its disk"),
        "{told}"
    );
    assert!(told.contains("no day is closed until every inbox can be read"), "{told}");
    // The files of other feeds were taken, and the job `close_day` alone is refused too.
    assert!(scheme.path("run/archive/orders/orders-2026-03-01.csv").exists());
    let told = scheme.run_failing(&["job", "close_day"], 1);
    assert!(told.contains("disk/inbox does not exist"), "{told}");
    assert!(!scheme.path("run/reconciliation/2026-03-01").exists());
    fs::create_dir_all(scheme.path("disk/inbox")).unwrap();
    scheme.close("2026-03-01");
    // The folder disappears again, like a disk that is removed.
    fs::remove_dir_all(scheme.path("disk")).unwrap();
    scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
}

#[test]
fn check_says_what_will_happen_without_a_feed() {
    let without = |kinds: &[&str], policy: &str| {
        let scheme = Scheme::shop(policy);
        let config = scheme.read("paylater.toml");
        let mut tables = config.split("[[feed]]");
        let head = tables.next().unwrap().to_owned();
        let kept = tables.filter(|table| !kinds.iter().any(|kind| table.contains(&format!("kind = \"{kind}\""))));
        scheme.write("paylater.toml", kept.fold(head, |text, table| format!("{text}[[feed]]{table}")));
        scheme.run(&["check"])
    };
    let all = without(&[], POLICY);
    assert!(!all.contains("note:"), "{all}");
    let customers = without(&["customers"], POLICY);
    assert!(
        customers.contains("no feed brings customers: every order will be declined with NO_CUSTOMER"),
        "{customers}"
    );
    let agreements = without(&["agreements"], POLICY);
    assert!(agreements.contains("every order will be declined with NO_AGREEMENT"), "{agreements}");
    for (clock, waits) in [
        ("ordered", None),
        ("shipped", Some("shipped_at")),
        ("delivered", Some("delivered_at")),
        ("confirmed", Some("confirmed_at")),
        ("confirmed\"\nauto_confirm = { after = \"delivered\", days = 7 }\n#\"", Some("confirmed_at")),
        ("confirmed\"\nauto_confirm = { after_order = 30 }\n#\"", None),
    ] {
        let policy = POLICY.replace("clock = \"ordered\"", &format!("clock = \"{clock}\""));
        let told = without(&["fulfilments"], &policy);
        let expected = waits.map(|column| format!("an order without {column} in its own row never falls due"));
        assert_eq!(told.contains("no feed brings fulfilments"), expected.is_some(), "{clock}: {told}");
        assert!(expected.is_none_or(|expected| told.contains(&expected)), "{clock}: {told}");
    }
}
