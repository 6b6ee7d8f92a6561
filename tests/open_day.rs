//! While a day is open, mails, views, decisions and entries follow from the days that are over and the known facts. The
//! effects of the day's end come with its close. So it does not matter which jobs ran before.

use std::collections::BTreeMap;

use crate::support::smtp::{Answer, SmtpServer};
use crate::support::{POLICY, Scheme, assert_same, files_below};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at,shipped_at,delivered_at,confirmed_at\n";
const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at\n";

/// A shop where the term is 7 days from the order.
fn shop(rest_of_policy: &str, files: &[(&str, &str)]) -> Scheme {
    let policy = POLICY.replace("late_fee = { kind = \"none\" }\n", rest_of_policy);
    Scheme::shop(&policy).with_customer(files)
}

fn order(id: &str, amount: &str, at: &str) -> String {
    format!("{ORDERS}{id},C1,{amount},CNY,{at},,,\n")
}

fn payment(id: &str, order: &str, amount: &str, at: &str) -> String {
    format!("{PAYMENTS}{id},{order},{amount},CNY,{at}\n")
}

/// Returns the mails of a run as day of sending and text, decoded.
fn mails(scheme: &Scheme) -> BTreeMap<String, String> {
    if !scheme.path("run/mail").exists() {
        return BTreeMap::new();
    }
    let mails = files_below(&scheme.path("run"), &["mail"]);
    mails.into_iter().map(|(name, bytes)| (name, plain(&String::from_utf8(bytes).unwrap()))).collect()
}

/// Returns the plain text of a mail in English.
fn plain(mail: &str) -> String {
    let part = mail.split("Content-Type: text/plain").nth(1).unwrap_or(mail);
    part.split("\r\n--").next().unwrap().replace("=\r\n", "").replace("=20", " ").replace("=3D", "=")
}

/// The same customer, who reads English.
const IN_ENGLISH: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,Ann,c1@example.com,en,Asia/Shanghai,700,true,true
";

const DAILY_FEE: &str = "late_fee = { kind = \"daily\", rate = \"0.01\" }
[version.reminders]
steps = [0, 1]
[version.credit]
notice_after = 1
flag_after = 0
";

#[test]
fn a_mail_never_asks_for_the_fee_of_a_day_that_is_not_over() {
    let flat = "late_fee = { kind = \"flat\", amount = \"10.00\" }\n[version.reminders]\nsteps = [0, 1, 2]\n";
    for (fee, owed) in [
        // Charged at the end of the due date.
        (flat, [("08", "CNY 100.00"), ("09", "CNY 110.00"), ("10", "CNY 110.00")]),
        (DAILY_FEE, [("08", "CNY 100.00"), ("09", "CNY 100.00"), ("10", "CNY 101.00")]),
    ] {
        let scheme = shop(
            &fee.replace("[0, 1]", "[0, 1, 2]"),
            &[
                ("customers-2026-03-02.csv", IN_ENGLISH),
                ("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00")),
            ],
        );
        scheme.close("2026-03-10");
        let mails = mails(&scheme);
        for (day, amount) in owed {
            let of_day: Vec<&String> =
                mails.iter().filter(|(name, _)| name.contains(&format!("202603{day}"))).map(|(_, text)| text).collect();
            assert_eq!(of_day.len(), 1, "{day}: {mails:?}");
            assert!(of_day[0].contains(&format!("To pay: {amount}")), "{day} {amount}: {}", of_day[0]);
        }
    }
}

/// Expects the shop's waivers file at the start of each day. `watch_feeds` reports it missing if it runs before the
/// file arrives.
fn expecting_waivers(scheme: Scheme) -> Scheme {
    let kind = "kind = \"waivers\"\n";
    let config = scheme.read("paylater.toml").replace(kind, &format!("{kind}expected_by = \"00:00\"\n"));
    scheme.write("paylater.toml", config);
    scheme
}

const WAIVERS: &str = "waiver_id,order_id,amount,currency,waived_on\n";

