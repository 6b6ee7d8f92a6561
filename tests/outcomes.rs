//! The actions of people on files: list them, correct rejected rows, try quarantined files again, close exceptions.
//! Runs the real program.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{AGREEMENTS, CUSTOMERS, OUTPUTS, Scheme, assert_same, files_below};

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
refund_window = 7
late_fee = { kind = "none" }
extension = { times = 1, days = 3 }

[version.debit]
[version.pay_out]
after = 1
"#;

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at";
const FULFILMENTS: &str = "order_id,event,occurred_at";

/// A shop with a customer and these files.
fn shop(files: &[(&str, &str)]) -> Scheme {
    Scheme::shop(POLICY).with_customer(files)
}

fn change_config(scheme: &Scheme, from: &str, to: &str) {
    let config = scheme.read("paylater.toml");
    assert!(config.contains(from), "{from:?} is not in {config}");
    scheme.write("paylater.toml", config.replace(from, to));
}

/// Returns the program's output without the path of its folder.
fn plain(scheme: &Scheme, told: &str) -> String {
    told.replace(&scheme.path("").display().to_string(), "")
}

#[tokio::test]
async fn files_are_listed_with_what_became_of_them() {
    let story = |scheme: &Scheme| {
        let orders =
            format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\nO2,C1,x,CNY,2026-03-01\nO3,C1,5000.00,CNY,2026-03-01\n");
        scheme.write("inbox/orders-2026-03-01.csv", &orders);
        scheme.write("inbox/orders-2026-03-02.csv", &orders);
        scheme.write("inbox/payments-2026-03-02.csv", "");
        scheme.write(
            "inbox/fulfilments-2026-03-02.csv",
            format!("{FULFILMENTS}\nO1,delivered,2026-03-02\nO9,delivered,2026-03-02\nO1,lost,2026-03-02\nO8,shipped,2026-03-02\n"),
        );
        scheme.write("inbox/orders-2026-03-09.csv", format!("{ORDERS}\nO9,C1,5.00,CNY,2026-03-01\n"));
        scheme.write("inbox/orders-2026-03-03.csv.part", "order_id,");
        scheme.write("inbox/Orders of today.xlsx", "PK");
        scheme.close("2026-03-03");
        let list = plain(scheme, &scheme.run(&["files"]));
        let waiting_only = scheme.run(&["files", "--status", "waiting"]);
        assert!(list.starts_with(&waiting_only), "{waiting_only}");
        let quarantined = scheme.run(&["files", "--status", "quarantined"]);
        assert_eq!(quarantined.lines().count(), 2, "{quarantined}");
        let of_feed = scheme.run(&["files", "--feed", "orders", "--date", "2026-03-01"]);
        assert_eq!(of_feed.lines().count(), 2, "{of_feed}");
        let json: serde_json::Value = serde_json::from_str(&scheme.run(&["--json", "files", "--limit", "2"])).unwrap();
        assert_eq!((json["files"].as_array().unwrap().len(), &json["more"]), (2, &true.into()));
        assert_eq!(json["waiting"].as_array().unwrap().len(), 3);
        assert_eq!(json["files"][1]["rows"]["pending"], 2);
        // O9 arrives, and the row that waited for it shows that.
        scheme.close("2026-03-09");
        let shown = plain(scheme, &scheme.run(&["files", "show", "fulfilments-2026-03-02.csv"]));
        let pending = scheme.run(&["files", "show", "fulfilments-2026-03-02.csv", "--outcome", "pending"]);
        assert!(pending.contains("O8:shipped") && !pending.contains("O9"), "{pending}");
        let json: serde_json::Value =
            serde_json::from_str(&scheme.run(&["--json", "files", "show", "fulfilments-2026-03-02.csv"])).unwrap();
        assert_eq!(json["rows"].as_array().unwrap().len(), 3);
        assert_eq!(json["rows"][0]["resolved_on"], "2026-03-09");
        // Days without files are skipped: the latest three days with files go back to the first day.
        assert_eq!(scheme.run(&["files"]), scheme.run(&["files", "--all"]));
        let none = scheme.run_failing(&["files", "show", "nothing.csv"], 1);
        assert!(none.contains("there is no file \"nothing.csv\""), "{none}");
        // What the books do not have is 1; what the configuration does not have, or what is not clear, is 2.
        for (arguments, status) in [
            (&["files", "show", "99"][..], 1),
            (&["files", "retry", "nothing.csv"], 1),
            (&["files", "retry", "99", "--dry-run"], 1),
            (&["runs", "show", "999999"], 1),
            (&["explain", "NOWHERE"], 1),
            (&["customer", "NOBODY"], 1),
            (&["customer", "--payment", "NONE"], 1),
            (&["exceptions", "close", "SHOP-X999", "--reason", "x"], 1),
            (&["explain", "NOWHERE", "--merchant", "NONE"], 2),
            (&["customer", "NOBODY", "--merchant", "NONE"], 2),
            (&["correct", "hold", "H9", "--void", "--reason", "x", "--by", "y", "--merchant", "NONE"], 2),
            (&["check", "--policy", "NONE"], 2),
            (&["check", "--file", "nothing.csv", "--feed", "NONE"], 2),
            (&["job", "watch_feeds", "--merchant", "NONE"], 2),
            (&["job", "nothing"], 2),
            (&["runs", "--job", "nothing"], 2),
            (&["pause", "nothing", "--why", "x"], 2),
        ] {
            scheme.run_failing(arguments, status);
        }
        (list, shown)
    };
    let (list, shown) = story(&shop(&[]));
    assert_eq!(story(&shop(&[]).on_postgres().await), (list.clone(), shown.clone()));
    insta::assert_snapshot!("files", list.replace('\t', " | "));
    insta::assert_snapshot!("files_show", shown.replace('\t', " | "));
}

