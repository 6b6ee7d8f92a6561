//! What it takes to be rid of an order on a day. A property test pays it, decides the order again, and finds nothing left.

use chrono::{NaiveDate, NaiveTime};

use super::during_day::owed_now;
use super::position::Position;
use crate::domain::business_days::NoYear;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::What;
use crate::domain::terms::policy::Terms;

/// Everything that the customer still has to pay on an instalment: principal, late fee, and what was written off.
pub fn owed_in_all(position: &Position) -> i64 {
    position.outstanding() + position.fee_owed() + (position.written_off - position.recovered)
}

/// Returns the amount that, paid on a day, leaves nothing of the order to pay, if nothing else becomes known until then.
pub fn pay_off(case: &Case, terms: &Terms, on: NaiveDate) -> Result<i64, NoYear> {
    let owed = owed_now(case, terms, &[], on)?;
    Ok(owed.iter().map(|owed| owed_in_all(&owed.position)).sum())
}

/// Returns the order with a payment at the end of a day.
pub fn paid(case: &Case, minor: i64, on: NaiveDate) -> Case {
    let last_second = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN);
    case.with(&What::Payment { minor, suspended: false }, on.and_time(last_second).and_utc(), on)
}
