//! A version of a policy: the keys of a merchant's terms, and whether they are consistent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bands::{RawBand, bands};
use super::due_dates::{self, RawDueDay, RawShare, instalments};
use super::instructions::{RawDebit, RawPayOut};
use super::late_fee::{RawLateFee, Surroundings};
use super::overdue::{RawCredit, RawReminders, RawWriteOff};
use crate::config::calendar_file::Calendars;
use crate::config::reference_rates::Rates;
use crate::config::toml::{Rules, days_within, in_days, maybe_days, share_of_one, time_of_day, wrong};
use crate::domain::business_days::{Count, Roll};
use crate::domain::facts::fact::{Event, HoldReason};
use crate::domain::money::Currency;
use crate::domain::terms::due_dates::{AutoConfirm, Clock};
use crate::domain::terms::hold::{HoldEffect, HoldRule};
use crate::domain::terms::policy::{Allocation, ExtensionLimits, Terms};

/// The longest extension that a row of a file can request.
const LONGEST_EXTENSION: i64 = 366;

/// How many days before its order a fact may be dated, if the policy does not set `before_order`.
const DEFAULT_BEFORE_ORDER: i64 = 1;

/// The calendars and rates that policies may name.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    pub calendars: &'a Calendars,
    pub rates: &'a Rates,
}

