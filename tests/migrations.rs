//! Migrations that move rows: the rows are there afterwards, on both engines.

use std::fs;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::postgres;

/// Returns the SQL of an engine's migrations: those before the one with this number, and that one.
fn migrations(engine: &str, number: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let before = files.iter().filter(|path| name(path).as_str() < number).map(|path| text(path)).collect();
    let this = files.iter().find(|path| name(path).starts_with(number)).unwrap();
    (before, text(this))
}

const KEPT: &str = "INSERT INTO policy_version (merchant_id, effective_from, fingerprint, first_used_on) VALUES
    ('TEA', '2026-01-01', 'terms', '2026-03-01'),
    ('reference_rates.lpr_1y', '2025-05-20', 'rate', '2026-03-02'),
    ('reference_rates.', '2025-05-21', 'nameless', '2026-03-03')";
const RATES: &str = "SELECT name, CAST(effective_from AS TEXT), fingerprint, CAST(first_used_on AS TEXT) FROM reference_rate ORDER BY name";
const POLICIES: &str = "SELECT merchant_id FROM policy_version";

macro_rules! rates_move {
    ($engine:literal, $connection:expr) => {{
        let mut connection = $connection;
        let (before, this) = migrations($engine, "0029");
        for sql in [before, KEPT.to_owned(), this] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        let rates: Vec<(String, String, String, String)> =
            sqlx::query_as(RATES).fetch_all(&mut connection).await.unwrap();
        let row = |name: &str, from: &str, print: &str, used: &str| {
            (name.to_owned(), from.to_owned(), print.to_owned(), used.to_owned())
        };
        assert_eq!(
            rates,
            [row("", "2025-05-21", "nameless", "2026-03-03"), row("lpr_1y", "2025-05-20", "rate", "2026-03-02"),]
        );
        let policies: Vec<String> = sqlx::query_scalar(POLICIES).fetch_all(&mut connection).await.unwrap();
        assert_eq!(policies, ["TEA"]);
    }};
}

#[tokio::test]
async fn reference_rates_move_out_of_the_policy_versions() {
    rates_move!("sqlite", SqliteConnection::connect("sqlite::memory:").await.unwrap());
    rates_move!("postgres", PgConnection::connect(&postgres::database().await).await.unwrap());
}
