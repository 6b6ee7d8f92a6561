//! Mail over a real SMTP connection: mails are sent once, refused, tried again, and never sent twice after a stop.

use crate::support::Scheme;
use crate::support::smtp::{Answer, SmtpServer};

fn sample_by_smtp(server: &SmtpServer) -> Scheme {
    let mut scheme = Scheme::sample();
    let config = scheme.read("sample-data/paylater.toml").replacen("transport = \"folder\"", "transport = \"smtp\"", 1);
    scheme.write("sample-data/paylater.toml", config);
    scheme.env.push(("PAYLATER_SMTP_URL".to_owned(), server.url()));
    scheme
}

#[test]
fn the_first_days_mails_reach_the_server_once() {
    let server = SmtpServer::start();
    let scheme = sample_by_smtp(&server);
    scheme.close("2026-03-08");
    let received = server.received();
    let status: serde_json::Value = serde_json::from_str(&scheme.run(&["status", "--json"])).unwrap();
    assert!(!received.is_empty());
    assert_eq!(status["mails"]["sent"], received.len());
    let ids: std::collections::BTreeSet<String> = received
        .iter()
        .map(|mail| {
            let content = String::from_utf8_lossy(&mail.content).into_owned();
            content.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), received.len(), "a Message-ID came twice");
    scheme.close("2026-03-08");
    assert_eq!(server.received().len(), received.len(), "a second run sent again");
}

#[test]
fn a_refused_address_is_not_written_to_again_and_finance_is_told() {
    let server = SmtpServer::start();
    server.answer(Answer::to("RCPT", "550 5.1.1 no such mailbox"));
    let scheme = sample_by_smtp(&server);
    scheme.close("2026-03-12");
    assert!(server.received().is_empty());
    let exceptions = scheme.read("sample-run/reconciliation/2026-03-12/scheme_2026-03-12_exceptions.csv");
    assert!(exceptions.contains("MAIL_REFUSED"), "{exceptions}");
    assert!(!exceptions.contains('@') || !exceptions.contains("example.org"), "{exceptions}");
    // The books close anyway, and no order is flagged without a notice.
    let flagged = scheme.read("sample-run/reconciliation/2026-03-12/credit-impact_2026-03-12.csv");
    assert!(!flagged.contains("flagged"), "{flagged}");
    scheme.run(&["verify"]);
}

#[test]
fn a_server_that_is_away_costs_no_day() {
    let server = SmtpServer::start();
    server.answer(Answer::to("MAIL", "451 4.3.0 try again later"));
    let scheme = sample_by_smtp(&server);
    // The days are closed, and the close reports the waiting mails on the same day.
    let told = scheme.run_failing(&["close", "--through", "2026-03-06"], 1);
    assert!(told.contains("every day through 2026-03-06 is closed, but not all was sent"), "{told}");
    assert!(told.contains("not handed over, and left for the next run of today"), "{told}");
    let exceptions = scheme.read("sample-run/reconciliation/2026-03-06/scheme_2026-03-06_exceptions.csv");
    assert!(exceptions.contains("MAIL_DELAYED"), "{exceptions}");
    assert!(server.received().is_empty());
    server.answer_well();
    // Yesterday's reminder is out of date and is not sent; today's is sent.
    scheme.close("2026-03-07");
    let days: Vec<String> = server
        .received()
        .iter()
        .map(|mail| {
            let content = String::from_utf8_lossy(&mail.content).into_owned();
            content.lines().find(|line| line.starts_with("Message-ID:")).unwrap()["Message-ID: <".len()..][..8]
                .to_owned()
        })
        .collect();
    assert!(!days.is_empty());
    assert!(days.iter().all(|day| day == "20260307"), "{days:?}");
}

