//! A change of sealed or booked data stops the next close, and `verify` reports it in words.

use std::fs;
use std::path::Path;

use crate::support::Scheme;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// Terms with which a few orders lead to late fees, notices and flags.
const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 3 } ]
late_fee = { kind = "daily", rate = "0.0010", grace = 1 }
service_fee = "0.006"
"#;

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at
O1,C1,100.00,CNY,2026-03-01 10:00:00
O2,C1,50.00,CNY,2026-03-01 11:00:00
O3,C1,5000.00,CNY,2026-03-01 12:00:00
O4,C1,nothing,CNY,2026-03-01 12:00:00
";

const PAYMENTS: &str = "payment_id,order_id,amount,currency,paid_at,channel
P1,O1,60.00,CNY,2026-03-02 10:00:00,alipay
P2,O9,7.00,CNY,2026-03-02 11:00:00,alipay
";

const REFUNDS: &str = "refund_id,order_id,amount,currency,refunded_at,reason
R1,O2,10.00,CNY,2026-03-03 10:00:00,returned
";

/// A late order: O9 arrives on the 4th, and the payment that waited for it is booked.
const LATE: &str = "order_id,customer_id,amount,currency,ordered_at
O9,C1,7.00,CNY,2026-03-02 09:00:00
";

/// Small books, closed through the 5th.
fn books() -> Scheme {
    let scheme = shop();
    scheme.close("2026-03-05");
    scheme
}

fn shop() -> Scheme {
    Scheme::shop(POLICY).with_customer(&[
        ("orders-2026-03-01.csv", ORDERS),
        ("payments-2026-03-02.csv", PAYMENTS),
        ("refunds-2026-03-03.csv", REFUNDS),
        ("orders-2026-03-04.csv", LATE),
    ])
}

/// Changes the books directly, without the program, on either engine. Returns the number of rows changed, or the error.
fn try_sql(scheme: &Scheme, sql: &str) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    runtime.block_on(async {
        let done = match scheme.env.iter().find(|(name, _)| name == "PAYLATER_STORE_URL") {
            Some((_, url)) if url.starts_with("postgres") => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(|done| done.rows_affected())
            }
            _ => {
                let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.map(|done| done.rows_affected());
                connection.close().await.unwrap();
                done
            }
        };
        done.map_err(|why| why.to_string())
    })
}

fn sql(scheme: &Scheme, statement: &str) {
    assert!(try_sql(scheme, statement).unwrap() > 0, "{statement}");
}

/// Changes the books as an attacker does: first drops the triggers that protect rows from changes.
fn forged(scheme: &Scheme, table: &str, statement: &str) {
    let drop: String =
        ["changed", "deleted"].map(|what| format!("DROP TRIGGER IF EXISTS {table}_is_not_{what};")).concat();
    try_sql(scheme, &drop).unwrap();
    sql(scheme, statement);
}

#[test]
fn rows_that_are_kept_can_not_be_changed_or_deleted_by_ordinary_means_on_sqlite() {
    refuses_changes(&books());
}

#[tokio::test]
async fn rows_that_are_kept_can_not_be_changed_or_deleted_by_ordinary_means_on_postgres() {
    let scheme = shop().on_postgres().await;
    std::thread::spawn(move || {
        scheme.close("2026-03-05");
        refuses_changes(&scheme);
    })
    .join()
    .unwrap();
}

