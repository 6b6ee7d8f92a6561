//! Money is booked in the right account and on its day: pending money, money dated ahead, and refunds that the provider
//! gave back itself. Also: the sealed entries of a merchant whose books do not add up.

use std::fs;

use crate::support::{POLICY, Scheme, assert_same, files_below};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at";
const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at";
const REFUNDS: &str = "refund_id,order_id,amount,currency,refunded_at";
const CHARGEBACKS: &str = "chargeback_id,order_id,payment_id,amount,currency,charged_back_at";
const BILLS: &str = "transaction_id,order_id,event,amount,currency,occurred_at,refund_id";

fn put(scheme: &Scheme, kind: &str, day: &str, header: &str, rows: &[&str]) {
    scheme.write(&format!("inbox/{kind}-2026-03-{day}.csv"), format!("{header}\n{}\n", rows.join("\n")));
}

fn report(scheme: &Scheme, day: &str, kind: &str) -> String {
    scheme.read(&format!("run/reconciliation/2026-03-{day}/SHOP_2026-03-{day}_{kind}.csv"))
}

/// Returns some cells of a report's rows, by column name.
fn rows(scheme: &Scheme, day: &str, kind: &str, columns: &[&str]) -> Vec<String> {
    let report = report(scheme, day, kind);
    let mut reader = csv::Reader::from_reader(report.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |column: &&str| header.iter().position(|name| name == *column).unwrap_or_else(|| panic!("no {column}"));
    let at: Vec<usize> = columns.iter().map(at).collect();
    let row = |row: csv::StringRecord| at.iter().map(|i| row[*i].to_owned()).collect::<Vec<_>>().join(" ");
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn balance(scheme: &Scheme, day: &str, account: &str) -> String {
    let all = rows(scheme, day, "summary", &["account", "closing"]);
    all.iter().find_map(|row| row.strip_prefix(account)).unwrap().trim().to_owned()
}

fn detail(scheme: &Scheme, day: &str) -> Vec<String> {
    let columns = ["kind", "effective_on", "debit_account", "credit_account", "amount", "source", "reason"];
    let short = |row: String| row.replace("liabilities:", "").replace("assets:", "").replace("income:", "");
    rows(scheme, day, "detail", &columns).into_iter().map(short).collect()
}

fn matching(scheme: &Scheme, day: &str) -> Vec<String> {
    rows(scheme, day, "matching", &["payment_id", "provider_amount", "our_amount", "status"])
}

/// Checks that sealed days that are deleted and written again are the same to the byte, and that `verify` passes.
fn made_again(scheme: &Scheme) {
    scheme.run(&["verify"]);
    let before = files_below(&scheme.path("run"), &["reconciliation"]);
    fs::remove_dir_all(scheme.path("run/reconciliation")).unwrap();
    scheme.run(&["job", "write_reconciliation"]);
    assert_same(&before, &files_below(&scheme.path("run"), &["reconciliation"]));
}

fn shop() -> Scheme {
    Scheme::shop(POLICY).with_customer(&[])
}

const ORDER: &str = "O1,C1,10.00,CNY,2026-03-01 10:00:00";

#[tokio::test]
async fn money_that_waits_for_its_order_and_is_dated_after_it_blocks_no_close() {
    for scheme in [shop(), shop().on_postgres().await] {
        put(&scheme, "payments", "01", PAYMENTS, &["P1,O1,10.00,CNY,2026-03-03 10:00:00"]);
        put(&scheme, "orders", "02", ORDERS, &[ORDER]);
        scheme.close("2026-03-04");
        for (day, suspense, receivable) in [("01", "0.00", "0.00"), ("02", "0.00", "10.00"), ("03", "0.00", "0.00")] {
            assert_eq!(balance(&scheme, day, "liabilities:suspense"), suspense, "{day}");
            assert_eq!(balance(&scheme, day, "assets:receivable:principal"), receivable, "{day}");
        }
        assert_eq!(detail(&scheme, "01"), Vec::<String>::new());
        let paid = "payment 2026-03-03 cash-clearing receivable:principal 10.00 payments-2026-03-01.csv new";
        assert_eq!(detail(&scheme, "03"), [paid]);
        assert_eq!([matching(&scheme, "01"), matching(&scheme, "02")], [Vec::<String>::new(), Vec::new()]);
        assert_eq!(matching(&scheme, "03"), ["P1 10.00 10.00 matched"]);
        made_again(&scheme);
    }
}

#[test]
fn a_refund_and_a_chargeback_that_wait_and_are_dated_ahead_block_no_close() {
    let refund = shop();
    put(&refund, "refunds", "01", REFUNDS, &["R1,O1,10.00,CNY,2026-03-03 10:00:00"]);
    put(&refund, "orders", "02", ORDERS, &[ORDER]);
    refund.close("2026-03-04");
    assert_eq!(balance(&refund, "02", "assets:receivable:principal"), "10.00");
    assert_eq!(balance(&refund, "03", "assets:receivable:principal"), "0.00");
    made_again(&refund);

    let chargeback = shop();
    put(&chargeback, "orders", "01", ORDERS, &[ORDER]);
    put(&chargeback, "chargebacks", "01", CHARGEBACKS, &["B1,O1,P1,10.00,CNY,2026-03-03 10:00:00"]);
    put(&chargeback, "payments", "02", PAYMENTS, &["P1,O1,10.00,CNY,2026-03-01 10:00:00"]);
    chargeback.close("2026-03-04");
    for (day, receivable) in [("01", "10.00"), ("02", "0.00"), ("03", "10.00")] {
        assert_eq!(balance(&chargeback, day, "assets:receivable:principal"), receivable, "{day}");
        assert_eq!(balance(&chargeback, day, "liabilities:suspense"), "0.00", "{day}");
    }
    made_again(&chargeback);
}

#[test]
fn money_after_the_cut_off_waits_for_the_next_day() {
    let policy = POLICY.replace("clock = \"ordered\"", "clock = \"ordered\"\ncut_off = \"22:00\"");
    // In the first case the order is known; in the second it arrives a day after its payment.
    for order_on in ["01", "02"] {
        let scheme = Scheme::shop(&policy).with_customer(&[]);
        put(&scheme, "payments", "01", PAYMENTS, &["P1,O1,10.00,CNY,2026-03-01 23:00:00"]);
        put(&scheme, "orders", order_on, ORDERS, &[ORDER]);
        scheme.close("2026-03-04");
        let waited = if order_on == "02" { "-10.00" } else { "0.00" };
        assert_eq!(balance(&scheme, "01", "liabilities:suspense"), waited);
        for (account, closing) in [("liabilities:suspense", "0.00"), ("assets:receivable:principal", "0.00")] {
            assert_eq!(balance(&scheme, "02", account), closing, "{account}");
        }
        made_again(&scheme);
    }
}

#[test]
fn an_order_after_the_cut_off_is_booked_on_its_day_and_counts_as_owed_at_once() {
    let policy = POLICY.replace("clock = \"ordered\"", "clock = \"ordered\"\ncut_off = \"22:00\"");
    let scheme = Scheme::shop(&policy).with_customer(&[]);
    let orders = ["O1,C1,900.00,CNY,2026-03-01 23:00:00", "O2,C1,200.00,CNY,2026-03-01 23:30:00"];
    put(&scheme, "orders", "01", ORDERS, &orders);
    put(&scheme, "payments", "01", PAYMENTS, &["P1,O1,50.00,CNY,2026-03-01"]);
    scheme.close("2026-03-03");
    assert!(scheme.ack("orders", "orders-2026-03-01.csv").contains("O2,declined,OVER_LIMIT"));
    assert_eq!(detail(&scheme, "01"), Vec::<String>::new());
    assert_eq!(rows(&scheme, "01", "positions", &["order_id"]), Vec::<String>::new());
    assert_eq!(rows(&scheme, "02", "positions", &["order_id", "due_on", "outstanding"]), ["O1 2026-03-09 850.00"]);
    // The payment has a date without a time, and the cut-off moved the order to the next day.
    assert_eq!([matching(&scheme, "01").len(), matching(&scheme, "02").len()], [0, 1]);
    made_again(&scheme);
}

#[test]
fn suspense_leaves_no_trace_where_the_order_comes_on_the_same_day() {
    let scheme = shop();
    put(&scheme, "payments", "01", PAYMENTS, &["P1,O1,10.00,CNY,2026-03-01 12:00:00"]);
    scheme.run(&["job", "ingest_files"]);
    put(&scheme, "orders", "01", ORDERS, &[ORDER]);
    scheme.close("2026-03-02");
    assert!(detail(&scheme, "01").iter().all(|row| !row.contains("suspense")), "{:?}", detail(&scheme, "01"));
    assert_eq!(balance(&scheme, "01", "assets:receivable:principal"), "0.00");
    made_again(&scheme);
}

#[test]
fn a_row_that_gives_up_waiting_leaves_suspense_by_the_days_end() {
    let scheme = shop();
    put(&scheme, "refunds", "01", REFUNDS, &["R1,O1,60.00,CNY,2026-03-01 12:00:00", "R2,O9,5.00,CNY,2026-03-02"]);
    put(&scheme, "orders", "03", ORDERS, &[ORDER]);
    scheme.close("2026-03-04");
    for (day, suspense) in [("01", "-60.00"), ("02", "-65.00"), ("03", "-5.00"), ("04", "-5.00")] {
        assert_eq!(balance(&scheme, day, "liabilities:suspense"), suspense, "{day}");
    }
    let back = "suspense 2026-03-01 suspense merchant-payable 60.00 refunds-2026-03-01.csv corrected".to_owned();
    assert!(detail(&scheme, "03").contains(&back), "{:?}", detail(&scheme, "03"));
    made_again(&scheme);
}

#[test]
fn nothing_is_matched_or_booked_before_its_day() {
    let scheme = shop();
    put(&scheme, "orders", "01", ORDERS, &["T1,C1,100.00,CNY,2026-03-01", "T2,C1,50.00,CNY,2026-03-01"]);
    let payments = ["P1,T1,100.00,CNY,2026-03-12 10:00:00", "P2,T2,50.00,CNY,2036-03-05 10:00:00"];
    put(&scheme, "payments", "05", PAYMENTS, &payments);
    scheme.close("2026-03-13");
    for day in ["05", "11", "13"] {
        assert_eq!(matching(&scheme, day), Vec::<String>::new(), "{day}");
        assert_eq!(detail(&scheme, day), Vec::<String>::new(), "{day}");
    }
    assert_eq!(matching(&scheme, "12"), ["P1 100.00 100.00 matched"]);
    assert_eq!(detail(&scheme, "12").len(), 1);
    let next = rows(&scheme, "06", "positions", &["order_id", "next_action_on"]);
    assert_eq!(next, ["T1 2026-03-08", "T2 2026-03-08"]);
    let next = rows(&scheme, "10", "positions", &["order_id", "next_action_on"]);
    assert_eq!(next, ["T1 2026-03-12", "T2 2036-03-05"]);
    let exceptions = scheme.exceptions("2026-03-05");
    assert!(exceptions.len() == 1 && exceptions[0].starts_with("DATED_AHEAD 0"), "{exceptions:?}");
    made_again(&scheme);
}

#[test]
fn a_payment_dated_too_far_ahead_is_an_exception_until_its_day() {
    let scheme = shop();
    let config = scheme.read("paylater.toml").replace("home = \"run\"", "home = \"run\"\ndated_ahead_days = 3");
    scheme.write("paylater.toml", config);
    put(&scheme, "orders", "01", ORDERS, &["T1,C1,100.00,CNY,2026-03-01"]);
    // Three days ahead are allowed, four are an exception, also for a refund and for money without a known order.
    put(&scheme, "payments", "02", PAYMENTS, &["P1,T1,10.00,CNY,2026-03-05", "P2,T1,10.00,CNY,2026-03-06"]);
    put(&scheme, "refunds", "02", REFUNDS, &["P2,T1,10.00,CNY,2026-03-07", "R9,T9,10.00,CNY,2026-03-07"]);
    scheme.close("2026-03-08");
    let count = |day: &str| scheme.exceptions(day).iter().filter(|row| row.starts_with("DATED_AHEAD")).count();
    let counts = ["2026-03-02", "2026-03-05", "2026-03-06", "2026-03-07"].map(count);
    assert_eq!(counts, [3, 3, 2, 0]);
    made_again(&scheme);
}

#[test]
fn each_fact_dated_ahead_is_the_next_action() {
    let policy = format!("{POLICY}[version.extension]\ntimes = 2\ndays = 7\nwhen_overdue = true\n")
        .replace("late_fee = { kind = \"none\" }", "late_fee = { kind = \"flat\", amount = \"5.00\" }");
    let scheme = Scheme::shop(&policy).with_customer(&[]);
    let orders: Vec<String> = (1..=5).map(|n| format!("T{n},C1,100.00,CNY,2026-03-01 10:00:00")).collect();
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    put(&scheme, "orders", "01", ORDERS, &orders);
    put(&scheme, "waivers", "09", "waiver_id,order_id,amount,currency,waived_on", &["W1,T1,5.00,CNY,2026-03-20"]);
    put(&scheme, "extensions", "09", "extension_id,order_id,days,requested_at", &["X2,T2,5,2026-03-20 10:00:00"]);
    put(&scheme, "refunds", "09", REFUNDS, &["R3,T3,30.00,CNY,2026-03-20 10:00:00"]);
    let payments = ["P4,T4,30.00,CNY,2026-03-09 09:00:00", "P5,T5,30.00,CNY,2026-03-20 10:00:00"];
    put(&scheme, "payments", "09", PAYMENTS, &payments);
    put(&scheme, "chargebacks", "09", CHARGEBACKS, &["C4,T4,P4,30.00,CNY,2026-03-20 10:00:00"]);
    scheme.close("2026-03-09");
    let next = rows(&scheme, "09", "positions", &["order_id", "next_action_on"]);
    assert_eq!(next, ["T1", "T2", "T3", "T4", "T5"].map(|order| format!("{order} 2026-03-20")));
    made_again(&scheme);
}

#[test]
fn a_bill_dated_after_the_cut_off_is_timing_until_both_sides_have_it() {
    let policy = POLICY.replace("clock = \"ordered\"", "clock = \"ordered\"\ncut_off = \"22:00\"");
    let scheme = Scheme::shop(&policy).with_customer(&[]);
    put(&scheme, "orders", "01", ORDERS, &[ORDER, "O2,C1,20.00,CNY,2026-03-01 10:00:00"]);
    let bill = [
        "T1,O1,payment,10.00,CNY,2026-03-01 23:00:00,",
        "T2,O2,payment,20.00,CNY,2026-03-03 09:00:00,",
        "T9,O9,payment,5.00,CNY,2026-03-03 09:00:00,",
    ];
    put(&scheme, "bills", "01", BILLS, &bill);
    scheme.close("2026-03-03");
    let ahead = ["T2 20.00 0.00 timing", "T9 5.00 0.00 timing"];
    assert_eq!(matching(&scheme, "01"), ["T1 10.00 0.00 timing", ahead[0], ahead[1]]);
    assert_eq!(matching(&scheme, "02"), ["T1 10.00 10.00 matched", ahead[0], ahead[1]]);
    assert_eq!(matching(&scheme, "03"), ["T2 20.00 20.00 matched", "T9 5.00 0.00 missing_here"]);
    assert_eq!(balance(&scheme, "03", "liabilities:suspense"), "-5.00");
    made_again(&scheme);
}

const PAYS_OUT: &str = "[version.pay_out]\nafter = 0\n";

fn pays_out() -> Scheme {
    let scheme = Scheme::shop(&format!("{POLICY}{PAYS_OUT}")).with_customer(&[]);
    put(&scheme, "orders", "01", ORDERS, &["T1,C1,100.00,CNY,2026-03-01", "T2,C1,80.00,CNY,2026-03-01"]);
    scheme
}

fn pay_outs(scheme: &Scheme, days: &[&str]) -> Vec<String> {
    days.iter().flat_map(|day| rows(scheme, day, "credit-payouts", &["order_id", "amount"])).collect()
}

#[tokio::test]
async fn what_the_provider_gave_back_itself_never_goes_out_a_second_time() {
    for scheme in [pays_out(), pays_out().on_postgres().await] {
        let bill = [
            "A1,T1,payment,100.00,CNY,2026-03-02 09:00:00,",
            "A1,T1,refund,30.00,CNY,2026-03-02 10:00:00,RB1",
            "A2,T2,payment,80.00,CNY,2026-03-02 09:00:00,",
        ];
        put(&scheme, "bills", "02", BILLS, &bill);
        put(&scheme, "fulfilments", "03", "order_id,event,occurred_at", &["T2,cancelled,2026-03-03 10:00:00"]);
        put(&scheme, "bills", "03", BILLS, &["A2,T2,refund,80.00,CNY,2026-03-03 12:00:00,RB2"]);
        scheme.close("2026-03-04");
        assert_eq!(pay_outs(&scheme, &["01", "02", "03", "04"]), Vec::<String>::new());
        assert_eq!(balance(&scheme, "04", "assets:cash-clearing"), "70.00");
        assert_eq!(balance(&scheme, "04", "liabilities:customer-credit"), "0.00");
        assert_eq!(balance(&scheme, "04", "liabilities:merchant-payable"), "-70.00");
        made_again(&scheme);
    }
}

#[test]
fn the_same_refund_in_the_merchants_file_and_in_the_bill_goes_out_once() {
    // The bill arrives before the merchant's file, on the same day, and a day later; then before the order, and with a
    // refund of the rest that the bank pays out.
    for (merchant_on, bill_on) in [("03", "02"), ("02", "02"), ("02", "03")] {
        let scheme = pays_out();
        put(&scheme, "payments", "01", PAYMENTS, &["P1,T1,100.00,CNY,2026-03-01 12:00:00"]);
        put(&scheme, "refunds", merchant_on, REFUNDS, &["R1,T1,30.00,CNY,2026-03-02 09:00:00"]);
        put(&scheme, "bills", bill_on, BILLS, &["A1,T1,refund,30.00,CNY,2026-03-02 09:00:00,R1"]);
        scheme.close("2026-03-04");
        let late_word = merchant_on < bill_on;
        // The bank was asked on the 2nd, before the bill reported the refund.
        assert_eq!(pay_outs(&scheme, &["02", "03", "04"]).len(), usize::from(late_word), "{merchant_on} {bill_on}");
        assert_eq!(balance(&scheme, "04", "assets:cash-clearing"), "70.00", "{merchant_on} {bill_on}");
        assert_eq!(balance(&scheme, "04", "liabilities:customer-credit"), "0.00");
        assert_eq!(rows(&scheme, "04", "positions", &["order_id"]), ["T2"]);
        made_again(&scheme);
    }
    let waits = Scheme::shop(&format!("{POLICY}{PAYS_OUT}")).with_customer(&[]);
    put(&waits, "refunds", "01", REFUNDS, &["R1,T1,30.00,CNY,2026-03-01 15:00:00"]);
    put(&waits, "bills", "01", BILLS, &["A1,T1,refund,30.00,CNY,2026-03-01 15:00:00,R1"]);
    put(&waits, "orders", "02", ORDERS, &["T1,C1,100.00,CNY,2026-03-01"]);
    put(&waits, "payments", "02", PAYMENTS, &["P1,T1,100.00,CNY,2026-03-01 12:00:00"]);
    put(&waits, "refunds", "03", REFUNDS, &["R2,T1,70.00,CNY,2026-03-03", "R3,T1,0.01,CNY,2026-03-03"]);
    waits.close("2026-03-03");
    assert_eq!(pay_outs(&waits, &["02", "03"]), ["T1 70.00"]);
    assert_eq!(balance(&waits, "03", "assets:cash-clearing"), "70.00");
    assert!(waits.ack("refunds", "refunds-2026-03-03.csv").contains("R3,rejected,REFUND_TOO_MUCH"));
    made_again(&waits);
}

#[test]
fn a_late_fee_found_late_is_dated_before_the_payment_that_pays_it() {
    for (fee, first) in [
        ("{ kind = \"flat\", amount = \"5.00\" }", "2026-03-05"),
        ("{ kind = \"steps\", steps = [{ after = 2, amount = \"5.00\" }] }", "2026-03-07"),
        ("{ kind = \"daily\", rate = \"0.01\" }", "2026-03-06"),
    ] {
        let policy = POLICY
            .replace("late_fee = { kind = \"none\" }", &format!("late_fee = {fee}"))
            .replace("clock = \"ordered\"", "clock = \"delivered\"")
            .replace("term = 7", "term = 3");
        let scheme = Scheme::shop(&policy).with_customer(&[]);
        put(&scheme, "orders", "01", ORDERS, &["A1,C1,100.00,CNY,2026-03-01"]);
        put(&scheme, "fulfilments", "20", "order_id,event,occurred_at", &["A1,delivered,2026-03-02"]);
        put(&scheme, "payments", "20", PAYMENTS, &["P1,A1,50.00,CNY,2026-03-10"]);
        put(&scheme, "waivers", "21", "waiver_id,order_id,amount,currency,waived_on", &["W1,A1,1.00,CNY,2026-03-12"]);
        scheme.close("2026-03-21");
        let fees = |day: &str, kind: &str| detail(&scheme, day).into_iter().find(|row| row.starts_with(kind)).unwrap();
        assert!(fees("20", "late_fee").starts_with(&format!("late_fee {first} ")), "{fee}");
        assert!(fees("21", "waiver").starts_with("waiver 2026-03-12 "), "{fee}");
        made_again(&scheme);
    }
}

#[test]
fn a_paid_fee_is_returned_for_the_day_on_which_it_stopped_being_owed() {
    let policy =
        POLICY.replace("{ kind = \"none\" }", "{ kind = \"daily\", rate = \"0.01\" }").replace("term = 7", "term = 3");
    let scheme = Scheme::shop(&policy).with_customer(&[]);
    let order = |id: &str| format!("{id},C1,100.00,CNY,2026-03-01");
    put(&scheme, "orders", "01", ORDERS, &[&order("A"), &order("B"), &order("C")]);
    // Five days late: a fee of 5.00 for each order. Half of C is still owed, and its fee grows by 0.50 a day.
    let paid = |id: &str, amount: &str| format!("P-{id},{id},{amount},CNY,2026-03-10 12:00:00");
    put(&scheme, "payments", "10", PAYMENTS, &[&paid("A", "105.00"), &paid("B", "105.00"), &paid("C", "55.00")]);
    let waived = |id: &str, order: &str, amount: &str, on: &str| format!("{id},{order},{amount},CNY,2026-03-{on}");
    let header = "waiver_id,order_id,amount,currency,waived_on";
    // W1 is known on its day, W2 and W3 three days late.
    put(&scheme, "waivers", "12", header, &[&waived("W1", "A", "2.00", "12")]);
    put(&scheme, "waivers", "15", header, &[&waived("W2", "B", "2.00", "12"), &waived("W3", "C", "4.00", "12")]);
    put(&scheme, "waivers", "17", header, &[&waived("W4", "B", "2.00", "14")]);
    scheme.close("2026-03-17");
    let returned = |day: &str| {
        let found = rows(&scheme, day, "detail", &["kind", "order_id", "effective_on", "amount", "source", "reason"]);
        found.into_iter().filter_map(|row| row.strip_prefix("fee_returned ").map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(returned("12"), ["A 2026-03-12 2.00 rule:fee_returned new"]);
    assert_eq!(returned("15"), ["B 2026-03-12 2.00 rule:fee_returned new", "C 2026-03-12 1.00 rule:fee_returned new"]);
    // The fee of C grows again, so C owes the returned amount again.
    assert_eq!(returned("16"), ["C 2026-03-16 0.50 rule:fee_returned corrected"]);
    let both = ["B 2026-03-14 2.00 rule:fee_returned corrected", "C 2026-03-17 0.50 rule:fee_returned corrected"];
    assert_eq!(returned("17"), both);
    made_again(&scheme);
}

#[test]
fn the_service_fee_given_back_has_the_refunds_day_and_source() {
    let policy = POLICY.replace("clock = \"ordered\"", "clock = \"ordered\"\nservice_fee = \"0.01\"");
    let scheme = Scheme::shop(&policy).with_customer(&[]);
    put(&scheme, "orders", "01", ORDERS, &["A,C1,100.00,CNY,2026-03-01", "B,C1,50.00,CNY,2026-03-01"]);
    // The second refund is known two days late. A cancellation refunds the rest of an order.
    put(&scheme, "refunds", "05", REFUNDS, &["R1,A,30.00,CNY,2026-03-05 09:00:00", "R2,A,20.00,CNY,2026-03-03"]);
    put(&scheme, "fulfilments", "06", "order_id,event,occurred_at", &["B,cancelled,2026-03-06"]);
    scheme.close("2026-03-06");
    let fees =
        |day: &str| detail(&scheme, day).into_iter().filter(|row| row.starts_with("service_fee")).collect::<Vec<_>>();
    assert_eq!(
        fees("05"),
        [
            "service_fee 2026-03-03 service-fee merchant-payable 0.20 refunds-2026-03-05.csv new",
            "service_fee 2026-03-05 service-fee merchant-payable 0.30 refunds-2026-03-05.csv new",
        ]
    );
    assert_eq!(fees("06"), ["service_fee 2026-03-06 service-fee merchant-payable 0.50 fulfilments-2026-03-06.csv new"]);
    assert_eq!(balance(&scheme, "06", "income:service-fee"), "-0.50");
    made_again(&scheme);
}

#[test]
fn the_exported_journal_and_the_detail_say_the_same_of_each_entry() {
    let scheme = pays_out();
    put(&scheme, "payments", "02", PAYMENTS, &["P1,T1,110.00,CNY,2026-03-02", "P9,T9,5.00,CNY,2026-03-02"]);
    scheme.close("2026-03-03");
    let journal = scheme.run(&["journal", "--format", "csv"]);
    let columns = |text: &str| {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let kept: Vec<usize> = (0..header.len()).filter(|i| &header[*i] != "cause").collect();
        reader
            .records()
            .map(|row| row.unwrap())
            .map(|row| kept.iter().map(|i| row[*i].to_owned()).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let details: Vec<_> = ["01", "02", "03"].iter().flat_map(|day| columns(&report(&scheme, day, "detail"))).collect();
    assert_eq!(columns(&journal), details);
    assert!(details.len() > 4);
}
