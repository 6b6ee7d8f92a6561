//! Corrections of wrong facts, by a file or by `correct`: a fact is voided or replaced, and everything that followed
//! from it is corrected. Also facts that are impossible from the start. Runs the real program.

use crate::support::Scheme;

/// Due after 7 days, a fee of 5.00 on the day after, a notice after 3 days past due and a flag 5 days after it.
const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "delivered"
bands = [ { score = 500, limit = "10000.00", term = 7 } ]
refund_window = 30
late_fee = { kind = "flat", amount = "5.00", grace = 1 }
extension = { times = 1, days = 5, when_overdue = true }
[version.credit]
notice_after = 3
flag_after = 5
[version.holds.dispute]
days = 10
effects = ["fees", "contact", "credit"]
"#;

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at,delivered_at";
const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at";
const REFUNDS: &str = "refund_id,order_id,amount,currency,refunded_at";
const CORRECTIONS: &str = "correction_id,kind,fact_id,action,corrected_at,reason,approved_by";

fn file(header: &str, rows: &[&str]) -> String {
    format!("{header}\n{}\n", rows.join("\n"))
}

fn shop(files: &[(&str, String)]) -> Scheme {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    with_corrections(Scheme::shop(POLICY)).with_customer(&files)
}

fn with_corrections(scheme: Scheme) -> Scheme {
    let feed = "[[feed]]\nname = \"corrections\"\nfolder = \"inbox\"\npattern = \"corrections-{date}*.csv\"\n\
                kind = \"corrections\"\nsettle_seconds = 0\nmerchant = \"SHOP\"\n";
    scheme.write("paylater.toml", scheme.read("paylater.toml") + feed);
    scheme
}

/// One order of 100.00, delivered on the day of the order.
fn ordered() -> (&'static str, String) {
    ("orders-2026-03-01.csv", file(ORDERS, &["O1,C1,100.00,CNY,2026-03-01 10:00:00,2026-03-01 12:00:00"]))
}

/// Returns some columns of a report of the shop, row by row.
fn report(scheme: &Scheme, day: &str, kind: &str, columns: &[&str]) -> Vec<String> {
    let report = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_{kind}.csv"));
    let mut rows = csv::Reader::from_reader(report.as_bytes());
    let header = rows.headers().unwrap().clone();
    let at = |column: &&str| header.iter().position(|name| name == *column).unwrap_or_else(|| panic!("no {column}"));
    let at: Vec<usize> = columns.iter().map(at).collect();
    let row = |row: csv::StringRecord| at.iter().map(|at| &row[*at]).collect::<Vec<_>>().join(" ");
    rows.records().map(|record| row(record.unwrap())).collect()
}

fn positions(scheme: &Scheme, day: &str) -> Vec<String> {
    report(scheme, day, "positions", &["order_id", "due_on", "outstanding", "late_fee", "credit_status"])
}

fn matching(scheme: &Scheme, day: &str) -> Vec<String> {
    report(scheme, day, "matching", &["payment_id", "provider_amount", "our_amount", "status"])
}

/// Returns the closing balance of an account in the day's summary.
fn closing(scheme: &Scheme, day: &str, account: &str) -> String {
    let rows = report(scheme, day, "summary", &["account", "closing"]);
    rows.iter().find_map(|row| row.strip_prefix(&format!("{account} "))).unwrap_or("0.00").to_owned()
}

/// Checks that every sealed day can be reproduced and that the books follow from the facts.
fn verified(scheme: &Scheme) {
    scheme.run(&["verify"]);
}

fn write(scheme: &Scheme, name: &str, header: &str, rows: &[&str]) {
    scheme.write(&format!("inbox/{name}"), file(header, rows));
}

