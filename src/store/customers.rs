//! Customers and their agreements: records that can change. Replaced values are kept with their date.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};

use super::bulk::{self, Table, row};
use super::engine::{Tx, as_one, held_in, key_set, on_engine, sql_for};
use crate::domain::facts::agreement::{Agreement, AgreementState};
use crate::domain::facts::customer::{AgreementRow, Customer};
use crate::domain::facts::source::Source;

/// A delivered record with its content's fingerprint.
pub struct Delivered<T> {
    pub record: T,
    pub fingerprint: i64,
    pub source: Source,
}

const CUSTOMER: Table = Table {
    name: "customer",
    columns: &[
        "customer_id",
        "name",
        "email",
        "locale",
        "time_zone",
        "credit_score",
        "real_name_verified",
        "bank_card_bound",
        "content",
        "booked_on",
        "file_no",
        "line",
        "mail_failed_on",
    ],
    key: 1,
};

const AGREEMENT: Table = Table {
    name: "agreement",
    columns: &[
        "merchant_id",
        "agreement_id",
        "customer_id",
        "status",
        "changed_at",
        "score_authorised",
        "content",
        "booked_on",
        "file_no",
        "line",
        "earlier",
    ],
    key: 2,
};

const REPLACED: Table = Table {
    name: "replaced_record",
    columns: &["kind", "record_key", "file_no", "line", "replaced_on", "content"],
    key: 4,
};

/// The known customers among these ids: the record's fingerprint and the date of the file it came from.
pub async fn known(tx: &mut Tx, ids: &[&str]) -> Result<HashMap<String, (i64, NaiveDate)>> {
    let sql = sql_for(
        tx,
        "SELECT c.customer_id, c.content, COALESCE(f.dated_on, c.booked_on)
         FROM customer c LEFT JOIN file f ON f.file_no = c.file_no WHERE c.customer_id IN {keys $1}",
    );
    let keys = key_set(ids.iter().copied());
    let rows: Vec<(String, i64, NaiveDate)> = on_engine!(tx, |c| sqlx::query_as(sql).bind(keys).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id, content, dated_on)| (id, (content, dated_on))).collect())
}

/// A merchant's known agreements among these ids, each with its content's fingerprint.
pub async fn known_agreements(
    tx: &mut Tx,
    merchant: &str,
    ids: &[&str],
) -> Result<HashMap<String, (i64, AgreementRow)>> {
    let sql = "SELECT agreement_id, content FROM agreement WHERE merchant_id = $1 AND agreement_id IN {keys $2}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    let contents: Vec<(String, i64)> =
        on_engine!(tx, |c| sqlx::query_as(sql).bind(merchant).bind(keys).fetch_all(c).await?);
    if contents.is_empty() {
        return Ok(HashMap::new());
    }
    let contents: HashMap<String, i64> = contents.into_iter().collect();
    let mut known = HashMap::with_capacity(contents.len());
    for row in agreement_rows(tx, merchant, "agreement_id", ids).await? {
        let (customer_id, agreement) = row.into_agreement()?;
        let id = agreement.agreement_id.clone();
        let content = contents
            .get(&id)
            .copied()
            .with_context(|| format!("agreement {id} of {merchant} has no fingerprint in the store"))?;
        known.insert(id, (content, AgreementRow { merchant_id: merchant.to_owned(), customer_id, agreement }));
    }
    Ok(known)
}

/// Saves new and changed customers. `updates` are the ids of the changed ones.
pub async fn save(tx: &mut Tx, today: NaiveDate, customers: &[Delivered<Customer>], updates: &[&str]) -> Result<()> {
    keep_replaced_customers(tx, today, customers, updates).await?;
    let mut cells = Vec::with_capacity(customers.len() * CUSTOMER.columns.len());
    for Delivered { record, fingerprint, source } in customers {
        cells.extend(row![
            record.customer_id.as_str(),
            record.name.as_str(),
            record.email.as_str(),
            record.locale.as_str(),
            record.time_zone.name(),
            record.credit_score,
            record.real_name_verified,
            record.bank_card_bound,
            *fingerprint,
            today,
            source.file_no,
            source.line,
            None::<NaiveDate>,
        ]);
    }
    if updates.is_empty() { bulk::insert(tx, &CUSTOMER, cells).await } else { bulk::upsert(tx, &CUSTOMER, cells).await }
}

