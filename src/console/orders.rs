//! Search, an order's story, and a customer at a glance.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;

use super::failure::Failure;
use super::page::Page;
use crate::books::environment::Environment;
use crate::views::glance::CustomerGlance;
use crate::views::order_story::{EventKind, OrderStory};
use crate::views::search::{Found, Only, OrderLine, is_named};

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
    /// The orders of this merchant, by id.
    #[serde(default)]
    merchant: String,
    #[serde(default)]
    after: String,
}

/// How many orders a page lists.
const ROWS: i64 = 50;

pub async fn page(page: Page, Query(search): Query<Search>) -> Response {
    match find(&page, &search).await {
        Ok(Answer::There(path)) => Redirect::to(&path).into_response(),
        Ok(Answer::Page(environment, value)) => page.answer("orders", Ok((environment, value))),
        Err(why) => page.answer("orders", Err(why)),
    }
}

enum Answer {
    /// Only one thing was found; it has a page of its own.
    There(String),
    Page(Arc<Environment>, Value),
}

async fn find(page: &Page, search: &Search) -> Result<Answer, Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let found = Found::load(&mut tx, &environment, &search.q).await?;
    if let Some(only) = found.only() {
        return Ok(Answer::There(path_of(&only)));
    }
    let mut orders = Vec::new();
    if !search.merchant.is_empty() {
        if environment.scheme.merchant(&search.merchant).is_none() {
            return Err(Failure::not_found());
        }
        orders = OrderLine::page(&mut tx, &search.merchant, &search.after, ROWS).await?;
    }
    let is_full = i64::try_from(orders.len()).is_ok_and(|count| count == ROWS);
    let next = orders.last().filter(|_| is_full).map(|line| line.order_id.clone());
    let merchants = environment.scheme.merchants.iter();
    let merchants: Vec<Value> = merchants.map(|merchant| context! { id => merchant.id.as_str() }).collect();
    let value = context! {
        q => search.q.as_str(), merchant => search.merchant.as_str(), merchants, next,
        orders => Serde(orders),
        found => Serde(&found),
    };
    Ok(Answer::Page(environment.clone(), value))
}

fn path_of(only: &Only<'_>) -> String {
    let quoted = |text: &str| minijinja::filters::urlencode(&Value::from(text)).unwrap_or_default();
    match only {
        Only::Order(order) => format!("/order?merchant={}&id={}", quoted(&order.merchant_id), quoted(&order.order_id)),
        Only::Customer(id) => format!("/customer?id={}", quoted(id)),
    }
}

#[derive(Deserialize)]
pub struct OfOrder {
    merchant: String,
    id: String,
}

pub async fn order(page: Page, Query(of): Query<OfOrder>) -> Response {
    let made = story(&page, &of).await;
    page.answer("order", made)
}

async fn story(page: &Page, of: &OfOrder) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let merchant = environment.scheme.merchant(&of.merchant).ok_or_else(Failure::not_found)?;
    let mut tx = environment.store.read().await?;
    if !is_named(&mut tx, merchant, &of.id).await? {
        return Err(Failure::not_found());
    }
    let story = OrderStory::load(&mut tx, &environment, merchant, &of.id).await?;
    let days = days(&story);
    let value = context! { story => Serde(&story), days };
    Ok((environment.clone(), value))
}

/// Returns the events of a story by day.
fn days(story: &OrderStory) -> Vec<Value> {
    let by_day = story.events.chunk_by(|a, b| a.on == b.on);
    let of_day = |events: &[crate::views::order_story::Event]| {
        let event = |event: &crate::views::order_story::Event| {
            let sign = match event.kind {
                EventKind::File => "file",
                EventKind::DueDate => "due",
                EventKind::Money => "money",
                EventKind::Bank => "bank",
                EventKind::Mail => "mail",
                EventKind::CreditRecord => "credit",
            };
            context! { sign, what => event.what.as_str(), source => event.source.as_deref() }
        };
        let events: Vec<Value> = events.iter().map(event).collect();
        events
    };
    let day = |events: &[crate::views::order_story::Event]| {
        context! { on => events.first().map(|event| event.on.to_string()), events => of_day(events) }
    };
    by_day.map(day).collect()
}

#[derive(Deserialize)]
pub struct OfCustomer {
    id: String,
}

pub async fn customer(page: Page, Query(of): Query<OfCustomer>) -> Response {
    let made = glance(&page, &of.id).await;
    page.answer("customer", made)
}

async fn glance(page: &Page, id: &str) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let personal = page.console.settings.show_customers;
    let mut tx = environment.store.read().await?;
    let glance = CustomerGlance::load(&mut tx, &environment, id, personal).await?.ok_or_else(Failure::not_found)?;
    if glance.person.is_some() {
        // Who looked at whom, for whoever asks later. The log adds when.
        tracing::info!(
            who = page.visitor.name,
            customer = glance.customer_id,
            "a customer's name and address were shown"
        );
    }
    Ok((environment.clone(), context! { customer => Serde(glance), personal }))
}