/// Files that arrive one by one in the order of intake, with any jobs in between, lead to the same seal as one close.
#[tokio::test]
async fn any_jobs_at_any_moment_give_the_seal_of_one_close() {
    let policy = format!("{DAILY_FEE}[version.debit]\ndays_before = 0\n");
    let days: [(&str, &[(&str, String)]); 5] = [
        ("2026-03-01", &[("orders", order("A", "100.00", "2026-03-01 10:00:00")), ("waivers", WAIVERS.to_owned())]),
        (
            "2026-03-08",
            &[
                ("orders", order("B", "700.00", "2026-03-08 10:00:00")),
                ("payments", payment("P1", "A", "40.00", "2026-03-08 12:00:00")),
                // The file arrives, but is quarantined, so it stays missing.
                ("waivers", "what is this?\n".to_owned()),
            ],
        ),
        (
            "2026-03-09",
            &[
                ("orders", order("C", "300.00", "2026-03-09 09:00:00")),
                (
                    "payments",
                    payment("P2", "A", "60.00", "2026-03-09 10:00:00")
                        + "P9,A,a lot,CNY,2026-03-09 10:00:00\nP8,A,more,CNY,2026-03-09 10:00:00\n",
                ),
                (
                    "refunds",
                    "refund_id,order_id,amount,currency,refunded_at\nR1,B,10.00,CNY,2026-03-09 11:00:00\n".to_owned(),
                ),
                ("waivers", format!("{WAIVERS}W1,LATER,1.00,CNY,2026-03-09\n")),
            ],
        ),
        (
            "2026-03-16",
            &[
                ("payments", payment("P3", "B", "690.00", "2026-03-15 23:00:00")),
                ("waivers", format!("{WAIVERS}W2,NEVER,1.00,CNY,2026-03-16\n")),
            ],
        ),
        ("2026-03-17", &[("payments", payment("P4", "NOBODY", "1.00", "2026-03-17 08:00:00"))]),
    ];
    let at_once = expecting_waivers(shop(&policy, &[]));
    for (day, files) in &days {
        for (kind, text) in *files {
            at_once.write(&format!("inbox/{kind}-{day}.csv"), text);
        }
    }
    at_once.close("2026-03-20");
    let expected = files_below(&at_once.path("run"), &["reconciliation"]);
    let of_the_8th = at_once.exceptions("2026-03-08");
    let refused = "waivers-2026-03-08.csv came and is in quarantine";
    assert!(of_the_8th.iter().any(|row| row.starts_with("FILE_MISSING") && row.contains(refused)), "{of_the_8th:?}");
    assert!(!at_once.exceptions("2026-03-09").iter().any(|row| row.starts_with("FILE_MISSING 0")));

    const JOBS: [&str; 8] = [
        "assess_positions",
        "send_reminders",
        "collect_debits",
        "ingest_files",
        "watch_feeds",
        "pay_out_credit",
        "match_bills",
        "assess_positions",
    ];
    for round in 0..3usize {
        let scheme = expecting_waivers(shop(&policy, &[]));
        let scheme = if round == 2 { scheme.on_postgres().await } else { scheme };
        let mut turn = round * 3;
        let mut any_jobs = |scheme: &Scheme| {
            for _ in 0..3 {
                scheme.run(&["job", JOBS[turn % JOBS.len()]]);
                turn += 1 + round % 2;
            }
        };
        for (day, files) in &days {
            let before = chrono::NaiveDate::pred_opt(&day.parse().unwrap()).unwrap().to_string();
            if before.as_str() >= "2026-03-01" {
                scheme.close(&before);
            }
            // The waivers file arrives last, and is reported missing before.
            scheme.run(&["job", "watch_feeds"]);
            any_jobs(&scheme);
            for (kind, text) in *files {
                scheme.write(&format!("inbox/{kind}-{day}.csv"), text);
                any_jobs(&scheme);
            }
        }
        scheme.close("2026-03-20");
        assert_same(&expected, &files_below(&scheme.path("run"), &["reconciliation"]));
        scheme.run(&["verify"]);
    }
}

/// Returns the ids of open exceptions, by code and line.
fn ids(scheme: &Scheme) -> BTreeMap<(String, i64), String> {
    let list: serde_json::Value = serde_json::from_str(&scheme.run(&["--json", "exceptions", "--all"])).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = list["exceptions"].as_array().unwrap().iter();
    rows.map(|row| ((text(row, "code"), row["line"].as_i64().unwrap_or(0)), text(row, "exception_id"))).collect()
}

