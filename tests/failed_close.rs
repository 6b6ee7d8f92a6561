//! After a close that fails one night, the mails of the next day are still sent. Mails that are safe are sent on their
//! calendar day with the amounts of that day; `explain` shows why the others are not. Runs the real program.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::support::wall_clock::{Daemon, set, with_a_clock_of_its_own};
use crate::support::{Scheme, files_below};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

const POLICY: &str = r#"[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 600, limit = "9000.00", term = 7 } ]
late_fee = { kind = "flat", amount = "5.00" }
[version.reminders]
steps = [-3, 0, 1]
[version.credit]
notice_after = 2
flag_after = 5
"#;

const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n";

/// Orders of different customers. On the 9th, SOON is due in three days, TODAY is due, LATE was due the day before, and
/// the customer of NOTICED must get a notice since the end of the 8th. PAST is one day late on the 8th.
const ORDERED: [(&str, &str); 5] = [
    ("SOON", "2026-03-05"),
    ("TODAY", "2026-03-02"),
    ("LATE", "2026-03-01"),
    ("NOTICED", "2026-02-27"),
    ("PAST", "2026-02-28"),
];

const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at\n";

const WITHOUT_NEWS: &str = "mail overdue (+1) not sent: news of payments is missing";

/// A shop whose payments arrive in a separate folder. Its books are closed through the 7th.
fn shop(clock: &str, payments: &str) -> Scheme {
    let mut scheme = Scheme::shop(POLICY);
    let config = scheme.read("paylater.toml").replace("clock = \"business\"", &format!("clock = \"{clock}\""));
    let feed = "name = \"payments\"\nfolder = \"inbox\"\n";
    let own = format!("name = \"payments\"\nfolder = \"paid\"\n{payments}\n");
    scheme.write("paylater.toml", config.replace(feed, &own));
    fs::create_dir(scheme.path("paid")).unwrap();
    let (mut customers, mut agreements, mut orders) = (
        CUSTOMERS.to_owned(),
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\n".to_owned(),
        "order_id,customer_id,amount,currency,ordered_at\n".to_owned(),
    );
    for (order, day) in ORDERED {
        customers += &format!("C-{order},Ann,{order}@example.com,en,Asia/Shanghai,700,true,true\n");
        agreements += &format!("A-{order},C-{order},SHOP,open,2026-02-01,true\n");
        orders += &format!("{order},C-{order},100.00,CNY,{day} 10:00:00\n");
    }
    scheme.write("inbox/customers-2026-03-01.csv", customers);
    scheme.write("inbox/agreements-2026-03-01.csv", agreements);
    scheme.write("inbox/orders-2026-03-05.csv", orders);
    for day in 1..=7 {
        paid(&scheme, day);
    }
    if clock == "wall" {
        with_a_clock_of_its_own(&mut scheme);
        set(&scheme, "2026-03-08T00:31:00+08:00");
    }
    scheme.close("2026-03-07");
    if clock == "wall" {
        set(&scheme, "2026-03-09T00:31:00+08:00");
    }
    scheme
}

/// Delivers the payments file of a day of March, without any payment.
fn paid(scheme: &Scheme, day: u32) {
    scheme.write(&format!("paid/payments-2026-03-{day:02}.csv"), PAYMENTS);
}

/// Returns the plain text of the mails of a day by order. No order has two mails.
fn mails(scheme: &Scheme, day: &str) -> BTreeMap<String, String> {
    let mut mails = BTreeMap::new();
    if !scheme.path("run/mail").exists() {
        return mails;
    }
    for (name, bytes) in files_below(&scheme.path("run"), &["mail"]) {
        let mail = String::from_utf8(bytes).unwrap();
        let to = mail.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        let order = to.split(['<', '@']).nth(1).unwrap().to_owned();
        let text = mail.split("Content-Type: text/plain").nth(1).unwrap();
        let text = text.split("\r\n--").next().unwrap().replace("=\r\n", "");
        if name.contains(&format!("202603{day}")) {
            assert!(mails.insert(order, text).is_none(), "two mails on one day: {name}");
        }
    }
    mails
}

