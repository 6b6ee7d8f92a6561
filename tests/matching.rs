//! Matches a provider's bill with the shop's own files, day by day, until both sides agree. Runs the real program. In
//! the tables, a line is a row of the day's matching report: day, key, order, the provider's amount, the amount in the
//! books, status, days open, and the provider's fee.

use std::fs;

use crate::support::{AGREEMENTS, CUSTOMERS, Scheme, assert_same, files_below};

const OUTPUTS: [&str; 2] = ["reconciliation", "outbox"];

const POLICY: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "9000.00", term = 30 } ]
late_fee = { kind = "none" }
"#;

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at";
const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at,channel";
const REFUNDS: &str = "refund_id,order_id,amount,currency,refunded_at,reason";
const BILLS: &str = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id,fee,channel";

/// A shop with orders O1 to O9 of 100.00 each, and a feed for Alipay's bills with these keys.
fn shop(answers: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let feed = "name = \"bills\"\n";
    let config = scheme.read("paylater.toml");
    assert!(config.contains(feed));
    scheme.write("paylater.toml", config.replace(feed, &format!("{feed}provider = \"alipay\"\n{answers}\n")));
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    let orders: Vec<String> = (1..=9).map(|n| format!("O{n},C1,100.00,CNY,2026-03-01")).collect();
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    put(&scheme, "orders", "01", ORDERS, &orders);
    scheme
}

/// The keys of a bill that confirms payments and refunds from the shop's own files.
const CONFIRMS: &str =
    "bill = { usual_delay = 1, answers_for = [\"payments\", \"refunds\"], channels = [\"alipay\", \"hb\"] }";

fn put(scheme: &Scheme, kind: &str, day: &str, header: &str, rows: &[&str]) {
    scheme.write(&format!("inbox/{kind}-2026-03-{day}.csv"), format!("{header}\n{}\n", rows.join("\n")));
}

fn close(scheme: &Scheme, day: &str) {
    scheme.close(&format!("2026-03-{day}"));
}

fn report(scheme: &Scheme, day: &str, kind: &str) -> String {
    scheme.read(&format!("run/reconciliation/2026-03-{day}/SHOP_2026-03-{day}_{kind}.csv"))
}

/// Returns the matching reports of some days as a table.
fn table(scheme: &Scheme, days: &[&str]) -> String {
    let mut lines = Vec::new();
    for day in days {
        for row in report(scheme, day, "matching").lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            let [provider, key, order, theirs, ours, _, status, days_open, fee] = cells[..] else { panic!("{row}") };
            lines.push(
                format!("{day} {provider} {key} {order} {theirs} {ours} {status} {days_open} {fee}").trim().to_owned(),
            );
        }
    }
    lines.join("\n")
}

#[track_caller]
fn check(scheme: &Scheme, days: &[&str], expected: &str) {
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let found = table(scheme, days);
    assert!(found == expected.join("\n"), "expected\n{}\nfound\n{found}", expected.join("\n"));
}

/// Returns the outcomes of a file, row by row.
fn outcomes(scheme: &Scheme, feed: &str, day: &str) -> Vec<String> {
    let ack = scheme.read(&format!("run/outbox/{feed}/{feed}-2026-03-{day}.csv.ack.csv"));
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    ack.lines().skip(1).map(cells).map(|c| format!("{} {} {}", c[1], c[2], c[3]).trim().to_owned()).collect()
}

/// Returns the codes and orders of the exceptions that are open at the end of a day.
fn exceptions(scheme: &Scheme, day: &str) -> Vec<String> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    report(scheme, day, "exceptions").lines().skip(1).map(cells).map(|c| format!("{} {}", c[1], c[3])).collect()
}

fn balance(scheme: &Scheme, day: &str, account: &str) -> String {
    let summary = report(scheme, day, "summary");
    let row = summary.lines().find(|line| line.contains(account)).unwrap().to_owned();
    row.split(',').nth(7).unwrap().to_owned()
}