async fn keep_replaced_customers(
    tx: &mut Tx,
    today: NaiveDate,
    fresh: &[Delivered<Customer>],
    updates: &[&str],
) -> Result<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let former = load(tx, updates).await?;
    let mut cells = Vec::new();
    for Delivered { record, source, .. } in fresh {
        if let Some(former) = former.get(&record.customer_id) {
            let (file_no, line) = (source.file_no, source.line);
            cells.extend(row!["customer", record.customer_id.as_str(), file_no, line, today, customer_json(former)]);
        }
    }
    bulk::insert(tx, &REPLACED, cells).await
}

/// Archives records of customers that are already known from newer files.
pub async fn keep_outdated(tx: &mut Tx, today: NaiveDate, customers: &[Delivered<Customer>]) -> Result<()> {
    let mut cells = Vec::new();
    for Delivered { record, source, .. } in customers {
        let (key, content) = (record.customer_id.as_str(), customer_json(record));
        cells.extend(row!["customer", key, source.file_no, source.line, today, content]);
    }
    bulk::insert(tx, &REPLACED, cells).await
}

fn customer_json(customer: &Customer) -> String {
    let content = serde_json::json!({
        "name": customer.name, "email": customer.email, "locale": customer.locale,
        "time_zone": customer.time_zone.name(), "credit_score": customer.credit_score,
        "real_name_verified": customer.real_name_verified, "bank_card_bound": customer.bank_card_bound,
    });
    content.to_string()
}

/// Adds an earlier state to an agreement's record.
pub async fn save_earlier(tx: &mut Tx, merchant: &str, agreement: &Agreement) -> Result<()> {
    let sql = "UPDATE agreement SET earlier = $3 WHERE merchant_id = $1 AND agreement_id = $2";
    let earlier = earlier_json(&agreement.earlier);
    on_engine!(tx, |c| {
        let query = sqlx::query(sql).bind(merchant).bind(&agreement.agreement_id).bind(earlier);
        query.execute(c).await.map(|_| ())
    })?;
    Ok(())
}

/// Earlier states as stored: an empty text for none, which is the usual case.
fn earlier_json(states: &[AgreementState]) -> String {
    if states.is_empty() {
        return String::new();
    }
    let states: Vec<(DateTime<Utc>, bool, bool)> =
        states.iter().map(|state| (state.since, state.open, state.score_authorised)).collect();
    serde_json::to_string(&states).expect("instants and flags always make JSON")
}

/// Parses the text of [`earlier_json`].
pub(super) fn earlier_states(json: &str) -> Result<Vec<AgreementState>> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let states: Vec<(DateTime<Utc>, bool, bool)> = held_in(json)?;
    let state = |(since, open, score_authorised)| AgreementState { since, open, score_authorised };
    Ok(states.into_iter().map(state).collect())
}

/// The known customers among these ids.
pub async fn existing(tx: &mut Tx, ids: &[&str]) -> Result<HashSet<String>> {
    let sql = sql_for(tx, "SELECT customer_id FROM customer WHERE customer_id IN {keys $1}");
    let keys = key_set(ids.iter().copied());
    let ids: Vec<String> = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(keys).fetch_all(c).await?);
    Ok(ids.into_iter().collect())
}

/// The customers with this email address, in whatever case it is written, at most `limit`.
pub async fn with_email(tx: &mut Tx, email: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT customer_id FROM customer WHERE lower(email) = lower($1) ORDER BY customer_id LIMIT $2";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(email).bind(limit).fetch_all(c).await?))
}

/// Saves a merchant's new and changed agreements.
pub async fn save_agreements(
    tx: &mut Tx,
    today: NaiveDate,
    openings: &[Delivered<AgreementRow>],
    updates: &[&str],
) -> Result<()> {
    let mut replaced = Vec::new();
    if let (Some(first), false) = (openings.first(), updates.is_empty()) {
        let former = agreement_rows(tx, &first.record.merchant_id, "agreement_id", updates).await?;
        let former: HashMap<&str, &StoredAgreement> =
            former.iter().map(|row| (row.agreement_id.as_str(), row)).collect();
        for Delivered { record, source, .. } in openings {
            let id = record.agreement.agreement_id.as_str();
            if let Some(former) = former.get(id) {
                let content = serde_json::json!({
                    "customer_id": former.customer_id, "status": former.status,
                    "changed_at": former.changed_at.to_rfc3339(), "score_authorised": former.score_authorised != 0,
                });
                let key = format!("{}/{id}", record.merchant_id);
                replaced.extend(row!["agreement", key, source.file_no, source.line, today, content.to_string()]);
            }
        }
    }
    bulk::insert(tx, &REPLACED, replaced).await?;
    let mut cells = Vec::with_capacity(openings.len() * AGREEMENT.columns.len());
    for Delivered { record, fingerprint, source } in openings {
        cells.extend(row![
            record.merchant_id.as_str(),
            record.agreement.agreement_id.as_str(),
            record.customer_id.as_str(),
            if record.agreement.open { "open" } else { "closed" },
            record.agreement.changed_at,
            record.agreement.score_authorised,
            *fingerprint,
            today,
            source.file_no,
            source.line,
            earlier_json(&record.agreement.earlier),
        ]);
    }
    if updates.is_empty() {
        bulk::insert(tx, &AGREEMENT, cells).await
    } else {
        bulk::upsert(tx, &AGREEMENT, cells).await
    }
}

