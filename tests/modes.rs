//! Who may read what paylater writes: a group reads what goes out, and nobody else reads the books and the mails. Runs the
//! real program.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{POLICY, Scheme};

#[test]
fn a_group_reads_reports_and_answers_and_not_the_books() {
    let orders = "order_id,customer_id,amount,currency,ordered_at\nO1,C1,100.00,CNY,2026-03-01 09:00:00\n";
    let policy = format!("{POLICY}\n[version.reminders]\nsteps = [-7]\n");
    let scheme = Scheme::shop(&policy).with_customer(&[("orders-2026-03-01.csv", orders)]);
    let close = scheme.command(&["close", "--through", "2026-03-02"]);
    // As in the unit.
    let script = "umask 0027; exec \"$0\" \"$@\"";
    let mut under_umask = Command::new("sh");
    under_umask.args(["-c", script]).arg(close.get_program()).args(close.get_args());
    under_umask.env_remove("PAYLATER_STORE_URL");
    assert!(under_umask.status().unwrap().success());
    let mode = |name: &str| {
        let metadata = scheme.path("run").join(name).metadata().unwrap_or_else(|why| panic!("{name}: {why}"));
        format!("{:o}", metadata.permissions().mode() & 0o7777)
    };
    for (name, expected) in [
        ("reconciliation", "750"),
        ("reconciliation/2026-03-01", "750"),
        ("reconciliation/2026-03-01/manifest.json", "640"),
        ("reconciliation/2026-03-01/SHOP_2026-03-01_summary.csv", "640"),
        ("outbox/orders", "750"),
        ("outbox/orders/orders-2026-03-01.csv.ack.csv", "640"),
        ("paylater.db", "600"),
        ("mail", "700"),
    ] {
        assert_eq!(mode(name), expected, "{name}");
    }
}
