//! Transfers files from and to other machines with the real program and real servers: OpenSSH's SFTP server and an S3
//! server.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::s3::S3;
use crate::support::sftp::Sftp;
use crate::support::{AGREEMENTS, CUSTOMERS, Scheme};

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 7 } ]
refund_window = 7
late_fee = { kind = "none" }
"#;
const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at
O1,C1,100.00,CNY,2026-03-01
O2,C1,bad,CNY,2026-03-01
";

/// A shop whose orders are on a remote server, and whose acknowledgements and reports go to one.
fn shop(table: &str, inbox: &str, outbox: &str, reports: &str, more: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    let feed = "name = \"orders\"\nfolder = \"inbox\"\n";
    let mut text = scheme.read("paylater.toml");
    assert!(text.contains(feed));
    text = text.replace(feed, &format!("name = \"orders\"\nfolder = \"{inbox}\"\noutbox = \"{outbox}\"\n{more}"));
    text.push_str(&format!("[outbox]\nreports = \"{reports}\"\n{table}"));
    scheme.write("paylater.toml", text);
    scheme
}

fn on_sftp(sftp: &Sftp, key: &str, more: &str) -> Scheme {
    for folder in ["in", "out", "reports"] {
        fs::create_dir_all(sftp.folder.join(folder)).unwrap();
    }
    let at = |folder: &str| format!("{}{}/{folder}", sftp.url(), sftp.folder.display());
    shop(&sftp.table(key), &at("in"), &at("out"), &at("reports"), more)
}

fn on_s3(s3: &S3, more: &str) -> Scheme {
    let mut scheme = shop(&s3.table("files"), "s3://files/in", "s3://files/out", "s3://files/reports", more);
    scheme.env = s3.env();
    scheme
}

fn names(folder: std::path::PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_original_stays_until_every_feed_that_takes_it_has_it() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "");
    let inbox = sftp.folder.join("in");
    let folder = format!("{}{}", sftp.url(), inbox.display());
    let second = format!(
        "[[feed]]\nname = \"deliveries\"\nfolder = \"{folder}\"\npattern = \"*-web-{{date}}.csv\"\nkind = \"fulfilments\"\n\
         settle_seconds = 0\nmerchant = \"SHOP\"\n"
    );
    let config = scheme.read("paylater.toml");
    let orders = "pattern = \"orders-{date}*.csv\"\n";
    assert!(config.contains(orders));
    scheme.write("paylater.toml", second + &config.replace(orders, "pattern = \"orders-*.csv\"\n"));
    let export = "order_id,customer_id,amount,currency,ordered_at,event,occurred_at\n\
                  O1,C1,100.00,CNY,2026-03-01,delivered,2026-03-02\n";
    fs::write(inbox.join("orders-web-2026-03-02.csv"), export).unwrap();
    fs::write(inbox.join("orders-till-2026-03-02.csv"), export.replace("O1", "O2")).unwrap();
    // One feed takes both files immediately; the other takes its file on the file's day.
    scheme.close("2026-03-01");
    assert_eq!(names(inbox.clone()), ["archive", "orders-web-2026-03-02.csv"]);
    scheme.close("2026-03-02");
    assert!(scheme.ack("orders", "orders-web-2026-03-02.csv").contains("2,O1,accepted"));
    assert!(scheme.ack("deliveries", "orders-web-2026-03-02.csv").contains("2,O1:delivered,accepted"));
    // The last feed that takes the file moves it to the archive, once.
    scheme.close("2026-03-03");
    assert_eq!(names(inbox.clone()), ["archive"]);
    assert_eq!(names(inbox.join("archive")), ["orders-till-2026-03-02.csv", "orders-web-2026-03-02.csv"]);
}