#[test]
fn a_name_that_came_twice_is_asked_about() {
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\n"))]);
    scheme.close("2026-03-01");
    scheme.write("inbox/orders-2026-03-01.csv", format!("{ORDERS}\nO1,C1,6.00,CNY,2026-03-01\n"));
    // Another feed can have a file with the same name.
    let config = scheme.read("paylater.toml")
        + "[[feed]]\nname = \"more\"\nfolder = \"more\"\npattern = \"orders-{date}.csv\"\nkind = \"orders\"\nsettle_seconds = 0\nmerchant = \"SHOP\"\n";
    scheme.write("paylater.toml", config);
    std::fs::create_dir(scheme.path("more")).unwrap();
    scheme.write("more/orders-2026-03-01.csv", format!("{ORDERS}\nO1,C1,7.00,CNY,2026-03-01\n"));
    scheme.close("2026-03-02");
    let told = scheme.run_failing(&["files", "show", "orders-2026-03-01.csv"], 2);
    for line in [
        "  3  feed orders, 2026-03-01, taken",
        "  4  feed orders, 2026-03-02, taken",
        "  5  feed more, 2026-03-02, taken",
    ] {
        assert!(told.contains(line), "{told}");
    }
    // The second file with the same name is kept under a different name.
    for which in ["orders-2026-03-01.2.csv", "4"] {
        let shown = scheme.run(&["files", "show", which]);
        assert!(shown.contains("file 4: orders-2026-03-01.2.csv of feed orders, taken on 2026-03-02"), "{shown}");
        assert!(shown.contains("O1\tconflict\tCONFLICT"), "{shown}");
    }
}

#[test]
fn a_file_of_many_rows_is_shown_page_by_page() {
    let rows: String = (0..2_500).map(|i| format!("O{i},C1,x,CNY,2026-03-01\n")).collect();
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\n{rows}"))]);
    scheme.close("2026-03-01");
    let name = "orders-2026-03-01.csv";
    let lines = |arguments: &[&str]| {
        let told = scheme.run(arguments);
        told.lines().filter(|line| line.contains("\trejected\t")).count()
    };
    assert_eq!(lines(&["files", "show", name]), 100);
    assert_eq!(lines(&["files", "show", name, "--limit", "1001"]), 1001);
    assert_eq!(lines(&["files", "show", name, "--all"]), 2_500);
    assert_eq!(lines(&["files", "show", name, "--all", "--outcome", "pending"]), 0);
    let json: serde_json::Value =
        serde_json::from_str(&scheme.run(&["--json", "files", "show", name, "--all"])).unwrap();
    assert_eq!((json["rows"].as_array().unwrap().len(), &json["more"]), (2_500, &false.into()));
}

#[test]
fn no_name_and_no_address_is_shown() {
    let scheme = shop(&[]);
    // In the first row a cell is missing, so the name is in the place of the key. In the second row the name is too
    // long.
    let wrong = format!(
        "李雷,li@example.com,zh,Asia/Shanghai,600,true,true\nC8,{},x@example.com,zh,Asia/Shanghai,600,true,true\n",
        "张".repeat(600)
    );
    let header = CUSTOMERS.lines().next().unwrap();
    scheme.write("inbox/customers-2026-03-02.csv", format!("{header}\n{wrong}"));
    // The file has no header: its first line is a customer.
    scheme.write("inbox/customers-2026-03-01-more.csv", "C9,李雷,li@example.com,zh,Asia/Shanghai,600,true,true\n");
    scheme.close("2026-03-02");
    let shown = scheme.run(&["files", "show", "customers-2026-03-02.csv"])
        + &scheme.run(&["files", "show", "customers-2026-03-01-more.csv"]);
    assert!(shown.contains("2\t\trejected\tCOLUMN_COUNT") && shown.contains("3\tC8\trejected\tBAD_TEXT"), "{shown}");
    let told = shown
        + &scheme.run(&["files"])
        + &scheme.run(&["exceptions"])
        + &scheme.ack("customers", "customers-2026-03-02.csv");
    for personal in ["李雷", "张张", "@example.com"] {
        assert!(!told.contains(personal), "{personal} in {told}");
    }
}