#[test]
fn a_notice_that_could_not_be_sent_is_tried_again_until_it_is() {
    let server = SmtpServer::start();
    server.answer(Answer::to("MAIL", "451 4.3.0 try again later"));
    let scheme = sample_by_smtp(&server);
    // The notice of T-STAR is due on the 15th, while the server is down.
    scheme.run_failing(&["close", "--through", "2026-03-16"], 1);
    let told = scheme.run(&["explain", "T-STAR"]);
    assert!(told.contains("notice") && !told.contains("the notice was sent"), "{told}");
    server.answer_well();
    scheme.close("2026-03-22");
    let told = scheme.run(&["explain", "T-STAR"]);
    assert!(told.contains("2026-03-17  mail notice (notice 2026-03-17) sent"), "{told}");
    assert!(told.contains("2026-03-22  credit record: reported as late"), "{told}");
    scheme.run(&["verify"]);
}

#[test]
fn nobody_is_reminded_of_what_they_paid_this_morning() {
    let scheme = Scheme::shop(
        "[[version]]\neffective_from = \"2026-01-01\"\ncurrency = \"CNY\"\nclock = \"ordered\"\n\
         bands = [ { score = 500, limit = \"1000.00\", term = 0 } ]\nlate_fee = { kind = \"none\" }\n\
         reminders = { steps = [0] }\n",
    );
    scheme.write(
        "inbox/customers-2026-03-01.csv",
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
         C1,Ann,c1@example.com,en,Asia/Shanghai,700,true,true\nC2,Bob,c2@example.com,en,Asia/Shanghai,700,true,true\n",
    );
    scheme.write(
        "inbox/agreements-2026-03-01.csv",
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\n\
         A1,C1,SHOP,open,2026-02-01,true\nA2,C2,SHOP,open,2026-02-01,true\n",
    );
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nO1,C1,5.00,CNY,2026-03-01\nO2,C2,5.00,CNY,2026-03-01\n",
    );
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "assess_positions"]);
    scheme.write(
        "inbox/payments-2026-03-01.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,O1,5.00,CNY,2026-03-01 08:00:00\n",
    );
    scheme.run(&["job", "ingest_files"]);
    scheme.run(&["job", "send_reminders"]);
    let mails = crate::support::files_below(&scheme.path("run"), &["mail"]);
    let to: Vec<bool> = mails.values().map(|mail| String::from_utf8_lossy(mail).contains("c2@example.com")).collect();
    assert_eq!(to, [true], "only the customer who has not paid is written to");
}

/// Returns the number of a day's mails in each status.
fn statuses(scheme: &Scheme, day: &str) -> std::collections::BTreeMap<String, i64> {
    let url = format!("sqlite:{}", scheme.path("sample-run/paylater.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut books = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "SELECT status, COUNT(*) FROM mail WHERE business_date = $1 GROUP BY status";
        sqlx::query_as(sql).bind(day).fetch_all(&mut books).await.unwrap().into_iter().collect()
    })
}

