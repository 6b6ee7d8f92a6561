//! The daemon as a service: it goes on by itself, lets people work beside it, and does what signals ask.

use std::fs;
use std::time::{Duration, Instant};

use sqlx::Connection;

use crate::second_writer::{until_mails_are_due, with_mails};
use crate::support::daemon::{Daemon, EVERY_SECOND, NEXT_TO_NEVER, jobs, logged, runs, sealed, wait_for};
use crate::support::postgres::Server;
use crate::support::smtp::SmtpServer;
use crate::support::{POLICY, Scheme};

#[test]
fn a_mail_server_that_hangs_holds_up_neither_files_nor_the_close() {
    let mail = SmtpServer::start();
    let scheme = with_mails("sqlite:paylater.db", &mail);
    until_mails_are_due(&scheme);
    jobs(
        &scheme,
        &[
            ("ingest_files", EVERY_SECOND, ""),
            ("send_reminders", EVERY_SECOND, "catch_up = \"none\""),
            ("close_day", "*/5 * * * * *", ""),
            ("write_reconciliation", EVERY_SECOND, ""),
        ],
    );
    mail.hold();
    let mut daemon = Daemon::start(&scheme);
    wait_for("mails on the wire", &scheme, || mail.received().len() == 4);
    scheme.write(
        "inbox/orders-2026-03-01-late.csv",
        "order_id,customer_id,amount,currency,ordered_at\nLATE,C1,5.00,CNY,2026-03-01\n",
    );
    wait_for("the late file", &scheme, || scheme.run(&["files"]).contains("orders-2026-03-01-late.csv"));
    wait_for("the next day's close", &scheme, || sealed(&scheme, "2026-03-09"));
    assert_eq!(mail.received().len(), 4, "the mail server answered");
    mail.answer_well();
    daemon.stop();
    scheme.run(&["verify"]);
}

#[test]
fn a_close_that_failed_is_tried_again_soon() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    jobs(
        &scheme,
        &[("close_day", NEXT_TO_NEVER, "retries = 100\nretry_seconds = 1"), ("write_reconciliation", EVERY_SECOND, "")],
    );
    fs::rename(scheme.path("inbox"), scheme.path("unmounted")).unwrap();
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "the job is tried again in_seconds=1");
    fs::rename(scheme.path("unmounted"), scheme.path("inbox")).unwrap();
    wait_for("the close", &scheme, || sealed(&scheme, "2026-03-01"));
    daemon.stop();
    // The daemon's run; on the business clock, the close itself is recorded under the business date as well.
    let attempts: Vec<_> = runs(&scheme, &["--job", "close_day"])
        .into_iter()
        .filter(|run| run["scheduled_for"] == "2025-12-31T16:00:00Z")
        .collect();
    let statuses: Vec<&str> = attempts.iter().rev().map(|run| run["status"].as_str().unwrap()).collect();
    assert!(
        statuses.len() >= 2 && statuses[..statuses.len() - 1].iter().all(|status| *status == "failed"),
        "{statuses:?}"
    );
    assert_eq!(statuses.last(), Some(&"done"));
    let shown = scheme.run(&["runs", "show", &attempts[0]["run_no"].to_string()]);
    assert!(shown.contains("the inbox") && shown.contains("attempt 2"), "{shown}");
    scheme.run(&["verify"]);
}

#[test]
fn jobs_are_paused_resumed_and_backfilled_beside_the_daemon() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    jobs(&scheme, &[("watch_feeds", EVERY_SECOND, ""), ("ingest_files", NEXT_TO_NEVER, "")]);
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "running version");
    wait_for("a run", &scheme, || !runs(&scheme, &["--job", "watch_feeds", "--status", "done"]).is_empty());
    scheme.run(&["pause", "watch_feeds", "--why", "the shop moves"]);
    let is_paused = |run: &serde_json::Value| run["outcome"].as_str().unwrap_or_default().ends_with("the shop moves");
    let skipped = |scheme: &Scheme| runs(scheme, &["--job", "watch_feeds", "--status", "skipped"]);
    wait_for("a skipped run", &scheme, || skipped(&scheme).iter().any(is_paused));
    assert!(scheme.run(&["status"]).contains("the shop moves"));
    scheme.run(&["resume", "watch_feeds"]);
    let before = runs(&scheme, &["--job", "watch_feeds", "--status", "done"]).len();
    wait_for("a further run", &scheme, || runs(&scheme, &["--job", "watch_feeds", "--status", "done"]).len() > before);

    // One due time of ingest_files in each of these years has no run.
    let told = scheme.run(&["backfill", "ingest_files", "--from", "2024-12-31", "--to", "2025-01-02", "--dry-run"]);
    assert!(told.contains("2025-01-01 00:00:00") && told.contains("would run 1 time"), "{told}");
    assert!(runs(&scheme, &["--job", "ingest_files"]).iter().all(|run| run["scheduled_for"] != "2024-12-31T16:00:00Z"));
    scheme.run(&["backfill", "ingest_files", "--from", "2024-12-31", "--to", "2025-01-02"]);
    let is_done = |run: &serde_json::Value| run["scheduled_for"] == "2024-12-31T16:00:00Z" && run["status"] == "done";
    wait_for("the backfilled run", &scheme, || runs(&scheme, &["--job", "ingest_files"]).iter().any(is_done));
    let told = scheme.run(&["backfill", "ingest_files", "--from", "2024-12-31", "--to", "2025-01-02"]);
    assert!(told.contains("Nothing to make up for"), "{told}");
    daemon.stop();

    // Every due time has at most one first attempt, and the seconds in between are all there.
    let mut times: Vec<String> = runs(&scheme, &["--job", "watch_feeds"])
        .into_iter()
        .map(|run| format!("{} {}", run["scheduled_for"], run["attempt"]))
        .collect();
    let all = times.len();
    times.sort();
    times.dedup();
    assert_eq!(times.len(), all);
}

