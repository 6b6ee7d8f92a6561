//! Exceptions that a person closes, on a day and with a reason, both of which that day's report shows. This is not a
//! job, because it never runs on a schedule.

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;

use super::environment::Environment;
use crate::domain::owner::Owner;
use crate::files::rows::Kind;
use crate::store::exceptions::ExceptionRow;
use crate::store::{Tx, exceptions};

/// The longest reason, in characters.
const LONGEST: usize = 500;

/// Returns an exception's id: `TEA-X12` as in reports, or `scheme-X3` without a merchant. An exception that no report
/// lists yet has an id such as `TEA-N40`. That id stays valid, but the number in the day's report is only known once
/// the day is complete.
pub fn name(row: &ExceptionRow) -> String {
    let owner = &row.owner;
    match row.report_no {
        Some(number) => format!("{owner}-X{number}"),
        None => format!("{owner}-N{}", row.exception_no),
    }
}

/// Returns the owner and the internal number of an exception, from either of its ids.
async fn find<'n>(tx: &mut Tx, name: &'n str) -> Result<(Owner<&'n str>, i64)> {
    let parts = name.rsplit_once('-').map(|(owner, rest)| {
        let number = |letter| rest.strip_prefix(letter).and_then(|number| number.parse::<i64>().ok());
        let owner = if owner == "scheme" { Owner::Scheme } else { Owner::Merchant(owner) };
        (owner, number('X'), number('N'))
    });
    match parts {
        Some((owner, Some(number), _)) => {
            let number = exceptions::reported_as(tx, owner, number).await?;
            Ok((owner, number.with_context(|| unknown(name))?))
        }
        Some((owner, None, Some(number))) => Ok((owner, number)),
        _ => bail!("{name:?} is no exception; write its id as `paylater exceptions` lists it, such as TEA-X12"),
    }
}

fn unknown(which: &str) -> String {
    format!("there is no exception {which}; `paylater exceptions` lists those that are open")
}

/// Closes an open exception on the open day and returns its code and message.
pub async fn close(environment: &Environment, today: NaiveDate, which: &str, why: &str) -> Result<String> {
    let why = why.trim();
    let plain = !why.is_empty() && why.chars().count() <= LONGEST && !why.chars().any(char::is_control);
    ensure!(plain, "the reason is read by whoever signs the books; write 1 to {LONGEST} characters on one line");
    let mut tx = environment.store.write().await?;
    let (owner, number) = find(&mut tx, which).await?;
    let standing = exceptions::state(&mut tx, owner, number).await?;
    let standing = standing.with_context(|| unknown(which))?;
    if let Some(day) = standing.resolved_on {
        bail!("{which} was closed on {day}; nothing was changed");
    }
    if standing.waiting.is_some_and(Kind::is_money) {
        bail!(
            "you cannot close {which}: it is about money in suspense, and closes when the payment is matched: {}",
            standing.message
        );
    }
    exceptions::close(&mut tx, owner, number, today, why).await?;
    tx.commit().await?;
    tracing::info!(exception = which, code = standing.code.name(), "closed by hand");
    Ok(format!("{} {}", standing.code, standing.message))
}
