//! The acknowledgements that senders read. For every code of an acknowledgement, `tests/rejections/samples` has a file
//! that gets the code, named `CODE.feed.csv`. The whole acknowledgement is a snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use paylater::domain::intake::code::{ExceptionCode, FileCode, RowCode};

use crate::support::Scheme;
use crate::support::source::{read, table_below};

/// The day on which the samples arrive. Before, the shop took the files in `tests/rejections/before`.
const DAY: &str = "2026-03-12";

/// The codes whose cause is not in the file itself, and the tests with their texts.
const ELSEWHERE: [(&str, &str); 16] = [
    ("UNKNOWN_MAIL", "tests/mail.rs"),
    ("CARD_UNBOUND_WHILE_OWING", "tests/records.rs"),
    ("CLOSED_WHILE_OWING", "tests/records.rs"),
    ("UNKNOWN_CUSTOMER", "tests/records.rs"),
    ("CORRECTED", "tests/corrections.rs"),
    ("EXTENSION_NO_EFFECT", "tests/rules/business_days.rs"),
    ("ANSWERS_LOST", "tests/outcomes.rs"),
    ("BOOKS_BROKEN", "tests/broken_books.rs"),
    ("DATED_AHEAD", "tests/booking_days.rs"),
    ("FILE_CHANGED", "tests/inbox.rs"),
    ("FILE_REFUSED", "tests/inbox.rs"),
    ("FILE_MISSING", "tests/watch.rs"),
    ("FILE_GAP", "tests/watch.rs"),
    ("ROWS_REJECTED", "tests/rejected_files.rs"),
    ("NOT_IN_BILL", "tests/matching.rs"),
    ("INBOX_UNREACHABLE", "tests/places.rs"),
];

struct Sample {
    code: String,
    feed: String,
    path: PathBuf,
}

impl Sample {
    /// Returns the name under which the sample is delivered. It is the name of an earlier file if the code is about the
    /// name.
    fn name(&self) -> String {
        match self.code.as_str() {
            "FILE_NAME_AGAIN" => format!("{}-2026-03-03.csv", self.feed),
            code => format!("{}-{DAY}.{code}.csv", self.feed),
        }
    }

