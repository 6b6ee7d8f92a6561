//! Whether files may be taken in on the terms as they are configured.

use anyhow::Result;
use chrono::NaiveDate;

use crate::books::environment::Environment;
use crate::books::policy_versions;
use crate::scheme::Slice;
use crate::store::Tx;

/// Refuses to take in files of a slice whose terms were changed after use, or whose orders would fall due in a year that no
/// calendar covers.
pub async fn check(tx: &mut Tx, environment: &Environment, slice: Slice<'_>, today: NaiveDate) -> Result<()> {
    policy_versions::check(tx, environment, slice).await?;
    slice.merchant().map_or(Ok(()), |merchant| merchant.check_calendar(today))
}
