//! Decides every position that can change today, and posts the differences to the books.

use anyhow::{Result, ensure};
use chrono::NaiveDate;

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::order_decisions::{Changed, decide_orders};
use crate::books::{culprit, suspense};
use crate::domain::words::count;
use crate::scheme::Merchant;
use crate::store::{exceptions, orders};

/// The number of orders decided in one transaction. It bounds memory, and the work that an interruption loses.
const AT_ONCE: i64 = 10_000;

pub async fn run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Done> {
    let mut changed =
        Changed { entries: suspense::book(environment, &merchant.id, today).await?, ..Changed::default() };
    let mut before: Vec<String> = Vec::new();
    loop {
        let mut tx = environment.store.write().await?;
        let page = orders::to_decide(&mut tx, &merchant.id, today, AT_ONCE).await?;
        if page.is_empty() {
            break;
        }
        // An order that was decided today needs no decision before tomorrow.
        ensure!(
            page.first() != before.first(),
            "order {} was decided for {today} and is still due to be decided",
            page[0]
        );
        let ids: Vec<&str> = page.iter().map(String::as_str).collect();
        match decide_orders(&mut tx, environment, &merchant.id, &ids, today).await {
            Ok(decided) => changed.add(decided),
            Err(why) => {
                drop(tx);
                let attempt = async |ids: &[&str]| {
                    let mut tx = environment.store.write().await?;
                    decide_orders(&mut tx, environment, &merchant.id, ids, today).await.map(|_| ())
                };
                return Err(culprit::named(&merchant.id, &ids, |id| *id, why, attempt).await);
            }
        }
        tx.commit().await?;
        (environment.progress)(&format!("{today} {}: {} decided", merchant.id, count(changed.decided, "order")));
        before = page;
    }
    let mut tx = environment.store.write().await?;
    exceptions::resolve_owing(&mut tx, &merchant.id, today).await?;
    tx.commit().await?;
    Ok(Done(vec![
        ("orders decided", changed.decided),
        ("journal entries", changed.entries),
        ("credit steps", changed.credit_steps),
    ]))
}

pub async fn dry_run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    let orders = orders::count_to_decide(&mut tx, &merchant.id, today).await?;
    Ok(vec![format!("{}: {} would be decided for {today}", merchant.id, count(orders, "order"))])
}