#[test]
fn a_stop_while_mails_are_sent_leaves_only_those_on_the_wire_in_doubt() {
    let server = SmtpServer::start();
    let scheme = sample_by_smtp(&server);
    scheme.close("2026-03-08");
    // The server accepts every message but does not reply at its end: four mails are in transit.
    server.answer(Answer::silence("."));
    let mut sending = scheme.command(&["job", "send_reminders"]).spawn().unwrap();
    let started = std::time::Instant::now();
    let on_the_wire = || statuses(&scheme, "2026-03-09").get("sending").copied().unwrap_or(0);
    while on_the_wire() < 4 {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", statuses(&scheme, "2026-03-09"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    // The mails are marked before they are on the wire; the server must have them whole before it answers again.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let planned = statuses(&scheme, "2026-03-09");
    assert_eq!(planned["sending"], 4, "{planned:?}");
    assert!(planned["queued"] > 4, "{planned:?}");
    sending.kill().unwrap();
    sending.wait().unwrap();
    server.answer_well();
    let before = server.received().len();
    scheme.run(&["job", "send_reminders"]);
    let after = statuses(&scheme, "2026-03-09");
    assert_eq!(after.get("unknown").copied(), Some(4), "{after:?}");
    assert_eq!(after["sent"], planned["queued"], "{after:?}");
    assert_eq!(server.received().len() - before, usize::try_from(planned["queued"]).unwrap());
    scheme.close("2026-03-09");
    let exceptions = scheme.read("sample-run/reconciliation/2026-03-09/scheme_2026-03-09_exceptions.csv");
    assert_eq!(exceptions.matches("MAIL_UNKNOWN").count(), 4, "{exceptions}");
}

#[test]
fn a_connection_lost_after_the_message_is_not_tried_again() {
    let server = SmtpServer::start();
    let scheme = sample_by_smtp(&server);
    scheme.close("2026-03-08");
    server.answer(Answer::hang_up("."));
    scheme.run(&["job", "send_reminders"]);
    let lost = statuses(&scheme, "2026-03-09");
    assert_eq!(lost.keys().map(String::as_str).collect::<Vec<_>>(), ["unknown"], "{lost:?}");
    server.answer_well();
    let before = server.received().len();
    scheme.run(&["job", "send_reminders"]);
    assert_eq!(server.received().len(), before, "a mail that may have been taken was sent again");
}

#[test]
fn a_mail_folder_that_cannot_be_written_is_trouble_and_loses_nothing() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-08");
    let mails = crate::support::files_below(&scheme.path("sample-run"), &["mail"]).len();
    std::fs::rename(scheme.path("sample-run/mail"), scheme.path("mail")).unwrap();
    std::fs::write(scheme.path("sample-run/mail"), "in the way").unwrap();
    let told = scheme.run_failing(&["job", "send_reminders"], 1);
    assert!(
        told.contains("not handed over, and left for the next run of today")
            && told.contains("cannot write the mail's file"),
        "{told}"
    );
    std::fs::remove_file(scheme.path("sample-run/mail")).unwrap();
    std::fs::rename(scheme.path("mail"), scheme.path("sample-run/mail")).unwrap();
    scheme.run(&["job", "send_reminders"]);
    let after = statuses(&scheme, "2026-03-09");
    assert_eq!(after.keys().map(String::as_str).collect::<Vec<_>>(), ["sent"], "{after:?}");
    let now = crate::support::files_below(&scheme.path("sample-run"), &["mail"]).len();
    assert_eq!(now - mails, usize::try_from(after["sent"]).unwrap());
}

/// A shop with one customer and two orders of the first day, whose policy tells of what happens.
fn telling_shop(events: &str) -> Scheme {
    let scheme = Scheme::shop(&format!(
        "[[version]]\neffective_from = \"2026-01-01\"\ncurrency = \"CNY\"\nclock = \"ordered\"\n\
         bands = [ {{ score = 500, limit = \"1000.00\", term = 3 }} ]\nlate_fee = {{ kind = \"flat\", amount = \"5.00\" }}\n\
         extension = {{ times = 1, days = 7 }}\nreminders = {{ steps = [0, 1], events = [{events}] }}\n"
    ));
    scheme.write(
        "inbox/customers-2026-03-01.csv",
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\n\
         C1,Ann,c1@example.com,en,Asia/Shanghai,700,true,true\n",
    );
    scheme.write(
        "inbox/agreements-2026-03-01.csv",
        "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\nA1,C1,SHOP,open,2026-02-01,true\n",
    );
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nO1,C1,49.50,CNY,2026-03-01\nO2,C1,20.00,CNY,2026-03-01\n",
    );
    scheme.write(
        "inbox/payments-2026-03-03.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,O2,20.00,CNY,2026-03-03 09:00:00\n",
    );
    scheme
}

/// Day, template and status of each mail, oldest first.
fn mails(scheme: &Scheme) -> Vec<(String, String, String)> {
    let list: serde_json::Value = serde_json::from_str(&scheme.run(&["--json", "mails"])).unwrap();
    let mails = list["mails"].as_array().unwrap().iter().rev();
    let text = |mail: &serde_json::Value, key: &str| mail[key].as_str().unwrap().to_owned();
    mails.map(|mail| (text(mail, "business_date"), text(mail, "template"), text(mail, "status"))).collect()
}

