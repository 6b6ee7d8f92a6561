//! Reports that list only the positions that a day changed.

use std::collections::BTreeMap;
use std::fs;

use crate::support::Scheme;
use crate::support::two_merchants::{change, two_merchants};

/// The sample, with only changed positions in its reports.
fn with_changes_only(scheme: Scheme) -> Scheme {
    let config = fs::read_to_string(&scheme.config).unwrap();
    fs::write(&scheme.config, config + "\n[close]\npositions = \"changed\"\n").unwrap();
    scheme
}

/// The columns that the passing of a day changes by itself.
const BY_THE_DAY: [&str; 3] = ["business_date", "days_past_due", "bucket"];

type Rows = BTreeMap<(String, String), (Vec<String>, bool)>;

/// Each instalment in a positions report, without what the passing of a day changes; and whether anything is owed.
fn rows(report: &str) -> Rows {
    let mut rows = csv::Reader::from_reader(report.as_bytes());
    let header = rows.headers().unwrap().clone();
    let of =
        |row: &csv::StringRecord, name: &str| row[header.iter().position(|column| column == name).unwrap()].to_owned();
    rows.records()
        .map(|row| {
            let row = row.unwrap();
            let kept = header.iter().zip(&row).filter(|(name, _)| !BY_THE_DAY.contains(name));
            let kept: Vec<String> = kept.map(|(_, cell)| cell.to_owned()).collect();
            let is_open = !of(&row, "outstanding").trim_start_matches(['0', '.']).is_empty()
                || of(&row, "late_fee") != of(&row, "late_fee_paid");
            ((of(&row, "order_id"), of(&row, "instalment")), (kept, is_open))
        })
        .collect()
}

fn days(scheme: &Scheme) -> Vec<String> {
    let folders = fs::read_dir(scheme.path("sample-run/reconciliation")).unwrap();
    let mut days: Vec<String> = folders
        .map(|day| day.unwrap().file_name().into_string().unwrap())
        .filter(|day| day.starts_with("20"))
        .collect();
    days.sort();
    days
}

#[test]
fn changes_add_up_to_the_full_list_of_every_day() {
    let (all, changed) = (Scheme::sample(), with_changes_only(Scheme::sample()));
    all.close("2026-03-31");
    changed.close("2026-03-31");
    let days = days(&all);
    assert_eq!(days.len(), 31);
    let (mut listed, mut full) = (0, 0);
    for merchant in ["TEA", "BOOK", "GYM"] {
        let mut known = Rows::new();
        for day in &days {
            let report = |scheme: &Scheme| {
                rows(&scheme.read(&format!("sample-run/reconciliation/{day}/{merchant}_{day}_positions.csv")))
            };
            let (all, changed) = (report(&all), report(&changed));
            if day.ends_with("-03-31") {
                assert_eq!(changed, all, "the last day of a month lists all positions");
                known.clear();
            }
            let mut gone = known.keys().filter(|instalment| !all.contains_key(*instalment));
            assert!(gone.all(|instalment| changed.contains_key(instalment)), "{merchant} {day}");
            listed += changed.len();
            full += all.len();
            known.extend(changed);
            known.retain(|_, (_, is_open)| *is_open);
            assert_eq!(known, all, "{merchant} {day}");
        }
    }
    assert!(listed * 2 < full, "{listed} of {full}");
    changed.run(&["verify"]);
}

#[tokio::test]
async fn a_sealed_day_keeps_what_it_lists_on_either_engine() {
    let sqlite = with_changes_only(Scheme::sample());
    let postgres = with_changes_only(Scheme::sample()).on_postgres().await;
    let seals = tokio::task::spawn_blocking(move || {
        [sqlite, postgres].map(|scheme| {
            scheme.close("2026-03-12");
            // The configuration says something else now; the files are lost and made again.
            let config = fs::read_to_string(&scheme.config).unwrap();
            fs::write(&scheme.config, config.replace("positions = \"changed\"", "positions = \"all\"")).unwrap();
            let day = "sample-run/reconciliation/2026-03-11";
            let manifest = scheme.read(&format!("{day}/manifest.json"));
            fs::remove_dir_all(scheme.path(day)).unwrap();
            scheme.run(&["job", "write_reconciliation"]);
            assert_eq!(scheme.read(&format!("{day}/manifest.json")), manifest);
            scheme.run(&["verify"]);
            manifest
        })
    });
    let [sqlite, postgres] = seals.await.unwrap();
    assert_eq!(sqlite, postgres);
}

#[tokio::test]
async fn sums_that_do_not_follow_from_the_positions_are_not_sealed() {
    let sqlite = two_merchants();
    let postgres = two_merchants().on_postgres().await;
    for scheme in [&sqlite, &postgres] {
        scheme.close("2026-03-01");
        change(scheme, "UPDATE receivable SET outstanding_minor = outstanding_minor + 1 WHERE merchant_id = 'SHOP'")
            .await;
        let said = scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
        assert!(said.contains("SHOP: the sums of open positions are kept as"), "{said}");
        let said = scheme.run_failing(&["verify"], 1);
        assert!(said.contains("SHOP what all customers owe is not the sum of the open positions"), "{said}");
    }
}
