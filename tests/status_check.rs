//! `status --check`: one line for cron and Nagios, and each reason that it gives. Runs the real program by a wall clock of
//! its own.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::wall_clock::{Daemon, set, with_a_clock_of_its_own};
use crate::support::{POLICY, Scheme};

const ORDER: (&str, &str) = (
    "orders-2026-03-01.csv",
    "order_id,customer_id,amount,currency,ordered_at\nO1,C1,100.00,CNY,2026-03-01 09:00:00\n",
);

/// A shop that goes by the wall clock, which shows this time in Shanghai.
fn shop(policy: &str, at: &str) -> Scheme {
    let mut scheme = Scheme::shop(policy).with_customer(&[ORDER]);
    let config = scheme.read("paylater.toml").replace("clock = \"business\"", "clock = \"wall\"");
    scheme.write("paylater.toml", config);
    with_a_clock_of_its_own(&mut scheme);
    set_to(&scheme, at);
    scheme
}

fn set_to(scheme: &Scheme, at: &str) {
    set(scheme, &format!("{}:00+08:00", at.replace(' ', "T")));
}

/// Returns the reasons, each as `CODE message`. Checks that text, JSON and exit status agree.
fn reasons(scheme: &Scheme, more: &[&str]) -> Vec<String> {
    let arguments = [&["status", "--check"], more].concat();
    let output = scheme.command(&arguments).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    let output = scheme.command(&[&["--json"], &arguments[..]].concat()).output().unwrap();
    let check: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), check["ok"].as_bool()),
        (Some(i32::from(!line.starts_with("OK: "))), Some(line.starts_with("OK: ")))
    );
    let reason =
        |reason: &Json| format!("{} {}", reason["code"].as_str().unwrap(), reason["message"].as_str().unwrap());
    let reasons: Vec<String> = check["reasons"].as_array().unwrap().iter().map(reason).collect();
    let in_line = |reason: &String| line.contains(&reason.replacen(' ', ": ", 1));
    assert!(reasons.iter().all(in_line), "{line}\n{reasons:?}");
    assert_eq!(check["ok"], reasons.is_empty());
    reasons
}

const NONE: [&str; 0] = [];

#[test]
fn days_behind_count_from_two_hours_after_the_close() {
    let scheme = shop(POLICY, "2026-03-03 12:00");
    scheme.close("2026-03-02");
    assert_eq!(reasons(&scheme, &[]), NONE);
    let line = scheme.run(&["status", "--check"]);
    assert_eq!(line, "OK: 2026-03-02 is sealed, 2026-03-03 is open\n");
    // The close of the 3rd is at 00:30 of the 4th.
    for (at, expected) in [
        ("2026-03-04 00:29", ""),
        ("2026-03-04 02:29", ""),
        ("2026-03-04 02:31", "BEHIND 1 day is over and not closed, the first is 2026-03-03"),
        ("2026-04-29 12:00", "BEHIND 57 days are over and not closed, the first is 2026-03-03"),
    ] {
        set_to(&scheme, at);
        assert_eq!(reasons(&scheme, &[]).join("; "), expected, "{at}");
    }
    // Nobody expects a daemon where days are closed by hand. With the business clock, nothing is behind.
    let config = scheme.read("paylater.toml").replace("clock = \"wall\"", "clock = \"business\"");
    scheme.write("paylater.toml", config);
    assert_eq!(reasons(&scheme, &[]), NONE);
}

#[tokio::test]
async fn days_behind_on_postgres() {
    let scheme = shop(POLICY, "2026-03-05 12:00").on_postgres().await;
    scheme.close("2026-03-02");
    assert_eq!(reasons(&scheme, &[]), ["BEHIND 2 days are over and not closed, the first is 2026-03-03"]);
}

#[test]
fn a_daemon_that_stopped_is_missed_until_days_are_closed_without_it() {
    let scheme = shop(POLICY, "2026-03-02 12:05");
    let daemon = Daemon::start(&scheme);
    let started = Instant::now();
    let ingested = || {
        // While the daemon brings the tables up to date, there is no status.
        let output = scheme.command(&["--json", "status"]).output().unwrap();
        let status: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["jobs"].as_array().is_some_and(|jobs| {
            jobs.iter().all(|job| {
                let is_skipped = job["next"].is_null() || job["job"] == "send_reminders";
                is_skipped || job["last"]["status"] == "done"
            })
        })
    };
    while !scheme.path("run/paylater.db").exists() || !ingested() {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing was done");
        std::thread::sleep(Duration::from_millis(200));
    }
    daemon.stop();
    set_to(&scheme, "2026-03-02 12:30");
    assert_eq!(reasons(&scheme, &[]), NONE);
    set_to(&scheme, "2026-03-02 13:05");
    let stopped = reasons(&scheme, &[]);
    assert!(
        stopped.len() == 1 && stopped[0].starts_with("DAEMON_STOPPED the daemon was stopped at 2026-03-02 12:"),
        "{stopped:?}"
    );
    set_to(&scheme, "2026-03-04 12:00");
    assert_eq!(reasons(&scheme, &[]).len(), 2, "behind, and no daemon");
    scheme.close("2026-03-03");
    assert_eq!(reasons(&scheme, &[]), NONE);
}

