//! Instructions to the bank: debits, and pay-outs of customer credit. Runs the real program.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{AGREEMENTS, CUSTOMERS, Scheme, assert_same, files_below};

/// The output folders to compare. This shop sends no mails.
const OUTPUTS: [&str; 2] = ["reconciliation", "outbox"];

const POLICY: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "9000.00", term = 7 } ]
late_fee = { kind = "daily", rate = "0.01", grace = 2 }
extension = { times = 1, days = 5, when_overdue = true }

[version.debit]
retry_after = [2, 4]
no_answer_after = 3

[version.pay_out]
after = 2
retry_after = [3]
"#;

/// A shop with these orders of 1 March, 100.00 each, all due on the 8th.
fn shop(orders: &[&str]) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    let rows = orders.iter().map(|order| format!("{order},C1,100.00,CNY,2026-03-01 09:00:00\n"));
    let rows: String = rows.collect();
    scheme.write("inbox/orders-2026-03-01.csv", format!("order_id,customer_id,amount,currency,ordered_at\n{rows}"));
    scheme
}

/// Returns a report of the shop for a day.
fn report(scheme: &Scheme, day: &str, kind: &str) -> String {
    scheme.read(&format!("run/reconciliation/2026-03-{day}/SHOP_2026-03-{day}_{kind}.csv"))
}

/// Returns the rows of a day's debit instructions without their ids: order, amount, attempt.
fn debits(scheme: &Scheme, day: &str) -> Vec<String> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows = report(scheme, day, "debit-instructions");
    rows.lines().skip(1).map(cells).map(|c| format!("{} {} attempt {}", c[1], c[4], c[7])).collect()
}

fn pay_outs(scheme: &Scheme, day: &str) -> Vec<String> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows = report(scheme, day, "credit-payouts");
    rows.lines().skip(1).map(cells).map(|c| format!("{} {} attempt {}", c[2], c[3], c[5])).collect()
}

/// Returns the id of an order's instruction of a day.
fn id(scheme: &Scheme, day: &str, kind: &str, order: &str) -> String {
    let rows = report(scheme, day, kind);
    let row = rows.lines().find(|line| line.split(',').any(|cell| cell == order));
    row.unwrap_or_else(|| panic!("nothing of {order} in {rows}")).split(',').next().unwrap().to_owned()
}

/// Delivers answers to debits: order, day of the instruction, result and reason. All are dated noon of `day`.
fn answer_debits(scheme: &Scheme, day: &str, answers: &[(&str, &str, &str)]) {
    let rows = answers.iter().map(|(order, out, result)| {
        format!("{},{order},{result},2026-03-{day} 12:00:00\n", id(scheme, out, "debit-instructions", order))
    });
    let rows: String = rows.collect();
    scheme.write(
        &format!("inbox/debit_results-2026-03-{day}.csv"),
        format!("debit_id,order_id,result,reason,at\n{rows}"),
    );
}

fn answer_pay_outs(scheme: &Scheme, day: &str, answers: &[(&str, &str, &str)]) {
    let rows = answers.iter().map(|(order, out, result)| {
        format!("{},{result},2026-03-{day} 12:00:00,\n", id(scheme, out, "credit-payouts", order))
    });
    let rows: String = rows.collect();
    scheme.write(&format!("inbox/payout_results-2026-03-{day}.csv"), format!("payout_id,result,at,reason\n{rows}"));
}

fn pay(scheme: &Scheme, day: &str, payments: &[(&str, &str, &str)]) {
    let rows = payments.iter().map(|(id, order, amount)| format!("{id},{order},{amount},CNY,2026-03-{day} 10:00:00\n"));
    let rows: String = rows.collect();
    scheme.write(
        &format!("inbox/payments-2026-03-{day}.csv"),
        format!("payment_id,order_id,amount,currency,paid_at\n{rows}"),
    );
}

fn close(scheme: &Scheme, day: &str) {
    scheme.close(&format!("2026-03-{day}"));
}

fn ack(scheme: &Scheme, feed: &str, name: &str) -> String {
    scheme.read(&format!("run/outbox/{feed}/{name}.ack.csv"))
}

fn balance(scheme: &Scheme, day: &str, account: &str) -> String {
    let summary = report(scheme, day, "summary");
    let row = summary.lines().find(|line| line.contains(account)).unwrap().to_owned();
    row.split(',').nth(7).unwrap().to_owned()
}

