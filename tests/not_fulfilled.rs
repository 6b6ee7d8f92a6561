//! Orders without a fulfilment: listed as exceptions from a certain day on, until a fulfilment arrives. Runs the real
//! program.

use crate::support::{Scheme, assert_same, files_below};

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "delivered"
not_fulfilled_after = 5
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
late_fee = { kind = "none" }
"#;

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at\n";

fn shop(policy: &str) -> Scheme {
    let row = |id: &str| format!("{id},C1,5.00,CNY,2026-03-01 09:00:00\n");
    let orders: String = ["COMES", "CANCELLED", "REFUNDED", "PAID", "STAYS"].map(row).concat();
    Scheme::shop(policy).with_customer(&[("orders-2026-03-01.csv", &format!("{ORDERS}{orders}"))])
}

fn fulfilled(scheme: &Scheme, day: u32, rows: &[(&str, &str)]) {
    let row = |(order, event): &(&str, &str)| format!("{order},{event},2026-03-{day:02} 12:00:00\n");
    let rows: String = rows.iter().map(row).collect();
    scheme.write(&format!("inbox/fulfilments-2026-03-{day:02}.csv"), format!("order_id,event,occurred_at\n{rows}"));
}

/// Returns the orders listed on a day.
fn listed(scheme: &Scheme, day: u32) -> Vec<String> {
    let report = scheme.read(&format!("run/reconciliation/2026-03-{day:02}/SHOP_2026-03-{day:02}_exceptions.csv"));
    let mut rows = csv::Reader::from_reader(report.as_bytes());
    let rows = rows.records().map(|row| row.unwrap()).filter(|row| &row[1] == "NOT_FULFILLED");
    rows.map(|row| format!("{} {}", &row[3], &row[9])).collect()
}

#[tokio::test]
async fn an_order_of_which_nothing_is_heard_is_listed_until_something_is() {
    let story = |scheme: &Scheme| {
        // Shipping does not start this clock.
        fulfilled(scheme, 2, &[("STAYS", "shipped")]);
        scheme.close("2026-03-05");
        assert_eq!(listed(scheme, 5), [""; 0]);
        scheme.close("2026-03-06");
        let all = ["CANCELLED 0", "COMES 0", "PAID 0", "REFUNDED 0", "STAYS 0"];
        assert_eq!(listed(scheme, 6), all);
        let told = scheme.run(&["exceptions", "--code", "NOT_FULFILLED"]);
        assert!(told.contains("ordered on 2026-03-01 and not delivered after 5 days: it never falls due"), "{told}");
        fulfilled(scheme, 7, &[("COMES", "delivered"), ("CANCELLED", "cancelled")]);
        let money = |kind: &str, key: &str, at: &str, row: &str| {
            let text = format!("{key},order_id,amount,currency,{at}\n{row},5.00,CNY,2026-03-07 12:00:00\n");
            scheme.write(&format!("inbox/{kind}-2026-03-07.csv"), text);
        };
        money("refunds", "refund_id", "refunded_at", "R1,REFUNDED");
        money("payments", "payment_id", "paid_at", "P1,PAID");
        scheme.close("2026-03-08");
        assert_eq!(listed(scheme, 8), ["PAID 2", "STAYS 2"]);
        // After a person closes the exception, it stays closed, even if other facts arrive.
        scheme.run(&["exceptions", "close", "SHOP-X3", "--reason", "the goods are on their way"]);
        let payment = "payment_id,order_id,amount,currency,paid_at\nP2,PAID,1.00,CNY,2026-03-09 12:00:00\n";
        scheme.write("inbox/payments-2026-03-09.csv", payment);
        scheme.close("2026-03-10");
        assert_eq!(listed(scheme, 10), ["STAYS 4"]);
        scheme.run(&["verify"]);
    };
    let (sqlite, postgres) = (shop(POLICY), shop(POLICY).on_postgres().await);
    story(&sqlite);
    story(&postgres);
    let reports = |scheme: &Scheme| files_below(&scheme.path("run"), &["reconciliation"]);
    assert_same(&reports(&sqlite), &reports(&postgres));
}

