//! Reference rates that days were closed on stay as they were. What was sealed was computed with them, so a table that
//! said something else today would silently disagree with the books. New entries are for days still open.

use anyhow::{Result, ensure};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::Scheme;
use crate::files::reports::sha256;
use crate::store::{Tx, scheme};

/// Keeps the entries in force on a day that is closed, as the versions of policies are kept.
pub async fn keep(tx: &mut Tx, scheme: &Scheme, today: NaiveDate) -> Result<()> {
    for (name, table) in &scheme.config.rates.tables {
        for (from, rate) in table.entries().iter().filter(|(from, _)| *from <= today) {
            scheme::use_policy_version(tx, &kept_as(name), *from, &fingerprint(*rate), today).await?;
        }
    }
    Ok(())
}

/// Refuses to go on if an entry that days were closed on was changed, or one was put in between or after them.
pub async fn check(tx: &mut Tx, scheme: &Scheme) -> Result<()> {
    let Some(sealed) = scheme::last_sealed(tx).await? else { return Ok(()) };
    let sealed = sealed.business_date;
    for (name, table) in &scheme.config.rates.tables {
        let kept = scheme::policy_versions(tx, &kept_as(name)).await?;
        for (from, recorded) in &kept {
            let entry = table.entries().iter().find(|(day, _)| day == from);
            ensure!(
                entry.is_some_and(|(_, rate)| fingerprint(*rate) == *recorded),
                "the entry of {from} in reference_rates.{name} was changed or left out after days were closed on it; put \
                 it back as it was and add a new entry from a day that is still open"
            );
        }
        let Some((first, _)) = kept.first() else { continue };
        for (from, _) in table.entries().iter().filter(|(from, _)| first < from && *from <= sealed) {
            ensure!(
                kept.iter().any(|(day, _)| day == from),
                "the entry of {from} in reference_rates.{name} is new, but days up to {sealed} are closed; write it with a \
                 later day"
            );
        }
    }
    Ok(())
}

/// Merchants' ids have no point, so no policy is kept under this name.
fn kept_as(name: &str) -> String {
    format!("reference_rates.{name}")
}

fn fingerprint(rate: Decimal) -> String {
    sha256(rate.normalize().to_string().as_bytes())
}
