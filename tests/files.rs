//! The outcomes of files and rows: acknowledgements, rejects, quarantine, pending rows. Runs the real program.

use crate::support::Scheme;

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
refund_window = 7
late_fee = { kind = "none" }
extension = { times = 1, days = 3, ask_within = 5 }
"#;

const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,王芳,c1@example.com,zh-CN,Asia/Shanghai,700,true,true
C2,Ann Lee,c2@example.com,en,Europe/London,400,true,true
";
const AGREEMENTS: &str = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised
A1,C1,SHOP,open,2026-02-01,true
A2,C2,SHOP,open,2026-02-01,true
";
const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at,item";

/// A shop with two customers and these files.
fn shop(files: &[(&str, &str)]) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    for (name, text) in files {
        scheme.write(&format!("inbox/{name}"), text);
    }
    scheme
}

#[test]
fn every_row_has_one_outcome() {
    let scheme = shop(&[(
        "orders-2026-03-01.csv",
        &format!(
            "{ORDERS}\nO1,C1,100.00,CNY,2026-03-01 09:00:00,tea\nO1,C1,100.0,CNY,2026-03-01T01:00:00Z,tea\n\
             O1,C1,101.00,CNY,2026-03-01 09:00:00,tea\nO2,C2,5.00,CNY,2026-03-01 09:00:00,\nO3,C1,5.00,CNY,2026-02-30,\n\
             O4,C1,5.00\n=O5,C1,5.005,CNY,2026-03-01,\"a, \"\"b\"\"\nand c\"\nO6,C1,1e2,CNY,2026-03-01,\nO7,C1,0,CNY,2026-03-01,\n\
             O8,C1,900.01,CNY,2026-03-01,\nO9,C1,900.00,CNY,2026-03-01,\n"
        ),
    )]);
    scheme.close("2026-03-01");
    insta::assert_snapshot!("outcomes_ack", scheme.ack("orders", "orders-2026-03-01.csv"));
    insta::assert_snapshot!("outcomes_rejects", scheme.read("run/outbox/orders/orders-2026-03-01.csv.rejects.csv"));
    assert!(scheme.path("run/archive/orders/orders-2026-03-01.csv").exists());
    assert!(!scheme.path("inbox/orders-2026-03-01.csv").exists());
}

#[test]
fn a_rejects_file_mended_is_taken_as_it_is() {
    let scheme = shop(&[(
        "orders-2026-03-01.csv",
        &format!("{ORDERS}\nO1,C1,abc,CNY,2026-03-01,tea\nO2,C1,5.00,CNY,2026-03-01,\n"),
    )]);
    scheme.close("2026-03-01");
    let rejects = scheme.read("run/outbox/orders/orders-2026-03-01.csv.rejects.csv");
    scheme.write("inbox/orders-2026-03-02-mended.csv", rejects.replace(",abc,", ",7.00,"));
    scheme.close("2026-03-02");
    let ack = scheme.ack("orders", "orders-2026-03-02-mended.csv");
    assert_eq!(ack, "line,key,outcome,code,message\n2,O1,accepted,,\n");
}

#[test]
fn a_file_that_cannot_be_trusted_counts_for_nothing() {
    for (text, code) in [
        (b"".as_slice(), "FILE_EMPTY"),
        (b"order_id,customer_id,amount,ordered_at\nO1,C1,5.00,2026-03-01\n", "FILE_COLUMN_MISSING"),
        (
            b"order_id,customer_id,amount,currency,ordered_at,amount\nO1,C1,5.00,CNY,2026-03-01,6.00\n",
            "FILE_COLUMN_TWICE",
        ),
        (
            b"order_id,customer_id,amount,currency,ordered_at,item\nO1,C1,5.00,CNY,2026-03-01,\xb2\xe8\n",
            "FILE_ENCODING",
        ),
        (b"\xff\xfeo\0r\0d\0e\0r\0_\0i\0d\0", "FILE_ENCODING"),
    ] {
        let scheme = shop(&[]);
        scheme.write("inbox/orders-2026-03-01.csv", text);
        scheme.close("2026-03-01");
        let ack = scheme.ack("orders", "orders-2026-03-01.csv");
        assert!(ack.contains(&format!("0,,quarantined,{code},")), "{ack}");
        assert_eq!(std::fs::read(scheme.path("run/quarantine/orders/orders-2026-03-01.csv")).unwrap(), text);
        let exceptions = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_exceptions.csv");
        assert!(exceptions.contains(code), "{exceptions}");
        let summary = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_summary.csv");
        assert!(!summary.contains("5.00"), "{summary}");
    }
}