/// Checks that sealed days that are deleted and written again are the same to the byte, and that `verify` passes.
fn made_again(scheme: &Scheme) {
    scheme.run(&["verify"]);
    let before = files_below(&scheme.path("run"), &["reconciliation"]);
    fs::remove_dir_all(scheme.path("run/reconciliation")).unwrap();
    scheme.run(&["job", "write_reconciliation"]);
    assert_same(&before, &files_below(&scheme.path("run"), &["reconciliation"]));
}

/// The bill is the only source: it brings the payments, and the provider's confirmation of them.
fn bill_alone(scheme: &Scheme) {
    put(
        scheme,
        "bills",
        "05",
        BILLS,
        &[
            "T1,O1,payment,100.00,CNY,2026-03-05 10:00:00,,0.60,alipay",
            "T2,O2,refund,40.00,CNY,2026-03-05 18:00:00,R2,-0.24,",
            "T2,O2,payment,100.00,CNY,2026-03-05 11:00:00,,0.60,alipay",
            "T3,O3,payment,100.00,CNY,2026-03-05 11:00:00,,0,",
            "T3,O3,refund,30.00,CNY,2026-03-05 12:00:00,T3,,",
            "T9,NEVER,payment,50.00,CNY,2026-03-05 12:00:00,,0.30,alipay",
            "T4,O4,refund,500.00,CNY,2026-03-05 12:00:00,R4,,",
            "T5,O5,payment,70.00,CNY,2026-03-05 12:00:00,,free,",
        ],
    );
    // The bill of the next day has the same lines in another order, with one new amount and one new fee.
    put(
        scheme,
        "bills",
        "06",
        BILLS,
        &[
            "T9,NEVER,payment,50.00,CNY,2026-03-05 12:00:00,,0.30,alipay",
            "T3,O3,refund,30.00,CNY,2026-03-05 12:00:01,T3,,",
            "T3,O3,payment,100.00,CNY,2026-03-05 11:00:00,,0.00,hb",
            "T2,O2,payment,100.00,CNY,2026-03-05 11:00:00,,0.55,alipay",
            "T2,O2,refund,40.00,CNY,2026-03-05 18:00:00,R2,-0.24,",
            "T1,O1,payment,90.00,CNY,2026-03-05 10:00:00,,0.60,alipay",
            "T5,O5,payment,70.00,CNY,2026-03-05 12:00:00,,0,",
        ],
    );
    put(scheme, "orders", "08", ORDERS, &["NEVER,C1,50.00,CNY,2026-03-04"]);
    close(scheme, "09");
}

const BILL_ALONE: &str = "
    05  alipay  T1  O1     100.00  100.00  matched         0   0.60
    05  alipay  T2  O2     100.00  100.00  matched         0   0.60
    05  alipay  T3  O3     100.00  100.00  matched         0   0.00
    05  alipay  R2  O2      40.00   40.00  matched         0  -0.24
    05  alipay  T3  O3      30.00   30.00  matched         0
    05  alipay  T9  NEVER   50.00    0.00  missing_here    0   0.30
    05  alipay  R4  O4     500.00    0.00  missing_here    0
    06  alipay  T5  O5      70.00   70.00  matched         0   0.00
    06  alipay  T9  NEVER   50.00    0.00  missing_here    1   0.30
    06  alipay  R4  O4     500.00    0.00  missing_here    1
    06  alipay  T1  O1      90.00  100.00  amount_differs  0   0.60
    07  alipay  T9  NEVER   50.00    0.00  missing_here    2   0.30
    07  alipay  R4  O4     500.00    0.00  missing_here    2
    07  alipay  T1  O1      90.00  100.00  amount_differs  1   0.60
    08  alipay  T9  NEVER   50.00   50.00  matched         3   0.30
    08  alipay  R4  O4     500.00    0.00  missing_here    3
    08  alipay  T1  O1      90.00  100.00  amount_differs  2   0.60
    09  alipay  R4  O4     500.00    0.00  missing_here    4
    09  alipay  T1  O1      90.00  100.00  amount_differs  3   0.60
";