/// Runs the story of debits and pay-outs. By the 20th, all plans are complete.
fn ten_days(scheme: &Scheme) {
    close(scheme, "07");
    // HELD is in dispute until the 10th. The customer pays OTHER directly on that day.
    scheme.write(
        "inbox/holds-2026-03-08.csv",
        "hold_id,order_id,reason,starts_on,ends_on\nH1,HELD,dispute,2026-03-08,2026-03-10\n",
    );
    pay(scheme, "08", &[("P1", "OTHER", "100.00")]);
    close(scheme, "08");
    assert_eq!(
        debits(scheme, "08"),
        ["BOTH 100.00 attempt 1", "FAILS 100.00 attempt 1", "PAYS 100.00 attempt 1", "SILENT 100.00 attempt 1"]
    );
    assert!(scheme.run(&["status"]).contains("bank not answered   4 debit"));
    answer_debits(scheme, "09", &[("PAYS", "08", "paid,"), ("FAILS", "08", "failed,no funds")]);
    // The customer pays BOTH directly while the bank collects it.
    pay(scheme, "09", &[("P2", "BOTH", "100.00")]);
    close(scheme, "09");
    assert!(debits(scheme, "09").is_empty());
    answer_debits(scheme, "10", &[("BOTH", "08", "paid,")]);
    close(scheme, "10");
    // Two days after the first attempt; the fee of 1.00 a day begins on the 11th.
    assert_eq!(debits(scheme, "10"), ["FAILS 100.00 attempt 2"]);
    answer_debits(scheme, "11", &[("FAILS", "10", "failed,no funds")]);
    close(scheme, "11");
    assert_eq!(debits(scheme, "11"), ["HELD 100.00 attempt 1"]);
    let exceptions = report(scheme, "11", "exceptions");
    assert!(exceptions.contains("DEBIT_NO_ANSWER") && exceptions.contains("SILENT"), "{exceptions}");
    close(scheme, "12");
    assert_eq!(debits(scheme, "12"), ["FAILS 102.00 attempt 3"]);
    // The 100.00 overpaid for BOTH is known since the 10th: two days.
    assert_eq!(pay_outs(scheme, "12"), ["BOTH 100.00 attempt 1"]);
    answer_debits(scheme, "13", &[("FAILS", "12", "paid,"), ("HELD", "11", "refused,account closed")]);
    answer_pay_outs(scheme, "13", &[("BOTH", "12", "failed")]);
    close(scheme, "14");
    assert!(debits(scheme, "13").is_empty() && debits(scheme, "14").is_empty());
    assert!(pay_outs(scheme, "13").is_empty() && pay_outs(scheme, "14").is_empty());
    answer_debits(scheme, "15", &[("SILENT", "08", "paid,")]);
    close(scheme, "15");
    assert!(!report(scheme, "15", "exceptions").contains("SILENT"));
    assert_eq!(pay_outs(scheme, "15"), ["BOTH 100.00 attempt 2"]);
    answer_pay_outs(scheme, "16", &[("BOTH", "15", "paid")]);
    close(scheme, "20");
}

const ORDERS: [&str; 6] = ["PAYS", "FAILS", "OTHER", "HELD", "SILENT", "BOTH"];

#[tokio::test]
async fn ten_days_of_debits_and_pay_outs_are_the_same_on_both_engines() {
    let sqlite = shop(&ORDERS);
    ten_days(&sqlite);
    let postgres = shop(&ORDERS).on_postgres().await;
    ten_days(&postgres);
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS), &files_below(&postgres.path("run"), &OUTPUTS));
    for scheme in [&sqlite, &postgres] {
        scheme.run(&["verify"]);
        assert_eq!(balance(scheme, "20", "customer-credit"), "0.00");
    }
    for order in ORDERS {
        assert_eq!(sqlite.run(&["explain", order]), postgres.run(&["explain", order]), "{order}");
    }
    insta::assert_snapshot!("explain_debits", sqlite.run(&["explain", "FAILS"]));
    insta::assert_snapshot!("explain_debit_held", sqlite.run(&["explain", "HELD"]));
    insta::assert_snapshot!("explain_pay_out", sqlite.run(&["explain", "BOTH"]));
    insta::assert_snapshot!("debit_instructions", report(&sqlite, "08", "debit-instructions"));
    insta::assert_snapshot!("credit_payouts", report(&sqlite, "12", "credit-payouts"));
}

