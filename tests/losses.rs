//! Chargebacks, write-offs and recoveries: a payment that is taken back, an order that is never paid, and money that
//! arrives late. Runs the real program on both engines.

use crate::support::{Scheme, assert_same, files_below};

const OUTPUTS: [&str; 3] = ["reconciliation", "outbox", "mail"];

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "300.00", term = 7 } ]
freeze_when_overdue = 0
late_fee = { kind = "flat", amount = "5.00", grace = 1 }
reminders = { steps = [0, 1, 4] }
credit = { notice_after = 3, flag_after = 2, expires_after = 5 }
write_off = { after = 8 }
"#;

const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,王芳,c1@example.com,zh-CN,Asia/Shanghai,700,true,true
C2,Ann Lee,c2@example.com,en,Asia/Shanghai,700,true,true
";
const AGREEMENTS: &str = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised
A1,C1,SHOP,open,2026-02-01,true
A2,C2,SHOP,open,2026-02-01,true
";
const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at";
const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at";
const CHARGEBACKS: &str = "chargeback_id,order_id,payment_id,amount,currency,charged_back_at,reason";

/// Both orders are due on the 8th. TAKEN-BACK is paid in time and charged back on the 10th; LOST is not paid.
fn scheme() -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let rows = |header: &str, rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    for (name, text) in [
        ("customers-2026-03-01.csv", CUSTOMERS.to_owned()),
        ("agreements-2026-03-01.csv", AGREEMENTS.to_owned()),
        (
            "orders-2026-03-01.csv",
            rows(ORDERS, &["TAKEN-BACK,C1,100.00,CNY,2026-03-01", "LOST,C2,250.00,CNY,2026-03-01"]),
        ),
        ("payments-2026-03-05.csv", rows(PAYMENTS, &["P1,TAKEN-BACK,100.00,CNY,2026-03-05 12:00:00"])),
        (
            "chargebacks-2026-03-10.csv",
            rows(
                CHARGEBACKS,
                &[
                    "CB1,TAKEN-BACK,P1,100.00,CNY,2026-03-10 09:00:00,card stolen",
                    "CB1,TAKEN-BACK,P1,100.0,CNY,2026-03-10 09:00:00,card stolen",
                    "CB1,TAKEN-BACK,P1,90.00,CNY,2026-03-10 09:00:00,card stolen",
                    "CB2,TAKEN-BACK,P1,0.01,CNY,2026-03-10,",
                    "CB3,TAKEN-BACK,P1,1.00,CNY,2026-03-04,",
                    "CB4,LOST,P9,7.00,CNY,2026-03-10,",
                    "CB5,NEVER,P8,3.00,CNY,2026-03-10,",
                    "CB6,LOST,,3.00,CNY,2026-03-10,",
                ],
            ),
        ),
        // The payment that CB4 takes back arrives one day after CB4.
        ("payments-2026-03-11.csv", rows(PAYMENTS, &["P9,LOST,7.00,CNY,2026-03-09 10:00:00"])),
        // Written off on the 16th (LOST) and the 17th (TAKEN-BACK).
        ("orders-2026-03-18.csv", rows(ORDERS, &["NEXT,C1,10.00,CNY,2026-03-18"])),
        ("payments-2026-03-19.csv", rows(PAYMENTS, &["P2,TAKEN-BACK,101.00,CNY,2026-03-19 08:00:00"])),
        ("orders-2026-03-20.csv", rows(ORDERS, &["AGAIN,C1,300.00,CNY,2026-03-20"])),
        // Late news: part of LOST was paid in time, so the loss is smaller.
        ("payments-2026-03-22.csv", rows(PAYMENTS, &["P3,LOST,200.00,CNY,2026-03-08 10:00:00"])),
    ] {
        scheme.write(&format!("inbox/{name}"), text);
    }
    scheme
}