/// An exception gets its permanent id as soon as it is known. Its number depends only on its day.
#[tokio::test]
async fn an_exception_is_named_the_same_way_whatever_else_was_found_on_its_day() {
    let mut sealed = Vec::new();
    for (jobs, on_postgres) in [(false, false), (true, false), (true, true)] {
        let scheme =
            expecting_waivers(shop(DAILY_FEE, &[("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01"))]));
        let scheme = if on_postgres { scheme.on_postgres().await } else { scheme };
        scheme.close("2026-03-01");
        if jobs {
            scheme.run(&["job", "watch_feeds"]);
            assert!(scheme.run(&["exceptions"]).contains("no file of waivers for 2026-03-02"));
        }
        let rows = "P9,A,a lot,CNY,2026-03-02\nP8,A,more,CNY,2026-03-02\n";
        scheme.write("inbox/payments-2026-03-02.csv", format!("{PAYMENTS}{rows}"));
        scheme.run(&["job", "ingest_files"]);
        let before = ids(&scheme);
        let of = |line: i64| before[&("PAYMENT_REJECTED".to_owned(), line)].clone();
        assert!(of(2).starts_with("SHOP-N") && of(3).starts_with("SHOP-N"), "{before:?}");
        scheme.run(&["exceptions", "close", &of(2), "--reason", "it was a test"]);
        if jobs {
            scheme.run(&["job", "watch_feeds"]);
        }
        scheme.write("inbox/waivers-2026-03-02.csv", WAIVERS);
        scheme.close("2026-03-02");
        let report = scheme.read("run/reconciliation/2026-03-02/SHOP_2026-03-02_exceptions.csv");
        assert!(report.contains("SHOP-X2,PAYMENT_REJECTED,SHOP,A,payments-2026-03-02.csv,2,"), "{report}");
        assert!(report.contains("closed: it was a test"), "{report}");
        assert!(report.contains("SHOP-X3,PAYMENT_REJECTED,SHOP,A,payments-2026-03-02.csv,3,"), "{report}");
        assert_eq!(ids(&scheme)[&("PAYMENT_REJECTED".to_owned(), 3)], "SHOP-X3");
        for name in [&of(2), "SHOP-X2"] {
            let told = scheme.run_failing(&["exceptions", "close", name, "--reason", "again"], 1);
            assert!(told.contains("was closed on 2026-03-02"), "{told}");
        }
        scheme.run(&["exceptions", "close", &of(3), "--reason", "it was a test, too"]);
        scheme.close("2026-03-03");
        let report = scheme.read("run/reconciliation/2026-03-03/SHOP_2026-03-03_exceptions.csv");
        assert!(report.contains("SHOP-X3,") && report.contains("closed: it was a test, too"), "{report}");
        scheme.run(&["verify"]);
        sealed.push(files_below(&scheme.path("run"), &["reconciliation"]));
    }
    assert_same(&sealed[0], &sealed[1]);
    assert_same(&sealed[0], &sealed[2]);
}

/// A correction has waited so long that it is reported, and its fact arrives on the same day.
#[test]
fn a_correction_that_waits_no_more_is_no_exception() {
    let mut sealed = Vec::new();
    for watched in [false, true] {
        let scheme = shop(DAILY_FEE, &[("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01"))]);
        let feed = "[[feed]]\nname = \"corrections\"\nfolder = \"inbox\"\npattern = \"corrections-{date}*.csv\"\n\
                    kind = \"corrections\"\nsettle_seconds = 0\nmerchant = \"SHOP\"\n";
        scheme.write("paylater.toml", scheme.read("paylater.toml") + feed);
        scheme.write(
            "inbox/corrections-2026-03-01.csv",
            "correction_id,kind,fact_id,action,corrected_at,reason,approved_by\n\
             K1,payment,P1,void,2026-03-01 12:00:00,sent by mistake,wang.li\n",
        );
        scheme.close("2026-03-03");
        assert!(scheme.ack("corrections", "corrections-2026-03-01.csv").contains("pending"));
        if watched {
            scheme.run(&["job", "watch_feeds"]);
            assert!(scheme.run(&["exceptions"]).contains("UNKNOWN_FACT"));
        }
        scheme.write("inbox/payments-2026-03-04.csv", payment("P1", "A", "40.00", "2026-03-04"));
        scheme.close("2026-03-05");
        assert_eq!(scheme.exceptions("2026-03-05"), Vec::<String>::new());
        sealed.push(files_below(&scheme.path("run"), &["reconciliation"]));
    }
    assert_same(&sealed[0], &sealed[1]);
}