fn names(mails: &BTreeMap<String, String>) -> Vec<&str> {
    mails.keys().map(String::as_str).collect()
}

/// Returns a day's mails when nothing fails.
fn undisturbed(payments: &str) -> BTreeMap<String, String> {
    let scheme = shop("wall", payments);
    paid(&scheme, 8);
    scheme.close("2026-03-08");
    set(&scheme, "2026-03-09T10:00:05+08:00");
    paid(&scheme, 9);
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "send_reminders"]);
    let mails = mails(&scheme, "09");
    assert_eq!(names(&mails), ["LATE", "NOTICED", "SOON", "TODAY"]);
    assert!(mails["LATE"].contains("To pay: CNY 105.00"), "{}", mails["LATE"]);
    mails
}

async fn in_the_store(scheme: &Scheme, statement: &str) {
    let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
    let mut store = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut store).await.unwrap();
    store.close().await.unwrap();
}

/// Makes every seal fail from now on.
async fn break_seals(scheme: &Scheme) {
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON sealed_day BEGIN SELECT RAISE(ABORT, 'no seal today'); END";
    in_the_store(scheme, trigger).await;
}

async fn mend_seals(scheme: &Scheme) {
    in_the_store(scheme, "DROP TRIGGER broken").await;
}

fn close_fails(scheme: &Scheme, why: &str) {
    let told = scheme.run_failing(&["close", "--through", "2026-03-08"], 1);
    assert!(told.contains(why), "{told}");
    assert!(scheme.run_failing(&["status"], 1).contains("open business date  2026-03-08"));
}

/// A shop on the 9th, whose 8th could not be sealed in the night.
async fn in_the_morning_after_a_failed_seal() -> Scheme {
    let scheme = shop("wall", "");
    paid(&scheme, 8);
    break_seals(&scheme).await;
    close_fails(&scheme, "no seal today");
    set(&scheme, "2026-03-09T10:00:05+08:00");
    scheme
}

#[tokio::test]
async fn a_seal_that_failed_costs_no_mail_of_the_next_day() {
    let expected = undisturbed("");
    let scheme = in_the_morning_after_a_failed_seal().await;
    let daemon = Daemon::start(&scheme);
    let started = Instant::now();
    while mails(&scheme, "09").len() < 4 {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", mails(&scheme, "09").keys());
        std::thread::sleep(Duration::from_millis(100));
    }
    daemon.stop();
    // The day's end was decided before its seal failed. So the mails ask for the amounts at that day's end, with its
    // fee.
    assert_eq!(mails(&scheme, "09"), expected);
    mend_seals(&scheme).await;
    set(&scheme, "2026-03-09T12:00:05+08:00");
    scheme.close("2026-03-08");
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(mails(&scheme, "09"), expected);
    set(&scheme, "2026-03-10T10:00:05+08:00");
    scheme.close("2026-03-09");
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(names(&mails(&scheme, "10")), ["PAST", "TODAY"]);
    scheme.run(&["verify"]);
}