/// The same files, all delivered in advance, and closed by a program that is killed again and again.
#[test]
fn a_program_that_is_killed_asks_nobody_twice() {
    let expected = shop(&ORDERS);
    ten_days(&expected);
    let scheme = shop(&ORDERS);
    for (path, bytes) in files_below(&expected.path("run"), &["archive"]) {
        scheme.write(&format!("inbox/{}", path.rsplit('/').next().unwrap()), bytes);
    }
    for kills in 0..12 {
        let mut child = scheme
            .command(&["close", "--through", "2026-03-20"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + 37 * kills));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    close(&scheme, "20");
    let files = |scheme: &Scheme| files_below(&scheme.path("run"), &OUTPUTS);
    assert_same(&files(&expected), &files(&scheme));
    let before = files(&scheme);
    close(&scheme, "20");
    assert_same(&before, &files(&scheme));
    scheme.run(&["verify"]);
}

#[test]
fn answers_have_one_outcome_each() {
    let scheme = shop(&["O1", "O2"]);
    close(&scheme, "08");
    let (first, second) =
        (id(&scheme, "08", "debit-instructions", "O1"), id(&scheme, "08", "debit-instructions", "O2"));
    scheme.write(
        "inbox/debit_results-2026-03-09.csv",
        format!(
            "debit_id,order_id,result,reason,at\n{first},O1,paid,,2026-03-09\n{first},O1,paid,,2026-03-09 00:00:00\n\
             {first},O1,failed,no funds,2026-03-09\n{second},O1,paid,,2026-03-09\n{second},O2,paid,,2026-03-07\n\
             DX,O2,paid,,2026-03-09\n{second},O2,bounced,,2026-03-09\n"
        ),
    );
    close(&scheme, "09");
    let outcomes: Vec<String> = ack(&scheme, "debit_results", "debit_results-2026-03-09.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(2).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        outcomes,
        [
            "accepted ",
            "duplicate DUPLICATE",
            "conflict CONFLICT",
            "rejected WRONG_ORDER",
            "rejected BAD_TIME",
            "rejected UNKNOWN_INSTRUCTION",
            "rejected BAD_VALUE"
        ]
    );
    // Money may have moved: each rejected row is an exception until its corrected row arrives.
    let told = report(&scheme, "09", "exceptions");
    assert_eq!(told.matches("RESULT_REJECTED").count(), 4, "{told}");
    assert_eq!(balance(&scheme, "09", "receivable:principal"), "100.00");
    answer_debits(&scheme, "10", &[("O2", "08", "paid,")]);
    close(&scheme, "10");
    assert_eq!(report(&scheme, "10", "exceptions").matches("RESULT_REJECTED").count(), 1);
    assert_eq!(balance(&scheme, "10", "receivable:principal"), "0.00");
}

#[test]
fn an_answer_to_what_is_not_out_yet_is_rejected() {
    let scheme = shop(&["O1"]);
    close(&scheme, "07");
    // The id is that of the instruction that the close of the day will create.
    scheme.run(&["job", "ingest_files"]);
    let ahead = shop(&["O1"]);
    close(&ahead, "08");
    let debit_id = id(&ahead, "08", "debit-instructions", "O1");
    scheme.write(
        "inbox/debit_results-2026-03-08.csv",
        format!("debit_id,order_id,result,reason,at\n{debit_id},O1,paid,,2026-03-08\n"),
    );
    close(&scheme, "08");
    let ack = ack(&scheme, "debit_results", "debit_results-2026-03-08.csv");
    assert!(ack.contains("rejected,UNKNOWN_INSTRUCTION"), "{ack}");
    assert_eq!(debits(&scheme, "08"), ["O1 100.00 attempt 1"]);
}

#[test]
fn a_debit_follows_what_comes_in_by_the_end_of_its_day() {
    let scheme = shop(&["PART", "WHOLE", "LONGER", "HELD"]);
    close(&scheme, "07");
    for job in ["ingest_files", "assess_positions", "collect_debits"] {
        scheme.run(&["job", job]);
    }
    assert!(scheme.run(&["explain", "WHOLE"]).contains("the bank is asked for it with today's files"));
    pay(&scheme, "08", &[("P1", "WHOLE", "100.00"), ("P2", "PART", "30.00")]);
    scheme.write(
        "inbox/extensions-2026-03-08.csv",
        "extension_id,order_id,days,requested_at\nE1,LONGER,4,2026-03-08 20:00:00\n",
    );
    scheme.write(
        "inbox/holds-2026-03-08.csv",
        "hold_id,order_id,reason,starts_on,ends_on\nH1,HELD,hardship,2026-03-08,2026-03-12\n",
    );
    close(&scheme, "13");
    assert_eq!(debits(&scheme, "08"), ["PART 70.00 attempt 1"]);
    assert_eq!(debits(&scheme, "12"), ["LONGER 100.00 attempt 1"]);
    assert_eq!(debits(&scheme, "13"), ["HELD 100.00 attempt 1"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_debit_that_the_provider_lists_too_is_booked_once() {
    for provider_first in [true, false] {
        let scheme = shop(&["O1", "O2"]);
        close(&scheme, "08");
        let of = |order| id(&scheme, "08", "debit-instructions", order);
        let listed = format!(
            "payment_id,order_id,amount,currency,paid_at,channel\n{},O1,100.00,CNY,2026-03-09 08:00:00,debit\n\
             {},O2,90.00,CNY,2026-03-09 08:00:00,debit\n",
            of("O1"),
            of("O2")
        );
        let (provider, bank) = if provider_first { ("09", "10") } else { ("10", "09") };
        scheme.write(&format!("inbox/payments-2026-03-{provider}.csv"), listed);
        answer_debits(&scheme, bank, &[("O1", "08", "paid,"), ("O2", "08", "paid,")]);
        close(&scheme, "10");
        // For O2, the two sides disagree. The first fact stays, and an exception opens.
        let open = if provider_first { "10.00" } else { "0.00" };
        assert_eq!(balance(&scheme, "10", "receivable:principal"), open);
        assert_eq!(balance(&scheme, "10", "customer-credit"), "0.00");
        let (feed, name) = if provider_first { ("debit_results", "debit_results") } else { ("payments", "payments") };
        let ack = ack(&scheme, feed, &format!("{name}-2026-03-10.csv"));
        let first = if provider_first { "accepted" } else { "duplicate" };
        assert!(ack.contains(first) && ack.contains("conflict"), "{ack}");
        assert!(report(&scheme, "10", "exceptions").contains("CONFLICT"));
        scheme.run(&["verify"]);
    }
}

#[test]
fn a_fee_that_late_news_makes_owed_is_open_when_its_money_was_paid_out() {
    let scheme = shop(&["O1"]);
    scheme.write("policy.toml", POLICY.replace("clock = \"ordered\"", "clock = \"delivered\""));
    // Before delivery no fee is due, so 103.00 is 3.00 too much.
    pay(&scheme, "14", &[("P1", "O1", "103.00")]);
    close(&scheme, "16");
    assert_eq!(pay_outs(&scheme, "16"), ["O1 3.00 attempt 1"]);
    answer_pay_outs(&scheme, "17", &[("O1", "16", "paid")]);
    close(&scheme, "17");
    assert_eq!(balance(&scheme, "17", "customer-credit"), "0.00");
    // Late news: the order was delivered on the 1st and due on the 8th, so three days of late fee were owed on the
    // 14th.
    scheme.write("inbox/fulfilments-2026-03-18.csv", "order_id,event,occurred_at\nO1,delivered,2026-03-01 18:00:00\n");
    close(&scheme, "18");
    assert_eq!(balance(&scheme, "18", "customer-credit"), "0.00");
    assert_eq!(balance(&scheme, "18", "receivable:late-fee"), "3.00");
    assert_eq!(debits(&scheme, "18"), ["O1 3.00 attempt 1"]);
    scheme.run(&["verify"]);
    insta::assert_snapshot!("explain_fee_open_again", scheme.run(&["explain", "O1"]));
}

#[test]
fn credit_that_late_news_takes_back_after_it_was_paid_out_is_told_and_netted() {
    let scheme = shop(&["O1"]);
    let halves = "instalments = [ { share = \"0.5\", term = 7 }, { share = \"0.5\", term = 40 } ]\nextension";
    scheme.write("policy.toml", POLICY.replace("extension", halves));
    // The first half is due on the 8th; at the end of the 13th it owes three days of late fee. The fee is waived after
    // it is paid.
    pay(&scheme, "14", &[("P1", "O1", "51.50")]);
    let waiver = |day: &str, id: &str, on: &str| {
        scheme.write(
            &format!("inbox/waivers-2026-03-{day}.csv"),
            format!("waiver_id,order_id,amount,currency,waived_on\n{id},O1,1.50,CNY,2026-03-{on}\n"),
        );
    };
    waiver("15", "W1", "15");
    close(&scheme, "17");
    assert_eq!(pay_outs(&scheme, "17"), ["O1 1.50 attempt 1"]);
    answer_pay_outs(&scheme, "18", &[("O1", "17", "paid")]);
    // A waiver dated before the payment shows that the 1.50 went to the second half and was no credit.
    waiver("19", "W2", "10");
    close(&scheme, "19");
    assert_eq!(balance(&scheme, "18", "customer-credit"), "0.00");
    assert_eq!(balance(&scheme, "19", "customer-credit"), "1.50");
    let told = report(&scheme, "19", "exceptions");
    assert!(told.contains("CREDIT_OVERPAID,SHOP,O1") && told.contains(",1.50,CNY"), "{told}");
    // A later overpayment is netted with the missing credit, and only the rest is paid out.
    pay(&scheme, "20", &[("P2", "O1", "60.00")]);
    close(&scheme, "22");
    assert!(!report(&scheme, "20", "exceptions").contains("CREDIT_OVERPAID"));
    assert_eq!(pay_outs(&scheme, "22"), ["O1 10.00 attempt 2"]);
    scheme.run(&["verify"]);
}

#[test]
fn a_pay_out_that_fails_for_good_is_told() {
    let scheme = shop(&["O1"]);
    pay(&scheme, "02", &[("P1", "O1", "120.00")]);
    close(&scheme, "04");
    answer_pay_outs(&scheme, "05", &[("O1", "04", "failed")]);
    close(&scheme, "07");
    assert_eq!(pay_outs(&scheme, "07"), ["O1 20.00 attempt 2"]);
    answer_pay_outs(&scheme, "08", &[("O1", "07", "failed")]);
    close(&scheme, "12");
    assert!(report(&scheme, "12", "exceptions").contains("PAYOUT_FAILED,SHOP,O1"));
    for day in ["08", "09", "10", "11", "12"] {
        assert!(pay_outs(&scheme, day).is_empty(), "{day}");
    }
    assert_eq!(balance(&scheme, "12", "customer-credit"), "-20.00");
}

#[test]
fn a_merchant_that_uses_neither_has_neither_file() {
    let scheme = shop(&["O1"]);
    let (policy, _) = POLICY.split_once("[version.debit]").unwrap();
    scheme.write("policy.toml", policy);
    close(&scheme, "09");
    for kind in ["debit-instructions", "credit-payouts"] {
        let name = format!("run/reconciliation/2026-03-08/SHOP_2026-03-08_{kind}.csv");
        assert!(!scheme.path(&name).exists(), "{name}");
    }
    // A later policy version with debits does not change sealed days.
    let later = POLICY.replace("2026-01-01", "2026-03-05");
    scheme.write("policy.toml", format!("{policy}\n{later}"));
    scheme.run(&["verify"]);
    close(&scheme, "10");
    assert!(debits(&scheme, "10").is_empty());
    scheme.run(&["verify"]);
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    for (from, to, told) in [
        ("[2, 4]", "[4, 2]", "policy.toml:10: debit.retry_after: 2 comes after 4; list the days rising"),
        ("[2, 4]", "[]", "debit.retry_after: is empty; write days"),
        ("[2, 4]", "[0, 4]", "debit.retry_after: 0 is not from 1 to 3660 days"),
        ("[2, 4]", "\"always\"", "debit.retry_after: \"always\" is not known; write until_success"),
        ("[2, 4]", "\"until_success\"", "debit.retry_at_most: is missing"),
        ("[2, 4]", "[2, 4]\nretry_every = 1", "debit.retry_every: goes with"),
        ("[2, 4]", "\"until_success\"\nretry_at_most = 400", "debit.retry_at_most: 400 is not from 1 to 365"),
        ("no_answer_after = 3", "assume_failed_after = 0", "debit.assume_failed_after: 0 is not"),
        ("after = 2", "after = -1", "pay_out.after: -1 is not"),
    ] {
        let scheme = shop(&[]);
        assert!(POLICY.contains(from));
        scheme.write("policy.toml", POLICY.replacen(from, to, 1));
        let refused = scheme.run_failing(&["check"], 2);
        assert!(refused.contains(told) && refused.contains("policy.toml:"), "{to}: {refused}");
    }
}
