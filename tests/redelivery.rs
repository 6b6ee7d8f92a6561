//! Repeated deliveries: every file arrives one to five times, under other names, in pieces, with its rows in another
//! order, and some of them days later. The books, the customers' records and their mails are the same as after one
//! delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::{Scheme, assert_same, files_below};

const LAST: &str = "2026-03-31";

#[test]
fn whatever_comes_again_changes_nothing() {
    let once = Scheme::sample();
    once.close(LAST);
    let expected = end_state(&once);
    for seed in [0x9e37_79b9_7f4a_7c15, 0x2545_f491_4f6c_dd1d] {
        let again = Scheme::sample();
        let files = redeliver(&again, &mut Chance(seed));
        assert!(files > 700, "seed {seed:#x} delivered {files} files only");
        again.close(LAST);
        assert_same(&expected, &end_state(&again));
        again.run(&["verify"]);
    }
}

/// Pseudo-random numbers, the same in every run of the test.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Delivers every file of the sample's inbox up to five times. Returns the number of files.
fn redeliver(scheme: &Scheme, chance: &mut Chance) -> usize {
    let config = fs::read_to_string(&scheme.config).unwrap();
    fs::write(&scheme.config, config.replace("-{date}.csv\"", "-{date}*.csv\"")).unwrap();
    let inbox = scheme.path("sample-data/inbox");
    for (name, bytes) in files_below(&inbox, &["book", "gym", "scheme", "tea"]) {
        let path = inbox.join(&name);
        let (stem, date) = path.file_stem().unwrap().to_str().unwrap().split_at(path.file_stem().unwrap().len() - 10);
        let date: chrono::NaiveDate = date.parse().unwrap();
        fs::remove_file(&path).unwrap();
        for delivery in 0..=chance.below(5) {
            // Only facts are delivered days later. An old customer or agreement record after a newer one would be a
            // change.
            let facts = !name.starts_with("scheme/");
            let days = if delivery > 0 && facts { chance.below(4) } else { 0 };
            let day = date + chrono::Days::new(days as u64);
            for (piece, bytes) in pieces(&bytes, chance).into_iter().enumerate() {
                let name = format!("{stem}{day}-{date}-{delivery}{piece}.csv");
                fs::write(path.with_file_name(name), bytes).unwrap();
            }
        }
    }
    files_below(&inbox, &["book", "gym", "scheme", "tea"]).len()
}

/// Splits a file into up to three pieces with the rows in another order. Rows of one customer or order keep their
/// order, because the order of two orders decides which one exceeds the limit. A file that cannot be read stays
/// unchanged.
fn pieces(bytes: &[u8], chance: &mut Chance) -> Vec<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let Ok(mut rows) = reader.records().collect::<Result<Vec<_>, _>>() else { return vec![bytes.to_vec()] };
    if rows.is_empty() {
        return vec![bytes.to_vec()];
    }
    let header = rows.remove(0);
    let whose = header.iter().position(|name| name == "customer_id");
    let whose = whose.or_else(|| header.iter().position(|name| name == "order_id")).unwrap_or(0);
    let mut by_owner: BTreeMap<String, Vec<csv::StringRecord>> = BTreeMap::new();
    for row in rows {
        by_owner.entry(row.get(whose).unwrap_or_default().trim().to_owned()).or_default().push(row);
    }
    let mut owners: Vec<Vec<csv::StringRecord>> = by_owner.into_values().collect();
    let mut written = vec![Vec::new(); 1 + chance.below(3)];
    while !owners.is_empty() {
        let next = owners.swap_remove(chance.below(owners.len()));
        let piece = chance.below(written.len());
        written[piece].extend(next);
    }
    let text = |rows: Vec<csv::StringRecord>| {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        writer.write_record(&header).unwrap();
        for row in rows {
            writer.write_record(&row).unwrap();
        }
        writer.into_inner().unwrap()
    };
    written.into_iter().map(text).collect()
}

/// Returns the output that people act on: the mails, and the reports without the numbers of files and lines.
fn end_state(scheme: &Scheme) -> BTreeMap<String, Vec<u8>> {
    let run = scheme.path("sample-run");
    let mut state = files_below(&run, &["mail"]);
    let mut waiting = BTreeSet::new();
    for (name, bytes) in files_below(&run, &["reconciliation"]) {
        let kind = Path::new(&name).file_stem().unwrap().to_str().unwrap();
        let kept = match kind.rsplit_once('_').map_or(kind, |(_, kind)| kind) {
            "manifest" => continue,
            "detail" => without(&bytes, &["source", "source_line"]),
            // Leave out contradictions: they are listed each time they arrive.
            "matching" => String::from_utf8(bytes).unwrap().lines().filter(|row| !row.contains("amount_differs")).fold(
                String::new(),
                |mut rows, row| {
                    rows.push_str(row);
                    rows.push('\n');
                    rows
                },
            ),
            "exceptions" => {
                if name.contains(LAST) {
                    let rows = without(&bytes, &["exception_id", "file", "line", "opened_on", "days_open", "message"]);
                    waiting.extend(rows.lines().filter(|row| !row.starts_with("FILE_")).map(str::to_owned));
                }
                continue;
            }
            _ => String::from_utf8(bytes).unwrap(),
        };
        state.insert(name, kept.into_bytes());
    }
    state.insert("exceptions".to_owned(), waiting.into_iter().collect::<Vec<_>>().join("\n").into_bytes());
    state
}

fn without(bytes: &[u8], columns: &[&str]) -> String {
    let mut reader = csv::Reader::from_reader(bytes);
    let kept: Vec<bool> = reader.headers().unwrap().iter().map(|name| !columns.contains(&name)).collect();
    let row = |row: &csv::StringRecord| {
        let cells = row.iter().zip(&kept).filter_map(|(cell, kept)| kept.then_some(cell));
        cells.collect::<Vec<_>>().join(",")
    };
    reader.records().fold(String::new(), |mut rows, record| {
        rows.push_str(&row(&record.unwrap()));
        rows.push('\n');
        rows
    })
}
