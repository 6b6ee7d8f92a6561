//! A file that is being taken in is killed at its writes, one after the other, and taken in again: the database and the
//! acknowledgement end as if nothing had happened.
//!
//! A quarter of its rows is committed at a time. Every 16th write of a file of 2,000 rows is enough for every day. All of
//! them, or those of a large file:
//!
//!     PAYLATER_KILL_EVERY=1 cargo nextest run --test kill_at_writes
//!     PAYLATER_KILL_EVERY=50 PAYLATER_KILL_ROWS=100000 cargo nextest run --release --test kill_at_writes

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use support::{copy, files_below};

/// The files that are written: the books as they grow and when they are folded, the answers, and the inbox.
const WRITTEN: [&str; 5] = [
    "run/paylater.db-wal",
    "run/paylater.db",
    "run/outbox/m01-orders/orders-2026-03-01.csv.ack.csv.part",
    "run/outbox/m01-orders/orders-2026-03-01.csv.rejects.csv.part",
    "inbox/m01/orders-2026-03-01.csv",
];

const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink";

#[tokio::test]
async fn killed_at_its_writes_a_file_is_taken_in_all_the_same() {
    let rows = setting("PAYLATER_KILL_ROWS", 2_000);
    let every = setting("PAYLATER_KILL_EVERY", 16);
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    prepare(&ready, rows);
    let undisturbed = folder.path().join("undisturbed");
    copy(&ready, &undisturbed);
    assert!(ingest(&mut paylater(&undisturbed)), "an undisturbed run fails");
    let expected = end_state(&undisturbed).await;
    let answered = &expected["run/outbox/m01-orders/orders-2026-03-01.csv.ack.csv"][0];
    assert!(expected["orders"].len() > rows / 2 && answered.lines().count() > rows, "too little was taken in");
    assert!(expected.contains_key("run/outbox/m01-orders/orders-2026-03-01.csv.rejects.csv"), "no row was rejected");

    let mut kills = 0;
    for path in WRITTEN {
        for n in (1..).step_by(every) {
            let tried = folder.path().join("tried");
            copy(&ready, &tried);
            if ingest(&mut killed_at(&tried, path, n)) {
                std::fs::remove_dir_all(&tried).unwrap();
                break;
            }
            kills += 1;
            assert!(ingest(&mut paylater(&tried)), "{path}: it does not go on after a kill at write {n}");
            let found = end_state(&tried).await;
            for (what, rows) in &expected {
                assert!(found[what] == *rows, "{path}: killed at write {n}, {what} differs");
            }
            std::fs::remove_dir_all(&tried).unwrap();
        }
    }
    println!("{kills} kills");
    assert!(kills >= 2 * WRITTEN.len(), "{kills} kills only");
}

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A scheme whose customers are taken in, with a file of orders in the inbox.
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

/// The same, killed at the n-th call that changes a file.
fn killed_at(folder: &Path, path: &str, n: usize) -> Command {
    let run = paylater(folder);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(folder.join(path));
    command.args(["-e", &format!("trace={CALLS}"), "-e", &format!("inject={CALLS}:signal=KILL:when={n}")]);
    command.arg(run.get_program()).args(run.get_args()).env_remove("PAYLATER_STORE_URL").env("PAYLATER_LOG", "error");
    command
}

/// Whether the program ends well.
fn ingest(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace, from Debian's strace").success()
}

/// Every table's rows, and every answer.
async fn end_state(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let url = format!("sqlite:{}", folder.join("run/paylater.db").display());
    let mut books = SqliteConnection::connect(&url).await.unwrap();
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx%'";
    let mut state = BTreeMap::new();
    for table in sqlx::query_scalar::<_, String>(tables).fetch_all(&mut books).await.unwrap() {
        // Runs tell the wall clock.
        if table == "run" {
            continue;
        }
        let columns = format!("SELECT string_agg(name, ', ') FROM pragma_table_info('{table}')");
        let columns: String = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&mut books).await.unwrap();
        let rows = format!("SELECT json_array({columns}) AS row FROM {table} ORDER BY row");
        state.insert(table, sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut books).await.unwrap());
    }
    books.close().await.unwrap();
    for (name, bytes) in files_below(folder, &["run/outbox", "run/archive", "inbox"]) {
        state.insert(name, vec![String::from_utf8(bytes).unwrap()]);
    }
    state
}
