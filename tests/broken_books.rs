//! Each merchant is proved separately. A merchant whose books do not add up is left out of the day's seal and does not
//! stop the others. The next seal that includes the merchant also covers the missing days.

use crate::support::two_merchants::{OTHER, assert_caught_up, assert_undisturbed, change, two_merchants};
use crate::support::{POLICY, Scheme, assert_same, files_below};

/// Changes the books in SQLite directly, without the program.
fn sqlite(scheme: &Scheme, store: &str, sql: &str) {
    let url = format!("sqlite:{}", scheme.path(store).display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        // Triggers protect these rows from changes, so remove the triggers first.
        let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
        for trigger in sqlx::query_scalar::<_, String>(triggers).fetch_all(&mut connection).await.unwrap() {
            let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
            sqlx::query(drop).execute(&mut connection).await.unwrap();
        }
        let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
        connection.close().await.unwrap();
    });
}

/// Returns an open order without a next action after the 10th.
fn quiet_order(scheme: &Scheme) -> String {
    let url = format!("sqlite:{}", scheme.path("sample-run/paylater.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "SELECT order_id FROM instalment WHERE merchant_id = 'TEA' AND outstanding_minor > 0
                   AND decided_on <= '2026-03-10' ORDER BY order_id LIMIT 1";
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    })
}

/// Increases the debt of an order.
fn tamper(scheme: &Scheme, order: &str, by: i64) {
    let sql = format!(
        "UPDATE instalment SET outstanding_minor = outstanding_minor + {by}, principal_minor = principal_minor + {by}
         WHERE merchant_id = 'TEA' AND order_id = '{order}'"
    );
    sqlite(scheme, "sample-run/paylater.db", &sql);
}

fn report(scheme: &Scheme, day: &str, kind: &str) -> String {
    scheme.read(&format!("sample-run/reconciliation/2026-03-{day}/TEA_2026-03-{day}_{kind}.csv"))
}

/// Returns the rows of some days' reports, without the header, sorted.
fn rows(scheme: &Scheme, days: &[&str], kind: &str) -> Vec<String> {
    let reports: Vec<String> = days.iter().map(|day| report(scheme, day, kind)).collect();
    let mut rows: Vec<String> = reports.iter().flat_map(|report| report.lines().skip(1).map(str::to_owned)).collect();
    rows.sort();
    rows
}

