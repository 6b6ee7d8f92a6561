//! Compares the intake of a file of a million orders with the engines' own raw load of the same file, in the same run.
//!
//!     cargo bench --bench intake
//!
//! PAYLATER_BENCH_ORDERS and PAYLATER_BENCH_RUNS set the size (1000000) and the number of runs (5). Needs Debian's
//! sqlite3 and postgresql. Times are of whole processes; quote the ratios, which stay the same when a machine's speed
//! changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "../tests/support/postgres.rs"]
mod postgres;

fn main() {
    let orders = setting("PAYLATER_BENCH_ORDERS", 1_000_000);
    let runs = setting("PAYLATER_BENCH_RUNS", 5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = folder.path().join("made");
    let size = [("--orders", orders), ("--customers", orders / 5), ("--merchants", 1)];
    let mut generate = paylater();
    generate.arg("generate").arg("--orders-only").arg("--out").arg(&made);
    for (flag, number) in size {
        generate.arg(flag).arg(number.to_string());
    }
    timed(&mut generate);
    println!("{orders} orders, {} customers, {runs} runs each; whole processes, median", orders / 5);

    let file = fs::read_dir(made.join("inbox/m01")).expect("the inbox").flatten().map(|entry| entry.path());
    let file = file.filter(|path| path.to_string_lossy().contains("orders")).collect::<Vec<PathBuf>>().remove(0);
    let mut closing = None;
    compare(runs, "SQLite", || raw_sqlite(&file), || intake(&made, None, &mut closing), "sqlite3 .import");
    println!("SQLite: the day with its {orders} orders closed in {:.1?}", closing.take().unwrap_or_default());
    postgres::as_installed();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fresh = || runtime.block_on(postgres::database());
    let ours = || intake(&made, Some(fresh()), &mut closing);
    compare(runs, "PostgreSQL", || raw_postgres(&file, &fresh()), ours, "psql \\copy");
    println!("PostgreSQL: the day with its {orders} orders closed in {:.1?}", closing.unwrap_or_default());
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn compare(
    runs: u64,
    engine: &str,
    mut raw: impl FnMut() -> Duration,
    mut ours: impl FnMut() -> Duration,
    raw_name: &str,
) {
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        raw_times.push(raw());
        our_times.push(ours());
    }
    let (raw, ours) = (median(raw_times), median(our_times));
    let ratio = ours.as_millis() * 100 / raw.as_millis().max(1);
    println!(
        "{engine}: paylater {}.{:01} s, {raw_name} {}.{:01} s, ratio {}.{:02}",
        ours.as_secs(),
        ours.subsec_millis() / 100,
        raw.as_secs(),
        raw.subsec_millis() / 100,
        ratio / 100,
        ratio % 100
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the command runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    started.elapsed()
}

fn paylater() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paylater"));
    command.env("PAYLATER_LOG", "warn");
    command
}

/// Loads the file into one indexed table, with a write-ahead log and every commit synced to disk.
fn raw_sqlite(file: &Path) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!(
        "PRAGMA journal_mode=WAL;\nPRAGMA synchronous=FULL;\n\
         CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_id TEXT, amount TEXT, currency TEXT, ordered_at TEXT,\n\
         item TEXT) WITHOUT ROWID;\n.import --csv --skip 1 {} orders\n",
        file.display()
    );
    let path = folder.path().join("load.sql");
    fs::write(&path, script).expect("the script");
    let script = fs::File::open(&path).expect("the script");
    timed(Command::new("sqlite3").arg(folder.path().join("raw.db")).stdin(script))
}

fn raw_postgres(file: &Path, url: &str) -> Duration {
    let psql = |sql: &str| {
        let mut command = Command::new("psql");
        command.args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg(url);
        command
    };
    timed(&mut psql(
        "CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_id TEXT, amount NUMERIC, currency TEXT,
         ordered_at TIMESTAMP, item TEXT)",
    ));
    timed(&mut psql(&format!("\\copy orders FROM '{}' CSV HEADER", file.display())))
}

/// Takes in customers and agreements, then the orders, and decides and acknowledges each order. Returns how long the
/// orders took. Closes the day in the first run only and stores that time in `closing`.
fn intake(made: &Path, postgres: Option<String>, closing: &mut Option<Duration>) -> Duration {
    let folder = copy_of(made);
    let orders: Vec<PathBuf> =
        fs::read_dir(folder.path().join("inbox/m01")).expect("the inbox").flatten().map(|entry| entry.path()).collect();
    let aside = folder.path().join("aside");
    fs::create_dir(&aside).expect("a folder");
    for path in &orders {
        fs::rename(path, aside.join(path.file_name().expect("a name"))).expect("moving aside");
    }
    let run = |arguments: &[&str]| {
        let mut command = paylater();
        command.arg("--config").arg(folder.path().join("paylater.toml")).args(arguments);
        command.envs(postgres.iter().map(|url| ("PAYLATER_STORE_URL", url)));
        command
    };
    timed(&mut run(&["job", "ingest_files"]));
    for path in &orders {
        fs::rename(aside.join(path.file_name().expect("a name")), path).expect("moving back");
    }
    let took = timed(&mut run(&["job", "ingest_files"]));
    closing.get_or_insert_with(|| timed(&mut run(&["close", "--through", &first_day(folder.path())])));
    took
}

/// Returns the first day of a scheme's books.
fn first_day(scheme: &Path) -> String {
    let text = fs::read_to_string(scheme.join("paylater.toml")).expect("the configuration");
    let day = text.lines().find_map(|line| line.strip_prefix("starts_on = "));
    day.expect("a first day").trim_matches('"').to_owned()
}

/// Copies a scheme and sets the settle time of its files to 0, because they are complete.
fn copy_of(made: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let done = Command::new("cp").arg("-a").arg(made.join(".")).arg(folder.path()).status().expect("cp");
    assert!(done.success(), "copying the scheme");
    let config = folder.path().join("paylater.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text.replace("kind = \"", "settle_seconds = 0\nkind = \"")).expect("the configuration");
    folder
}