#[tokio::test]
async fn a_bill_alone_brings_the_payments_and_the_providers_word_on_them() {
    let (sqlite, postgres) = (shop(""), shop("").on_postgres().await);
    bill_alone(&sqlite);
    bill_alone(&postgres);
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS), &files_below(&postgres.path("run"), &OUTPUTS));
    for scheme in [&sqlite, &postgres] {
        check(scheme, &["05", "06", "07", "08", "09"], BILL_ALONE);
        made_again(scheme);
    }
    assert_eq!(
        outcomes(&sqlite, "bills", "05"),
        [
            "T1 accepted",
            "R2 accepted",
            "T2 accepted",
            "T3 accepted",
            "T3 accepted",
            "T9 pending UNKNOWN_ORDER",
            "R4 rejected REFUND_TOO_MUCH",
            "T5 rejected BAD_AMOUNT"
        ]
    );
    assert_eq!(
        outcomes(&sqlite, "bills", "06"),
        [
            "T9 duplicate DUPLICATE",
            "T3 duplicate DUPLICATE",
            "T3 duplicate DUPLICATE",
            "T2 conflict CONFLICT",
            "R2 duplicate DUPLICATE",
            "T1 conflict CONFLICT",
            "T5 accepted"
        ]
    );
    assert_eq!(exceptions(&sqlite, "05"), ["UNKNOWN_ORDER NEVER", "REFUND_REJECTED O4", "PAYMENT_REJECTED O5"]);
    assert_eq!(exceptions(&sqlite, "09"), ["REFUND_REJECTED O4", "CONFLICT O2", "CONFLICT O1"]);
    // Fees are between the provider and the merchant. The books have the payments, less the refunds of the provider
    // itself.
    assert_eq!(balance(&sqlite, "05", "assets:cash-clearing"), "280.00");
    assert_eq!(balance(&sqlite, "05", "liabilities:suspense"), "-50.00");
    assert_eq!(balance(&sqlite, "09", "liabilities:suspense"), "0.00");
    assert_eq!(balance(&sqlite, "09", "assets:cash-clearing"), "350.00");
    let manifest = sqlite.read("run/reconciliation/2026-03-05/manifest.json");
    assert!(manifest.contains("\"provider_fee CNY\": \"1.26\""), "{manifest}");
    insta::assert_snapshot!("explain_bill", sqlite.run(&["explain", "O2"]));
    insta::assert_snapshot!("explain_bill_differs", sqlite.run(&["explain", "O1"]));
}

/// The shop books its payments from its own files, and the bill confirms them a day later.
fn bill_beside_the_shops_files(scheme: &Scheme) {
    put(
        scheme,
        "payments",
        "05",
        PAYMENTS,
        &[
            "T1,O1,100.00,CNY,2026-03-05 10:00:00,alipay",
            "T2,O2,100.00,CNY,2026-03-05 11:00:00,alipay",
            "T3,O3,100.00,CNY,2026-03-05 12:00:00,hb",
            "CASH4,O4,100.00,CNY,2026-03-05 13:00:00,cash",
            "T9,LATE,50.00,CNY,2026-03-05 14:00:00,alipay",
        ],
    );
    put(scheme, "bills", "05", BILLS, &["T6,O6,payment,100.00,CNY,2026-03-05 23:59:59,,0.60,huabei"]);
    put(
        scheme,
        "payments",
        "06",
        PAYMENTS,
        &["T6,O6,100.00,CNY,2026-03-06 00:00:03,alipay", "T6,O6,99.00,CNY,2026-03-06 00:00:03,alipay"],
    );
    put(
        scheme,
        "refunds",
        "06",
        REFUNDS,
        &["R1,O1,40.00,CNY,2026-03-06 09:00:00,broken", "R4,O4,10.00,CNY,2026-03-06 09:00:00,late"],
    );
    put(
        scheme,
        "bills",
        "06",
        BILLS,
        &[
            "T1,O1,payment,100.00,CNY,2026-03-05 09:59:58,,0.60,",
            "T3,O3,payment,90.00,CNY,2026-03-05 12:00:00,,0.54,",
            "T9,LATE,payment,50.00,CNY,2026-03-05 14:00:00,,0.30,",
        ],
    );
    put(scheme, "bills", "07", BILLS, &["T1,O1,refund,40.00,CNY,2026-03-06 09:00:09,R1,-0.24,"]);
    put(scheme, "orders", "08", ORDERS, &["LATE,C1,50.00,CNY,2026-03-04"]);
    put(scheme, "bills", "08", BILLS, &["T3,O3,payment,100.00,CNY,2026-03-05 12:00:00,,0.60,"]);
    put(scheme, "bills", "09", BILLS, &["T2,O2,payment,100.00,CNY,2026-03-05 11:00:00,,0.60,"]);
    // A payment from days ago is reported only now. The bill of that day has already arrived and does not have it.
    put(scheme, "payments", "09", PAYMENTS, &["T7,O7,100.00,CNY,2026-03-02 10:00:00,alipay"]);
    close(scheme, "10");
}

