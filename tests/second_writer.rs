//! Two paylaters never write to the same books, whichever way the second one comes in: a lock keeps it out, and where the lock
//! was lost, the first one stops at its next write.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{AGREEMENTS, CUSTOMERS, POLICY, Scheme};
use sqlx::{Connection, PgConnection};

/// Starts the daemon, and waits until it has closed the first day.
fn daemon(scheme: &Scheme) -> Child {
    let child = scheme.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the first day", || scheme.path("run/reconciliation/2026-03-01/manifest.json").exists());
    child
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(90), "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Jobs that are due each second, so that the daemon writes all the time.
fn busy(scheme: &Scheme) {
    fs::create_dir(scheme.path("jobs")).unwrap();
    let job = "about = \"Tells of files that are missing.\"\ncron = \"* * * * * *\"\ncatch_up = \"once\"\n";
    scheme.write("jobs/watch_feeds.toml", job);
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", format!("{config}[jobs]\nfolder = \"jobs\"\n"));
}

/// The daemon notices that it was overtaken, and ends with status 1 and a word of why.
fn stops(mut overtaken: Child) {
    wait_for("the end of the one that was overtaken", || overtaken.try_wait().unwrap().is_some());
    let output = overtaken.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("another paylater has begun to work on these books since this one did"), "{log}");
}

fn shop() -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    busy(&scheme);
    scheme
}

#[tokio::test]
async fn on_postgres_a_lock_that_is_lost_stops_its_holder_before_its_next_write() {
    let first = shop().on_postgres().await;
    let url = first.env[0].1.clone();
    let overtaken = daemon(&first);
    let told = first.run_failing(&["job", "watch_feeds"], 1);
    assert!(told.contains("another paylater is working"), "{told}");

    // The connection with the lock breaks; the daemon has others and would go on.
    let mut admin = PgConnection::connect(&url).await.unwrap();
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(ended, [true]);

    // Another home, on another machine for all that PostgreSQL knows.
    let mut second = shop();
    second.env.clone_from(&first.env);
    second.run(&["job", "watch_feeds"]);
    stops(overtaken);
    first.run(&["verify"]);
}

#[test]
fn on_sqlite_a_second_home_on_the_same_file_is_kept_out() {
    let first = shop();
    let file = first.path("run/paylater.db");
    let overtaken = daemon(&first);
    let second = Scheme::shop(POLICY);
    let config = second.read("paylater.toml");
    fs::create_dir(second.path("run")).unwrap();
    std::os::unix::fs::symlink(first.path("run"), second.path("run/there")).unwrap();
    // Named as a whole, and by a way round: it is the same file.
    for url in [file.display().to_string(), "there/../run/paylater.db".to_owned(), "there/paylater.db".to_owned()] {
        second.write("paylater.toml", config.replace("sqlite:paylater.db", &format!("sqlite:{url}")));
        let told = second.run_failing(&["job", "watch_feeds"], 1);
        assert!(told.contains("another paylater is working on "), "{url}: {told}");
        assert!(second.run(&["status"]).contains("open business date  2026-03-02"));
    }

    // Its lock is deleted: the token still holds.
    fs::remove_file(first.path("run/paylater.db.lock")).unwrap();
    second.run(&["job", "watch_feeds"]);
    stops(overtaken);
    first.run(&["verify"]);
    first.close("2026-03-03");
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