fn refuses_changes(scheme: &Scheme) {
    for statement in [
        "UPDATE journal SET amount_minor = amount_minor + 1",
        "DELETE FROM journal WHERE entry_no = 1",
        "UPDATE fact SET amount_minor = 1 WHERE fact_id = 'P1'",
        "DELETE FROM fact WHERE fact_id = 'P1'",
        "UPDATE correction SET reason = ''",
        "DELETE FROM correction",
        "UPDATE orders SET amount_minor = 1 WHERE order_id = 'O1'",
        "DELETE FROM orders WHERE order_id = 'O1'",
        "UPDATE credit_step SET status = 'clear'",
        "UPDATE account_balance SET closing_minor = 0",
        "UPDATE merchant_day SET last_entry_no = 0",
        "UPDATE sealed_day SET seal = ''",
        "DELETE FROM sealed_day WHERE business_date = '2026-03-05'",
        "UPDATE sealed_file SET sha256 = ''",
        "UPDATE input_row SET outcome = 'accepted' WHERE outcome = 'rejected'",
        "DELETE FROM input_row WHERE outcome = 'rejected'",
        "DELETE FROM file",
        "UPDATE day_fingerprint SET parts = '[]'",
    ] {
        let refused = try_sql(scheme, statement);
        // In an empty table, no row trigger runs, so nothing is refused.
        if refused != Ok(0) {
            let why = refused.expect_err(statement);
            assert!(why.contains("never changed or deleted"), "{statement}: {why}");
        }
    }
    scheme.close("2026-03-06");
    scheme.run(&["verify"]);
}

#[test]
fn the_next_close_names_the_row_that_was_changed() {
    for (table, statement, named) in [
        (
            "journal",
            "UPDATE journal SET amount_minor = amount_minor + 1 WHERE order_id = 'O1' AND kind = 'order'",
            "SHOP 2026-03-01: journal: sealed with 4 rows, now there are 4; the first that differs is entry SHOP-1 of order O1",
        ),
        ("journal", "DELETE FROM journal WHERE order_id = 'O2' AND kind = 'refund'", "SHOP 2026-03-03: journal: "),
        (
            "journal",
            "INSERT INTO journal SELECT merchant_id, (SELECT MAX(entry_no) + 1 FROM journal), business_date, effective_on,
             kind, order_id, instalment, currency, debit_account, credit_account, amount_minor, cause, file_no, line,
             policy_version, reason FROM journal WHERE kind = 'service_fee' AND order_id = 'O1'",
            "SHOP 2026-03-01: entry SHOP-12 of order O1 was put into the journal after the day was sealed",
        ),
        (
            "fact",
            "UPDATE fact SET effective_on = '2026-03-03' WHERE fact_id = 'P1'",
            "SHOP 2026-03-02: payments and refunds: sealed with 1 row, now there are 1; the first that differs is payment P1 of \
             order O1",
        ),
        (
            "orders",
            "UPDATE orders SET declined = NULL WHERE order_id = 'O3'",
            "SHOP 2026-03-01: declined orders: sealed with 1 row, now there are 1; the first that differs is order O3",
        ),
        (
            "orders",
            "UPDATE orders SET term = 30 WHERE order_id = 'O2'",
            "SHOP 2026-03-01: orders: sealed with 2 rows, now there are 2; the first that differs is order O2",
        ),
        (
            "input_row",
            "UPDATE input_row SET outcome = 'declined' WHERE outcome = 'rejected'",
            "SHOP 2026-03-01: rows of files: sealed with 2 rows, now there are 2; the first that differs is line 5 of file \
             orders-2026-03-01.csv",
        ),
        (
            "input_row",
            "UPDATE input_row SET message = x'ffff' WHERE outcome = 'rejected'",
            "rows of files, line 5 of file orders-2026-03-01.csv: column message has bytes where paylater writes text or a \
             number",
        ),
        (
            "input_row",
            "DELETE FROM input_row WHERE outcome = 'rejected'",
            "SHOP 2026-03-01: rows of files: sealed with 2 rows, now there are 1; rows at the end are gone",
        ),
        ("file", "UPDATE file SET accepted = accepted + 1, read_rows = read_rows + 1 WHERE kind = 'refunds'", "refunds-2026-03-03.csv"),
        ("account_balance", "UPDATE account_balance SET debits_minor = 0 WHERE account = 1 AND business_date = '2026-03-01'", "assets:receivable:principal in CNY"),
        ("sealed_file", "UPDATE sealed_file SET row_count = 99 WHERE name = 'SHOP_2026-03-02_detail.csv'", "2026-03-02: manifest.json on the disk"),
        (
            "instalment",
            "UPDATE instalment SET paid_minor = paid_minor - 100, refunded_minor = refunded_minor + 100 WHERE order_id = 'O9'",
            "SHOP order O9: its recorded position is not what follows from its facts",
        ),
        (
            "day_fingerprint",
            "DELETE FROM day_fingerprint WHERE business_date = '2026-03-04'",
            "2026-03-04: the fingerprints that it was sealed with are gone",
        ),
        (
            "day_fingerprint",
            "DELETE FROM day_fingerprint WHERE merchant_id = '' AND business_date = '2026-03-04'",
            "2026-03-04: the fingerprints that it was sealed with are gone",
        ),
        (
            "merchant_day",
            "UPDATE merchant_day SET last_entry_no = 9000000000000000000 WHERE business_date = '2026-03-05'",
            "SHOP 2026-03-05: end of the journal: sealed with 1 row, now there are 1",
        ),
        ("exposure", "UPDATE exposure SET owed_minor = 1", "SHOP customer C1: what they owe in all"),
    ] {
        let scheme = books();
        forged(&scheme, table, statement);
        let told = scheme.run_failing(&["close", "--through", "2026-03-06"], 1);
        assert!(told.contains("2026-03-06 was not sealed"), "{statement}: {told}");
        assert!(told.contains(named), "{statement}: {told}");
        assert!(told.contains("put back what was changed"), "{told}");
        assert!(!scheme.path("run/reconciliation/2026-03-06").exists());
        let verified = scheme.run_failing(&["verify"], 1);
        assert!(verified.contains(named.rsplit("; ").next().unwrap()), "{statement}: {verified}");
    }
}