#[test]
fn a_day_by_sftp() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "");
    let remote = |name: &str| sftp.folder.join(name);
    fs::write(remote("in/orders-2026-03-01.csv"), ORDERS).unwrap();
    fs::write(remote("in/orders-2026-03-02.csv"), ORDERS.replace("O1", "O3")).unwrap();
    fs::write(remote("in/orders-2026-03-01b.csv.part"), "half").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", remote("in/orders-2026-03-01-link.csv")).unwrap();

    // Starts the books.
    scheme.run(&["job", "watch_feeds"]);
    let would = scheme.run(&["job", "ingest_files", "--dry-run"]);
    assert!(would.contains("orders-2026-03-01.csv: would be fetched from sftp://"), "{would}");
    assert!(!would.contains("orders-2026-03-02.csv"), "{would}");
    scheme.close("2026-03-01");
    // A taken file is in both archives, remote and local. The file of tomorrow, the unfinished file and the link stay;
    // the link is an exception.
    let told = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_exceptions.csv");
    assert_eq!(told.matches("FILE_REFUSED").count(), 1, "{told}");
    assert!(told.contains("orders-2026-03-01-link.csv is a symbolic link"), "{told}");
    assert_eq!(
        names(remote("in")),
        ["archive", "orders-2026-03-01-link.csv", "orders-2026-03-01b.csv.part", "orders-2026-03-02.csv"]
    );
    assert_eq!(fs::read_to_string(remote("in/archive/orders-2026-03-01.csv")).unwrap(), ORDERS);
    assert_eq!(scheme.read("run/archive/orders/orders-2026-03-01.csv"), ORDERS);
    assert_eq!(names(remote("out")), ["orders-2026-03-01.csv.ack.csv", "orders-2026-03-01.csv.rejects.csv"]);
    let ack = fs::read_to_string(remote("out/orders-2026-03-01.csv.ack.csv")).unwrap();
    assert_eq!(ack, scheme.read("run/outbox/orders/orders-2026-03-01.csv.ack.csv"));
    assert!(ack.contains("2,O1,accepted"), "{ack}");
    // The remote reports are the same as the local ones.
    let here = crate::support::files_below(&scheme.path("run/reconciliation/2026-03-01"), &["."]);
    let there = crate::support::files_below(&remote("reports/2026-03-01"), &["."]);
    assert!(there.contains_key("manifest.json"));
    crate::support::assert_same(&here, &there);

    // The next day's file is fetched once. Another file with an earlier name is kept beside the first.
    assert!(scheme.run(&["job", "ingest_files"]).contains("fetched 1, files 1"));
    assert!(scheme.run(&["job", "ingest_files"]).contains("nothing to do"));
    fs::write(remote("in/orders-2026-03-01.csv"), ORDERS.replace("O1", "O9")).unwrap();
    scheme.close("2026-03-02");
    assert_eq!(
        names(remote("in/archive")),
        ["orders-2026-03-01.2.csv", "orders-2026-03-01.csv", "orders-2026-03-02.csv"]
    );
    assert!(scheme.run(&["explain", "O9"]).contains("accepted"));
    scheme.run(&["verify"]);
}

#[test]
fn a_day_by_s3() {
    let home = tempfile::tempdir().unwrap();
    let s3 = S3::start(home.path());
    let scheme = on_s3(&s3, "afterwards = \"delete\"\n");
    s3.put("in/orders-2026-03-01.csv", ORDERS.as_bytes());
    s3.put("in/sub/orders-2026-03-01.csv", b"not ours");
    s3.put("in/orders-2026-03-01 订单.csv", ORDERS.replace("O1", "O4").as_bytes());
    scheme.close("2026-03-01");
    let keys = s3.list();
    let of = |prefix: &str| keys.iter().filter(|key| key.starts_with(prefix)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("in/"), ["in/sub/orders-2026-03-01.csv"]);
    assert_eq!(scheme.read("run/archive/orders/orders-2026-03-01.csv"), ORDERS);
    assert_eq!(of("out/").len(), 4, "{keys:?}");
    assert!(s3.get("out/orders-2026-03-01 订单.csv.ack.csv").contains("2,O4,accepted"));
    let manifest = s3.get("reports/2026-03-01/manifest.json");
    assert_eq!(manifest, scheme.read("run/reconciliation/2026-03-01/manifest.json"));
    assert_eq!(of("reports/").len(), names(scheme.path("run/reconciliation/2026-03-01")).len());
    scheme.run(&["verify"]);
}