#[test]
fn a_daemon_that_was_killed() {
    let scheme = shop(POLICY, "2026-03-02 12:05");
    let daemon = Daemon::start(&scheme);
    let started = Instant::now();
    let state = || {
        let output = scheme.command(&["--json", "status"]).output().unwrap();
        let status: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["daemon"]["state"].as_str().unwrap_or_default().to_owned()
    };
    while state() != "running" {
        assert!(started.elapsed() < Duration::from_secs(120), "it does not run");
        std::thread::sleep(Duration::from_millis(200));
    }
    let output = scheme.command(&["status", "--check"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!told.contains("DAEMON_STOPPED"), "{told}");
    drop(daemon);
    while state() != "killed" {
        assert!(started.elapsed() < Duration::from_secs(120), "it is still there");
        std::thread::sleep(Duration::from_millis(200));
    }
    let missed = reasons(&scheme, &[]);
    assert!(missed.iter().any(|reason| reason.starts_with("DAEMON_STOPPED the daemon ")), "{missed:?}");
}

#[test]
fn a_job_that_failed_until_it_is_made_good() {
    let scheme = shop(POLICY, "2026-03-02 12:00");
    scheme.close("2026-03-01");
    let inbox = scheme.path("inbox");
    // A job that finds its folder gone fails.
    std::fs::rename(&inbox, scheme.path("elsewhere")).unwrap();
    scheme.run_failing(&["job", "ingest_files"], 1);
    let failed = reasons(&scheme, &[]);
    assert!(
        failed.iter().any(|reason| reason.starts_with("JOB_FAILED ingest_files for 2026-03-02 failed: ")),
        "{failed:?}"
    );
    std::fs::rename(scheme.path("elsewhere"), &inbox).unwrap();
    scheme.run(&["job", "ingest_files"]);
    assert_eq!(reasons(&scheme, &[]), NONE);
}

#[test]
fn files_that_have_not_come_and_exceptions_that_are_old() {
    let scheme = shop(POLICY, "2026-03-02 12:00");
    scheme.close("2026-03-01");
    let without = scheme.read("paylater.toml");
    scheme.write(
        "paylater.toml",
        without.replace("name = \"payments\"\n", "name = \"payments\"\nexpected_by = \"10:00\"\n"),
    );
    set_to(&scheme, "2026-03-02 09:00");
    assert_eq!(reasons(&scheme, &[]), NONE);
    set_to(&scheme, "2026-03-02 12:00");
    let overdue = reasons(&scheme, &[]);
    assert_eq!(overdue, ["FILE_OVERDUE no file of payments for 2026-03-02 has come (feed payments)"]);
    scheme.write(
        "inbox/payments-2026-03-02.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,O9,1.00,CNY,2026-03-02 10:00:00\n",
    );
    scheme.run(&["job", "ingest_files"]);
    assert_eq!(reasons(&scheme, &[]), NONE);
    set_to(&scheme, "2026-03-20 12:00");
    scheme.write("paylater.toml", without);
    scheme.close("2026-03-19");
    // The payment's order never came: an exception since the policy's `pending_days` were over.
    let old = reasons(&scheme, &["--max-age", "2"]);
    assert!(old.len() == 1 && old[0].starts_with("EXCEPTIONS_OLD 1 exception is open for more than 2 days"), "{old:?}");
    assert_eq!(reasons(&scheme, &["--max-age", "100"]), NONE);
}

#[test]
fn mails_that_failed_or_wait() {
    let policy = format!("{POLICY}\n[version.reminders]\nsteps = [0]\n");
    let mut scheme = shop(&policy, "2026-03-08 12:00");
    scheme.env.push(("PAYLATER_SMTP_URL".to_owned(), "smtp://127.0.0.1:9".to_owned()));
    let config = scheme.read("paylater.toml").replace("transport = \"folder\"", "transport = \"smtp\"");
    scheme.write("paylater.toml", config);
    scheme.close("2026-03-07");
    scheme.command(&["job", "send_reminders"]).output().unwrap();
    assert!(!reasons(&scheme, &[]).iter().any(|reason| reason.starts_with("MAIL_TROUBLE")), "its time is not over");
    set_to(&scheme, "2026-03-08 14:00");
    let waits = reasons(&scheme, &[]);
    assert!(waits.contains(&"MAIL_TROUBLE 1 mail waits although the time to send is over".to_owned()), "{waits:?}");
}
