//! The daemon runs due jobs, keeps other processes from the books, and stops cleanly on request.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Scheme;

#[test]
fn it_works_off_what_is_due_and_stops_on_sigterm() {
    let scheme = Scheme::sample();
    let mut daemon = scheme.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    // The daemon immediately catches up on the latest missed run of every job except the reminders: it closes the first
    // day.
    let out = scheme.path("sample-run/reconciliation/2026-03-01/manifest.json");
    while !out.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing was done");
        assert!(daemon.try_wait().unwrap().is_none(), "the daemon ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A second daemon is refused; a person's command takes its turn beside the first one.
    let told = scheme.run_failing(&["run"], 1);
    assert!(told.contains("another paylater daemon runs on these books"), "{told}");
    scheme.run(&["close", "--through", "2026-03-02"]);
    let status = scheme.run(&["status"]);
    assert!(status.contains("running as "), "{status}");

    let killed = Command::new("kill").arg("-TERM").arg(daemon.id().to_string()).status().unwrap();
    assert!(killed.success());
    let output = daemon.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("stopped"), "{log}");
    scheme.run(&["verify"]);
    let status = scheme.run(&["status"]);
    assert!(status.contains("open business date  2026-03-03"), "{status}");
    assert!(status.contains("stopped at "), "{status}");
}

#[test]
fn a_run_that_was_cut_off_is_taken_up_at_the_next_start() {
    let scheme = Scheme::sample();
    let start = || {
        let mut daemon = scheme.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        move |out: &std::path::Path| {
            while !out.exists() {
                assert!(started.elapsed() < Duration::from_secs(60), "nothing was done");
                std::thread::sleep(Duration::from_millis(5));
            }
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    };
    // Kill the daemon when the first file is in the archive, in the middle of a run.
    start()(&scheme.path("sample-run/archive/customers/customers-2026-03-01.csv"));
    start()(&scheme.path("sample-run/reconciliation/2026-03-01/manifest.json"));
    scheme.run(&["verify"]);
}
