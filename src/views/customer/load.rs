//! Reads a customer's orders, mails and limits at each merchant.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::find::{self, NotFound, Search};
use super::order::OrderBooks;
use super::{
    AgreementNow, AtMerchant, CustomerGlance, CustomerMail, CustomerOrder, DeclinedOrder, OnDay, Owing, Questions,
    Reason,
};
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::books::order_decisions::into_cases;
use crate::domain::facts::agreement::agreement_for;
use crate::domain::facts::case::Case;
use crate::domain::intake::eligibility::{self, Request};
use crate::domain::money::Currency;
use crate::scheme::Merchant;
use crate::store::credit_record::CreditStepRow;
use crate::store::customer_standing::CustomerStanding;
use crate::store::mails::ReminderState;
use crate::store::orders::StoredOrder;
use crate::store::{Tx, credit_record, customer_standing, customers, facts, journal, mails, orders, positions, scheme};
use crate::views::{Amount, bank_plans};

impl CustomerGlance {
    /// Loads the customer whom the search names, at one merchant or at all.
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        search: &Search,
        merchant: Option<&Merchant>,
        questions: &Questions,
    ) -> Result<Result<CustomerGlance, NotFound>> {
        let customer_id = match find::find(tx, environment, search, merchant).await? {
            Ok(id) => id,
            Err(not_found) => return Ok(Err(not_found)),
        };
        let today = scheme::days(tx).await?.map_or(environment.scheme.starts_on, |days| days.business_date);
        let mut merchants = Vec::new();
        for other in environment.scheme.merchants.iter().map(AsRef::as_ref) {
            if merchant.is_none_or(|merchant| merchant.id == other.id) {
                merchants.extend(AtMerchant::load(tx, environment, other, &customer_id, questions, today).await?);
            }
        }
        let orders = || merchants.iter().flat_map(|merchant| &merchant.orders);
        let pay_off_on = |on| {
            let nothing = |amount: Amount| Amount { minor: 0, ..amount };
            let owing = |order: &CustomerOrder| {
                order.pay_off.map(|amount| Owing { amount, late_fee: nothing(amount), overdue: nothing(amount) })
            };
            OnDay { on, owed: sums(orders().filter_map(owing)) }
        };
        Ok(Ok(CustomerGlance {
            business_date: today,
            owed: sums(orders().map(|order| order.owed)),
            owed_on: questions.on.map(|on| OnDay { on, owed: sums(orders().filter_map(|order| order.owed_on)) }),
            pay_off: questions.pay_off_on.map(pay_off_on),
            address_failed_on: customers::mail_failed_on(tx, &customer_id).await?,
            customer_id,
            merchants,
        }))
    }
}

/// Adds up what is owed in each currency, without the currencies of which nothing is owed.
fn sums(all: impl Iterator<Item = Owing>) -> Vec<Owing> {
    let mut sums: BTreeMap<Currency, Owing> = BTreeMap::new();
    for owing in all.filter(|owing| owing.amount.minor != 0) {
        let plus = |a: Amount, b: Amount| Amount { minor: a.minor + b.minor, ..a };
        let sum = sums.entry(owing.amount.currency);
        sum.and_modify(|sum| {
            sum.amount = plus(sum.amount, owing.amount);
            sum.late_fee = plus(sum.late_fee, owing.late_fee);
            sum.overdue = plus(sum.overdue, owing.overdue);
        })
        .or_insert(owing);
    }
    sums.into_values().collect()
}

