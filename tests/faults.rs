//! The daemon over a generated month, disturbed: killed at random moments, and with a disk that is full or fails at its writes. It
//! must end as an undisturbed run does.
//!
//! By default a few days are disturbed a few times. To disturb a whole month more often:
//!
//!     PAYLATER_KILLS=500 PAYLATER_KILL_DAYS=31 cargo nextest run faults::killed
//!     PAYLATER_FAULTS=200 cargo nextest run faults::a_full_disk

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};

use crate::support::daemon::{Daemon, EVERY_SECOND, runs};
use crate::support::{OUTPUTS, Scheme, assert_same, copy, files_below};

/// How long the daemon may work at a day, however often it is disturbed.
const A_DAY_WITHIN: Duration = Duration::from_secs(300);

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A generated scheme of some days, whose daemon closes one day after the other, without a pause.
fn generated(days: u64, orders: u64) -> Scheme {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("paylater.toml");
    let mut generate = Command::new(env!("CARGO_BIN_EXE_paylater"));
    generate.args(["generate", "--customers", "60", "--merchants", "2", "--flaws", "0.02"]);
    generate.args(["--days", &days.to_string(), "--orders", &orders.to_string(), "--out"]);
    assert!(generate.arg(folder.path()).output().unwrap().status.success());
    let scheme = Scheme { folder, config, env: Vec::new() };
    fs::create_dir(scheme.path("jobs")).unwrap();
    let order = ["ingest_files", "watch_feeds", "send_reminders", "close_day", "write_reconciliation"];
    for (i, name) in order.iter().enumerate() {
        let after = if i == 0 { String::new() } else { format!("{:?}", order[i - 1]) };
        let tries = "retries = 20\nretry_seconds = 1\n";
        let job =
            format!("about = \"{name}\"\ncron = \"{EVERY_SECOND}\"\ncatch_up = \"last\"\nafter = [{after}]\n{tries}");
        scheme.write(&format!("jobs/{name}.toml"), job);
    }
    let config = scheme.read("paylater.toml").replace("kind = \"", "settle_seconds = 0\nkind = \"");
    scheme.write("paylater.toml", format!("{config}\n[jobs]\nfolder = \"jobs\"\n"));
    scheme
}

fn copied(scheme: &Scheme) -> Scheme {
    let folder = tempfile::tempdir().unwrap();
    copy(scheme.folder.path(), folder.path());
    let config = folder.path().join("paylater.toml");
    Scheme { folder, config, env: Vec::new() }
}

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() + Days::new(number - 1)
}

fn is_sealed(scheme: &Scheme, day: NaiveDate) -> bool {
    scheme.path(&format!("run/reconciliation/{day}/manifest.json")).exists()
}

fn open_day(scheme: &Scheme) -> NaiveDate {
    let status: serde_json::Value =
        serde_json::from_slice(&scheme.command(&["--json", "status"]).output().unwrap().stdout).unwrap();
    status["business_date"].as_str().unwrap().parse().unwrap()
}

/// Everything that other people and programs get: reports, acknowledgements, mails.
fn output(scheme: &Scheme) -> BTreeMap<String, Vec<u8>> {
    files_below(&scheme.path("run"), &there(scheme))
}

/// The folders with a run's output that are there: the first days send no mails.
fn there(scheme: &Scheme) -> Vec<&'static str> {
    let folders = OUTPUTS.into_iter().chain(["archive"]);
    folders.filter(|folder| scheme.path("run").join(folder).exists()).collect()
}

/// Closes the day at which the daemon was stopped, on a copy of the undisturbed scheme as well, and compares them.
fn assert_as_undisturbed(disturbed: &Scheme, undisturbed: &Scheme) {
    let end = open_day(disturbed).to_string();
    let undisturbed = copied(undisturbed);
    disturbed.close(&end);
    undisturbed.close(&end);
    assert_same(&output(&undisturbed), &output(disturbed));
    disturbed.run(&["verify"]);
}

/// Numbers that differ, and are the same in every run of a test.
struct Random(u64);

impl Random {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Kills the daemon again and again while it closes the days, as often as it takes, and then begins anew until it was killed often
/// enough.
#[test]
fn killed_at_any_moment_the_daemon_ends_as_if_undisturbed() {
    let (kills, days) = (setting("PAYLATER_KILLS", 10), setting("PAYLATER_KILL_DAYS", 5));
    let ready = generated(days, days * 12);
    let undisturbed = copied(&ready);
    undisturbed.close(&day(days).to_string());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        let scheme = copied(&ready);
        let (mut sealed, mut since) = (0, Instant::now());
        while sealed < days {
            let daemon = Daemon::start(&scheme);
            std::thread::sleep(Duration::from_millis(100 + random.up_to(2_400)));
            daemon.kill();
            killed += 1;
            while sealed < days && is_sealed(&scheme, day(sealed + 1)) {
                (sealed, since) = (sealed + 1, Instant::now());
            }
            assert!(since.elapsed() < A_DAY_WITHIN, "day {} does not come: {}", sealed + 1, scheme.read("log"));
        }
        assert_as_undisturbed(&scheme, &undisturbed);
        rounds += 1;
        println!("{killed} kills, {rounds} times {days} days");
    }
}