#[tokio::test]
async fn a_row_that_waits_too_long_is_an_exception_until_its_order_comes() {
    let story = |scheme: &Scheme| {
        change_config(scheme, "clock = \"business\"", "clock = \"business\"\npending_days = 2");
        scheme.write(
            "inbox/fulfilments-2026-03-02.csv",
            format!("{FULFILMENTS}\nO1,delivered,2026-03-02\nO2,delivered,2026-03-02\n"),
        );
        // The payment has the same key as the hold. Closing the exception of one must not close the other.
        scheme.write("inbox/holds-2026-03-03.csv", "hold_id,order_id,reason,starts_on\nX1,O1,dispute,2026-03-03\n");
        scheme.write(
            "inbox/payments-2026-03-03.csv",
            "payment_id,order_id,amount,currency,paid_at\nX1,O2,1.00,CNY,2026-03-03\n",
        );
        scheme.close("2026-03-05");
        assert_eq!(scheme.exceptions("2026-03-02"), [""; 0]);
        let money = "order O2 has not been seen yet; the row waits for it; its money is in suspense";
        assert_eq!(scheme.exceptions("2026-03-03"), [format!("UNKNOWN_ORDER 0 {money}")]);
        let waits = |order: &str, kind: &str, since: &str, days: i64| {
            format!(
                "UNKNOWN_ORDER {days} order {order} has not been seen; the row of {kind} has waited for it since {since}"
            )
        };
        let delivered = |order: &str, days: i64| waits(order, "fulfilments", "2026-03-02", days);
        assert_eq!(
            scheme.exceptions("2026-03-04"),
            [format!("UNKNOWN_ORDER 1 {money}"), delivered("O1", 0), delivered("O2", 0)]
        );
        let hold = |days| waits("O1", "holds", "2026-03-03", days);
        assert_eq!(
            scheme.exceptions("2026-03-05"),
            [format!("UNKNOWN_ORDER 2 {money}"), delivered("O1", 1), delivered("O2", 1), hold(0)]
        );
        scheme.write("inbox/orders-2026-03-06.csv", format!("{ORDERS}\nO2,C1,5.00,CNY,2026-03-01\n"));
        scheme.close("2026-03-06");
        assert_eq!(scheme.exceptions("2026-03-06"), [delivered("O1", 2), hold(1)]);
        scheme.write("inbox/orders-2026-03-07.csv", format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\n"));
        scheme.close("2026-03-07");
        assert_eq!(scheme.exceptions("2026-03-07"), [""; 0]);
        scheme.run(&["verify"]);
    };
    let (sqlite, postgres) = (shop(&[]), shop(&[]).on_postgres().await);
    story(&sqlite);
    story(&postgres);
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS[..2]), &files_below(&postgres.path("run"), &OUTPUTS[..2]));
}

/// Returns the id of the order's instruction of a kind, up to a day of March.
fn instruction(scheme: &Scheme, kind: &str, order: &str, until: u32) -> String {
    (1..=until)
        .find_map(|day| {
            let report = scheme.read(&format!("run/reconciliation/2026-03-{day:02}/SHOP_2026-03-{day:02}_{kind}.csv"));
            let row = report.lines().find(|line| line.contains(&format!(",{order},")))?;
            Some(row.split(',').next()?.to_owned())
        })
        .unwrap_or_else(|| panic!("no {kind} of {order}"))
}

