//! Untrusted contents of an inbox: links, pipes, strange names, and files that are incomplete or replaced while they
//! are read. Runs the real program, which must neither follow links nor wait.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{POLICY, Scheme};
use sha2::{Digest, Sha256};

const HEADER: &str = "payment_id,order_id,amount,currency,paid_at\n";

fn payment(id: &str) -> String {
    format!("{HEADER}{id},O-{id},1.00,CNY,2026-03-01\n")
}

/// A shop whose payments feed has these extra keys.
fn shop(keys: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let feed = "kind = \"payments\"\nsettle_seconds = 0\n";
    let config = scheme.read("paylater.toml");
    assert!(config.contains(feed));
    scheme.write("paylater.toml", config.replace(feed, &format!("kind = \"payments\"\n{keys}\n")));
    scheme
}

fn exceptions(scheme: &Scheme, day: &str) -> String {
    scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_exceptions.csv"))
        + &scheme.read(&format!("run/reconciliation/{day}/scheme_{day}_exceptions.csv"))
}

fn exists(scheme: &Scheme, name: &str) -> bool {
    fs::symlink_metadata(scheme.path(name)).is_ok()
}

#[test]
fn what_is_no_plain_file_under_a_proper_name_is_refused_and_told_once() {
    let scheme = shop("settle_seconds = 0");
    let inbox = scheme.path("inbox");
    scheme.write("secret.csv", payment("SECRET"));
    std::os::unix::fs::symlink(scheme.path("secret.csv"), inbox.join("payments-2026-03-01-link.csv")).unwrap();
    std::os::unix::fs::symlink(scheme.path("nowhere.csv"), inbox.join("payments-2026-03-01-nowhere.csv")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.join("payments-2026-03-01-pipe.csv")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(inbox.join("payments-2026-03-01-socket.csv")).unwrap();
    fs::create_dir(inbox.join("payments-2026-03-01-folder.csv")).unwrap();
    let long = format!("payments-2026-03-01-{}.csv", "x".repeat(200));
    fs::write(inbox.join(&long), payment("LONG")).unwrap();
    fs::write(inbox.join("payments-2026-03-01-\u{7}.csv"), payment("BELL")).unwrap();
    fs::write(inbox.join(OsStr::from_bytes(b"payments-2026-03-01-\xd6\xd0.csv")), payment("GBK")).unwrap();
    scheme.write("inbox/payments-2026-03-01.csv", payment("GOOD"));

    let mut close = scheme.command(&["close", "--through", "2026-03-01"]).spawn().unwrap();
    let begun = SystemTime::now();
    while close.try_wait().unwrap().is_none() {
        if begun.elapsed().unwrap() > Duration::from_secs(120) {
            close.kill().unwrap();
            panic!("it waits for something");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(close.wait().unwrap().success());
    scheme.close("2026-03-02");
    let told = exceptions(&scheme, "2026-03-02");
    for words in [
        "in the inbox of feed payments: payments-2026-03-01-link.csv is a symbolic link",
        "payments-2026-03-01-nowhere.csv is a symbolic link",
        "payments-2026-03-01-pipe.csv is a pipe; send a regular file instead",
        "payments-2026-03-01-socket.csv is a socket",
        "has a name of 224 bytes; at most 200 are allowed; send it under another name",
        "payments-2026-03-01-\\x07.csv has control characters in its name",
        "payments-2026-03-01-\\xd6\\xd0.csv has a name that is not UTF-8",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    // Each is listed once, with the day on which it was first seen.
    assert_eq!(told.matches("FILE_REFUSED").count(), 7, "{told}");
    assert_eq!(told.matches(",2026-03-01,1,").count(), 8, "{told}");
    assert!(exists(&scheme, "inbox/payments-2026-03-01-link.csv") && exists(&scheme, &format!("inbox/{long}")));
    assert!(!told.contains("folder") && exists(&scheme, "run/archive/payments/payments-2026-03-01.csv"));
    for (name, bytes) in crate::support::files_below(&scheme.path("run"), &["outbox", "reconciliation", "archive"]) {
        assert!(!String::from_utf8_lossy(&bytes).contains("SECRET"), "{name}");
    }

    // A file that is gone is no longer listed.
    fs::remove_file(inbox.join("payments-2026-03-01-pipe.csv")).unwrap();
    fs::rename(inbox.join(&long), inbox.join("payments-2026-03-01-short.csv")).unwrap();
    scheme.close("2026-03-03");
    let told = exceptions(&scheme, "2026-03-03");
    assert_eq!(told.matches("FILE_REFUSED").count(), 5, "{told}");
    assert!(exists(&scheme, "run/archive/payments/payments-2026-03-01-short.csv"));
}

#[test]
fn files_that_are_still_sent_are_left_alone() {
    let scheme = shop("settle_seconds = 0");
    let unfinished = [".part", ".tmp", ".filepart", "~"].map(|ending| format!("payments-2026-03-01.csv{ending}"));
    let config = scheme.read("paylater.toml").replace("payments-{date}*.csv", "payments-{date}*");
    scheme.write("paylater.toml", config);
    for name in unfinished.iter().map(String::as_str).chain([".payments-2026-03-01.csv"]) {
        scheme.write(&format!("inbox/{name}"), payment("P1"));
    }
    scheme.close("2026-03-01");
    for name in unfinished {
        assert!(exists(&scheme, &format!("inbox/{name}")), "{name}");
    }
    assert!(!exceptions(&scheme, "2026-03-01").contains("FILE"));
}

#[test]
fn a_marker_says_that_a_file_is_whole() {
    // The settle time is so long that the test fails if it still counts.
    let scheme = shop("settle_seconds = 3600\ndone = \".done\"");
    scheme.write("inbox/payments-2026-03-01.csv", payment("P1"));
    scheme.close("2026-03-01");
    assert!(exists(&scheme, "inbox/payments-2026-03-01.csv"));
    scheme.write("inbox/payments-2026-03-01.csv.done", "");
    scheme.close("2026-03-02");
    assert!(
        !exists(&scheme, "inbox/payments-2026-03-01.csv") && !exists(&scheme, "inbox/payments-2026-03-01.csv.done")
    );
    assert!(exists(&scheme, "run/archive/payments/payments-2026-03-01.csv"));
    assert!(exists(&scheme, "run/archive/payments/payments-2026-03-01.csv.done"));
    // A marker counts once: the next file with that name waits for a new marker.
    scheme.write("inbox/payments-2026-03-01.csv", payment("P2"));
    scheme.close("2026-03-03");
    assert!(exists(&scheme, "inbox/payments-2026-03-01.csv"));
}

#[test]
fn a_sender_with_a_wrong_clock_is_not_waited_for_for_ever() {
    let scheme = shop("settle_seconds = 1");
    for (name, told) in [
        ("inbox/payments-2026-03-01.csv", SystemTime::now() + Duration::from_secs(90_000_000)),
        ("inbox/payments-2026-03-01-b.csv", SystemTime::now() - Duration::from_secs(90_000_000)),
    ] {
        scheme.write(name, payment(name));
        File::options().write(true).open(scheme.path(name)).unwrap().set_modified(told).unwrap();
    }
    scheme.close("2026-03-01");
    assert!(exists(&scheme, "run/archive/payments/payments-2026-03-01.csv"));
    assert!(exists(&scheme, "run/archive/payments/payments-2026-03-01-b.csv"));
}

#[test]
fn the_same_name_with_other_content_is_told_and_both_are_kept() {
    let scheme = shop("settle_seconds = 0");
    scheme.write("inbox/payments-2026-03-01.csv", payment("P1"));
    scheme.close("2026-03-01");
    // Another file already has the name that the second file would be kept under.
    scheme.write("inbox/payments-2026-03-01.2.csv", payment("P2"));
    scheme.close("2026-03-02");
    scheme.write("inbox/payments-2026-03-01.csv", payment("P3"));
    scheme.close("2026-03-03");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-01.3.csv.ack.csv");
    assert!(
        ack.contains(
            "0,,taken,FILE_NAME_AGAIN,\"a file named payments-2026-03-01.csv with other content was taken on 2026-03-01"
        ) && ack.contains("2,P3,pending"),
        "{ack}"
    );
    assert!(scheme.run(&["status"]).contains("with other content was taken on 2026-03-01"));
    for (name, id) in [("", "P1"), (".2", "P2"), (".3", "P3")] {
        assert!(scheme.read(&format!("run/archive/payments/payments-2026-03-01{name}.csv")).contains(id));
        assert!(scheme.read(&format!("run/outbox/payments/payments-2026-03-01{name}.csv.ack.csv")).contains(id));
    }
}

#[test]
fn a_quarantined_file_has_its_reason_beside_it() {
    let scheme = shop("settle_seconds = 0");
    scheme.write("inbox/payments-2026-03-01.csv", "payment_id\nP1\n");
    scheme.close("2026-03-01");
    let reason = scheme.read("run/quarantine/payments/payments-2026-03-01.csv.reason.txt");
    let sha256: String = Sha256::digest("payment_id\nP1\n").iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = format!(
        "file: payments-2026-03-01.csv\nfeed: payments\nbusiness date: 2026-03-01\n\
         sha256: {sha256}\n\
         code: FILE_COLUMN_MISSING\nreason: payments-2026-03-01.csv: a file of payments needs the column(s) \
         order_id, amount, currency, paid_at; the header has: payment_id; none of its rows count\n\
         what to do: have it corrected and send it again, under the same name or another\n"
    );
    assert_eq!(reason, expected);
    // A corrected file may have the same name and other bytes.
    scheme.write("inbox/payments-2026-03-01.csv", payment("P1"));
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-01.2.csv.ack.csv");
    assert!(!ack.contains("FILE_NAME_AGAIN") && ack.contains("2,P1,pending"), "{ack}");
}

/// Many payments, each for an unknown order.
fn many(rows: usize, amount: &str) -> String {
    let mut text = HEADER.to_owned();
    for i in 0..rows {
        text.push_str(&format!("P{i},O{i},{amount},CNY,2026-03-01\n"));
    }
    text
}

#[test]
fn a_file_taken_away_before_a_row_was_committed_is_ended() {
    let scheme = shop("settle_seconds = 0");
    scheme.write("inbox/payments-2026-03-01.csv", many(60_000, "1.00"));
    let mut child = scheme.command(&["close", "--through", "2026-03-01"]).spawn().unwrap();
    // The program begins the acknowledgement after it has claimed the file.
    while !exists(&scheme, "run/outbox/payments/payments-2026-03-01.csv.ack.csv.part") {
        assert!(child.try_wait().unwrap().is_none(), "it was read to its end");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(scheme.path("inbox/payments-2026-03-01.csv")).unwrap();
    scheme.close("2026-03-01");
    let told = exceptions(&scheme, "2026-03-01");
    assert!(told.contains("FILE_CHANGED") && told.contains("0 rows counted before that"), "{told}");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-01.csv.ack.csv");
    assert!(ack.contains("0,,interrupted,FILE_CHANGED,") && ack.lines().count() == 2, "{ack}");
    // The same bytes, delivered again, are taken completely.
    scheme.write("inbox/payments-2026-03-01.csv", many(60_000, "1.00"));
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-01.2.csv.ack.csv");
    assert!(ack.contains("60001,P59999,pending") && !ack.contains("FILE_NAME_AGAIN"));
    scheme.run(&["verify"]);
}