/// Complete customer records, for mails and for `replaced_record`.
pub async fn load(tx: &mut Tx, ids: &[&str]) -> Result<HashMap<String, Customer>> {
    let sql = sql_for(
        tx,
        "SELECT customer_id, name, email, locale, time_zone, credit_score, real_name_verified, bank_card_bound
         FROM customer WHERE customer_id IN {keys $1}",
    );
    let keys = key_set(ids.iter().copied());
    type Row = (String, String, String, String, String, i64, bool, bool);
    let rows: Vec<Row> = on_engine!(tx, |c| sqlx::query_as(sql).bind(keys).fetch_all(c).await?);
    let mut customers = HashMap::with_capacity(rows.len());
    for (customer_id, name, email, locale, zone, credit_score, real_name_verified, bank_card_bound) in rows {
        let time_zone = zone.parse().ok().with_context(|| format!("customer {customer_id}: unknown time zone"))?;
        let customer =
            Customer { customer_id, name, email, locale, time_zone, credit_score, real_name_verified, bank_card_bound };
        customers.insert(customer.customer_id.clone(), customer);
    }
    Ok(customers)
}

#[derive(serde::Deserialize)]
pub(super) struct StoredAgreement {
    agreement_id: String,
    customer_id: String,
    status: String,
    changed_at: DateTime<Utc>,
    /// 0 or 1, because SQLite has no JSON booleans.
    score_authorised: i64,
    /// The format of [`earlier_states`].
    earlier: String,
}

impl StoredAgreement {
    /// The customer id and the agreement.
    pub fn into_agreement(self) -> Result<(String, Agreement)> {
        let StoredAgreement { agreement_id, customer_id, status, changed_at, score_authorised, earlier } = self;
        let (open, score_authorised, earlier) = (status == "open", score_authorised != 0, earlier_states(&earlier)?);
        Ok((customer_id, Agreement { agreement_id, open, changed_at, score_authorised, earlier }))
    }
}

/// A merchant's agreements, by agreement id or customer id.
pub(super) async fn agreement_rows(
    tx: &mut Tx,
    merchant: &str,
    by: &'static str,
    keys: &[&str],
) -> Result<Vec<StoredAgreement>> {
    let columns = "agreement_id, customer_id, status, changed_at, CAST(score_authorised AS INTEGER), earlier";
    let rows = as_one(tx, columns);
    let sql = sql_for(tx, &format!("SELECT {rows} FROM agreement WHERE merchant_id = $1 AND {by} IN {{keys $2}}"));
    let keys = key_set(keys.iter().copied());
    let rows: String = on_engine!(tx, |c| sqlx::query_scalar(sql).bind(merchant).bind(keys).fetch_one(c).await?);
    held_in(&rows)
}

/// Records that a customer's address was refused permanently.
pub async fn mail_failed(tx: &mut Tx, customer_id: &str, on: NaiveDate) -> Result<()> {
    let sql = "UPDATE customer SET mail_failed_on = $2 WHERE customer_id = $1";
    on_engine!(tx, |c| sqlx::query(sql).bind(customer_id).bind(on).execute(c).await.map(|_| ()))?;
    Ok(())
}

/// The business date on which the customer's address was refused permanently.
pub async fn mail_failed_on(tx: &mut Tx, customer_id: &str) -> Result<Option<NaiveDate>> {
    let sql = "SELECT mail_failed_on FROM customer WHERE customer_id = $1 AND mail_failed_on IS NOT NULL";
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(customer_id).fetch_optional(c).await?))
}

/// The customers among these whose address was refused permanently.
pub async fn with_failed_address(tx: &mut Tx, ids: &[&str]) -> Result<Vec<String>> {
    let sql = "SELECT customer_id FROM customer WHERE mail_failed_on IS NOT NULL AND customer_id IN {keys $1}";
    let sql = sql_for(tx, sql);
    let keys = key_set(ids.iter().copied());
    Ok(on_engine!(tx, |c| sqlx::query_scalar(sql).bind(keys).fetch_all(c).await?))
}