    fn kept_as(&self) -> String {
        match self.code.as_str() {
            "FILE_NAME_AGAIN" => self.name().replace(".csv", ".2.csv"),
            _ => self.name(),
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rejections").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn samples() -> Vec<Sample> {
    let sample = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let [code, feed, "csv"] = name.split('.').collect::<Vec<_>>()[..] else { panic!("{name} is no CODE.feed.csv") };
        Sample { code: code.to_owned(), feed: feed.to_owned(), path: path.clone() }
    };
    files("samples").into_iter().map(sample).collect()
}

/// The shop at the start of the day.
fn shop() -> Scheme {
    let scheme = Scheme::shop(&fs::read_to_string(folder("policy.toml")).unwrap());
    let mut config =
        scheme.read("paylater.toml").replace("settle_seconds = 0\n", "settle_seconds = 0\nlimits.line_kib = 2\n");
    for (feed, profile) in [("wechat", "wechat-trade-bill"), ("klarna", "klarna-settlement")] {
        config.push_str(&format!(
            "[[feed]]\nname = \"{feed}\"\nfolder = \"inbox\"\npattern = \"{feed}-{{date}}*.csv\"\nkind = \"bills\"\n\
             profile = \"{profile}\"\nsettle_seconds = 0\nreject_limit = {{ rows = 1000000 }}\nmerchant = \"SHOP\"\n"
        ));
    }
    config.push_str(
        "[[feed]]\nname = \"corrections\"\nfolder = \"inbox\"\npattern = \"corrections-{date}*.csv\"\n\
         kind = \"corrections\"\nsettle_seconds = 0\nreject_limit = { rows = 1000000 }\nmerchant = \"SHOP\"\n",
    );
    scheme.write("paylater.toml", config);
    for path in files("before") {
        scheme.write(&format!("inbox/{}", path.file_name().unwrap().to_str().unwrap()), fs::read(&path).unwrap());
    }
    scheme.close("2026-03-11");
    scheme
}

#[test]
fn every_answer_says_what_is_wrong_and_what_to_write() {
    let scheme = shop();
    for sample in samples() {
        scheme.write(&format!("inbox/{}", sample.name()), fs::read(&sample.path).unwrap());
    }
    scheme.close(DAY);
    let exceptions = scheme.read(&format!("run/reconciliation/{DAY}/SHOP_{DAY}_exceptions.csv"))
        + &scheme.read(&format!("run/reconciliation/{DAY}/scheme_{DAY}_exceptions.csv"));
    let (mut told, mut others) = (String::new(), String::new());
    for sample in samples() {
        let Sample { code, feed, .. } = &sample;
        told.push_str(&format!("{code}.{feed}\n"));
        let ack = scheme.ack(feed, &sample.kept_as());
        let mut rows = csv::Reader::from_reader(ack.as_bytes());
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        let is_about = |row: &csv::StringRecord| !code.starts_with("FILE_") || &row[0] == "0";
        if rows.is_empty() || rows.iter().filter(|row| is_about(row)).any(|row| row[3] != *code) {
            others.push_str(&format!("{}: {ack}", sample.name()));
        }
        for row in rows.iter().filter(|row| is_about(row)) {
            let opened: Vec<&str> = exceptions_about(&exceptions, &sample.name(), &row[0]);
            let opened = if opened.is_empty() { String::new() } else { format!(" (exception {})", opened.join(", ")) };
            told.push_str(&format!("    line {} {:?} {}{opened}: {}\n", &row[0], &row[1], &row[2], &row[4]));
        }
        let is_rejected = rows.iter().any(|row| &row[2] == "rejected");
        let rejects = scheme.path(&format!("run/outbox/{feed}/{}.rejects.csv", sample.kept_as()));
        assert_eq!(rejects.exists(), is_rejected, "{}", rejects.display());
    }
    assert!(others.is_empty(), "these get another answer:\n{others}");
    insta::assert_snapshot!("rejections", told);
    scheme.run(&["verify"]);
}

/// Returns the codes of the exceptions that a line of a file has opened.
fn exceptions_about<'e>(report: &'e str, file: &str, line: &str) -> Vec<&'e str> {
    let about = |row: &&str| row.contains(&format!(",{file},{line},"));
    report.lines().filter(about).filter_map(|row| row.split(',').nth(1)).collect()
}

#[test]
fn every_code_has_a_sample() {
    let rows_and_files = RowCode::all().map(ExceptionCode::from).chain(FileCode::all().map(ExceptionCode::from));
    let mut codes: BTreeSet<String> = rows_and_files.map(|code| code.name().to_owned()).collect();
    let page = read("docs/file-formats.md");
    for table in ["Rows", "Orders declined", "Refusals", "Files"] {
        codes.extend(table_below(&page, table).into_iter().map(|(code, _)| code));
    }
    // These codes are about paylater's own files.
    for (code, _) in table_below(&page, "Instructions") {
        codes.remove(&code);
    }
    for (code, test) in ELSEWHERE {
        assert!(read(test).contains(code), "{test} has nothing of {code}");
    }
    let sampled: BTreeSet<String> = samples().into_iter().map(|sample| sample.code).collect();
    let told = fs::read_to_string(folder("../snapshots/all__rejections__rejections.snap")).unwrap();
    let is_there = |code: &&String| {
        sampled.contains(*code)
            || ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == code)
            // The code of an exception that a rejected row also opens.
            || told.contains(&format!("(exception {code})"))
    };
    let missing: Vec<_> = codes.iter().filter(|code| !is_there(code)).collect();
    assert!(missing.is_empty(), "tests/rejections has no sample of {missing:?}");
    let unknown: Vec<_> = sampled.iter().filter(|code| !codes.contains(*code)).collect();
    assert!(unknown.is_empty(), "nothing gives {unknown:?} any more");
}
