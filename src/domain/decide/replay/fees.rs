//! Late fees in the replay of an order's money.

use chrono::NaiveDate;

use super::state::{InstalmentState, Replay};
use crate::domain::decide::late_fee::FeeWorkings;
use crate::domain::decide::late_fee::overdue::Overdue;
use crate::domain::facts::fact::What;
use crate::domain::terms::late_fee::LateFee;

/// An instalment's late fee on a day, after caps, and the part that is waived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    pub total: i64,
    pub waived: i64,
}

impl Fee {
    pub fn net(self) -> i64 {
        self.total - self.waived
    }
}

impl Replay<'_> {
    /// Every instalment's fee at the end of a day.
    pub fn fees(&self, instalments: &[InstalmentState], day: NaiveDate) -> Vec<Fee> {
        self.fees_waived_by(instalments, day, day)
    }

    /// Every instalment's fee at the end of a day, with the waivers effective by another day.
    pub(in crate::domain::decide) fn fees_waived_by(
        &self,
        instalments: &[InstalmentState],
        day: NaiveDate,
        waived_by: NaiveDate,
    ) -> Vec<Fee> {
        let mut waivers: i64 = self
            .facts
            .iter()
            .map(|fact| match fact.what {
                What::Waiver { minor } if fact.effective_on <= waived_by => minor,
                _ => 0,
            })
            .sum();
        let totals = self.late_fee().totals(self.order.amount_minor, self.overdue(instalments), day);
        let net_of_waivers = totals.into_iter().map(|total| {
            let waived = waivers.min(total);
            waivers -= waived;
            Fee { total, waived }
        });
        net_of_waivers.collect()
    }

    /// The first day after `day` on which each fee can change without a new fact.
    pub fn fee_changes(&self, instalments: &[InstalmentState], fees: &[Fee], day: NaiveDate) -> Vec<Option<NaiveDate>> {
        let charged = fees.iter().map(|fee| fee.total).sum();
        self.late_fee().next_changes(self.order.amount_minor, self.overdue(instalments), charged, day).collect()
    }

    /// How each fee is computed at the end of a day.
    pub fn fee_workings(&self, instalments: &[InstalmentState], day: NaiveDate) -> Vec<FeeWorkings> {
        self.late_fee().workings(self.order.amount_minor, self.overdue(instalments), day)
    }

    fn late_fee(&self) -> &LateFee {
        self.terms.late_fee.of(self.order.amount_minor)
    }

    /// The facts that the late fee of each instalment depends on; `None` for an instalment without a due date.
    fn overdue<'s>(&'s self, instalments: &'s [InstalmentState]) -> impl Iterator<Item = Option<Overdue<'s>>> + Clone {
        instalments.iter().map(|state| {
            Some(Overdue {
                ordered_on: self.order.ordered_on,
                due_on: state.due.due_on?,
                order_minor: self.order.amount_minor,
                instalment_minor: state.due.minor,
                principal: &state.principal,
                written_off_on: state.written_off.map(|written_off| written_off.on),
                held: self.held,
            })
        })
    }
}
