//! A customer at a glance: what is owed to each merchant and what is left of the limit, the orders behind it, and the mails.
//!
//! Orders are found without reading all of a customer's orders, for which there is no index: those that are owed and have a
//! due date, and those that a recent mail was about. The sum owed counts the others as well.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Amount;
use super::search::OrderLine;
use crate::books::environment::Environment;
use crate::domain::calendar::days_between;
use crate::scheme::Merchant;
use crate::store::customer_standing::{self, CustomerStanding};
use crate::store::overview::CustomerMail;
use crate::store::{Tx, customers, overview, scheme};

#[derive(Debug, Serialize, JsonSchema)]
pub struct CustomerGlance {
    pub customer_id: String,
    pub business_date: NaiveDate,
    /// Null unless it was asked for: a name and an address are shown to few people.
    pub person: Option<Person>,
    pub credit_score: i64,
    pub real_name_verified: bool,
    pub bank_card_bound: bool,
    /// Merchants with whom the customer has an agreement, or owes.
    pub merchants: Vec<WithMerchant>,
    /// The latest first, at most 20.
    pub mails: Vec<MailLine>,
}

#[derive(Serialize, JsonSchema)]
pub struct Person {
    pub name: String,
    pub email: String,
}

impl std::fmt::Debug for Person {
    /// Without what is personal, so that no log line can carry it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct WithMerchant {
    pub merchant_id: String,
    pub merchant_name: String,
    /// Whether an agreement is open.
    pub agreement_open: bool,
    /// Principal owed, over all orders; null if the merchant has no terms today.
    pub owed: Option<Amount>,
    /// By today's terms and the customer's score; null if the score is in no band.
    pub limit: Option<Amount>,
    pub limit_left: Option<Amount>,
    pub days_past_due: i64,
    /// At most 20.
    pub orders: Vec<OrderLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct MailLine {
    pub business_date: NaiveDate,
    pub template: String,
    pub status: String,
    /// Merchant and id of the orders it is about.
    pub orders: Vec<(String, String)>,
}

/// How many mails, and how many orders of a merchant, are shown.
const SHOWN: i64 = 20;

impl CustomerGlance {
    /// Returns `None` if no file has named the customer. `personal`: with name and address.
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        customer_id: &str,
        personal: bool,
    ) -> Result<Option<CustomerGlance>> {
        let Some(customer) = customers::load(tx, &[customer_id]).await?.remove(customer_id) else { return Ok(None) };
        let today = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let mut mails = Vec::new();
        for mail in overview::mails_of(tx, customer_id, SHOWN).await? {
            mails.push(MailLine::load(tx, mail).await?);
        }
        let mut merchants = Vec::new();
        for merchant in &environment.scheme.merchants {
            let standing = customer_standing::of(tx, &merchant.id, &[customer_id]).await?.remove(customer_id);
            let standing = standing.unwrap_or_default();
            let orders = orders(tx, merchant, customer_id, &mails).await?;
            if !standing.agreements.is_empty() || standing.exposure.minor != 0 || !orders.is_empty() {
                merchants.push(WithMerchant::of(merchant, &standing, customer.credit_score, today, orders));
            }
        }
        Ok(Some(CustomerGlance {
            customer_id: customer_id.to_owned(),
            business_date: today,
            credit_score: customer.credit_score,
            real_name_verified: customer.real_name_verified,
            bank_card_bound: customer.bank_card_bound,
            person: personal.then_some(Person { name: customer.name, email: customer.email }),
            merchants,
            mails,
        }))
    }
}

async fn orders(tx: &mut Tx, merchant: &Merchant, customer: &str, mails: &[MailLine]) -> Result<Vec<OrderLine>> {
    let mut ids = overview::orders_owed(tx, &merchant.id, customer, SHOWN).await?;
    let written_about = mails.iter().flat_map(|mail| &mail.orders).filter(|(of, _)| *of == merchant.id);
    let mut seen: BTreeSet<String> = ids.iter().cloned().collect();
    for (_, order_id) in written_about {
        if seen.insert(order_id.clone()) {
            ids.push(order_id.clone());
        }
    }
    let ids: Vec<&str> = ids.iter().take(SHOWN as usize).map(String::as_str).collect();
    OrderLine::load(tx, &merchant.id, &ids).await
}

impl WithMerchant {
    fn of(
        merchant: &Merchant,
        standing: &CustomerStanding,
        score: i64,
        today: NaiveDate,
        orders: Vec<OrderLine>,
    ) -> WithMerchant {
        let terms = merchant.policy.in_force(today);
        let owed = standing.exposure.minor;
        let amount = |minor| terms.map(|terms| Amount::new(minor, terms.currency));
        let limit = terms.and_then(|terms| terms.band(score)).map(|band| band.limit_minor);
        WithMerchant {
            merchant_id: merchant.id.clone(),
            merchant_name: merchant.name.clone(),
            agreement_open: standing.agreements.iter().any(|agreement| agreement.open),
            owed: amount(owed),
            limit: limit.and_then(amount),
            limit_left: limit.and_then(|limit| amount((limit - owed).max(0))),
            days_past_due: standing.exposure.past_due_from.map_or(0, |from| days_between(from, today) - 1).max(0),
            orders,
        }
    }
}

impl MailLine {
    async fn load(tx: &mut Tx, mail: CustomerMail) -> Result<MailLine> {
        let orders = overview::orders_in_mail(tx, mail.mail_no).await?;
        let CustomerMail { business_date, template, status, .. } = mail;
        Ok(MailLine { business_date, template, status, orders })
    }
}
