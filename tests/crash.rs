//! A run that is killed and started again ends with the same files, to the byte, as an undisturbed run.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{OUTPUTS, Scheme, assert_same, files_below};

const LAST: &str = "2026-03-31";

/// Kills the close of the sample month ten times at random, then lets it finish.
fn killed_ten_times(scheme: &Scheme, mut seed: u64) {
    let mut kills = 0;
    while kills < 10 {
        let mut child =
            scheme.command(&["close", "--through", LAST]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // xorshift: the delay differs from kill to kill, but is the same in every run of the test.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(30 + seed % 700));
        if child.try_wait().unwrap().is_some() {
            assert!(kills > 0, "the month was closed before the first kill");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    scheme.close(LAST);
}

fn undisturbed() -> Scheme {
    let scheme = Scheme::sample();
    scheme.close(LAST);
    scheme
}

#[test]
fn killed_at_random_on_sqlite() {
    let expected = undisturbed();
    let scheme = Scheme::sample();
    killed_ten_times(&scheme, 0x9e37_79b9_7f4a_7c15);
    assert_same(
        &files_below(&expected.path("sample-run"), &OUTPUTS),
        &files_below(&scheme.path("sample-run"), &OUTPUTS),
    );
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn killed_at_random_on_postgres() {
    let expected = undisturbed();
    let scheme = Scheme::sample().on_postgres().await;
    killed_ten_times(&scheme, 0x2545_f491_4f6c_dd1d);
    assert_same(
        &files_below(&expected.path("sample-run"), &OUTPUTS),
        &files_below(&scheme.path("sample-run"), &OUTPUTS),
    );
    scheme.run(&["verify"]);
}
