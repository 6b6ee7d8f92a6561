//! Checks the exported journal with hledger, and with a reader that closes the pipe early.

use std::process::{Command, Stdio};

use crate::support::Scheme;

fn hledger(journal: &std::path::Path) -> (bool, String) {
    let output = Command::new("hledger").arg("-f").arg(journal).arg("check").output();
    let output = output.unwrap_or_else(|why| panic!("hledger: {why}; apt-get install hledger"));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_sample_month_passes_with_a_balance_assertion_per_account_and_sealed_day() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-31");
    let journal = scheme.run(&["journal", "--format", "hledger"]);
    let assertions = journal.lines().filter(|line| line.contains(" = ")).count();
    assert!(assertions >= 31 * 3 * 10, "{assertions} assertions");
    let path = scheme.path("paylater.journal");
    std::fs::write(&path, &journal).unwrap();
    let (passes, why) = hledger(&path);
    assert!(passes, "{why}");

    // A transaction that appears twice still balances, but the balance assertions fail.
    let start = journal.find("\n2026-03-05 (TEA-").unwrap();
    let end = start + 1 + journal[start + 1..].find("\n\n").unwrap();
    std::fs::write(&path, format!("{journal}{}\n", &journal[start..end])).unwrap();
    let (passes, _) = hledger(&path);
    assert!(!passes, "a doubled transaction went unnoticed");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-31");
    for format in ["csv", "hledger"] {
        let mut journal = scheme.command(&["journal", "--format", format]);
        let mut journal = journal.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(journal.stdout.take());
        let output = journal.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("error"), "{format}: {said}");
    }
}

#[test]
fn a_currency_without_decimals_is_read() {
    let policy = crate::support::POLICY.replace("CNY", "JPY").replace("1000.00", "1000");
    let orders = "order_id,customer_id,amount,currency,ordered_at\nA,C1,100,JPY,2026-03-01 10:00:00\n";
    let scheme = Scheme::shop(&policy).with_customer(&[("orders-2026-03-01.csv", orders)]);
    scheme.close("2026-03-01");
    let journal = scheme.run(&["journal", "--format", "hledger"]);
    assert!(journal.contains("commodity JPY 1000.\n"), "{journal}");
    let path = scheme.path("paylater.journal");
    std::fs::write(&path, &journal).unwrap();
    let (passes, why) = hledger(&path);
    assert!(passes, "{why}");
}