#[test]
fn an_orders_limit_does_not_depend_on_jobs_that_ran_before() {
    // The payment is after the cut-off, so it counts for the 2nd. The 2nd opens with nothing owed.
    let policy = "late_fee = { kind = \"none\" }\ncut_off = \"22:00\"\n";
    let limit = |policy: &str| policy.replace("1000.00", "100.00");
    for jobs in [false, true] {
        let scheme =
            Scheme::shop(&limit(&POLICY.replace("late_fee = { kind = \"none\" }\n", policy))).with_customer(&[
                ("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00")),
                ("payments-2026-03-01.csv", &payment("P1", "A", "100.00", "2026-03-01 23:00:00")),
                ("orders-2026-03-02.csv", &order("B", "50.00", "2026-03-02 10:00:00")),
            ]);
        scheme.close("2026-03-01");
        if jobs {
            scheme.run(&["job", "assess_positions"]);
        }
        scheme.close("2026-03-02");
        assert!(scheme.ack("orders", "orders-2026-03-02.csv").contains("B,accepted"), "{jobs}");
        scheme.run(&["verify"]);
    }
}

#[test]
fn a_payment_of_the_same_day_frees_no_limit_whenever_its_file_comes() {
    for payment_first in [false, true] {
        let scheme = Scheme::shop(&POLICY.replace("1000.00", "100.00"))
            .with_customer(&[("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00"))]);
        scheme.close("2026-03-01");
        scheme.write("inbox/payments-2026-03-02.csv", payment("P1", "A", "100.00", "2026-03-02 08:00:00"));
        if payment_first {
            scheme.run(&["job", "ingest_files"]);
            scheme.run(&["job", "assess_positions"]);
        }
        scheme.write("inbox/orders-2026-03-02.csv", order("B", "50.00", "2026-03-02 10:00:00"));
        scheme.close("2026-03-02");
        assert!(scheme.ack("orders", "orders-2026-03-02.csv").contains("OVER_LIMIT"), "{payment_first}");
    }
}

#[test]
fn a_customer_is_frozen_by_the_days_that_are_over() {
    // Shipped on Thursday the 5th, automatically confirmed on Sunday the 8th, and due on the Friday before. This is
    // known at the end of the 8th.
    let policy = "[[version]]\neffective_from = \"2026-01-01\"\ncurrency = \"CNY\"\nclock = \"confirmed\"\n\
        auto_confirm = { after = \"shipped\", days = 3 }\ncalendar = \"weekends\"\nroll = \"preceding\"\n\
        bands = [ { score = 500, limit = \"500.00\", term = 0 } ]\nfreeze_when_overdue = 0\nlate_fee = { kind = \"none\" }\n";
    for jobs in [false, true] {
        let scheme = Scheme::shop(policy).with_customer(&[
            ("orders-2026-03-05.csv", &format!("{ORDERS}A,C1,100.00,CNY,2026-03-05 10:00:00,2026-03-05 12:00:00,,\n")),
            ("orders-2026-03-08.csv", &order("B", "50.00", "2026-03-08 10:00:00")),
            ("orders-2026-03-09.csv", &order("C", "50.00", "2026-03-09 10:00:00")),
        ]);
        scheme.close("2026-03-07");
        if jobs {
            scheme.run(&["job", "assess_positions"]);
            scheme.run(&["job", "send_reminders"]);
        }
        scheme.close("2026-03-09");
        assert!(scheme.ack("orders", "orders-2026-03-08.csv").contains("B,accepted"), "{jobs}");
        assert!(scheme.ack("orders", "orders-2026-03-09.csv").contains("ACCOUNT_OVERDUE"), "{jobs}");
    }
}

