//! A customer's standing with a merchant, from which a new order is decided: the customer's record, agreements and exposure.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::customers::{agreement_rows, earlier_states};
use super::engine::{Engine, Tx, as_one, held_in, key_set, on_engine, sql_for};
use super::exposure;
use crate::domain::facts::agreement::Agreement;
use crate::domain::intake::eligibility::{Applicant, Exposure};

/// A customer's standing with a merchant.
#[derive(Debug, Default)]
pub struct CustomerStanding {
    pub applicant: Option<Applicant>,
    /// All agreements with the merchant. The time of the order determines which one applies.
    pub agreements: Vec<Agreement>,
    pub exposure: Exposure,
}

/// The standings of these customers, by key. Every customer has one.
pub async fn of(tx: &mut Tx, merchant: &str, customers: &[&str]) -> Result<HashMap<String, CustomerStanding>> {
    let exposures = exposure::of(tx, merchant, customers).await?;
    let mut standings: HashMap<String, CustomerStanding> = HashMap::with_capacity(customers.len());
    for id in customers {
        let exposure = exposures.get(*id).copied().unwrap_or_default();
        standings.insert((*id).to_owned(), CustomerStanding { exposure, ..CustomerStanding::default() });
    }
    for (id, applicant) in applicants(tx, customers).await? {
        standings.entry(id).or_default().applicant = Some(applicant);
    }
    for row in agreement_rows(tx, merchant, "customer_id", customers).await? {
        let (customer_id, agreement) = row.into_agreement()?;
        standings.entry(customer_id).or_default().agreements.push(agreement);
    }
    Ok(standings)
}

/// The number of agreements with a merchant, counted up to `most`.
pub async fn count(tx: &mut Tx, merchant: &str, most: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM agreement WHERE merchant_id = $1 LIMIT $2) AS counted";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(most).fetch_one(c).await?))
}

/// Visits the standings of all customers with an agreement, agreement by agreement. Reading all takes as long as looking up a
/// tenth of them.
pub async fn of_all(tx: &mut Tx, merchant: &str, mut visit: impl FnMut(String, CustomerStanding)) -> Result<()> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => {
            let mut page = page_after(transaction, merchant, "").await?;
            while let (Some(rows), Some(last)) = page {
                // While SQLite's thread reads a page, the page before is visited.
                let visited =
                    async { held_in::<Vec<Row>>(&rows)?.into_iter().try_for_each(|row| row.visit(&mut visit)) };
                let (next, visited) = tokio::join!(page_after(transaction, merchant, &last), visited);
                visited?;
                page = next?;
            }
        }
        Engine::Postgres(transaction) => {
            let sql =
                AssertSqlSafe(format!("SELECT CAST(json_build_array({STANDING_COLUMNS}) AS TEXT) {FROM_AGREEMENTS}"));
            let mut rows = sqlx::query_scalar::<_, String>(sql).bind(merchant).fetch(&mut **transaction);
            while let Some(row) = rows.try_next().await? {
                held_in::<Row>(&row)?.visit(&mut visit)?;
            }
        }
    }
    Ok(())
}

/// The agreements in a page, which SQLite's thread hands over as one JSON value, because handing over single rows takes longer
/// than reading them. PostgreSQL streams its rows instead; with pages it would read the whole table for each.
const PAGE: i64 = 2_000;

/// A page of agreements in the order of their ids, and the last id.
async fn page_after(
    connection: &mut SqliteConnection,
    merchant: &str,
    after: &str,
) -> sqlx::Result<(Option<String>, Option<String>)> {
    let sql = format!(
        "SELECT '[' || string_agg(row, ',') || ']', MAX(agreement_id)
         FROM (SELECT json_array({STANDING_COLUMNS}) AS row, g.agreement_id {FROM_AGREEMENTS} AND g.agreement_id > $2
               ORDER BY g.agreement_id LIMIT $3)"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(merchant).bind(after).bind(PAGE).fetch_one(connection).await
}

const STANDING_COLUMNS: &str =
    "g.customer_id, g.agreement_id, g.status, g.changed_at, CAST(g.score_authorised AS INTEGER), g.earlier,
    c.credit_score, CAST(c.real_name_verified AS INTEGER), CAST(c.bank_card_bound AS INTEGER), e.owed_minor,
    CASE WHEN e.customer_id IS NOT NULL THEN
        (SELECT MIN(o.past_due_from) FROM orders o WHERE o.merchant_id = e.merchant_id
            AND o.customer_id = e.customer_id AND o.past_due_from IS NOT NULL) END";
const FROM_AGREEMENTS: &str = "FROM agreement g
    LEFT JOIN customer c ON c.customer_id = g.customer_id
    LEFT JOIN exposure e ON e.merchant_id = g.merchant_id AND e.customer_id = g.customer_id
    WHERE g.merchant_id = $1";

/// An agreement, the customer's record and exposure.
#[derive(serde::Deserialize)]
struct Row(
    String,
    String,
    String,
    DateTime<Utc>,
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<NaiveDate>,
);

impl Row {
    fn visit(self, visit: &mut impl FnMut(String, CustomerStanding)) -> Result<()> {
        let Row(
            customer_id,
            agreement_id,
            status,
            changed_at,
            authorised,
            earlier,
            score,
            verified,
            bound,
            owed,
            past_due_from,
        ) = self;
        let known = score.zip(verified).zip(bound);
        let applicant = known.map(|((credit_score, verified), bound)| Applicant {
            credit_score,
            real_name_verified: verified != 0,
            bank_card_bound: bound != 0,
        });
        let exposure = Exposure { minor: owed.unwrap_or(0), past_due_from };
        let (open, score_authorised, earlier) = (status == "open", authorised != 0, earlier_states(&earlier)?);
        let agreement = Agreement { agreement_id, open, changed_at, score_authorised, earlier };
        visit(customer_id, CustomerStanding { applicant, agreements: vec![agreement], exposure });
        Ok(())
    }
}

async fn applicants(tx: &mut Tx, ids: &[&str]) -> Result<Vec<(String, Applicant)>> {
    let columns = "customer_id, credit_score, CAST(real_name_verified AS INTEGER), CAST(bank_card_bound AS INTEGER)";
    let sql = format!("SELECT {} FROM customer WHERE customer_id IN {{keys $1}}", as_one(tx, columns));
    let sql = sql_for(tx, &sql);
    let keys = key_set(ids.iter().copied());
    let rows: String = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(keys).fetch_one(c).await?);
    let applicant = |(id, credit_score, verified, bound): (String, i64, i64, i64)| {
        (id, Applicant { credit_score, real_name_verified: verified != 0, bank_card_bound: bound != 0 })
    };
    Ok(held_in::<Vec<_>>(&rows)?.into_iter().map(applicant).collect())
}