#[tokio::test]
async fn both_engines_tell_the_same_story() {
    let (sqlite, postgres) = (scheme(), scheme().on_postgres().await);
    let last = "2026-03-26";
    sqlite.close(last);
    postgres.close(last);
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS), &files_below(&postgres.path("run"), &OUTPUTS));
    for scheme in [&sqlite, &postgres] {
        let verified = scheme.run(&["verify"]);
        assert!(verified.starts_with("OK: "), "{verified}");
    }
    for order in ["TAKEN-BACK", "LOST", "NEXT"] {
        assert_eq!(sqlite.run(&["explain", order]), postgres.run(&["explain", order]), "{order}");
    }
    let day_by_day = self::scheme();
    for day in 1..=26 {
        day_by_day.close(&format!("2026-03-{day:02}"));
    }
    assert_same(&files_below(&sqlite.path("run"), &OUTPUTS), &files_below(&day_by_day.path("run"), &OUTPUTS));
}

#[test]
fn a_payment_taken_back_and_a_loss_are_told_and_booked() {
    let scheme = scheme();
    scheme.close("2026-03-26");
    insta::assert_snapshot!("losses_ack", scheme.read("run/outbox/chargebacks/chargebacks-2026-03-10.csv.ack.csv"));
    insta::assert_snapshot!("losses_explain_taken_back", scheme.run(&["explain", "TAKEN-BACK"]));
    insta::assert_snapshot!("losses_explain_lost", scheme.run(&["explain", "LOST"]));
    let report =
        |day: &str, kind: &str| scheme.read(&format!("run/reconciliation/2026-03-{day}/SHOP_2026-03-{day}_{kind}.csv"));
    insta::assert_snapshot!("losses_matching", report("10", "matching"));
    insta::assert_snapshot!(
        "losses_detail",
        ["10", "11", "16", "17", "19", "22"].map(|day| report(day, "detail")).join("")
    );
    insta::assert_snapshot!("losses_summary", report("26", "summary"));
    let impact: String = (1..=26)
        .map(|day| scheme.read(&format!("run/reconciliation/2026-03-{day:02}/credit-impact_2026-03-{day:02}.csv")))
        .flat_map(|text| text.lines().skip(1).map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .collect();
    insta::assert_snapshot!("losses_credit_impact", impact);

    // Written-off principal freezes the account until it is recovered, but does not count towards the limit.
    let ack = |day: &str| scheme.read(&format!("run/outbox/orders/orders-2026-03-{day}.csv.ack.csv"));
    assert!(ack("18").contains("NEXT,declined,ACCOUNT_OVERDUE"), "{}", ack("18"));
    assert!(ack("20").contains("AGAIN,accepted"), "{}", ack("20"));

    // A chargeback whose payment never arrived stays listed; a settled one does not.
    let open = report("26", "exceptions");
    for (code, key) in [("UNKNOWN_ORDER", "CB5"), ("CONFLICT", "CB1"), ("CHARGEBACK_REJECTED", "CB2")] {
        assert!(open.contains(code), "no {code} for {key}: {open}");
    }
    assert!(!open.contains("UNKNOWN_PAYMENT"), "{open}");

    let mails = files_below(&scheme.path("run"), &["mail"]);
    let after: Vec<&String> = mails.keys().filter(|name| name.as_str() > "mail/20260317").collect();
    assert!(!mails.is_empty() && after.is_empty(), "mails after the write-off: {after:?}");
}

#[test]
fn the_journal_passes_hledger() {
    let scheme = scheme();
    scheme.close("2026-03-26");
    let path = scheme.path("books.journal");
    std::fs::write(&path, scheme.run(&["journal", "--format", "hledger"])).unwrap();
    let output = std::process::Command::new("hledger").arg("-f").arg(&path).arg("check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_holds_of_a_day_both_keep_mails_away() {
    // The hardship does not stop mails; the later dispute does. Due on the 8th, with steps on the 8th, 9th and 12th.
    let scheme = Scheme::shop(POLICY);
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    scheme.write("inbox/orders-2026-03-01.csv", format!("{ORDERS}\nO1,C1,100.00,CNY,2026-03-01\n"));
    let holds = "hold_id,order_id,reason,starts_on,ends_on\nH1,O1,hardship,2026-03-06,2026-03-30\nH2,O1,dispute,2026-03-07,2026-03-08\n";
    scheme.write("inbox/holds-2026-03-06.csv", holds);
    scheme.close("2026-03-10");
    let story = scheme.run(&["explain", "O1"]);
    assert!(story.contains("mail due_today (0) not sent: held"), "{story}");
    assert!(story.contains("mail overdue (+1) sent"), "{story}");
    insta::assert_snapshot!("losses_explain_holds", story);
}
