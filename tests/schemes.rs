//! The gallery of public schemes. For each policy, the real program runs the story of an order: files arrive, days are
//! closed, and the test checks the books, the instructions to the bank and `explain`.

use std::path::Path;

use crate::support::{Scheme, copy, files_below};
use chrono::NaiveDate;

const LPR: &str = "\n[reference_rates.lpr_1y]\n\"2025-05-20\" = \"0.0300\"\n";

/// The columns of each kind of file that the stories deliver.
const COLUMNS: [(&str, &str); 9] = [
    ("customers", "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound"),
    ("agreements", "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised"),
    ("orders", "order_id,customer_id,amount,currency,ordered_at"),
    ("fulfilments", "order_id,event,occurred_at"),
    ("holds", "hold_id,order_id,reason,starts_on,ends_on"),
    ("extensions", "extension_id,order_id,days,requested_at"),
    ("payments", "payment_id,order_id,amount,currency,paid_at"),
    ("debit_results", "debit_id,order_id,result,at"),
    ("refunds", "refund_id,order_id,amount,currency,refunded_at"),
];

/// A shop with one of the gallery's policies and a customer C1 with this score. The first day is 1 March 2026.
fn shop(policy: &str, score: u32) -> Scheme {
    let scheme = Scheme::shop(policy);
    scheme.write("paylater.toml", scheme.read("paylater.toml") + LPR);
    hand_in(&scheme, "customers", "2026-03-01", &format!("C1,Li Na,c1@example.com,en,Asia/Shanghai,{score},true,true"));
    hand_in(&scheme, "agreements", "2026-03-01", "A1,C1,SHOP,open,2026-01-01,true");
    scheme
}

/// Puts rows into the inbox, as the file of a day.
fn hand_in(scheme: &Scheme, kind: &str, day: &str, rows: &str) {
    let (_, columns) = COLUMNS.iter().find(|(name, _)| *name == kind).unwrap();
    scheme.write(&format!("inbox/{kind}-{day}.csv"), format!("{columns}\n{rows}\n"));
}

