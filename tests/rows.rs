//! Rows with wrong quotes, amounts or keys: each is rejected alone and does not affect other rows.

use crate::support::Scheme;

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "100000.00", term = 7 } ]
late_fee = { kind = "none" }
"#;

/// Returns the line, key, outcome and code of each row.
fn answers(scheme: &Scheme, feed: &str, name: &str) -> Vec<String> {
    let ack = scheme.ack(feed, name);
    let mut rows = csv::Reader::from_reader(ack.as_bytes());
    let row = |row: csv::StringRecord| {
        let row: Vec<&str> = row.iter().take(4).filter(|cell| !cell.is_empty()).collect();
        row.join(" ")
    };
    rows.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn a_stray_quote_takes_no_other_row_with_it() {
    let scheme = Scheme::shop(POLICY).with_customer(&[
        (
            "orders-2026-03-01.csv",
            "order_id,customer_id,item,amount,currency,ordered_at\n\
             A1,C1,\"Tea,10.00,CNY,2026-03-01\n\
             A2,C1,\"Cup\",990.00,CNY,2026-03-01\n\
             A3,C1,Pot,30.00,CNY,2026-03-01\n",
        ),
        (
            "payments-2026-03-01.csv",
            "channel,payment_id,order_id,amount,currency,paid_at\n\
             \"alipay,P1,A1,10.00,CNY,2026-03-01\n\
             \"wechat\",P2,A2,990.00,CNY,2026-03-01\n\
             card,P3,A3,\"1\"0.00,CNY,2026-03-01\n\
             card,P4,A3,\"1\"2\".\"00,CNY,2026-03-01\n",
        ),
        (
            "orders-2026-03-01b.csv",
            "order_id,customer_id,amount,currency,ordered_at,item\n\
             B1,C1,10.00,CNY,2026-03-01,\"Tea\n\
             B2,C1,20.00,CNY,2026-03-01,\"Cup\"\n\
             B3,C1,30.00,CNY,2026-03-01,\"Pot\nwith a lid\"\n\
             B4,C1,40.00,CNY,2026-03-01,Lid\"\n\
             B5,C1,50.00,CNY,2026-03-01,\"Mug\n\
             B6,C1,60.00,CNY,2026-03-01,Can\n",
        ),
    ]);
    // `check --file` reports the outcome in advance.
    let checked =
        scheme.run_failing(&["check", "--file", &inbox(&scheme, "orders-2026-03-01.csv"), "--feed", "orders"], 1);
    assert!(checked.contains("3 rows: 2 readable, 0 set aside, 1 rejected"), "{checked}");
    assert!(
        checked.contains("1 rejected as BAD_QUOTES, first line 2: column item: a quote that is not closed"),
        "{checked}"
    );
    assert!(checked.contains("would be taken, but 1 of its 3 rows would be rejected"), "{checked}");

    scheme.close("2026-03-01");
    let orders = answers(&scheme, "orders", "orders-2026-03-01.csv");
    assert_eq!(orders, ["2 A1 rejected BAD_QUOTES", "3 A2 accepted", "4 A3 accepted"]);
    let payments = answers(&scheme, "payments", "payments-2026-03-01.csv");
    let expected = ["2 rejected BAD_QUOTES", "3 P2 accepted", "4 P3 rejected BAD_QUOTES", "5 P4 rejected BAD_QUOTES"];
    assert_eq!(payments, expected);
    let others = answers(&scheme, "orders", "orders-2026-03-01b.csv");
    let expected = [
        "2 B1 rejected BAD_QUOTES",
        "3 B2 accepted",
        "4 B3 accepted",
        "6 B4 rejected BAD_QUOTES",
        "7 B5 rejected BAD_QUOTES",
        "8 B6 accepted",
    ];
    assert_eq!(others, expected);
    let detail = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_detail.csv");
    let paid = ",payment,A2,1,CNY,assets:cash-clearing,assets:receivable:principal,990.00,payments-2026-03-01.csv,3,";
    assert!(detail.contains(paid) && !detail.contains("A1"), "{detail}");
    // The money may have moved, so a person must review the row: it is an exception.
    let opened = scheme.exceptions("2026-03-01");
    let rejected = opened.iter().filter(|row| row.starts_with("PAYMENT_REJECTED"));
    assert_eq!(rejected.count(), 3, "P1, P3 and P4: {opened:?}");

    // The rejects have the unchanged line. The corrected line is taken.
    let rejects = scheme.read("run/outbox/orders/orders-2026-03-01.csv.rejects.csv");
    assert!(rejects.contains("\n\"A1,C1,\"\"Tea,10.00,CNY,2026-03-01\",BAD_QUOTES,"), "{rejects}");
    scheme.write("inbox/orders-2026-03-01.csv.rejects.csv", &rejects);
    scheme.close("2026-03-02");
    let again = answers(&scheme, "orders", "orders-2026-03-01.csv.rejects.csv");
    assert_eq!(again, ["2 A1,C1,\"Tea,10.00,CNY,2026-03-01 rejected COLUMN_COUNT"]);
    let mended = rejects.replace("\"A1,C1,\"\"Tea,10.00,CNY,2026-03-01\"", "A1,C1,Tea,10.00,CNY,2026-03-01");
    scheme.write("inbox/orders-2026-03-01.csv.rejects.csv", mended);
    scheme.close("2026-03-03");
    let mended = answers(&scheme, "orders", "orders-2026-03-01.csv.rejects.2.csv");
    assert_eq!(mended, ["0 taken FILE_NAME_AGAIN", "2 A1 accepted"]);
    scheme.run(&["verify"]);
}

fn inbox(scheme: &Scheme, name: &str) -> String {
    scheme.path(&format!("inbox/{name}")).display().to_string()
}

#[test]
fn thousands_are_not_read_as_a_fraction() {
    let policy = POLICY.replace("CNY", "EUR");
    let scheme = Scheme::shop(&policy).with_customer(&[
        (
            "orders-2026-03-01.csv",
            "order_id,customer_id,amount,currency,ordered_at\n\
             T1,C1,1500.00,EUR,2026-03-01\n\
             T2,C1,1.500,EUR,2026-03-01\n\
             T3,C1,1.000,EUR,2026-03-01\n\
             T4,C1,1.000.00,EUR,2026-03-01\n\
             T5,C1,1.234,EUR,2026-03-01\n\
             T6,C1,12.000,JPY,2026-03-01\n\
             T7,C1,1.500,KWD,2026-03-01\n\
             T8,C1,1.5000,KWD,2026-03-01\n",
        ),
        ("payments-2026-03-01.csv", "payment_id,order_id,amount,currency,paid_at\nP1,T1,1.500,EUR,2026-03-01\n"),
    ]);
    scheme.close("2026-03-01");
    let bad = |line: usize, key: &str| format!("{line} {key} rejected BAD_AMOUNT");
    let mut expected = vec!["2 T1 accepted".to_owned()];
    expected.extend((3..=7).map(|line| bad(line, &format!("T{}", line - 1))));
    // The dinar has three decimal digits.
    expected.extend(["8 T7 declined CURRENCY".to_owned(), bad(9, "T8")]);
    assert_eq!(answers(&scheme, "orders", "orders-2026-03-01.csv"), expected);
    assert_eq!(answers(&scheme, "payments", "payments-2026-03-01.csv"), [bad(2, "P1")]);
}

#[test]
fn keys_that_look_the_same_are_the_same_or_refused() {
    let scheme = Scheme::shop(POLICY).with_customer(&[
        (
            "orders-2026-03-01.csv",
            "order_id,customer_id,amount,currency,ordered_at\n\
             T1,C1,10.00,CNY,2026-03-01\n \
             T1\t,C1,10.00,CNY,2026-03-01\n\
             T1\u{a0},C1,10.00,CNY,2026-03-01\n\
             T\u{200b}1,C1,10.00,CNY,2026-03-01\n\
             \u{202e}1T,C1,10.00,CNY,2026-03-01\n\
             T2,C\u{ad}1,10.00,CNY,2026-03-01\n",
        ),
        (
            "payments-2026-03-01.csv",
            "payment_id,order_id,amount,currency,paid_at\nP\u{2060}1,T1,1.00,CNY,2026-03-01\nP1,T1\u{feff},1.00,CNY,2026-03-01\n",
        ),
        ("holds-2026-03-01.csv", "hold_id,order_id,reason,starts_on\nH\u{3164},T1,dispute,2026-03-02\n"),
    ]);
    scheme.write(
        "inbox/customers-2026-03-01b.csv",
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
         C2,Ann,ann@example.com,en,Asia/Shanghai,700,TRUE,True\n\
         C3,Ann,ann@例え.jp,en,Asia/Shanghai,700,true,FALSE\n\
         C4,\"Ann\nBcc: x\",ann@example.com,en,Asia/Shanghai,700,true,true\n\
         C5,Ann,\"ann@example.com\nBcc: b@evil.example\",en,Asia/Shanghai,700,true,true\n",
    );
    scheme.close("2026-03-01");
    let codes = |feed: &str, name: &str| -> Vec<String> {
        let last = |row: String| row.rsplit(' ').next().unwrap().to_owned();
        answers(&scheme, feed, name).into_iter().map(last).collect()
    };
    let orders = codes("orders", "orders-2026-03-01.csv");
    assert_eq!(orders, ["accepted", "DUPLICATE", "BAD_KEY", "BAD_KEY", "BAD_KEY", "BAD_KEY"]);
    assert_eq!(codes("payments", "payments-2026-03-01.csv"), ["BAD_KEY", "BAD_KEY"]);
    assert_eq!(codes("holds", "holds-2026-03-01.csv"), ["BAD_KEY"]);
    assert_eq!(codes("customers", "customers-2026-03-01b.csv"), ["accepted", "BAD_EMAIL", "BAD_TEXT", "BAD_EMAIL"]);
}

#[test]
fn a_payment_of_nothing_is_looked_at_by_somebody() {
    let scheme = Scheme::shop(POLICY).with_customer(&[
        ("orders-2026-03-01.csv", "order_id,customer_id,amount,currency,ordered_at\nT1,C1,10.00,CNY,2026-03-01\n"),
        (
            "bills-2026-03-01.csv",
            "transaction_id,order_id,event,amount,currency,occurred_at,refund_id\n\
             X1,T1,payment,0.00,CNY,2026-03-01,\nX1,T1,refund,0,CNY,2026-03-01,R1\n",
        ),
        ("payments-2026-03-01.csv", "payment_id,order_id,amount,currency,paid_at\nP1,T1,0,CNY,2026-03-01\n"),
    ]);
    scheme.close("2026-03-01");
    let bills = answers(&scheme, "bills", "bills-2026-03-01.csv");
    assert_eq!(bills, ["2 X1 declined NO_AMOUNT", "3 R1 declined NO_AMOUNT"]);
    assert_eq!(answers(&scheme, "payments", "payments-2026-03-01.csv"), ["2 P1 declined NO_AMOUNT"]);
    let opened = scheme.exceptions("2026-03-01");
    let about = |code: &str| opened.iter().filter(|told| told.starts_with(code)).count();
    assert_eq!((about("PAYMENT_REJECTED"), about("REFUND_REJECTED")), (2, 1), "{opened:?}");
    // A refund of the discount settles the exception.
    scheme.write(
        "inbox/refunds-2026-03-02.csv",
        "refund_id,order_id,amount,currency,refunded_at\nD1,T1,10.00,CNY,2026-03-02\n",
    );
    scheme.close("2026-03-02");
    let positions = scheme.read("run/reconciliation/2026-03-02/SHOP_2026-03-02_positions.csv");
    assert_eq!(positions.lines().count(), 1, "{positions}");
}

#[test]
fn check_says_what_would_become_of_a_files_rows() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    let header = "order_id,customer_id,amount,currency,ordered_at\n";
    let check = |rows: &str, status: i32| {
        scheme.write("orders.csv", format!("{header}{rows}"));
        let file = scheme.path("orders.csv").display().to_string();
        scheme.run_failing(&["check", "--file", &file, "--feed", "orders"], status)
    };
    let told = check("T1,C1,1.500,CNY,2026-03-01\nT2,C1,x,CNY,2026-03-01\n", 1);
    assert!(told.contains("The file would be taken, but every row of it rejected"), "{told}");
    assert!(!told.contains("The file would be taken."), "{told}");
    let told = check("T1,C1,1.50,CNY,2026-03-01\n", 0);
    assert!(told.contains("Which orders would be declined is not known: the scheme has no books yet."), "{told}");
    assert!(!scheme.path("run").exists(), "looking makes no books");

    scheme.close("2026-03-01");
    let rows = "T1,C1,60000.00,CNY,2026-03-02\nT2,C1,60000.00,CNY,2026-03-02\nT3,C9,1.00,CNY,2026-03-02\n\
                T4,C1,1.00,EUR,2026-03-02\nT5,C1,1.00,CNY,2025-03-02\n";
    let told = check(rows, 0);
    let figures = "limit 100000.00 CNY from score 500, owed 60000.00 CNY, asked for 60000.00 CNY: 40000.00 CNY of the limit is left";
    for expected in [
        format!("1 would be declined as OVER_LIMIT, first line 3: {figures}").as_str(),
        "1 would be declined as NO_CUSTOMER, first line 4:",
        "1 would be declined as CURRENCY, first line 5:",
        "1 would be rejected as NO_POLICY, first line 6:",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // The check recorded nothing: the same file is decided as the check predicted.
    scheme.write("inbox/orders-2026-03-02.csv", format!("{header}{rows}"));
    scheme.close("2026-03-02");
    let expected = [
        "2 T1 accepted",
        "3 T2 declined OVER_LIMIT",
        "4 T3 declined NO_CUSTOMER",
        "5 T4 declined CURRENCY",
        "6 T5 rejected NO_POLICY",
    ];
    assert_eq!(answers(&scheme, "orders", "orders-2026-03-02.csv"), expected);
    let told = check(rows, 0);
    assert!(told.contains("4 would be duplicate, first line 2:"), "{told}");
    // The acknowledgement and `explain` give the figures of the decision, even if a decision now would have other
    // figures.
    let ack = scheme.ack("orders", "orders-2026-03-02.csv");
    assert!(ack.contains(&format!("\n3,T2,declined,OVER_LIMIT,\"{figures}\"\n")), "{ack}");
    scheme.write(
        "inbox/payments-2026-03-03.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,T1,60000.00,CNY,2026-03-03\n",
    );
    scheme.close("2026-03-04");
    let told = scheme.run(&["explain", "T2"]);
    assert!(told.contains(&format!("and declined, OVER_LIMIT: {figures} (score 700, agreement A1)")), "{told}");
}