#[test]
fn the_same_bytes_do_nothing_and_the_same_name_with_others_is_another_file() {
    let orders = format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01,\n");
    let scheme = shop(&[("orders-2026-03-01.csv", &orders)]);
    scheme.close("2026-03-01");
    scheme.write("inbox/orders-2026-03-01.csv", &orders);
    scheme.write("inbox/orders-2026-03-02.csv", &orders);
    scheme.close("2026-03-02");
    for name in ["orders-2026-03-01.2.csv", "orders-2026-03-02.csv"] {
        assert!(scheme.ack("orders", name).contains("FILE_DUPLICATE"), "{name}");
    }
    scheme.write("inbox/orders-2026-03-01.csv", format!("{orders}O2,C1,6.00,CNY,2026-03-01,\n"));
    scheme.close("2026-03-03");
    let ack = scheme.ack("orders", "orders-2026-03-01.3.csv");
    assert!(ack.contains("O1,duplicate,DUPLICATE") && ack.contains("O2,accepted"), "{ack}");
}

#[test]
fn money_before_its_order_waits_in_suspense_and_resolves_by_itself() {
    let payments = "payment_id,order_id,amount,currency,paid_at\nP1,O1,60.00,CNY,2026-03-02 10:00:00\n\
                    P2,O1,5.00,USD,2026-03-02 10:00:00\nP3,NEVER,7.00,CNY,2026-03-02\n";
    let refunds = "refund_id,order_id,amount,currency,refunded_at\nR1,O1,500.00,CNY,2026-03-02\n";
    let scheme = shop(&[("payments-2026-03-02.csv", payments), ("refunds-2026-03-02.csv", refunds)]);
    scheme.close("2026-03-02");
    let summary = |day: &str| scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_summary.csv"));
    // Payments of 60 and 7, and a refund of 500: all of it is in suspense.
    assert!(
        summary("2026-03-02").contains("CNY,liabilities:suspense,0.00,0.00,567.00,-567.00,0.00"),
        "{}",
        summary("2026-03-02")
    );
    scheme.write("inbox/orders-2026-03-04.csv", format!("{ORDERS}\nO1,C1,100.00,CNY,2026-03-01,\n"));
    scheme.close("2026-03-04");
    let after = summary("2026-03-04");
    // The payment has found its order. The refund exceeds the order and is rejected. P3 is still pending.
    assert!(after.contains("CNY,liabilities:suspense,-567.00,560.00,0.00,-7.00,0.00"), "{after}");
    assert!(after.contains("USD,liabilities:suspense,-5.00,0.00,0.00,-5.00,0.00"), "{after}");
    assert!(after.contains("CNY,assets:receivable:principal,0.00,100.00,60.00,40.00,0.00"), "{after}");
    let exceptions = scheme.read("run/reconciliation/2026-03-04/SHOP_2026-03-04_exceptions.csv");
    assert!(exceptions.contains("P3") || exceptions.contains("NEVER"), "{exceptions}");
    assert!(!exceptions.contains("60.00"), "{exceptions}");
    scheme.run(&["verify"]);
}

#[test]
fn a_row_that_waits_keeps_the_time_zone_of_its_feed() {
    let scheme = shop(&[]);
    let london = "[[feed]]\nname = \"london\"\nfolder = \"inbox\"\npattern = \"london-{date}.csv\"\nkind = \"payments\"\n\
                  time_zone = \"Europe/London\"\nsettle_seconds = 0\nmerchant = \"SHOP\"\n";
    scheme.write("paylater.toml", scheme.read("paylater.toml") + london);
    let header = "payment_id,order_id,amount,currency,paid_at";
    // 20:00 in London is the next day in Shanghai. The first payment waits for its order, the second does not.
    for (day, payment) in [("2026-03-02", "P1"), ("2026-03-04", "P2")] {
        let row = format!("{header}\n{payment},O1,10.00,CNY,2026-03-02 20:00:00\n");
        scheme.write(&format!("inbox/london-{day}.csv"), row);
    }
    scheme.write("inbox/orders-2026-03-03.csv", format!("{ORDERS}\nO1,C1,100.00,CNY,2026-03-01,\n"));
    scheme.close("2026-03-04");
    for (booked, file) in [("2026-03-03", "london-2026-03-02.csv"), ("2026-03-04", "london-2026-03-04.csv")] {
        let detail = scheme.read(&format!("run/reconciliation/{booked}/SHOP_{booked}_detail.csv"));
        let entries: Vec<&str> = detail.lines().filter(|line| line.contains(file)).collect();
        let counts_for = format!(",SHOP,{booked},2026-03-03,");
        assert!(!entries.is_empty() && entries.iter().all(|entry| entry.contains(&counts_for)), "{entries:?}");
    }
}

