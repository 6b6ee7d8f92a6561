//! Plants random faults in small books, with full access to the disk and the store. Each fault stops the next close or
//! is harmless: then the close and `verify` succeed, and every report equals that of undisturbed books.
//!
//! Each run tries 40 faults from a fixed seed. To try more or other faults:
//!
//!     PAYLATER_FAULTS=200 PAYLATER_FAULTS_SEED=7 cargo nextest run planted_faults

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Scheme, assert_same, copy, files_below};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "1000.00", term = 2 } ]
late_fee = { kind = "daily", rate = "0.0050", grace = 1 }
service_fee = "0.006"
"#;

const FILES: [(&str, &str); 9] = [
    (
        "orders-2026-03-01.csv",
        "order_id,customer_id,amount,currency,ordered_at
O1,C1,100.00,CNY,2026-03-01 10:00:00
O2,C1,50.00,CNY,2026-03-01 11:00:00
O3,C1,5000.00,CNY,2026-03-01 12:00:00
O4,C1,nothing,CNY,2026-03-01 12:00:00
O5,C1,30.00,CNY,2026-03-01 13:00:00
",
    ),
    (
        "orders-2026-03-04.csv",
        "order_id,customer_id,amount,currency,ordered_at
O9,C1,7.00,CNY,2026-03-02 09:00:00
O6,C1,20.00,CNY,2026-03-04 09:00:00
",
    ),
    (
        "payments-2026-03-02.csv",
        "payment_id,order_id,amount,currency,paid_at,channel
P1,O1,60.00,CNY,2026-03-02 10:00:00,alipay
P2,O9,7.00,CNY,2026-03-02 11:00:00,alipay
P3,O7,8.00,CNY,2026-03-02 12:00:00,alipay
",
    ),
    (
        "payments-2026-03-05.csv",
        "payment_id,order_id,amount,currency,paid_at,channel
P1,O1,61.00,CNY,2026-03-02 10:00:00,alipay
P4,O2,45.00,CNY,2026-03-05 10:00:00,alipay
",
    ),
    (
        "refunds-2026-03-03.csv",
        "refund_id,order_id,amount,currency,refunded_at,reason
R1,O2,10.00,CNY,2026-03-03 10:00:00,returned
",
    ),
    ("holds-2026-03-03.csv", "hold_id,order_id,reason,starts_on,ends_on\nH1,O5,dispute,2026-03-03,2026-03-04\n"),
    (
        "waivers-2026-03-06.csv",
        "waiver_id,order_id,amount,currency,waived_on,approved_by\nW1,O1,0.10,CNY,2026-03-06,wang\n",
    ),
    (
        "bills-2026-03-05.csv",
        "transaction_id,order_id,event,amount,currency,occurred_at
B1,O5,payment,3.00,CNY,2026-03-05 10:00:00
",
    ),
    (
        "chargebacks-2026-03-06.csv",
        "chargeback_id,order_id,payment_id,amount,currency,charged_back_at
CB1,O2,P4,5.00,CNY,2026-03-06 10:00:00
",
    ),
];

const LAST: &str = "2026-03-06";
const NEXT: &str = "2026-03-07";

/// The tables in which faults are planted. Other faults are planted in files.
const TABLES: [&str; 15] = [
    "day_fingerprint",
    "journal",
    "journal",
    "fact",
    "fact",
    "orders",
    "instalment",
    "instalment",
    "account_balance",
    "merchant_day",
    "credit_step",
    "input_row",
    "file",
    "exposure",
    "sealed_file",
];

/// xorshift: the same seed gives the same faults on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(n).unwrap()).unwrap()
    }
}

#[test]
fn each_fault_stops_the_next_close_or_is_harmless() {
    let books = Scheme::shop(POLICY).with_customer(&FILES);
    books.close(LAST);
    let control = copied(&books);
    control.close(NEXT);
    control.run(&["verify"]);
    let undisturbed = files_below(&control.path("run"), &["reconciliation"]);

    let faults = setting("PAYLATER_FAULTS", 40);
    let mut chance = Chance(u64::try_from(setting("PAYLATER_FAULTS_SEED", 1)).unwrap() ^ 0x9e37_79b9_7f4a_7c15);
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for _ in 0..faults {
        let scheme = copied(&books);
        let fault = plant(&scheme, &mut chance);
        let close = scheme.command(&["close", "--through", NEXT]).output().unwrap();
        let said = String::from_utf8_lossy(&close.stderr).into_owned();
        let is_sealed = scheme.path(&format!("run/reconciliation/{NEXT}")).exists();
        if close.status.code() == Some(1) && !is_sealed && said.contains("error: ") && !said.contains("panicked") {
            *told.entry("stopped").or_default() += 1;
            continue;
        }
        let verified = scheme.command(&["verify"]).output().unwrap();
        let same = files_below(&scheme.path("run"), &["reconciliation"]) == undisturbed;
        if close.status.success() && verified.status.success() && same {
            *told.entry("harmless").or_default() += 1;
            println!("harmless: {fault}");
        } else {
            let verified = String::from_utf8_lossy(&verified.stdout).into_owned();
            wrong.push(format!("{fault}: sealed {is_sealed}, the same reports {same}\n{verified}{said}"));
        }
    }
    println!("{told:?}");
    assert!(wrong.is_empty(), "{} of {faults} were passed over:\n{}", wrong.len(), wrong.join("\n"));
    assert!(told["stopped"] * 10 >= faults * 8, "{told:?}");

    // Check the undisturbed books again at the end: they have no fault themselves.
    books.close(NEXT);
    assert_same(&undisturbed, &files_below(&books.path("run"), &["reconciliation"]));
}

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn copied(books: &Scheme) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    copy(&books.path("run"), &scheme.path("run"));
    scheme
}

