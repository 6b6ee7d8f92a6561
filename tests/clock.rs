//! The real daemon with a wall clock that jumps: it never seals a day before the day is over, and never skips a day.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::wall_clock::{Daemon, with_a_clock_of_its_own};
use crate::support::{POLICY, Scheme};
use chrono::{Days, NaiveDate, Utc};
use chrono_tz::Asia::Shanghai;

/// A scheme on the wall clock whose first open day was `days_ago` days ago.
fn begun(days_ago: u64, keys: &str) -> (Scheme, NaiveDate) {
    let scheme = Scheme::shop(POLICY);
    let first = Utc::now().with_timezone(&Shanghai).date_naive() - Days::new(days_ago);
    let config = scheme.read("paylater.toml").replace("clock = \"business\"", &format!("clock = \"wall\"\n{keys}"));
    scheme.write("paylater.toml", config.replace("starts_on = \"2026-03-01\"", &format!("starts_on = \"{first}\"")));
    (scheme, first)
}

/// Waits until `status` prints these words. The daemon checks the clock every second.
fn until(scheme: &Scheme, words: &str) -> (String, Option<i32>) {
    let started = Instant::now();
    loop {
        // Wide enough that no cell is broken into lines.
        let output = scheme.command(&["status"]).env("COLUMNS", "1000").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if told.contains(words) {
            return (told, output.status.code());
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no {words:?} in {told}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn sealed(scheme: &Scheme, day: NaiveDate) -> bool {
    Path::new(&scheme.path(&format!("run/reconciliation/{day}"))).exists()
}

#[test]
fn more_days_than_are_closed_at_once_wait_for_somebody_who_asks() {
    let (scheme, first) = begun(12, "");
    let daemon = Daemon::start(&scheme);
    let (told, status) = until(&scheme, "12 days from");
    assert_eq!(status, Some(1), "{told}");
    assert!(!sealed(&scheme, first));
    daemon.stop();
    let yesterday = Utc::now().with_timezone(&Shanghai).date_naive() - Days::new(1);
    scheme.close(&yesterday.to_string());
    assert!(sealed(&scheme, first) && sealed(&scheme, yesterday));
}

#[test]
fn a_week_off_is_made_up_for() {
    let (scheme, first) = begun(7, "");
    let daemon = Daemon::start(&scheme);
    until(&scheme, "days closed 7");
    daemon.stop();
    assert!(sealed(&scheme, first));
}

#[test]
fn a_clock_that_is_ahead_for_a_while_seals_nothing() {
    let (mut scheme, today) = begun(0, "");
    with_a_clock_of_its_own(&mut scheme);
    let daemon = Daemon::start(&scheme);
    until(&scheme, "nothing to do");
    // Sets the clock to the year 2108.
    scheme.write("ahead", (86_400_i64 * 30_000).to_string());
    let (told, status) = until(&scheme, "ahead by");
    assert_eq!(status, Some(1), "{told}");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!sealed(&scheme, today));
    scheme.write("ahead", "0");
    let (told, status) = until(&scheme, "the clock is right again");
    assert_eq!(status, Some(0), "{told}");
    let (told, _) = until(&scheme, &format!("open business date  {today}"));
    assert!(told.contains("last sealed day     none"), "{told}");
    daemon.stop();
}

#[test]
fn a_clock_that_has_held_is_believed() {
    let (mut scheme, today) = begun(0, "clock_wait_minutes = 0");
    with_a_clock_of_its_own(&mut scheme);
    let daemon = Daemon::start(&scheme);
    until(&scheme, "nothing to do");
    scheme.write("ahead", "86400");
    until(&scheme, "days closed 1");
    assert!(sealed(&scheme, today));
    scheme.write("ahead", "0");
    let (told, status) = until(&scheme, "set back by");
    assert_eq!(status, Some(0), "{told}");
    daemon.stop();
    scheme.run(&["verify"]);
}