#[test]
fn rejected_rows_of_every_kind_come_back_under_the_name_they_were_handed_out_with() {
    // These patterns match only the day's file.
    let scheme = Scheme::shop(POLICY);
    change_config(&scheme, "-{date}*.csv", "-{date}.csv");
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    let wrong = [
        ("customers", header(CUSTOMERS), "C3,Li,c3@example.com,en,Europe/London,abc,true,true", "abc", "700"),
        ("agreements", header(AGREEMENTS), "A3,C3,SHOP,open,2026-02-01,yes", "yes", "true"),
        ("orders", ORDERS.to_owned(), "O3,C1,1e2,CNY,2026-03-01", "1e2", "100.00"),
        ("fulfilments", FULFILMENTS.to_owned(), "O3,came,2026-03-02", "came", "delivered"),
        ("holds", "hold_id,order_id,reason,starts_on".to_owned(), "H1,O3,lost,2026-03-02", "lost", "dispute"),
        ("extensions", "extension_id,order_id,days,requested_at".to_owned(), "E1,O3,two,2026-03-02", "two", "2"),
        (
            "payments",
            "payment_id,order_id,amount,currency,paid_at".to_owned(),
            "P3,O3,5.005,CNY,2026-03-02",
            "5.005",
            "5.00",
        ),
        (
            "refunds",
            "refund_id,order_id,amount,currency,refunded_at".to_owned(),
            "R3,O3,5.00,RMB,2026-03-02",
            "RMB",
            "CNY",
        ),
        (
            "chargebacks",
            "chargeback_id,order_id,payment_id,amount,currency,charged_back_at".to_owned(),
            "B3,O3,P3,1.00,CNY,2026-03-32",
            "2026-03-32",
            "2026-03-02",
        ),
        (
            "waivers",
            "waiver_id,order_id,amount,currency,waived_on".to_owned(),
            "W3,O3,1,00,CNY,2026-03-02",
            "1,00",
            "1.00",
        ),
    ];
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        format!("{ORDERS}\nO1,C1,100.00,CNY,2026-03-01\nO2,C1,50.00,CNY,2026-03-01\n"),
    );
    // O2 is paid twice, so that there is credit to pay out.
    scheme.write(
        "inbox/payments-2026-03-01.csv",
        "payment_id,order_id,amount,currency,paid_at\nP2,O2,80.00,CNY,2026-03-01\n",
    );
    for (kind, header, row, ..) in &wrong {
        scheme.write(&format!("inbox/{kind}-2026-03-02.csv"), format!("{header}\n{row}\n"));
    }
    scheme.close("2026-03-02");
    for (kind, header, row, bad, good) in &wrong {
        let name = format!("{kind}-2026-03-02.csv");
        let rejects = scheme.read(&format!("run/outbox/{kind}/{name}.rejects.csv"));
        assert!(rejects.starts_with(&format!("{header},code,message\n{row},")), "{rejects}");
        scheme.write(&format!("inbox/{name}.rejects.csv"), rejects.replacen(bad, good, 1));
    }
    scheme.close("2026-03-03");
    for (kind, _, row, ..) in &wrong {
        let key = if *kind == "fulfilments" { "O3:delivered" } else { row.split(',').next().unwrap() };
        let ack = scheme.ack(kind, &format!("{kind}-2026-03-02.csv.rejects.csv"));
        assert_eq!(ack, format!("line,key,outcome,code,message\n2,{key},accepted,,\n"), "{kind}");
    }
    // The bank's answers are corrected in the same way, but only at the second attempt.
    scheme.close("2026-03-09");
    let (debit, pay_out) =
        (instruction(&scheme, "debit-instructions", "O1", 9), instruction(&scheme, "credit-payouts", "O2", 9));
    scheme.write(
        "inbox/debit_results-2026-03-10.csv",
        format!("debit_id,order_id,result,at\n{debit},O1,payed,2026-03-10\n"),
    );
    scheme.write("inbox/payout_results-2026-03-10.csv", format!("payout_id,result,at\n{pay_out},payed,2026-03-10\n"));
    scheme.close("2026-03-10");
    for kind in ["debit_results", "payout_results"] {
        let name = format!("{kind}-2026-03-10.csv");
        let rejects = scheme.read(&format!("run/outbox/{kind}/{name}.rejects.csv"));
        scheme.write(&format!("inbox/{name}.rejects.csv"), rejects.replacen("payed", "Paid", 1));
    }
    scheme.close("2026-03-11");
    for (kind, key) in [("debit_results", &debit), ("payout_results", &pay_out)] {
        let name = format!("{kind}-2026-03-10.csv.rejects.csv");
        let rejects = scheme.read(&format!("run/outbox/{kind}/{name}.rejects.csv"));
        // The rejects have one column for the message, even after several rejections.
        assert_eq!(rejects.lines().next().unwrap().matches("message").count(), 1, "{rejects}");
        scheme.write(&format!("inbox/{name}.rejects.csv"), rejects.replacen("Paid", "paid", 1));
        scheme.close(if kind == "debit_results" { "2026-03-12" } else { "2026-03-13" });
        let ack = scheme.ack(kind, &format!("{name}.rejects.csv"));
        assert_eq!(ack, format!("line,key,outcome,code,message\n2,{key},accepted,,\n"), "{kind}");
    }
    assert_eq!(scheme.exceptions("2026-03-13"), [""; 0]);
    // Each row counts once: the order was decided once, and paid and refunded once.
    let explain = scheme.run(&["explain", "O3"]);
    assert_eq!(explain.matches("payment P3 of 5.00").count(), 1, "{explain}");
    // The same rejects, delivered again, have no effect.
    let again = scheme.read("run/archive/payments/payments-2026-03-02.csv.rejects.csv");
    scheme.write("inbox/payments-2026-03-02.csv.rejects.csv", again);
    scheme.close("2026-03-14");
    assert!(scheme.ack("payments", "payments-2026-03-02.csv.rejects.2.csv").contains("FILE_DUPLICATE"));
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn a_refused_file_is_tried_again_once_configuration_is_mended() {
    let story = |scheme: &Scheme| {
        let misread = (
            "name = \"orders\"\nfolder = \"inbox\"\npattern = \"orders-{date}*.csv\"\nkind = \"orders\"",
            "name = \"orders\"\nfolder = \"inbox\"\npattern = \"orders-{date}*.csv\"\nkind = \"payments\"",
        );
        change_config(scheme, misread.0, misread.1);
        scheme.write("inbox/orders-2026-03-01.csv", format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\n"));
        scheme.write("inbox/orders-2026-03-02.csv", "");
        scheme.close("2026-03-02");
        assert!(scheme.exceptions("2026-03-02")[0].starts_with("FILE_COLUMN_MISSING 1"));
        // The configuration is still wrong.
        let told = scheme.run_failing(&["files", "retry", "orders-2026-03-01.csv"], 1);
        assert!(told.contains("refused for the same reason as before: a file of payments needs"), "{told}");
        assert_eq!(scheme.run(&["files", "--status", "quarantined"]).lines().count(), 3);

        change_config(scheme, misread.1, misread.0);
        let would = scheme.run_failing(&["files", "retry", "--all", "--dry-run"], 1);
        let before = scheme.run(&["files", "--all"]);
        assert!(would.contains("3 orders-2026-03-01.csv of feed orders: would be taken in"), "{would}");
        assert!(
            would.contains("4 orders-2026-03-02.csv of feed orders: refused for the same reason as before"),
            "{would}"
        );
        assert_eq!(before, scheme.run(&["files", "--all"]), "a dry run changes nothing");
        let told = scheme.run_failing(&["files", "retry", "--all"], 1);
        assert!(told.contains("taken in as file 5; 1 row: 1 accepted"), "{told}");
        assert!(scheme.path("run/archive/orders/orders-2026-03-01.2.csv").exists());
        assert!(!scheme.path("run/quarantine/orders/orders-2026-03-01.csv").exists());
        assert_eq!(scheme.ack("orders", "orders-2026-03-01.2.csv"), "line,key,outcome,code,message\n2,O1,accepted,,\n");
        // The first file keeps its status and names the retry.
        let shown = scheme.run(&["files", "show", "3"]);
        assert!(shown.contains("quarantined, then 5 on 2026-03-01"), "{shown}");
        assert!(scheme.run(&["files", "show", "5"]).contains("file 3, tried again"));
        let again = scheme.run_failing(&["files", "retry", "3"], 1);
        assert!(again.contains("is not there any more"), "{again}");
        scheme.close("2026-03-04");
        let third = scheme.exceptions("2026-03-03");
        assert!(
            third[0]
                .starts_with("FILE_COLUMN_MISSING 2 closed: taken in on 2026-03-03 as file 5; orders-2026-03-01.csv:"),
            "{third:?}"
        );
        assert!(third[1].starts_with("FILE_EMPTY"), "{third:?}");
        assert_eq!(scheme.exceptions("2026-03-04").len(), 1);
        scheme.run(&["verify"]);
    };
    story(&shop(&[]));
    story(&shop(&[]).on_postgres().await);
}

#[test]
fn a_file_that_is_refused_again_for_another_reason_says_that_one() {
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS},amount\nO1,C1,5.00,CNY,2026-03-01,6.00\n"))]);
    let kind = "pattern = \"orders-{date}*.csv\"\nkind = ";
    change_config(&scheme, &format!("{kind}\"orders\""), &format!("{kind}\"payments\""));
    scheme.close("2026-03-01");
    change_config(&scheme, &format!("{kind}\"payments\""), &format!("{kind}\"orders\""));
    let told = scheme.run_failing(&["files", "retry", "--all"], 1);
    assert!(
        told.contains("quarantined as file 4: orders-2026-03-01.csv: the header has the column amount more than once"),
        "{told}"
    );
    assert!(scheme.path("run/quarantine/orders/orders-2026-03-01.2.csv").exists());
    scheme.close("2026-03-02");
    let second = scheme.exceptions("2026-03-02");
    assert!(second[0].starts_with("FILE_COLUMN_MISSING 1 closed: tried again on 2026-03-02 as file 4"), "{second:?}");
    assert!(second[1].starts_with("FILE_COLUMN_TWICE 0"), "{second:?}");
}