#[test]
fn a_merchant_whose_books_do_not_add_up_is_left_out_and_stops_nobody() {
    let whole = Scheme::sample();
    whole.close("2026-03-14");
    let order = quiet_order(&whole);
    let scheme = Scheme::sample();
    scheme.close("2026-03-10");
    tamper(&scheme, &order, 1);

    let told = scheme.run_failing(&["close", "--through", "2026-03-12"], 1);
    assert!(told.contains("2026-03-12 was sealed without TEA, whose books do not add up"), "{told}");
    assert!(told.contains("TEA assets:receivable:principal: open positions"), "{told}");
    for day in ["11", "12"] {
        let folder = format!("sample-run/reconciliation/2026-03-{day}");
        let manifest = scheme.read(&format!("{folder}/manifest.json"));
        assert!(manifest.contains("\"missing\"") && manifest.contains("\"merchant_id\": \"TEA\""), "{manifest}");
        assert!(!manifest.contains("TEA_2026"), "{manifest}");
        assert!(!scheme.path(&format!("{folder}/TEA_2026-03-{day}_summary.csv")).exists());
        // The reports of the other merchants are the same as without the broken books.
        for (name, bytes) in files_below(&whole.path(&folder), &["."]) {
            let others = !name.contains("TEA_") && !name.contains("scheme_") && !name.contains("credit-impact");
            if others && !name.ends_with("manifest.json") {
                assert_eq!(std::fs::read(scheme.path(&folder).join(&name)).unwrap(), bytes, "{name}");
            }
        }
    }
    let exceptions = scheme.read("sample-run/reconciliation/2026-03-12/scheme_2026-03-12_exceptions.csv");
    assert!(exceptions.contains("BOOKS_BROKEN") && exceptions.contains(",2026-03-11,1,"), "{exceptions}");
    let status = scheme.run_failing(&["status"], 1);
    assert!(status.contains("open business date  2026-03-13") && status.contains("BOOKS_BROKEN"), "{status}");
    let would = scheme.run(&["job", "close_day", "--dry-run"]);
    assert!(would.contains("would not be sealed") || would.contains("would be sealed without TEA"), "{would}");

    // After the repair, the next seal covers both days: it opens with the closing balances of the merchant's last seal
    // and has all rows since then.
    tamper(&scheme, &order, -1);
    scheme.close("2026-03-13");
    assert_eq!(rows(&scheme, &["13"], "detail"), rows(&whole, &["11", "12", "13"], "detail"));
    assert_eq!(rows(&scheme, &["13"], "positions"), rows(&whole, &["13"], "positions"));
    let cells = |text: &str, at: usize| {
        let rows = text.lines().skip(1).map(|row| row.split(',').nth(at).unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    let summary = report(&scheme, "13", "summary");
    assert_eq!(cells(&summary, 4), cells(&report(&whole, "11", "summary"), 4), "openings");
    assert_eq!(cells(&summary, 7), cells(&report(&whole, "13", "summary"), 7), "closings");
    let matched = |scheme: &Scheme, days: &[&str]| {
        let rows = rows(scheme, days, "matching");
        rows.into_iter().filter(|row| row.contains(",matched,")).count()
    };
    assert_eq!(matched(&scheme, &["13"]), matched(&whole, &["11", "12", "13"]));
    let exceptions = scheme.read("sample-run/reconciliation/2026-03-13/scheme_2026-03-13_exceptions.csv");
    assert!(!exceptions.contains("BOOKS_BROKEN"), "{exceptions}");
    let impact = |scheme: &Scheme, days: &[&str]| {
        let read = |day: &&str| {
            scheme.read(&format!("sample-run/reconciliation/2026-03-{day}/credit-impact_2026-03-{day}.csv"))
        };
        let all: Vec<String> = days.iter().map(read).collect();
        let mut rows: Vec<String> = all.iter().flat_map(|text| text.lines().skip(1).map(str::to_owned)).collect();
        rows.sort();
        rows
    };
    let days = ["11", "12", "13"];
    assert_eq!(impact(&scheme, &days), impact(&whole, &days));

    // The day after is normal again, `verify` passes, and the reports can be written again.
    scheme.close("2026-03-14");
    for kind in ["summary", "detail", "positions", "matching"] {
        assert_eq!(report(&scheme, "14", kind), report(&whole, "14", kind), "{kind}");
    }
    scheme.run(&["verify"]);
    let before = files_below(&scheme.path("sample-run"), &["reconciliation"]);
    std::fs::remove_dir_all(scheme.path("sample-run/reconciliation")).unwrap();
    scheme.run(&["job", "write_reconciliation"]);
    assert_same(&before, &files_below(&scheme.path("sample-run"), &["reconciliation"]));
}

#[test]
fn the_seal_tells_who_is_missing() {
    let scheme = Scheme::sample();
    scheme.close("2026-03-10");
    tamper(&scheme, "T-NO-DELIVERY", 1);
    scheme.run_failing(&["close", "--through", "2026-03-11"], 1);
    tamper(&scheme, "T-NO-DELIVERY", -1);
    scheme.run(&["verify"]);
    sqlite(&scheme, "sample-run/paylater.db", "DELETE FROM missing_merchant");
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("2026-03-11: the seal does not follow from its files and the seal before"), "{told}");
}

#[test]
fn where_nobodys_books_add_up_nothing_is_sealed() {
    let scheme = Scheme::shop(POLICY).with_customer(&[]);
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at\nO1,C1,10.00,CNY,2026-03-01\n",
    );
    scheme.close("2026-03-01");
    sqlite(&scheme, "run/paylater.db", "UPDATE instalment SET outstanding_minor = 1, principal_minor = 1");
    let told = scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
    assert!(told.contains("the books of 2026-03-02 do not add up; 2026-03-02 was not sealed"), "{told}");
    assert!(!scheme.path("run/reconciliation/2026-03-02").exists());
    let status = scheme.run_failing(&["status"], 1);
    assert!(status.contains("open business date  2026-03-02"), "{status}");
}

#[test]
fn what_a_left_out_merchants_bank_was_to_be_asked_for_is_asked_for_once_it_is_sealed() {
    let policy = format!("{POLICY}[version.pay_out]\nafter = 0\n");
    let scheme = Scheme::shop(&policy).with_customer(&[]).with_merchant("OTHER", OTHER, &[]);
    let orders =
        "order_id,customer_id,amount,currency,ordered_at\nO1,C1,10.00,CNY,2026-03-01\nO2,C1,10.00,CNY,2026-03-01\n";
    scheme.write("inbox/orders-2026-03-01.csv", orders);
    scheme.write(
        "inbox/payments-2026-03-02.csv",
        "payment_id,order_id,amount,currency,paid_at\nP1,O1,15.00,CNY,2026-03-02\n",
    );
    scheme.close("2026-03-01");
    let tamper = |by: i64| {
        let sql = format!(
            "UPDATE instalment SET outstanding_minor = outstanding_minor + {by}, principal_minor = principal_minor + {by}
             WHERE order_id = 'O2'"
        );
        sqlite(&scheme, "run/paylater.db", &sql);
    };
    tamper(1);
    scheme.run_failing(&["close", "--through", "2026-03-02"], 1);
    tamper(-1);
    scheme.close("2026-03-04");
    let asked = |day: &str| {
        let report = scheme.read(&format!("run/reconciliation/{day}/SHOP_{day}_credit-payouts.csv"));
        report.lines().skip(1).filter(|row| row.contains(",O1,5.00,")).count()
    };
    assert_eq!([asked("2026-03-03"), asked("2026-03-04")], [1, 0]);
    scheme.run(&["verify"]);
}