/// Plants a fault. Returns a description of it.
fn plant(scheme: &Scheme, chance: &mut Chance) -> String {
    // A fifth of the faults are in files, the rest in the store.
    if chance.below(5) == 0 {
        return in_a_file(scheme, chance);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
        let mut store = SqliteConnection::connect(&url).await.unwrap();
        let triggers = "SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'";
        let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&mut store).await.unwrap();
        for drop in triggers {
            sqlx::query(AssertSqlSafe(drop)).execute(&mut store).await.unwrap();
        }
        loop {
            let Some(statement) = in_a_row(&mut store, chance).await else { continue };
            // If a constraint refuses a statement, try another one.
            let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut store).await;
            if done.is_ok_and(|done| done.rows_affected() == 1) {
                store.close().await.unwrap();
                return statement;
            }
        }
    })
}

/// Returns a statement that changes, deletes or duplicates one row.
async fn in_a_row(store: &mut SqliteConnection, chance: &mut Chance) -> Option<String> {
    let table = TABLES[chance.below(TABLES.len())];
    let columns = format!("SELECT name, type, pk FROM pragma_table_info('{table}')");
    let columns: Vec<(String, String, i64)> =
        sqlx::query_as(AssertSqlSafe(columns)).fetch_all(&mut *store).await.unwrap();
    let key: Vec<&str> = columns.iter().filter(|column| column.2 > 0).map(|column| column.0.as_str()).collect();
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
        .fetch_one(&mut *store)
        .await
        .unwrap();
    let rows = usize::try_from(rows).unwrap();
    if rows == 0 {
        return None;
    }
    let literals: Vec<String> = key.iter().map(|column| format!("'{column} = ' || quote({column})")).collect();
    let literals = literals.join(" || ' AND ' || ");
    let which =
        format!("SELECT {literals} FROM {table} ORDER BY {} LIMIT 1 OFFSET {}", key.join(", "), chance.below(rows));
    let which: String = sqlx::query_scalar(AssertSqlSafe(which)).fetch_one(&mut *store).await.unwrap();
    Some(match chance.below(6) {
        0 => format!("DELETE FROM {table} WHERE {which}"),
        1 => {
            // Insert the same row again with the next key.
            let last = key.last().copied().unwrap();
            let again: Vec<String> = columns
                .iter()
                .map(|(name, kind, _)| if name == last { next(name, kind, table) } else { name.clone() })
                .collect();
            format!("INSERT INTO {table} SELECT {} FROM {table} WHERE {which}", again.join(", "))
        }
        _ => {
            let (name, kind, _) = &columns[chance.below(columns.len())];
            format!("UPDATE {table} SET {name} = {} WHERE {which}", other(name, kind))
        }
    })
}

/// Returns another value for a column, as SQL.
fn other(name: &str, kind: &str) -> String {
    match kind {
        "BOOLEAN" => format!("NOT {name}"),
        "TEXT" if name.ends_with("_on") || name == "business_date" || name == "since" => {
            format!("COALESCE(date({name}, '+1 day'), '2026-03-05')")
        }
        "TEXT" => format!("COALESCE({name}, '') || 'x'"),
        _ => format!("COALESCE({name}, 0) + 1"),
    }
}

fn next(name: &str, kind: &str, table: &str) -> String {
    if kind == "TEXT" { other(name, kind) } else { format!("(SELECT MAX({name}) + 1 FROM {table})") }
}

/// Changes a file of a sealed day.
fn in_a_file(scheme: &Scheme, chance: &mut Chance) -> String {
    let mut files: Vec<PathBuf> = Vec::new();
    for day in fs::read_dir(scheme.path("run/reconciliation")).unwrap() {
        files.extend(fs::read_dir(day.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let path: &Path = &files[chance.below(files.len())];
    let mut bytes = fs::read(path).unwrap();
    let what = match chance.below(4) {
        0 => {
            fs::remove_file(path).unwrap();
            return format!("{} deleted", path.display());
        }
        1 => {
            bytes.truncate(bytes.len() - 1);
            "cut"
        }
        2 => {
            bytes.push(b'\n');
            "longer"
        }
        _ => {
            let at = chance.below(bytes.len());
            bytes[at] ^= 1;
            "changed"
        }
    };
    fs::write(path, bytes).unwrap();
    format!("{} {what}", path.display())
}
