//! Kills the intake of a file at one write after the other, and runs it again each time. The database and the
//! acknowledgement must end the same as without the kill.
//!
//! The intake commits a quarter of the rows at a time. By default, the test kills at every 8th write of a file of 2,000
//! rows. To kill at all writes, or at all writes of a large file, which takes hours:
//!
//!     PAYLATER_KILL_EVERY=1 cargo nextest run kill_at_writes
//!     PAYLATER_KILL_EVERY=1 PAYLATER_KILL_ROWS=100000 cargo nextest run --release kill_at_writes

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{copy, files_below};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// The written files: the write-ahead log of the books, the database after a checkpoint, the acknowledgements, and the
/// inbox.
const WRITTEN: [&str; 5] = [
    "run/paylater.db-wal",
    "run/paylater.db",
    "run/outbox/m01-orders/orders-2026-03-01.csv.ack.csv.part",
    "run/outbox/m01-orders/orders-2026-03-01.csv.rejects.csv.part",
    "inbox/m01/orders-2026-03-01.csv",
];

const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink";

#[test]
fn killed_at_its_writes_a_file_is_taken_in_all_the_same() {
    let rows = setting("PAYLATER_KILL_ROWS", 2_000);
    let every = setting("PAYLATER_KILL_EVERY", 8);
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    prepare(&ready, rows);
    let undisturbed = folder.path().join("undisturbed");
    copy(&ready, &undisturbed);
    assert!(ingest(&mut paylater(&undisturbed)), "an undisturbed run fails");
    let expected = end_state(&undisturbed);
    let answered = &expected["run/outbox/m01-orders/orders-2026-03-01.csv.ack.csv"];
    let recorded = expected["orders"].lines().count();
    assert!(recorded > rows / 2 && answered.lines().count() > rows, "too little was taken in");
    assert!(expected.contains_key("run/outbox/m01-orders/orders-2026-03-01.csv.rejects.csv"), "no row was rejected");

    let mut kills = 0;
    for path in WRITTEN {
        let (next, is_over, killed) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
        let work = |worker: usize| {
            let tried = folder.path().join(format!("tried-{worker}"));
            while !is_over.load(Ordering::Relaxed) {
                let n = 1 + next.fetch_add(1, Ordering::Relaxed) * every;
                copy(&ready, &tried);
                if ingest(&mut killed_at(&tried, path, n)) {
                    is_over.store(true, Ordering::Relaxed);
                } else if let Some(wrong) = differs_after_all(&tried, &expected) {
                    is_over.store(true, Ordering::Relaxed);
                    panic!("{path}: killed at write {n}, {wrong}");
                } else {
                    killed.fetch_add(1, Ordering::Relaxed);
                }
                std::fs::remove_dir_all(&tried).unwrap();
            }
        };
        std::thread::scope(|threads| {
            for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                threads.spawn(move || work(worker));
            }
        });
        println!("{path}: {} kills", killed.load(Ordering::Relaxed));
        kills += killed.load(Ordering::Relaxed);
    }
    assert!(kills >= 4 * WRITTEN.len(), "{kills} kills only");
}

/// Runs the intake again after a kill. Returns the first difference from a run without a kill.
fn differs_after_all(tried: &Path, expected: &BTreeMap<String, String>) -> Option<String> {
    if !ingest(&mut paylater(tried)) {
        return Some("it does not go on".to_owned());
    }
    let found = end_state(tried);
    if !found.keys().eq(expected.keys()) {
        return Some(format!("there are {:?}", found.keys()));
    }
    let (what, _) = expected.iter().find(|(what, rows)| found[*what] != **rows)?;
    Some(format!("{what} differs"))
}

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Creates a scheme whose customers are taken in, with an orders file in the inbox.
fn prepare(folder: &Path, rows: usize) {
    let orders = rows.to_string();
    let mut generate = Command::new(env!("CARGO_BIN_EXE_paylater"));
    generate.args(["generate", "--orders-only", "--merchants", "1", "--orders", &orders, "--flaws", "0.02", "--out"]);
    assert!(ingest(generate.arg(folder)));
    let config = folder.join("paylater.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("[store]\n"), "the store stands elsewhere: {text}");
    let text = text.replace("[store]\n", &format!("[store]\ncommit_rows = {}\n", rows / 4));
    std::fs::write(&config, text.replace("kind = \"", "settle_seconds = 0\nkind = \"")).unwrap();
    let (orders, aside) = (folder.join("inbox/m01/orders-2026-03-01.csv"), folder.join("aside.csv"));
    std::fs::rename(&orders, &aside).unwrap();
    assert!(ingest(&mut paylater(folder)));
    std::fs::rename(&aside, &orders).unwrap();
}

fn paylater(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paylater"));
    command.arg("--config").arg(folder.join("paylater.toml")).args(["job", "ingest_files"]);
    command.env_remove("PAYLATER_STORE_URL").env("PAYLATER_LOG", "error");
    command
}

/// Runs the same command and kills it when one of its threads makes its n-th call that changes a file. strace counts
/// calls for each thread: one thread writes the books, several write the acknowledgements.
fn killed_at(folder: &Path, path: &str, n: usize) -> Command {
    let run = paylater(folder);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(folder.join(path));
    command.args(["-e", &format!("trace={CALLS}"), "-e", &format!("inject={CALLS}:signal=KILL:when={n}")]);
    command.arg(run.get_program()).args(run.get_args()).env_remove("PAYLATER_STORE_URL").env("PAYLATER_LOG", "error");
    command
}

/// Runs the program. Returns whether it succeeds.
fn ingest(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace, from Debian's strace").success()
}

/// Returns the rows of every table by key, and every acknowledgement.
fn end_state(folder: &Path) -> BTreeMap<String, String> {
    let mut state = tokio::runtime::Runtime::new().unwrap().block_on(tables(folder));
    for (name, bytes) in files_below(folder, &["run/outbox", "run/archive", "inbox"]) {
        state.insert(name, String::from_utf8(bytes).unwrap());
    }
    state
}

async fn tables(folder: &Path) -> BTreeMap<String, String> {
    let url = format!("sqlite:{}", folder.join("run/paylater.db").display());
    let mut books = SqliteConnection::connect(&url).await.unwrap();
    let names =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx%'";
    let mut tables = BTreeMap::new();
    for table in sqlx::query_scalar::<_, String>(names).fetch_all(&mut books).await.unwrap() {
        // Leave out three tables: runs have times of the wall clock, `lane` counts who took a lane, and `node` has daemons.
        if matches!(table.as_str(), "run" | "lane" | "node") {
            continue;
        }
        let columns = format!(
            "SELECT string_agg(name, ', ' ORDER BY cid), string_agg(name, ', ' ORDER BY pk) FILTER (WHERE pk > 0)
             FROM pragma_table_info('{table}')"
        );
        let (columns, key): (String, Option<String>) =
            sqlx::query_as(AssertSqlSafe(columns)).fetch_one(&mut books).await.unwrap();
        let key = key.unwrap_or_else(|| columns.clone());
        let rows = format!(
            "SELECT string_agg(row, char(10)) FROM (SELECT json_array({columns}) AS row FROM {table} ORDER BY {key})"
        );
        let rows: Option<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut books).await.unwrap();
        tables.insert(table, rows.unwrap_or_default());
    }
    books.close().await.unwrap();
    tables
}