/// A merchant's terms, or terms that those of several merchants begin from.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "files are read version by version; this is their schema")]
pub struct RawPolicy {
    /// The policy to inherit from, relative to this file; false for none. Without it: the scheme's base_policy.
    base: Option<PathBuf>,
    /// The terms from a day on, oldest first.
    #[serde(default, rename = "version")]
    versions: Vec<RawVersion>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawVersion {
    /// First day on which orders get these terms, and the version's name.
    effective_from: NaiveDate,
    /// The effective_from of an earlier version of this file, from which everything is taken that is not said here.
    #[expect(dead_code, reason = "what is inherited was put in before")]
    same_as: Option<NaiveDate>,
    /// Currency of orders, limits and amounts, as in ISO 4217.
    currency: String,
    /// What starts the term.
    clock: RawClock,
    /// Receipt counts as confirmed automatically; only with clock = "confirmed".
    auto_confirm: Option<RawAutoConfirm>,
    /// Days after the order from which on it is an exception that its term has not started.
    not_fulfilled_after: Option<i64>,
    /// Days after the order at whose end it is cancelled if nothing of its fulfilment was reported.
    cancel_unfulfilled_after: Option<i64>,
    /// What happens after this time, "HH:MM", counts for the next day.
    cut_off: Option<String>,
    /// Days by which a fact may be dated before its order, for clocks that differ; if left out, 1.
    before_order: Option<i64>,
    /// Which days are off; goes with count or roll.
    calendar: Option<String>,
    /// Which days a term counts.
    count: Option<Count>,
    /// Where a due date goes that falls on a day off.
    roll: Option<Roll>,
    /// A day of the month that comes so many months after the clock day's, in place of the bands' terms.
    due_day: Option<RawDueDay>,
    /// From a credit score on: how much may be owed, and how many days there are to pay. Lowest score first.
    bands: Vec<RawBand>,
    /// No new order while something is more than so many days overdue.
    freeze_when_overdue: Option<i64>,
    /// Shares of an order with their own terms, making 1; without it there is one, with the band's term.
    #[serde(default)]
    instalments: Vec<RawShare>,
    /// What the merchant pays, as a share of the order after refunds.
    #[serde(default)]
    service_fee: Decimal,
    /// Days from booking until the merchant is owed the money.
    #[serde(default)]
    payable_after: i64,
    /// Days after the clock day in which refunds are taken; without it there is no limit.
    refund_window: Option<i64>,
    /// Where a payment goes first.
    allocation: Option<RawAllocation>,
    /// What being late costs; kind = "none" for nothing.
    late_fee: RawLateFee,
    /// Extensions the merchant may grant; without it none.
    extension: Option<RawExtension>,
    /// What a hold stops, by its reason.
    #[serde(default)]
    holds: BTreeMap<HoldReason, RawHold>,
    /// When customers are reminded; without it never.
    #[serde(default)]
    reminders: RawReminders,
    /// When a late instalment is reported; without it never.
    credit: Option<RawCredit>,
    /// How banks are asked to collect what is due; without it they are not.
    debit: Option<RawDebit>,
    /// How customer credit is sent back; without it, it stays in the books.
    pay_out: Option<RawPayOut>,
    /// When an overdue instalment is given up; without it never.
    write_off: Option<RawWriteOff>,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawClock {
    Ordered,
    Shipped,
    Delivered,
    Confirmed,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawAllocation {
    FeeFirst,
    PrincipalFirst,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawAutoConfirm {
    /// The event from which it counts; goes with days.
    after: Option<RawAfter>,
    /// Days after that event.
    days: Option<i64>,
    /// Days after the order, whatever is heard of it; the earlier day counts.
    after_order: Option<i64>,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawAfter {
    Shipped,
    Delivered,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawExtension {
    /// How often an order may have one.
    times: i64,
    /// The longest, in days.
    days: i64,
    /// Asked for at most so many days before the due date; without it any time before.
    ask_within: Option<i64>,
    /// Still granted after the due date.
    #[serde(default)]
    when_overdue: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawHold {
    /// How long it lasts if the file names no end.
    days: i64,
    /// What it stops.
    effects: Vec<HoldEffect>,
}

impl RawVersion {
    /// The days after which an order is cancelled. The order must be listed as an exception before that.
    fn cancelled(&self, clock: Option<Clock>) -> Result<Option<i64>> {
        let days = unfulfilled("cancel_unfulfilled_after", self.cancel_unfulfilled_after, clock)?;
        match (self.not_fulfilled_after, days) {
            (Some(listed), Some(days)) if days <= listed => {
                let advice = format!(
                    "{days} is not after not_fulfilled_after, which is {listed}: an order is listed before it is cancelled"
                );
                Err(wrong("", advice))
            }
            _ => Ok(days),
        }
    }

    /// Converts a version to terms. On failure, returns `None` and notes every problem.
    pub fn resolve(self, shared: Shared<'_>, rules: &mut Rules) -> Option<Terms> {
        let currency = rules.keep("currency", currency(&self.currency));
        let clock = rules.keep("", clock(self.clock, self.auto_confirm.as_ref()));
        let not_fulfilled_after =
            rules.keep("not_fulfilled_after", unfulfilled("not_fulfilled_after", self.not_fulfilled_after, clock));
        let cancel_unfulfilled_after = rules.keep("cancel_unfulfilled_after", self.cancelled(clock));
        let cut_off = rules.keep("cut_off", self.cut_off.as_ref().map(|text| time_of_day("", text)).transpose());
        let before_order = rules.keep("before_order", maybe_days(self.before_order, 0));
        let due_keys = due_dates::Keys {
            due_day: self.due_day.is_some(),
            instalments: &self.instalments,
            bands: &self.bands,
            calendar: self.calendar.as_deref(),
            count: self.count.unwrap_or_default(),
            roll: self.roll.unwrap_or_default(),
        };
        let days_off = due_keys.days_off(shared.calendars, rules);
        let due_elsewhere = self.due_day.is_some() || !self.instalments.is_empty();
        let bands = currency.and_then(|currency| bands(self.bands, currency, due_elsewhere, rules));
        let due_day = rules.keep("due_day", self.due_day.map(RawDueDay::resolve).transpose());
        let freeze_when_overdue = rules.keep("freeze_when_overdue", maybe_days(self.freeze_when_overdue, 0));
        let instalments = instalments(self.instalments, self.count.unwrap_or_default(), rules);
        let service_fee = rules.keep("service_fee", share_of_one("", self.service_fee));
        let payable_after = rules.keep("payable_after", in_days("", self.payable_after, 0));
        let refund_window = rules.keep("refund_window", maybe_days(self.refund_window, 0));
        let allocation = match self.allocation {
            Some(RawAllocation::PrincipalFirst) => Allocation::PrincipalFirst,
            Some(RawAllocation::FeeFirst) | None => Allocation::FeeFirst,
        };
        let late_fee = currency.and_then(|currency| {
            let around = Surroundings { currency, effective_from: self.effective_from, rates: shared.rates };
            self.late_fee.resolve(&around, rules)
        });
        let extension = optional(self.extension, |raw| raw.resolve(rules));
        let holds = holds(self.holds, rules);
        let write_off_after = optional(self.write_off, |raw| raw.resolve(rules));
        let reminders = self.reminders.resolve(write_off_after.flatten(), rules);
        let credit = optional(self.credit, |raw| raw.resolve(write_off_after.flatten(), rules));
        let debit = optional(self.debit, |raw| raw.resolve(rules));
        let pay_out = optional(self.pay_out, |raw| raw.resolve(rules));
        Some(Terms {
            effective_from: self.effective_from,
            currency: currency?,
            clock: clock?,
            cut_off: cut_off?,
            before_order: before_order?.unwrap_or(DEFAULT_BEFORE_ORDER),
            not_fulfilled_after: not_fulfilled_after?,
            cancel_unfulfilled_after: cancel_unfulfilled_after?,
            bands: bands?,
            due_day: due_day?,
            days_off: days_off?,
            freeze_when_overdue: freeze_when_overdue?,
            instalments: instalments?,
            service_fee: service_fee?,
            payable_after: payable_after?,
            refund_window: refund_window?,
            allocation,
            late_fee: late_fee?,
            extension: extension?,
            holds: holds?,
            reminders: reminders?,
            credit: credit?,
            debit: debit?,
            pay_out: pay_out?,
            write_off_after: write_off_after?,
        })
    }
}

/// Resolves an optional table. A missing table is valid.
fn optional<R, T>(raw: Option<R>, resolve: impl FnOnce(R) -> Option<T>) -> Option<Option<T>> {
    match raw {
        Some(raw) => resolve(raw).map(Some),
        None => Some(None),
    }
}

fn currency(code: &str) -> Result<Currency> {
    let advice = || format!("{code:?}: write an ISO 4217 code in capitals such as CNY");
    Currency::parse(code).with_context(advice)
}

fn clock(clock: RawClock, auto: Option<&RawAutoConfirm>) -> Result<Clock> {
    if auto.is_some() && clock != RawClock::Confirmed {
        let advice =
            "goes with clock = \"confirmed\" only; leave it out, or write auto_confirm = false if it is inherited";
        return Err(wrong("auto_confirm", advice));
    }
    let resolve = |auto: &RawAutoConfirm| {
        let event = auto.after.map(|after| match after {
            RawAfter::Shipped => Event::Shipped,
            RawAfter::Delivered => Event::Delivered,
        });
        let days = auto.days.map(|days| in_days("auto_confirm.days", days, 0)).transpose()?;
        let after_order = auto.after_order.map(|days| in_days("auto_confirm.after_order", days, 0)).transpose()?;
        let after = match (event, days) {
            (Some(event), Some(days)) => Some((event, days)),
            (None, None) if after_order.is_some() => None,
            (None, None) => {
                return Err(wrong("auto_confirm", "says no days; write after and days, or after_order, or both"));
            }
            (None, Some(_)) => {
                let advice = "goes with after, which says from which event; for days after the order write after_order";
                return Err(wrong("auto_confirm.days", advice));
            }
            (Some(_), None) => return Err(wrong("auto_confirm.after", "goes with days; write both")),
        };
        Ok::<_, anyhow::Error>(AutoConfirm { after, after_order })
    };
    Ok(match clock {
        RawClock::Ordered => Clock::Ordered,
        RawClock::Shipped => Clock::Shipped,
        RawClock::Delivered => Clock::Delivered,
        RawClock::Confirmed => Clock::Confirmed { auto: auto.map(resolve).transpose()? },
    })
}

/// Checks a number of days without fulfilment; refuses it if the term of every order starts without an event.
fn unfulfilled(key: &str, days: Option<i64>, clock: Option<Clock>) -> Result<Option<i64>> {
    let days = maybe_days(days, 1)?;
    if days.is_some() && clock.is_some_and(Clock::starts_without_events) {
        let advice = format!(
            "the term of every order starts without an event here; leave it out, or write {key} = false if it is inherited"
        );
        return Err(wrong("", advice));
    }
    Ok(days)
}

impl RawExtension {
    fn resolve(self, rules: &mut Rules) -> Option<ExtensionLimits> {
        let times = match self.times {
            1..=100 => Ok(self.times),
            times => Err(wrong("", format!("{times} is not from 1 to 100; for no extensions write extension = false"))),
        };
        let times = rules.keep("extension.times", times);
        let days = rules.keep("extension.days", days_within("", self.days, 1, LONGEST_EXTENSION));
        let ask_within = rules.keep("extension.ask_within", maybe_days(self.ask_within, 0));
        let when_overdue = self.when_overdue;
        Some(ExtensionLimits { times: times?, days: days?, ask_within: ask_within?, when_overdue })
    }
}

fn holds(raw: BTreeMap<HoldReason, RawHold>, rules: &mut Rules) -> Option<Vec<HoldRule>> {
    let mut holds = Vec::new();
    let count = raw.len();
    for (reason, raw) in raw {
        let days = rules.keep(&format!("holds.{}.days", reason.name()), in_days("", raw.days, 1));
        let effects = rules.keep(&format!("holds.{}.effects", reason.name()), effects(raw.effects));
        holds.extend(days.zip(effects).map(|(days, effects)| HoldRule { reason, days, effects }));
    }
    (holds.len() == count).then_some(holds)
}

fn effects(effects: Vec<HoldEffect>) -> Result<Vec<HoldEffect>> {
    if effects.is_empty() {
        let names = HoldEffect::ALL.map(HoldEffect::name).join(", ");
        return Err(wrong("", format!("is empty; write at least one of {names}")));
    }
    for (i, effect) in effects.iter().enumerate() {
        if effects[..i].contains(effect) {
            return Err(wrong(format!("[{i}]"), format!("{} is listed twice; write each once", effect.name())));
        }
    }
    Ok(effects)
}