#[test]
fn sealed_files_that_were_touched_stop_the_next_close() {
    let folder = "run/reconciliation/2026-03-02";
    type Touch = fn(&Path);
    let cases: [(&str, Touch); 5] = [
        ("2026-03-02: SHOP_2026-03-02_summary.csv on the disk is not what was sealed", |folder| {
            fs::write(folder.join("SHOP_2026-03-02_summary.csv"), "nothing").unwrap();
        }),
        ("2026-03-02: SHOP_2026-03-02_positions.csv on the disk: ", |folder| {
            fs::remove_file(folder.join("SHOP_2026-03-02_positions.csv")).unwrap();
        }),
        ("2026-03-02: manifest.json on the disk is not what was sealed", |folder| {
            let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
            fs::write(folder.join("manifest.json"), manifest.replacen("\"rows\": ", "\"rows\": 1", 1)).unwrap();
        }),
        ("2026-03-02: extra.csv is in the day's folder, but was not sealed with it", |folder| {
            fs::write(folder.join("extra.csv"), "more").unwrap();
        }),
        ("reconciliation/2026-02-28 is there, but the store has no sealed day 2026-02-28", |folder| {
            fs::create_dir(folder.with_file_name("2026-02-28")).unwrap();
        }),
    ];
    for (named, touch) in cases {
        let scheme = books();
        touch(&scheme.path(folder));
        let verified = scheme.run_failing(&["verify"], 1);
        assert!(verified.contains(named), "{verified}");
        let told = scheme.run_failing(&["close", "--through", "2026-03-06"], 1);
        assert!(told.contains(named), "{told}");
        // The instruction in the message solves the problem.
        let lost = scheme.path("run/reconciliation/2026-02-28");
        fs::remove_dir_all(if lost.exists() { lost } else { scheme.path(folder) }).unwrap();
        scheme.run(&["job", "write_reconciliation"]);
        scheme.close("2026-03-06");
        scheme.run(&["verify"]);
    }
}

