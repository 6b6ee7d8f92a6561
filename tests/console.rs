//! The console over real HTTP, on real stores: every page in both languages, who may look, what is never shown, and what
//! text from files can't do to a page.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use paylater::domain::journal::{Account, EntryKind as Movement};
use paylater::files::rows::Kind;
use paylater::jobs::Job;

use crate::support::http::{self, Response, get, request};
use crate::support::source::read;
use crate::support::{POLICY, Scheme};

/// A console that was started on a free port. It is stopped when it is dropped.
pub struct Console {
    process: Child,
    pub address: SocketAddr,
}

impl Console {
    pub fn start(scheme: &Scheme) -> Console {
        let command = ["console", "--listen", "127.0.0.1:0"];
        let mut process = scheme.command(&command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address =
            |line: String| -> Option<SocketAddr> { line.split_once("http://")?.1.split('/').next()?.parse().ok() };
        let address = lines.by_ref().map_while(Result::ok).find_map(address).expect("the address of the console");
        // Nobody reads the rest, and a full pipe must not stop the console.
        std::thread::spawn(move || lines.for_each(drop));
        Console { process, address }
    }

    fn get(&self, path: &str) -> Response {
        get(self.address, path, &[])
    }

    /// Loads a page in a language and expects that it is there.
    fn page(&self, path: &str, language: &str) -> String {
        let response = get(self.address, path, &[("Accept-Language", language)]);
        assert_eq!(response.status, 200, "{path} in {language}: {}", response.body);
        response.body
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The pages of the sample, and a word that is on each in English and in Chinese.
pub const PAGES: [(&str, &str, &str); 17] = [
    ("/", "Open business day", "当前营业日"),
    ("/money", "Customers owe", "客户欠款"),
    ("/money?month=2026-03", "Accounts in 2026-03", "账户变动 2026-03"),
    ("/money/unpaid?merchant=TEA", "Unpaid instalments", "未还分期"),
    (
        "/money/account?merchant=TEA&currency=CNY&account=assets:receivable:principal&month=2026-03",
        "Receivable: principal",
        "应收本金",
    ),
    (
        "/money/entries?merchant=TEA&currency=CNY&account=assets:receivable:principal&day=2026-03-10",
        "Owed to merchants",
        "应付商户",
    ),
    ("/reports/2026-03-10", "Reports of 10 March 2026", "报表 2026年3月10日"),
    ("/orders", "Order, payment, customer or merchant", "订单、付款、客户或商户"),
    ("/orders?q=T-S", "T-STAR", "T-STAR"),
    ("/orders?merchant=TEA", "Orders of Tea Corner", "订单： 茶里小铺"),
    ("/order?merchant=TEA&id=T-STAR", "Day by day", "逐日经过"),
    ("/customer?id=U0001", "Left of the limit", "剩余额度"),
    ("/files", "In quarantine", "已隔离"),
    ("/files?status=waiting", "Waiting in the inboxes", "收件目录中等待的文件"),
    ("/files/1", "Rows that were not simply accepted", "未直接接受的行"),
    ("/exceptions", "What to do", "如何处理"),
    ("/exceptions?code=CONFLICT&days=2", "Ask the sender which is right", "询问发送方哪一条正确"),
];

/// The sample, closed as far as the pages above need.
pub fn sample() -> Scheme {
    let scheme = Scheme::sample();
    scheme.close("2026-03-12");
    scheme
}

/// One test for everything that only looks at the sample, because closing its days takes longest.
#[test]
fn the_sample_as_pages() {
    let scheme = sample();
    let console = Console::start(&scheme);
    every_page_is_there_in_both_languages_and_shows_no_private_data(&scheme, &console);
    figures_are_those_of_the_books(&scheme, &console);
    search_leads_to_the_order_the_customer_or_the_merchant(&console);
    what_is_not_there_is_not_found(&console);
    reports_can_be_downloaded(&scheme, &console);
    monitoring_reads_whole_numbers_and_bounded_labels(&scheme, &console);
}

fn every_page_is_there_in_both_languages_and_shows_no_private_data(scheme: &Scheme, console: &Console) {
    let customers = scheme.read("sample-data/inbox/scheme/customers-2026-03-01.csv");
    let mut rows = csv::Reader::from_reader(customers.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let personal: Vec<&str> = rows.iter().flat_map(|row| [&row[1], &row[2]]).collect();
    assert!(personal.len() > 20 && personal.iter().any(|text| text.contains('@')), "{personal:?}");
    console.page("/money", "en");
    for (path, english, chinese) in PAGES {
        for (language, expected, other) in [("en-GB,en;q=0.9", english, chinese), ("zh-CN", chinese, english)] {
            let page = console.page(path, language);
            assert!(page.contains(expected), "{path} in {language} lacks {expected:?}:\n{page}");
            assert!(expected == other || !page.contains(other), "{path} in {language} has {other:?}");
            let shown: Vec<_> = personal.iter().filter(|text| page.contains(**text)).collect();
            assert!(shown.is_empty(), "{path} shows {shown:?}");
        }
    }
    let english = get(console.address, "/", &[("Accept-Language", "zh"), ("Cookie", "language=en")]);
    assert!(english.body.contains("Open business day"), "a chosen language comes before the browser's");
}

fn figures_are_those_of_the_books(scheme: &Scheme, console: &Console) {
    let summary = scheme.read("sample-run/reconciliation/2026-03-12/TEA_2026-03-12_summary.csv");
    let principal = summary.lines().find(|line| line.contains("CNY,assets:receivable:principal")).unwrap();
    let closing = principal.split(',').nth(7).unwrap();
    let path = "/money/account?merchant=TEA&currency=CNY&account=assets:receivable:principal&month=2026-03";
    let days = console.page(path, "en").replace(',', "");
    assert!(days.contains(&format!("<td class=\"num\">{closing}</td>")), "{closing}:\n{days}");
    // What moved an account leads to its sealed balance.
    let begun = Instant::now();
    let page = loop {
        let page = console.page("/money?month=2026-03", "en");
        if page.contains("<summary>By kind of entry</summary>") {
            break page.replace(',', "");
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was added up");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(
        page.contains(&format!("<strong>Closing</strong></td><td></td><td class=\"num\"><strong>{closing}<")),
        "{page}"
    );
    // The buckets are those of the positions report.
    let positions = scheme.read("sample-run/reconciliation/2026-03-12/TEA_2026-03-12_positions.csv");
    let mut rows = csv::Reader::from_reader(positions.as_bytes());
    let late: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).filter(|row| &row[14] == "1-7").collect();
    let open: Vec<&csv::StringRecord> = late.iter().filter(|row| &row[10] != "0.00").collect();
    assert!(!open.is_empty());
    let listed = console.page("/money/unpaid?merchant=TEA&bucket=1-7", "en");
    assert_eq!(listed.matches("<tr><th scope=\"row\">").count(), open.len(), "{listed}");
    for row in open {
        assert!(listed.contains(&format!("id={}\"", &row[2])), "{row:?}");
    }
}

fn search_leads_to_the_order_the_customer_or_the_merchant(console: &Console) {
    for (text, expected) in [
        ("T-STAR", "/order?merchant=TEA&id=T-STAR"),
        ("PT-STAR-1", "/order?merchant=TEA&id=T-STAR"),
        ("U0001", "/customer?id=U0001"),
    ] {
        let response = console.get(&format!("/orders?q={text}"));
        assert_eq!((response.status, response.header("location")), (303, Some(expected)), "{text}");
    }
    assert!(console.page("/orders?q=tea", "en").contains("/orders?merchant=TEA"));
    assert!(console.page("/orders?q=nowhere", "en").contains("Nothing has this id"));
}

fn what_is_not_there_is_not_found(console: &Console) {
    for path in [
        "/nowhere",
        "/order?merchant=TEA&id=T-NONE",
        "/order?merchant=NONE&id=T-STAR",
        "/customer?id=NONE",
        "/files/999999",
        "/reports/2026-03-31",
        "/reports/2026-03-10/..%2F..%2Fpaylater.db",
        "/reports/2026-03-10/manifest.json.tmp",
        "/money/account?merchant=TEA&currency=XXX&account=assets:receivable:principal&month=2026-03",
    ] {
        assert_eq!(console.get(path).status, 404, "{path}");
    }
    for path in ["/files/x", "/exceptions?after_day=x", "/order"] {
        assert_eq!(console.get(path).status, 400, "{path}");
    }
    assert_eq!(request(console.address, "POST", "/money", &[], "").status, 405);
}

fn reports_can_be_downloaded(scheme: &Scheme, console: &Console) {
    let name = "TEA_2026-03-10_summary.csv";
    let report = console.get(&format!("/reports/2026-03-10/{name}"));
    assert_eq!(report.body, scheme.read(&format!("sample-run/reconciliation/2026-03-10/{name}")));
    let disposition = format!("attachment; filename=\"{name}\"");
    assert_eq!(report.header("content-disposition"), Some(disposition.as_str()));
}

#[test]
fn rejected_rows_can_be_downloaded_but_not_those_of_customers() {
    let shop = Scheme::shop(POLICY).with_customer(&[(
        "orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nO1,C1,x,CNY,2026-03-01 10:00:00\n",
    )]);
    shop.write(
        "inbox/customers-2026-03-01-b.csv",
        "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound\nC2,李娜,c2@example.com,zh-CN,Asia/Nowhere,700,true,true\n",
    );
    shop.close("2026-03-01");
    let console = Console::start(&shop);
    let files: serde_json::Value = serde_json::from_str(&shop.run(&["--json", "files", "--all"])).unwrap();
    let number = |kind: &str| {
        let files = files["files"].as_array().unwrap();
        files.iter().find(|file| file["kind"] == kind && file["rows"]["rejected"] == 1).unwrap()["file_no"].clone()
    };
    let rejects = console.get(&format!("/files/{}/rejects.csv", number("orders")));
    assert!(rejects.status == 200 && rejects.body.contains("BAD_AMOUNT"), "{rejects:?}");
    let customers = console.get(&format!("/files/{}/rejects.csv", number("customers")));
    assert!(customers.status == 403 && !customers.body.contains("c2@example.com"), "{customers:?}");
    let page = console.page(&format!("/files/{}", number("customers")), "en");
    assert!(!page.contains("rejects.csv") && !page.contains("李娜"), "{page}");
}

#[test]
fn text_from_files_is_only_text() {
    let hostile = "<script>alert(1)</script>";
    let orders = "order_id,customer_id,amount,currency,ordered_at,item\n\
                  \"O&\"\"'1\",C1,10.00,CNY,2026-03-01 10:00:00,<script>alert(1)</script>\n\
                  O2,C1,10.00,CNY,2026-03-01 10:00:00,\"{{ 7*7 }}\"\n";
    let scheme = Scheme::shop(POLICY).with_customer(&[("orders-2026-03-01.csv", orders)]);
    scheme.write("paylater.toml", scheme.read("paylater.toml").replace("\"Shop\"", "\"<img src=x>\""));
    scheme.close("2026-03-01");
    let console = Console::start(&scheme);
    for path in ["/order?merchant=SHOP&id=O2", "/orders?merchant=SHOP", "/orders", "/customer?id=C1", "/files/3"] {
        let page = console.page(path, "en");
        assert!(!page.contains("<img src=x"), "{path}:\n{page}");
    }
    assert!(console.page("/order?merchant=SHOP&id=O2", "en").contains("{{ 7*7 }}"));
    for path in [
        format!("/orders?q={}", "%3Cscript%3Ealert(1)%3C/script%3E"),
        format!("/files?feed={}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        format!("/exceptions?code={}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        format!("/login?back={}", "/%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        "/order?merchant=SHOP&id=O%26%22%271".to_owned(),
    ] {
        let response = console.get(&path);
        assert!(!response.body.contains(hostile), "{path}: {}", response.body);
    }
}

#[test]
fn browsers_are_told_to_run_nothing_and_keep_nothing() {
    let scheme = Scheme::shop(POLICY);
    scheme.close("2026-03-01");
    let console = Console::start(&scheme);
    for path in ["/", "/nowhere", "/orders?q=x", "/login"] {
        let response = console.get(path);
        let header = |name| response.header(name).unwrap_or_else(|| panic!("{path} has no {name}")).to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert!(!response.body.contains("<script") && !response.body.contains("style=\""), "{path}");
        assert!(!response.body.contains("src=\"http") && !response.body.contains("href=\"http"), "{path}");
    }
}

#[test]
fn an_open_console_answers_to_its_own_name_only() {
    let scheme = Scheme::shop(POLICY);
    scheme.close("2026-03-01");
    let console = Console::start(&scheme);
    assert_eq!(get(console.address, "/", &[("Host", "localhost:8340")]).status, 200);
    for path in ["/", "/metrics", "/style.css"] {
        assert_eq!(get(console.address, path, &[("Host", "shop.example.com")]).status, 421, "{path}");
    }
}

const TOKEN: &str = "a-token-that-nobody-can-guess";

fn with_token(more: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.write("token", format!("{TOKEN}\n"));
    scheme.write("paylater.toml", scheme.read("paylater.toml") + "[console]\ntoken_file = \"token\"\n" + more);
    scheme.close("2026-03-01");
    scheme
}

#[test]
fn with_a_token_people_log_in_and_out() {
    let scheme = with_token("");
    let console = Console::start(&scheme);
    for path in ["/", "/money?month=2026-03", "/files/1/rejects.csv"] {
        let response = console.get(path);
        assert_eq!(response.status, 303, "{path}");
        assert!(response.header("location").unwrap().starts_with("/login?back=/"), "{path}");
    }
    assert_eq!(console.get("/metrics").status, 401);
    for path in ["/login", "/healthz", "/readyz", "/style.css"] {
        assert_eq!(console.get(path).status, 200, "{path}");
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let log_in = |token: &str| request(console.address, "POST", "/login", &form, &format!("token={token}&back=/money"));
    for wrong in ["", "wrong", &TOKEN[1..]] {
        let response = log_in(wrong);
        assert_eq!((response.status, response.header("set-cookie")), (401, None), "{wrong}");
        assert!(response.body.contains("This is not the token"), "{}", response.body);
    }
    let response = log_in(TOKEN);
    assert_eq!((response.status, response.header("location")), (303, Some("/money")));
    let cookie = response.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Max-Age=36000", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let session = cookie.split(';').next().unwrap();
    let with = |cookie: &str| get(console.address, "/money", &[("Cookie", cookie)]).status;
    assert_eq!((with(session), with("session=0123"), with("session=")), (200, 303, 303));
    assert_eq!(request(console.address, "POST", "/logout", &[("Cookie", session)], "").status, 303);
    assert_eq!(with(session), 303);
    let bearer =
        |token: &str| get(console.address, "/metrics", &[("Authorization", &format!("Bearer {token}"))]).status;
    assert_eq!((bearer(TOKEN), bearer("wrong")), (200, 401));
}

#[test]
fn a_proxy_may_say_who_looks() {
    let scheme = with_token("trusted_header = \"X-Forwarded-User\"\n");
    let console = Console::start(&scheme);
    let page = get(console.address, "/", &[("X-Forwarded-User", "wang.li"), ("Host", "console.example.com")]);
    assert!(page.status == 200 && page.body.contains("wang.li"), "{page:?}");
    assert_eq!(get(console.address, "/", &[("X-Forwarded-User", " ")]).status, 303);
}

#[test]
fn names_are_shown_where_it_is_allowed_and_each_look_is_logged() {
    let scheme = with_token("show_customers = true\ntrusted_header = \"X-Forwarded-User\"\n");
    let log = scheme.path("log");
    let file = std::fs::File::create(&log).unwrap();
    let command = ["console", "--listen", "127.0.0.1:0"];
    let mut process = scheme.command(&command).stdout(Stdio::null()).stderr(file).spawn().unwrap();
    // The log is written in the background: what is waited for comes soon.
    let said_by = |what: &str| {
        let started = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if said.lines().any(|line| line.contains(what)) {
                return said;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let said = said_by("Ctrl-C");
    let (_, rest) = said.split_once("http://").unwrap();
    let address: SocketAddr = rest.split('/').next().unwrap().parse().unwrap();
    let page = get(address, "/customer?id=C1", &[("X-Forwarded-User", "wang.li")]);
    let said = said_by("name and address were shown");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(page.body.contains("王芳") && page.body.contains("c1@example.com"), "{}", page.body);
    let audited =
        said.lines().find(|line| line.contains("name and address were shown")).unwrap_or_else(|| panic!("{said}"));
    assert!(audited.contains("who=\"wang.li\"") && audited.contains("customer=\"C1\""), "{audited}");
    assert!(!said.contains("王芳") && !said.contains("c1@example.com"), "{said}");
}

#[test]
fn other_machines_are_refused_unless_somebody_is_asked_who_they_are() {
    let scheme = Scheme::shop(POLICY);
    let said = scheme.run_failing(&["console", "--listen", "0.0.0.0:0"], 2);
    assert!(said.contains("nobody would be asked who they are"), "{said}");
    let written = scheme.read("paylater.toml");
    scheme.write("paylater.toml", format!("{written}[console]\nlisten = \"0.0.0.0:8340\"\n"));
    let said = scheme.run_failing(&["check"], 2);
    assert!(said.contains("console.listen") && said.contains("nobody would be asked"), "{said}");
    scheme.write("token", "short\n");
    scheme.write("paylater.toml", format!("{written}[console]\ntoken_file = \"token\"\nsession_hours = 0\n"));
    let said = scheme.run_failing(&["check"], 2);
    assert!(said.contains("5 characters") && said.contains("session_hours"), "{said}");
    assert!(!said.contains("short"), "the token is not shown: {said}");
}

fn monitoring_reads_whole_numbers_and_bounded_labels(scheme: &Scheme, console: &Console) {
    assert_eq!(console.get("/healthz").body, "ok\n");
    assert_eq!(console.get("/readyz").body, "ready\n");
    let metrics = console.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let value = |name: &str| -> i64 {
        let line = metrics.body.lines().find_map(|line| line.strip_prefix(&format!("paylater_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in:\n{}", metrics.body)).parse().unwrap()
    };
    assert_eq!(value("business_date_timestamp_seconds"), 1_773_360_000, "13 March 2026");
    assert_eq!(value("exceptions_open{code=\"CONFLICT\"}"), 1);
    assert_eq!(value("exceptions_oldest_age_days{code=\"CONFLICT\"}"), 4);
    let status: serde_json::Value = serde_json::from_str(&scheme.run(&["--json", "status"])).unwrap();
    for outcome in ["accepted", "declined", "pending", "rejected"] {
        assert_eq!(value(&format!("rows{{outcome=\"{outcome}\"}}")), status["rows"][outcome], "{outcome}");
    }
    assert_eq!(value("mails{status=\"sent\"}"), status["mails"]["sent"]);
    // Every series has a type and a help line, and no label names an order, a customer or a file.
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(metrics.body.contains(&format!("# TYPE {name} gauge\n")), "{line}");
        let labels: Vec<&str> = line.split('"').step_by(2).filter_map(|part| part.split(['{', ',']).nth(1)).collect();
        let known = ["job=", "status=", "outcome=", "code=", "feed=", "version="];
        assert!(labels.iter().all(|label| known.contains(label) || label.is_empty()), "{line}: {labels:?}");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/console.md")).unwrap();
    for line in metrics.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(page.contains(&format!("`{name}`")), "docs/console.md does not mention {name}");
    }
}

#[test]
fn without_books_it_says_so_and_shows_them_once_they_are_there() {
    let scheme = Scheme::shop(POLICY);
    let console = Console::start(&scheme);
    assert_eq!(console.get("/healthz").status, 200);
    assert_eq!((console.get("/readyz").status, console.get("/metrics").status), (503, 503));
    let page = console.get("/");
    assert!(page.status == 503 && page.body.contains("No books yet"), "{page:?}");
    scheme.close("2026-03-01");
    assert_eq!((console.get("/readyz").status, console.get("/").status), (200, 200));
}

#[test]
fn sighup_takes_a_right_configuration_and_refuses_a_wrong_one() {
    let scheme = Scheme::shop(POLICY);
    scheme.close("2026-03-01");
    let console = Console::start(&scheme);
    let config = scheme.read("paylater.toml");
    let hang_up = |config: String| {
        scheme.write("paylater.toml", config);
        let id = console.process.id().to_string();
        assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    };
    let shows = |name: &str| console.get("/orders").body.contains(name);
    assert!(shows("Shop") && !shows("Teahouse"));
    hang_up(config.replace("name = \"Shop\"", "name = \"Teahouse\""));
    let began = Instant::now();
    while !shows("Teahouse") {
        assert!(began.elapsed() < Duration::from_secs(30), "the configuration is not read again");
        std::thread::sleep(Duration::from_millis(50));
    }
    hang_up(config.replace("time_zone", "time"));
    std::thread::sleep(Duration::from_secs(1));
    assert!(shows("Teahouse"));
}

#[test]
fn the_daemon_serves_it_too() {
    let scheme = Scheme::shop(POLICY);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    scheme.write("paylater.toml", scheme.read("paylater.toml") + &format!("[console]\nlisten = \"{port}\"\n"));
    scheme.close("2026-03-01");
    let mut daemon = scheme.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while std::net::TcpStream::connect(port).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30) && daemon.try_wait().unwrap().is_none(), "no console");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(http::get(port, "/", &[]).status, 200);
    let killed = std::process::Command::new("kill").arg("-TERM").arg(daemon.id().to_string()).status().unwrap();
    assert!(killed.success());
    let output = daemon.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_the_same_on_postgresql() {
    let (scheme, other) = (Scheme::sample(), Scheme::sample().on_postgres().await);
    for scheme in [&scheme, &other] {
        scheme.close("2026-03-03");
    }
    let (console, on_postgres) = (Console::start(&scheme), Console::start(&other));
    let at = Instant::now();
    // What is unpaid is added up in the background; then it is there.
    let is_there = |console: &&Console| {
        let page = console.page("/money", "en");
        page.contains("Not due") && page.contains("<summary>By kind of entry</summary>")
    };
    while ![&console, &on_postgres].iter().all(is_there) {
        assert!(at.elapsed() < Duration::from_secs(20), "nothing was added up");
        std::thread::sleep(Duration::from_millis(50));
    }
    for (path, ..) in PAGES.iter().filter(|(path, ..)| *path != "/") {
        let path = path.replace("2026-03-10", "2026-03-03");
        assert_eq!(console.page(&path, "en"), on_postgres.page(&path, "en"), "{path}");
    }
    // These have times of the clock.
    for path in ["/", "/readyz", "/metrics"] {
        assert_eq!(on_postgres.get(path).status, 200, "{path}");
    }
}

/// The words of a language.
fn words(language: &str) -> toml::Table {
    read(format!("src/console/words/{language}.toml")).parse().unwrap()
}

/// Returns every key with its group, such as `nav.today`.
fn keys(table: &toml::Table, group: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (key, value) in table {
        let path = format!("{group}{key}");
        match value {
            toml::Value::Table(inner) => all.extend(keys(inner, &format!("{path}."))),
            _ => assert!(all.insert(path)),
        }
    }
    all
}

#[test]
fn both_languages_have_the_same_words_and_one_for_every_name_in_the_books() {
    let (english, chinese) = (keys(&words("en"), ""), keys(&words("zh"), ""));
    let other: Vec<_> = english.symmetric_difference(&chinese).collect();
    assert!(other.is_empty(), "in one language only: {other:?}");

    let mut needed: Vec<String> = Vec::new();
    needed.extend(Job::ALL.map(|job| format!("jobs.{}", job.name())));
    needed.extend(Kind::ALL.map(|kind| format!("kinds.{}", kind.name())));
    needed.extend(Account::ALL.map(|account| format!("accounts.{}", account.name())));
    needed.extend(Movement::ALL.map(|kind| format!("movements.{}", kind.name())));
    // Codes that open an exception have an X in the tables of codes; those about mails and instructions always do.
    let page = read("docs/file-formats.md");
    let (_, codes) = page.split_once("## Codes").unwrap();
    let (tables, _) = codes.split_once("### What closes an exception").unwrap();
    let (rows, others) = tables.split_once("### Mails").unwrap();
    let first_cell = |line: &str| line.split('`').nth(1).map(str::to_owned);
    let opens = |line: &&str| line.split('|').nth(3).is_some_and(|cell| cell.trim().starts_with('X'));
    let mut exceptions: Vec<String> =
        rows.lines().filter(|line| line.starts_with("| `")).filter(opens).filter_map(first_cell).collect();
    for line in others.lines().filter(|line| line.starts_with("| `")) {
        exceptions.extend(line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned));
    }
    // Its exception is PAYMENT_REJECTED or REFUND_REJECTED.
    exceptions.retain(|code| code != "NO_AMOUNT");
    exceptions.push("NOT_FULFILLED".to_owned());
    assert!(exceptions.len() > 35, "codes are not found any more: {exceptions:?}");
    needed.extend(exceptions.iter().flat_map(|code| [format!("codes.{code}"), format!("advice.{code}")]));
    let missing: Vec<_> = needed.iter().filter(|key| !english.contains(*key)).collect();
    assert!(missing.is_empty(), "no words for {missing:?}");
}