impl AtMerchant {
    /// Returns `None` if the customer has neither an agreement nor an order here.
    async fn load(
        tx: &mut Tx,
        environment: &Environment,
        merchant: &Merchant,
        customer_id: &str,
        questions: &Questions,
        today: NaiveDate,
    ) -> Result<Option<AtMerchant>> {
        let stored = orders::of_customer(tx, &merchant.id, customer_id).await?;
        let standing = customer_standing::of(tx, &merchant.id, &[customer_id]).await?.remove(customer_id);
        let standing = standing.unwrap_or_default();
        if stored.is_empty() && standing.agreements.is_empty() {
            return Ok(None);
        }
        let now = environment.now_of("ingest_files", today);
        let mut here = AtMerchant {
            merchant_id: merchant.id.clone(),
            merchant_name: merchant.name.clone(),
            merchant_name_zh: merchant.name_zh.clone(),
            agreement: agreement_for(&standing.agreements, now)
                .map(|(_, state)| AgreementNow { open: state.open, since: state.since }),
            limit: None,
            limit_left: None,
            no_new_orders: None,
            held_back: None,
            orders: Vec::new(),
            declined: stored.iter().filter_map(DeclinedOrder::of).collect(),
            mails: Vec::new(),
        };
        here.limits(environment, merchant, &standing, today)?;
        let accepted: Vec<StoredOrder> = stored.into_iter().filter(|stored| stored.declined.is_none()).collect();
        let keys: Vec<String> = accepted.iter().map(|stored| stored.order.order_id.clone()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        here.orders = orders_at(tx, environment, merchant, accepted, questions, today).await?;
        here.mails = mails_about(mails::of_orders(tx, &merchant.id, &keys).await?);
        if here.orders.iter().any(|order| order.owed.amount.minor > 0) {
            let at = environment.now_of("watch_feeds", today);
            let missing = held_back::missing_at(tx, environment, merchant, today, Some(at)).await?;
            here.held_back = held_back::in_words(&missing);
        }
        Ok(Some(here))
    }

    /// Asks what the intake would ask about an order of the open day.
    fn limits(
        &mut self,
        environment: &Environment,
        merchant: &Merchant,
        standing: &CustomerStanding,
        today: NaiveDate,
    ) -> Result<()> {
        let terms = merchant.policy.in_force(today);
        let terms = terms.with_context(|| format!("the policy of {} has no version for {today}", merchant.id))?;
        let request = Request {
            amount_minor: 0,
            currency: terms.currency,
            ordered_at: environment.now_of("ingest_files", today),
            today,
            zone: environment.scheme.zone,
        };
        let (applicant, exposure) = (standing.applicant.as_ref(), standing.exposure);
        if let Err(decline) = eligibility::decide(&request, applicant, &standing.agreements, exposure, terms) {
            self.no_new_orders = Some(Reason { code: decline.code().into(), message: decline.to_string() });
        }
        if let Some(band) = applicant.and_then(|applicant| terms.band(applicant.credit_score)) {
            self.limit = Some(Amount::new(band.limit_minor, terms.currency));
            self.limit_left = Some(Amount::new((band.limit_minor - exposure.minor).max(0), terms.currency));
        }
        Ok(())
    }
}

async fn orders_at(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &Merchant,
    accepted: Vec<StoredOrder>,
    questions: &Questions,
    today: NaiveDate,
) -> Result<Vec<CustomerOrder>> {
    let keys: Vec<String> = accepted.iter().map(|stored| stored.order.order_id.clone()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let histories = facts::of_orders(tx, &merchant.id, &keys).await?;
    let positions = positions::of_orders(tx, &merchant.id, &keys).await?;
    let instructions = bank_plans::instructions_of(tx, &merchant.id, &keys).await?;
    let steps = credit_record::of_orders(tx, &merchant.id, &keys).await?;
    let mut steps_of: HashMap<&str, Vec<&CreditStepRow>> = HashMap::new();
    for step in &steps {
        steps_of.entry(&step.order_id).or_default().push(step);
    }
    let news = held_back::news_on(tx, &merchant.id, today).await?;
    let mut orders = Vec::new();
    let cases: Vec<(StoredOrder, Case)> = into_cases(accepted, histories);
    for (StoredOrder { item, .. }, case) in &cases {
        let order_id = case.order.order_id.as_str();
        let books = OrderBooks {
            case,
            item: item.clone(),
            terms: environment.terms(&merchant.id, case.order.policy_version)?,
            positions: positions.get(order_id).map(Vec::as_slice).unwrap_or_default(),
            instructions: instructions.get(order_id).map(Vec::as_slice).unwrap_or_default(),
            journal: &journal::of_order(tx, &merchant.id, order_id).await?,
            credit_steps: steps_of.get(order_id).map(Vec::as_slice).unwrap_or_default(),
            today,
            news,
        };
        orders.push(books.glance(questions)?);
    }
    Ok(orders)
}

impl DeclinedOrder {
    fn of(stored: &StoredOrder) -> Option<DeclinedOrder> {
        let StoredOrder { order, declined, .. } = stored;
        Some(DeclinedOrder {
            order_id: order.order_id.clone(),
            ordered_on: order.ordered_on,
            amount: Amount::new(order.amount_minor, order.currency),
            code: (*declined)?,
        })
    }
}

/// Joins reminders of the same mail, and those of a day that were not sent for the same reason.
fn mails_about(reminders: Vec<ReminderState>) -> Vec<CustomerMail> {
    let mut mails: Vec<(Option<i64>, CustomerMail)> = Vec::new();
    for reminder in reminders {
        let ReminderState { order_id, template, business_date: on, suppressed, mail_no, mail, error, .. } = reminder;
        let status = match (&suppressed, mail) {
            (None, Some(status)) => status,
            _ => "not_planned".to_owned(),
        };
        let mail_no = mail_no.filter(|_| suppressed.is_none());
        let why = suppressed.or(error);
        let same = |(number, other): &&mut (Option<i64>, CustomerMail)| {
            let alike = other.status == status && other.why == why && other.template == template;
            *number == mail_no && (mail_no.is_some() || alike)
        };
        match mails.iter_mut().rev().take_while(|(_, other)| other.on == on).find(same) {
            Some((_, known)) => {
                if !known.order_ids.contains(&order_id) {
                    known.order_ids.push(order_id);
                }
            }
            None => mails.push((mail_no, CustomerMail { on, template, order_ids: vec![order_id], status, why })),
        }
    }
    mails.into_iter().map(|(_, mail)| mail).collect()
}
