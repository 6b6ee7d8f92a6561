//! A customer at a glance, by id, email address or payment, in both languages and on either engine. Runs the real program.

use serde_json::{Value as Json, json};
use sqlx::Connection;

use crate::support::Scheme;

/// Debits and pay-outs.
const SHOP: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "900.00", term = 7 } ]
late_fee = { kind = "daily", rate = "0.01" }
freeze_when_overdue = 2
holds.dispute = { days = 10, effects = ["fees", "contact", "debit"] }

[version.debit]
retry_after = [2]
no_answer_after = 5

[version.pay_out]
after = 2
retry_after = [3]
"#;

/// Customers pay by themselves, and can ask for an extension.
const KIOSK: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "500.00", term = 7 } ]
late_fee = { kind = "daily", rate = "0.01" }
freeze_when_overdue = 2
extension = { times = 1, days = 5, when_overdue = true }

[version.reminders]
steps = [0, 1]

[version.credit]
notice_after = 3
flag_after = 3
"#;

const FILES: &[(&str, &str)] = &[
    (
        "customers-2026-03-01.csv",
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound
C1,王芳,fang@example.com,zh-CN,Asia/Shanghai,700,true,true
C2,李雷,family@example.com,zh-CN,Asia/Shanghai,700,true,true
C3,韩梅,Family@Example.com,en,Asia/Shanghai,700,true,true
C4,Jo,jo@example.com,en,Asia/Shanghai,550,true,true
",
    ),
    (
        "agreements-2026-03-01.csv",
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised
A1,C1,SHOP,open,2026-02-01,true
A2,C1,KIOSK,open,2026-02-01,true
A3,C2,SHOP,open,2026-02-01,true
A4,C3,SHOP,open,2026-02-01,true
",
    ),
    (
        "orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at
ASKED,C1,100.00,CNY,2026-03-01 09:00:00
HELD,C2,100.00,CNY,2026-03-01 09:00:00
OVER,C3,100.00,CNY,2026-03-01 09:00:00
LOW,C4,100.00,CNY,2026-03-01 09:00:00
",
    ),
    (
        "kiosk-orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at
LATE,C1,100.00,CNY,2026-03-01 09:00:00
DONE,C1,30.00,CNY,2026-03-01 10:00:00
",
    ),
    ("holds-2026-03-07.csv", "hold_id,order_id,reason,starts_on,ends_on\nH1,HELD,dispute,2026-03-07,2026-03-14\n"),
    (
        "payments-2026-03-08.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,OVER,150.00,CNY,2026-03-08 10:00:00\n",
    ),
    (
        "kiosk-payments-2026-03-02.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,DONE,30.00,CNY,2026-03-02 10:00:00\n",
    ),
    (
        "agreements-2026-03-09.csv",
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\nA4,C3,SHOP,closed,2026-03-09 08:00:00,true\n",
    ),
];

/// Two merchants with their files of the first days.
fn two_merchants() -> Scheme {
    let keys = "name = \"Kiosk\"\nname_zh = \"小店\"\npolicy = \"kiosk.toml\"\n";
    let feeds = ["orders", "payments"].map(|kind| (kind, "inbox", format!("kiosk-{kind}-{{date}}.csv")));
    let feeds = feeds.each_ref().map(|(kind, folder, pattern)| (*kind, *folder, pattern.as_str()));
    let scheme = Scheme::shop(SHOP).with_merchant("KIOSK", keys, &feeds);
    scheme.write("kiosk.toml", KIOSK);
    for (name, text) in FILES {
        scheme.write(&format!("inbox/{name}"), text);
    }
    scheme
}

/// Asks, and checks that the answer has nothing personal in it.
fn ask(scheme: &Scheme, arguments: &[&str]) -> String {
    let said = scheme.run(&[&["customer"], arguments].concat());
    assert_nothing_personal(&said);
    said
}

fn ask_json(scheme: &Scheme, arguments: &[&str]) -> Json {
    serde_json::from_str(&ask(scheme, &[&["--json"], arguments].concat())).unwrap()
}

fn refused(scheme: &Scheme, arguments: &[&str], status: i32) -> String {
    let said = scheme.run_failing(&[&["customer"], arguments].concat(), status);
    assert_nothing_personal(&said);
    said
}

fn assert_nothing_personal(said: &str) {
    for personal in ["example.com", "王芳", "李雷", "韩梅"] {
        assert!(!said.to_lowercase().contains(personal), "{personal} in {said}");
    }
}

fn at<'j>(glance: &'j Json, merchant: &str) -> &'j Json {
    let merchants = glance["merchants"].as_array().unwrap();
    merchants.iter().find(|at| at["merchant_id"] == merchant).unwrap_or_else(|| panic!("no {merchant} in {glance}"))
}

