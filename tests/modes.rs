//! Who may read what paylater writes: a group reads what goes out, and nobody else reads the books and the mails. Runs the
//! real program.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::support::{POLICY, Scheme, files_below};

const ORDERS: (&str, &str) = (
    "orders-2026-03-01.csv",
    "order_id,customer_id,amount,currency,ordered_at\nO1,C1,100.00,CNY,2026-03-01 09:00:00\nO2,C1,wrong,CNY,2026-03-01\n",
);

/// A shop whose reports also go to a folder of finance.
fn shop() -> Scheme {
    let policy = format!("{POLICY}\n[version.reminders]\nsteps = [-7]\n");
    let scheme = Scheme::shop(&policy).with_customer(&[ORDERS, ("payments-2026-03-01.csv", "not,a,payment\n1,2,3\n")]);
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", format!("{config}[outbox]\nreports = \"finance\"\n"));
    std::fs::create_dir(scheme.path("finance")).unwrap();
    scheme
}

/// Closes two days as the unit does.
fn close(scheme: &Scheme) {
    let close = scheme.command(&["close", "--through", "2026-03-02"]);
    let script = "umask 0027; exec \"$0\" \"$@\"";
    let mut under_umask = Command::new("sh");
    under_umask.args(["-c", script]).arg(close.get_program()).args(close.get_args());
    under_umask.env_remove("PAYLATER_STORE_URL");
    assert!(under_umask.status().unwrap().success());
}

fn mode(path: &Path) -> String {
    let metadata = path.metadata().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    format!("{:o}", metadata.permissions().mode() & 0o7777)
}

#[test]
fn a_group_reads_reports_and_answers_and_not_the_books() {
    let scheme = shop();
    close(&scheme);
    for (name, expected) in [
        ("run/reconciliation", "750"),
        ("run/reconciliation/2026-03-01", "750"),
        ("run/outbox/orders", "750"),
        ("run/outbox/orders/orders-2026-03-01.csv.ack.csv", "640"),
        ("run/outbox/orders/orders-2026-03-01.csv.rejects.csv", "640"),
        ("run/quarantine/payments/payments-2026-03-01.csv.reason.txt", "640"),
        ("finance/2026-03-01", "750"),
        ("run/paylater.db", "600"),
        ("run/mail", "700"),
    ] {
        assert_eq!(mode(&scheme.path(name)), expected, "{name}");
    }
    let reports = files_below(scheme.folder.path(), &["run/reconciliation", "finance"]);
    assert!(reports.len() > 20, "{:?}", reports.keys());
    for name in reports.keys() {
        assert_eq!(mode(&scheme.path(name)), "640", "{name}");
    }
}

/// A folder with the bit `setgid` hands its group on. A report that was written elsewhere and moved would not get it.
#[test]
fn reports_get_the_group_of_their_folder() {
    const FINANCE: u32 = 54_321;
    let scheme = shop();
    std::fs::create_dir_all(scheme.path("run/reconciliation")).unwrap();
    for folder in ["run/reconciliation", "finance"] {
        let path = scheme.path(folder);
        if chown(&path, None, Some(FINANCE)).is_err() {
            eprintln!("only root can give a folder to a group that it is not in");
            return;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o2750)).unwrap();
    }
    close(&scheme);
    let reports = files_below(scheme.folder.path(), &["run/reconciliation", "finance"]);
    assert!(reports.len() > 20, "{:?}", reports.keys());
    for name in reports.keys() {
        assert_eq!(scheme.path(name).metadata().unwrap().gid(), FINANCE, "{name}");
    }
    assert_eq!(mode(&scheme.path("finance/2026-03-02")), "2750");
}