#[test]
fn freezing_counts_days_past_due() {
    // Due on the 8th, paid on the 12th, charged back on the 20th: on the 22nd the days 9 to 11 and 20 to 21 count.
    let files = |ordered: &str| {
        let scheme = shop(
            "late_fee = { kind = \"none\" }\nfreeze_when_overdue = 5\n",
            &[
                ("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00")),
                ("payments-2026-03-12.csv", &payment("P1", "A", "100.00", "2026-03-12 10:00:00")),
                (
                    "chargebacks-2026-03-20.csv",
                    "chargeback_id,payment_id,order_id,amount,currency,charged_back_at\nX1,P1,A,100.00,CNY,2026-03-20 10:00:00\n",
                ),
            ],
        );
        scheme.write(&format!("inbox/orders-{ordered}.csv"), order("B", "50.00", &format!("{ordered} 10:00:00")));
        scheme.close(ordered);
        scheme.ack("orders", &format!("orders-{ordered}.csv"))
    };
    assert!(files("2026-03-22").contains("B,accepted"));
    assert!(files("2026-03-24").contains("ACCOUNT_OVERDUE"));
}

#[test]
fn an_extension_asked_for_on_the_morning_of_the_write_off_is_granted() {
    let policy = "late_fee = { kind = \"none\" }\nwrite_off = { after = 10 }\nextension = { times = 1, days = 7, when_overdue = true }\n";
    for (day, outcome) in [("2026-03-18", "accepted"), ("2026-03-19", "EXTENSION_WRITTEN_OFF")] {
        let scheme = shop(policy, &[("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00"))]);
        scheme.write(
            &format!("inbox/extensions-{day}.csv"),
            format!("extension_id,order_id,days,requested_at\nE1,A,7,{day} 08:00:00\n"),
        );
        scheme.close(day);
        assert!(scheme.ack("extensions", &format!("extensions-{day}.csv")).contains(outcome), "{day}");
    }
}

fn by_smtp(mut scheme: Scheme, server: &SmtpServer) -> Scheme {
    let config = scheme.read("paylater.toml").replace("\"folder\"", "\"smtp\"");
    scheme.write("paylater.toml", config);
    scheme.env.push(("PAYLATER_SMTP_URL".to_owned(), server.url()));
    scheme
}

#[test]
fn a_mail_is_looked_at_again_when_it_leaves() {
    let server = SmtpServer::start();
    server.answer(Answer::to("MAIL", "451 4.3.0 try again later"));
    let steps = "late_fee = { kind = \"none\" }\nholds.hardship = { days = 5, effects = [\"contact\"] }\n[version.reminders]\nsteps = [0]\n";
    let others =
        "C2,Bob,c2@example.com,en,Asia/Shanghai,700,true,true\nC3,Cat,c3@example.com,en,Asia/Shanghai,700,true,true\n";
    let scheme = by_smtp(
        shop(
            steps,
            &[
                ("customers-2026-02-28.csv", &format!("{IN_ENGLISH}{others}")),
                (
                    "agreements-2026-02-28.csv",
                    "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\n\
                     A2,C2,SHOP,open,2026-02-01,true\nA3,C3,SHOP,open,2026-02-01,true\n",
                ),
                (
                    "orders-2026-03-01.csv",
                    &format!(
                        "{ORDERS}PAID,C1,10.00,CNY,2026-03-01,,,\nPART,C2,20.00,CNY,2026-03-01,,,\nHELD,C3,30.00,CNY,2026-03-01,,,\n"
                    ),
                ),
            ],
        ),
        &server,
    );
    scheme.close("2026-03-07");
    let told = scheme.run_failing(&["job", "send_reminders"], 1);
    assert!(told.contains("not handed over, and left for the next run of today: 3 mails"), "{told}");
    scheme.write(
        "inbox/payments-2026-03-08.csv",
        format!("{PAYMENTS}P1,PAID,10.00,CNY,2026-03-08 09:00:00\nP2,PART,5.00,CNY,2026-03-08 09:00:00\n"),
    );
    scheme.write(
        "inbox/holds-2026-03-08.csv",
        "hold_id,order_id,reason,starts_on,ends_on\nH1,HELD,hardship,2026-03-08,2026-03-20\n",
    );
    scheme.run(&["job", "ingest_files"]);
    server.answer_well();
    let told = scheme.run(&["job", "send_reminders"]);
    assert!(told.contains("mails sent 1, withdrawn 2"), "{told}");
    let received = server.received();
    assert_eq!(received.len(), 1);
    let text = plain(&String::from_utf8_lossy(&received[0].content));
    assert!(text.contains("order PART") && text.contains("To pay: CNY 15.00"), "{text}");
    assert!(scheme.run(&["explain", "PAID"]).contains("mail due_today (0) not sent: paid"));
    assert!(scheme.run(&["explain", "HELD"]).contains("mail due_today (0) not sent: held"));
    // The exception about mails that waited is closed, and the day ends without another mail.
    scheme.close("2026-03-08");
    assert!(!scheme.read("run/reconciliation/2026-03-08/scheme_2026-03-08_exceptions.csv").contains("MAIL_DELAYED"));
    assert_eq!(server.received().len(), 1);
}

