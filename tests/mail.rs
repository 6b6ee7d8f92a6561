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
