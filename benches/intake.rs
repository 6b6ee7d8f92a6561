//! Compares the intake of a file of a million orders with the engines' own raw load of the same file, in the same run. Then
//! closes the day and the next one, and says what share of that fingerprints and proofs have.
//!
//!     cargo bench --bench intake
//!
//! PAYLATER_BENCH_ORDERS and PAYLATER_BENCH_RUNS set the size (1000000) and the number of runs (5). Needs Debian's
//! sqlite3 and postgresql, and Linux. Times are of whole processes; quote the ratios, which stay the same when a machine's
//! speed changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use paylater::domain::calendar::plus;
use paylater::domain::owner::Owner;
use paylater::files::reports::sha256_of;
use paylater::store::Store;
use paylater::store::fingerprints::{self, Form};
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
    let mut proving = None;
    compare(runs, "SQLite", || raw_sqlite(&file), || intake(&made, None, &mut proving), "sqlite3 .import");
    println!("SQLite: {}", proving.take().unwrap_or_default());
    postgres::as_installed();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fresh = || runtime.block_on(postgres::database());
    let ours = || intake(&made, Some(fresh()), &mut proving);
    compare(runs, "PostgreSQL", || raw_postgres(&file, &fresh()), ours, "psql \\copy");
    println!("PostgreSQL: {}", proving.unwrap_or_default());
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
/// orders took. In the first run it also closes the day and the next one, and stores the cost of proofs in `proving`.
fn intake(made: &Path, postgres: Option<String>, proving: &mut Option<String>) -> Duration {
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
    if proving.is_some() {
        return timed(&mut run(&["job", "ingest_files"]));
    }
    let mut took = Duration::ZERO;
    let intake = spent(postgres.as_deref(), || took = timed(&mut run(&["job", "ingest_files"])));
    let day = first_day(folder.path());
    let [closing, next] = [day, plus(day, 1)].map(|day| {
        spent(postgres.as_deref(), || {
            timed(&mut run(&["close", "--through", &day.to_string()]));
        })
    });
    *proving = Some(share_of_proofs(&folder, postgres.as_deref(), day, [intake, closing, next]));
    took
}

/// Says what the proofs of the day cost at most. Its rows are fingerprinted twice, at its seal and when the next close proves it
/// again. That close hashes its files as well. At the seal, the detail report reads the journal anyway, so that only its hashing
/// and the orders are added; the whole reading is counted here.
fn share_of_proofs(folder: &TempDir, postgres: Option<&str>, day: NaiveDate, spent_on: [u128; 3]) -> String {
    let [intake, closing, next] = spent_on;
    let rows = spent(postgres, || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let url = postgres.unwrap_or("sqlite:paylater.db");
            let store = Store::open_to_read(url, &folder.path().join("run")).await.expect("the store").expect("books");
            let mut tx = store.read().await.expect("a transaction");
            let prints = fingerprints::of(&mut tx, Owner::Merchant("M01"), day, Form::NOW).await.expect("fingerprints");
            assert!(prints.iter().any(|print| print.part == "journal"), "the day has a journal");
        });
    });
    let reports = folder.path().join("run/reconciliation").join(day.to_string());
    let files = spent(None, || {
        for file in fs::read_dir(&reports).expect("the reports").flatten() {
            sha256_of(&file.path()).expect("a report");
        }
    });
    let proofs = 2 * rows + files;
    let share = proofs * 1_000 / (intake + closing - rows).max(1);
    format!(
        "processor time in ms, the server's included: intake {intake}, closing the day {closing}, closing the next {next}. \
         Of this {rows} twice for fingerprints of its rows and {files} for its files: proofs add at most {}.{} % to intake \
         and close",
        share / 10,
        share % 10
    )
}

/// The processor time in ms that this process, its children and the server spend on some work.
fn spent(postgres: Option<&str>, work: impl FnOnce()) -> u128 {
    let now = || processor_time("self", 4) + postgres.map_or(0, server_time);
    let before = now();
    work();
    now() - before
}

/// Adds up fields of a process in /proc, which counts in hundredths of a second: its own time and that of ended children.
fn processor_time(process: &str, fields: usize) -> u128 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(11).take(fields).filter_map(|field| field.parse::<u128>().ok()).sum::<u128>() * 10
}

/// The processor time of the server that the tests' support started, from the folder of its socket.
fn server_time(url: &str) -> u128 {
    let folder = url.rsplit_once("host=").expect("a socket").1;
    let pid = fs::read_to_string(format!("{folder}/data/postmaster.pid")).expect("a running server");
    let server = pid.lines().next().expect("its process");
    let sessions = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    processor_time(server, 4) + sessions.split_whitespace().map(|session| processor_time(session, 2)).sum::<u128>()
}

/// Returns the first day of a scheme's books.
fn first_day(scheme: &Path) -> NaiveDate {
    let text = fs::read_to_string(scheme.join("paylater.toml")).expect("the configuration");
    let day = text.lines().find_map(|line| line.strip_prefix("starts_on = "));
    day.expect("a first day").trim_matches('"').parse().expect("a day")
}

/// Copies a scheme. Its files need no time to settle, because they are complete. Its closes prove the last day only, not
/// others for a set time.
fn copy_of(made: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let done = Command::new("cp").arg("-a").arg(made.join(".")).arg(folder.path()).status().expect("cp");
    assert!(done.success(), "copying the scheme");
    let config = folder.path().join("paylater.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    let text = text.replace("kind = \"", "settle_seconds = 0\nkind = \"");
    fs::write(&config, text + "\n[close]\nprove_seconds = 0\n").expect("the configuration");
    folder
}