#[test]
fn everybody_is_written_to_at_an_hour_of_theirs() {
    for (zone, sent_at) in [
        ("Asia/Shanghai", "02:00:00"),
        ("Europe/London", "07:00:00"),
        ("America/New_York", "12:00:00"),
        ("America/Los_Angeles", "02:00:00"),
        ("Pacific/Auckland", "02:00:00"),
        ("Pacific/Honolulu", "02:00:00"),
        ("America/Sao_Paulo", "11:00:00"),
        ("Asia/Kolkata", "02:30:00"),
    ] {
        let scheme = shop(
            "late_fee = { kind = \"none\" }\n[version.reminders]\nsteps = [0]\n",
            &[
                ("customers-2026-07-01.csv", &IN_ENGLISH.replace("Asia/Shanghai", zone)),
                ("orders-2026-07-01.csv", &order("A", "100.00", "2026-07-01 10:00:00")),
            ],
        );
        let config = scheme.read("paylater.toml").replace("2026-03-01", "2026-07-01");
        scheme.write("paylater.toml", config);
        scheme.close("2026-07-08");
        let mails = files_below(&scheme.path("run"), &["mail"]);
        let dates: Vec<String> = mails
            .values()
            .map(|mail| {
                String::from_utf8_lossy(mail).lines().find(|line| line.starts_with("Date:")).unwrap().to_owned()
            })
            .collect();
        assert_eq!(dates, [format!("Date: Wed, 08 Jul 2026 {sent_at} +0000")], "{zone}");
    }
}

#[test]
fn where_no_hour_is_left_the_reason_is_kept() {
    let scheme = shop(
        "late_fee = { kind = \"none\" }\n[version.reminders]\nsteps = [0]\n",
        &[
            ("customers-2026-03-02.csv", &IN_ENGLISH.replace("Asia/Shanghai", "America/New_York")),
            ("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00")),
        ],
    );
    let config = scheme.read("paylater.toml").replace("[mail]\n", "[mail]\ncontact_hours = [\"13:00\", \"14:00\"]\n");
    scheme.write("paylater.toml", config);
    scheme.close("2026-03-08");
    assert!(mails(&scheme).is_empty());
    let told = scheme.run(&["explain", "A"]);
    assert!(told.contains("mail due_today (0) not sent: no hour left in the customer's time zone"), "{told}");
}

