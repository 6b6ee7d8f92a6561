//! The real daemon under Debian's libfaketime, over the hours in which daylight saving begins and ends. Both clocks run faster, so
//! an hour takes some seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::daemon::{Daemon, jobs, runs};
use crate::support::{POLICY, Scheme};

/// How much faster than real clocks.
const TIMES: u32 = 100;

/// Runs the daemon in London from 23:20 to after 01:40 UTC. Returns the due times of the runs of `watch_feeds` (every 5 minutes) and
/// of `send_reminders` (at 01:30 local time).
fn night(library: &Path, day: &str) -> BTreeMap<String, Vec<DateTime<Utc>>> {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    let config = scheme.read("paylater.toml").replace("Asia/Shanghai", "Europe/London");
    let config = config.replace("2026-03-01", day).replace("\"business\"", "\"wall\"");
    scheme.write("paylater.toml", config);
    jobs(
        &scheme,
        &[
            ("watch_feeds", "0 */5 * * * *", "catch_up = \"all\""),
            ("send_reminders", "0 30 1 * * *", "catch_up = \"all\""),
            ("close_day", "0 30 0 * * *", ""),
        ],
    );
    let begin: DateTime<Utc> = format!("{day}T23:20:00Z").parse().unwrap();
    let end = begin + TimeDelta::minutes(140);
    let mut command = scheme.command(&["run"]);
    // The program `faketime` would pass on no signals.
    command.env("LD_PRELOAD", library).env("TZ", "UTC");
    command.env("FAKETIME", format!("@{} x{TIMES}", begin.format("%Y-%m-%d %H:%M:%S")));
    let mut daemon = Daemon::spawn(&scheme, command);
    let began = Instant::now();
    let of = |job: &str| -> Vec<DateTime<Utc>> {
        let done = runs(&scheme, &["--job", job, "--status", "done"]);
        let due = done.iter().map(|run| run["scheduled_for"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap());
        // The close of a day runs jobs for that day as well, under times of that day.
        let mut due: Vec<DateTime<Utc>> = due.filter(|at| *at >= begin).collect();
        due.sort_unstable();
        due
    };
    while !scheme.path("run/paylater.db").exists() || of("watch_feeds").last().is_none_or(|last| *last < end) {
        assert!(!daemon.has_ended(), "the daemon has ended: {}", scheme.read("log"));
        assert!(began.elapsed() < Duration::from_secs(240), "the night does not end: {}", scheme.read("log"));
        std::thread::sleep(Duration::from_millis(500));
    }
    daemon.stop();
    assert!(scheme.path(&format!("run/reconciliation/{day}/manifest.json")).exists(), "{}", scheme.read("log"));
    scheme.run(&["verify"]);
    ["watch_feeds", "send_reminders"].map(|job| (job.to_owned(), of(job))).into()
}

/// The library that replaces the clocks, made for programs with threads. Debian has it in a folder for each kind of processor.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

fn check(day: &str, reminders: &str) {
    let Some(library) = library() else {
        eprintln!("not tested: there is no libfaketime (Debian's package libfaketime)");
        return;
    };
    let runs = night(&library, day);
    let watched = &runs["watch_feeds"];
    let every = TimeDelta::minutes(5);
    assert!(watched.len() >= 29 && watched.windows(2).all(|two| two[1] - two[0] == every), "{watched:?}");
    assert_eq!(runs["send_reminders"], [reminders.parse::<DateTime<Utc>>().unwrap()]);
}

/// 01:30 does not come: the clock goes from 01:00 to 02:00.
#[test]
fn daylight_saving_begins() {
    check("2026-03-28", "2026-03-29T01:00:00Z");
}

/// 01:30 comes twice, at 00:30 and 01:30 UTC.
#[test]
fn daylight_saving_ends() {
    check("2026-10-24", "2026-10-25T00:30:00Z");
}
