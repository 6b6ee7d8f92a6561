//! Runs the sample month with the real program on both engines.

use crate::support::{OUTPUTS, Scheme, assert_same, files_below};

const LAST: &str = "2026-03-31";

#[tokio::test]
async fn the_month_is_the_same_to_the_byte_on_both_engines() {
    let sqlite = Scheme::sample();
    let postgres = Scheme::sample().on_postgres().await;
    let told = sqlite.close(LAST);
    assert_eq!(
        told,
        postgres.close(LAST).replace(&postgres.path("").display().to_string(), &sqlite.path("").display().to_string())
    );
    let files = files_below(&sqlite.path("sample-run"), &OUTPUTS);
    assert_eq!(files.keys().filter(|name| name.ends_with("manifest.json")).count(), 31);
    assert_same(&files, &files_below(&postgres.path("sample-run"), &OUTPUTS));
    for scheme in [&sqlite, &postgres] {
        let verified = scheme.run(&["verify"]);
        assert!(verified.starts_with("OK: 474 orders recomputed"), "{verified}");
    }
    // The documentation shows how to compute this day's seal by hand.
    let manifest: serde_json::Value =
        serde_json::from_str(&sqlite.read("sample-run/reconciliation/2026-03-24/manifest.json")).unwrap();
    let shown = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/file-formats.md")).unwrap();
    assert!(shown.contains(manifest["seal"].as_str().unwrap()), "docs/file-formats.md shows another seal: {manifest}");
    for order in ["T-STAR", "T-NOWHERE", "T-FROZEN", "G-CAP", "B-AUTO"] {
        let explain = ["explain", order];
        assert_eq!(sqlite.run(&explain), postgres.run(&explain), "{order}");
    }
    assert_eq!(sqlite.run(&["journal", "--format", "hledger"]), postgres.run(&["journal", "--format", "hledger"]));
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let scheme = Scheme::sample();
    scheme.close(LAST);
    let before = files_below(&scheme.path("sample-run"), &OUTPUTS);
    let told = scheme.close(LAST);
    assert_eq!(told, "Nothing to do: every day through 2026-03-31 is closed; the open day is 2026-04-01.\n");
    assert_same(&before, &files_below(&scheme.path("sample-run"), &OUTPUTS));
}

#[test]
fn a_month_day_by_day_is_the_month_at_once() {
    let at_once = Scheme::sample();
    at_once.close("2026-03-20");
    let daily = Scheme::sample();
    for day in 1..=20 {
        daily.close(&format!("2026-03-{day:02}"));
    }
    assert_same(&files_below(&at_once.path("sample-run"), &OUTPUTS), &files_below(&daily.path("sample-run"), &OUTPUTS));
}

#[test]
fn an_order_with_everything_reads_like_a_story() {
    let scheme = Scheme::sample();
    scheme.close(LAST);
    insta::assert_snapshot!("explain_star", scheme.run(&["explain", "T-STAR"]));
    insta::assert_snapshot!("explain_declined", scheme.run(&["explain", "T-FROZEN"]));
    insta::assert_snapshot!("explain_suspense", scheme.run(&["explain", "T-NOWHERE"]));
    insta::assert_snapshot!("explain_waived_cap", scheme.run(&["explain", "G-CAP"]));
}

#[test]
fn each_customer_gets_at_most_one_mail_a_day_and_each_step_once() {
    let scheme = Scheme::sample();
    scheme.close(LAST);
    let mut seen = std::collections::BTreeSet::new();
    for (name, bytes) in files_below(&scheme.path("sample-run"), &["mail"]) {
        let mail = String::from_utf8(bytes).unwrap();
        let header = |header: &str| {
            let line = mail.lines().find(|line| line.starts_with(header));
            line.unwrap_or_else(|| panic!("{name} has no {header}")).to_owned()
        };
        let day = name.split(['/', '-']).nth(1).unwrap().to_owned();
        let address = header("To:").rsplit(' ').next().unwrap().to_owned();
        assert!(seen.insert((address, day)), "{name}: a second mail on a day");
    }
    assert!(seen.len() > 300, "only {} mails", seen.len());
}

#[test]
fn sealed_files_that_were_touched_are_found_and_so_are_changed_books() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-10");
    let file = "sample-run/reconciliation/2026-03-09/TEA_2026-03-09_summary.csv";
    let sealed = scheme.read(file);
    scheme.write(file, sealed.replacen("0.00", "0.01", 1));
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("TEA_2026-03-09_summary.csv on the disk is not what was sealed"), "{told}");
    scheme.write(file, sealed);
    scheme.run(&["verify"]);
    sqlite(&scheme, "UPDATE journal SET amount_minor = amount_minor + 1 WHERE merchant_id = 'TEA' AND entry_no = 5");
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("the books lack"), "{told}");
}

#[test]
fn a_policy_version_that_orders_keep_cannot_be_changed() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-02");
    let policy = scheme.read("sample-data/policies/tea.toml");
    scheme.write("sample-data/policies/tea.toml", policy.replacen("grace = 3", "grace = 4", 1));
    let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    assert!(
        told.contains("version 2026-01-01 of the policy of TEA was changed after orders were decided on it"),
        "{told}"
    );
}

/// Changes the books directly, without the program.
fn sqlite(scheme: &Scheme, sql: &str) {
    let url = format!("sqlite:{}", scheme.path("sample-run/paylater.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("DROP TRIGGER IF EXISTS journal_is_not_changed").execute(&mut connection).await.unwrap();
        let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
        connection.close().await.unwrap();
    });
}

#[test]
fn sealed_files_that_are_lost_are_put_out_again_whatever_the_configuration_says_now() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-10");
    let before = files_below(&scheme.path("sample-run"), &["reconciliation"]);
    std::fs::remove_dir_all(scheme.path("sample-run/reconciliation/2026-03-06")).unwrap();
    let config = scheme.read("sample-data/paylater.toml");
    let config = config.replace("provider = \"alipay\"", "provider = \"another\"");
    let config = config.replace("[store]", "buckets = [1, 5]\n[store]");
    scheme.write("sample-data/paylater.toml", config);
    scheme.run_failing(&["verify"], 1);
    scheme.run(&["job", "write_reconciliation"]);
    assert_same(&before, &files_below(&scheme.path("sample-run"), &["reconciliation"]));
    scheme.run(&["verify"]);
}