/// Returns the rows of a day's report as cells.
fn report(scheme: &Scheme, day: &str, kind: &str) -> Vec<Vec<String>> {
    let text = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_{kind}.csv"));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Returns the open instalments at the end of a day: order, due date, principal + late fee, credit record.
fn open(scheme: &Scheme, day: &str) -> Vec<String> {
    let told = |c: &Vec<String>| format!("{} due {}: {} + {}, {}", c[2], c[6], c[10], c[11], c[15]);
    report(scheme, day, "positions").iter().map(told).collect()
}

/// Returns the debits that the close of a day sends to the bank: order and amount.
fn asked(scheme: &Scheme, day: &str) -> Vec<String> {
    report(scheme, day, "debit-instructions").iter().map(|c| format!("{} {}", c[1], c[4])).collect()
}

/// Closes day by day. The bank answers each debit one day later, always with the same answer.
fn close_with_bank(scheme: &Scheme, answer: &str, from: &str, through: &str) {
    let last: NaiveDate = through.parse().unwrap();
    for day in from.parse::<NaiveDate>().unwrap().iter_days().take_while(|day| *day <= last) {
        let before = day.pred_opt().unwrap().to_string();
        let rows = report(scheme, &before, "debit-instructions");
        let rows: Vec<String> = rows.iter().map(|c| format!("{},{},{answer},{day} 06:00:00", c[0], c[1])).collect();
        if !rows.is_empty() {
            hand_in(scheme, "debit_results", &day.to_string(), &rows.join("\n"));
        }
        scheme.close(&day.to_string());
    }
}

/// Returns the acknowledgement of a file.
fn answer(scheme: &Scheme, kind: &str, day: &str) -> String {
    scheme.read(&format!("run/outbox/{kind}/{kind}-{day}.csv.ack.csv"))
}

/// Checks that `explain` prints each of these texts, and that `verify` passes.
fn tells(scheme: &Scheme, order: &str, parts: &[&str]) {
    let story = scheme.run(&["explain", order]);
    for part in parts {
        assert!(story.contains(part), "no {part} in\n{story}");
    }
    assert!(scheme.run(&["verify"]).starts_with("OK: "));
}

#[test]
fn zhima_an_extension_and_a_debit_that_works_the_second_time() {
    let shop = shop(include_str!("../sample-data/schemes/zhima.toml"), 600);
    hand_in(&shop, "orders", "2026-03-01", "TEA,C1,200.00,CNY,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-03", "TEA,delivered,2026-03-03");
    // Receipt is automatically confirmed on the 10th, so the order is due 7 days later. An extension of five days is
    // granted.
    hand_in(&shop, "extensions", "2026-03-15", "X1,TEA,5,2026-03-15");
    shop.close("2026-03-15");
    assert_eq!(open(&shop, "2026-03-09"), ["TEA due : 200.00 + 0.00, clear"]);
    assert_eq!(open(&shop, "2026-03-14"), ["TEA due 2026-03-17: 200.00 + 0.00, clear"]);
    assert_eq!(open(&shop, "2026-03-15"), ["TEA due 2026-03-22: 200.00 + 0.00, clear"]);
    // The debit is sent the evening before the due date, fails on the day, and is sent again that evening.
    shop.close("2026-03-21");
    assert_eq!(asked(&shop, "2026-03-21"), ["TEA 200.00"]);
    close_with_bank(&shop, "failed", "2026-03-22", "2026-03-22");
    assert_eq!(asked(&shop, "2026-03-22"), ["TEA 200.00"]);
    close_with_bank(&shop, "paid", "2026-03-23", "2026-03-23");
    assert!(open(&shop, "2026-03-23").is_empty());
    // Paid one day late, within the three days of grace: no fee, but no positive record either.
    tells(&shop, "TEA", &["late fee 0.00 open of 0.00; due 2026-03-22, paid 1 day late; credit record clear"]);
}

#[test]
fn wechat_is_tried_daily_and_reported_after_thirty_days() {
    let shop = shop(include_str!("../sample-data/schemes/wechat.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "RIDE,C1,88.00,CNY,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-02", "RIDE,confirmed,2026-03-02");
    hand_in(&shop, "orders", "2026-03-05", "NEXT,C1,20.00,CNY,2026-03-05");
    shop.close("2026-03-02");
    close_with_bank(&shop, "failed", "2026-03-03", "2026-04-02");
    for day in ["2026-03-02", "2026-03-03", "2026-03-20", "2026-04-02"] {
        assert_eq!(asked(&shop, day), ["RIDE 88.00"], "{day}");
    }
    assert!(answer(&shop, "orders", "2026-03-05").contains("NEXT,declined,ACCOUNT_OVERDUE"));
    // Completed on 2 March: 2 April is the 31st day after it. The notice was sent a week before.
    assert_eq!(open(&shop, "2026-03-26"), ["RIDE due 2026-03-03: 88.00 + 0.00, notice_sent"]);
    assert_eq!(open(&shop, "2026-04-01"), ["RIDE due 2026-03-03: 88.00 + 0.00, notice_sent"]);
    assert_eq!(open(&shop, "2026-04-02"), ["RIDE due 2026-03-03: 88.00 + 0.00, flagged"]);
    close_with_bank(&shop, "paid", "2026-04-03", "2026-04-03");
    tells(&shop, "RIDE", &["paid 31 days late; credit record settled_late"]);
}

#[test]
fn jd_charges_by_the_day_but_never_more_than_four_times_the_prime_rate() {
    let shop = shop(include_str!("../sample-data/schemes/jd.toml"), 60);
    hand_in(&shop, "orders", "2026-03-01", "PHONE,C1,1000.00,CNY,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-03", "PHONE,delivered,2026-03-03");
    hand_in(&shop, "orders", "2026-03-15", "CASE,C1,20.00,CNY,2026-03-15");
    shop.close("2026-03-09");
    assert_eq!(asked(&shop, "2026-03-09"), ["PHONE 1000.00"]);
    // The card is gone: the bank is not asked again.
    close_with_bank(&shop, "refused", "2026-03-10", "2026-03-20");
    assert!(asked(&shop, "2026-03-10").is_empty());
    // 0.07 % is 0.70 a day. The cap of 4 × 3.00 % a year of 1000.00 is 0.328… a day: 0.32 after one day, 3.28 after
    // ten.
    assert_eq!(open(&shop, "2026-03-10"), ["PHONE due 2026-03-10: 1000.00 + 0.00, clear"]);
    assert_eq!(open(&shop, "2026-03-11"), ["PHONE due 2026-03-10: 1000.00 + 0.32, clear"]);
    assert_eq!(open(&shop, "2026-03-20"), ["PHONE due 2026-03-10: 1000.00 + 3.28, notice_sent"]);
    assert!(answer(&shop, "orders", "2026-03-15").contains("CASE,declined,ACCOUNT_OVERDUE"));
    hand_in(&shop, "payments", "2026-03-21", "P1,PHONE,1003.28,CNY,2026-03-21");
    shop.close("2026-03-21");
    assert!(open(&shop, "2026-03-21").is_empty());
    tells(&shop, "PHONE", &["late fee 0.00 open of 3.28; due 2026-03-10, paid 11 days late; credit record clear"]);
}

#[test]
fn pinduoduo_collects_when_receipt_confirms_itself() {
    let shop = shop(include_str!("../sample-data/schemes/pinduoduo.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "FRUIT,C1,59.90,CNY,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-05", "FRUIT,delivered,2026-03-05");
    // A part of the order was bad: 20.00 is refunded before any payment.
    hand_in(&shop, "refunds", "2026-03-15", "R1,FRUIT,20.00,CNY,2026-03-15");
    shop.close("2026-03-20");
    assert_eq!(open(&shop, "2026-03-05"), ["FRUIT due : 59.90 + 0.00, clear"]);
    // Receipt counts as confirmed 15 days after the 5th; the debit is sent that evening.
    assert_eq!(open(&shop, "2026-03-20"), ["FRUIT due 2026-03-21: 39.90 + 0.00, clear"]);
    assert_eq!(asked(&shop, "2026-03-20"), ["FRUIT 39.90"]);
    close_with_bank(&shop, "paid", "2026-03-21", "2026-03-21");
    tells(&shop, "FRUIT", &["0.00 CNY of 59.90 open", "due 2026-03-21; credit record on_time"]);
}

#[test]
fn taobao_waits_while_goods_go_back() {
    let shop = shop(include_str!("../sample-data/schemes/taobao.toml"), 600);
    hand_in(&shop, "orders", "2026-03-01", "SHOES,C1,300.00,CNY,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-03", "SHOES,shipped,2026-03-03");
    // One of two pairs is returned from the 8th to the 12th. These five days don't count.
    hand_in(&shop, "holds", "2026-03-08", "H1,SHOES,return,2026-03-08,2026-03-12");
    hand_in(&shop, "refunds", "2026-03-12", "R1,SHOES,120.00,CNY,2026-03-12");
    shop.close("2026-03-18");
    // Ten days after shipping plus five held days: confirmed on the 18th, due the next day.
    assert_eq!(open(&shop, "2026-03-17"), ["SHOES due : 180.00 + 0.00, clear"]);
    assert_eq!(open(&shop, "2026-03-18"), ["SHOES due 2026-03-19: 180.00 + 0.00, clear"]);
    assert_eq!(asked(&shop, "2026-03-18"), ["SHOES 180.00"]);
    // With a lower score, the second order is declined.
    hand_in(&shop, "customers", "2026-03-19", "C1,Li Na,c1@example.com,en,Asia/Shanghai,599,true,true");
    hand_in(&shop, "orders", "2026-03-19", "HAT,C1,50.00,CNY,2026-03-19");
    close_with_bank(&shop, "paid", "2026-03-19", "2026-03-19");
    assert!(answer(&shop, "orders", "2026-03-19").contains("HAT,declined,SCORE_TOO_LOW"));
    tells(&shop, "SHOES", &["0.00 CNY of 300.00 open", "due 2026-03-19; credit record on_time"]);
}

#[test]
fn meituan_is_due_on_the_eighth_of_the_next_month() {
    let shop = shop(include_str!("../sample-data/schemes/meituan.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "LUNCH,C1,60.00,CNY,2026-03-01 12:00:00");
    hand_in(&shop, "orders", "2026-03-31", "SUPPER,C1,400.00,CNY,2026-03-31 23:59:00");
    hand_in(&shop, "payments", "2026-04-06", "P1,LUNCH,60.00,CNY,2026-04-06");
    shop.close("2026-04-07");
    let both = ["LUNCH due 2026-04-08: 60.00 + 0.00, clear", "SUPPER due 2026-04-08: 400.00 + 0.00, clear"];
    assert_eq!(open(&shop, "2026-03-31"), both);
    // The customer paid LUNCH directly, so only SUPPER is debited, and again two days after the first attempt.
    assert_eq!(asked(&shop, "2026-04-07"), ["SUPPER 400.00"]);
    close_with_bank(&shop, "failed", "2026-04-08", "2026-04-09");
    // 0.05 % of 400.00 for one day.
    assert_eq!(open(&shop, "2026-04-09"), ["SUPPER due 2026-04-08: 400.00 + 0.20, clear"]);
    assert_eq!(asked(&shop, "2026-04-09"), ["SUPPER 400.20"]);
    close_with_bank(&shop, "paid", "2026-04-10", "2026-04-10");
    // The mail of the 1st is the bill.
    tells(&shop, "LUNCH", &["2026-04-01  mail", "due 2026-04-08; credit record on_time"]);
    tells(&shop, "SUPPER", &["late fee 0.00 open of 0.20; due 2026-04-08, paid 2 days late"]);
}

#[test]
fn klarna_pauses_for_a_return_and_charges_after_a_week() {
    let shop = shop(include_str!("../sample-data/schemes/klarna.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "COAT,C1,80.00,GBP,2026-03-01\nSOCKS,C1,16.00,GBP,2026-03-01");
    hand_in(&shop, "fulfilments", "2026-03-03", "COAT,shipped,2026-03-03\nSOCKS,shipped,2026-03-03");
    // The belt is returned: the order is paused for 28 days, even if the belt arrives earlier or later.
    hand_in(&shop, "holds", "2026-03-20", "H1,COAT,return,2026-03-20,");
    hand_in(&shop, "refunds", "2026-04-10", "R1,COAT,30.00,GBP,2026-04-10");
    shop.close("2026-05-07");
    let both = ["COAT due 2026-04-02: 80.00 + 0.00, clear", "SOCKS due 2026-04-02: 16.00 + 0.00, clear"];
    assert_eq!(open(&shop, "2026-03-19"), both);
    // Seven days after the 2nd; a quarter of 16.00 is less than 5.00.
    assert_eq!(open(&shop, "2026-04-08")[1], "SOCKS due 2026-04-02: 16.00 + 0.00, clear");
    assert_eq!(open(&shop, "2026-04-09")[1], "SOCKS due 2026-04-02: 16.00 + 4.00, clear");
    // 2 April plus 28 days is 30 April; seven more days is 7 May.
    assert_eq!(open(&shop, "2026-05-06")[0], "COAT due 2026-04-30: 50.00 + 0.00, clear");
    assert_eq!(open(&shop, "2026-05-07")[0], "COAT due 2026-04-30: 50.00 + 5.00, clear");
    hand_in(&shop, "payments", "2026-05-08", "P1,COAT,55.00,GBP,2026-05-08");
    shop.close("2026-05-08");
    tells(&shop, "COAT", &["late fee 0.00 open of 5.00; due 2026-04-30, paid 8 days late"]);
    tells(&shop, "SOCKS", &["cut from 5.00 to 4.00 GBP", "credit record: reported as late"]);
}

#[test]
fn afterpay_charges_ten_and_seven_up_to_a_quarter_of_the_order() {
    let shop = shop(include_str!("../sample-data/schemes/afterpay.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "BIKE,C1,120.00,AUD,2026-03-01\nBELL,C1,39.00,AUD,2026-03-01");
    hand_in(&shop, "payments", "2026-03-01", "P1,BIKE,30.00,AUD,2026-03-01\nP2,BELL,9.75,AUD,2026-03-01");
    hand_in(&shop, "orders", "2026-03-17", "HELMET,C1,50.00,AUD,2026-03-17");
    shop.close("2026-03-14");
    assert_eq!(asked(&shop, "2026-03-14"), ["BELL 9.75", "BIKE 30.00"]);
    close_with_bank(&shop, "failed", "2026-03-15", "2026-04-20");
    assert!(answer(&shop, "orders", "2026-03-17").contains("HELMET,declined,ACCOUNT_OVERDUE"));
    let fees = |day: &str, order: &str| -> Vec<String> {
        let rows = report(&shop, day, "positions");
        rows.into_iter().filter(|c| c[2] == order).map(|c| c[11].clone()).collect()
    };
    // Payments 2 to 4 are due on 15 and 29 March and 12 April. A missed payment costs 10.00, and 7.00 more a week
    // later. The cap is a quarter of 120.00, 30.00, which leaves 3.00 for the third payment's second fee and nothing
    // for the fourth.
    for (day, expected) in [
        ("2026-03-14", ["0.00", "0.00", "0.00"]),
        ("2026-03-15", ["10.00", "0.00", "0.00"]),
        ("2026-03-22", ["17.00", "0.00", "0.00"]),
        ("2026-03-29", ["17.00", "10.00", "0.00"]),
        ("2026-04-05", ["17.00", "13.00", "0.00"]),
        ("2026-04-20", ["17.00", "13.00", "0.00"]),
    ] {
        assert_eq!(fees(day, "BIKE"), expected, "{day}");
    }
    // An order below 40.00 has one fee, here capped at a quarter of 39.00.
    assert_eq!(fees("2026-04-20", "BELL"), ["9.75", "0.00", "0.00"]);
    tells(&shop, "BIKE", &["cut from 17.00 to 13.00 AUD by the cap of 25 % of the order"]);
}

#[test]
fn paypal_costs_nothing_even_when_late() {
    let shop = shop(include_str!("../sample-data/schemes/paypal.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "LAMP,C1,100.00,USD,2026-03-01");
    hand_in(&shop, "payments", "2026-03-01", "P1,LAMP,25.00,USD,2026-03-01");
    hand_in(&shop, "orders", "2026-04-02", "DESK,C1,30.00,USD,2026-04-02");
    shop.close("2026-03-15");
    // Every 15 days from 1 March: 16 and 31 March, 15 April.
    close_with_bank(&shop, "paid", "2026-03-16", "2026-03-30");
    let left = ["LAMP due 2026-03-31: 25.00 + 0.00, clear", "LAMP due 2026-04-15: 25.00 + 0.00, clear"];
    assert_eq!(open(&shop, "2026-03-30"), left);
    // The third debit fails, and succeeds three days after the first attempt.
    close_with_bank(&shop, "failed", "2026-03-31", "2026-04-02");
    assert_eq!(open(&shop, "2026-04-02"), left);
    assert!(answer(&shop, "orders", "2026-04-02").contains("DESK,declined,ACCOUNT_OVERDUE"));
    assert_eq!(asked(&shop, "2026-04-02"), ["LAMP 25.00"]);
    close_with_bank(&shop, "paid", "2026-04-03", "2026-04-15");
    assert!(open(&shop, "2026-04-15").is_empty());
    tells(&shop, "LAMP", &["late fee 0.00 open of 0.00; due 2026-03-31, paid 3 days late"]);
}

#[test]
fn affirm_reports_what_is_thirty_days_late() {
    let shop = shop(include_str!("../sample-data/schemes/affirm.toml"), 1);
    hand_in(&shop, "orders", "2026-03-01", "SOFA,C1,100.00,USD,2026-03-01");
    shop.close("2026-03-30");
    // 100.00 in three instalments: the remaining cent goes to the first.
    assert_eq!(
        open(&shop, "2026-03-30"),
        [
            "SOFA due 2026-03-31: 33.34 + 0.00, clear",
            "SOFA due 2026-04-30: 33.33 + 0.00, clear",
            "SOFA due 2026-05-30: 33.33 + 0.00, clear",
        ]
    );
    close_with_bank(&shop, "paid", "2026-03-31", "2026-03-31");
    shop.close("2026-04-29");
    close_with_bank(&shop, "failed", "2026-04-30", "2026-05-30");
    // A week's notice on the 23rd day, then the report on the 30th.
    assert_eq!(open(&shop, "2026-05-23")[0], "SOFA due 2026-04-30: 33.33 + 0.00, notice_sent");
    assert_eq!(open(&shop, "2026-05-29")[0], "SOFA due 2026-04-30: 33.33 + 0.00, notice_sent");
    assert_eq!(open(&shop, "2026-05-30")[0], "SOFA due 2026-04-30: 33.33 + 0.00, flagged");
    hand_in(&shop, "payments", "2026-05-31", "P1,SOFA,66.66,USD,2026-05-31");
    shop.close("2026-05-31");
    assert!(open(&shop, "2026-05-31").is_empty());
    tells(&shop, "SOFA", &["due 2026-03-31; credit record on_time", "paid 31 days late; credit record settled_late"]);
}

#[test]
fn the_gallery_runs_as_it_lies_here() {
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/schemes");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("sample-data/schemes");
    copy(&gallery, &here);
    let shop = Scheme { config: here.join("paylater.toml"), folder, env: Vec::new() };
    assert!(shop.run(&["check"]).contains("10 merchants"));
    shop.close("2026-05-31");
    // Every row of every file is accepted, and there are no exceptions.
    for (name, bytes) in files_below(&shop.path("sample-run/schemes"), &["outbox", "reconciliation/2026-05-31"]) {
        let text = String::from_utf8(bytes).unwrap();
        if name.ends_with(".ack.csv") {
            assert!(text.lines().skip(1).all(|row| row.contains(",accepted,")), "{name}: {text}");
        } else if name.ends_with("exceptions.csv") {
            assert_eq!(text.lines().count(), 1, "{name}: {text}");
        }
    }
    // Each order that the page suggests has a story, and each policy is on the page.
    let page = std::fs::read_to_string(gallery.join("../../docs/schemes.md")).unwrap();
    for row in page.lines().filter(|line| line.starts_with("| [")) {
        for order in row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2) {
            assert!(shop.run(&["explain", order]).contains("accepted"), "{order}");
        }
    }
    for file in files_below(&gallery, &["."]).into_keys().filter(|name| name.ends_with(".toml")) {
        let name = file.trim_start_matches("./");
        assert!(name == "paylater.toml" || page.contains(&format!("../sample-data/schemes/{name}")), "{name}");
    }
}
