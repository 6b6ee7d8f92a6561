//! The position of an instalment on a day: its principal, fees, days past due and credit record.

use chrono::{Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credit_record::CreditRecord;
use super::holds::HoldEffects;
use crate::domain::calendar::{days_between, plus};
use crate::domain::facts::fact::HoldReason;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, EntryKind, Movement, Recorded};

/// The positions that the reports of a day list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListedPositions {
    /// Every open instalment.
    #[default]
    All,
    /// Instalments that the day changed, also those that it closed; every open one on the last day of a month.
    Changed,
}

impl ListedPositions {
    pub const ALL: [ListedPositions; 2] = [ListedPositions::All, ListedPositions::Changed];

    pub fn name(self) -> &'static str {
        match self {
            ListedPositions::All => "all",
            ListedPositions::Changed => "changed",
        }
    }

    pub fn parse(text: &str) -> Option<ListedPositions> {
        ListedPositions::ALL.into_iter().find(|listed| listed.name() == text)
    }

    /// What the reports of a day list.
    pub fn on(self, day: NaiveDate) -> ListedPositions {
        if plus(day, 1).month() == day.month() { self } else { ListedPositions::All }
    }
}

/// The position of an instalment on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub instalment: i64,
    /// All amounts are in minor units.
    pub principal: i64,
    pub due_on: Option<NaiveDate>,
    pub paid: i64,
    pub refunded: i64,
    /// The day of the write-off, and the principal written off, less refunds since.
    pub written_off_on: Option<NaiveDate>,
    pub written_off: i64,
    /// The part of `written_off` that was paid since.
    pub recovered: i64,
    /// Late fee charged in total, after caps and before waivers.
    pub late_fee_charged: i64,
    /// Late fee owed in total, after caps and waivers; for a written-off instalment, the paid part of it.
    pub late_fee: i64,
    pub late_fee_paid: i64,
    /// Days past due as of `decided_on`; [`Position::days_past_due_on`] returns those of a later day.
    pub days_past_due: i64,
    pub credit: CreditRecord,
    /// The hold that covers `decided_on`; if several do, the one that began first.
    pub hold: Option<HoldReason>,
    /// The combined effects of all holds that cover `decided_on`.
    pub hold_effects: HoldEffects,
    pub decided_on: NaiveDate,
    pub next_action_on: Option<NaiveDate>,
}

impl Position {
    /// Principal still owed and not written off.
    pub fn outstanding(&self) -> i64 {
        self.principal - self.paid - self.refunded - self.written_off
    }

    /// Whether the customer still has principal to pay, including written-off principal.
    pub fn is_unpaid(&self) -> bool {
        self.outstanding() > 0 || self.written_off > self.recovered
    }

    pub fn fee_owed(&self) -> i64 {
        self.late_fee - self.late_fee_paid
    }

    /// The late fee as one recorded total, even if it was booked day by day.
    pub fn late_fee_booked(&self) -> Recorded {
        Recorded {
            movement: late_fee_movement(self.instalment),
            minor: self.late_fee_charged,
            effective_on: self.decided_on,
            source: Source::default(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.outstanding() > 0 || self.fee_owed() > 0
    }

    /// What an open instalment adds to the receivables: principal and late fees. A closed one adds nothing.
    pub fn receivable(&self) -> (i64, i64) {
        if self.is_open() { (self.outstanding(), self.fee_owed()) } else { (0, 0) }
    }

    /// The day from which days past due count, as if without a gap: on a later day D, the customer is D minus this day
    /// past due. `None` if nothing is unpaid or nothing is due. A written-off instalment keeps counting here.
    pub fn past_due_from(&self) -> Option<NaiveDate> {
        let due_on = self.due_on.filter(|_| self.is_unpaid())?;
        let counted_to = self.written_off_on.unwrap_or(self.decided_on);
        Some(plus(due_on.max(counted_to), -self.days_past_due))
    }

    /// Days past due on a day from `decided_on` on, if no new fact arrives. An unpaid instalment gains one a day, which
    /// needs no new decision.
    pub fn days_past_due_on(&self, day: NaiveDate) -> i64 {
        match self.due_on {
            Some(due_on) if self.outstanding() > 0 => {
                self.days_past_due + days_between(due_on.max(self.decided_on), day).max(0)
            }
            _ => self.days_past_due,
        }
    }
}

/// The movement that books an instalment's late fee.
pub fn late_fee_movement(instalment: i64) -> Movement {
    Movement {
        kind: EntryKind::LateFee,
        instalment,
        debit: Account::ReceivableLateFee,
        credit: Account::IncomeLateFee,
        cause: String::new(),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    /// 100 due on the 10th, unpaid, and decided on the 12th.
    pub fn position() -> Position {
        Position {
            instalment: 1,
            principal: 100,
            due_on: Some(day(10)),
            paid: 0,
            refunded: 0,
            written_off_on: None,
            written_off: 0,
            recovered: 0,
            late_fee_charged: 0,
            late_fee: 0,
            late_fee_paid: 0,
            days_past_due: 2,
            credit: CreditRecord::default(),
            hold: None,
            hold_effects: HoldEffects::default(),
            decided_on: day(12),
            next_action_on: None,
        }
    }

    #[test]
    fn what_is_open_in_the_books_and_what_the_customer_has_not_paid() {
        let fee = |late_fee, late_fee_paid| Position { late_fee, late_fee_paid, ..position() };
        let paid = |paid, of: Position| Position { paid, ..of };
        let lost = |recovered| Position { written_off: 100, recovered, ..position() };
        for (what, position, outstanding, fee_owed, is_open, is_unpaid) in [
            ("nothing is paid", position(), 100, 0, true, true),
            ("all but one", paid(99, position()), 1, 0, true, true),
            ("paid", paid(100, position()), 0, 0, false, false),
            ("paid and refunded", Position { refunded: 30, ..paid(70, position()) }, 0, 0, false, false),
            ("paid but for the fee", paid(100, fee(5, 0)), 0, 5, true, false),
            ("paid with a part of the fee", paid(100, fee(5, 4)), 0, 1, true, false),
            ("paid with the fee", paid(100, fee(5, 5)), 0, 0, false, false),
            ("the fee is paid, the rest is not", fee(5, 5), 100, 0, true, true),
            ("written off", lost(0), 0, 0, false, true),
            ("written off, and a part of it paid since", lost(99), 0, 0, false, true),
            ("written off, and all of it paid since", lost(100), 0, 0, false, false),
        ] {
            assert_eq!((position.outstanding(), position.fee_owed()), (outstanding, fee_owed), "{what}");
            assert_eq!((position.is_open(), position.is_unpaid()), (is_open, is_unpaid), "{what}");
        }
    }

    #[test]
    fn an_unpaid_instalment_gains_a_day_past_due_each_day() {
        let not_due_yet = Position { decided_on: day(8), days_past_due: 0, ..position() };
        let paid = Position { paid: 100, ..position() };
        let no_due_date = Position { due_on: None, days_past_due: 0, ..position() };
        for (what, position, expected) in [
            ("past due", position(), [(12, 2), (13, 3), (20, 10)]),
            ("not due yet", not_due_yet, [(9, 0), (10, 0), (13, 3)]),
            ("paid", paid, [(12, 2), (13, 2), (20, 2)]),
            ("without a due date", no_due_date, [(12, 0), (13, 0), (20, 0)]),
        ] {
            for (on, days) in expected {
                assert_eq!(position.days_past_due_on(day(on)), days, "{what}, on the {on}th");
            }
        }
    }
}
