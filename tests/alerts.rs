//! Alerts and pings: each trouble is told once, and once when it is over, by mail and to webhooks; a receiver that hangs holds up
//! nothing. Runs the real program against real receivers.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::daemon::{Daemon, EVERY_SECOND, jobs, wait_for};
use crate::support::receiver::{HttpReceiver, Manner};
use crate::support::smtp::SmtpServer;
use crate::support::{POLICY, Scheme};

/// The part of each URL that only its receiver knows.
const SECRET: &str = "s3cret-9d1f";

/// A shop whose Sunday's file of payments, of 1 March, does not come.
fn shop(more: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    let config = scheme.read("paylater.toml").replace(
        "name = \"payments\"\n",
        "name = \"payments\"\nexpected_by = \"10:00\"\ndays = [\"sunday\"]\nwhen_missing = \"go_on\"\n",
    );
    scheme.write("paylater.toml", format!("{config}{more}"));
    scheme
}

/// What a webhook of the usual format was told: status, code and what it is about.
fn told(receiver: &HttpReceiver) -> Vec<String> {
    let calls = receiver.calls().into_iter().filter(|called| called.path.starts_with("/hook"));
    let bodies = calls.map(|called| serde_json::from_str::<Json>(&called.body).unwrap());
    let alert = |alert: &Json| {
        let text = |path: &str| alert.pointer(path).unwrap().as_str().unwrap().to_owned();
        format!("{} {} {}", text("/status"), text("/labels/alertname"), text("/labels/about"))
    };
    let mut told: Vec<String> =
        bodies.flat_map(|body| body["alerts"].as_array().unwrap().clone()).map(|a| alert(&a)).collect();
    told.sort_unstable();
    told
}

fn webhook(receiver: &HttpReceiver, more: &str) -> String {
    format!("[alerts]\nwebhook_url = \"{}\"\n{more}\n", receiver.url(&format!("/hook/{SECRET}")))
}

#[test]
fn a_close_that_fails_is_told_once_and_once_when_it_is_over() {
    let (web, mail) = (HttpReceiver::start(), SmtpServer::start());
    let alerts = webhook(&web, "mail = [\"ops@example.com\", \"second@example.com\"]\npatience_minutes = 0");
    let mut scheme = shop(&alerts);
    scheme.env.push(("PAYLATER_SMTP_URL".to_owned(), mail.url()));
    let config = scheme.read("paylater.toml").replace("\"folder\"", "\"smtp\"");
    scheme.write("paylater.toml", config);
    std::fs::rename(scheme.path("inbox"), scheme.path("unmounted")).unwrap();
    jobs(&scheme, &[("close_day", "0 0 0 1 1 *", "retries = 1000\nretry_seconds = 1")]);
    let mut daemon = Daemon::start(&scheme);
    wait_for("an alert", &scheme, || told(&web).contains(&"firing JOB_FAILED close_day".to_owned()));
    // Meanwhile it fails again and again.
    let failures = || scheme.read("log").matches("the job is tried again").count();
    let failed = failures();
    wait_for("more failures", &scheme, || failures() > failed);
    std::fs::rename(scheme.path("unmounted"), scheme.path("inbox")).unwrap();
    scheme.close("2026-03-01");
    wait_for("the end", &scheme, || told(&web).contains(&"resolved JOB_FAILED close_day".to_owned()));
    let about_close = told(&web).into_iter().filter(|told| told.ends_with("close_day")).collect::<Vec<_>>();
    assert_eq!(about_close, ["firing JOB_FAILED close_day", "resolved JOB_FAILED close_day"]);
    let about = |to: &str| {
        let mails = mail.received().into_iter().filter(|mail| mail.to == [to]);
        let texts = mails.map(|mail| String::from_utf8_lossy(&mail.content).replace("=\r\n", ""));
        texts.filter(|text| text.contains("JOB_FAILED close_day")).collect::<Vec<_>>()
    };
    for to in ["ops@example.com", "second@example.com"] {
        wait_for("both mails", &scheme, || about(to).len() == 2);
        let mails = about(to);
        assert!(mails[0].contains("the inbox") && mails[0].contains("What to do: Put right what the message names."));
        assert!(mails[1].contains("over: JOB_FAILED close_day"), "{}", mails[1]);
    }
    daemon.stop();
    let log = scheme.read("log");
    assert!(!log.contains(SECRET) && !log.contains("ops@example.com"), "{log}");
}

/// Closes days without a daemon, one of which lacks a file.
fn tells_of_a_missing_file(scheme: &Scheme, web: &HttpReceiver) {
    let file = "FILE_OVERDUE payments 2026-03-01";
    scheme.close("2026-03-01");
    assert_eq!(told(web), [format!("firing {file}")]);
    scheme.close("2026-03-02");
    assert_eq!(web.calls().len(), 1, "it was told already");
    let listed: Json = serde_json::from_str(&scheme.run(&["--json", "alerts"])).unwrap();
    assert_eq!(listed["alerts"][0]["about"], "payments 2026-03-01");
    assert_eq!(listed["receivers"].as_array().unwrap().len(), 1);
    scheme.write("inbox/payments-2026-03-01.csv", "payment_id,order_id,amount,currency,paid_at\n");
    scheme.run(&["job", "ingest_files"]);
    assert_eq!(told(web), [format!("firing {file}"), format!("resolved {file}")]);
    assert!(scheme.run(&["alerts"]).contains("No alert is open."));
}

