//! Checks the exported journal with hledger, ledger and beancount, and with a reader that closes the pipe early.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::two_merchants::{change, two_merchants};
use crate::support::{Scheme, finance_tool};

/// Runs a program on a journal. Returns whether it accepts the journal, and what it says.
fn check(program: &str, journal: &Path) -> (bool, String) {
    let mut command = match program {
        "hledger" => {
            let mut command = Command::new("hledger");
            command.arg("-f").arg(journal).args(["check", "-s", "ordereddates"]);
            command
        }
        "ledger" => {
            let mut command = Command::new("ledger");
            command.arg("--args-only").arg("-f").arg(journal).args(["--pedantic", "balance"]);
            command
        }
        _ => {
            let mut command = Command::new(finance_tool("bean-check"));
            command.arg("--no-cache").arg(journal);
            command
        }
    };
    let output = command.output().unwrap_or_else(|why| panic!("{program}: {why}; apt-get install {program}"));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The programs, with the format that each reads.
const PROGRAMS: [(&str, &str); 3] = [("hledger", "hledger"), ("ledger", "hledger"), ("bean-check", "beancount")];

/// Writes a journal with these options for each program, and returns whether all accept it.
fn assert_accepted(scheme: &Scheme, options: &[&str]) {
    for (program, format) in PROGRAMS {
        let path = scheme.path(&format!("books.{format}"));
        std::fs::write(&path, scheme.run(&[&["journal", "--format", format], options].concat())).unwrap();
        let (passes, why) = check(program, &path);
        assert!(passes, "{program} {options:?}: {why}");
    }
}

/// The sample's month.
fn sample() -> Scheme {
    let scheme = Scheme::sample();
    scheme.close("2026-03-31");
    scheme
}

#[test]
fn the_sample_month_passes_with_a_balance_assertion_per_account_and_sealed_day() {
    let scheme = sample();
    assert_accepted(&scheme, &[]);
    let hledger = scheme.read("books.hledger");
    let assertions = hledger.lines().filter(|line| line.contains(" = ")).count();
    assert!(assertions >= 31 * 3 * 10, "{assertions} assertions");
    let beancount = scheme.read("books.beancount");
    assert_eq!(beancount.lines().filter(|line| line.contains(" balance ")).count(), assertions);
    let tags = "; effective:2026-03-14, merchant:TEA, order:T-STAR, instalment:1, cause:PT-STAR-2, ";
    assert!(hledger.contains(tags), "{hledger}");
    for metadata in ["\n  order: \"T-STAR\"\n  instalment: 1\n  cause: \"PT-STAR-2\"\n  source: \"", "\n  line: 4\n"] {
        assert!(beancount.contains(metadata), "{metadata}");
    }
}

/// Returns the journal with its n-th transaction of TEA on the 5th replaced.
fn with_entry(journal: &str, start: &str, replaced: impl Fn(&str) -> String) -> String {
    let start = journal.find(start).unwrap_or_else(|| panic!("no {start}")) + 1;
    let end = start + journal[start..].find("\n\n").unwrap();
    format!("{}{}{}", &journal[..start], replaced(&journal[start..end]), &journal[end..])
}

/// Changes the text of a transaction.
type Alteration<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn a_planted_cent_a_doubled_entry_and_a_lost_one_fail_the_check() {
    let scheme = sample();
    for (program, format) in PROGRAMS {
        let journal = scheme.run(&["journal", "--format", format]);
        let start = if format == "hledger" { "\n2026-03-05 (TEA-" } else { "\n2026-03-05 * \"order T-" };
        let cent = |entry: &str| {
            // Both sides, so that the transaction still balances.
            let first = entry.lines().find(|line| line.contains(":TEA") && !line.contains('-')).unwrap_or_default();
            let amount = first.split_whitespace().find(|word| word.contains('.')).unwrap();
            let (whole, cents) = amount.split_once('.').unwrap();
            let cents: u32 = cents.parse().unwrap();
            entry.replace(amount, &format!("{whole}.{:02}", if cents == 99 { 98 } else { cents + 1 }))
        };
        let altered: [(&str, Alteration<'_>); 3] =
            [("a cent", &cent), ("doubled", &|entry| format!("{entry}\n\n{entry}")), ("lost", &|_| String::new())];
        for (what, alter) in altered {
            let altered = with_entry(&journal, start, alter);
            assert_ne!(altered, journal, "{program} {what}");
            let path = scheme.path("altered");
            std::fs::write(&path, altered).unwrap();
            let (passes, why) = check(program, &path);
            assert!(!passes, "{program} overlooked: {what}");
            assert!(why.to_lowercase().contains("balance"), "{program} {what}: {why}");
        }
    }
}

#[test]
fn a_part_of_the_journal_begins_with_the_balances_before_it() {
    let scheme = sample();
    assert_accepted(&scheme, &["--from", "2026-03-10", "--to", "2026-03-20"]);
    let part = scheme.read("books.hledger");
    assert!(part.contains("\n2026-03-10 opening balances of TEA\n"), "{part}");
    assert!(!part.contains("\n2026-03-09 ") && !part.contains("\n2026-03-21 ") && part.contains("\n2026-03-20 sealed"));
    assert_accepted(&scheme, &["--merchant", "TEA", "--from", "2026-03-10"]);
    assert!(!scheme.read("books.hledger").contains(":GYM"));
    assert_accepted(&scheme, &["--order", "T-STAR", "--from", "2026-03-16"]);
    let order = scheme.read("books.hledger");
    assert!(order.contains("opening balances of TEA") && order.matches("\n2026-").count() > 3, "{order}");
    assert!(order.lines().filter(|line| line.contains("(TEA-")).all(|line| line.contains(" T-STAR ")), "{order}");

    let csv = scheme.run(&["journal", "--format", "csv", "--bom", "--merchant", "TEA", "--to", "2026-03-02"]);
    assert!(csv.starts_with("\u{feff}entry_id,merchant_id,"), "{csv}");
    assert!(csv.lines().skip(1).all(|row| row.starts_with("TEA-") && row.contains(",2026-03-0")), "{csv}");
    assert!(!scheme.run(&["journal", "--format", "csv"]).starts_with('\u{feff}'));
}

#[test]
fn every_format_has_the_entries_in_date_order() {
    let scheme = sample();
    let csv = scheme.run(&["journal", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let days: Vec<String> = reader.records().map(|row| row.unwrap()[2].to_owned()).collect();
    assert!(days.is_sorted() && days.len() > 500);
    assert_eq!(scheme.run(&["journal", "--format", "json"]).lines().count(), days.len());
}

#[test]
fn accounts_have_the_names_of_finances_chart() {
    let scheme = Scheme::sample();
    let chart = "\n[accounts]\n\"assets:receivable:principal\" = \"1122 应收账款:{merchant}\"\n\
                 \"assets:receivable:late-fee\" = \"1122 应收账款:{merchant}\"\n\"assets:cash-clearing\" = \"1012 备付金\"\n";
    scheme.write("sample-data/paylater.toml", scheme.read("sample-data/paylater.toml") + chart);
    scheme.close("2026-03-31");
    assert_accepted(&scheme, &[]);
    assert_accepted(&scheme, &["--from", "2026-03-15"]);
    assert!(scheme.read("books.hledger").contains("    1122 应收账款:TEA  CNY "));
    assert!(scheme.read("books.beancount").contains("  Assets:1122-应收账款:TEA  "));
    assert!(scheme.read("books.beancount").contains("  Assets:1012-备付金  "));
}

#[test]
fn a_name_that_hledger_would_misread_is_refused_with_its_line() {
    let scheme = Scheme::sample();
    let chart = "\n[accounts]\n\"assets:receivable\" = \"1122\"\n\"assets:cash-clearing\" = \"10  12\"\n";
    scheme.write("sample-data/paylater.toml", scheme.read("sample-data/paylater.toml") + chart);
    let said = scheme.run_failing(&["check"], 2);
    assert!(
        said.contains("there is no account \"assets:receivable\"; there are assets:receivable:principal, "),
        "{said}"
    );
    assert!(said.contains("two blanks in a row end a name in hledger; write one"), "{said}");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let scheme = sample();
    for (options, why) in [
        (&["--format", "hledger", "--bom"][..], "--bom is for --format csv"),
        (
            &["--format", "csv", "--from", "2026-03-03", "--to", "2026-03-02"],
            "--from 2026-03-03 is after --to 2026-03-02",
        ),
        (&["--format", "csv", "--merchant", "TEE"], "there is no merchant \"TEE\""),
        (&[], "which format?"),
    ] {
        let said = scheme.run_failing(&[&["journal"], options].concat(), 2);
        assert!(said.contains(why), "{said}");
    }
    let said = scheme.run_failing(&["journal", "--format", "csv", "--order", "t-star"], 1);
    assert!(said.contains("no entry names an order \"t-star\""), "{said}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let scheme = sample();
    for format in ["csv", "hledger", "beancount", "json"] {
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
    assert_accepted(&scheme, &[]);
    assert!(scheme.read("books.hledger").contains("commodity JPY\n    format JPY 1000.\n"));
}

#[tokio::test]
async fn days_that_were_sealed_without_a_merchant_pass_too() {
    let scheme = two_merchants();
    let shared = "\n[accounts]\n\"liabilities:suspense\" = \"2241\"\n\"assets:cash-clearing\" = \"1012\"\n";
    scheme.write("paylater.toml", scheme.read("paylater.toml") + shared);
    scheme.close("2026-03-02");
    let set = |status: &str| {
        format!("UPDATE instalment SET credit_status = '{status}' WHERE merchant_id = 'SHOP' AND order_id = 'O2'")
    };
    change(&scheme, &set("impossible")).await;
    scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    let asserted = |day: &str, account: &str| {
        let journal = scheme.read("books.hledger");
        let (_, sealed) = journal.split_once(&format!("\n{day} sealed  ;")).unwrap_or_else(|| panic!("{journal}"));
        sealed.split("\n\n").next().unwrap().contains(&format!("    {account}  "))
    };
    assert_accepted(&scheme, &[]);
    // What an account holds that both merchants share is not known on that day.
    assert!(asserted("2026-03-02", "1012") && !asserted("2026-03-03", "1012"));
    assert!(asserted("2026-03-03", "assets:receivable:principal:OTHER"));
    change(&scheme, &set("clear")).await;
    scheme.close("2026-03-05");
    for from in ["2026-03-01", "2026-03-03", "2026-03-04", "2026-03-05"] {
        assert_accepted(&scheme, &["--from", from]);
    }
    assert!(asserted("2026-03-05", "1012") && asserted("2026-03-05", "assets:receivable:principal:SHOP"));
}