const BESIDE: &str = "
    05  payments  CASH4  O4   100.00  100.00  matched         0
    05  alipay    T6     O6   100.00  100.00  matched         0   0.60
    05  alipay    T1     O1     0.00  100.00  timing          0
    05  alipay    T2     O2     0.00  100.00  timing          0
    05  alipay    T3     O3     0.00  100.00  timing          0
    05  payments  T9     LATE  50.00    0.00  missing_here    0
    06  alipay    T1     O1   100.00  100.00  matched         1   0.60
    06  refunds   R4     O4    10.00   10.00  matched         0
    06  alipay    T2     O2     0.00  100.00  timing          1
    06  alipay    R1     O1     0.00   40.00  timing          0
    06  alipay    T9     LATE  50.00    0.00  missing_here    1   0.30
    06  alipay    T3     O3    90.00  100.00  amount_differs  1   0.54
    06  payments  T6     O6    99.00  100.00  amount_differs  0
    07  alipay    R1     O1    40.00   40.00  matched         1  -0.24
    07  alipay    T9     LATE  50.00    0.00  missing_here    2   0.30
    07  alipay    T2     O2     0.00  100.00  missing_there   2
    07  alipay    T3     O3    90.00  100.00  amount_differs  2   0.54
    08  alipay    T3     O3   100.00  100.00  matched         3   0.60
    08  alipay    T9     LATE  50.00   50.00  matched         3   0.30
    08  alipay    T2     O2     0.00  100.00  missing_there   3
    09  alipay    T2     O2   100.00  100.00  matched         4   0.60
    09  alipay    T7     O7     0.00  100.00  missing_there   0
    10  alipay    T7     O7     0.00  100.00  missing_there   1
";

#[tokio::test]
async fn a_bill_confirms_what_the_shops_own_files_say() {
    let (sqlite, postgres) = (shop(CONFIRMS), shop(CONFIRMS).on_postgres().await);
    bill_beside_the_shops_files(&sqlite);
    bill_beside_the_shops_files(&postgres);
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS), &files_below(&postgres.path("run"), &OUTPUTS));
    for scheme in [&sqlite, &postgres] {
        check(scheme, &["05", "06", "07", "08", "09", "10"], BESIDE);
        made_again(scheme);
    }
    assert_eq!(outcomes(&sqlite, "payments", "06"), ["T6 duplicate DUPLICATE", "T6 conflict CONFLICT"]);
    assert_eq!(
        outcomes(&sqlite, "bills", "06"),
        ["T1 duplicate DUPLICATE", "T3 conflict CONFLICT", "T9 duplicate DUPLICATE"]
    );
    for (day, open) in [
        ("05", vec!["UNKNOWN_ORDER LATE"]),
        ("06", vec!["UNKNOWN_ORDER LATE", "CONFLICT O3", "CONFLICT O6"]),
        ("07", vec!["UNKNOWN_ORDER LATE", "CONFLICT O3", "CONFLICT O6", "NOT_IN_BILL O2"]),
        // The bill's second version agrees.
        ("08", vec!["CONFLICT O6", "NOT_IN_BILL O2"]),
        ("09", vec!["CONFLICT O6", "NOT_IN_BILL O7"]),
        ("10", vec!["CONFLICT O6", "NOT_IN_BILL O7"]),
    ] {
        assert_eq!(exceptions(&sqlite, day), open, "{day}");
    }
    // Both sides reported money for an unknown order; it is in suspense only once.
    assert_eq!(balance(&sqlite, "06", "liabilities:suspense"), "-50.00");
    assert_eq!(balance(&sqlite, "10", "assets:cash-clearing"), "610.00");
    insta::assert_snapshot!("explain_not_in_bill", sqlite.run(&["explain", "O7"]));
    insta::assert_snapshot!("exceptions_not_in_bill", report(&sqlite, "07", "exceptions"));
}

