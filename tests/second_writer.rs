//! Two paylater processes never write to the same books. A lock keeps the second process out; if the first process has
//! lost the lock, it stops at its next write.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::postgres::Server;
use crate::support::smtp::SmtpServer;
use crate::support::{AGREEMENTS, CUSTOMERS, POLICY, Scheme};
use sqlx::{Connection, PgConnection};

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(90), "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Checks that the first process notices the second writer and ends with status 1 and a reason.
fn stops(mut overtaken: Child) {
    wait_for("the end of the one that was overtaken", || overtaken.try_wait().unwrap().is_some());
    let output = overtaken.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("another paylater has begun to work on these books since this one did"), "{log}");
}

#[tokio::test]
async fn on_postgres_a_lock_that_is_lost_stops_its_holder_before_its_next_write() {
    let server = Server::start();
    let books = server.database().await;
    let (here, there) = (SmtpServer::start(), SmtpServer::start());
    let first = with_mails(&books, &here);
    until_mails_are_due(&first);
    let overtaken = sending(&first, &here);
    let second = with_mails(&books, &there);
    let told = second.run_failing(&["--wait", "0", "job", "send_reminders"], 1);
    assert!(
        told.contains("another paylater is working") && told.contains("has been running send_reminders since"),
        "{told}"
    );
    // The other lane is free.
    second.run(&["--wait", "0", "job", "watch_feeds"]);

    // Break the connection with the lock of the lane. The first process has other connections and could continue.
    let mut admin = PgConnection::connect(&books).await.unwrap();
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objid = 1818326118 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(ended, [true]);

    // The second process has another home folder. For PostgreSQL, it could be on another machine.
    second.run(&["job", "send_reminders"]);
    here.answer_well();
    stops(overtaken);
    assert_eq!(written_to(&[&here, &there]), everybody_once());
    first.run(&["verify"]);
}

/// A shop with twelve customers whose mails are due and go to this server.
pub fn with_mails(books: &str, mail: &SmtpServer) -> Scheme {
    let policy = format!("{POLICY}[version.reminders]\nsteps = [0]\n");
    let mut scheme = Scheme::shop(&policy);
    let config = scheme.read("paylater.toml").replace("\"folder\"", "\"smtp\"");
    scheme.write("paylater.toml", config);
    scheme.env.push(("PAYLATER_STORE_URL".to_owned(), books.to_owned()));
    scheme.env.push(("PAYLATER_SMTP_URL".to_owned(), mail.url()));
    scheme
}

const MAILS: usize = 12;

/// Closes the days before the one on which the mails are due.
pub fn until_mails_are_due(scheme: &Scheme) {
    let (mut customers, mut agreements) = (CUSTOMERS.to_owned(), AGREEMENTS.to_owned());
    let mut orders = "order_id,customer_id,amount,currency,ordered_at\nO1,C1,5.00,CNY,2026-03-01\n".to_owned();
    for i in 2..=MAILS {
        customers.push_str(&format!("C{i},N,c{i}@example.com,zh-CN,Asia/Shanghai,700,true,true\n"));
        agreements.push_str(&format!("A{i},C{i},SHOP,open,2026-02-01,true\n"));
        orders.push_str(&format!("O{i},C{i},5.00,CNY,2026-03-01\n"));
    }
    scheme.write("inbox/customers-2026-03-01.csv", customers);
    scheme.write("inbox/agreements-2026-03-01.csv", agreements);
    scheme.write("inbox/orders-2026-03-01.csv", orders);
    scheme.close("2026-03-07");
}

fn sending(scheme: &Scheme, mail: &SmtpServer) -> Child {
    mail.hold();
    let mut job = scheme.command(&["job", "send_reminders"]);
    let job = job.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("mails on the wire", || mail.received().len() == 4);
    job
}

/// Returns the recipients of the mails that these servers received.
fn written_to(servers: &[&SmtpServer]) -> Vec<String> {
    let received = servers.iter().flat_map(|server| server.received());
    let mut to: Vec<String> = received.flat_map(|mail| mail.to).collect();
    to.sort_unstable();
    to
}

fn everybody_once() -> Vec<String> {
    let mut to: Vec<String> = (1..=MAILS).map(|i| format!("c{i}@example.com")).collect();
    to.sort_unstable();
    to
}