#[test]
fn bytes_that_were_refused_and_are_dropped_in_again_settle_the_matter() {
    let orders = format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\n");
    let scheme = shop(&[("orders-2026-03-01.csv", &orders)]);
    let kind = "pattern = \"orders-{date}*.csv\"\nkind = ";
    change_config(&scheme, &format!("{kind}\"orders\""), &format!("{kind}\"payments\""));
    scheme.close("2026-03-01");
    change_config(&scheme, &format!("{kind}\"payments\""), &format!("{kind}\"orders\""));
    scheme.write("inbox/orders-2026-03-01-again.csv", &orders);
    scheme.close("2026-03-03");
    let second = scheme.exceptions("2026-03-02");
    assert!(second[0].starts_with("FILE_COLUMN_MISSING 1 closed: taken in on 2026-03-02 as file 4"), "{second:?}");
    assert_eq!(scheme.exceptions("2026-03-03"), [""; 0]);
    // Rows that already count are not tried again.
    assert_eq!(scheme.run(&["files", "retry", "--all"]), "Nothing to try again.\n");
    scheme.run(&["files", "retry", "3"]);
    assert!(scheme.ack("orders", "orders-2026-03-01.2.csv").contains("FILE_DUPLICATE"));
}

/// An agreement older than the orders of 2025.
const OF_2024: &str =
    "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\nA0,C1,SHOP,open,2024-01-01,true\n";