#[test]
fn without_a_bill_that_answers_for_it_nothing_is_missing_there() {
    let scheme = shop("");
    bill_beside_the_shops_files(&scheme);
    let found = table(&scheme, &["05", "06", "07", "08", "09", "10"]);
    assert!(!found.contains("missing_there") && !found.contains("timing"), "{found}");
    assert!(found.contains("05 payments T2 O2 100.00 100.00 matched 0"), "{found}");
    made_again(&scheme);
}

#[test]
fn a_bill_that_comes_again_in_pieces_and_in_another_order_changes_nothing() {
    let plain = shop(CONFIRMS);
    bill_beside_the_shops_files(&plain);
    let again = shop(CONFIRMS);
    let (t1, t3, t9) = (
        "T1,O1,payment,100.00,CNY,2026-03-05 09:59:58,,0.60,",
        "T3,O3,payment,90.00,CNY,2026-03-05 12:00:00,,0.54,",
        "T9,LATE,payment,50.00,CNY,2026-03-05 14:00:00,,0.30,",
    );
    put(&again, "bills", "06-b", BILLS, &[t9, t1]);
    put(&again, "bills", "07-b", BILLS, &[t9, t3, t1]);
    put(&again, "bills", "09-b", BILLS, &[t3]);
    put(&again, "bills", "10-b", BILLS, &[t1, t9, t3]);
    bill_beside_the_shops_files(&again);
    for day in ["05", "06", "07", "08", "09", "10"] {
        assert_eq!(table(&again, &[day]), table(&plain, &[day]));
        assert_eq!(balance(&again, day, "assets:cash-clearing"), balance(&plain, day, "assets:cash-clearing"));
    }
    made_again(&again);
}

/// A bill whose lines about an order differ from the books. No difference may stop the close.
#[test]
fn what_a_bill_has_otherwise_differs_each_day() {
    let scheme = shop(CONFIRMS);
    put(
        &scheme,
        "payments",
        "05",
        PAYMENTS,
        &["T1,O1,100.00,CNY,2026-03-05,alipay", "T2,O2,100.00,CNY,2026-03-05,alipay", "T3,O3,100.00,CNY,2026-03-05,hb"],
    );
    put(
        &scheme,
        "bills",
        "05",
        BILLS,
        &[
            "T1,O1,payment,100.00,USD,2026-03-05,,,",
            "T2,O3,payment,100.00,CNY,2026-03-05,,,",
            "T9,NEVER,payment,50.00,CNY,2026-03-05,,0.30,",
            "T9,NEVER,payment,60.00,CNY,2026-03-05,,0.30,",
        ],
    );
    // The shop's own file reports the payment too; then the order arrives.
    put(&scheme, "payments", "06", PAYMENTS, &["T9,NEVER,50.00,CNY,2026-03-05 08:00:00,alipay"]);
    put(&scheme, "orders", "07", ORDERS, &["NEVER,C1,50.00,CNY,2026-03-04"]);
    put(&scheme, "bills", "07", BILLS, &["T3,O3,payment,100.00,CNY,2026-03-05,,,"]);
    close(&scheme, "07");
    check(
        &scheme,
        &["05", "06", "07"],
        "05  alipay  T3  O3       0.00  100.00  timing          0
         05  alipay  T9  NEVER   60.00    0.00  missing_here    0  0.30
         05  alipay  T1  O1     100.00    0.00  amount_differs  0
         05  alipay  T2  O3     100.00  100.00  amount_differs  0
         06  alipay  T3  O3       0.00  100.00  timing          1
         06  alipay  T9  NEVER   60.00    0.00  missing_here    1  0.30
         06  alipay  T1  O1     100.00    0.00  amount_differs  1
         06  alipay  T2  O3     100.00  100.00  amount_differs  1
         07  alipay  T3  O3     100.00  100.00  matched         2
         07  alipay  T1  O1     100.00    0.00  amount_differs  2
         07  alipay  T2  O3     100.00  100.00  amount_differs  2
         07  alipay  T9  NEVER   60.00   50.00  amount_differs  2  0.30",
    );
    for (day, suspense) in [("05", "-50.00"), ("06", "-50.00"), ("07", "0.00")] {
        assert_eq!(balance(&scheme, day, "liabilities:suspense"), suspense, "{day}");
    }
    assert_eq!(outcomes(&scheme, "payments", "06"), ["T9 duplicate DUPLICATE"]);
    made_again(&scheme);
    insta::assert_snapshot!("explain_bill_of_another_order", scheme.run(&["explain", "O3"]));
}

