//! Reference rates that closed days were computed with must not change: a different table would silently disagree with
//! the sealed books. New entries start on days that are still open.

use anyhow::{Result, ensure};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::environment::Environment;
use crate::files::reports::sha256;
use crate::store::{Tx, reference_rates, scheme};

/// Records the entries in force on a day that is being closed.
pub async fn keep(tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
    for (name, table) in &environment.scheme.reference_rates {
        for (from, rate) in table.entries().iter().filter(|(from, _)| *from <= today) {
            reference_rates::record(tx, name, *from, &fingerprint(*rate), today).await?;
        }
    }
    Ok(())
}

/// Refuses to continue if an entry that closed days used was changed, or an entry was added for a day that is closed.
pub async fn check(tx: &mut Tx, environment: &Environment) -> Result<()> {
    let Some(sealed) = scheme::last_sealed(tx).await? else { return Ok(()) };
    let sealed = sealed.business_date;
    for (name, table) in &environment.scheme.reference_rates {
        let used = reference_rates::used(tx, name).await?;
        for (from, recorded) in &used {
            let entry = table.entries().iter().find(|(day, _)| day == from);
            ensure!(
                entry.is_some_and(|(_, rate)| fingerprint(*rate) == *recorded),
                "the entry of {from} in reference_rates.{name} was changed or left out after days were closed on it; put \
                 it back as it was and add a new entry from a day that is still open"
            );
        }
        let Some((first, _)) = used.first() else { continue };
        for (from, _) in table.entries().iter().filter(|(from, _)| first < from && *from <= sealed) {
            ensure!(
                used.iter().any(|(day, _)| day == from),
                "the entry of {from} in reference_rates.{name} is new, but days up to {sealed} are closed; write it with a \
                 later day"
            );
        }
    }
    Ok(())
}

fn fingerprint(rate: Decimal) -> String {
    sha256(rate.normalize().to_string().as_bytes())
}