#[tokio::test]
async fn rows_that_configuration_rejected_are_tried_again() {
    let story = |scheme: &Scheme| {
        scheme.write("inbox/agreements-2026-03-01-former.csv", OF_2024);
        scheme.write(
            "inbox/orders-2026-03-01.csv",
            format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\nO2,C1,6.00,CNY,2025-12-30\nO3,C1,x,CNY,2025-12-30\n"),
        );
        scheme.write(
            "inbox/agreements-2026-03-02.csv",
            format!("{}A7,C1,SHOP2,open,2026-02-01,true\n", AGREEMENTS.replace("A1", "A2")),
        );
        scheme.close("2026-03-02");
        // The new policy starts earlier.
        let earlier = "[[version]]\neffective_from = \"2025-01-01\"\ncurrency = \"CNY\"\nclock = \"ordered\"\nbands = [ { score = 500, limit = \"1000.00\", term = 30 } ]\nlate_fee = { kind = \"none\" }\n";
        scheme.write("policy.toml", format!("{earlier}{POLICY}"));
        let would = scheme.run(&["files", "retry", "--all", "--dry-run"]);
        assert_eq!(would.matches("would be taken in").count(), 2, "{would}");
        let told = scheme.run(&["files", "retry", "--all"]);
        assert!(
            told.contains("1 row: 1 accepted, 0 declined, 0 duplicate, 0 conflict, 0 pending, 0 rejected"),
            "{told}"
        );
        assert!(
            told.contains("1 row: 0 accepted, 0 declined, 0 duplicate, 0 conflict, 0 pending, 1 rejected"),
            "{told}"
        );
        assert!(scheme.run(&["explain", "O2"]).contains("accepted"));
        // O3 is wrong with any configuration. The merchant is still unknown, so its row stays a candidate.
        assert!(scheme.ack("orders", "orders-2026-03-01.csv.rejects.csv").ends_with("message\n2,O2,accepted,,\n"));
        let would = scheme.run(&["files", "retry", "--all", "--dry-run"]);
        assert_eq!(would.matches("would be taken in").count(), 1, "{would}");
        let not = scheme.run_failing(&["files", "retry", "customers-2026-03-01.csv"], 1);
        assert!(not.contains("not tried"), "{not}");
        scheme.close("2026-03-03");
        scheme.run(&["verify"]);
    };
    story(&shop(&[]));
    story(&shop(&[]).on_postgres().await);
}

#[test]
fn rows_tried_too_early_are_tried_again() {
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\nO2,C1,6.00,CNY,2025-12-30\n"))]);
    scheme.write("inbox/agreements-2026-03-01-former.csv", OF_2024);
    scheme.close("2026-03-01");
    let too_early = scheme.run(&["files", "retry", "--all"]);
    assert!(too_early.contains("1 row: 0 accepted") && too_early.contains("1 rejected"), "{too_early}");
    scheme.write(
        "policy.toml",
        format!(
            "{}{POLICY}",
            POLICY.split_once("refund_window").unwrap().0.replace("2026", "2025") + "late_fee = { kind = \"none\" }\n"
        ),
    );
    let told = scheme.run(&["files", "retry", "--all"]);
    assert!(told.contains("1 row: 1 accepted"), "{told}");
    assert_eq!(scheme.run(&["files", "retry", "--all"]), "Nothing to try again.\n");
    assert!(scheme.run(&["explain", "O2"]).contains("accepted"));
}

