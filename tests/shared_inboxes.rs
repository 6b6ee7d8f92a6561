//! Files for several feeds, and files that stay in their folder: each feed reads each file once, and no file is moved
//! before every feed has read it.

use std::fs;

use crate::support::{POLICY, Scheme};

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at,event,occurred_at\n\
                      T1,C1,10.00,CNY,2026-03-01,delivered,2026-03-02\n";

fn feed(name: &str, pattern: &str, kind: &str, more: &str) -> String {
    format!(
        "[[feed]]\nname = \"{name}\"\nfolder = \"inbox\"\npattern = \"{pattern}\"\nkind = \"{kind}\"\nsettle_seconds = 0\n\
         merchant = \"SHOP\"\n{more}\n"
    )
}

/// The shop with two more feeds for an export of its orders. The second feed takes only the exports of the till.
fn shop(more: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    let mut config = scheme.read("paylater.toml");
    config += &feed("export-orders", "export-*.csv", "orders", "");
    config += &feed("export-deliveries", "*-till-{date}.csv", "fulfilments", more);
    scheme.write("paylater.toml", config);
    scheme
}

fn exists(scheme: &Scheme, name: &str) -> bool {
    scheme.path(name).exists()
}

/// Returns the number of acknowledgements of till files for each of the two feeds.
fn acknowledged(scheme: &Scheme) -> (usize, usize) {
    let count = |feed: &str| {
        let names = fs::read_dir(scheme.path(&format!("run/outbox/{feed}"))).unwrap();
        names.filter(|name| name.as_ref().unwrap().file_name().to_string_lossy().contains("-till-")).count()
    };
    (count("export-orders"), count("export-deliveries"))
}

#[test]
fn a_file_is_moved_when_every_feed_that_takes_it_has_it() {
    let scheme = shop("");
    scheme.write("inbox/export-till-2026-03-02.csv", ORDERS);
    scheme.write("inbox/export-web-2026-03-02.csv", ORDERS.replace("T1", "W1"));
    // The first feed takes the file immediately, the second on the file's day.
    scheme.close("2026-03-01");
    let name = "export-till-2026-03-02.csv";
    assert!(scheme.ack("export-orders", name).contains("2,T1,accepted"));
    assert!(exists(&scheme, &format!("inbox/{name}")) && !exists(&scheme, "inbox/export-web-2026-03-02.csv"));
    assert!(exists(&scheme, &format!("run/archive/export-orders/{name}")));
    scheme.run(&["job", "ingest_files"]);
    assert!(scheme.ack("export-deliveries", name).contains("2,T1:delivered,accepted"));
    assert!(
        !exists(&scheme, &format!("inbox/{name}")) && exists(&scheme, &format!("run/archive/export-deliveries/{name}"))
    );
    assert_eq!(acknowledged(&scheme), (1, 1), "it was taken once by each");
    // The same file again is a duplicate.
    scheme.write(&format!("inbox/{name}"), ORDERS);
    scheme.close("2026-03-03");
    assert!(!exists(&scheme, &format!("inbox/{name}")));
    assert!(scheme.ack("export-orders", "export-till-2026-03-02.2.csv").contains("FILE_DUPLICATE"));
    scheme.run(&["verify"]);
}

#[test]
fn a_file_in_quarantine_of_one_feed_is_taken_by_the_other() {
    let scheme = shop("");
    let name = "export-till-2026-03-01.csv";
    scheme.write(
        &format!("inbox/{name}"),
        "order_id,customer_id,amount,currency,ordered_at\nT1,C1,10.00,CNY,2026-03-01\n",
    );
    scheme.close("2026-03-01");
    assert!(scheme.ack("export-orders", name).contains("2,T1,accepted"));
    assert!(scheme.ack("export-deliveries", name).contains("FILE_COLUMN_MISSING"));
    assert!(
        !exists(&scheme, &format!("inbox/{name}")) && exists(&scheme, &format!("run/archive/export-orders/{name}"))
    );
    assert!(exists(&scheme, &format!("run/quarantine/export-deliveries/{name}")));
}

#[test]
fn a_file_that_one_feed_keeps_is_moved_by_none() {
    let scheme = shop("keep = true");
    let name = "export-till-2026-03-01.csv";
    scheme.write(&format!("inbox/{name}"), ORDERS);
    scheme.close("2026-03-02");
    assert!(exists(&scheme, &format!("inbox/{name}")));
    for feed in ["export-orders", "export-deliveries"] {
        assert!(exists(&scheme, &format!("run/archive/{feed}/{name}")));
    }
    assert_eq!(acknowledged(&scheme), (1, 1));
    scheme.close("2026-03-03");
    assert_eq!(acknowledged(&scheme), (1, 1));
}

#[test]
fn a_kept_file_is_opened_once_and_again_when_it_is_another() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    let keeps = scheme.read("paylater.toml").replace("settle_seconds = 0\n", "settle_seconds = 0\nkeep = true\n");
    scheme.write("paylater.toml", keeps);
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nT1,C1,5.00,CNY,2026-03-01\n",
    );
    // Counts the system calls that open files in the inbox.
    let opened = |scheme: &Scheme| {
        let trace = scheme.path("trace");
        let program = env!("CARGO_BIN_EXE_paylater");
        let traced = std::process::Command::new("strace")
            .args(["-f", "-e", "trace=openat,open", "-o"])
            .arg(&trace)
            .args([program, "--config"])
            .arg(&scheme.config)
            .args(["job", "ingest_files"])
            .output()
            .unwrap();
        assert!(traced.status.success(), "{}", String::from_utf8_lossy(&traced.stderr));
        fs::read_to_string(trace)
            .unwrap()
            .lines()
            .filter(|line| line.contains("/inbox/") && line.contains(".csv"))
            .count()
    };
    assert!(opened(&scheme) > 0);
    assert_eq!(opened(&scheme), 0, "a new process knows what the last one has read");
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nT2,C1,5.00,CNY,2026-03-01\n",
    );
    assert!(opened(&scheme) > 0);
    assert!(scheme.ack("orders", "orders-2026-03-01.2.csv").contains("2,T2,accepted"));
}