#[test]
fn commands_tell_where_no_daemon_runs() {
    let web = HttpReceiver::start();
    tells_of_a_missing_file(&shop(&webhook(&web, "")), &web);
}

#[tokio::test]
async fn commands_tell_on_postgres() {
    let web = HttpReceiver::start();
    tells_of_a_missing_file(&shop(&webhook(&web, "")).on_postgres().await, &web);
}

#[test]
fn mail_to_a_folder_and_text_for_chats() {
    let web = HttpReceiver::start();
    let scheme = shop(&webhook(&web, "webhook_format = \"text\"\nmail = [\"ops@example.com\"]"));
    scheme.close("2026-03-01");
    let body: Json = serde_json::from_str(&web.calls()[0].body).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("Test: FILE_OVERDUE payments 2026-03-01\n\nFILE_OVERDUE payments 2026-03-01, since "),
        "{text}"
    );
    assert!(
        text.contains("no file of payments for 2026-03-01 has come (feed payments)\nWhat to do: Ask the sender"),
        "{text}"
    );
    let mails: Vec<_> =
        std::fs::read_dir(scheme.path("run/mail")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = std::fs::read_to_string(&mails[0]).unwrap();
    assert!(
        mail.contains("To: ops@example.com") && mail.contains("Subject: Test: FILE_OVERDUE payments 2026-03-01"),
        "{mail}"
    );
}

#[test]
fn receivers_that_hang_hold_up_nothing_and_get_it_later() {
    let web = HttpReceiver::start();
    web.behave(Manner::Hangs);
    let ping = format!("[[ping]]\nof = \"close_day\"\nurl = \"{}\"\n", web.url(&format!("/ping/{SECRET}")));
    let scheme = shop(&(webhook(&web, "") + &ping));
    jobs(&scheme, &[("close_day", "*/2 * * * * *", ""), ("write_reconciliation", EVERY_SECOND, "")]);
    let mut daemon = Daemon::start(&scheme);
    wait_for("a call", &scheme, || web.paths().iter().any(|path| path.starts_with("/hook")));
    let called = Instant::now();
    let days = || std::fs::read_dir(scheme.path("run/reconciliation")).map_or(0, Iterator::count);
    let before = days();
    wait_for("further closes", &scheme, || days() >= before + 2);
    assert!(called.elapsed() < Duration::from_secs(60), "the close waited: {:?}", called.elapsed());
    let checked = || {
        let output = scheme.command(&["status", "--check"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait_for("two silent receivers", &scheme, || checked().matches("RECEIVER_SILENT").count() == 2);
    let line = checked();
    assert!(
        line.contains("webhook has taken nothing since") && line.contains("ping of close_day has taken nothing"),
        "{line}"
    );
    assert!(line.contains("it does not answer within 10 seconds") && !line.contains(SECRET), "{line}");
    assert!(scheme.run_failing(&["alerts", "--test"], 1).contains("did not take the test"));
    web.behave(Manner::Answers(200));
    scheme.run(&["alerts", "--test"]);
    wait_for("nothing silent", &scheme, || !checked().contains("RECEIVER_SILENT"));
    let file = "firing FILE_OVERDUE payments 2026-03-01".to_owned();
    wait_for("the alert", &scheme, || told(&web).iter().filter(|told| **told == file).count() >= 2);
    daemon.stop();
    assert!(!scheme.read("log").contains(SECRET));
}

#[test]
fn pings_tell_when_runs_begin_succeed_and_fail() {
    let web = HttpReceiver::start();
    let url = |name: &str| web.url(&format!("/{SECRET}/{name}"));
    let mut scheme = shop(&format!(
        "[[ping]]\nof = \"close_day\"\nurl_file = \"close.url\"\n\
         [[ping]]\nof = \"ingest_files\"\nurl = \"{}?x=1\"\n[[ping]]\nof = \"daemon\"\nurl_env = \"DAEMON_PING\"\n",
        url("ingest")
    ));
    scheme.write("close.url", format!("{}\n", url("close")));
    scheme.env.push(("DAEMON_PING".to_owned(), url("daemon")));
    let about = |name: &str| {
        let prefix = format!("/{SECRET}/{name}");
        web.paths().into_iter().filter_map(|path| Some(path.strip_prefix(&prefix)?.to_owned())).collect::<Vec<_>>()
    };
    // By commands.
    scheme.close("2026-03-01");
    assert_eq!(about("close"), ["/start", ""]);
    std::fs::rename(scheme.path("inbox"), scheme.path("unmounted")).unwrap();
    scheme.run_failing(&["job", "ingest_files"], 1);
    assert_eq!(about("ingest"), ["/start?x=1", "/fail?x=1"]);
    // By the daemon: a failure that is tried again soon is not reported.
    jobs(&scheme, &[("close_day", "0 0 0 1 1 *", "retries = 1000\nretry_seconds = 1")]);
    let mut daemon = Daemon::start(&scheme);
    wait_for("attempts", &scheme, || about("close").len() > 4);
    wait_for("the daemon's ping", &scheme, || about("daemon") == [""]);
    std::fs::rename(scheme.path("unmounted"), scheme.path("inbox")).unwrap();
    wait_for("success", &scheme, || about("close").last().is_some_and(String::is_empty));
    let of_daemon = about("close").split_off(2);
    assert!(of_daemon[..of_daemon.len() - 1].iter().all(|path| path == "/start"), "{of_daemon:?}");
    daemon.stop();
    assert!(!scheme.read("log").contains(SECRET));
}
