//! Open exceptions: filtered by code, merchant and age, each with what to do.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::Response;
use chrono::NaiveDate;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;

use super::failure::Failure;
use super::page::Page;
use crate::books::environment::Environment;
use crate::store::{exceptions, scheme};
use crate::views::exceptions::{Exception, Oldest, WhichExceptions};

#[derive(Deserialize)]
pub struct OfExceptions {
    #[serde(default)]
    code: String,
    #[serde(default)]
    merchant: String,
    /// At least so many days old.
    #[serde(default)]
    days: String,
    after_day: Option<NaiveDate>,
    #[serde(default)]
    after_merchant: String,
    after_number: Option<i64>,
}

/// How many exceptions a page lists.
const ROWS: i64 = 50;

pub async fn page(page: Page, Query(of): Query<OfExceptions>) -> Response {
    let made = list(&page, of).await;
    page.answer("exceptions", made)
}

async fn list(page: &Page, of: OfExceptions) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let today = scheme::days(&mut tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
    let days: i64 = of.days.parse().unwrap_or(0);
    let which = WhichExceptions { code: of.code, merchant_id: of.merchant, days };
    let after = match (of.after_day, of.after_number) {
        (Some(opened_on), Some(number)) => Oldest { opened_on, merchant_id: of.after_merchant, number },
        _ => Oldest::first(&environment.scheme),
    };
    let (rows, next) = Exception::oldest(&mut tx, &which, &after, ROWS, today).await?;
    let codes = exceptions::count_open(&mut tx).await?;
    let codes: Vec<Value> =
        codes.iter().map(|(code, count)| context! { code => code.name(), count => *count }).collect();
    let merchants = environment.scheme.merchants.iter();
    let merchants: Vec<Value> = merchants.map(|merchant| Value::from(merchant.id.as_str())).collect();
    let value = context! {
        code => which.code, merchant => which.merchant_id, days, codes, merchants,
        rows => Serde(rows),
        next => next.map(|next| context! {
            day => next.opened_on.to_string(), merchant => next.merchant_id, number => next.number,
        }),
    };
    Ok((environment.clone(), value))
}