#[tokio::test]
async fn a_payment_is_voided_replaced_and_corrected_again() {
    let story = |scheme: Scheme| {
        write(&scheme, "payments-2026-03-05.csv", PAYMENTS, &["P1,O1,100.00,CNY,2026-03-05 10:00:00"]);
        write(
            &scheme,
            "corrections-2026-03-07.csv",
            CORRECTIONS,
            &["K1,payment,P1,void,2026-03-07 09:00:00,was another shop's,wang.li"],
        );
        scheme.close("2026-03-08");
        assert_eq!(
            scheme.ack("corrections", "corrections-2026-03-07.csv"),
            "line,key,outcome,code,message\n2,K1,accepted,,\n"
        );
        assert_eq!(positions(&scheme, "2026-03-05"), [""; 0], "paid");
        assert_eq!(positions(&scheme, "2026-03-07"), ["O1 2026-03-08 100.00 0.00 clear"]);
        assert_eq!(closing(&scheme, "2026-03-05", "assets:cash-clearing"), "100.00");
        assert_eq!(closing(&scheme, "2026-03-07", "assets:cash-clearing"), "0.00");
        assert_eq!(matching(&scheme, "2026-03-05"), ["P1 100.00 100.00 matched"]);
        assert_eq!(matching(&scheme, "2026-03-07"), ["P1 100.00 0.00 missing_here"]);
        // Every entry that follows from the correction has the correction's row as its source.
        let booked = report(&scheme, "2026-03-07", "detail", &["kind", "amount", "source", "source_line", "reason"]);
        assert_eq!(booked, ["payment 100.00 corrections-2026-03-07.csv 2 corrected"]);
        // A later correction replaces the amount with 60.00. An older correction that arrives later changes nothing.
        let header = format!("{CORRECTIONS},amount,currency");
        write(
            &scheme,
            "corrections-2026-03-09.csv",
            &header,
            &[
                "K2,payment,P1,replace,2026-03-09 09:00:00,looked again,wang.li,60.00,CNY",
                "K3,payment,P1,void,2026-03-08 09:00:00,old,wang.li,,",
                "K2,payment,P1,replace,2026-03-09 09:00:00,looked again,wang.li,60.00,CNY",
                "K2,payment,P1,replace,2026-03-09 09:00:00,looked again,wang.li,70.00,CNY",
            ],
        );
        scheme.close("2026-03-10");
        assert_eq!(
            scheme.ack("corrections", "corrections-2026-03-09.csv"),
            "line,key,outcome,code,message\n2,K2,accepted,,\n3,K3,accepted,,\n4,K2,duplicate,DUPLICATE,recorded before with the same \
             content\n5,K2,conflict,CONFLICT,correction K2 was recorded before with other content; nothing was changed\n"
        );
        // The payment was before the due date, so the fee of the 9th is for the rest.
        assert_eq!(positions(&scheme, "2026-03-09"), ["O1 2026-03-08 40.00 5.00 clear"]);
        assert_eq!(matching(&scheme, "2026-03-09"), ["P1 100.00 60.00 amount_differs"]);
        assert_eq!(matching(&scheme, "2026-03-10"), [""; 0]);
        let told = scheme.run(&["explain", "O1"]);
        assert!(told.contains("correction K1: payment P1 is void (was another shop's; wang.li)"), "{told}");
        assert!(
            told.contains("correction K2: payment P1 was of 60.00 CNY on 2026-03-05 (looked again; wang.li)"),
            "{told}"
        );
        verified(&scheme);
        scheme.read("run/reconciliation/2026-03-10/manifest.json")
    };
    let on_sqlite = story(shop(&[ordered()]));
    assert_eq!(on_sqlite, story(shop(&[ordered()]).on_postgres().await), "the same on both engines");
}

#[test]
fn every_kind_of_fact_can_be_put_right() {
    // The fact, its correction, and the position before and after the correction.
    let hold =
        ("holds-2026-03-03.csv", "hold_id,order_id,reason,starts_on,ends_on", "H1,O1,return,2026-03-03,2026-03-20");
    let extension = ("extensions-2026-03-03.csv", "extension_id,order_id,days,requested_at", "X1,O1,3,2026-03-03");
    let refund = ("refunds-2026-03-03.csv", REFUNDS, "R1,O1,30.00,CNY,2026-03-03");
    let cancelled = ("fulfilments-2026-03-03.csv", "order_id,event,occurred_at", "O1,cancelled,2026-03-03");
    let waiver =
        ("waivers-2026-03-10.csv", "waiver_id,order_id,amount,currency,waived_on", "W1,O1,5.00,CNY,2026-03-10");
    for ((name, header, row), correction, before, after) in [
        (hold, "hold,H1,void,,,,,", "2026-03-26 100.00 0.00", "2026-03-08 100.00 5.00"),
        // The hold ends early and lasts four days.
        (hold, "hold,H1,replace,,,,2026-03-06,", "2026-03-26 100.00 0.00", "2026-03-12 100.00 0.00"),
        (extension, "extension,X1,void,,,,,", "2026-03-11 100.00 0.00", "2026-03-08 100.00 5.00"),
        (extension, "extensions,X1,replace,,,1,,", "2026-03-11 100.00 0.00", "2026-03-09 100.00 5.00"),
        (refund, "refund,R1,void,,,,,", "2026-03-08 70.00 5.00", "2026-03-08 100.00 5.00"),
        (refund, "refund,R1,replace,100.00,CNY,,,", "2026-03-08 70.00 5.00", ""),
        (cancelled, "fulfilment,O1:cancelled,void,,,,,", "", "2026-03-08 100.00 5.00"),
        (waiver, "waiver,W1,void,,,,,", "2026-03-08 100.00 0.00", "2026-03-08 100.00 5.00"),
        (waiver, "waiver,W1,replace,2.00,CNY,,,", "2026-03-08 100.00 0.00", "2026-03-08 100.00 3.00"),
        // The delivery was later than reported.
        (
            refund,
            "fulfilment,O1:delivered,replace,,,,,2026-03-05 10:00:00",
            "2026-03-08 70.00 5.00",
            "2026-03-12 70.00 0.00",
        ),
    ] {
        let scheme = shop(&[ordered(), (name, file(header, &[row]))]);
        let header = "correction_id,corrected_at,reason,approved_by,kind,fact_id,action,amount,currency,days,ends_on,occurred_at";
        write(
            &scheme,
            "corrections-2026-03-11.csv",
            header,
            &[&format!("K1,2026-03-11,typed wrong,wang.li,{correction}")],
        );
        scheme.close("2026-03-11");
        assert!(scheme.ack("corrections", "corrections-2026-03-11.csv").contains("K1,accepted"), "{correction}");
        let on = |day| {
            let found = report(&scheme, day, "positions", &["due_on", "outstanding", "late_fee"]);
            found.first().cloned().unwrap_or_default()
        };
        assert_eq!((on("2026-03-10").as_str(), on("2026-03-11").as_str()), (before, after), "{correction}");
        verified(&scheme);
    }
}

