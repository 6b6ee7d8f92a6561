//! Finds the customer whom a caller means. No message repeats what was searched for: it may be an email address.

use anyhow::Result;

use crate::books::environment::Environment;
use crate::domain::facts::fact::FactKind;
use crate::scheme::Merchant;
use crate::store::{Tx, customer_standing, customers, facts, orders};

/// What the caller can name.
pub enum Search {
    Id(String),
    Email(String),
    /// The key of a payment.
    Payment(String),
}

/// Nobody was found, or more than one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error(
        "no customer has this id; ids must match exactly, including upper and lower case. Search for an email address \
         with --email, for a payment with --payment"
    )]
    Id,
    #[error("no customer has this email address, as the last customers file has it")]
    Email,
    #[error("several customers have this email address: {}; name one", .0.join(", "))]
    SeveralOfEmail(Vec<String>),
    #[error("there are more than {MOST} customers with this email address; search by id or payment")]
    Many,
    #[error("no order has this payment; if its row waits for its order, `paylater exceptions` lists it")]
    Payment,
    #[error("{} have a payment of this id; say which with --merchant", .0.join(" and "))]
    SeveralOfPayment(Vec<String>),
}

impl NotFound {
    /// Whether there is more than one, so that the question must be asked more exactly.
    pub fn is_of_several(&self) -> bool {
        match self {
            NotFound::SeveralOfEmail(_) | NotFound::Many | NotFound::SeveralOfPayment(_) => true,
            NotFound::Id | NotFound::Email | NotFound::Payment => false,
        }
    }
}

/// How many customers of one address are listed.
const MOST: usize = 10;

/// Returns the id of the customer.
pub async fn find(
    tx: &mut Tx,
    environment: &Environment,
    search: &Search,
    merchant: Option<&Merchant>,
) -> Result<Result<String, NotFound>> {
    match search {
        Search::Id(id) => {
            let id = id.trim();
            let known = is_known(tx, environment, id).await?;
            Ok(if known { Ok(id.to_owned()) } else { Err(NotFound::Id) })
        }
        Search::Email(email) => {
            let most = i64::try_from(MOST).unwrap_or(i64::MAX);
            let mut ids = customers::with_email(tx, email.trim(), most + 1).await?;
            Ok(match ids.len() {
                0 => Err(NotFound::Email),
                1 => Ok(ids.remove(0)),
                2..=MOST => Err(NotFound::SeveralOfEmail(ids)),
                _ => Err(NotFound::Many),
            })
        }
        Search::Payment(payment) => of_payment(tx, environment, payment.trim(), merchant).await,
    }
}

async fn is_known(tx: &mut Tx, environment: &Environment, id: &str) -> Result<bool> {
    if !customers::existing(tx, &[id]).await?.is_empty() {
        return Ok(true);
    }
    for merchant in &environment.scheme.merchants {
        let standings = customer_standing::of(tx, &merchant.id, &[id]).await?;
        let has_agreement = standings.get(id).is_some_and(|standing| !standing.agreements.is_empty());
        if has_agreement || !orders::of_customer(tx, &merchant.id, id).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn of_payment(
    tx: &mut Tx,
    environment: &Environment,
    payment: &str,
    merchant: Option<&Merchant>,
) -> Result<Result<String, NotFound>> {
    let merchants = environment.scheme.merchants.iter().map(AsRef::as_ref);
    let mut found = Vec::new();
    for merchant in merchants.filter(|other| merchant.is_none_or(|merchant| merchant.id == other.id)) {
        let orders = facts::orders_of(tx, &merchant.id, FactKind::Payment, &[payment]).await?;
        if let Some(order_id) = orders.into_values().next() {
            found.push((merchant, order_id));
        }
    }
    match found.as_slice() {
        [] => Ok(Err(NotFound::Payment)),
        [(merchant, order_id)] => {
            let order = orders::load(tx, &merchant.id, &[order_id]).await?.into_iter().next();
            Ok(order.map(|stored| stored.order.customer_id).ok_or(NotFound::Payment))
        }
        several => Ok(Err(NotFound::SeveralOfPayment(several.iter().map(|(m, _)| m.id.clone()).collect()))),
    }
}