#[test]
fn letters_say_only_what_the_terms_bear_out() {
    let reminders = "[version.reminders]\nsteps = [-1, 0, 1, 2, 3]\n";
    let flat = "late_fee = { kind = \"flat\", amount = \"10.00\" }\n";
    let none = "late_fee = { kind = \"none\" }\n";
    let credit = "[version.credit]\nnotice_after = 30\nflag_after = 5\n";
    let debit = "[version.debit]\ndays_before = 0\n";
    let texts = |policy: String| -> Vec<String> {
        let scheme = shop(
            &policy,
            &[
                ("customers-2026-03-02.csv", IN_ENGLISH),
                ("orders-2026-03-01.csv", &order("A", "100.00", "2026-03-01 10:00:00")),
            ],
        );
        scheme.close("2026-03-11");
        if policy.contains("[version.debit]") {
            // The close of the 8th charges the fee, and asks the bank for it as well.
            let debits = scheme.read("run/reconciliation/2026-03-08/SHOP_2026-03-08_debit-instructions.csv");
            assert!(debits.contains("110.00"), "{debits}");
        }
        mails(&scheme).into_values().collect()
    };
    let neither = texts(format!("{none}{reminders}"));
    assert_eq!(neither.len(), 5);
    for text in &neither {
        assert!(!text.contains("late fee") && !text.contains("credit record"), "{text}");
        assert!(text.contains("Please pay the way"), "{text}");
    }
    // The only fee is charged at the end of the 8th. Until then the mail says how much it is; after that there is no second
    // fee.
    let fee = texts(format!("{flat}{reminders}"));
    for (text, may_follow) in fee.iter().zip([true, true, false, false, false]) {
        let fee = "No late fee if you pay by 8 March 2026; after that, a late fee of CNY 10.00 is added";
        assert_eq!(text.contains(fee), may_follow, "{text}");
        assert!(!text.contains("further late fee") && !text.contains("credit record"), "{text}");
    }
    for text in texts(format!("{none}{reminders}{credit}")) {
        assert!(text.contains("credit record") && !text.contains("late fee"), "{text}");
    }
    // The bank is asked on the 8th and does not answer.
    let collected = texts(format!("{flat}{reminders}{debit}"));
    for (text, words) in collected.iter().zip([
        "CNY 110.00 will be collected from your bank card on 8 March 2026",
        "CNY 110.00 will be collected from your bank card on 8 March 2026",
        "CNY 110.00 is being collected from your bank card",
        "CNY 110.00 is being collected from your bank card",
        "CNY 110.00 is being collected from your bank card",
    ]) {
        assert!(text.contains(words) && !text.contains("Please pay"), "{text}");
        assert!(!text.contains("be added") && !text.contains("is added"), "{text}");
    }
}

#[test]
fn explain_counts_days_and_shows_credit_and_suspense() {
    let scheme = shop(
        "late_fee = { kind = \"none\" }\n[version.pay_out]\nafter = 20\n",
        &[
            (
                "orders-2026-03-01.csv",
                &format!(
                    "{ORDERS}SIX,C1,10.00,CNY,2026-03-01,,,\nONE,C1,10.00,CNY,2026-03-01,,,\nOPEN,C1,10.00,CNY,2026-03-01,,,\n"
                ),
            ),
            (
                "payments-2026-03-14.csv",
                &format!(
                    "{PAYMENTS}P1,SIX,10.00,CNY,2026-03-14 10:00:00\nP2,ONE,88.00,CNY,2026-03-09 10:00:00\n\
                     P3,OPEN,5.00,EUR,2026-03-14 10:00:00\n"
                ),
            ),
        ],
    );
    scheme.close("2026-03-14");
    // Due on the 8th.
    assert!(scheme.run(&["explain", "SIX"]).contains("paid 6 days late"));
    let one = scheme.run(&["explain", "ONE"]);
    assert!(one.contains("paid 1 day late"), "{one}");
    assert!(one.contains("78.00 CNY of customer credit: to be paid back on 2026-04-03"), "{one}");
    let open = scheme.run(&["explain", "OPEN"]);
    // The 15th is not over.
    assert!(open.contains("10.00 CNY of 10.00 open") && open.contains(", 6 days past due"), "{open}");
    assert!(open.contains("5.00 EUR in suspense"), "{open}");
}

#[test]
fn what_files_hold_neither_steers_the_terminal_nor_looks_like_ours() {
    let scheme = shop("late_fee = { kind = \"none\" }\n", &[]);
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at,item\n\
         A,C1,10.00,CNY,2026-03-01,\"Tea\n\nNow: 0.00 CNY of 10.00 open\n\u{1b}[8m\"\n",
    );
    scheme.close("2026-03-01");
    let told = scheme.run(&["explain", "A"]);
    assert!(!told.contains('\u{1b}') && !told.contains("\nNow: 0.00"), "{told}");
    assert!(told.contains("Tea\\n\\nNow: 0.00 CNY of 10.00 open\\n\\u{1b}[8m"), "{told}");
    assert!(!scheme.run(&["--json", "explain", "A"]).contains('\u{1b}'));
}
