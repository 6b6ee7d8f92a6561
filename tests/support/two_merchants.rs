//! Two merchants of one scheme. Stories break something of SHOP and check that OTHER's days are those they would have been, and
//! that SHOP catches up after the repair.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::{POLICY, Scheme};

/// The keys of the second merchant.
pub const OTHER: &str = "name = \"Other\"\npolicy = \"policy.toml\"\n";

/// Two merchants with the same customer. The tests break the books of SHOP; OTHER has an order to decide every day.
pub fn two_merchants() -> Scheme {
    let scheme = Scheme::shop(&format!("{POLICY}[version.pay_out]\nafter = 0\n")).with_customer(&[]);
    let scheme = scheme.with_merchant("OTHER", OTHER, &[("orders", "other", "orders-{date}.csv")]);
    std::fs::create_dir(scheme.path("other")).unwrap();
    let agreements = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised\n\
        A1,C1,SHOP,open,2026-02-01,true\nA2,C1,OTHER,open,2026-02-01,true\n";
    scheme.write("inbox/agreements-2026-03-01.csv", agreements);
    let header = "order_id,customer_id,amount,currency,ordered_at\n";
    scheme.write(
        "inbox/orders-2026-03-01.csv",
        format!("{header}O1,C1,10.00,CNY,2026-03-01\nO2,C1,10.00,CNY,2026-03-01\nO3,C1,10.00,CNY,2026-03-01\n"),
    );
    for day in 1..=5 {
        let order = format!("{header}T{day},C1,1.00,CNY,2026-03-0{day}\n");
        scheme.write(&format!("other/orders-2026-03-0{day}.csv"), order);
    }
    let payments = "payment_id,order_id,amount,currency,paid_at\n";
    scheme.write("inbox/payments-2026-03-02.csv", format!("{payments}P1,O1,15.00,CNY,2026-03-02\n"));
    let of_the_3rd = "P2,O1,1.00,CNY,2026-03-03\nP3,O2,4.00,CNY,2026-03-03\nP4,NEVER,3.00,CNY,2026-03-03\n";
    scheme.write("inbox/payments-2026-03-03.csv", format!("{payments}{of_the_3rd}"));
    let bill =
        "transaction_id,order_id,event,amount,currency,occurred_at\nT9,O3,payment,2.00,CNY,2026-03-03 10:00:00\n";
    scheme.write("inbox/bills-2026-03-03.csv", bill);
    scheme
}

/// Returns the scheme on each engine, closed through a day, and beside it the same scheme whose days nothing breaks.
pub async fn on_both_engines(scheme: fn() -> Scheme, through: &str) -> [(Scheme, Scheme); 2] {
    [scheme(), scheme().on_postgres().await].map(|broken| {
        let whole = scheme();
        whole.close("2026-03-05");
        broken.close(through);
        (broken, whole)
    })
}

/// Changes the books directly, without the program, on either engine. Can also change rows that triggers protect.
pub async fn change(scheme: &Scheme, sql: &str) {
    let statement = AssertSqlSafe(sql.to_owned());
    let changed = match scheme.env.iter().find(|(name, _)| name == "PAYLATER_STORE_URL") {
        Some((_, url)) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql("SET session_replication_role = replica").execute(&mut connection).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap().rows_affected()
        }
        None => {
            let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("DROP TRIGGER IF EXISTS input_row_is_not_changed").execute(&mut connection).await.unwrap();
            let done = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap().rows_affected();
            connection.close().await.unwrap();
            done
        }
    };
    assert_eq!(changed, 1, "{sql}");
}

/// Returns the rows of a merchant's reports of some days, without the header, sorted.
pub fn rows_of(scheme: &Scheme, merchant: &str, days: &[&str], kind: &str) -> Vec<String> {
    let read = |day: &&str| scheme.read(&format!("run/reconciliation/{day}/{merchant}_{day}_{kind}.csv"));
    let mut rows: Vec<String> =
        days.iter().flat_map(|day| read(day).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()).collect();
    rows.sort();
    rows
}

/// Makes the store refuse new rows of SHOP in a table, as if they broke a constraint. `when` is a condition on the new row.
pub async fn refuse_rows(scheme: &Scheme, table: &str, when: &str) {
    let condition = format!("NEW.merchant_id = 'SHOP' AND {when}");
    let (sqlite, postgres) = (
        format!(
            "CREATE TRIGGER planted BEFORE INSERT ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'planted'); END"
        ),
        format!(
            "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
             CREATE TRIGGER planted BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION planted()"
        ),
    );
    execute(scheme, sqlite, postgres).await;
}

/// Ends [`refuse_rows`].
pub async fn accept_rows(scheme: &Scheme) {
    execute(scheme, "DROP TRIGGER planted".to_owned(), "DROP FUNCTION planted CASCADE".to_owned()).await;
}

async fn execute(scheme: &Scheme, sqlite: String, postgres: String) {
    match scheme.env.iter().find(|(name, _)| name == "PAYLATER_STORE_URL") {
        Some((_, url)) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(postgres)).execute(&mut connection).await.unwrap();
        }
        None => {
            let url = format!("sqlite:{}", scheme.path("run/paylater.db").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sqlite)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// Checks that a merchant's day is the same as in the scheme in which nothing was broken.
pub fn assert_undisturbed(scheme: &Scheme, whole: &Scheme, merchant: &str, day: &str) {
    for kind in ["summary", "detail", "positions", "settlement", "matching", "exceptions"] {
        let of = |scheme: &Scheme| rows_of(scheme, merchant, &[day], kind);
        assert_eq!(of(scheme), of(whole), "{kind}");
    }
}

/// Checks that the last of some days covers for SHOP all of them: no row is missing or repeated, and nothing is wrong any more.
pub fn assert_caught_up(scheme: &Scheme, whole: &Scheme, days: &[&str]) {
    let last = days[days.len() - 1];
    let of = |scheme: &Scheme, kind: &str| rows_of(scheme, "SHOP", &[last], kind);
    assert_eq!(of(scheme, "exceptions").len(), of(whole, "exceptions").len());
    assert_eq!(of(scheme, "positions"), of(whole, "positions"));
    let amounts = |scheme: &Scheme, days: &[&str]| {
        let cut = |row: String| {
            row.split(',')
                .filter(|cell| !cell.starts_with("SHOP-") && !cell.starts_with("2026"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let mut rows: Vec<String> = rows_of(scheme, "SHOP", days, "detail").into_iter().map(cut).collect();
        rows.sort();
        rows
    };
    assert_eq!(amounts(scheme, &[last]), amounts(whole, days));
    let exceptions = scheme.read(&format!("run/reconciliation/{last}/scheme_{last}_exceptions.csv"));
    assert!(!exceptions.contains("BOOKS_BROKEN"), "{exceptions}");
    scheme.run(&["status"]);
    scheme.run(&["verify"]);
}
