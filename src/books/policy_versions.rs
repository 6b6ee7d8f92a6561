//! Policy versions that orders keep must not change. New terms need a new version.

use anyhow::{Result, bail};
use chrono::NaiveDate;

use super::environment::Environment;
use super::reference_rates;
use crate::scheme::{Changed, Merchant, Slice, changed};
use crate::store::{Tx, scheme};

/// Fails if a policy version that a merchant's orders keep was changed, or, for the scheme, a reference rate that days
/// were closed on. Reference rates belong to the scheme, because the policies of several merchants may refer to them.
pub async fn check(tx: &mut Tx, environment: &Environment, slice: Slice<'_>) -> Result<()> {
    match slice {
        Slice::Scheme => reference_rates::check(tx, environment).await,
        Slice::Merchant(merchant) => check_merchant(tx, merchant).await,
    }
}

async fn check_merchant(tx: &mut Tx, merchant: &Merchant) -> Result<()> {
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
    Ok(())
}

/// Returns the fingerprint of a version's terms and calendars. It is stored with the first order that is decided on the
/// version.
pub fn version_fingerprint(merchant: &Merchant, version: NaiveDate) -> Option<&str> {
    let at = merchant.policy.versions.iter().position(|terms| terms.effective_from == version)?;
    merchant.fingerprints.get(at).map(String::as_str)
}