#[test]
fn what_is_kept_there_is_fetched_once() {
    let home = tempfile::tempdir().unwrap();
    let s3 = S3::start(home.path());
    let scheme = on_s3(&s3, "keep = true\n");
    s3.put("in/orders-2026-03-01.csv", ORDERS.as_bytes());
    assert!(scheme.run(&["job", "ingest_files"]).contains("fetched 1"));
    assert!(!scheme.run(&["job", "ingest_files"]).contains("fetched"));
    // The same bytes, delivered again, may be fetched again, but have no effect.
    fs::remove_file(scheme.path("run/spool/orders/.orders-2026-03-01.csv.fetched")).unwrap();
    let again = scheme.run(&["job", "ingest_files"]);
    assert!(again.contains("fetched 1") && !again.contains("duplicate"), "{again}");
    assert!(s3.list().contains(&"in/orders-2026-03-01.csv".to_owned()));
}

#[test]
fn large_files_go_in_pieces() {
    let home = tempfile::tempdir().unwrap();
    let s3 = S3::start(home.path());
    let scheme = on_s3(&s3, "");
    // Twenty megabytes of orders with a wrong amount, so that the acknowledgement and the rejects are large as well.
    let row = |i| format!("ORDER-WITH-A-LONG-NAME-{i:010},C1,bad,CNY,2026-03-01\n");
    let orders =
        "order_id,customer_id,amount,currency,ordered_at\n".to_owned() + &(0..300_000).map(row).collect::<String>();
    s3.put("in/orders-2026-03-01.csv", orders.as_bytes());
    scheme.run(&["job", "ingest_files"]);
    assert!(scheme.read("run/archive/orders/orders-2026-03-01.csv") == orders);
    assert!(s3.get("in/archive/orders-2026-03-01.csv") == orders);
    let ack = scheme.read("run/outbox/orders/orders-2026-03-01.csv.ack.csv");
    assert!(ack.len() > 16 << 20 && s3.get("out/orders-2026-03-01.csv.ack.csv") == ack);
}

#[test]
fn no_day_is_sealed_without_a_look_into_its_inbox() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let table = |scheme: &Scheme, from: &str, to: &str| {
        let text = scheme.read("paylater.toml");
        assert!(text.contains(from), "{from}");
        scheme.write("paylater.toml", text.replace(from, to));
    };
    let scheme = on_sftp(&sftp, "stranger", "");
    fs::write(sftp.folder.join("in/orders-2026-03-01.csv"), ORDERS).unwrap();
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("feed orders: the inbox sftp://") && said.contains("rejects the user"), "{said}");
    assert!(said.contains("sftp/stranger"), "{said}");
    // The single job fails too.
    let said = scheme.run_failing(&["job", "close_day"], 1);
    assert!(said.contains("feed orders: the inbox"), "{said}");
    assert!(!scheme.path("run/reconciliation/2026-03-01").exists());

    table(&scheme, "/stranger\"", "/client\"");
    let known = sftp.folder.join("known_hosts");
    let right = fs::read_to_string(&known).unwrap();
    let other = fs::read_to_string(sftp.folder.join("stranger.pub")).unwrap();
    for wrong in [format!("[127.0.0.1]:{} {other}", sftp.port), String::new()] {
        fs::write(&known, wrong).unwrap();
        let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
        assert!(said.contains("the host key of 127.0.0.1 is missing in"), "{said}");
    }
    fs::write(&known, right).unwrap();

    fs::rename(sftp.folder.join("in"), sftp.folder.join("away")).unwrap();
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("no such file or folder"), "{said}");
    fs::rename(sftp.folder.join("away"), sftp.folder.join("in")).unwrap();

    // A missing outbox does not stop the close, and unsent files are sent later.
    fs::rename(sftp.folder.join("out"), sftp.folder.join("out-away")).unwrap();
    fs::rename(sftp.folder.join("reports"), sftp.folder.join("reports-away")).unwrap();
    let said = scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
    assert!(said.contains("every day through 2026-03-02 is closed, but not all was sent"), "{said}");
    fs::rename(sftp.folder.join("out-away"), sftp.folder.join("out")).unwrap();
    fs::rename(sftp.folder.join("reports-away"), sftp.folder.join("reports")).unwrap();
    scheme.close("2026-03-03");
    assert_eq!(names(sftp.folder.join("reports")), ["2026-03-01", "2026-03-02", "2026-03-03"]);
    assert_eq!(names(sftp.folder.join("out")).len(), 2);
    assert!(names(scheme.path("run/sending/reports")).is_empty());
}