#[tokio::test]
async fn the_policy_cancels_what_is_never_fulfilled_and_frees_the_limit() {
    let policy = POLICY
        .replace("not_fulfilled_after = 5", "not_fulfilled_after = 5\ncancel_unfulfilled_after = 8")
        .replace("1000.00", "25.00");
    let story = |scheme: &Scheme| {
        // Five orders of 5.00 take up the limit.
        fulfilled(scheme, 2, &[("STAYS", "shipped"), ("COMES", "delivered")]);
        scheme.close("2026-03-08");
        assert_eq!(listed(scheme, 8), ["CANCELLED 2", "PAID 2", "REFUNDED 2", "STAYS 2"]);
        let order = |id: &str, day: u32| {
            let row = format!("{ORDERS}{id},C1,15.00,CNY,2026-03-{day:02} 09:00:00\n");
            scheme.write(&format!("inbox/orders-2026-03-{day:02}.csv"), row);
        };
        order("EARLY", 9);
        scheme.close("2026-03-09");
        assert_eq!(listed(scheme, 9), ["STAYS 3"]);
        order("LATER", 10);
        // The news of a delivery arrived late: that order is owed.
        scheme.write(
            "inbox/fulfilments-2026-03-10.csv",
            "order_id,event,occurred_at\nPAID,delivered,2026-03-08 12:00:00\n",
        );
        scheme.close("2026-03-10");
        let answer = |day: u32| scheme.ack("orders", &format!("orders-2026-03-{day:02}.csv"));
        assert!(answer(9).contains("EARLY,declined,OVER_LIMIT"), "{}", answer(9));
        assert!(answer(10).contains("LATER,accepted"), "{}", answer(10));
        let detail = |day: u32| {
            let report = scheme.read(&format!("run/reconciliation/2026-03-{day:02}/SHOP_2026-03-{day:02}_detail.csv"));
            let mut rows = csv::Reader::from_reader(report.as_bytes());
            let rows = rows.records().map(|row| row.unwrap()).filter(|row| &row[4] == "refund");
            rows.map(|row| [3, 5, 8, 9, 10, 11, 14].map(|at| row[at].to_owned()).join(" ")).collect::<Vec<_>>()
        };
        let cancelled = |id: &str| {
            format!("2026-03-09 {id} liabilities:merchant-payable assets:receivable:principal 5.00 rule:refund new")
        };
        assert_eq!(detail(9), ["CANCELLED", "PAID", "REFUNDED"].map(cancelled));
        let back =
            "2026-03-09 PAID assets:receivable:principal liabilities:merchant-payable 5.00 rule:refund corrected";
        assert_eq!(detail(10), [back]);
        let told = scheme.run(&["explain", "CANCELLED"]);
        assert!(
            told.contains("cancelled by the policy, as no fulfilment was reported: 5.00 CNY comes off the price"),
            "{told}"
        );
        let told = scheme.run(&["explain", "PAID"]);
        assert!(told.contains("taken back: cancelled by the policy"), "{told}");
        scheme.run(&["verify"]);
        scheme.read("run/reconciliation/2026-03-10/manifest.json")
    };
    let on_sqlite = story(&shop(&policy));
    assert_eq!(on_sqlite, story(&shop(&policy).on_postgres().await), "the same on both engines");
}

#[test]
fn an_order_is_listed_before_it_is_cancelled() {
    let policy = POLICY.replace("not_fulfilled_after = 5", "not_fulfilled_after = 5\ncancel_unfulfilled_after = 5");
    let told = shop(&policy).run_failing(&["check"], 2);
    assert!(told.contains("cancel_unfulfilled_after: 5 is not after not_fulfilled_after, which is 5"), "{told}");
    let policy = POLICY.replace("delivered\"\nnot_fulfilled_after", "ordered\"\ncancel_unfulfilled_after");
    let told = shop(&policy).run_failing(&["check"], 2);
    assert!(told.contains("cancel_unfulfilled_after: the term of every order starts without an event here"), "{told}");
}

#[test]
fn an_order_that_comes_late_is_listed_at_once() {
    let scheme = shop(POLICY);
    scheme.write("inbox/orders-2026-03-10.csv", format!("{ORDERS}OLD,C1,5.00,CNY,2026-03-02 09:00:00\n"));
    scheme.close("2026-03-10");
    assert!(listed(&scheme, 10).contains(&"OLD 0".to_owned()));
}

#[test]
fn terms_that_start_without_an_event_have_nothing_to_wait_for() {
    for clock in ["ordered\"\n#\"", "confirmed\"\nauto_confirm = { after_order = 30 }\n#\""] {
        let told = shop(&POLICY.replace("delivered", clock)).run_failing(&["check"], 2);
        assert!(told.contains("not_fulfilled_after: the term of every order starts without an event here"), "{told}");
    }
}

#[test]
fn what_makes_no_sense_about_confirmation_is_refused_with_what_to_write() {
    for (auto, told) in [
        ("{ days = 7 }", "auto_confirm.days: goes with after, which says from which event"),
        ("{ after = \"delivered\" }", "auto_confirm.after: goes with days; write both"),
        ("{ }", "auto_confirm: says no days; write after and days, or after_order, or both"),
        ("{ after_order = -1 }", "auto_confirm.after_order: -1 is not from 0 to 3660 days"),
    ] {
        let policy = POLICY.replace("\"delivered\"", &format!("\"confirmed\"\nauto_confirm = {auto}"));
        let said = shop(&policy).run_failing(&["check"], 2);
        assert!(said.contains(told), "{auto}: {said}");
    }
}
