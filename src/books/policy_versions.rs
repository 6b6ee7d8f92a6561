//! Policy versions that orders keep must not change. New terms need a new version.

use anyhow::{Result, bail};
use chrono::NaiveDate;

use super::environment::Environment;
use super::reference_rates;
use crate::scheme::{Changed, Merchant, changed};
use crate::store::{Tx, scheme};

/// Fails if a policy version that orders keep, or a reference rate that days were closed on, was changed.
pub async fn check(tx: &mut Tx, environment: &Environment) -> Result<()> {
    for merchant in &environment.scheme.merchants {
        for (version, recorded) in scheme::policy_versions(tx, &merchant.id).await? {
            let now = version_fingerprint(merchant, version).unwrap_or_default();
            match changed(&recorded, now) {
                None => {}
                Some(Changed::Terms) => bail!(
                    "version {version} of the policy of {} was changed after orders were decided on it, in its own file \
                     or in what it inherits; put it back as it was and add a new [[version]] with its own effective_from",
                    merchant.id
                ),
                Some(Changed::Days(year)) => bail!(
                    "days of the calendar year {year} were changed after orders were decided on version {version} of the \
                     policy of {}; put them back as they were, write the calendar under another name, and add a new \
                     [[version]] that names it",
                    merchant.id
                ),
            }
        }
    }
    reference_rates::check(tx, environment).await
}

/// Returns the fingerprint of a version's terms and calendars. It is stored with the first order that is decided on the
/// version.
pub fn version_fingerprint(merchant: &Merchant, version: NaiveDate) -> Option<&str> {
    let at = merchant.policy.versions.iter().position(|terms| terms.effective_from == version)?;
    merchant.fingerprints.get(at).map(String::as_str)
}