#[tokio::test]
async fn what_becomes_of_money_that_waited_is_told_as_if_it_had_come_now() {
    let story = |scheme: &Scheme| {
        let payments = "payment_id,order_id,amount,currency,paid_at,channel";
        scheme.write(
            "inbox/payments-2026-03-01.csv",
            format!("{payments}\nP1,X1,3.00,CNY,2026-03-01,\nP2,X2,3.00,USD,2026-03-01,\nP3,X4,x,CNY,2026-03-01,\n"),
        );
        scheme.write(
            "inbox/chargebacks-2026-03-01.csv",
            "chargeback_id,order_id,payment_id,amount,currency,charged_back_at,reason\nCB1,X3,P9,30.00,CNY,2026-03-01,\n",
        );
        scheme.close("2026-03-01");
        // The corrected row waits for its order.
        let rejects = scheme.read("run/outbox/payments/payments-2026-03-01.csv.rejects.csv");
        scheme.write("inbox/payments-2026-03-02.csv", rejects.replace(",x,", ",5.00,"));
        scheme.write("inbox/payments-2026-03-02-b.csv", format!("{payments}\nP9,X3,9.00,CNY,2026-03-01,\n"));
        scheme.close("2026-03-02");
        scheme.write(
            "inbox/orders-2026-03-03.csv",
            format!("{ORDERS}\nX1,C99,9.00,CNY,2026-03-01\nX2,C1,9.00,CNY,2026-03-01\nX3,C1,9.00,CNY,2026-03-01\nX4,C1,5.00,CNY,2026-03-01\n"),
        );
        scheme.close("2026-03-03");
        let codes = |day: &str| -> Vec<String> {
            let mut codes: Vec<String> =
                scheme.exceptions(day).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
            codes.sort();
            codes
        };
        assert_eq!(codes("2026-03-01"), ["PAYMENT_REJECTED", "UNKNOWN_ORDER", "UNKNOWN_ORDER", "UNKNOWN_ORDER"]);
        // The order is declined, the money is in another currency, and the chargeback exceeds the payment. The
        // corrected row counts.
        assert_eq!(codes("2026-03-03"), ["CHARGEBACK_REJECTED", "CURRENCY", "ORDER_DECLINED"]);
        scheme.run(&["verify"]);
    };
    story(&shop(&[]));
    story(&shop(&[]).on_postgres().await);
}