/// The calls that write, and what they fail with.
const FAULTS: [(&str, &str); 4] = [
    ("write,pwrite64", "ENOSPC"),
    ("write,pwrite64", "EIO"),
    ("fsync,fdatasync", "EIO"),
    ("mkdir,rename,ftruncate", "ENOSPC"),
];

/// At one write after the other, the disk is full or fails for some writes of each thread, and then works again. In every third
/// try it does not, and the daemon is killed and started again.
#[test]
fn a_full_disk_or_a_failing_one_leaves_nothing_half_done() {
    const DAYS: u64 = 2;
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("not tested: there is no strace (Debian's package strace)");
        return;
    }
    let tries = setting("PAYLATER_FAULTS", 8);
    let ready = generated(DAYS, DAYS * 12);
    // Without room for its tables the daemon ends at once, and the service manager starts it again. Here it has them.
    ready.run(&["job", "watch_feeds"]);
    let undisturbed = copied(&ready);
    undisturbed.close(&day(DAYS).to_string());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut failed_runs, mut hit) = (0, 0);
    for i in 0..tries {
        let (calls, error) = FAULTS[usize::try_from(i).unwrap() % FAULTS.len()];
        let first = 1 + random.up_to(60);
        let lasting = i % 3 == 2;
        let what = format!("{calls} {error} from call {first}{}", if lasting { ", lasting" } else { "" });
        let scheme = copied(&ready);
        let until = if lasting { "+".to_owned() } else { format!("..{}", first + random.up_to(12)) };
        let mut daemon =
            Daemon::spawn(&scheme, failing(&scheme, &undisturbed, calls, error, &format!("{first}{until}")));
        let began = Instant::now();
        let limit = if lasting { Duration::from_secs(15) } else { A_DAY_WITHIN };
        while !is_sealed(&scheme, day(DAYS)) && began.elapsed() < limit {
            assert!(!daemon.has_ended(), "{what}: the daemon has ended: {}", scheme.read("log"));
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(lasting || is_sealed(&scheme, day(DAYS)), "{what}: it does not go on: {}", scheme.read("log"));
        daemon.kill();
        hit += u64::from(scheme.read("faults").contains("(INJECTED)"));
        failed_runs +=
            runs(&scheme, &["--status", "failed"]).len() + scheme.read("log").matches("the store is away").count();
        if lasting {
            let mut daemon = Daemon::start(&scheme);
            let began = Instant::now();
            while !is_sealed(&scheme, day(DAYS)) {
                assert!(began.elapsed() < A_DAY_WITHIN, "{what}: it does not go on: {}", scheme.read("log"));
                std::thread::sleep(Duration::from_millis(100));
            }
            daemon.stop();
        }
        println!("{what}");
        assert_as_undisturbed(&scheme, &undisturbed);
    }
    println!("{tries} tries, {hit} with faults; {failed_runs} failed runs and waits for the store");
    assert!(hit > tries / 2 && failed_runs > 0, "{hit} tries had faults, and {failed_runs} runs failed");
}

/// The daemon, some of whose calls that write below its home and its inbox fail. strace counts the calls of each thread.
fn failing(scheme: &Scheme, undisturbed: &Scheme, calls: &str, error: &str, when: &str) -> Command {
    let run = scheme.command(&["run"]);
    let mut command = Command::new("strace");
    // The daemon stays the child of the test, and strace its grandchild.
    command.args(["-D", "-f", "-qq", "-o"]).arg(scheme.path("faults"));
    command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error={error}:when={when}")]);
    let mut paths = vec!["run/paylater.db".to_owned(), "run/paylater.db-wal".to_owned()];
    for name in output(undisturbed).into_keys() {
        // Files are written under another name first, and the reports of a day in a folder of their own.
        match name.strip_prefix("reconciliation/").and_then(|rest| rest.split_once('/')) {
            Some((day, file)) => {
                paths.push(format!("run/reconciliation/.{day}.part"));
                paths.push(format!("run/reconciliation/.{day}.part/{file}"));
            }
            None => paths.push(format!("run/{name}.part")),
        }
    }
    paths.extend(files_below(scheme.folder.path(), &["inbox"]).into_keys());
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        command.arg("-P").arg(scheme.path(&path));
    }
    command.arg(run.get_program()).args(run.get_args()).env_remove("PAYLATER_STORE_URL");
    command
}