#[test]
fn a_payment_that_no_bill_answers_for_any_more_is_awaited_no_longer() {
    let all = "bill = { answers_for = [\"payments\"] }";
    let scheme = shop(all);
    put(&scheme, "payments", "05", PAYMENTS, &["CASH4,O4,100.00,CNY,2026-03-05 13:00:00,cash"]);
    close(&scheme, "08");
    assert_eq!(exceptions(&scheme, "08"), ["NOT_IN_BILL O4"]);
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", config.replace(all, CONFIRMS));
    close(&scheme, "09");
    assert!(exceptions(&scheme, "09").is_empty());
    check(
        &scheme,
        &["05", "06", "07", "08", "09"],
        "05  alipay  CASH4  O4  0.00  100.00  timing         0
         06  alipay  CASH4  O4  0.00  100.00  timing         1
         07  alipay  CASH4  O4  0.00  100.00  missing_there  2
         08  alipay  CASH4  O4  0.00  100.00  missing_there  3",
    );
    made_again(&scheme);
}

#[test]
fn the_bill_of_a_corrected_channel_is_awaited() {
    let scheme = shop(CONFIRMS);
    let feed = "[[feed]]\nname = \"corrections\"\nfolder = \"inbox\"\npattern = \"corrections-{date}*.csv\"\n\
                kind = \"corrections\"\nsettle_seconds = 0\nmerchant = \"SHOP\"\n";
    scheme.write("paylater.toml", scheme.read("paylater.toml") + feed);
    let paid = |id: &str, order: &str, channel: &str| format!("{id},{order},100.00,CNY,2026-03-05 13:00:00,{channel}");
    put(&scheme, "payments", "05", PAYMENTS, &[&paid("CASH1", "O1", "cash"), &paid("ALI2", "O2", "alipay")]);
    let corrections = "correction_id,kind,fact_id,action,corrected_at,reason,approved_by,channel";
    put(
        &scheme,
        "corrections",
        "06",
        corrections,
        &[
            "K1,payment,CASH1,replace,2026-03-06,typed wrong,wang.li,alipay",
            "K2,payment,ALI2,replace,2026-03-06,typed wrong,wang.li,cash",
        ],
    );
    close(&scheme, "07");
    assert_eq!(outcomes(&scheme, "corrections", "06"), ["K1 accepted", "K2 accepted"]);
    assert_eq!(exceptions(&scheme, "07"), ["NOT_IN_BILL O1"]);
    // The second correction changes only the amount; the corrected channel stays.
    let amount = corrections.replace("channel", "amount,currency");
    put(&scheme, "corrections", "08", &amount, &["K3,payment,CASH1,replace,2026-03-08,typed wrong,wang.li,90.00,CNY"]);
    close(&scheme, "08");
    assert_eq!(exceptions(&scheme, "08"), ["NOT_IN_BILL O1"]);
    put(&scheme, "bills", "09", BILLS, &["CASH1,O1,payment,90.00,CNY,2026-03-05 13:00:00,,,alipay"]);
    close(&scheme, "09");
    assert!(exceptions(&scheme, "09").is_empty());
    // The day of the booking is sealed and does not change.
    check(
        &scheme,
        &["05", "06", "07", "08", "09"],
        "05  payments  CASH1  O1  100.00  100.00  matched        0
         05  alipay    ALI2   O2    0.00  100.00  timing         0
         06  alipay    CASH1  O1    0.00  100.00  timing         0
         07  alipay    CASH1  O1    0.00  100.00  missing_there  1
         08  alipay    CASH1  O1    0.00   90.00  missing_there  2
         09  alipay    CASH1  O1   90.00   90.00  matched        3",
    );
    let told = scheme.run(&["explain", "O1"]);
    assert!(told.contains("correction K1: payment CASH1 was of 100.00 CNY by alipay on 2026-03-05"), "{told}");
    assert!(told.contains("correction K3: payment CASH1 was of 90.00 CNY by alipay on 2026-03-05"), "{told}");
    made_again(&scheme);
}