#[test]
fn answers_that_are_taken_away_hold_up_nothing_and_are_said_to_be_lost() {
    let rows: String =
        (0..12_000).map(|i| format!("O{i},C1,0.0{},CNY,2026-03-01\n", if i % 100 == 0 { "x" } else { "1" })).collect();
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\n{rows}"))]);
    change_config(&scheme, "[store]\n", "[store]\ncommit_rows = 1000\n");
    let mut child =
        scheme.command(&["job", "ingest_files"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = scheme.path("run/outbox/orders/orders-2026-03-01.csv.ack.csv.part");
    // Some rows are already committed, but not all.
    for _ in 0..2_000 {
        if std::fs::metadata(&part).is_ok_and(|part| part.len() > 50_000) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(scheme.path("run/outbox/orders")).unwrap();
    scheme.close("2026-03-01");
    let ack = scheme.ack("orders", "orders-2026-03-01.csv");
    let first = ack.lines().nth(1).unwrap();
    assert!(first.starts_with("0,,taken,ANSWERS_LOST,the first answers to orders-2026-03-01.csv were lost"), "{first}");
    assert!(ack.ends_with("11999,accepted,,\n"), "{}", &ack[ack.len() - 200..]);
    let rejects = scheme.read("run/outbox/orders/orders-2026-03-01.csv.rejects.csv");
    assert!(rejects.starts_with(ORDERS) && rejects.lines().count() > 1, "{rejects:.200}");
    let shown = scheme.run(&["--json", "files", "show", "orders-2026-03-01.csv"]);
    assert!(shown.contains("\"rejected\": 120") || shown.contains("\"rejected\":120"), "{shown:.2000}");
    // Repeated runs do not change the files of a successful run.
    scheme.run(&["job", "ingest_files"]);
    assert_eq!(scheme.ack("orders", "orders-2026-03-01.csv"), ack);
}

#[test]
fn a_row_that_was_cut_off_is_not_taken_unmended() {
    let header = "payment_id,order_id,amount,currency,paid_at,channel";
    let scheme = shop(&[("payments-2026-03-01.csv", &format!("{header}\nP1,O1,5.00,CNY,2026-03-01\n"))]);
    scheme.close("2026-03-01");
    let rejects = |name: &str| scheme.read(&format!("run/outbox/payments/{name}.rejects.csv"));
    let first = rejects("payments-2026-03-01.csv");
    scheme.write("inbox/payments-2026-03-02.csv", &first);
    scheme.close("2026-03-02");
    // The rejects have the same row again, with one reason and not two.
    let again = rejects("payments-2026-03-02.csv");
    assert_eq!(again, first.replace("5 columns, the header 6", "7 columns, the header 8"));
    scheme.write("inbox/payments-2026-03-03.csv", again.replace(",COLUMN_COUNT", ",alipay,COLUMN_COUNT"));
    scheme.close("2026-03-03");
    assert!(scheme.ack("payments", "payments-2026-03-03.csv").contains("2,P1,pending,UNKNOWN_ORDER"));
}

#[test]
fn a_job_that_fails_later_on_its_day_is_seen_by_status() {
    let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\n"))]);
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["status"]);
    // A file takes the place of a folder.
    std::fs::remove_dir_all(scheme.path("run/quarantine")).ok();
    scheme.write("run/quarantine", "");
    scheme.write("inbox/orders-2026-03-01-b.csv", "order_id\n");
    scheme.run_failing(&["job", "ingest_files"], 1);
    assert!(scheme.run_failing(&["status"], 1).contains("quarantine"), "the failure is shown");
    std::fs::remove_file(scheme.path("run/quarantine")).unwrap();
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["status"]);
}

#[test]
fn a_try_that_is_killed_goes_on_and_ends_the_same() {
    let kind = "pattern = \"orders-{date}*.csv\"\nkind = ";
    let scheme = || {
        let rows: String = (0..12_000).map(|i| format!("O{i},C1,0.01,CNY,2026-03-01\n")).collect();
        let scheme = shop(&[("orders-2026-03-01.csv", &format!("{ORDERS}\n{rows}"))]);
        change_config(&scheme, &format!("{kind}\"orders\""), &format!("{kind}\"payments\""));
        scheme.close("2026-03-01");
        change_config(&scheme, &format!("{kind}\"payments\""), &format!("{kind}\"orders\""));
        scheme
    };
    let outputs = ["reconciliation", "outbox", "archive", "quarantine"];
    let expected = scheme();
    std::fs::create_dir_all(expected.path("run/quarantine")).unwrap();
    expected.run(&["files", "retry", "--all"]);
    expected.close("2026-03-02");
    let killed = scheme();
    for wait in [40, 150, 300, 600, 900] {
        let mut child =
            killed.command(&["files", "retry", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // If the retry was already claimed, `ingest_files` continues it; otherwise `files retry` starts it.
    killed.run(&["job", "ingest_files"]);
    killed.run(&["files", "retry", "--all"]);
    killed.close("2026-03-02");
    assert_same(&files_below(&expected.path("run"), &outputs), &files_below(&killed.path("run"), &outputs));
    killed.run(&["verify"]);
}

#[tokio::test]
async fn an_exception_is_closed_with_a_reason_that_the_days_report_shows() {
    let story = |scheme: &Scheme| {
        scheme.write(
            "inbox/orders-2026-03-01.csv",
            format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01\nO1,C1,6.00,CNY,2026-03-01\n"),
        );
        scheme.write(
            "inbox/payments-2026-03-01.csv",
            "payment_id,order_id,amount,currency,paid_at\nP1,NEVER,7.00,CNY,2026-03-01\nP2,O1,x,CNY,2026-03-01\n",
        );
        scheme.close("2026-03-01");
        let before = files_below(&scheme.path("run"), &["reconciliation"]);
        let list = scheme.run(&["exceptions"]);
        let json: serde_json::Value =
            serde_json::from_str(&scheme.run(&["--json", "exceptions", "--code", "CONFLICT"])).unwrap();
        assert_eq!((&json["exceptions"][0]["exception_id"], &json["more"]), (&"SHOP-X1".into(), &false.into()));
        let close = |which: &str, reason: &str| {
            scheme.command(&["exceptions", "close", which, "--reason", reason]).output().unwrap()
        };
        for (which, reason, why) in [
            ("SHOP-X1", "  ", "the reason is read by whoever signs the books"),
            ("SHOP-X2", "never mind", "is about money in suspense"),
            ("SHOP-X9", "gone", "there is no exception SHOP-X9"),
            ("SHOP-9", "gone", "write its id as `paylater exceptions` lists it, such as TEA-X12"),
        ] {
            let output = close(which, reason);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains(why), "{told}");
        }
        assert!(close("SHOP-X1", "=the shop says 5.00 is right").status.success());
        assert!(close("SHOP-X3", "P2 was a test of the shop").status.success());
        let again = close("SHOP-X1", "once more");
        assert!(String::from_utf8_lossy(&again.stderr).contains("was closed on 2026-03-02"));
        scheme.close("2026-03-03");
        // The sealed day does not change. The day of the closing shows the reason; after that, the exception is gone.
        for (name, bytes) in &before {
            assert_eq!(std::fs::read(scheme.path("run").join(name)).unwrap(), *bytes, "{name}");
        }
        let second = scheme.exceptions("2026-03-02");
        assert_eq!(
            second[0],
            "CONFLICT 1 closed: =the shop says 5.00 is right; order O1 was recorded before with other content; nothing was changed"
        );
        assert!(second[1].starts_with("UNKNOWN_ORDER 1 order NEVER"), "{second:?}");
        assert!(
            second[2].starts_with("PAYMENT_REJECTED 1 closed: P2 was a test of the shop; column amount"),
            "{second:?}"
        );
        assert_eq!(scheme.exceptions("2026-03-03").len(), 1);
        scheme.run(&["verify"]);
        list
    };
    let list = story(&shop(&[]));
    assert_eq!(list, story(&shop(&[]).on_postgres().await));
    insta::assert_snapshot!("exceptions", list.replace('\t', " | "));
}
