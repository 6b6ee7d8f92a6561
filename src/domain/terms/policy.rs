//! A merchant's terms, in versions. An order keeps the version in force on the day it was ordered.

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;

use super::due_dates::{Clock, DaysOff, DueDay, Share};
use super::hold::{HoldEffect, HoldRule};
use super::instructions::{DebitRule, PayOutRule};
use super::late_fee::LateFees;
use super::reminders::Reminders;
use crate::domain::facts::fact::HoldReason;
use crate::domain::money::Currency;

/// All versions of a merchant's terms, oldest first, each with its own effective date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub versions: Vec<Terms>,
}

impl Policy {
    /// The terms in force on a day.
    pub fn in_force(&self, day: NaiveDate) -> Option<&Terms> {
        self.versions.iter().rev().find(|terms| terms.effective_from <= day)
    }

    /// The terms an order was decided on.
    pub fn version(&self, effective_from: NaiveDate) -> Option<&Terms> {
        self.versions.iter().find(|terms| terms.effective_from == effective_from)
    }
}

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Also the name of the version: no two versions share a date.
    pub effective_from: NaiveDate,
    pub currency: Currency,
    pub clock: Clock,
    pub cut_off: Option<NaiveTime>,
    /// Days by which a fact may be dated before its order, since clocks differ.
    pub before_order: i64,
    /// By score, lowest first.
    pub bands: Vec<Band>,
    /// Days after the order; if its term has not started by then, an exception reports it.
    pub not_fulfilled_after: Option<i64>,
    /// Days after the order at whose end the order is cancelled if no fulfilment is known.
    pub cancel_unfulfilled_after: Option<i64>,
    /// Replaces the band's term.
    pub due_day: Option<DueDay>,
    /// How due dates avoid days off; `None` if there are no days off.
    pub days_off: Option<DaysOff>,
    /// The most days that any amount may be overdue before the customer's new orders are declined.
    pub freeze_when_overdue: Option<i64>,
    /// If empty, there is one instalment with the band's term.
    pub instalments: Vec<Share>,
    /// What the merchant pays for an order, as a share of its amount after refunds.
    pub service_fee: Decimal,
    /// Days from booking until the merchant is owed the money.
    pub payable_after: i64,
    /// Days after the clock day within which a refund is accepted.
    pub refund_window: Option<i64>,
    pub allocation: Allocation,
    pub late_fee: LateFees,
    pub extension: Option<ExtensionLimits>,
    pub holds: Vec<HoldRule>,
    pub reminders: Reminders,
    pub credit: Option<CreditRule>,
    /// `None` if nothing is collected by debit.
    pub debit: Option<DebitRule>,
    /// `None` if customer credit stays in the books.
    pub pay_out: Option<PayOutRule>,
    /// Days past due after which an instalment is written off.
    pub write_off_after: Option<i64>,
}

impl Terms {
    /// The band of a score: the highest band that the score reaches.
    pub fn band(&self, score: i64) -> Option<&Band> {
        self.bands.iter().rev().find(|band| band.score <= score)
    }

    /// The most days by which extensions, together with one hold of each reason, can delay a due date.
    pub fn longest_delay(&self) -> i64 {
        let extended = self.extension.map_or(0, |limits| limits.times * limits.days);
        let rules = HoldReason::ALL.into_iter().map(|reason| self.hold_rule(reason));
        let held: i64 = rules.filter(|rule| rule.effects.contains(&HoldEffect::Clock)).map(|rule| rule.days).sum();
        extended + held
    }

    pub fn hold_rule(&self, reason: HoldReason) -> HoldRule {
        self.holds.iter().find(|rule| rule.reason == reason).cloned().unwrap_or_else(|| HoldRule::default_for(reason))
    }
}

/// The limit and the term from a score on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    pub score: i64,
    pub limit_minor: i64,
    pub term: i64,
}

/// Whether a payment pays the late fee or the principal of an instalment first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    FeeFirst,
    PrincipalFirst,
}

/// The extensions that a merchant may grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionLimits {
    pub times: i64,
    pub days: i64,
    /// How many days before the due date the extension may be requested at the earliest.
    pub ask_within: Option<i64>,
    pub when_overdue: bool,
}