#[test]
fn a_day_may_go_on_without_an_inbox_if_it_is_so_configured() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "unreachable = \"exception\"\n");
    fs::rename(sftp.folder.join("in"), sftp.folder.join("away")).unwrap();
    fs::write(sftp.folder.join("away/orders-2026-03-01.csv"), ORDERS).unwrap();
    scheme.close("2026-03-02");
    let report = scheme.read("run/reconciliation/2026-03-02/SHOP_2026-03-02_exceptions.csv");
    assert_eq!(report.matches("INBOX_UNREACHABLE").count(), 1, "{report}");
    fs::rename(sftp.folder.join("away"), sftp.folder.join("in")).unwrap();
    scheme.close("2026-03-03");
    let report = scheme.read("run/reconciliation/2026-03-03/SHOP_2026-03-03_exceptions.csv");
    assert!(!report.contains("INBOX_UNREACHABLE"), "{report}");
    assert!(scheme.run(&["explain", "O1"]).contains("accepted"));
}

#[test]
fn wrong_keys_and_missing_buckets_are_told_without_secrets() {
    let home = tempfile::tempdir().unwrap();
    let s3 = S3::start(home.path());
    let mut scheme = on_s3(&s3, "");
    scheme.env[1].1 = "not-the-secret-at-all".to_owned();
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("feed orders: the inbox s3://files/in") && said.contains("denies access"), "{said}");
    assert!(!said.contains("not-the-secret-at-all"), "{said}");
    scheme.env.remove(1);
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("the environment variable TEST_S3_SECRET is not set"), "{said}");
    scheme.env = s3.env();
    let text = scheme.read("paylater.toml");
    scheme.write("paylater.toml", text.replace("s3://files", "s3://nowhere"));
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("there is no bucket nowhere"), "{said}");
    scheme.write("paylater.toml", text.replace(&s3.endpoint(), "http://127.0.0.1:1"));
    let said = scheme.run_failing(&["close", "--through", "2026-03-01"], 1);
    assert!(said.contains("feed orders: the inbox s3://files/in can't be listed"), "{said}");
    scheme.write("paylater.toml", text);
    assert!(!scheme.path("run/reconciliation/2026-03-01").exists());
    scheme.close("2026-03-01");
}

#[test]
fn odd_names_in_a_bucket_are_refused_and_told_and_hold_up_nothing() {
    let home = tempfile::tempdir().unwrap();
    let s3 = S3::start(home.path());
    let scheme = on_s3(&s3, "");
    let odd = ["in/orders-2026-03-01\t.csv", "in/orders-2026-03-01\u{7f}.csv"];
    for key in odd {
        s3.put(key, ORDERS.as_bytes());
    }
    s3.put("in/a.csv", b"");
    s3.put("in/orders-2026-03-01.csv", ORDERS.as_bytes());
    scheme.close("2026-03-01");
    assert_eq!(names(scheme.path("run/archive/orders")), ["orders-2026-03-01.csv"]);
    let told = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_exceptions.csv");
    for name in ["orders-2026-03-01\\t.csv", "orders-2026-03-01\\x7f.csv"] {
        assert_eq!(told.matches(&format!("{name} has control characters in its name")).count(), 1, "{told}");
    }
    assert_eq!(told.matches(",FILE_REFUSED,").count(), 2, "{told}");
    assert!(s3.list().iter().any(|key| key == odd[0]), "what is refused stays where it lies");
}