const TOLD: &str = "\"order_accepted\", \"payment_received\", \"fee_charged\"";

#[test]
fn what_happened_is_told_once_and_together_with_what_is_due() {
    check_what_is_told(&telling_shop(TOLD));
}

#[tokio::test]
async fn the_same_is_told_on_postgres() {
    check_what_is_told(&telling_shop(TOLD).on_postgres().await);
}

fn check_what_is_told(scheme: &Scheme) {
    scheme.close("2026-03-08");
    let sent = |day: &str, template: &str| (day.to_owned(), template.to_owned(), "sent".to_owned());
    assert_eq!(
        mails(scheme),
        [
            // Both orders of the first day are one mail.
            sent("2026-03-02", "order_accepted"),
            // The payment of O2, and what is due of O1.
            sent("2026-03-04", "due_today"),
            // The fee of the day before, and the step after the due date: the gravest names the mail.
            sent("2026-03-05", "overdue"),
        ]
    );
    let accepted = scheme.run(&["mails", "show", "1"]);
    assert!(accepted.contains("your order is accepted") && accepted.contains("order O1"), "{accepted}");
    assert!(accepted.contains("CNY 49.50, due on 4 March 2026") && accepted.contains("order O2"), "{accepted}");
    let received = scheme.run(&["mails", "show", "2"]);
    assert!(received.contains("CNY 49.50 due today"), "{received}");
    assert!(received.contains("We received your payment of CNY 20.00, made on 3 March 2026"), "{received}");
    assert!(received.contains("Nothing is left to pay on this order."), "{received}");
    let overdue = scheme.run(&["mails", "show", "3"]);
    assert!(overdue.contains("CNY 54.50 past due"), "{overdue}");
    assert!(overdue.contains("A late fee was charged at the end of 4 March 2026: CNY 5.00."), "{overdue}");
    scheme.run(&["verify"]);
}

#[test]
fn what_a_policy_does_not_switch_on_is_not_told_and_seals_do_not_depend_on_it() {
    let (silent, telling) = (telling_shop(""), telling_shop("\"order_accepted\", \"payment_received\""));
    let seal = |scheme: &Scheme| {
        scheme.close("2026-03-06");
        let manifest: serde_json::Value =
            serde_json::from_str(&scheme.read("run/reconciliation/2026-03-06/manifest.json")).unwrap();
        manifest["seal"].as_str().unwrap().to_owned()
    };
    assert_eq!(seal(&silent), seal(&telling));
    let templates: Vec<String> = mails(&silent).into_iter().map(|(_, template, _)| template).collect();
    assert_eq!(templates, ["due_today", "overdue"]);
}

#[test]
fn mails_are_listed_shown_taken_back_and_sent_again() {
    let server = SmtpServer::start();
    server.answer(Answer::to("RCPT", "451 4.3.0 try again later"));
    let scheme = sample_by_smtp(&server);
    scheme.run_failing(&["close", "--through", "2026-03-06"], 1);
    let waiting: serde_json::Value = serde_json::from_str(&scheme.run(&["--json", "mails", "--last", "1"])).unwrap();
    let mail_no = &waiting["mails"][0]["mail_no"];
    let number = mail_no.to_string();
    let shown = scheme.run(&["mails", "show", &number]);
    assert!(shown.contains("451 4.3.0 try again later") && shown.contains("Message-ID"), "{shown}");
    assert!(scheme.run_failing(&["mails", "retry", "999999"], 2).contains("there is no mail 999999"));
    assert!(scheme.run_failing(&["mails", "retry", &number], 1).contains("only a mail that failed or is unknown"));
    let cancelled: serde_json::Value =
        serde_json::from_str(&scheme.run(&["--json", "mails", "cancel", &number])).unwrap();
    assert_eq!(cancelled["status"], "withdrawn");
    assert!(cancelled["error"].as_str().unwrap().starts_with("cancelled by "), "{cancelled}");
    server.answer_well();
    scheme.close("2026-03-06");
    let withdrawn: serde_json::Value =
        serde_json::from_str(&scheme.run(&["--json", "mails", "--status", "withdrawn"])).unwrap();
    let withdrawn = withdrawn["mails"].as_array().unwrap();
    assert!(withdrawn.iter().any(|mail| &mail["mail_no"] == mail_no), "{withdrawn:?}");
}

