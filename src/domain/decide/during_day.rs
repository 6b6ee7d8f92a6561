//! What a customer owes while a day is open. Changes of the day's end (fee, credit step, write-off) come with the end,
//! not before it.

use chrono::NaiveDate;

use super::credit_record::CreditRecord;
use super::known_order::{KnownOrder, Moment};
use super::position::Position;
use crate::domain::business_days::NoYear;
use crate::domain::facts::case::Case;
use crate::domain::terms::policy::Terms;

/// What the customer owes on an instalment while a day is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The position at the end of the day before, with the facts since.
    pub position: Position,
    /// The day whose end adds a late fee, or adds to it, if nothing is paid by then.
    pub fee_grows_on: Option<NaiveDate>,
    /// The day since which no principal is left.
    pub gone_on: Option<NaiveDate>,
}

/// Returns what the customer owes while `today` is open, from the days that are over and the known facts that take
/// effect by `today`. The credit records are returned unchanged.
pub fn owed_now(case: &Case, terms: &Terms, records: &[CreditRecord], today: NaiveDate) -> Result<Vec<Owed>, NoYear> {
    if case.order.ordered_on > today {
        return Ok(Vec::new());
    }
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::during(today));
    let (result, fees) = known.money()?;
    let positions = known.positions(&result.instalments, &fees, records);
    let fee_changes = known.replay().fee_changes(&result.instalments, &fees, known.at.over);
    let owed =
        positions.into_iter().zip(fee_changes).zip(&result.instalments).map(|((position, changes_on), state)| {
            let fee_grows_on = changes_on.filter(|_| position.outstanding() > 0);
            Owed { position, fee_grows_on, gone_on: state.principal.gone_since() }
        });
    Ok(owed.collect())
}

/// Returns the positions at the end of `day`, today or later, if nothing more becomes known and nothing is paid.
pub fn if_unpaid_on(case: &Case, terms: &Terms, today: NaiveDate, day: NaiveDate) -> Result<Vec<Position>, NoYear> {
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(day));
    let (result, fees) = known.money()?;
    Ok(known.positions(&result.instalments, &fees, &[]))
}