#[test]
fn a_correction_is_admitted_under_the_rules_of_its_fact() {
    let scheme = shop(&[
        ordered(),
        ("payments-2026-03-02.csv", file(PAYMENTS, &["P1,O1,80.00,CNY,2026-03-02", "P2,O1,20.00,CNY,2026-03-02"])),
        ("refunds-2026-03-03.csv", file(REFUNDS, &["R1,O1,30.00,CNY,2026-03-03", "R2,O1,30.00,CNY,2026-03-03"])),
        ("extensions-2026-03-02.csv", "extension_id,order_id,days,requested_at\nX1,O1,3,2026-03-01\n".to_owned()),
        (
            "chargebacks-2026-03-04.csv",
            "chargeback_id,order_id,payment_id,amount,currency,charged_back_at\nB1,O1,P1,50.00,CNY,2026-03-04\n"
                .to_owned(),
        ),
    ]);
    let header =
        "correction_id,corrected_at,reason,approved_by,kind,fact_id,action,order_id,amount,currency,days,paid_at";
    let row = |i: usize, text: &str| format!("K{i},2026-03-05,typed wrong,wang.li,{text}");
    let cases = [
        // The other refund is of 30.00.
        ("refund,R1,replace,,70.01,CNY,,", "rejected,REFUND_TOO_MUCH"),
        ("refund,R1,replace,,70.00,CNY,,", "accepted,"),
        ("extension,X1,replace,,,,6,", "rejected,EXTENSION_TOO_LONG"),
        ("extension,X1,replace,,,,5,", "accepted,"),
        ("payment,P1,void,,,,,", "rejected,PAYMENT_CHARGED_BACK"),
        ("payment,P1,replace,,49.99,CNY,,", "rejected,PAYMENT_CHARGED_BACK"),
        ("payment,P1,replace,,50.00,CNY,,", "accepted,"),
        ("chargeback,B1,replace,,50.01,CNY,,", "rejected,CHARGEBACK_TOO_MUCH"),
        ("payment,P2,replace,,,,,2025-03-02", "rejected,BEFORE_ORDER"),
        ("payment,P2,replace,,20.00,USD,,", "rejected,CURRENCY"),
        ("payment,P2,replace,O2,,,,", "rejected,WRONG_ORDER"),
        ("payment,P9,void,,,,,", "pending,UNKNOWN_FACT"),
    ];
    let rows: Vec<String> = cases.iter().enumerate().map(|(i, (text, _))| row(i, text)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    write(&scheme, "corrections-2026-03-05.csv", header, &rows);
    scheme.close("2026-03-05");
    let ack = scheme.ack("corrections", "corrections-2026-03-05.csv");
    for (i, (text, expected)) in cases.iter().enumerate() {
        assert!(ack.contains(&format!("\n{},K{i},{expected}", i + 2)), "{text}: {ack}");
    }
    verified(&scheme);
}

#[test]
fn a_correction_waits_for_its_fact() {
    let scheme = shop(&[ordered()]);
    write(&scheme, "corrections-2026-03-02.csv", CORRECTIONS, &["K1,payment,P1,void,2026-03-02,sent twice,wang.li"]);
    write(&scheme, "payments-2026-03-04.csv", PAYMENTS, &["P1,O1,100.00,CNY,2026-03-04"]);
    scheme.close("2026-03-04");
    assert!(scheme.ack("corrections", "corrections-2026-03-02.csv").contains("K1,pending,UNKNOWN_FACT"));
    assert_eq!(positions(&scheme, "2026-03-04"), ["O1 2026-03-08 100.00 0.00 clear"]);
    assert_eq!(matching(&scheme, "2026-03-04"), ["P1 100.00 0.00 missing_here"]);
    let shown = scheme.run(&["files", "show", "corrections-2026-03-02.csv"]);
    assert!(shown.contains("accepted"), "{shown}");
    verified(&scheme);
}

#[test]
fn money_that_waits_leaves_suspense_when_its_row_is_corrected() {
    let scheme = shop(&[ordered()]);
    write(
        &scheme,
        "payments-2026-03-02.csv",
        PAYMENTS,
        &["P1,O7,60.00,CNY,2026-03-02", "P2,O8,40.00,CNY,2026-03-02", "P3,O9,5.00,CNY,2026-03-02"],
    );
    let header = format!("{CORRECTIONS},order_id");
    write(
        &scheme,
        "corrections-2026-03-03.csv",
        &header,
        &[
            "K1,payment,P1,replace,2026-03-03,the order was O1,wang.li,O1",
            "K2,payment,P2,void,2026-03-03,not ours,wang.li,",
            // The payment waits for another order.
            "K3,payment,P3,replace,2026-03-03,the order was O6,wang.li,O6",
        ],
    );
    scheme.close("2026-03-04");
    let ack = scheme.ack("corrections", "corrections-2026-03-03.csv");
    assert!(
        ack.contains("K1,accepted") && ack.contains("K2,accepted") && ack.contains("K3,pending,UNKNOWN_ORDER"),
        "{ack}"
    );
    assert_eq!(closing(&scheme, "2026-03-02", "liabilities:suspense"), "-105.00");
    assert_eq!(closing(&scheme, "2026-03-03", "liabilities:suspense"), "-5.00");
    assert_eq!(closing(&scheme, "2026-03-03", "assets:cash-clearing"), "65.00");
    assert_eq!(positions(&scheme, "2026-03-03"), ["O1 2026-03-08 40.00 0.00 clear"]);
    let shown = scheme.run(&["files", "show", "payments-2026-03-02.csv"]);
    assert!(
        shown.contains("CORRECTED") && shown.contains("no longer waits; correction K2 of wang.li: not ours"),
        "{shown}"
    );
    let codes: Vec<String> = scheme.exceptions("2026-03-04").iter().map(|row| row[..13].to_owned()).collect();
    assert_eq!(codes, ["UNKNOWN_ORDER"], "only of P3");
    // A payment that was pending, was booked when its order arrived, and is then voided.
    write(&scheme, "orders-2026-03-05.csv", ORDERS, &["O9,C1,5.00,CNY,2026-03-02 10:00:00,"]);
    write(&scheme, "corrections-2026-03-06.csv", CORRECTIONS, &["K4,payment,P3,void,2026-03-06,not ours,wang.li"]);
    scheme.close("2026-03-06");
    assert_eq!(closing(&scheme, "2026-03-05", "liabilities:suspense"), "0.00");
    assert_eq!(closing(&scheme, "2026-03-06", "liabilities:suspense"), "0.00");
    assert_eq!(closing(&scheme, "2026-03-06", "assets:cash-clearing"), "60.00");
    verified(&scheme);
}

#[test]
fn a_bill_keeps_its_word_on_a_payment_that_was_voided() {
    let bills = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id";
    let scheme = shop(&[
        ordered(),
        ("bills-2026-03-02.csv", file(bills, &["P1,O1,payment,100.00,CNY,2026-03-02,"])),
        ("corrections-2026-03-04.csv", file(CORRECTIONS, &["K1,payment,P1,void,2026-03-04,a test,wang.li"])),
    ]);
    let header = format!("{CORRECTIONS},amount,currency");
    write(
        &scheme,
        "corrections-2026-03-06.csv",
        &header,
        &["K2,payment,P1,replace,2026-03-06,no test,wang.li,100.00,CNY"],
    );
    scheme.close("2026-03-07");
    for (day, expected) in [
        ("02", vec!["P1 100.00 100.00 matched"]),
        ("03", vec![]),
        ("04", vec!["P1 100.00 0.00 missing_here"]),
        ("05", vec!["P1 100.00 0.00 missing_here"]),
        ("06", vec!["P1 100.00 100.00 matched"]),
        ("07", vec![]),
    ] {
        assert_eq!(matching(&scheme, &format!("2026-03-{day}")), expected, "{day}");
    }
    verified(&scheme);
}

#[tokio::test]
async fn what_was_matched_and_is_corrected_on_the_same_day_is_not_matched() {
    let story = |scheme: &Scheme| {
        let bills = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id";
        write(scheme, "bills-2026-03-02.csv", bills, &["P1,O1,payment,100.00,CNY,2026-03-02,"]);
        scheme.close("2026-03-01");
        // The first close of the day takes the bill, but cannot write its reports.
        std::fs::rename(scheme.path("run/reconciliation"), scheme.path("run/kept")).unwrap();
        scheme.write("run/reconciliation", "in the way");
        scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
        std::fs::remove_file(scheme.path("run/reconciliation")).unwrap();
        std::fs::rename(scheme.path("run/kept"), scheme.path("run/reconciliation")).unwrap();
        write(scheme, "corrections-2026-03-02.csv", CORRECTIONS, &["K1,payment,P1,void,2026-03-02,a test,wang.li"]);
        scheme.close("2026-03-03");
        for day in ["2026-03-02", "2026-03-03"] {
            assert_eq!(matching(scheme, day), ["P1 100.00 0.00 missing_here"], "{day}");
        }
        verified(scheme);
        scheme.read("run/reconciliation/2026-03-03/manifest.json")
    };
    let at_once = |scheme: &Scheme| {
        let bills = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id";
        write(scheme, "bills-2026-03-02.csv", bills, &["P1,O1,payment,100.00,CNY,2026-03-02,"]);
        write(scheme, "corrections-2026-03-02.csv", CORRECTIONS, &["K1,payment,P1,void,2026-03-02,a test,wang.li"]);
        scheme.close("2026-03-03");
        scheme.read("run/reconciliation/2026-03-03/manifest.json")
    };
    let on_sqlite = story(&shop(&[ordered()]));
    assert_eq!(on_sqlite, story(&shop(&[ordered()]).on_postgres().await), "the same on both engines");
    assert_eq!(on_sqlite, at_once(&shop(&[ordered()])), "the same as when both come at once");
}

#[test]
fn a_refund_that_failed_is_void() {
    let bills = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id";
    let scheme = shop(&[
        ordered(),
        ("bills-2026-03-02.csv", file(bills, &["P1,O1,payment,100.00,CNY,2026-03-02,"])),
        // The refund counted when it began, and failed later. Another failed refund never counted.
        ("bills-2026-03-03.csv", file(bills, &["P1,O1,refund,40.00,CNY,2026-03-03,R1"])),
        (
            "bills-2026-03-05.csv",
            file(bills, &["P1,O1,refund_failed,40.00,CNY,2026-03-05,R1", "P1,O1,refund_failed,7.00,CNY,2026-03-05,R9"]),
        ),
        ("bills-2026-03-06.csv", file(bills, &["P1,O1,refund_failed,40.00,CNY,2026-03-05,R1"])),
        // The same with a refunds file.
        ("refunds-2026-03-03.csv", file(&format!("{REFUNDS},status"), &["R2,O1,10.00,CNY,2026-03-03,done"])),
        ("refunds-2026-03-06.csv", file(&format!("{REFUNDS},status"), &["R2,O1,10.00,CNY,2026-03-06,failed"])),
    ]);
    scheme.close("2026-03-07");
    let ack = scheme.ack("bills", "bills-2026-03-05.csv");
    assert!(ack.contains("2,R1,accepted") && ack.contains("3,R9,declined,SET_ASIDE,the refund failed"), "{ack}");
    assert!(scheme.ack("bills", "bills-2026-03-06.csv").contains("R1,duplicate"));
    assert!(scheme.ack("refunds", "refunds-2026-03-06.csv").contains("R2,accepted"));
    // The provider itself gave back the refund in the bill. The other refund is customer credit.
    for (day, credit, cash) in [("03", "-10.00", "60.00"), ("05", "-10.00", "100.00"), ("06", "0.00", "100.00")] {
        assert_eq!(closing(&scheme, &format!("2026-03-{day}"), "liabilities:customer-credit"), credit, "{day}");
        assert_eq!(closing(&scheme, &format!("2026-03-{day}"), "assets:cash-clearing"), cash, "{day}");
    }
    assert_eq!(matching(&scheme, "2026-03-07"), [""; 0], "both sides agree");
    let told = scheme.run(&["explain", "O1"]);
    assert!(told.contains("refund R1 is void (the refund did not go through"), "{told}");
    verified(&scheme);
}

#[test]
fn a_hold_entered_late_corrects_the_flag() {
    let policy = POLICY.replace("clock = \"delivered\"", "clock = \"ordered\"");
    let order = |id: &str| format!("{id},C1,100.00,CNY,2026-03-01 10:00:00,");
    let orders = file(ORDERS, &[&order("O1"), &order("O2"), &order("O3"), &order("O4"), &order("O5")]);
    let scheme = Scheme::shop(&policy).with_customer(&[("orders-2026-03-01.csv", &orders)]);
    let holds = "hold_id,order_id,reason,starts_on,ends_on";
    write(&scheme, "holds-2026-03-15.csv", holds, &["H3,O3,dispute,2026-03-10,2026-03-16"]);
    write(
        &scheme,
        "holds-2026-03-18.csv",
        holds,
        &[
            // H1 covers the day of the flag. H2 moves the due date to the 24th. H4 covers only the day of the notice.
            // H5 begins after both.
            "H1,O1,dispute,2026-03-14,2026-03-20",
            "H2,O2,late_delivery,2026-03-05,2026-03-20",
            "H4,O4,dispute,2026-03-10,2026-03-13",
            "H5,O5,dispute,2026-03-18,2026-03-20",
        ],
    );
    scheme.close("2026-03-19");
    let flagged = |day: &str| {
        let found = report(&scheme, day, "positions", &["order_id", "credit_status"]);
        found.iter().filter_map(|row| row.strip_suffix(" flagged")).collect::<Vec<_>>().join(" ")
    };
    // The notice of O3 was on a held day, so the time from notice to flag starts again after the hold.
    assert_eq!(flagged("2026-03-17"), "O1 O2 O4 O5");
    assert_eq!(flagged("2026-03-18"), "O5");
    let impact = scheme.read("run/reconciliation/2026-03-18/credit-impact_2026-03-18.csv");
    assert_eq!(impact.matches(",corrected,").count(), 3, "{impact}");
    assert!(impact.contains("the flag was wrong: a hold covers its day"), "{impact}");
    verified(&scheme);
}

#[tokio::test]
async fn what_happened_before_its_order_is_refused() {
    let story = |scheme: Scheme| {
        write(
            &scheme,
            "orders-2026-03-02.csv",
            ORDERS,
            &[
                "O1,C1,100.00,CNY,2026-03-02 10:00:00,",
                "O2,C1,100.00,CNY,2026-03-02 10:00:00,2025-03-02 10:00:00",
                "O3,C1,100.00,CNY,2026-03-02 10:00:00,2026-03-02 09:59:59",
                "O4,C1,100.00,CNY,2026-03-02 10:00:00,2026-03-01 09:59:59",
                "O5,C1,100.00,CNY,2026-03-02 10:00:00,2026-03-01 10:00:00",
            ],
        );
        write(
            &scheme,
            "fulfilments-2026-03-01.csv",
            "order_id,event,occurred_at",
            &["O1,delivered,2025-03-02 10:00:00"],
        );
        write(&scheme, "payments-2026-03-01.csv", PAYMENTS, &["P1,O1,10.00,CNY,2026-02-02 10:00:00"]);
        write(
            &scheme,
            "payments-2026-03-02.csv",
            PAYMENTS,
            &["P2,O1,10.00,CNY,2026-02-28", "P3,O1,10.00,CNY,2026-03-01"],
        );
        write(
            &scheme,
            "holds-2026-03-02.csv",
            "hold_id,order_id,reason,starts_on,ends_on",
            &["H1,O1,return,2026-02-20,2026-03-05"],
        );
        write(&scheme, "extensions-2026-03-02.csv", "extension_id,order_id,days,requested_at", &["X1,O1,1,2026-02-20"]);
        scheme.close("2026-03-03");
        let orders = scheme.ack("orders", "orders-2026-03-02.csv");
        for (key, outcome) in [
            ("O1", "accepted"),
            ("O2", "rejected,BEFORE_ORDER"),
            ("O3", "accepted"),
            ("O4", "rejected,BEFORE_ORDER"),
            ("O5", "accepted"),
        ] {
            assert!(orders.contains(&format!("{key},{outcome}")), "{orders}");
        }
        assert!(
            orders.contains(
                "column delivered_at, value \"\"2025-03-02\"\": dated 2025-03-02, but order O2 was placed on 2026-03-02"
            ),
            "{orders}"
        );
        let payments = scheme.ack("payments", "payments-2026-03-02.csv");
        assert!(
            payments.contains("P2,rejected,BEFORE_ORDER,\"column paid_at, value") && payments.contains("P3,accepted"),
            "{payments}"
        );
        for feed in ["holds", "extensions"] {
            assert!(scheme.ack(feed, &format!("{feed}-2026-03-02.csv")).contains("rejected,BEFORE_ORDER"), "{feed}");
        }
        // Rows that waited for the order are rejected when the order arrives, and their money becomes an exception.
        for file in ["fulfilments-2026-03-01.csv", "payments-2026-03-01.csv"] {
            let shown = scheme.run(&["files", "show", file]);
            assert!(shown.contains("BEFORE_ORDER") && shown.contains("rejected"), "{shown}");
        }
        let told: Vec<String> = scheme.exceptions("2026-03-03").iter().map(|row| row[..16].to_owned()).collect();
        assert_eq!(told, ["PAYMENT_REJECTED"; 2]);
        assert_eq!(closing(&scheme, "2026-03-03", "liabilities:suspense"), "0.00");
        verified(&scheme);
        scheme.read("run/reconciliation/2026-03-03/manifest.json")
    };
    assert_eq!(story(shop(&[])), story(shop(&[]).on_postgres().await), "the same on both engines");
    // A policy can allow an earlier date.
    let scheme = Scheme::shop(&POLICY.replace("refund_window", "before_order = 400\nrefund_window")).with_customer(&[]);
    write(&scheme, "orders-2026-03-02.csv", ORDERS, &["O2,C1,100.00,CNY,2026-03-02 10:00:00,2025-03-02 10:00:00"]);
    scheme.close("2026-03-02");
    assert!(scheme.ack("orders", "orders-2026-03-02.csv").contains("O2,accepted"));
}

#[test]
fn an_extension_is_not_used_up_for_nothing() {
    let scheme = shop(&[ordered()]);
    write(&scheme, "payments-2026-03-02.csv", PAYMENTS, &["P1,O1,100.00,CNY,2026-03-02"]);
    let extensions = "extension_id,order_id,days,requested_at";
    write(&scheme, "extensions-2026-03-03.csv", extensions, &["X1,O1,3,2026-03-03"]);
    // The chargeback makes the order owed again, so the customer can still get the extension.
    write(
        &scheme,
        "chargebacks-2026-03-04.csv",
        "chargeback_id,order_id,payment_id,amount,currency,charged_back_at",
        &["B1,O1,P1,100.00,CNY,2026-03-04"],
    );
    write(&scheme, "extensions-2026-03-05.csv", extensions, &["X2,O1,3,2026-03-05"]);
    scheme.close("2026-03-05");
    assert!(scheme.ack("extensions", "extensions-2026-03-03.csv").contains("X1,rejected,EXTENSION_NOT_NEEDED"));
    assert!(scheme.ack("extensions", "extensions-2026-03-05.csv").contains("X2,accepted"));
    assert_eq!(positions(&scheme, "2026-03-05"), ["O1 2026-03-11 100.00 0.00 clear"]);
}

#[test]
fn a_person_corrects_with_a_name_and_a_reason() {
    let scheme = shop(&[
        ordered(),
        (
            "holds-2026-03-02.csv",
            "hold_id,order_id,reason,starts_on,ends_on\nH1,O1,return,2026-03-02,2026-03-20\n".to_owned(),
        ),
    ]);
    scheme.close("2026-03-05");
    let early = ["correct", "hold", "H1", "--ends-on", "2026-03-04", "--reason", "settled", "--by", "wang.li"];
    let would = scheme.run(&[&early[..], &["--dry-run"]].concat());
    assert!(
        would.contains("would be accepted")
            && would.contains("now:  due 2026-03-27")
            && would.contains("then: due 2026-03-11"),
        "{would}"
    );
    let told = scheme.run(&early);
    assert!(told.starts_with("correction hand-") && told.ends_with(" of hold H1: accepted\n"), "{told}");
    // The same correction again is a duplicate. An impossible one is rejected, as in a file.
    assert!(scheme.run(&early).contains("duplicate"));
    let refused = scheme.run_failing(&["correct", "hold", "H1", "--ends-on", "soon", "--reason", "x", "--by", "y"], 1);
    assert!(refused.contains("rejected, BAD_TIME: column ends_on, value \"soon\""), "{refused}");
    let unknown = scheme.run_failing(&["correct", "notice", "N1", "--void", "--reason", "x", "--by", "y"], 2);
    assert!(unknown.contains("\"notice\" can't be corrected"), "{unknown}");
    // A correction whose fact is not known yet is pending, like any other row.
    let waits = scheme.run(&[
        "correct",
        "payment",
        "P1",
        "--amount",
        "30",
        "--reason",
        "typed wrong",
        "--by",
        "wang.li",
        "--id",
        "K9",
    ]);
    assert!(waits.contains("K9 of payment P1: pending, UNKNOWN_FACT"), "{waits}");
    write(&scheme, "payments-2026-03-06.csv", PAYMENTS, &["P1,O1,50.00,CNY,2026-03-06"]);
    scheme.close("2026-03-07");
    assert_eq!(positions(&scheme, "2026-03-06"), ["O1 2026-03-11 70.00 0.00 clear"]);
    let explained = scheme.run(&["explain", "O1"]);
    for words in [
        "hold H1 was (return) to 2026-03-04 on 2026-03-02 (settled; wang.li)",
        "payment P1 was of 30.00 CNY",
        "correction-2026-03-06-hand-",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    verified(&scheme);
}

#[test]
fn a_correction_that_a_stop_left_lying_is_taken_with_the_next_files() {
    let scheme = shop(&[ordered(), ("payments-2026-03-02.csv", file(PAYMENTS, &["P1,O1,50.00,CNY,2026-03-02"]))]);
    scheme.close("2026-03-02");
    std::fs::create_dir_all(scheme.path("run/by_hand/SHOP")).unwrap();
    scheme.write(
        "run/by_hand/SHOP/correction-2026-03-03-K1.csv",
        file(CORRECTIONS, &["K1,payment,P1,void,2026-03-03,typed wrong,wang.li"]),
    );
    scheme.close("2026-03-03");
    assert_eq!(positions(&scheme, "2026-03-03"), ["O1 2026-03-08 100.00 0.00 clear"]);
    verified(&scheme);
}

#[tokio::test]
async fn money_dated_ahead_is_corrected_before_its_day() {
    let story = |scheme: Scheme| {
        write(&scheme, "orders-2026-03-01.csv", ORDERS, &["O1,C1,100.00,CNY,2026-03-01 10:00:00,2026-03-01 12:00:00"]);
        // Four payments, known on the 2nd and dated the 6th. The corrections: void, an earlier date, a smaller amount,
        // and a later date.
        let payment = |id: &str| format!("{id},O1,10.00,CNY,2026-03-06");
        let rows = ["P1", "P2", "P3", "P4"].map(payment);
        write(&scheme, "payments-2026-03-02.csv", PAYMENTS, &rows.each_ref().map(String::as_str));
        let header = format!("{CORRECTIONS},paid_at,amount,currency");
        write(
            &scheme,
            "corrections-2026-03-04.csv",
            &header,
            &[
                "K1,payment,P1,void,2026-03-04,never made,wang.li,,,",
                "K2,payment,P2,replace,2026-03-04,typed wrong,wang.li,2026-03-02,,",
                "K3,payment,P3,replace,2026-03-04,typed wrong,wang.li,,7.00,CNY",
                "K4,payment,P4,replace,2026-03-04,typed wrong,wang.li,2026-03-07,,",
            ],
        );
        scheme.close("2026-03-08");
        for (day, cash, expected) in [
            ("02", "0.00", vec![]),
            ("04", "10.00", vec!["P2 10.00 10.00 matched"]),
            ("05", "10.00", vec![]),
            ("06", "17.00", vec!["P3 10.00 7.00 amount_differs"]),
            ("07", "27.00", vec!["P4 10.00 10.00 matched"]),
            ("08", "27.00", vec![]),
        ] {
            let day = format!("2026-03-{day}");
            assert_eq!(closing(&scheme, &day, "assets:cash-clearing"), cash, "{day}");
            assert_eq!(matching(&scheme, &day), expected, "{day}");
        }
        verified(&scheme);
    };
    story(shop(&[]));
    story(shop(&[]).on_postgres().await);
}

#[test]
fn a_payment_out_of_suspense_is_void_before_and_after_its_day() {
    // A payment after the cut-off is effective on the next day, but its money is in suspense from its own day on.
    let policy = POLICY.replace("clock =", "cut_off = \"18:00\"\nclock =");
    let scheme = with_corrections(Scheme::shop(&policy)).with_customer(&[]);
    let late = |id: &str| format!("{id},O1,10.00,CNY,2026-03-02 20:00:00");
    write(&scheme, "payments-2026-03-02.csv", PAYMENTS, &[&late("P1"), &late("P2"), &late("P3")]);
    write(&scheme, "corrections-2026-03-02.csv", CORRECTIONS, &["K1,payment,P1,void,2026-03-02,not ours,wang.li"]);
    scheme.close("2026-03-02");
    assert_eq!(closing(&scheme, "2026-03-02", "liabilities:suspense"), "-20.00");
    write(&scheme, "orders-2026-03-03.csv", ORDERS, &["O1,C1,100.00,CNY,2026-03-01 10:00:00,2026-03-01 12:00:00"]);
    write(&scheme, "corrections-2026-03-03.csv", CORRECTIONS, &["K2,payment,P2,void,2026-03-03,not ours,wang.li"]);
    let header = format!("{CORRECTIONS},amount,currency");
    write(
        &scheme,
        "corrections-2026-03-05.csv",
        &header,
        &["K3,payment,P3,replace,2026-03-05,typed wrong,wang.li,4.00,CNY"],
    );
    scheme.close("2026-03-06");
    for (day, cash) in [("03", "10.00"), ("04", "10.00"), ("05", "4.00"), ("06", "4.00")] {
        let day = format!("2026-03-{day}");
        assert_eq!(closing(&scheme, &day, "liabilities:suspense"), "0.00", "{day}");
        assert_eq!(closing(&scheme, &day, "assets:cash-clearing"), cash, "{day}");
    }
    verified(&scheme);
}
