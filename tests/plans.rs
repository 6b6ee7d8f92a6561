//! How PostgreSQL finds rows: what a page costs must not depend on how many rows there are before and after it.

use std::path::Path;
use std::time::Duration;

use paylater::store::{Store, positions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::postgres;

const ORDERS: i64 = 50_000;

#[tokio::test]
async fn a_page_of_positions_reads_no_other_orders() {
    let url = postgres::database().await;
    Store::open(&url, Path::new(".")).await.unwrap().close().await;
    let mut books = PgConnection::connect(&url).await.unwrap();
    let fill = format!(
        "INSERT INTO orders (merchant_id, order_id, customer_id, amount_minor, currency, ordered_at, ordered_on, term,
             policy_version, content, booked_on, file_no, line, owed_minor)
         SELECT 'SHOP', to_char(n, '0000000'), 'C', 100, 'CNY', '2026-03-01', '2026-03-01', 14, '2026-01-01', n,
             '2026-03-01', 1, n, 100 FROM generate_series(1, {ORDERS}) n;
         INSERT INTO instalment (merchant_id, order_id, instalment, principal_minor, paid_minor, refunded_minor,
             outstanding_minor, late_fee_charged_minor, late_fee_minor, late_fee_paid_minor, days_past_due,
             credit_status, decided_on)
         SELECT merchant_id, order_id, 1, 100, 0, 0, 100, 0, 0, 0, 0, 'clear', '2026-03-01' FROM orders;
         ANALYZE"
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut books).await.unwrap();
    books.close().await.unwrap();
    let mut books = PgConnection::connect(&url).await.unwrap();
    let before = orders_read(&mut books, 0).await;

    let store = Store::open(&url, Path::new(".")).await.unwrap();
    let mut tx = store.read().await.unwrap();
    for after in [" 0000000", " 0040000"] {
        let page = positions::open(&mut tx, "SHOP", (after, 1), 100).await.unwrap();
        assert_eq!(page.len(), 100);
        assert!(page[0].order_id.as_str() > after);
        let day = page[0].position.decided_on;
        let same = positions::decided_on(&mut tx, "SHOP", day, (after, 1), 100).await.unwrap();
        assert_eq!(same[99].order_id, page[99].order_id);
    }
    drop(tx);
    store.close().await;
    let read = orders_read(&mut books, before).await - before;
    assert_eq!(read, 400, "orders read for four pages of 100");
}

/// How many orders all sessions have read so far. A session says so when it ends, so this waits until they are more.
async fn orders_read(books: &mut PgConnection, than: i64) -> i64 {
    let read = "SELECT COALESCE(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'orders'";
    for _ in 0..200 {
        let orders: i64 = sqlx::query_scalar(read).fetch_one(&mut *books).await.unwrap();
        if orders > than {
            return orders;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the statistics have no more than {than} orders");
}
