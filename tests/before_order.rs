//! Bill lines and waivers dated before their order, which arrive with the order or before it. Runs the real program.
//! The tests of other kinds are in `corrections`.

use crate::support::{POLICY, Scheme};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at\n";

/// O1 arrives on the 2nd, together with its rows. O3 arrives on the 3rd; its rows wait for it from the 2nd on.
const BILL: &str = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id
B1,O1,payment,10.00,CNY,2026-03-01 09:59:59,
B2,O1,payment,11.00,CNY,2026-03-01 10:00:00,
B3,O3,payment,20.00,CNY,2026-03-02 09:59:59,
B4,O3,payment,21.00,CNY,2026-03-02 10:00:00,
B2,O1,refund,1.00,CNY,2026-02-28 12:00:00,R1
B4,O3,refund,2.00,CNY,2026-03-01 12:00:00,R3
B4,O3,refund,3.00,CNY,2026-03-02 12:00:00,R4
";

/// A date without a time is compared by day only.
const WAIVERS: &str = "waiver_id,order_id,amount,currency,waived_on,approved_by
W1,O1,1.00,CNY,2026-02-28,wang
W2,O1,1.00,CNY,2026-03-01,wang
W3,O3,1.00,CNY,2026-03-01,wang
W4,O3,1.00,CNY,2026-03-02,wang
";

fn shop() -> Scheme {
    Scheme::shop(POLICY).with_customer(&[
        ("orders-2026-03-02.csv", &format!("{ORDERS}O1,C1,100.00,CNY,2026-03-02 10:00:00\n")),
        ("bills-2026-03-02.csv", BILL),
        ("waivers-2026-03-02.csv", WAIVERS),
        ("orders-2026-03-03.csv", &format!("{ORDERS}O3,C1,100.00,CNY,2026-03-03 10:00:00\n")),
    ])
}

/// Returns the key and the outcome of each row of an acknowledgement.
fn answers(scheme: &Scheme, feed: &str) -> Vec<String> {
    let ack = scheme.ack(feed, &format!("{feed}-2026-03-02.csv"));
    let mut rows = csv::Reader::from_reader(ack.as_bytes());
    let rows = rows.records().map(|row| row.unwrap());
    rows.map(|row| format!("{} {} {}", &row[1], &row[2], &row[3]).trim().to_owned()).collect()
}

/// Returns the current outcome of each row of a file, as `files show` prints it.
fn shown(scheme: &Scheme, feed: &str) -> Vec<String> {
    let json = scheme.run(&["--json", "files", "show", &format!("{feed}-2026-03-02.csv")]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = json["rows"].as_array().unwrap().iter();
    rows.map(|row| format!("{} {} {}", text(row, "key"), text(row, "outcome"), text(row, "code"))).collect()
}

/// Returns some columns of a report's rows, without the header.
fn report(scheme: &Scheme, day: &str, kind: &str, columns: &[&str]) -> Vec<String> {
    let text = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_{kind}.csv"));
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    let at: Vec<usize> = columns.iter().map(|name| header.iter().position(|column| column == *name).unwrap()).collect();
    let row = |row: csv::StringRecord| at.iter().map(|at| row[*at].to_owned()).collect::<Vec<_>>().join(" ");
    rows.records().map(|record| row(record.unwrap())).collect()
}

#[tokio::test]
async fn bills_and_waivers_dated_before_their_order_are_refused_whenever_the_order_comes() {
    let story = |scheme: Scheme| {
        scheme.close("2026-03-02");
        assert_eq!(
            answers(&scheme, "bills"),
            [
                "B1 rejected BEFORE_ORDER",
                "B2 accepted",
                "B3 pending UNKNOWN_ORDER",
                "B4 pending UNKNOWN_ORDER",
                "R1 rejected BEFORE_ORDER",
                "R3 pending UNKNOWN_ORDER",
                "R4 pending UNKNOWN_ORDER",
            ]
        );
        assert_eq!(
            answers(&scheme, "waivers"),
            ["W1 rejected BEFORE_ORDER", "W2 accepted", "W3 pending UNKNOWN_ORDER", "W4 pending UNKNOWN_ORDER",]
        );
        let bill = scheme.ack("bills", "bills-2026-03-02.csv");
        assert!(bill.contains("column occurred_at, value \"\"2026-03-01 09:59:59\"\": dated 2026-03-01"), "{bill}");
        let waivers = scheme.ack("waivers", "waivers-2026-03-02.csv");
        assert!(waivers.contains("column waived_on, value \"\"2026-02-28\"\": dated 2026-02-28"), "{waivers}");

        scheme.close("2026-03-03");
        assert_eq!(
            shown(&scheme, "bills"),
            [
                "B1 rejected BEFORE_ORDER",
                "B3 rejected BEFORE_ORDER",
                "B4 accepted ",
                "R1 rejected BEFORE_ORDER",
                "R3 rejected BEFORE_ORDER",
                "R4 accepted ",
            ]
        );
        assert_eq!(shown(&scheme, "waivers"), ["W1 rejected BEFORE_ORDER", "W3 rejected BEFORE_ORDER", "W4 accepted "]);
        let waivers = scheme.run(&["files", "show", "waivers-2026-03-02.csv"]);
        assert!(waivers.contains("column waived_on, value \"2026-03-01\": dated 2026-03-01"), "{waivers}");
        // Only rows within the tolerance are booked; nothing is left in suspense.
        let positions = report(&scheme, "2026-03-03", "positions", &["order_id", "paid", "refunded"]);
        assert_eq!(positions, ["O1 11.00 0.00", "O3 18.00 3.00"]);
        let closing = report(&scheme, "2026-03-03", "summary", &["account", "closing"]);
        assert!(closing.contains(&"liabilities:suspense 0.00".to_owned()), "{closing:?}");
        // The provider has the money anyway: each of these rows is an exception and is listed in the matching report.
        assert_eq!(
            report(&scheme, "2026-03-03", "exceptions", &["code", "order_id", "amount"]),
            [
                "PAYMENT_REJECTED O1 10.00",
                "REFUND_REJECTED O1 1.00",
                "PAYMENT_REJECTED O3 20.00",
                "REFUND_REJECTED O3 2.00",
            ]
        );
        assert_eq!(
            report(&scheme, "2026-03-03", "matching", &["payment_id", "status"]),
            ["B4 matched", "R4 matched", "B1 missing_here", "B3 missing_here", "R1 missing_here", "R3 missing_here"]
        );
        scheme.run(&["verify"]);
        scheme.read("run/reconciliation/2026-03-03/manifest.json")
    };
    assert_eq!(story(shop()), story(shop().on_postgres().await), "the same on both engines");
}
