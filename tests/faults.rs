//! The daemon over a generated month, killed at random moments. It must end as an undisturbed run does.
//!
//! By default a few days are disturbed a few times. To disturb a whole month more often:
//!
//!     PAYLATER_KILLS=500 PAYLATER_KILL_DAYS=31 cargo nextest run faults::

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};

use crate::support::daemon::{Daemon, EVERY_SECOND};
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
