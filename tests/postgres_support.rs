//! Tests the PostgreSQL support of other tests: the server answers, and every database is separate.

use crate::support::postgres;

use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn a_fresh_database_answers() {
    let mut connection = PgConnection::connect(&postgres::database().await).await.unwrap();
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(one, 1);
    let encoding: String = sqlx::query_scalar("show server_encoding").fetch_one(&mut connection).await.unwrap();
    assert_eq!(encoding, "UTF8");
}

#[tokio::test]
async fn two_databases_are_apart() {
    let (here, there) = (postgres::database().await, postgres::database().await);
    assert_ne!(here, there);
    let mut here = PgConnection::connect(&here).await.unwrap();
    let mut there = PgConnection::connect(&there).await.unwrap();
    sqlx::query("create table shop (id bigint)").execute(&mut here).await.unwrap();
    let shops = "select count(*) from information_schema.tables where table_name = 'shop'";
    for (connection, tables) in [(&mut here, 1_i64), (&mut there, 0)] {
        let found: i64 = sqlx::query_scalar(shops).fetch_one(connection).await.unwrap();
        assert_eq!(found, tables);
    }
}