/// A day is closed by hand while the daemon has read the day and waits to write: the next file belongs to the day after.
#[tokio::test]
async fn a_file_never_gets_into_a_day_that_was_closed_meanwhile() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    jobs(&scheme, &[("ingest_files", "*/3 * * * * *", "")]);
    scheme.close("2026-03-01");
    let mut daemon = Daemon::start(&scheme);
    let done = || runs(&scheme, &["--job", "ingest_files", "--status", "done"]).len();
    let store = format!("sqlite:{}", scheme.path("run/paylater.db").display());
    let mut day: chrono::NaiveDate = "2026-03-02".parse().unwrap();
    let mut closed = 0;
    for _ in 0..6 {
        let mut other = sqlx::SqliteConnection::connect(&store).await.unwrap();
        let before = done();
        wait_for("a run", &scheme, || done() > before);
        // The daemon has no run now. It reads the day, and waits for this transaction to record the next run.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        std::thread::sleep(Duration::from_millis(4_500));
        daemon.signal("STOP");
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        // If the daemon was in a run just then, it has the lane, and this try shows nothing.
        let close = scheme.command(&["--wait", "0", "close", "--through", &day.to_string()]).output().unwrap();
        let late = format!("orders-{day}-late.csv");
        if close.status.success() {
            let order = format!("order_id,customer_id,amount,currency,ordered_at\nL{day},C1,5.00,CNY,{day}\n");
            scheme.write(&format!("inbox/{late}"), order);
        }
        daemon.signal("CONT");
        if close.status.success() {
            wait_for("the late file", &scheme, || scheme.run(&["files", "--all"]).contains(&late));
            day = day.succ_opt().unwrap();
            closed += 1;
        }
        if closed == 2 {
            break;
        }
    }
    assert_eq!(closed, 2, "the daemon was always in a run");
    daemon.stop();
    scheme.run(&["verify"]);
}

#[test]
fn a_paused_job_is_not_tried_again() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.close("2026-03-01");
    jobs(&scheme, &[("close_day", NEXT_TO_NEVER, "retries = 100\nretry_seconds = 2")]);
    fs::rename(scheme.path("inbox"), scheme.path("unmounted")).unwrap();
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "the job is tried again in_seconds=2");
    scheme.run(&["pause", "close_day", "--why", "the disk is gone"]);
    std::thread::sleep(Duration::from_secs(1));
    let failed = || runs(&scheme, &["--job", "close_day", "--status", "failed"]).len();
    let before = failed();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(failed(), before);
    scheme.run(&["resume", "close_day"]);
    wait_for("a further attempt", &scheme, || failed() > before);
    daemon.stop();
}

#[test]
fn sighup_takes_a_right_configuration_and_refuses_a_wrong_one() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    jobs(&scheme, &[]);
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "running version");
    jobs(&scheme, &[("watch_feeds", "every second", "")]);
    daemon.signal("HUP");
    logged(&scheme, "the old one stays in force");
    assert!(scheme.read("log").contains("every second"), "{}", scheme.read("log"));
    jobs(&scheme, &[("watch_feeds", EVERY_SECOND, "")]);
    daemon.signal("HUP");
    logged(&scheme, "is in force");
    wait_for("runs each second", &scheme, || runs(&scheme, &["--job", "watch_feeds", "--status", "done"]).len() > 2);
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", config.replace("home = \"run\"", "home = \"elsewhere\""));
    daemon.signal("HUP");
    logged(&scheme, "scheme.home has changed");
    daemon.stop();
}