#[test]
fn a_bill_that_comes_later_on_the_day_is_matched_on_it() {
    let scheme = shop(CONFIRMS);
    bill_beside_the_shops_files(&scheme);
    put(&scheme, "payments", "11", PAYMENTS, &["T8,O8,100.00,CNY,2026-03-11 10:00:00,alipay"]);
    scheme.run(&["job", "ingest_files"]);
    let would = scheme.run(&["job", "match_bills", "--dry-run"]);
    assert!(would.contains("SHOP: bill rows that would be matched: 0,"), "{would}");
    assert!(would.contains("that would be expected in a bill: 1, no longer expected: 0"), "{would}");
    assert!(scheme.run(&["job", "match_bills"]).contains("nothing to do now; it is part of the close of the day"));
    // The bill arrives later on the same day.
    put(&scheme, "bills", "11", BILLS, &["T8,O8,payment,100.00,CNY,2026-03-11 10:00:00,,,"]);
    close(&scheme, "11");
    check(
        &scheme,
        &["11"],
        "11  alipay  T8  O8  100.00  100.00  matched        0
         11  alipay  T7  O7    0.00  100.00  missing_there  2",
    );
    made_again(&scheme);
}

#[test]
fn bills_that_make_no_sense_are_refused() {
    for (answers, told) in [
        ("bill = { usual_delay = 90 }", "bill.usual_delay: 90 is not from 0 to 60 days"),
        ("bill = { answers_for = [\"payment\"] }", "bill.answers_for: \"payment\" is no feed of payments"),
        ("bill = { answers_for = [\"payment\"] }", "did you mean payments?"),
        (
            "bill = { answers_for = [\"orders\"] }",
            "\"orders\" is no feed of payments, refunds or debit_results of SHOP",
        ),
        ("bill = { delay = 1 }", "bill.delay"),
    ] {
        let refused = shop(answers).run_failing(&["check"], 2);
        assert!(refused.contains(told) && refused.contains("paylater.toml:"), "{answers}: {refused}");
    }
    let scheme = shop(CONFIRMS);
    let config = scheme.read("paylater.toml");
    let second = "[[feed]]\nname = \"wechat\"\nprovider = \"wechat\"\nfolder = \"inbox\"\npattern = \"w-{date}.csv\"\n\
                  kind = \"bills\"\nmerchant = \"SHOP\"\n";
    for (bill, told) in [
        ("bill = { answers_for = [\"payments\"] }", "bills answers for the same payments of payments; tell them apart"),
        ("bill = { answers_for = [\"payments\"], channels = [\"hb\"] }", "bills answers for the same payments"),
    ] {
        scheme.write("paylater.toml", format!("{config}{second}{bill}\n"));
        let refused = scheme.run_failing(&["check"], 2);
        assert!(refused.contains(told), "{bill}: {refused}");
    }
    scheme.write(
        "paylater.toml",
        format!("{config}{second}bill = {{ answers_for = [\"payments\"], channels = [\"wx\"] }}\n"),
    );
    scheme.run(&["check"]);
    let misplaced = config.replace("name = \"refunds\"\n", "name = \"refunds\"\nbill = { usual_delay = 1 }\n");
    scheme.write("paylater.toml", misplaced);
    assert!(scheme.run_failing(&["check"], 2).contains("goes with kind = \"bills\""));
}