#[test]
fn hostile_names_are_refused_and_told_and_so_is_what_is_too_large() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "limits = { file_mib = 1 }\n");
    for name in ["orders-2026-03-01\n.csv", "orders-2026-03-01\u{1b}[31m.csv", "orders-2026-03-01\\..\\x.csv"] {
        fs::write(sftp.folder.join("in").join(name), ORDERS).unwrap();
    }
    fs::write(sftp.folder.join("in/orders-2026-03-01-big.csv"), vec![b'x'; 2 << 20]).unwrap();
    fs::write(sftp.folder.join("in").join(format!("orders-2026-03-01{}.csv", "x".repeat(200))), ORDERS).unwrap();
    let raw = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"orders-2026-03-01\xff.csv");
    fs::write(sftp.folder.join("in").join(raw), ORDERS).unwrap();
    fs::write(sftp.folder.join("in/orders-2026-03-01.csv"), ORDERS).unwrap();
    scheme.close("2026-03-02");
    assert_eq!(names(scheme.path("run/archive/orders")), ["orders-2026-03-01.csv"]);
    let report = |day: &str| scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_exceptions.csv"));
    let told = report("2026-03-02");
    for words in [
        "in the inbox of feed orders: orders-2026-03-01\\n.csv has control characters in its name",
        "orders-2026-03-01\\x1b[31m.csv has control characters",
        "has slashes in its name",
        "has a name of 221 bytes; at most 200 are allowed",
        "has a name that is not UTF-8",
        "big.csv has 2097152 bytes, but at most 1048576 are fetched; have it sent in parts",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    assert_eq!(told.matches(",FILE_REFUSED,").count(), 6, "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
    assert_eq!(names(sftp.folder.join("in")).len(), 7);

    // If paylater cannot list an inbox, it cannot know which files are gone.
    fs::remove_file(sftp.folder.join("in/orders-2026-03-01-big.csv")).unwrap();
    fs::rename(sftp.folder.join("in"), sftp.folder.join("away")).unwrap();
    scheme.run_failing(&["job", "ingest_files"], 1);
    fs::rename(sftp.folder.join("away"), sftp.folder.join("in")).unwrap();
    scheme.close("2026-03-03");
    let told = report("2026-03-03");
    assert_eq!(told.matches(",FILE_REFUSED,").count(), 5, "{told}");
    assert_eq!(told.matches(",2026-03-01,2,").count(), 5, "{told}");
}

#[test]
fn half_files_are_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "");
    let text = scheme.read("paylater.toml");
    let feed = "kind = \"orders\"\nsettle_seconds = 0\n";
    assert!(text.contains(feed));
    scheme.write("paylater.toml", text.replace(feed, "kind = \"orders\"\nsettle_seconds = 3\n"));
    let path = sftp.folder.join("in/orders-2026-03-01.csv");
    fs::write(&path, ORDERS).unwrap();
    let done = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            for i in 10.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                writeln!(file, "O{i},C1,1.00,CNY,2026-03-01").unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let said = scheme.run(&["job", "ingest_files"]);
        done.store(true, Ordering::Relaxed);
        said
    });
    assert!(said.contains("files 2") && !said.contains("fetched"), "{said}");
    assert!(scheme.run(&["job", "ingest_files"]).contains("fetched 1, files 1"));
    assert_eq!(
        scheme.read("run/archive/orders/orders-2026-03-01.csv"),
        fs::read_to_string(sftp.folder.join("in/archive/orders-2026-03-01.csv")).unwrap()
    );
}

