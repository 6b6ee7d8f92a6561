//! What deciding an order needs to know of its customer: of their record, their agreement with the merchant, and what
//! they owe.

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

/// A customer as a merchant's next order finds them.
#[derive(Debug, Default)]
pub struct Standing {
    pub applicant: Option<Applicant>,
    /// All agreements with the merchant; which of them counts depends on when the order was placed.
    pub agreements: Vec<Agreement>,
    pub exposure: Exposure,
}

/// How these customers stand, found by key. There is one for each of them.
pub async fn of(tx: &mut Tx, merchant: &str, customers: &[&str]) -> Result<HashMap<String, Standing>> {
    let exposures = exposure::of(tx, merchant, customers).await?;
    let mut standings: HashMap<String, Standing> = HashMap::with_capacity(customers.len());
    for id in customers {
        let exposure = exposures.get(*id).copied().unwrap_or_default();
        standings.insert((*id).to_owned(), Standing { exposure, ..Standing::default() });
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

/// How many customers have an agreement with a merchant, as far as `most`: one with several counts as several.
pub async fn count(tx: &mut Tx, merchant: &str, most: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM agreement WHERE merchant_id = $1 LIMIT $2) AS counted";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(most).fetch_one(c).await?))
}

/// How everybody stands who has an agreement with a merchant, told agreement by agreement. Reading all of them takes as long
/// as finding one in ten.
pub async fn of_all(tx: &mut Tx, merchant: &str, mut meet: impl FnMut(String, Standing)) -> Result<()> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => {
            let mut page = page_after(transaction, merchant, "").await?;
            while let (Some(rows), Some(last)) = page {
                // While SQLite's thread reads a page, the one before is taken note of.
                let told = async { held_in::<Vec<Row>>(&rows)?.into_iter().try_for_each(|row| row.tell(&mut meet)) };
                let (next, told) = tokio::join!(page_after(transaction, merchant, &last), told);
                told?;
                page = next?;
            }
        }
        Engine::Postgres(transaction) => {
            let sql = AssertSqlSafe(format!("SELECT CAST(json_build_array({EVERYBODY}) AS TEXT) {WITH_THEM}"));
            let mut rows = sqlx::query_scalar::<_, String>(sql).bind(merchant).fetch(&mut **transaction);
            while let Some(row) = rows.try_next().await? {
                held_in::<Row>(&row)?.tell(&mut meet)?;
            }
        }
    }
    Ok(())
}

/// Agreements that SQLite's thread hands over at once. It makes one value of them: handing over each row, or even each
/// column, takes longer than reading it. PostgreSQL's rows come as they are read; it would read all for every page.
const PAGE: i64 = 2_000;

/// A page of agreements by their ids, and the last of the ids.
async fn page_after(
    connection: &mut SqliteConnection,
    merchant: &str,
    after: &str,
) -> sqlx::Result<(Option<String>, Option<String>)> {
    let sql = format!(
        "SELECT '[' || string_agg(row, ',') || ']', MAX(agreement_id)
         FROM (SELECT json_array({EVERYBODY}) AS row, g.agreement_id {WITH_THEM} AND g.agreement_id > $2
               ORDER BY g.agreement_id LIMIT $3)"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(merchant).bind(after).bind(PAGE).fetch_one(connection).await
}

const EVERYBODY: &str =
    "g.customer_id, g.agreement_id, g.status, g.changed_at, CAST(g.score_authorised AS INTEGER), g.earlier,
    c.credit_score, CAST(c.real_name_verified AS INTEGER), CAST(c.bank_card_bound AS INTEGER), e.owed_minor,
    CASE WHEN e.customer_id IS NOT NULL THEN
        (SELECT MIN(o.past_due_from) FROM orders o WHERE o.merchant_id = e.merchant_id
            AND o.customer_id = e.customer_id AND o.past_due_from IS NOT NULL) END";
const WITH_THEM: &str = "FROM agreement g
    LEFT JOIN customer c ON c.customer_id = g.customer_id
    LEFT JOIN exposure e ON e.merchant_id = g.merchant_id AND e.customer_id = g.customer_id
    WHERE g.merchant_id = $1";

/// An agreement, its customer's record and what they owe.
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
    fn tell(self, meet: &mut impl FnMut(String, Standing)) -> Result<()> {
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
        meet(customer_id, Standing { applicant, agreements: vec![agreement], exposure });
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
