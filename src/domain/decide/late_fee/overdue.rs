//! The facts that an instalment's late fee depends on.

use chrono::NaiveDate;

use crate::domain::decide::holds::HeldDays;
use crate::domain::decide::principal::Principal;

/// The facts that a fee depends on.
pub struct Overdue<'a> {
    pub ordered_on: NaiveDate,
    pub due_on: NaiveDate,
    pub order_minor: i64,
    pub instalment_minor: i64,
    /// Principal left at the end of each day.
    pub principal: &'a Principal,
    /// The day of the write-off; the fee stops growing then.
    pub written_off_on: Option<NaiveDate>,
    /// Days covered by holds with effect `fees`.
    pub held: &'a HeldDays,
}

impl Overdue<'_> {
    /// The last day that counts for the fee at the end of `day`.
    pub(super) fn counted_to(&self, day: NaiveDate) -> NaiveDate {
        self.written_off_on.map_or(day, |written_off_on| written_off_on.min(day))
    }
}