#[test]
fn without_a_file_of_payments_only_what_is_overdue_waits() {
    let keys = "expected_by = \"09:00\"\nwhen_missing = \"stop\"";
    let expected = undisturbed(keys);
    let scheme = shop("wall", keys);
    close_fails(&scheme, "no file of payments for 2026-03-08 has come");
    set(&scheme, "2026-03-09T10:00:05+08:00");
    let send = || {
        scheme.run(&["job", "ingest_files"]);
        scheme.run(&["job", "send_reminders"]);
        mails(&scheme, "09")
    };
    assert_eq!(names(&send()), ["SOON", "TODAY"]);
    assert!(scheme.run(&["explain", "LATE"]).contains(WITHOUT_NEWS));
    // The file of the 8th is not enough: the file of the 9th is expected as well, although the 8th is still open.
    paid(&scheme, 8);
    assert_eq!(names(&send()), ["SOON", "TODAY"]);
    // The file of the 9th arrives, but cannot be read before its day is open.
    paid(&scheme, 9);
    assert_eq!(names(&send()), ["SOON", "TODAY"]);
    assert!(scheme.run(&["explain", "LATE"]).contains(WITHOUT_NEWS));
    scheme.close("2026-03-08");
    assert_eq!(send(), expected);
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn payments_that_lie_unread_in_the_inbox_are_waited_for() {
    let expected = undisturbed("");
    let scheme = in_the_morning_after_a_failed_seal().await;
    // LATE has paid, but the file with the payment cannot be read yet.
    scheme.write("paid/payments-2026-03-09.csv", format!("{PAYMENTS}P1,LATE,100.00,CNY,2026-03-08 12:00:00\n"));
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(names(&mails(&scheme, "09")), ["SOON", "TODAY"]);
    assert!(scheme.run(&["explain", "LATE"]).contains(WITHOUT_NEWS));
    mend_seals(&scheme).await;
    scheme.close("2026-03-08");
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "send_reminders"]);
    let sent = mails(&scheme, "09");
    assert_eq!(names(&sent), ["NOTICED", "SOON", "TODAY"]);
    assert_eq!(sent["NOTICED"], expected["NOTICED"]);
}

#[test]
fn an_inbox_of_payments_that_is_gone_is_no_news_of_money() {
    let expected = undisturbed("");
    let scheme = shop("wall", "");
    fs::rename(scheme.path("paid"), scheme.path("unmounted")).unwrap();
    close_fails(&scheme, "the inbox");
    set(&scheme, "2026-03-09T10:00:05+08:00");
    scheme.run_failing(&["job", "ingest_files"], 1);
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(names(&mails(&scheme, "09")), ["SOON", "TODAY"]);
    assert!(scheme.run(&["explain", "LATE"]).contains(WITHOUT_NEWS));
    fs::rename(scheme.path("unmounted"), scheme.path("paid")).unwrap();
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "send_reminders"]);
    // A notice becomes due by the close, and waits for the close.
    assert_eq!(names(&mails(&scheme, "09")), ["LATE", "SOON", "TODAY"]);
    scheme.close("2026-03-08");
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(mails(&scheme, "09"), expected);
}

/// On the business clock, the next day begins with the close, and its mails follow the close: the same mails, each
/// once.
#[tokio::test]
async fn on_the_business_clock_a_failed_close_changes_no_mail() {
    for missing in [false, true] {
        let keys = "expected_by = \"09:00\"\nwhen_missing = \"stop\"";
        let undisturbed = shop("business", keys);
        for day in 8..=10 {
            paid(&undisturbed, day);
        }
        undisturbed.close("2026-03-10");

        let scheme = shop("business", keys);
        if missing {
            close_fails(&scheme, "no file of payments for 2026-03-08 has come");
            assert!(scheme.run(&["explain", "PAST"]).contains(WITHOUT_NEWS));
            assert_eq!(names(&mails(&scheme, "08")), ["LATE"]);
        } else {
            paid(&scheme, 8);
            break_seals(&scheme).await;
            close_fails(&scheme, "no seal today");
            scheme.run(&["job", "send_reminders"]);
            assert_eq!(names(&mails(&scheme, "08")), ["LATE", "PAST"]);
            mend_seals(&scheme).await;
        }
        for day in 8..=10 {
            paid(&scheme, day);
        }
        scheme.close("2026-03-10");
        for day in ["08", "09", "10"] {
            assert_eq!(mails(&scheme, day), mails(&undisturbed, day), "{day}, {missing}");
        }
        assert_eq!(names(&mails(&scheme, "08")), ["LATE", "PAST"]);
        assert_eq!(names(&mails(&scheme, "09")), ["LATE", "NOTICED", "SOON", "TODAY"]);
        scheme.run(&["verify"]);
    }
}
