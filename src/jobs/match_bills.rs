//! Matches providers' bills with the money in the books. It is part of the close, so that the day's report shows both
//! sides at the end of the day. It books nothing.

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::bill_matching::{self, Left};
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::scheme::Merchant;

pub async fn run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Done> {
    let mut tx = environment.store.write().await?;
    let done = bill_matching::match_day(&mut tx, environment, merchant, today).await?;
    tx.commit().await?;
    let Left { settled, unsettled, awaited, ended, late } = done;
    Ok(Done(vec![
        ("matched", settled),
        ("no longer matched", unsettled),
        ("awaited", awaited),
        ("no longer awaited", ended),
        ("late", late),
    ]))
}

pub async fn dry_run(environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    let Left { settled, unsettled, awaited, ended, late } =
        bill_matching::left(&mut tx, environment, merchant, today).await?;
    Ok(vec![format!(
        "{}: bill rows that would be matched: {settled}, unmatched again: {unsettled}; payments and refunds that would \
         be expected in a bill: {awaited}, no longer expected: {ended}, reported as late: {late}",
        merchant.id
    )])
}
