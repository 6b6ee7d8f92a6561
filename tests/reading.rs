//! Commands that only read create nothing, change nothing, do not wait for a lock, and report missing books. Also: a
//! line that can't be printed does not stop the work.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{POLICY, Scheme};
use sqlx::{Connection, SqliteConnection};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at
O1,C1,100.00,CNY,2026-03-01 10:00:00
";

/// The commands that only read.
const LOOKS: [&[&str]; 10] = [
    &["status"],
    &["verify"],
    &["explain", "O1"],
    &["files"],
    &["files", "retry", "--all", "--dry-run"],
    &["exceptions"],
    &["journal", "--format", "csv"],
    &["journal", "--format", "hledger"],
    &["journal", "--format", "beancount"],
    &["job", "close_day", "--dry-run"],
];

fn closed() -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[("orders-2026-03-01.csv", ORDERS)]);
    scheme.close("2026-03-02");
    scheme
}

#[test]
fn where_nothing_is_nothing_is_made_and_that_is_said() {
    let scheme = Scheme::shop(POLICY);
    let config = scheme.read("paylater.toml").replace("home = \"run\"", "home = \"mistyped\"");
    scheme.write("paylater.toml", config);
    for look in LOOKS {
        let told = scheme.run_failing(look, 2);
        assert!(told.contains("there are no books yet in "), "{look:?}: {told}");
        assert!(told.contains("mistyped/paylater.db: if this is a new scheme"), "{look:?}: {told}");
    }
    scheme.run(&["check"]);
    assert!(!scheme.path("mistyped").exists());
}

#[tokio::test]
async fn an_empty_database_has_no_books() {
    let scheme = Scheme::shop(POLICY).on_postgres().await;
    let told = scheme.run_failing(&["status"], 2);
    assert!(told.contains("there are no books yet in PostgreSQL at "), "{told}");
    scheme.close("2026-03-01");
    for look in LOOKS.iter().filter(|look| look[0] != "explain") {
        scheme.run(look);
    }
}