#[test]
fn a_mail_is_previewed_in_any_language_and_letter_and_templates_are_exported() {
    let scheme = telling_shop("");
    scheme.close("2026-03-05");
    let preview = |arguments: &[&str]| scheme.run(&[&["mails", "preview", "O1"], arguments].concat());
    let usual = preview(&[]);
    assert!(usual.starts_with("Test: CNY 54.50 past due"), "{usual}");
    assert!(preview(&["--lang", "zh-CN"]).contains("待付 ¥ 54.50"));
    assert!(preview(&["--letter", "second_reminder"]).contains("second reminder"));
    assert!(preview(&["--html"]).contains("<!DOCTYPE html>"));
    assert!(preview(&["--message"]).contains("MIME-Version: 1.0"));
    assert!(mails(&scheme).iter().all(|(.., status)| status == "sent"), "a preview plans nothing");
    scheme.run(&["mails", "templates", "--export", &scheme.path("ours").display().to_string()]);
    assert!(scheme.read("ours/en/overdue.txt").starts_with("Subject: "));
    let config = scheme.read("paylater.toml").replacen("[mail]\n", "[mail]\ntemplates = \"ours\"\n", 1);
    scheme.write("paylater.toml", config);
    scheme.write("ours/en/overdue.txt", "Subject: Pay {{ amount }}\n\n{{ table }}\n");
    assert!(preview(&[]).starts_with("Pay CNY 54.50"), "{}", preview(&[]));
    scheme.write("ours/en/overdue.txt", "Subject: Pay {{ amuont }}\n");
    assert!(scheme.run_failing(&["check"], 2).contains("unknown name \"amuont\""));
}

#[test]
fn who_unsubscribes_gets_no_more_reminders_and_an_address_that_bounces_no_mail() {
    let scheme = telling_shop("");
    let feed = "[[feed]]\nname = \"failures\"\nfolder = \"inbox\"\npattern = \"delivery_failures-{date}.csv\"\n\
                kind = \"delivery_failures\"\nsettle_seconds = 0\nreject_limit = { rows = 1000000 }\n";
    let config = scheme.read("paylater.toml") + feed;
    scheme.write("paylater.toml", config);
    scheme.write(
        "inbox/delivery_failures-2026-03-05.csv",
        "message_id,address,kind,at\n\
         <20260304-000001@example.com>,C1@example.com,unsubscribe,2026-03-04 12:00:00\n\
         20260304-000001@example.com,c1@example.com,unsubscribe,2026-03-04 12:00:00\n\
         20260304-000009@example.com,c1@example.com,bounce,2026-03-04 12:00:00\n\
         20260304-000001@example.com,c1@example.com,nothing,2026-03-04 12:00:00\n",
    );
    scheme.close("2026-03-06");
    let acknowledged = scheme.read("run/outbox/failures/delivery_failures-2026-03-05.csv.ack.csv");
    let outcomes: Vec<&str> = acknowledged.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "conflict", "rejected", "rejected"], "{acknowledged}");
    assert!(acknowledged.contains("UNKNOWN_MAIL"), "{acknowledged}");
    let sent: Vec<String> = mails(&scheme).into_iter().map(|(day, ..)| day).collect();
    assert_eq!(sent, ["2026-03-04"]);
    assert!(scheme.run(&["explain", "O1"]).contains("opted out"), "{}", scheme.run(&["explain", "O1"]));
}
