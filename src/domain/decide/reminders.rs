//! The reminder that is due on a day.

use chrono::NaiveDate;

use crate::domain::calendar::plus;

/// What a mail, or a part of it, is about, from mild to severe: a mail about several things is named after the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Template {
    OrderAccepted,
    PaymentReceived,
    RefundNoted,
    /// Customer credit that was paid out.
    CreditPaidOut,
    HoldEnded,
    HoldBegun,
    ExtensionAgreed,
    /// A credit flag that was taken back.
    ReportWithdrawn,
    /// A debit in the next days.
    DebitAnnounced,
    Upcoming,
    DueToday,
    /// The first late fee of an instalment.
    FeeCharged,
    DebitFailed,
    Overdue,
    /// A notice before a negative report.
    Notice,
}

impl Template {
    pub const ALL: [Template; 15] = [
        Template::OrderAccepted,
        Template::PaymentReceived,
        Template::RefundNoted,
        Template::CreditPaidOut,
        Template::HoldEnded,
        Template::HoldBegun,
        Template::ExtensionAgreed,
        Template::ReportWithdrawn,
        Template::DebitAnnounced,
        Template::Upcoming,
        Template::DueToday,
        Template::FeeCharged,
        Template::DebitFailed,
        Template::Overdue,
        Template::Notice,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Template::OrderAccepted => "order_accepted",
            Template::PaymentReceived => "payment_received",
            Template::RefundNoted => "refund_noted",
            Template::CreditPaidOut => "credit_paid_out",
            Template::HoldEnded => "hold_ended",
            Template::HoldBegun => "hold_begun",
            Template::ExtensionAgreed => "extension_agreed",
            Template::ReportWithdrawn => "report_withdrawn",
            Template::DebitAnnounced => "debit_announced",
            Template::Upcoming => "upcoming",
            Template::DueToday => "due_today",
            Template::FeeCharged => "fee_charged",
            Template::DebitFailed => "debit_failed",
            Template::Overdue => "overdue",
            Template::Notice => "notice",
        }
    }

    /// Whether it asks for an amount of an instalment. The others tell of something that happened.
    pub fn asks(self) -> bool {
        match self {
            Template::DebitAnnounced
            | Template::Upcoming
            | Template::DueToday
            | Template::Overdue
            | Template::Notice => true,
            Template::OrderAccepted
            | Template::PaymentReceived
            | Template::RefundNoted
            | Template::CreditPaidOut
            | Template::HoldEnded
            | Template::HoldBegun
            | Template::ExtensionAgreed
            | Template::ReportWithdrawn
            | Template::FeeCharged
            | Template::DebitFailed => false,
        }
    }

    pub fn parse(text: &str) -> Option<Template> {
        Template::ALL.into_iter().find(|template| template.name() == text)
    }

    /// The template of a reminder step, in days around the due date.
    pub fn of_step(step: i64) -> Template {
        match step {
            ..0 => Template::Upcoming,
            0 => Template::DueToday,
            1.. => Template::Overdue,
        }
    }
}

/// The due dates that a reminder step reaches on a day, each with its step. A step missed yesterday is not included.
pub fn due_dates(steps: &[i64], today: NaiveDate) -> Vec<(NaiveDate, i64)> {
    steps.iter().map(|step| (plus(today, -step), *step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_right_on_its_day_only() {
        let today: NaiveDate = "2026-03-10".parse().unwrap();
        let found = due_dates(&[-3, 0, 7], today);
        let days: Vec<_> = found.iter().map(|(due_on, step)| (due_on.to_string(), *step)).collect();
        assert_eq!(days, [("2026-03-13".into(), -3), ("2026-03-10".into(), 0), ("2026-03-03".into(), 7)]);
    }
}