#[test]
fn a_home_that_may_only_be_read_is_read() {
    let scheme = closed();
    let before = crate::support::files_below(&scheme.path(""), &["run"]);
    let modes = |file, folder| {
        for entry in fs::read_dir(scheme.path("run")).unwrap() {
            let path = entry.unwrap().path();
            let mode = if path.is_dir() { folder } else { file };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(scheme.path("run"), fs::Permissions::from_mode(folder)).unwrap();
    };
    modes(0o444, 0o555);
    fs::set_permissions(scheme.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for look in LOOKS {
        let output = unprivileged(&scheme, look).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{look:?}: {told}");
    }
    modes(0o644, 0o755);
    crate::support::assert_same(&before, &crate::support::files_below(&scheme.path(""), &["run"]));
}

/// The command as a user without privileges: file permissions do not apply to root.
fn unprivileged(scheme: &Scheme, arguments: &[&str]) -> Command {
    let command = scheme.command(arguments);
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return command;
    }
    // Other users cannot reach the program; they can read a copy in the scheme's folder.
    let program = scheme.folder.path().join("program");
    if !program.exists() {
        fs::copy(command.get_program(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    as_nobody.arg(program).args(command.get_args());
    as_nobody
}

#[test]
fn looking_waits_for_no_writer() {
    let scheme = closed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
        let mut writer = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await.unwrap();
        sqlx::query("UPDATE exposure SET owed_minor = owed_minor + 1").execute(&mut writer).await.unwrap();
        let started = Instant::now();
        for look in LOOKS.into_iter().chain([["job", "ingest_files", "--dry-run"].as_slice()]) {
            scheme.run(look);
        }
        assert!(started.elapsed() < Duration::from_secs(30));
        sqlx::query("ROLLBACK").execute(&mut writer).await.unwrap();
    });
}

#[test]
fn a_home_that_lost_its_store_is_not_begun_anew() {
    let scheme = closed();
    let kept = fs::read(scheme.path("run/paylater.db")).unwrap();
    fs::remove_file(scheme.path("run/paylater.db")).unwrap();
    for command in [&["close", "--through", "2026-03-03"][..], &["run"], &["job", "ingest_files"]] {
        let told = scheme.run_failing(command, 1);
        assert!(
            told.contains(
                "reconciliation has the sealed days 2026-03-01 to 2026-03-02, but the store is empty or gone"
            ),
            "{told}"
        );
        assert!(!scheme.path("run/paylater.db").exists());
    }
    // An empty file does not count as a store.
    scheme.write("run/paylater.db", "");
    let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    assert!(told.contains("the store is empty or gone"), "{told}");
    assert_eq!(scheme.read("run/paylater.db"), "");
    scheme.write("run/paylater.db", kept);
    scheme.close("2026-03-03");
}

#[tokio::test]
async fn a_home_whose_database_is_another_is_not_begun_anew() {
    let mut scheme = closed();
    scheme.env.push(("PAYLATER_STORE_URL".to_owned(), crate::support::postgres::database().await));
    let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    assert!(told.contains("the store is empty or gone"), "{told}");
}

#[test]
fn a_damaged_store_is_found_before_work_and_by_verify() {
    let scheme = closed();
    let mut bytes = fs::read(scheme.path("run/paylater.db")).unwrap();
    // Pages of tables and indexes in the middle of the file.
    let (from, to) = (bytes.len() / 3, bytes.len() / 3 + 40_000);
    bytes[from..to].fill(0xa5);
    scheme.write("run/paylater.db", &bytes);
    let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    assert!(told.contains("is damaged") || told.contains("malformed"), "{told}");
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("the store is damaged") || told.contains("malformed"), "{told}");
}

#[test]
fn an_unreachable_server_is_named_with_the_reason_and_without_the_password() {
    let mut scheme = Scheme::shop(POLICY);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    scheme.env.push(("PAYLATER_STORE_URL".to_owned(), format!("postgres://shop:secret@127.0.0.1:{free}/books")));
    for command in [&["status"][..], &["close", "--through", "2026-03-01"]] {
        let told = scheme.run_failing(command, 1);
        assert!(told.contains(&format!("cannot connect to PostgreSQL at 127.0.0.1:{free}, database books")), "{told}");
        assert!(told.to_lowercase().contains("refused"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn a_line_that_can_not_be_printed_stops_no_work() {
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    // A pipe whose reading end is already closed.
    let closed_pipe = || Stdio::from(std::io::pipe().unwrap().1);
    let scheme = Scheme::shop(POLICY).with_customer(&[("orders-2026-03-01.csv", ORDERS)]);
    let ended = |arguments: &[&str], out: Stdio, log: Stdio| {
        scheme.command(arguments).stdout(out).stderr(log).status().unwrap().code()
    };
    // If the log's disk is full or its pipe is closed, the close still succeeds.
    assert_eq!(ended(&["close", "--through", "2026-03-01"], Stdio::null(), full()), Some(0));
    assert_eq!(ended(&["close", "--through", "2026-03-02"], Stdio::null(), closed_pipe()), Some(0));
    // If the answer can't be printed, the work is done, but the exit status is a failure, unless the reader closed the
    // pipe.
    assert_eq!(ended(&["close", "--through", "2026-03-03"], full(), full()), Some(1));
    assert_eq!(ended(&["close", "--through", "2026-03-04"], closed_pipe(), closed_pipe()), Some(0));
    assert_eq!(ended(&["status"], closed_pipe(), Stdio::null()), Some(0));
    assert_eq!(ended(&["status"], full(), Stdio::null()), Some(1));
    assert_eq!(ended(&["journal", "--format", "csv"], full(), full()), Some(1));
    assert!(scheme.run(&["status"]).contains("open business date  2026-03-05"));
    // A problem that `verify` finds is a failure even if the output has no reader.
    fs::write(scheme.path("run/reconciliation/2026-03-01/more.csv"), "").unwrap();
    assert_eq!(ended(&["verify"], closed_pipe(), closed_pipe()), Some(1));
}

#[test]
fn a_log_that_nobody_reads_stops_no_work() {
    let scheme = Scheme::shop(POLICY).with_customer(&[("orders-2026-03-01.csv", ORDERS)]);
    // The pipe holds 64 KiB; the close of a few hundred days logs more.
    let mut child = scheme
        .command(&["close", "--through", "2026-06-30"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "it waits for its log to be read");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_full_disk_is_named_as_the_cause() {
    let scheme = closed();
    let mut customers = crate::support::CUSTOMERS.to_owned();
    for i in 2..20_000 {
        customers.push_str(&format!("C{i},N,c{i}@example.com,zh-CN,Asia/Shanghai,700,true,true\n"));
    }
    scheme.write("inbox/customers-2026-03-03.csv", customers);
    // Limit the size of files, which for the program looks like a full disk.
    let limit = fs::metadata(scheme.path("run/paylater.db")).unwrap().len() + 300_000;
    let close = scheme.command(&["close", "--through", "2026-03-03"]);
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", limit / 512)).arg("sh");
    limited.arg(close.get_program()).args(close.get_args());
    let output = limited.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(!told.contains("transaction depth"), "{told}");
    assert!(["full", "File too large", "disk I/O error"].iter().any(|why| told.contains(why)), "{told}");
    scheme.close("2026-03-03");
    scheme.run(&["verify"]);
}