#[test]
fn a_marker_says_that_a_file_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "done = \".done\"\n");
    let text = scheme.read("paylater.toml");
    scheme.write(
        "paylater.toml",
        text.replace("kind = \"orders\"\nsettle_seconds = 0", "kind = \"orders\"\nsettle_seconds = 9999"),
    );
    let remote = |name: &str| sftp.folder.join("in").join(name);
    fs::write(remote("orders-2026-03-01.csv"), ORDERS).unwrap();
    assert!(!scheme.run(&["job", "ingest_files"]).contains("fetched"));
    fs::write(remote("orders-2026-03-01.csv.done"), "").unwrap();
    assert!(scheme.run(&["job", "ingest_files"]).contains("fetched 1, files 1, rows 2"));
    assert_eq!(names(remote("")), ["archive"]);
    assert_eq!(names(remote("archive")), ["orders-2026-03-01.csv", "orders-2026-03-01.csv.done"]);
    // The next file with that name needs a new marker.
    fs::write(remote("orders-2026-03-01.csv"), ORDERS.replace("O1", "O9")).unwrap();
    assert!(!scheme.run(&["job", "ingest_files"]).contains("fetched"));
}

#[test]
fn killed_in_between_it_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let sftp = Sftp::start(home.path());
    let scheme = on_sftp(&sftp, "client", "");
    for day in 1..=3 {
        for part in 0..5 {
            let orders = ORDERS.replace("O1", &format!("O{day}{part}")).replace("O2", &format!("B{day}{part}"));
            fs::write(sftp.folder.join(format!("in/orders-2026-03-0{day}-{part}.csv")), orders).unwrap();
        }
    }
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..8 {
        let mut command = scheme.command(&["close", "--through", "2026-03-03"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(100 + seed % 900));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    scheme.close("2026-03-03");
    scheme.close("2026-03-03");
    assert_eq!(names(sftp.folder.join("in")), ["archive"]);
    assert_eq!(names(sftp.folder.join("in/archive")).len(), 15);
    assert_eq!(names(scheme.path("run/archive/orders")).len(), 15);
    let here = crate::support::files_below(&scheme.path("run/outbox"), &["orders"]);
    let there: Vec<String> = names(sftp.folder.join("out")).iter().map(|name| format!("orders/{name}")).collect();
    assert_eq!(here.keys().cloned().collect::<Vec<_>>(), there);
    for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
        let here = crate::support::files_below(&scheme.path("run/reconciliation").join(day), &["."]);
        crate::support::assert_same(
            &here,
            &crate::support::files_below(&sftp.folder.join("reports").join(day), &["."]),
        );
    }
    scheme.run(&["verify"]);
}

#[test]
fn what_is_wrong_with_a_place_is_told_before_anything_runs() {
    for (table, folder, more, word) in [
        ("", "s3://files/in", "", "add a [[place]] with url = \"s3://files\""),
        ("[[place]]\nurl = \"s3://files\"\n", "s3://files/in", "", "access_key_env: say where it is found"),
        ("", "ftp://files/in", "", "ftp:// is not supported"),
        ("[[place]]\nurl = \"sftp://pay@bank\"\nkey_file = \"k\"\n", "inbox", "", "known_hosts_file: is missing"),
        ("[[place]]\nurl = \"sftp://pay@bank/in\"\n", "inbox", "", "write sftp://pay@bank, without a folder"),
        ("[[place]]\nurl = \"sftp://pay@bank\"\nregion = \"x\"\n", "inbox", "", "region: is for a bucket"),
        ("", "inbox", "afterwards = \"delete\"\n", "afterwards: is for folders in a bucket"),
        ("", "out", "", "outbox: feed orders takes its files from there"),
    ] {
        let scheme = shop(table, folder, "out", "reports", more);
        let said = scheme.run_failing(&["check"], 2);
        assert!(said.contains(word), "{said}");
    }
}
