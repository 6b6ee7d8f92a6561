//! Decides every position on which something can change today, and posts the difference to the books.

use anyhow::{Result, ensure};
use chrono::NaiveDate;

use super::deciding::{Changed, PAGE, decide_orders};
use super::{Done, Environment, held_back, suspense};
use crate::store::orders;

pub async fn run(environment: &Environment, today: NaiveDate) -> Result<Done> {
    let mut tx = environment.store.write().await?;
    held_back::settle(&mut tx, environment, today).await?;
    tx.commit().await?;
    let mut changed = Changed::default();
    for merchant in &environment.scheme.merchants {
        changed.entries += suspense::book(environment, &merchant.id, today).await?;
        let mut before: Vec<String> = Vec::new();
        loop {
            let mut tx = environment.store.write().await?;
            let page = orders::to_decide(&mut tx, &merchant.id, today, PAGE).await?;
            if page.is_empty() {
                break;
            }
            // What was decided today has nothing to decide before tomorrow.
            ensure!(page.first() != before.first(), "order {} is never done being decided for {today}", page[0]);
            let ids: Vec<&str> = page.iter().map(String::as_str).collect();
            changed.add(decide_orders(&mut tx, environment, &merchant.id, &ids, today).await?);
            tx.commit().await?;
            (environment.progress)(&format!("{today} {}: {} orders decided", merchant.id, changed.decided));
            before = page;
        }
    }
    Ok(Done(vec![
        ("orders decided", changed.decided),
        ("journal entries", changed.entries),
        ("credit steps", changed.credit_steps),
    ]))
}

pub async fn dry_run(environment: &Environment, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    let mut would = Vec::new();
    for merchant in &environment.scheme.merchants {
        let count = orders::count_to_decide(&mut tx, &merchant.id, today).await?;
        would.push(format!("{}: {count} orders would be decided for {today}", merchant.id));
    }
    Ok(would)
}