#[test]
fn days_that_were_deleted_from_the_store_or_moved_are_told_in_words() {
    let scheme = books();
    forged(&scheme, "sealed_day", "DELETE FROM sealed_day WHERE business_date = '2026-03-03'");
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("sealed day no. 3 should be 2026-03-03, but the store has no. 4 for 2026-03-04"), "{told}");
    assert!(told.contains("reconciliation/2026-03-03 is there, but the store has no sealed day 2026-03-03"), "{told}");
    scheme.run_failing(&["close", "--through", "2026-03-06"], 1);

    for day in ["2026-03-04", "2026-03-09"] {
        let scheme = books();
        sql(&scheme, &format!("UPDATE scheme SET business_date = '{day}'"));
        let told = scheme.run_failing(&["close", "--through", "2026-03-12"], 1);
        assert!(
            told.contains(&format!("{day} is the open business date, but 2026-03-05 is the last sealed day")),
            "{told}"
        );
        let told = scheme.run_failing(&["verify"], 1);
        assert!(
            told.contains(&format!("the open business date is {day}, but after the last sealed day it is 2026-03-06")),
            "{told}"
        );
    }
}

#[test]
fn days_sealed_before_there_were_fingerprints_get_them_at_the_next_close() {
    let scheme = books();
    forged(&scheme, "day_fingerprint", "DELETE FROM day_fingerprint WHERE business_date < '2026-03-05'");
    sql(&scheme, "DELETE FROM day_proof WHERE business_date < '2026-03-05'");
    let told = scheme.run(&["verify"]);
    assert!(told.contains("4 days were sealed before paylater kept fingerprints; a later close adds them."), "{told}");
    assert!(scheme.run(&["status"]).contains("1 sealed day, by the close of 2026-03-05 or later; 4 not yet"));
    scheme.close("2026-03-06");
    let status = scheme.run(&["status"]);
    assert!(status.contains("every sealed day, by the close of 2026-03-06 or later; every order since 2026-03-06; 4 days were sealed before"), "{status}");
    assert_eq!(scheme.run(&["verify"]).lines().count(), 2);
    forged(&scheme, "fact", "UPDATE fact SET note = 'card' WHERE fact_id = 'P1'");
    let told = scheme.run_failing(&["close", "--through", "2026-03-07"], 1);
    assert!(told.contains("the first that differs is payment P1 of order O1"), "{told}");
}

/// The fingerprints that the shop's 3rd of March was sealed with before they named their form.
const FIRST_FORM: &str = r#"[{"part":"journal","rows":2,
"sha256":"2fa991c17947f4dc8146b0101a2bd38627f84ef446a090ea6f51f3a29a558167",
"every":1,"marks":"492df81c2fa991c1"},
{"part":"payments and refunds","rows":1,
"sha256":"88edce4da187cac2fc6f3aceba76be561bfb24d171993d6a69cb5fc7d50f33e1",
"every":1,"marks":"88edce4d"},
{"part":"balances","rows":10,
"sha256":"281ca2f845cb38eb0e8b857757acb27e1fea961102f91065dfd04e3450a37375",
"every":1,"marks":"d519e6cf2074ed715e06a91cab2b171bb8c2906181c1790159cadc0a0cd828a016393436281ca2f8"},
{"part":"end of the journal","rows":1,
"sha256":"aa67a169b0bba217aa0aa88a65346920c84c42447c36ba5f7ea65f422c1fe5d8",
"every":1,"marks":"aa67a169"},
{"part":"files","rows":1,
"sha256":"d27ac05b9fc78917ee959d7cb250afaca8cafb883f3b34ca86ea15f37a585e31",
"every":1,"marks":"d27ac05b"}]"#;

#[test]
fn days_with_fingerprints_of_the_first_form_are_still_proved() {
    let scheme = books();
    let seal = "UPDATE day_fingerprint SET parts = ";
    let of_day = "WHERE merchant_id = 'SHOP' AND business_date = '2026-03-03'";
    forged(&scheme, "day_fingerprint", &format!("{seal} '{FIRST_FORM}' {of_day}"));
    scheme.close("2026-03-06");
    scheme.run(&["verify"]);
    forged(&scheme, "fact", "UPDATE fact SET note = 'worn' WHERE fact_id = 'R1'");
    let told = scheme.run_failing(&["close", "--through", "2026-03-07"], 1);
    let named = "SHOP 2026-03-03: payments and refunds: sealed with 1 row, now there are 1; the first that differs is refund R1";
    assert!(told.contains(named), "{told}");
}