/// When a late instalment is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditRule {
    /// Days past due at which the notice becomes due.
    pub notice_after: i64,
    /// Days from the notice to the flag.
    pub flag_after: i64,
    /// Days from the settlement of a flagged instalment until it leaves the record.
    pub expires_after: Option<i64>,
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::terms::late_fee::LateFee;

    /// Plain terms as the starting point of a test: 14 days after delivery, no fee.
    pub fn terms() -> Terms {
        Terms {
            effective_from: "2026-01-01".parse().unwrap(),
            currency: Currency::parse("CNY").unwrap(),
            clock: Clock::Delivered,
            cut_off: None,
            before_order: 1,
            bands: vec![
                Band { score: 550, limit_minor: 50_000, term: 7 },
                Band { score: 650, limit_minor: 200_000, term: 14 },
            ],
            not_fulfilled_after: None,
            cancel_unfulfilled_after: None,
            due_day: None,
            days_off: None,
            freeze_when_overdue: Some(5),
            instalments: Vec::new(),
            service_fee: Decimal::ZERO,
            payable_after: 1,
            refund_window: Some(30),
            allocation: Allocation::FeeFirst,
            late_fee: LateFees::same_for_all(LateFee::none()),
            extension: Some(ExtensionLimits { times: 1, days: 7, ask_within: Some(5), when_overdue: false }),
            holds: Vec::new(),
            reminders: Reminders { steps: vec![-3, -1, 0, 1, 3, 7], ..Reminders::default() },
            credit: Some(CreditRule { notice_after: 3, flag_after: 5, expires_after: None }),
            debit: None,
            pay_out: None,
            write_off_after: None,
        }
    }

    #[test]
    fn an_order_keeps_the_version_of_its_day() {
        let older = terms();
        let newer = Terms { effective_from: "2026-03-16".parse().unwrap(), ..terms() };
        let policy = Policy { versions: vec![older, newer] };
        for (day, version) in [
            ("2025-12-31", None),
            ("2026-01-01", Some("2026-01-01")),
            ("2026-03-15", Some("2026-01-01")),
            ("2026-03-16", Some("2026-03-16")),
            ("2027-01-01", Some("2026-03-16")),
        ] {
            let found = policy.in_force(day.parse().unwrap()).map(|terms| terms.effective_from.to_string());
            assert_eq!(found.as_deref(), version, "{day}");
        }
        let of = |day: &str| policy.version(day.parse().unwrap()).map(|terms| terms.effective_from.to_string());
        assert_eq!(of("2026-01-01").as_deref(), Some("2026-01-01"));
        assert_eq!(of("2026-03-16").as_deref(), Some("2026-03-16"));
        assert_eq!(of("2026-03-17"), None);
    }

    #[test]
    fn the_longest_delay_is_every_extension_and_a_hold_of_each_reason_that_stops_the_clock() {
        let rule = |days, effects| HoldRule { reason: HoldReason::Hardship, days, effects };
        let twice = ExtensionLimits { times: 2, days: 7, ask_within: None, when_overdue: false };
        for (what, terms, days) in [
            ("one of 7, and 28 + 21 of return and late delivery", terms(), 56),
            ("no extension", Terms { extension: None, ..terms() }, 49),
            ("two of 7", Terms { extension: Some(twice), ..terms() }, 63),
            ("hardship too", Terms { holds: vec![rule(60, vec![HoldEffect::Clock])], ..terms() }, 116),
            ("hardship stops fees", Terms { holds: vec![rule(60, vec![HoldEffect::Fees])], ..terms() }, 56),
        ] {
            assert_eq!(terms.longest_delay(), days, "{what}");
        }
    }

    #[test]
    fn the_highest_band_reached_decides() {
        for (score, limit) in
            [(549, None), (550, Some(50_000)), (649, Some(50_000)), (650, Some(200_000)), (900, Some(200_000))]
        {
            assert_eq!(terms().band(score).map(|band| band.limit_minor), limit, "{score}");
        }
    }
}