#[tokio::test]
async fn after_a_restart_of_postgres_the_first_stops_if_a_second_came_in_and_nobody_has_two_mails() {
    let mut server = Server::start();
    let books = server.database().await;
    let (here, there) = (SmtpServer::start(), SmtpServer::start());
    let first = with_mails(&books, &here);
    until_mails_are_due(&first);
    let overtaken = sending(&first, &here);

    // The restart breaks the connections of the first process, so it has lost its lock. It waits for its mail server
    // and does not notice.
    server.restart();
    let second = with_mails(&books, &there);
    let told = second.run(&["job", "send_reminders"]);
    assert!(told.contains("mails sent 8"), "{told}");
    here.answer_well();
    stops(overtaken);
    assert_eq!(here.received().len(), 4);
    assert_eq!(written_to(&[&here, &there]), everybody_once());
    // The second process cannot know the result of the four mails in transit.
    let exceptions = second.run(&["exceptions"]);
    assert_eq!(exceptions.matches("MAIL_UNKNOWN").count(), 4, "{exceptions}");
    second.run(&["job", "send_reminders"]);
    assert_eq!(there.received().len(), 8);
    first.run(&["verify"]);
}

#[tokio::test]
async fn after_a_restart_of_postgres_the_work_goes_on_if_nobody_came_in() {
    let mut server = Server::start();
    let mail = SmtpServer::start();
    let scheme = with_mails(&server.database().await, &mail);
    until_mails_are_due(&scheme);
    let working = sending(&scheme, &mail);
    server.restart();
    mail.answer_well();
    let output = working.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(written_to(&[&mail]), everybody_once());
    scheme.close("2026-03-08");
    assert_eq!(mail.received().len(), MAILS);
    scheme.run(&["verify"]);
}

#[test]
fn on_sqlite_a_second_home_on_the_same_file_is_kept_out() {
    let (here, there) = (SmtpServer::start(), SmtpServer::start());
    let first = with_mails("sqlite:paylater.db", &here);
    until_mails_are_due(&first);
    let overtaken = sending(&first, &here);
    let file = first.path("run/paylater.db");
    let mut second = with_mails("", &there);
    fs::create_dir(second.path("run")).unwrap();
    std::os::unix::fs::symlink(first.path("run"), second.path("run/there")).unwrap();
    // A full path, a path with `..`, and a path through a symbolic link: all name the same file.
    for url in [file.display().to_string(), "there/../run/paylater.db".to_owned(), "there/paylater.db".to_owned()] {
        second.env[0].1 = format!("sqlite:{url}");
        let told = second.run_failing(&["--wait", "0", "job", "send_reminders"], 1);
        assert!(told.contains("another paylater is working"), "{url}: {told}");
        assert!(second.run(&["status"]).contains("open business date  2026-03-08"));
    }

    // The lock file is deleted, but the token still protects the books.
    fs::remove_file(first.path("run/paylater.db.mail.lock")).unwrap();
    second.run(&["job", "send_reminders"]);
    here.answer_well();
    stops(overtaken);
    assert_eq!(written_to(&[&here, &there]), everybody_once());
    first.run(&["verify"]);
}

#[test]
fn a_run_that_was_killed_does_not_stay_running() {
    let scheme = Scheme::shop(POLICY);
    let agreements: String = AGREEMENTS.to_owned();
    scheme.write("inbox/agreements-2026-03-01.csv", agreements);
    let mut customers = CUSTOMERS.to_owned();
    for i in 2..60_000 {
        customers.push_str(&format!("C{i},N,c{i}@example.com,zh-CN,Asia/Shanghai,700,true,true\n"));
    }
    scheme.write("inbox/customers-2026-03-01.csv", customers);
    let mut killed =
        scheme.command(&["job", "ingest_files"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_running = || {
        let output = scheme.command(&["status", "--json"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let jobs = status["jobs"].as_array().cloned().unwrap_or_default();
        let ingest = jobs.into_iter().find(|job| job["job"] == "ingest_files").unwrap_or_default();
        ingest["last"]["status"].as_str().unwrap_or_default().to_owned()
    };
    wait_for("the run", || is_running() == "running");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(is_running(), "running");
    scheme.run(&["job", "watch_feeds"]);
    assert_eq!(is_running(), "interrupted");
    scheme.run(&["job", "ingest_files"]);
    assert_eq!(is_running(), "done");
}
