//! What a customer owes on an order when the next day opens.

use chrono::NaiveDate;

use super::credit_record::CreditRecord;
use super::during_day::owed_now;
use super::position::Position;
use crate::domain::business_days::NoYear;
use crate::domain::calendar::plus;
use crate::domain::facts::case::Case;
use crate::domain::terms::policy::Terms;

/// What the customer owes on an order when the next day opens: the state at the end of this day, with the facts known
/// now that take effect on the next day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opening {
    /// Principal, in minor units.
    pub owed_minor: i64,
    /// See [`Position::past_due_from`]; for several instalments, the earliest.
    pub past_due_from: Option<NaiveDate>,
}

impl Opening {
    /// What the customer owes when the day after `today` opens, if `positions` are those at the end of `today`.
    pub(super) fn after(
        today: NaiveDate,
        case: &Case,
        terms: &Terms,
        records: &[CreditRecord],
        positions: &[Position],
    ) -> Result<Opening, NoYear> {
        let tomorrow = plus(today, 1);
        let changes_overnight = case.facts.iter().any(|fact| fact.effective_on == tomorrow);
        if !changes_overnight {
            return Ok(Opening::of(positions));
        }
        Ok(Opening::of(owed_now(case, terms, records, tomorrow)?.iter().map(|owed| &owed.position)))
    }

    pub(super) fn of<'p>(positions: impl IntoIterator<Item = &'p Position> + Clone) -> Opening {
        Opening {
            owed_minor: positions.clone().into_iter().map(Position::outstanding).sum(),
            past_due_from: positions.into_iter().filter_map(Position::past_due_from).min(),
        }
    }
}
