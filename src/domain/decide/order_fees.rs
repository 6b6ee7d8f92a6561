//! Late fees of an order apart from its decision: the day on which each fell due, and how it came about.

use chrono::NaiveDate;

use super::end_of_day::Decision;
use super::known_order::{KnownOrder, Moment};
use super::late_fee::FeeWorkings;
use crate::domain::business_days::NoYear;
use crate::domain::calendar::{first_between, plus};
use crate::domain::facts::case::Case;
use crate::domain::journal::{Declared, Kind, Recorded, booked};
use crate::domain::terms::policy::Terms;

/// How the late fee of each instalment comes about at the end of `today`, for explaining it.
pub fn fee_workings(case: &Case, terms: &Terms, today: NaiveDate) -> Result<Vec<FeeWorkings>, NoYear> {
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(today));
    let (result, _) = known.money()?;
    Ok(known.replay().fee_workings(&result.instalments, today))
}

/// Dates the late fees and waivers that the books lack: each by the day on which it fell due. That is `today`, unless it
/// becomes known late; then it is dated before the payment that pays it.
pub fn date_fees(
    decision: &mut Decision,
    case: &Case,
    terms: &Terms,
    recorded: &[Recorded],
    today: NaiveDate,
) -> Result<(), NoYear> {
    let is_fee = |declared: &Declared| matches!(declared.movement.kind, Kind::LateFee | Kind::Waiver);
    let lacks = |declared: &&mut Declared| is_fee(declared) && declared.minor > booked(&declared.movement, recorded);
    let mut lacking = decision.movements.iter_mut().filter(lacks).peekable();
    if lacking.peek().is_none() {
        return Ok(());
    }
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(today));
    let replay = known.replay();
    let instalments = known.money()?.0.instalments;
    for declared in lacking {
        let had = booked(&declared.movement, recorded);
        let at = instalments.iter().position(|state| state.due.instalment == declared.movement.instalment);
        let is_more_on = |day: NaiveDate| {
            let fee = at.and_then(|at| replay.fees(&instalments, day).into_iter().nth(at));
            fee.is_some_and(|fee| (if declared.movement.kind == Kind::LateFee { fee.total } else { fee.waived }) > had)
        };
        let yesterday = plus(today, -1);
        declared.effective_on =
            if is_more_on(yesterday) { first_between(case.order.ordered_on, yesterday, is_more_on) } else { today };
    }
    Ok(())
}
