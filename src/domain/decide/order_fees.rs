//! How the late fees of an order are computed, for explaining them.

use chrono::NaiveDate;

use super::known_order::{KnownOrder, Moment};
use super::late_fee::FeeWorkings;
use crate::domain::business_days::NoYear;
use crate::domain::facts::case::Case;
use crate::domain::terms::policy::Terms;

/// How the late fee of each instalment is computed at the end of `today`, for explaining it.
pub fn fee_workings(case: &Case, terms: &Terms, today: NaiveDate) -> Result<Vec<FeeWorkings>, NoYear> {
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(today));
    let (result, _) = known.money()?;
    Ok(known.replay().fee_workings(&result.instalments, today))
}
