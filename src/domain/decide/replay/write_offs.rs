//! Write-offs in the replay of an order's money: an instalment that stays unpaid is given up.

use chrono::NaiveDate;

use super::state::{InstalmentState, Replay, WriteOff};
use crate::domain::calendar::days_between;

impl Replay<'_> {
    /// Writes off the instalments that have been past due for as many days as the policy says by the end of `day`.
    pub(super) fn write_off(&self, instalments: &mut [InstalmentState], day: NaiveDate) {
        let Some(after) = self.terms.write_off_after else { return };
        for state in instalments.iter_mut().filter(|state| state.written_off.is_none()) {
            let long_ago = state.due.due_on.filter(|due_on| days_between(*due_on, day) >= after);
            let comes_on = long_ago.and_then(|due_on| state.principal.nth_day_past_due(due_on, after));
            if let Some(on) = comes_on.filter(|on| *on <= day) {
                state.written_off = Some(WriteOff { on, minor: state.principal.left(on) });
            }
        }
    }
}