#[test]
fn a_file_of_tomorrow_waits_and_a_half_written_one_is_left_alone() {
    let scheme = shop(&[("orders-2026-03-02.csv", &format!("{ORDERS}\nO1,C1,5.00,CNY,2026-03-01,\n"))]);
    scheme.write("inbox/orders-2026-03-01.csv.part", "half");
    scheme.close("2026-03-01");
    assert!(scheme.path("inbox/orders-2026-03-02.csv").exists());
    assert!(scheme.path("inbox/orders-2026-03-01.csv.part").exists());
    scheme.close("2026-03-02");
    assert!(!scheme.path("inbox/orders-2026-03-02.csv").exists());
}

#[test]
fn personal_data_is_in_no_message_and_no_merchants_file() {
    let scheme = shop(&[]);
    let long = "Zhang San ".repeat(80);
    scheme.write(
        "inbox/customers-2026-03-02.csv",
        format!("customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\nC3,{long},zhang@example.com,zh,Asia/Shanghai,700,true,true\n"),
    );
    let output = scheme.command(&["close", "--through", "2026-03-03"]).env("PAYLATER_LOG", "debug").output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8_lossy(&output.stderr);
    let ack = scheme.ack("customers", "customers-2026-03-02.csv");
    assert!(ack.contains("C3,rejected,BAD_TEXT"), "{ack}");
    for text in [&ack, &*log] {
        for personal in ["Zhang", "zhang@", "王芳", "c1@example.com"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
    }
    for (name, bytes) in crate::support::files_below(&scheme.path("run"), &["reconciliation"]) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains('@') && !text.contains("王芳"), "{name}");
    }
}

#[test]
fn configuration_that_makes_no_sense_is_refused_with_what_to_write() {
    let told = |change: &dyn Fn(&Scheme)| {
        let scheme = Scheme::shop(POLICY);
        change(&scheme);
        let told = scheme.run_failing(&["check"], 2);
        told.replace(&scheme.path("").display().to_string(), "")
    };
    let policy = |from: &'static str, to: &'static str| {
        told(&move |scheme: &Scheme| scheme.write("policy.toml", POLICY.replace(from, to)))
    };
    insta::assert_snapshot!("check_unknown_key", policy("refund_window", "refund_windw"));
    insta::assert_snapshot!("check_currency", policy("\"CNY\"", "\"RMB\""));
    insta::assert_snapshot!("check_fee", policy("{ kind = \"none\" }", "{ kind = \"daily\" }"));
    let with = |rule: &'static str| {
        let rule = format!("{POLICY}{rule}");
        told(&move |scheme: &Scheme| scheme.write("policy.toml", &rule))
    };
    let step_too_late = with("reminders = { steps = [0, 7] }\nwrite_off = { after = 7 }");
    insta::assert_snapshot!("check_step_after_write_off", step_too_late);
    let flag_too_late = with("credit = { notice_after = 3, flag_after = 4 }\nwrite_off = { after = 7 }");
    insta::assert_snapshot!("check_flag_after_write_off", flag_too_late);
    insta::assert_snapshot!("check_hold_stops_nothing", with("holds.return = { days = 3, effects = [] }"));
    insta::assert_snapshot!("check_bands", policy("[ {", "[ { score = 600, limit = \"1\", term = 7 }, {"));
    insta::assert_snapshot!(
        "check_merchant",
        told(&|scheme: &Scheme| {
            let config = scheme.read("paylater.toml").replacen("merchant = \"SHOP\"", "merchant = \"SHOOP\"", 1);
            scheme.write("paylater.toml", config);
        })
    );
}