#[test]
fn with_no_time_for_it_only_the_last_day_is_proved() {
    let scheme = books();
    let config = scheme.read("paylater.toml");
    scheme.write("paylater.toml", config.replace("[store]", "[close]\nprove_seconds = 0\n[store]"));
    forged(&scheme, "fact", "UPDATE fact SET note = 'card' WHERE fact_id = 'P1'");
    scheme.close("2026-03-06");
    forged(
        &scheme,
        "account_balance",
        "UPDATE account_balance SET opening_minor = 1 WHERE account = 1 AND business_date = '2026-03-06'",
    );
    let told = scheme.run_failing(&["close", "--through", "2026-03-07"], 1);
    assert!(told.contains("SHOP 2026-03-06: balances: sealed with 10 rows, now there are 10"), "{told}");
}

/// Citus does not allow triggers. A setting turns them off.
#[tokio::test]
async fn triggers_can_be_left_off_on_postgres() {
    let scheme = shop().on_postgres().await;
    let url = scheme.env[0].1.clone();
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let off = AssertSqlSafe(format!("ALTER DATABASE {name} SET paylater.triggers = 'off'"));
    sqlx::raw_sql(off).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    std::thread::scope(|scope| scope.spawn(|| scheme.close("2026-03-05")).join().unwrap());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let triggers: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_trigger WHERE NOT tgisinternal")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(triggers, 0);
    sqlx::raw_sql("UPDATE fact SET amount_minor = 1 WHERE fact_id = 'P1'").execute(&mut connection).await.unwrap();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| scheme.run_failing(&["close", "--through", "2026-03-06"], 1)).join().unwrap()
    });
    assert!(told.contains("payment P1 of order O1"), "{told}");
}

#[test]
fn verify_is_right_between_a_seal_and_its_publication() {
    let scheme = books();
    let day = scheme.path("run/reconciliation/2026-03-05");
    fs::rename(&day, scheme.path("run/reconciliation/.2026-03-05.part")).unwrap();
    sql(&scheme, "UPDATE sealed_day SET published = FALSE WHERE business_date = '2026-03-05'");
    scheme.run(&["verify"]);
    scheme.run(&["job", "write_reconciliation"]);
    assert!(day.exists());
    // A published day must not be removed.
    fs::remove_dir_all(&day).unwrap();
    let told = scheme.run_failing(&["verify"], 1);
    assert!(told.contains("2026-03-05 is gone; `paylater job write_reconciliation` makes it again"), "{told}");
    scheme.close("2026-03-06");
    scheme.run(&["verify"]);
}

/// The same books have the same fingerprints on both engines.
#[tokio::test]
async fn fingerprints_are_the_same_on_both_engines() {
    let (sqlite, postgres) = (Scheme::sample(), Scheme::sample().on_postgres().await);
    let url = postgres.env[0].1.clone();
    std::thread::scope(|scope| {
        for scheme in [&sqlite, &postgres] {
            scope.spawn(|| scheme.close("2026-03-16"));
        }
    });
    let query = "SELECT merchant_id || ' ' || CAST(business_date AS TEXT) || ' ' || parts FROM day_fingerprint
                 ORDER BY business_date, merchant_id";
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let theirs: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
    let ours = format!("sqlite:{}", sqlite.path("sample-run/paylater.db").display());
    let mut connection = SqliteConnection::connect(&ours).await.unwrap();
    let ours: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
    assert!(ours.len() > 16, "{ours:?}");
    assert_eq!(ours, theirs);
    // Sealed data on PostgreSQL is proved too.
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let forged = "ALTER TABLE fact DISABLE TRIGGER ALL;
                  UPDATE fact SET amount_minor = amount_minor + 1 WHERE fact_id = 'PT-STAR-1'";
    sqlx::raw_sql(forged).execute(&mut connection).await.unwrap();
    let told = std::thread::scope(|scope| {
        let close = scope.spawn(|| postgres.run_failing(&["close", "--through", "2026-03-17"], 1));
        close.join().unwrap()
    });
    assert!(told.contains("the first that differs is payment PT-STAR-1 of order T-STAR"), "{told}");
}
