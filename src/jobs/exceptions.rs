//! Exceptions closed by people: dated and with a reason, which the report of that day shows. Not a job: nobody does it by
//! the clock.

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;

use super::Scheme;
use crate::files::rows::Kind;
use crate::store::exceptions;

/// The longest reason, in characters.
const LONGEST: usize = 500;

/// An exception as reports name it: `TEA-X12`, or `scheme-X3` of no merchant.
pub fn name(merchant: &str, number: i64) -> String {
    format!("{}-X{number}", if merchant.is_empty() { "scheme" } else { merchant })
}

fn parse(name: &str) -> Option<(&str, i64)> {
    let (merchant, number) = name.rsplit_once("-X")?;
    Some((if merchant == "scheme" { "" } else { merchant }, number.parse().ok()?))
}

/// Closes an open exception on the open day and tells what it was.
pub async fn close(scheme: &Scheme, today: NaiveDate, which: &str, why: &str) -> Result<String> {
    let why = why.trim();
    let plain = !why.is_empty() && why.chars().count() <= LONGEST && !why.chars().any(char::is_control);
    ensure!(plain, "the reason is read by whoever signs the books; write 1 to {LONGEST} characters on one line");
    let (merchant, number) = parse(which)
        .with_context(|| format!("{which:?} is no exception; write its id as in the report, such as TEA-X12"))?;
    let mut tx = scheme.store.write().await?;
    let standing = exceptions::state(&mut tx, merchant, number).await?;
    let standing = standing.with_context(|| format!("there is no exception {which}"))?;
    if let Some(day) = standing.resolved_on {
        bail!("{which} was closed on {day}");
    }
    if standing.waiting.as_deref().and_then(Kind::parse).is_some_and(Kind::is_money) {
        bail!(
            "{which} is about money in suspense; it closes by itself when the row stops waiting: {}",
            standing.message
        );
    }
    exceptions::close(&mut tx, merchant, number, today, why).await?;
    tx.commit().await?;
    tracing::info!(exception = which, code = standing.code, "closed by hand");
    Ok(format!("{} {}", standing.code, standing.message))
}
