//! Finds orders, customers and merchants by a text that somebody typed: an id as it is in the files, or its beginning.

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use crate::books::environment::Environment;
use crate::domain::intake::code::DeclineCode;
use crate::scheme::Merchant;
use crate::store::orders::{self, StoredOrder};
use crate::store::{Tx, customers, file_rows, overview};

#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Found {
    pub orders: Vec<FoundOrder>,
    /// The ids of customers.
    pub customers: Vec<String>,
    pub merchants: Vec<FoundMerchant>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundOrder {
    pub found_by: FoundBy,
    #[serde(flatten)]
    pub order: OrderLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// Its id is the text.
    Order,
    /// A payment, refund or chargeback of it has the text as its key.
    Payment,
    /// Its id begins with the text.
    Beginning,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundMerchant {
    pub merchant_id: String,
    pub name: String,
}

/// An order in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderLine {
    pub merchant_id: String,
    pub order_id: String,
    /// Null as long as no orders file has named it.
    pub order: Option<KnownOrder>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct KnownOrder {
    pub customer_id: String,
    pub amount: Amount,
    pub ordered_on: NaiveDate,
    /// Principal that was owed as the open day began.
    pub owed: Amount,
    /// The code with which it was declined; null if it was accepted.
    pub declined: Option<DeclineCode>,
    pub closed_on: Option<NaiveDate>,
}

/// How many orders of a merchant are found by their beginning.
const BEGINNINGS: i64 = 10;

impl Found {
    pub async fn load(tx: &mut Tx, environment: &Environment, text: &str) -> Result<Found> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Found::default());
        }
        let mut found = Found { customers: known_customer(tx, text).await?, ..Found::default() };
        let lower = text.to_lowercase();
        for merchant in &environment.scheme.merchants {
            if is_called(merchant, &lower) {
                let (merchant_id, name) = (merchant.id.clone(), merchant.name.clone());
                found.merchants.push(FoundMerchant { merchant_id, name });
            }
            found.orders.extend(of_merchant(tx, merchant, text).await?);
        }
        found.orders.sort_by_key(|found| found.found_by != FoundBy::Order);
        Ok(found)
    }

    /// The only thing that was found, if it is an order or a customer.
    pub fn only(&self) -> Option<Only<'_>> {
        let exact: Vec<&FoundOrder> = self.orders.iter().filter(|found| found.found_by != FoundBy::Beginning).collect();
        match (exact.as_slice(), self.customers.as_slice(), self.merchants.is_empty()) {
            ([order], [], true) => Some(Only::Order(&order.order)),
            ([], [customer], true) if self.orders.is_empty() => Some(Only::Customer(customer)),
            _ => None,
        }
    }
}

/// The only thing that was found.
pub enum Only<'f> {
    Order(&'f OrderLine),
    Customer(&'f str),
}

async fn known_customer(tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    Ok(customers::existing(tx, &[id]).await?.into_iter().collect())
}

fn is_called(merchant: &Merchant, lower: &str) -> bool {
    let names = [Some(&merchant.id), Some(&merchant.name), merchant.name_zh.as_ref()];
    names.into_iter().flatten().any(|name| name.to_lowercase().contains(lower))
}

async fn of_merchant(tx: &mut Tx, merchant: &Merchant, text: &str) -> Result<Vec<FoundOrder>> {
    let mut ids: Vec<(String, FoundBy)> = Vec::new();
    if is_named(tx, merchant, text).await? {
        ids.push((text.to_owned(), FoundBy::Order));
    }
    if let Some(order_id) = overview::order_of_money(tx, &merchant.id, text).await? {
        ids.push((order_id, FoundBy::Payment));
    }
    let beginnings = overview::order_ids(tx, &merchant.id, text, "", BEGINNINGS).await?;
    ids.extend(beginnings.into_iter().filter(|id| id != text).map(|id| (id, FoundBy::Beginning)));
    let keys: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
    let lines = OrderLine::load(tx, &merchant.id, &keys).await?;
    Ok(ids.into_iter().zip(lines).map(|((_, found_by), order)| FoundOrder { found_by, order }).collect())
}

/// Whether any file has named an order of this id.
pub async fn is_named(tx: &mut Tx, merchant: &Merchant, order_id: &str) -> Result<bool> {
    Ok(!orders::known(tx, &merchant.id, &[order_id]).await?.is_empty()
        || !file_rows::of_order(tx, &merchant.id, order_id).await?.is_empty())
}

impl OrderLine {
    /// Returns a line for each id, in the same order.
    pub async fn load(tx: &mut Tx, merchant_id: &str, ids: &[&str]) -> Result<Vec<OrderLine>> {
        let stored = orders::load(tx, merchant_id, ids).await?;
        let line = |id: &&str| OrderLine {
            merchant_id: merchant_id.to_owned(),
            order_id: (*id).to_owned(),
            order: stored.iter().find(|stored| stored.order.order_id == **id).map(KnownOrder::of),
        };
        Ok(ids.iter().map(line).collect())
    }

    /// Returns at most `limit` orders of a merchant by id, after an id.
    pub async fn page(tx: &mut Tx, merchant_id: &str, after: &str, limit: i64) -> Result<Vec<OrderLine>> {
        let ids = overview::order_ids(tx, merchant_id, "", after, limit).await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        OrderLine::load(tx, merchant_id, &ids).await
    }
}

impl KnownOrder {
    fn of(stored: &StoredOrder) -> KnownOrder {
        let order = &stored.order;
        KnownOrder {
            customer_id: order.customer_id.clone(),
            amount: Amount::new(order.amount_minor, order.currency),
            ordered_on: order.ordered_on,
            owed: Amount::new(stored.owed_minor, order.currency),
            declined: stored.declined,
            closed_on: stored.closed_on,
        }
    }
}
