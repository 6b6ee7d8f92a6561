//! Keys that another party issues: paylater sends them out unchanged and accepts them back. They are unique only within
//! the scope that the issuer defines.

use std::fs;
use std::path::Path;

use crate::support::Scheme;

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "100000.00", term = 7 } ]
late_fee = { kind = "none" }
"#;

fn report(scheme: &Scheme, day: &str, kind: &str) -> Vec<Vec<String>> {
    let text = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_{kind}.csv"));
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    rows.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn outcomes(scheme: &Scheme, feed: &str, name: &str) -> Vec<String> {
    let ack = scheme.ack(feed, name);
    let mut rows = csv::Reader::from_reader(ack.as_bytes());
    rows.records()
        .map(Result::unwrap)
        .map(|row| format!("{} {} {}", &row[1], &row[2], &row[3]).trim().to_owned())
        .collect()
}

#[test]
fn keys_that_look_like_formulas_go_out_as_they_came_and_come_back() {
    let ids = ["-T1", "+8613800000001", "=T3", "@T4", "'-T5", "'=T3", "T6"];
    let rows: String = ids.iter().map(|id| format!("{id},C1,100.00,CNY,2026-03-01,=1+1\n")).collect();
    let header = "order_id,customer_id,amount,currency,ordered_at,item";
    let scheme = Scheme::shop(&format!("{POLICY}debit = {{}}\npay_out = {{ after = 0 }}\n")).with_customer(&[
        ("orders-2026-03-01.csv", &format!("{header}\n{rows}-T9,C1,12.345,CNY,2026-03-01,=1+1\n")),
        ("payments-2026-03-02.csv", "payment_id,order_id,amount,currency,paid_at\n-P1,-T1,120.00,CNY,2026-03-02\n"),
    ]);
    scheme.close("2026-03-08");
    let mut accepted: Vec<String> = ids.iter().map(|id| format!("{id} accepted")).collect();
    accepted.push("-T9 rejected BAD_AMOUNT".to_owned());
    assert_eq!(outcomes(&scheme, "orders", "orders-2026-03-01.csv"), accepted);
    let rejects = scheme.read("run/outbox/orders/orders-2026-03-01.csv.rejects.csv");
    assert!(rejects.contains("\n-T9,C1,12.345,CNY,2026-03-01,=1+1,BAD_AMOUNT,"), "{rejects}");
    let paid_back = report(&scheme, "2026-03-02", "credit-payouts");
    assert_eq!((paid_back.len(), paid_back[0][2].as_str()), (1, "-T1"));

    // The bank returns the keys of the instructions, and the results are booked.
    let debits = report(&scheme, "2026-03-08", "debit-instructions");
    let mut sent: Vec<&str> = debits.iter().map(|row| row[1].as_str()).collect();
    sent.sort_unstable();
    let mut owed = ids[1..].to_vec();
    owed.sort_unstable();
    assert_eq!(sent, owed);
    let answers: String =
        debits.iter().map(|row| format!("{},{},paid,,2026-03-09 06:00:00\n", row[0], row[1])).collect();
    scheme.write("inbox/debit_results-2026-03-09.csv", format!("debit_id,order_id,result,reason,at\n{answers}"));
    let payout = &paid_back[0][0];
    scheme.write("inbox/payout_results-2026-03-09.csv", format!("payout_id,result,at\n{payout},paid,2026-03-09\n"));
    // Reports for people escape keys that look like formulas, and no two keys look the same.
    let positions = report(&scheme, "2026-03-08", "positions");
    let mut shown: Vec<&str> = positions.iter().map(|row| row[2].as_str()).collect();
    shown.sort_unstable();
    assert_eq!(shown, ["''-T5", "''=T3", "'+8613800000001", "'=T3", "'@T4", "T6"]);
    scheme.close("2026-03-09");
    let booked = outcomes(&scheme, "debit_results", "debit_results-2026-03-09.csv");
    assert!(booked.len() == 6 && booked.iter().all(|row| row.ends_with(" accepted")), "{booked:?}");
    assert_eq!(report(&scheme, "2026-03-09", "positions").len(), 0);
    scheme.run(&["verify"]);
}

/// A shop with three orders and two bills of Alipay.
fn alipay(config: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[(
        "orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\n\
         T1,C1,100.00,CNY,2026-03-01\nT2,C1,80.00,CNY,2026-03-01\nT3,C1,30.00,CNY,2026-03-01\n",
    )]);
    let feed = "name = \"bills\"\n";
    let all = scheme.read("paylater.toml");
    let keys = format!("{feed}provider = \"alipay\"\nprofile = \"alipay-merchant-bill\"\n{config}");
    scheme.write("paylater.toml", all.replace(feed, &keys));
    scheme
}