fn order<'j>(glance: &'j Json, merchant: &str, order: &str) -> &'j Json {
    let orders = at(glance, merchant)["orders"].as_array().unwrap();
    orders.iter().find(|found| found["order_id"] == order).unwrap_or_else(|| panic!("no {order} in {glance}"))
}

/// `amount late_fee overdue` in minor units.
fn owing(owing: &Json) -> String {
    let minor = |field: &str| owing[field]["minor"].to_string();
    format!("{} {} {}", minor("amount"), minor("late_fee"), minor("overdue"))
}

/// Asks everything about the books of the 12th, when LATE is 3 days past due at the end of the day before.
fn the_right_values(scheme: &Scheme) {
    scheme.close("2026-03-08");
    // The day after its due date, the bank was asked for ASKED; OVER's credit of the 8th is paid out on the 10th.
    let on_9th = ask_json(scheme, &["C1", "--merchant", "SHOP"]);
    assert_eq!(on_9th["merchants"].as_array().unwrap().len(), 1);
    let debits = &order(&on_9th, "SHOP", "ASKED")["debits"];
    let asked = json!({ "instalment": 1, "state": "asked", "on": "2026-03-08", "amount": { "minor": 10_000, "currency": "CNY" } });
    assert_eq!(debits, &json!([asked]));
    let over = ask_json(scheme, &["C3"]);
    let credit = &order(&over, "SHOP", "OVER")["credit"];
    assert_eq!(
        (&credit["amount"]["minor"], &credit["state"], &credit["on"]),
        (&5_000.into(), &"planned".into(), &"2026-03-10".into())
    );
    assert_eq!((&over["owed"], &at(&over, "SHOP")["no_new_orders"]), (&json!([]), &Json::Null));

    scheme.close("2026-03-11");
    let glance = ask_json(scheme, &["C1", "--on", "2026-03-20", "--pay-off-on", "2026-03-15", "--extend", "5"]);
    assert_eq!(glance["business_date"], "2026-03-12");
    // Three days at 1 % for each of two orders; at the start of the 20th, eleven; of the 15th, six.
    assert_eq!(owing(&glance["owed"][0]), "20600 600 20600");
    assert_eq!(owing(&glance["owed_on"]["owed"][0]), "22200 2200 22200");
    assert_eq!(glance["pay_off"]["owed"][0]["amount"]["minor"], 21_200);
    let (shop, kiosk) = (at(&glance, "SHOP"), at(&glance, "KIOSK"));
    assert_eq!((&shop["limit"]["minor"], &shop["limit_left"]["minor"]), (&90_000.into(), &80_000.into()));
    assert_eq!((&kiosk["limit"]["minor"], &kiosk["limit_left"]["minor"]), (&50_000.into(), &40_000.into()));
    assert_eq!(kiosk["no_new_orders"]["code"], "ACCOUNT_OVERDUE");
    let late = order(&glance, "KIOSK", "LATE");
    assert_eq!((owing(&late["owed"]), late["pay_off"]["minor"].as_i64()), ("10300 300 10300".to_owned(), Some(10_600)));
    assert_eq!((&late["state"], &late["fee_grows_on"]), (&"open".into(), &"2026-03-12".into()));
    // Due on the 13th instead, LATE would owe no fee and have no notice due.
    let change = &late["extension"]["changes"][0];
    let seen = |side: &str| {
        let side = &change[side];
        format!("{} {} {} {}", side["due_on"], side["late_fee"]["minor"], side["days_past_due"], side["credit_status"])
    };
    assert_eq!(seen("before"), r#""2026-03-08" 400 4 "notice_due""#);
    assert_eq!(seen("after"), r#""2026-03-13" 0 0 "clear""#);
    assert_eq!(order(&glance, "SHOP", "ASKED")["extension"]["refused"]["code"], "EXTENSION_NOT_OFFERED");
    let done = order(&glance, "KIOSK", "DONE");
    assert_eq!((&done["state"], &done["paid"]["minor"]), (&"settled".into(), &3_000.into()));
    assert_eq!((&done["extension"], &done["last_paid_on"]), (&Json::Null, &"2026-03-02".into()));
    let done = ask_json(scheme, &["C1", "--extend", "5", "--order", "DONE"]);
    assert_eq!(order(&done, "KIOSK", "DONE")["extension"]["refused"]["code"], "EXTENSION_NOT_NEEDED");
    assert_eq!(order(&done, "KIOSK", "LATE")["extension"], Json::Null);
    let mails: Vec<String> = kiosk["mails"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| format!("{} {} {}", mail["on"], mail["template"], mail["status"]).replace('"', ""))
        .collect();
    assert_eq!(mails, ["2026-03-08 due_today sent", "2026-03-09 overdue sent"]);

    let held = ask_json(scheme, &["C2"]);
    let held = order(&held, "SHOP", "HELD");
    assert_eq!((&held["hold"], owing(&held["owed"])), (&"dispute".into(), "10000 0 10000".to_owned()));
    assert_eq!((&held["debits"][0]["state"], &held["debits"][0]["on"]), (&"held_until".into(), &"2026-03-15".into()));
    let closed = ask_json(scheme, &["C3"]);
    let shop = at(&closed, "SHOP");
    assert_eq!(
        (&shop["agreement"]["open"], &shop["no_new_orders"]["code"]),
        (&false.into(), &"AGREEMENT_CLOSED".into())
    );
    assert_eq!(order(&closed, "SHOP", "OVER")["credit"]["state"], "asked");
    let low = ask_json(scheme, &["C4"]);
    assert_eq!(at(&low, "SHOP")["declined"][0]["code"], "NO_AGREEMENT");
    assert_eq!(at(&low, "SHOP")["limit"], Json::Null);
}

fn who_is_meant(scheme: &Scheme) {
    let id = |arguments: &[&str]| ask_json(scheme, arguments)["customer_id"].as_str().unwrap().to_owned();
    assert_eq!(id(&["--email", "FANG@example.com"]), "C1");
    assert_eq!(id(&["--payment", "P1", "--merchant", "SHOP"]), "C3");
    assert_eq!(id(&["--payment", "P1", "--merchant", "KIOSK"]), "C1");
    for (arguments, status, expected) in [
        (&["--email", "family@example.com"][..], 2, "several customers have this email address: C2, C3"),
        (&["--email", "nobody@example.com"], 1, "no customer has this email address"),
        (&["fang@example.com"], 1, "no customer has this id"),
        (&["c1"], 1, "no customer has this id"),
        (&["--payment", "P9"], 1, "no order has this payment"),
        (&["--payment", "P1"], 2, "SHOP and KIOSK have a payment of this id"),
        (&["C1", "--merchant", "NOWHERE"], 2, "there is no merchant"),
        (&["C1", "--extend", "3", "--order", "HELD"], 1, "no accepted order"),
        (&["C1", "--email", "fang@example.com"], 2, "cannot be used with"),
        (&["--extend", "3"], 2, "required"),
        (&["C1", "--extend", "0"], 2, "0 is not in"),
    ] {
        let said = refused(scheme, arguments, status);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn what_is_owed_what_comes_and_what_if() {
    let scheme = two_merchants();
    the_right_values(&scheme);
    who_is_meant(&scheme);
    let question = ["C1", "--on", "2026-03-20", "--pay-off-on", "2026-03-15", "--extend", "5"];
    let english = ask(&scheme, &[&question[..], &["--lang", "en"]].concat());
    let chinese = ask(&scheme, &[&question[..], &["--lang", "zh"]].concat());
    let others =
        ["C2", "C3", "C4"].map(|id| ask(&scheme, &[id, "--lang", "en"]) + &ask(&scheme, &[id, "--lang", "zh"]));
    insta::assert_snapshot!("customer_in_words", [english, chinese, others.join("\n")].join("\n"));
}

#[tokio::test]
async fn what_is_owed_what_comes_and_what_if_on_postgres() {
    let scheme = two_merchants().on_postgres().await;
    the_right_values(&scheme);
    who_is_meant(&scheme);
}

#[test]
fn the_language_is_that_of_the_locale() {
    let scheme = two_merchants();
    scheme.close("2026-03-01");
    for (variables, expected) in [
        (&[][..], "Customer"),
        (&[("LANG", "zh_CN.UTF-8")], "客户"),
        (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "en_GB.UTF-8")], "Customer"),
        (&[("LANG", "de_DE"), ("LC_MESSAGES", "zh_TW")], "客户"),
    ] {
        let mut command = scheme.command(&["customer", "C1"]);
        for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(expected), "{variables:?}: {said}");
    }
}

#[tokio::test]
async fn a_customer_is_found_by_index() {
    let scheme = two_merchants();
    scheme.close("2026-03-01");
    let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
    let mut books = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for (query, index) in [
        (
            "SELECT customer_id FROM customer WHERE lower(email) = lower('x') ORDER BY customer_id LIMIT 3",
            "customer_by_email",
        ),
        (
            "SELECT order_id FROM orders WHERE merchant_id = 'SHOP' AND customer_id = 'C1' ORDER BY ordered_on",
            "orders_by_customer",
        ),
    ] {
        let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut books).await.unwrap();
        assert!(plan.iter().any(|(.., step)| step.starts_with("SEARCH") && step.contains(index)), "{query}: {plan:?}");
    }
}
