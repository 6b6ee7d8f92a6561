//! Missing files with news of money: paylater takes no step against customers who may have paid, and decides the
//! held-back steps once the file arrives. Runs the real program.

use std::path::Path;

use crate::support::{Scheme, assert_same, files_below};

/// Every order is due on 8 March, and its notice on the 11th. The flag follows two days after the notice is sent.
const POLICY: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "9000.00", term = 7 } ]
late_fee = { kind = "flat", amount = "5.00", grace = 2 }

[version.credit]
notice_after = 3
flag_after = 2
"#;

const DEBIT: &str = "\n[version.debit]\nretry_after = [2, 4]\n";

const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at\n";

/// PAID pays on the 7th, LATE never pays. The payments file of every day is expected by 09:00.
fn shop(policy: &str, keys: &str) -> Scheme {
    let scheme = Scheme::shop(policy);
    let config = scheme.read("paylater.toml");
    let with = |kind: &str| {
        let line = format!("kind = \"{kind}\"\n");
        (line.clone(), format!("{line}expected_by = \"09:00\"\n{keys}\n"))
    };
    let (line, expected) = with("payments");
    scheme.write("paylater.toml", config.replace(&line, &expected));
    let orders = "order_id,customer_id,amount,currency,ordered_at\n\
                  PAID,C1,100.00,CNY,2026-03-01 09:00:00\nLATE,C1,100.00,CNY,2026-03-01 09:00:00\n";
    scheme.with_customer(&[("orders-2026-03-01.csv", orders)])
}

/// Delivers the payments files of these days of March. The file of the 7th has the payment of PAID.
fn payments(scheme: &Scheme, days: impl IntoIterator<Item = u32>) {
    for day in days {
        let paid = if day == 7 { "P1,PAID,100.00,CNY,2026-03-07 12:00:00\n" } else { "" };
        scheme.write(&format!("inbox/payments-2026-03-{day:02}.csv"), format!("{PAYMENTS}{paid}"));
    }
}

/// Returns the steps of the credit record in a day's export, without notices sent, which depend on the mails.
fn steps(scheme: &Scheme, day: &str) -> Vec<String> {
    let report = scheme.read(&format!("run/reconciliation/2026-03-{day}/credit-impact_2026-03-{day}.csv"));
    let mut rows = csv::Reader::from_reader(report.as_bytes());
    let rows = rows.records().map(|row| row.unwrap()).map(|row| format!("{} {}", &row[1], &row[4]));
    rows.filter(|row| !row.ends_with("notice_sent")).collect()
}

fn all_steps(scheme: &Scheme, last: u32) -> Vec<String> {
    let of = |day: u32| steps(scheme, &format!("{day:02}")).into_iter().map(move |step| format!("{day} {step}"));
    (1..=last).flat_map(of).collect()
}

fn debits(scheme: &Scheme, day: &str) -> Vec<String> {
    let report = format!("run/reconciliation/2026-03-{day}/SHOP_2026-03-{day}_debit-instructions.csv");
    scheme.read(&report).lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect()
}

fn reports(scheme: &Scheme) -> std::collections::BTreeMap<String, Vec<u8>> {
    files_below(&scheme.path("run"), &["reconciliation"])
}

#[tokio::test]
async fn no_step_is_taken_against_a_customer_until_the_file_comes() {
    let story = |scheme: &Scheme| {
        payments(scheme, (1..=14).filter(|day| *day != 7));
        scheme.close("2026-03-12");
        // Without the file of the 7th, no order is on time, and none is late enough for a notice.
        assert_eq!(all_steps(scheme, 12), [""; 0]);
        let told = scheme.exceptions("2026-03-12");
        assert!(told[0].starts_with("FILE_MISSING 5 no file of payments for 2026-03-07"), "{told:?}");
        let waits = "overdue mails, notices, credit flags and debits of SHOP are held back until it comes";
        assert!(told[0].contains(waits), "{told:?}");
        let status = scheme.run(&["status"]);
        let line = "SHOP: overdue mails, notices, credit flags and debits are held back since 2026-03-07: no file of \
                    payments for 2026-03-07 has come (feed payments)";
        assert!(status.contains(line), "{status}");
        scheme.run(&["verify"]);
        payments(scheme, [7]);
        scheme.close("2026-03-17");
        // Once the file arrives, the held-back steps are decided: the notice is sent, and its period begins.
        let steps = all_steps(scheme, 17);
        assert_eq!(steps[..2], ["13 LATE notice_due", "13 PAID on_time"]);
        assert!(steps.len() == 3 && steps[2].ends_with("LATE flagged"), "{steps:?}");
        assert!(!scheme.run(&["status"]).contains("held back"));
        scheme.run(&["verify"]);
    };
    let sqlite = shop(POLICY, "");
    let postgres = shop(POLICY, "").on_postgres().await;
    for scheme in [&sqlite, &postgres] {
        payments(scheme, 15..=17);
        story(scheme);
    }
    assert_same(&reports(&sqlite), &reports(&postgres));
}

