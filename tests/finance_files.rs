//! Finance's files: reports made again, workbooks read back by another program, statements that add up. Runs the real program.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value as Json;

use crate::support::two_merchants::{change, two_merchants};
use crate::support::{Scheme, assert_same, files_below, finance_tool};

fn sample() -> Scheme {
    let scheme = Scheme::sample();
    scheme.close("2026-03-31");
    scheme
}

fn json(scheme: &Scheme, arguments: &[&str]) -> Json {
    serde_json::from_str(&scheme.run(&[&["--json"], arguments].concat())).unwrap()
}

#[test]
fn a_sealed_day_is_written_again_byte_for_byte() {
    let scheme = sample();
    let published = files_below(&scheme.path("sample-run/reconciliation/2026-03-24"), &["."]);
    let again = scheme.path("again");
    // The folder of the day is gone, and somebody's archive is unknown here.
    fs::rename(scheme.path("sample-run/reconciliation/2026-03-24"), scheme.path("elsewhere")).unwrap();
    let said = scheme.run(&["reports", "--date", "2026-03-24", "--into", again.to_str().unwrap()]);
    assert!(said.contains("20 files of 2026-03-24 as sealed, with manifest.json, in "), "{said}");
    assert_same(&published, &files_below(&again, &["."]));
    assert!(!scheme.path("sample-run/reconciliation/2026-03-24").exists());

    let tea = scheme.path("tea");
    let view =
        json(&scheme, &["reports", "--date", "2026-03-24", "--merchant", "TEA", "--into", tea.to_str().unwrap()]);
    let names: Vec<&str> =
        view["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    let expected: BTreeMap<String, Vec<u8>> = published
        .into_iter()
        .filter(|(name, _)| name.contains("/TEA_") || name.starts_with("TEA_") || name.ends_with("manifest.json"))
        .collect();
    assert_same(&expected, &files_below(&tea, &["."]));

    let said = scheme.run_failing(&["reports", "--date", "2026-03-24", "--into", tea.to_str().unwrap()], 2);
    assert!(said.contains("is not empty; choose a new folder"), "{said}");
    let said = scheme.run_failing(&["reports", "--date", "2026-04-24"], 1);
    assert!(said.contains("2026-04-24 is not sealed; the sealed days are 2026-03-01 to 2026-03-31"), "{said}");
}

#[tokio::test]
async fn files_that_are_not_as_sealed_are_not_handed_out() {
    let scheme = two_merchants();
    scheme.close("2026-03-03");
    let changed = "UPDATE exception SET message = 'another' WHERE merchant_id = 'SHOP' AND code = 'UNKNOWN_ORDER'";
    change(&scheme, changed).await;
    let again = scheme.path("again");
    let said = scheme.run_failing(&["reports", "--date", "2026-03-03", "--into", again.to_str().unwrap()], 1);
    assert!(said.contains("not what was sealed, and were removed: SHOP_2026-03-03_exceptions.csv"), "{said}");
    assert_eq!(fs::read_dir(&again).unwrap().count(), 0);
}

#[test]
fn days_in_the_archive_are_proved_there_and_not_written_again() {
    let scheme = two_merchants();
    let config = scheme.read("paylater.toml") + "\n[close]\narchived_reports = \"old\"\n";
    scheme.write("paylater.toml", config);
    scheme.close("2026-03-03");
    fs::create_dir(scheme.path("old")).unwrap();
    fs::rename(scheme.path("run/reconciliation/2026-03-01"), scheme.path("old/2026-03-01")).unwrap();
    scheme.run(&["job", "write_reconciliation"]);
    assert!(!scheme.path("run/reconciliation/2026-03-01").exists());
    scheme.run(&["verify"]);
    let report = "old/2026-03-01/SHOP_2026-03-01_detail.csv";
    scheme.write(report, scheme.read(report).replace("10.00", "11.00"));
    let said = scheme.run_failing(&["verify"], 1);
    assert!(said.contains("SHOP_2026-03-01_detail.csv on the disk is not what was sealed"), "{said}");
    // While the archive is away, its days are not taken for lost.
    fs::rename(scheme.path("old"), scheme.path("unmounted")).unwrap();
    scheme.run(&["job", "write_reconciliation"]);
    assert!(!scheme.path("run/reconciliation/2026-03-01").exists());
}

#[test]
fn verify_of_some_days_says_what_it_proved() {
    let scheme = sample();
    let all = json(&scheme, &["verify"]);
    let march = json(&scheme, &["verify", "--from", "2026-03-01", "--to", "2026-03-31"]);
    for count in ["days", "files", "entries", "balances", "fingerprints", "input_files", "input_rows"] {
        assert_eq!(all[count], march[count], "{count}");
        assert!(all[count].as_i64().unwrap() > 0, "{count}: {all}");
    }
    assert!(all["orders"].as_i64().unwrap() > 400 && march["orders"] == 0);
    let rows = |scheme: &Scheme| scheme.run(&["journal", "--format", "csv"]).lines().count() - 1;
    assert_eq!(all["entries"], rows(&scheme));
    let parts = [("2026-03-01", "2026-03-20"), ("2026-03-21", "2026-03-31")];
    let parts =
        parts.map(|(from, to)| json(&scheme, &["verify", "--from", from, "--to", to])["entries"].as_i64().unwrap());
    assert_eq!(all["entries"], parts.iter().sum::<i64>());

    let changed = "sample-run/reconciliation/2026-03-10/TEA_2026-03-10_detail.csv";
    scheme.write(changed, scheme.read(changed).replacen("order", "0rder", 1));
    scheme.run(&["verify", "--from", "2026-03-11"]);
    let said = scheme.run_failing(&["verify", "--from", "2026-03-10", "--to", "2026-03-10"], 1);
    assert!(said.contains("NOT OK: 1 problem. 1 day and 20 files compared."), "{said}");
    scheme.run_failing(&["verify", "--from", "2026-03-11", "--to", "2026-03-10"], 2);
}

/// Reads a workbook with openpyxl: each sheet's frozen panes, filter and rows, with dates and numbers as what they are.
const READ_BACK: &str = r#"
import datetime, json, sys
from openpyxl import load_workbook
def plain(value):
    if isinstance(value, datetime.datetime):
        return {"date": value.date().isoformat()}
    return value
book = load_workbook(sys.argv[1], data_only=len(sys.argv) < 3)
sheets = {}
for sheet in book:
    rows = [[plain(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    sheets[sheet.title] = {"frozen": sheet.freeze_panes, "filter": sheet.auto_filter.ref, "charts": len(sheet._charts), "rows": rows}
json.dump({"names": book.sheetnames, "created": book.properties.created.isoformat(), "sheets": sheets}, sys.stdout)
"#;

fn read_back(scheme: &Scheme, workbook: &str, options: &[&str]) -> Json {
    let mut python = Command::new(finance_tool("python"));
    let output = python.args(["-c", READ_BACK]).arg(scheme.path(workbook)).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sum of a column of a merchant's reports of March, in minor units.
fn sum_of_csv(scheme: &Scheme, kind: &str, days: std::ops::RangeInclusive<u32>, column: &str, currency: &str) -> i64 {
    let mut sum = 0;
    for day in days {
        let day = format!("2026-03-{day:02}");
        let text = scheme.read(&format!("sample-run/reconciliation/{day}/TEA_{day}_{kind}.csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let at = |name: &str| header.iter().position(|known| known == name).unwrap();
        let rows = reader.records().map(|row| row.unwrap()).filter(|row| &row[at("currency")] == currency);
        sum += rows.map(|row| minor(&row[at(column)])).sum::<i64>();
    }
    sum
}

fn minor(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap()
}

/// A number of a workbook in minor units.
fn cents(cell: &Json) -> i64 {
    minor(&format!("{:.2}", cell.as_f64().unwrap_or_else(|| panic!("{cell} is no number"))))
}

#[test]
fn a_workbook_read_back_by_another_program_has_the_amounts_of_the_reports() {
    let scheme = sample();
    let into = scheme.path("books");
    let view = json(&scheme, &["workbook", "--month", "2026-03", "--into", into.to_str().unwrap()]);
    assert_eq!(view["workbooks"].as_array().unwrap().len(), 3);
    let book = read_back(&scheme, "books/TEA_2026-03.xlsx", &[]);
    let names = ["month", "summary", "detail", "positions", "settlement", "matching", "exceptions"];
    assert_eq!(book["names"], Json::from(names.to_vec()));
    assert_eq!(book["created"], "2026-03-31T00:00:00");
    assert!(book["sheets"]["month"]["charts"].as_u64().unwrap() >= 2);

    for (kind, days, column) in [
        ("detail", 1..=31, "amount"),
        ("settlement", 1..=31, "net"),
        ("matching", 1..=31, "our_amount"),
        ("positions", 31..=31, "outstanding"),
        ("summary", 1..=31, "debits"),
    ] {
        let sheet = &book["sheets"][kind];
        assert_eq!(sheet["frozen"], "A2", "{kind}");
        assert!(sheet["filter"].as_str().unwrap().starts_with("A1:"), "{kind}");
        let rows = sheet["rows"].as_array().unwrap();
        let at = |name: &str| rows[0].as_array().unwrap().iter().position(|cell| cell == name).unwrap();
        let of_currency = rows.iter().skip(1).filter(|row| row[at("currency")] == "CNY");
        let sum: i64 = of_currency.map(|row| cents(&row[at(column)])).sum();
        assert_eq!(sum, sum_of_csv(&scheme, kind, days, column, "CNY"), "{kind}");
        let day = if kind == "settlement" || kind == "matching" { "day" } else { "business_date" };
        assert!(rows[1][at(day)]["date"].as_str().unwrap().starts_with("2026-03-"), "{kind}: {}", rows[1]);
        assert!(rows.len() > 10, "{kind}");
    }

    // The control totals are formulas; Excel and LibreOffice compute them again.
    let front = book["sheets"]["month"]["rows"].as_array().unwrap();
    let controls: Vec<&Json> =
        front.iter().filter(|row| row[0].as_str().is_some_and(|name| name.contains(": "))).collect();
    let controls: Vec<&&Json> = controls.iter().filter(|row| row[2].is_number()).collect();
    assert!(controls.len() > 10, "{front:?}");
    for row in &controls {
        assert_eq!((cents(&row[2]), cents(&row[4])), (cents(&row[3]), 0), "{row}");
    }
    let of = |name: &str| controls.iter().find(|row| row[0] == name && row[1] != "USD").map(|row| cents(&row[2]));
    assert_eq!(of("detail: amount"), Some(sum_of_csv(&scheme, "detail", 1..=31, "amount", "CNY")));
    let formulas = read_back(&scheme, "books/TEA_2026-03.xlsx", &["formulas"]);
    let formula = formulas["sheets"]["month"]["rows"].as_array().unwrap().iter().find(|row| row[0] == "detail: amount");
    assert!(formula.unwrap()[3].as_str().unwrap().starts_with("=SUMIFS('detail'!$K$2:"), "{formula:?}");
}

#[test]
fn the_same_books_make_the_same_workbook() {
    let scheme = sample();
    let write = |folder: &str| {
        scheme.run(&[
            "workbook",
            "--month",
            "2026-03",
            "--merchant",
            "TEA",
            "--into",
            scheme.path(folder).to_str().unwrap(),
        ]);
        files_below(&scheme.path(folder), &["."])
    };
    let first = write("first");
    assert_eq!(first.len(), 1, "{:?}", first.keys());
    // A day that was lost is made again for it, and nothing of that stays.
    fs::remove_dir_all(scheme.path("sample-run/reconciliation/2026-03-07")).unwrap();
    assert_same(&first, &write("second"));
    assert!(!scheme.path("sample-run/reconciliation/2026-03-07").exists());
    let said = scheme.run_failing(&["workbook", "--month", "2026-05"], 1);
    assert!(said.contains("no day of 2026-05 is sealed with any merchant"), "{said}");
    scheme.run_failing(&["workbook", "--month", "2026-3"], 2);
}

#[test]
fn a_statement_rolls_forward_to_the_sealed_balances() {
    let scheme = sample();
    let view = json(&scheme, &["statement", "--month", "2026-03"]);
    let statements = view["statements"].as_array().unwrap();
    assert_eq!(statements.len(), 4);
    let balances = |merchant: &str| {
        let day = "2026-03-31";
        let text = scheme.read(&format!("sample-run/reconciliation/{day}/{merchant}_{day}_summary.csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
        rows.into_iter().map(|row| ((row[2].to_owned(), row[3].to_owned()), minor(&row[7]))).collect::<BTreeMap<_, _>>()
    };
    let mut of_all: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut movements = 0;
    for statement in statements {
        let sealed = match statement["merchant_id"].as_str() {
            Some(merchant) => {
                let balances = balances(merchant);
                for (key, closing) in &balances {
                    *of_all.entry(key.clone()).or_default() += closing;
                }
                balances
            }
            None => of_all.clone(),
        };
        for roll in statement["roll_forward"].as_array().unwrap() {
            for account in roll["accounts"].as_array().unwrap() {
                let minor = |name: &str| account[name]["minor"].as_i64().unwrap();
                let moved = account["movements"].as_array().unwrap();
                let sum: i64 = moved.iter().map(|moved| moved["amount"]["minor"].as_i64().unwrap()).sum();
                assert_eq!(minor("opening") + sum, minor("closing"), "{account}");
                assert_eq!(minor("difference"), 0, "{account}");
                let key =
                    (roll["currency"].as_str().unwrap().to_owned(), account["account"].as_str().unwrap().to_owned());
                assert_eq!(minor("closing").abs(), sealed[&key].abs(), "{account}");
                movements += moved.len();
            }
        }
        for ageing in statement["ageing"].as_array().unwrap() {
            assert_eq!(ageing["difference"]["minor"], 0, "{ageing}");
        }
    }
    assert!(movements > 40, "{movements}");
    assert!(!scheme.path("TEA_2026-03_statement.html").exists());
}

#[test]
fn a_statement_is_a_page_in_english_or_chinese() {
    let scheme = sample();
    let into = scheme.path("pages");
    let write = |lang: &str| {
        let said = scheme.run(&["statement", "--month", "2026-03", "--lang", lang, "--into", into.to_str().unwrap()]);
        assert_eq!(said.lines().count(), 4, "{said}");
        scheme.read("pages/TEA_2026-03_statement.html")
    };
    let english = write("en");
    let (_, main) = english.split_once("<main>").unwrap();
    let (main, footer) = main.split_once("</main>").unwrap();
    insta::assert_snapshot!("statement_en", main);
    let manifest: Json =
        serde_json::from_str(&scheme.read("sample-run/reconciliation/2026-03-31/manifest.json")).unwrap();
    assert!(footer.contains(manifest["seal"].as_str().unwrap()), "{footer}");
    let chinese = write("zh");
    for word in ["月度对账单", "应付商户款", "账龄", "未到期", "2026年3月", "期末余额"] {
        assert!(chinese.contains(word), "{word}");
    }
    assert!(!english.contains("http") && !english.contains("<script"));
    assert!(scheme.read("pages/scheme_2026-03_statement.html").contains("全部商户"));
}