fn bill(scheme: &Scheme, day: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    let name = format!("bills-2026-03-{day}.csv");
    scheme.write(&format!("inbox/{name}"), fs::read(folder.join(format!("alipay-{name}"))).unwrap());
}

#[test]
fn refunds_of_two_trades_may_have_the_same_number() {
    let scheme = alipay("");
    bill(&scheme, "02");
    bill(&scheme, "03");
    scheme.close("2026-03-03");
    let first = outcomes(&scheme, "bills", "bills-2026-03-02.csv");
    let expected =
        ["20260302001 accepted", "20260302001/RB1 accepted", "20260302001/RB2 accepted", "20260302002 accepted"];
    assert_eq!(first[..4], expected);
    assert_eq!(first[4..], ["20260302002/RB1 accepted"]);
    let refunds = |day: &str| {
        let of_day = report(&scheme, day, "matching").into_iter().filter(|row| row[1].contains("/RB"));
        of_day.map(|row| format!("{} {} {} {}", row[1], row[2], row[4], row[6])).collect::<Vec<_>>()
    };
    let expected =
        ["20260302001/RB1 T1 30.00 matched", "20260302001/RB2 T1 30.00 matched", "20260302002/RB1 T2 80.00 matched"];
    assert_eq!(refunds("2026-03-02"), expected);
    // 40.01 exceeds the rest of T1.
    let second = outcomes(&scheme, "bills", "bills-2026-03-03.csv");
    assert_eq!(second, ["20260301009/RB9 accepted", "20260302001/RB3 rejected REFUND_TOO_MUCH"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_shops_own_refund_is_the_one_in_the_bill_whichever_comes_first() {
    let header = "refund_id,order_id,amount,currency,refunded_at";
    let answers = "bill = { usual_delay = 1, answers_for = [\"refunds\"] }\n";
    // RB1 of T1 arrives before the bill, RB2 after it, and RB1 of T2 likewise with the order's number.
    let scheme = alipay(answers);
    scheme.write(
        "inbox/payments-2026-03-01.csv",
        "payment_id,order_id,amount,currency,paid_at\n20260302001,T1,100.00,CNY,2026-03-01\n",
    );
    scheme.write("inbox/refunds-2026-03-01.csv", format!("{header}\nRB1,T1,30.00,CNY,2026-03-01\n"));
    scheme.close("2026-03-01");
    bill(&scheme, "02");
    scheme.close("2026-03-02");
    let told = outcomes(&scheme, "bills", "bills-2026-03-02.csv");
    assert_eq!(
        told[..3],
        ["20260302001 duplicate DUPLICATE", "20260302001/RB1 duplicate DUPLICATE", "20260302001/RB2 accepted"]
    );
    scheme.write(
        "inbox/refunds-2026-03-03.csv",
        format!("{header}\nRB2,T1,30.00,CNY,2026-03-03\nT2/RB1,T2,80.00,CNY,2026-03-03\nRB1,T3,5.00,CNY,2026-03-03\n"),
    );
    scheme.write("inbox/refunds-2026-03-03b.csv", format!("{header}\nT9/RB1,T2,79.00,CNY,2026-03-03\n"));
    scheme.close("2026-03-03");
    let expected = ["RB2 duplicate DUPLICATE", "T2/RB1 duplicate DUPLICATE", "RB1 conflict CONFLICT"];
    assert_eq!(outcomes(&scheme, "refunds", "refunds-2026-03-03.csv"), expected);
    assert_eq!(outcomes(&scheme, "refunds", "refunds-2026-03-03b.csv"), ["T9/RB1 conflict CONFLICT"]);
    let detail: Vec<_> = ["2026-03-01", "2026-03-02", "2026-03-03"]
        .iter()
        .flat_map(|day| report(&scheme, day, "detail"))
        .filter(|row| row[4] == "refund")
        .map(|row| format!("{} {}", row[5], row[10]))
        .collect();
    assert_eq!(detail, ["T1 30.00", "T1 30.00", "T2 80.00"]);
    let matched: Vec<_> =
        report(&scheme, "2026-03-02", "matching").into_iter().filter(|row| row[1].contains("RB")).collect();
    let shown: Vec<String> = matched.iter().map(|row| format!("{} {} {}", row[1], row[2], row[6])).collect();
    assert_eq!(shown, ["20260302001/RB2 T1 matched", "20260302002/RB1 T2 matched", "RB1 T1 matched"]);
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn both_engines_know_a_refund_by_its_other_key_and_a_kept_file_by_its_look() {
    let scheme = alipay("").on_postgres().await;
    let keeps = scheme.read("paylater.toml").replace("settle_seconds = 0\n", "settle_seconds = 0\nkeep = true\n");
    scheme.write("paylater.toml", keeps);
    bill(&scheme, "02");
    let header = "refund_id,order_id,amount,currency,refunded_at";
    scheme.write("inbox/refunds-2026-03-01.csv", format!("{header}\nRB1,T2,80.00,CNY,2026-03-01\n"));
    scheme.close("2026-03-02");
    let told = outcomes(&scheme, "bills", "bills-2026-03-02.csv");
    assert_eq!(
        told[1..],
        [
            "20260302001/RB1 accepted",
            "20260302001/RB2 accepted",
            "20260302002 accepted",
            "20260302002/RB1 duplicate DUPLICATE"
        ]
    );
    scheme.close("2026-03-03");
    assert!(!scheme.path("run/outbox/bills/bills-2026-03-02.2.csv.ack.csv").exists());
    scheme.run(&["verify"]);
}

#[test]
fn what_waits_for_its_order_under_two_keys_is_one_refund() {
    let scheme = alipay("bill = { usual_delay = 1, answers_for = [\"refunds\"] }\n");
    let orders = scheme.read("inbox/orders-2026-03-01.csv");
    fs::rename(scheme.path("inbox/orders-2026-03-01.csv"), scheme.path("inbox/orders-2026-03-03.csv")).unwrap();
    assert!(orders.contains("T1,C1,100.00"));
    let header = "refund_id,order_id,amount,currency,refunded_at";
    scheme.write("inbox/refunds-2026-03-01.csv", format!("{header}\nRB1,T1,30.00,CNY,2026-03-01\n"));
    bill(&scheme, "02");
    scheme.close("2026-03-02");
    assert_eq!(outcomes(&scheme, "refunds", "refunds-2026-03-01.csv"), ["RB1 pending UNKNOWN_ORDER"]);
    scheme.close("2026-03-05");
    let booked: Vec<_> = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]
        .iter()
        .flat_map(|day| report(&scheme, day, "detail"))
        .filter(|row| row[4] == "refund")
        .map(|row| format!("{} {}", row[5], row[10]))
        .collect();
    assert_eq!(booked, ["T1 30.00", "T1 30.00", "T2 80.00"]);
    let open: Vec<_> =
        report(&scheme, "2026-03-05", "matching").into_iter().filter(|row| row[1].contains("RB")).collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(scheme.exceptions("2026-03-05").is_empty(), "{:?}", scheme.exceptions("2026-03-05"));
    scheme.run(&["verify"]);
}