#[test]
fn a_flag_waits_as_a_notice_does() {
    let scheme = shop(POLICY, "");
    payments(&scheme, (1..=20).filter(|day| *day != 13));
    scheme.close("2026-03-17");
    // The notice was sent before the file of the 13th was missing.
    assert_eq!(all_steps(&scheme, 17), ["8 PAID on_time", "11 LATE notice_due"]);
    payments(&scheme, [13]);
    scheme.close("2026-03-18");
    assert_eq!(steps(&scheme, "18"), ["LATE flagged"]);
    scheme.run(&["verify"]);
}

#[test]
fn nobody_is_debited_who_may_have_paid_by_hand() {
    let scheme = shop(&format!("{POLICY}{DEBIT}"), "");
    payments(&scheme, (1..=14).filter(|day| *day != 7));
    scheme.close("2026-03-10");
    for day in ["08", "09", "10"] {
        assert_eq!(debits(&scheme, day), [""; 0], "{day}");
    }
    payments(&scheme, [7]);
    scheme.close("2026-03-11");
    assert_eq!(debits(&scheme, "11"), ["LATE"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_file_that_comes_between_two_jobs_of_a_day_is_as_good_as_one_that_came_before() {
    let whole = shop(&format!("{POLICY}{DEBIT}"), "");
    payments(&whole, 1..=14);
    whole.close("2026-03-12");
    let scheme = shop(&format!("{POLICY}{DEBIT}"), "");
    for day in 1..=12 {
        // The jobs decide and plan without the file, which arrives before the close.
        scheme.run(&["job", "ingest_files"]);
        scheme.run(&["job", "assess_positions"]);
        scheme.run(&["job", "collect_debits"]);
        payments(&scheme, [day]);
        scheme.close(&format!("2026-03-{day:02}"));
    }
    assert_eq!(all_steps(&scheme, 12), all_steps(&whole, 12));
    assert_same(&reports(&whole), &reports(&scheme));
    scheme.run(&["verify"]);
}

#[test]
fn a_day_may_be_stopped_for_it() {
    let scheme = shop(POLICY, "when_missing = \"stop\"");
    payments(&scheme, 1..=6);
    let told = scheme.run_failing(&["close", "--through", "2026-03-08"], 1);
    assert!(told.contains("2026-03-07 can't be closed while these files are missing"), "{told}");
    assert!(told.contains("no file of payments for 2026-03-07 has come (feed payments)"), "{told}");
    assert!(!Path::new(&scheme.path("run/reconciliation/2026-03-07")).exists());
    assert!(scheme.run(&["exceptions"]).contains("FILE_MISSING"));
    payments(&scheme, 7..=8);
    scheme.close("2026-03-08");
    assert_eq!(all_steps(&scheme, 8), ["8 PAID on_time"]);
    scheme.run(&["verify"]);
}

#[test]
fn or_nothing_waits_for_it() {
    let scheme = shop(POLICY, "when_missing = \"go_on\"");
    payments(&scheme, (1..=14).filter(|day| *day != 7));
    scheme.close("2026-03-11");
    let told = scheme.exceptions("2026-03-11");
    assert_eq!(
        told,
        ["FILE_MISSING 4 no file of payments for 2026-03-07: feed payments expects payments-{date}*.csv by 09:00"]
    );
    assert_eq!(all_steps(&scheme, 11), ["11 LATE notice_due", "11 PAID notice_due"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_person_may_say_that_there_will_be_none() {
    let scheme = shop(POLICY, "");
    payments(&scheme, (1..=14).filter(|day| *day != 7));
    scheme.close("2026-03-11");
    assert_eq!(all_steps(&scheme, 11), [""; 0]);
    scheme.run(&["exceptions", "close", "SHOP-X1", "--reason", "the shop was closed on that day"]);
    scheme.close("2026-03-12");
    assert_eq!(all_steps(&scheme, 12), ["12 LATE notice_due", "12 PAID notice_due"]);
    scheme.run(&["verify"]);
}

/// The files of a week arrive late. The positions end the same as without a delay, and only the steps are later.
#[test]
fn a_week_of_missing_files_ends_where_no_missing_file_would_have() {
    let undisturbed = shop(POLICY, "");
    payments(&undisturbed, 1..=20);
    undisturbed.close("2026-03-20");
    let disturbed = shop(POLICY, "");
    payments(&disturbed, 1..=4);
    disturbed.close("2026-03-11");
    assert_eq!(all_steps(&disturbed, 11), [""; 0]);
    payments(&disturbed, 5..=20);
    disturbed.close("2026-03-20");
    let positions = |scheme: &Scheme| scheme.read("run/reconciliation/2026-03-20/SHOP_2026-03-20_positions.csv");
    assert_eq!(positions(&disturbed), positions(&undisturbed));
    disturbed.run(&["verify"]);
}

#[test]
fn bills_refunds_and_debit_results_are_news_of_money_too_and_orders_are_not() {
    for (kind, held) in
        [("bills", true), ("refunds", true), ("debit_results", true), ("holds", false), ("orders", false)]
    {
        let scheme = shop(POLICY, "");
        let config = scheme.read("paylater.toml").replace("expected_by = \"09:00\"\n", "");
        let line = format!("kind = \"{kind}\"\n");
        scheme.write("paylater.toml", config.replace(&line, &format!("{line}expected_by = \"09:00\"\n")));
        scheme.close("2026-03-11");
        let steps = all_steps(&scheme, 11);
        assert_eq!(steps.is_empty(), held, "{kind}: {steps:?}");
        assert_eq!(scheme.run(&["status"]).contains("held back since"), held, "{kind}");
        scheme.run(&["verify"]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_write() {
    let told = |kind: &str, keys: &str| {
        let scheme = Scheme::shop(POLICY);
        let line = format!("kind = \"{kind}\"\n");
        let config = scheme.read("paylater.toml").replace(&line, &format!("{line}{keys}\n"));
        scheme.write("paylater.toml", config);
        scheme.run_failing(&["check"], 2)
    };
    let none = told("payments", "when_missing = \"hold\"");
    assert!(none.contains("feed.when_missing: no file is missing where none is expected"), "{none}");
    let orders = told("orders", "expected_by = \"09:00\"\nwhen_missing = \"stop\"");
    assert!(orders.contains("orders say nothing of what customers have paid"), "{orders}");
    let word = told("payments", "expected_by = \"09:00\"\nwhen_missing = \"wait\"");
    assert!(word.contains("\"wait\" is not known; write hold, stop or go_on"), "{word}");
}

/// Returns the steps against customers, by order: overdue mails and notices that were sent, and steps of the credit
/// record. `right`: also the mails that were right but were not sent because the customer had enough mails.
fn held_against(scheme: &Scheme, right: bool) -> std::collections::BTreeSet<(String, String)> {
    let url = format!("sqlite:{}", scheme.path("sample-run/paylater.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut books = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let which = if right { "TRUE" } else { "mail_no IS NOT NULL AND suppressed IS NULL" };
        let sql = format!(
            "SELECT order_id, template || ' ' || CASE WHEN template = 'notice' THEN '' ELSE step END FROM reminder
             WHERE {which} AND template IN ('overdue', 'notice')
             UNION SELECT order_id, status FROM credit_step WHERE status IN ('notice_due', 'flagged')"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&mut books).await.unwrap().into_iter().collect()
    })
}

/// The sample after nine days. From then on, every shop's payments file arrives daily and is expected before the mails
/// are sent.
fn sample_that_expects_payments() -> Scheme {
    let scheme = Scheme::sample();
    scheme.close("2026-03-09");
    let line = "kind = \"payments\"\n";
    let config = scheme.read("sample-data/paylater.toml");
    scheme.write("sample-data/paylater.toml", config.replace(line, &format!("{line}expected_by = \"09:00\"\n")));
    scheme
}

#[test]
fn a_week_of_the_sample_without_payments_is_held_against_nobody() {
    let undisturbed = sample_that_expects_payments();
    undisturbed.close("2026-03-31");

    let scheme = sample_that_expects_payments();
    let in_week = |day: u32| format!("payments-2026-03-{day:02}.csv");
    let files = |from: &str, to: &str| {
        for (shop, day) in ["tea", "book", "gym"].into_iter().flat_map(|shop| (10..=16).map(move |day| (shop, day))) {
            let (from, to) = (scheme.path(&format!("{from}/{shop}")), scheme.path(&format!("{to}/{shop}")));
            std::fs::create_dir_all(&to).unwrap();
            if from.join(in_week(day)).exists() {
                std::fs::rename(from.join(in_week(day)), to.join(in_week(day))).unwrap();
            }
        }
    };
    files("sample-data/inbox", "kept-back");
    scheme.close("2026-03-16");
    assert!(scheme.run(&["status"]).contains("are held back since 2026-03-10"));
    let without: Vec<_> = held_against(&scheme, false).difference(&held_against(&undisturbed, true)).cloned().collect();
    assert!(without.is_empty(), "{without:?}");
    files("kept-back", "sample-data/inbox");
    scheme.close("2026-03-31");
    // No customer got a mail, a notice or a flag that they would not get with all files on time …
    let more: Vec<_> = held_against(&scheme, false).difference(&held_against(&undisturbed, true)).cloned().collect();
    assert!(more.is_empty(), "{more:?}");
    // … and the positions are the same, except for the dates of delayed credit records.
    let positions = |scheme: &Scheme| -> Vec<String> {
        let of =
            |shop: &str| scheme.read(&format!("sample-run/reconciliation/2026-03-31/{shop}_2026-03-31_positions.csv"));
        let cut = |line: &str| {
            line.split(',')
                .enumerate()
                .filter(|(i, _)| ![15, 17].contains(i))
                .map(|(_, c)| c)
                .collect::<Vec<_>>()
                .join(",")
        };
        ["TEA", "BOOK", "GYM"].into_iter().flat_map(|shop| of(shop).lines().map(cut).collect::<Vec<_>>()).collect()
    };
    assert_eq!(positions(&undisturbed), positions(&scheme));
    scheme.run(&["verify"]);
}
