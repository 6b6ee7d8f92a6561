//! The credit record of an instalment: its status, as a series of dated steps.

use chrono::NaiveDate;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditStatus {
    #[default]
    Clear,
    OnTime,
    NoticeDue,
    NoticeSent,
    Flagged,
    SettledLate,
    Corrected,
    Expired,
}

impl CreditStatus {
    pub const ALL: [CreditStatus; 8] = [
        CreditStatus::Clear,
        CreditStatus::OnTime,
        CreditStatus::NoticeDue,
        CreditStatus::NoticeSent,
        CreditStatus::Flagged,
        CreditStatus::SettledLate,
        CreditStatus::Corrected,
        CreditStatus::Expired,
    ];

    pub fn name(self) -> &'static str {
        match self {
            CreditStatus::Clear => "clear",
            CreditStatus::OnTime => "on_time",
            CreditStatus::NoticeDue => "notice_due",
            CreditStatus::NoticeSent => "notice_sent",
            CreditStatus::Flagged => "flagged",
            CreditStatus::SettledLate => "settled_late",
            CreditStatus::Corrected => "corrected",
            CreditStatus::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<CreditStatus> {
        CreditStatus::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// The status of an instalment's record, and the business date since which it applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreditRecord {
    pub status: CreditStatus,
    pub since: Option<NaiveDate>,
    /// The day of the flag in the record, whether or not the instalment is settled.
    pub flagged_on: Option<NaiveDate>,
}

impl CreditRecord {
    /// The record after a step on a business date.
    pub fn after(self, status: CreditStatus, today: NaiveDate) -> CreditRecord {
        let flagged_on = match status {
            CreditStatus::Flagged => Some(today),
            // A notice before a further flag, or a late settlement, keeps the earlier flag in the record.
            CreditStatus::NoticeDue | CreditStatus::NoticeSent | CreditStatus::SettledLate => self.flagged_on,
            CreditStatus::Clear | CreditStatus::OnTime | CreditStatus::Corrected | CreditStatus::Expired => None,
        };
        CreditRecord { status, since: Some(today), flagged_on }
    }
}

/// Why a step was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepReason {
    PaidByDueDate,
    PaymentChargedBack,
    NotPaidByDueDate,
    PastDue,
    NoticeSent,
    PaidBeforeFlag,
    NoLongerPastDue,
    NoticeTooEarly,
    WrittenOffBeforeNotice,
    UnpaidAfterNotice,
    PaidAfterFlag,
    FlagNotDue,
    FlagHeld,
    /// The flag was set and found wrong on the same open day, before its export.
    FlagWithdrawn,
    Expired,
}

impl StepReason {
    /// The reason in words, as the store keeps it and reports show it.
    pub fn words(self) -> &'static str {
        match self {
            StepReason::PaidByDueDate => "paid by the due date",
            StepReason::PaymentChargedBack => "paid by the due date, but the payment was taken back",
            StepReason::NotPaidByDueDate => "late news: it was not paid by the due date",
            StepReason::PastDue => "days past due reached",
            StepReason::NoticeSent => "notice sent",
            StepReason::PaidBeforeFlag => "paid before a flag",
            StepReason::NoLongerPastDue => "no longer past due",
            StepReason::NoticeTooEarly => "the notice was sent too early: held or not so late on its day",
            StepReason::WrittenOffBeforeNotice => "written off before a notice was sent",
            StepReason::UnpaidAfterNotice => "still unpaid after notice",
            StepReason::PaidAfterFlag => "paid after the flag",
            StepReason::FlagNotDue => "the flag was wrong: paid or not due before it",
            StepReason::FlagHeld => "the flag was wrong: a hold covers its day",
            StepReason::FlagWithdrawn => "the flag was wrong and is withdrawn before it was exported",
            StepReason::Expired => "the policy's time after its settlement is over",
        }
    }
}

/// A step to add to the credit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditStep {
    pub instalment: i64,
    pub status: CreditStatus,
    pub days_past_due: i64,
    /// Principal owed at the time.
    pub minor: i64,
    pub reason: StepReason,
}