#[test]
fn systemd_is_told_how_the_daemon_is() {
    let mut scheme = Scheme::shop(POLICY).with_customer(&[]);
    jobs(&scheme, &[("watch_feeds", EVERY_SECOND, "")]);
    let socket = std::os::unix::net::UnixDatagram::bind(scheme.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    scheme.env.push(("NOTIFY_SOCKET".to_owned(), scheme.path("notify").display().to_string()));
    let next = |wanted: &str| loop {
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap_or_else(|why| panic!("{wanted}: {why}"));
        let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if told.contains(wanted) {
            return told;
        }
    };
    let mut daemon = Daemon::start(&scheme);
    next("READY=1");
    assert!(next("WATCHDOG=1").contains("STATUS="));
    daemon.signal("HUP");
    next("RELOADING=1");
    next("READY=1");
    daemon.signal("TERM");
    next("STOPPING=1");
    assert_eq!(daemon.wait(), Some(0));
}

#[test]
fn each_line_of_the_log_says_which_run_it_is_about() {
    let mut scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.env.push(("PAYLATER_LOG_FORMAT".to_owned(), "json".to_owned()));
    jobs(&scheme, &[("watch_feeds", EVERY_SECOND, "")]);
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "job run");
    daemon.stop();
    let lines: Vec<serde_json::Value> = scheme
        .read("log")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
        .collect();
    let begin = lines.iter().find(|line| line["message"] == "running").unwrap();
    assert!(begin["version"].is_string() && begin["store"].as_str().unwrap().ends_with("paylater.db"), "{begin}");
    let run = lines.iter().find(|line| line["message"] == "job run").unwrap();
    assert!(run["span"]["no"].is_i64() && run["span"]["day"] == "2026-03-01", "{run}");
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let mail = SmtpServer::start();
    let scheme = with_mails("sqlite:paylater.db", &mail);
    until_mails_are_due(&scheme);
    jobs(&scheme, &[("send_reminders", EVERY_SECOND, "catch_up = \"none\"")]);
    mail.hold();
    let mut daemon = Daemon::start(&scheme);
    wait_for("mails on the wire", &scheme, || mail.received().len() == 4);
    daemon.signal("TERM");
    logged(&scheme, "stopping once the step under way is done");
    let second = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    assert!(second.elapsed() < Duration::from_secs(15), "it took {:?}", second.elapsed());
    mail.answer_well();
    scheme.run(&["job", "send_reminders"]);
    let log = scheme.read("log");
    assert!(log.contains("were cut off"), "{log}");
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for() {
    let mut server = Server::start();
    let mut scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.env.push(("PAYLATER_STORE_URL".to_owned(), server.database().await));
    jobs(&scheme, &[("watch_feeds", EVERY_SECOND, ""), ("ingest_files", EVERY_SECOND, "")]);
    let mut daemon = Daemon::start(&scheme);
    logged(&scheme, "running version");
    let done = |scheme: &Scheme| runs(scheme, &["--job", "watch_feeds", "--status", "done"]).len();
    wait_for("a run", &scheme, || done(&scheme) > 0);
    for _ in 0..3 {
        server.restart();
        let before = done(&scheme);
        wait_for("a run after the restart", &scheme, || done(&scheme) > before);
    }
    // Only the connection with the daemon's lock breaks: it takes the lock again.
    let mut admin = sqlx::PgConnection::connect(&scheme.env[0].1).await.unwrap();
    // The connection with the lock is asked every 15 seconds.
    let holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 1818326119";
    let mut holders = Vec::new();
    for is_broken in [false, true] {
        let began = Instant::now();
        let pid = loop {
            let pid: Option<i32> = sqlx::query_scalar(holder).fetch_optional(&mut admin).await.unwrap();
            if let Some(pid) = pid.filter(|pid| !holders.contains(pid)) {
                break pid;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the lock is not taken again: {}", scheme.read("log"));
            std::thread::sleep(Duration::from_millis(50));
        };
        holders.push(pid);
        if !is_broken {
            let broken: bool =
                sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(pid).fetch_one(&mut admin).await.unwrap();
            assert!(broken);
        }
    }
    let before = done(&scheme);
    wait_for("a run after that", &scheme, || done(&scheme) > before + 1);
    let told = scheme.run_failing(&["run"], 1);
    assert!(told.contains("another paylater daemon runs on these books"), "{told}");
    daemon.stop();
    scheme.close("2026-03-01");
    scheme.run(&["verify"]);
}