/// Checks that an impossible row stops one job of the close for one merchant, on the 3rd.
async fn a_row_that_can_not_be(scheme: Scheme, plant: &str, repair: &str, reason: &str, (job, did): (&str, &str)) {
    let whole = two_merchants();
    whole.close("2026-03-05");
    scheme.close("2026-03-02");
    scheme.run(&["job", "ingest_files"]);
    change(&scheme, plant).await;
    let told = scheme.run_failing(&["close", "--through", "2026-03-03"], 1);
    assert!(told.contains("2026-03-03 was sealed without SHOP, whose books could not be worked out"), "{told}");
    assert!(told.contains(reason), "{reason}: {told}");
    // The failure is visible in the manifest, the exceptions, the status and the run of the job.
    let manifest = scheme.read("run/reconciliation/2026-03-03/manifest.json");
    assert!(manifest.contains("\"merchant_id\": \"SHOP\"") && !manifest.contains("SHOP_2026"), "{manifest}");
    assert!(!scheme.path("run/reconciliation/2026-03-03/SHOP_2026-03-03_summary.csv").exists());
    let exceptions = scheme.read("run/reconciliation/2026-03-03/scheme_2026-03-03_exceptions.csv");
    assert!(exceptions.contains("BOOKS_BROKEN") && exceptions.contains(reason), "{exceptions}");
    let status = scheme.run_failing(&["status"], 1);
    assert!(status.contains("BOOKS_BROKEN") && status.contains("open business date  2026-03-04"), "{status}");
    let failed = status.lines().find(|line| line.starts_with(&format!("│ {job} ")) && line.contains(did));
    assert!(failed.is_some(), "{job}: {status}");
    assert_undisturbed(&scheme, &whole, "OTHER", "2026-03-03");
    // Every close fails until the repair. Then the next seal covers the missing days, and no row is missing or
    // repeated.
    scheme.run_failing(&["close", "--through", "2026-03-04"], 1);
    change(&scheme, repair).await;
    scheme.close("2026-03-05");
    assert_caught_up(&scheme, &whole, &["2026-03-03", "2026-03-04", "2026-03-05"]);
}

#[tokio::test]
async fn an_order_that_can_not_be_decided_leaves_its_merchant_out_and_stops_nobody() {
    let sqlite = "order O2 of SHOP: reading rows of the store: the store has an unknown credit status";
    let postgres = "order O2 of SHOP: column credit_status: the store has an unknown credit status";
    for (scheme, reason) in [(two_merchants(), sqlite), (two_merchants().on_postgres().await, postgres)] {
        a_row_that_can_not_be(
            scheme,
            "UPDATE instalment SET credit_status = 'impossible' WHERE merchant_id = 'SHOP' AND order_id = 'O2'",
            "UPDATE instalment SET credit_status = 'clear' WHERE merchant_id = 'SHOP' AND order_id = 'O2'",
            reason,
            ("assess_positions", " SHOP: "),
        )
        .await;
    }
}

#[tokio::test]
async fn money_in_no_currency_leaves_its_merchant_out_and_stops_nobody() {
    for scheme in [two_merchants(), two_merchants().on_postgres().await] {
        a_row_that_can_not_be(
            scheme,
            "UPDATE input_row SET currency = 'ZZZ' WHERE merchant_id = 'SHOP' AND row_key = 'P4'",
            "UPDATE input_row SET currency = 'CNY' WHERE merchant_id = 'SHOP' AND row_key = 'P4'",
            "row P4 of order NEVER",
            ("assess_positions", " SHOP: "),
        )
        .await;
    }
}

#[tokio::test]
async fn an_answer_that_no_bank_gives_leaves_its_merchant_out_and_stops_nobody() {
    for scheme in [two_merchants(), two_merchants().on_postgres().await] {
        a_row_that_can_not_be(
            scheme,
            "UPDATE instruction SET answer = 'impossible', settled_on = '2026-03-02' WHERE order_id = 'O1'",
            "UPDATE instruction SET answer = NULL, settled_on = NULL WHERE order_id = 'O1'",
            "order O1 of SHOP: column answer: the store has an unknown answer",
            ("pay_out_credit", " SHOP: "),
        )
        .await;
    }
}

#[tokio::test]
async fn a_bill_that_can_not_be_reported_leaves_its_merchant_out_and_stops_nobody() {
    for scheme in [two_merchants(), two_merchants().on_postgres().await] {
        a_row_that_can_not_be(
            scheme,
            "UPDATE provider_line SET currency = 'ZZZ' WHERE merchant_id = 'SHOP' AND transaction_id = 'T9'",
            "UPDATE provider_line SET currency = 'CNY' WHERE merchant_id = 'SHOP' AND transaction_id = 'T9'",
            "unknown currency ZZZ",
            ("close_day", " close_day for "),
        )
        .await;
    }
}
