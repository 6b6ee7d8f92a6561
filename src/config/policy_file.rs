//! Policy files: how a merchant's terms are written down, and whether they make sense.

mod due_dates;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;

use self::due_dates::{RawDueDay, RawShare, instalments};
use super::calendar_file::{self, Calendars};
use super::late_fee::{self, RawLateFee, Surroundings};
use super::reference_rates::Rates;
use super::{parse_toml, read, share_of_one, time_of_day};
use crate::domain::business_days::Count;
use crate::domain::debit::DebitRule;
use crate::domain::hold::{Effect, HoldReason, HoldRule};
use crate::domain::instruction::Retry;
use crate::domain::money::Currency;
use crate::domain::order::Event;
use crate::domain::pay_out::PayOutRule;
use crate::domain::policy::{Allocation, AutoConfirm, Band, Clock, CreditRule, ExtensionLimits, Policy, Terms};
use crate::files::outgoing::sha256;

/// The longest term, in days. Longer is a typing error.
const LONGEST: i64 = 3_660;

/// A policy with, for each version, a fingerprint of what it decides.
pub fn load(path: &Path, calendars: &Calendars, rates: &Rates) -> Result<(Policy, Vec<String>)> {
    let text = read(path)?;
    let raw: RawPolicy = parse_toml(path, &text)?;
    let mut fingerprints = fingerprints(&parse_toml(path, &text)?)?;
    let mut versions: Vec<Terms> = Vec::new();
    for raw in raw.versions {
        let from = raw.effective_from;
        let terms = raw.resolve(calendars, rates).with_context(|| format!("in {}, version {from}", path.display()))?;
        if let Some(before) = versions.last() {
            let last = before.effective_from;
            ensure!(
                last < from,
                "in {}: version {from} is not after {last}; list versions oldest first",
                path.display()
            );
        }
        versions.push(terms);
    }
    ensure!(!versions.is_empty(), "in {}: there is no [[version]]", path.display());
    for (i, terms) in versions.iter().enumerate() {
        let followed_on = versions.get(i + 1).map(|next| next.effective_from);
        let lawful = late_fee::lawful(terms, followed_on, rates);
        lawful.with_context(|| format!("in {}, version {}", path.display(), terms.effective_from))?;
    }
    for (terms, fingerprint) in versions.iter().zip(&mut fingerprints) {
        if let Some(days_off) = &terms.days_off {
            let years = calendar_file::fingerprints(&days_off.calendar);
            *fingerprint = format!("{fingerprint} {}", years.join(" "));
        }
    }
    Ok((Policy { versions }, fingerprints))
}

/// Fingerprints of the versions as written, to notice when one that orders keep is changed afterwards. Reminder steps
/// may change: they decide no amount and no date.
fn fingerprints(policy: &toml::Table) -> Result<Vec<String>> {
    let versions = policy.get("version").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fingerprint = |version: &toml::Value| {
        let mut decisive = version.clone();
        if let Some(table) = decisive.as_table_mut() {
            table.remove("reminders");
        }
        // Tables sort their keys, so the order in which they were written does not matter.
        Ok(sha256(serde_json::to_string(&decisive).context("a policy as JSON")?.as_bytes()))
    };
    versions.iter().map(fingerprint).collect()
}

/// What makes a version decide otherwise than when its fingerprint was recorded.
pub enum Changed {
    Terms,
    /// A year of a calendar, such as `cn/2026`.
    Days(String),
}

/// What was changed since a fingerprint was recorded. That the calendar has learned a year is no change.
pub fn changed(recorded: &str, now: &str) -> Option<Changed> {
    let now: Vec<&str> = now.split(' ').collect();
    let part = recorded.split(' ').find(|part| !now.contains(part))?;
    Some(part.split_once('=').map_or(Changed::Terms, |(year, _)| Changed::Days(year.to_owned())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default, rename = "version")]
    versions: Vec<RawVersion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVersion {
    effective_from: NaiveDate,
    currency: String,
    clock: String,
    auto_confirm: Option<RawAutoConfirm>,
    cut_off: Option<String>,
    calendar: Option<String>,
    count: Option<String>,
    roll: Option<String>,
    due_day: Option<RawDueDay>,
    bands: Vec<RawBand>,
    freeze_when_overdue: Option<i64>,
    #[serde(default)]
    instalments: Vec<RawShare>,
    #[serde(default)]
    service_fee: Decimal,
    #[serde(default)]
    payable_after: i64,
    refund_window: Option<i64>,
    allocation: Option<String>,
    late_fee: RawLateFee,
    extension: Option<RawExtension>,
    #[serde(default)]
    holds: BTreeMap<HoldReason, RawHold>,
    #[serde(default)]
    reminders: RawReminders,
    credit: Option<RawCredit>,
    debit: Option<RawDebit>,
    pay_out: Option<RawPayOut>,
    write_off: Option<RawWriteOff>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAutoConfirm {
    after: String,
    days: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBand {
    score: i64,
    limit: Decimal,
    term: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExtension {
    times: i64,
    days: i64,
    ask_within: Option<i64>,
    #[serde(default)]
    when_overdue: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHold {
    days: i64,
    effects: Vec<Effect>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawReminders {
    steps: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredit {
    notice_after: i64,
    flag_after: i64,
    expires_after: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWriteOff {
    after: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDebit {
    #[serde(default)]
    days_before: i64,
    retry_after: Option<toml::Value>,
    retry_every: Option<i64>,
    retry_at_most: Option<i64>,
    assume_failed_after: Option<i64>,
    #[serde(default = "default_no_answer")]
    no_answer_after: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPayOut {
    after: i64,
    retry_after: Option<toml::Value>,
    retry_every: Option<i64>,
    retry_at_most: Option<i64>,
    #[serde(default = "default_no_answer")]
    no_answer_after: i64,
}

/// Banks answer within a few days.
fn default_no_answer() -> i64 {
    5
}

impl RawVersion {
    fn resolve(self, calendars: &Calendars, rates: &Rates) -> Result<Terms> {
        let days_off = self.days_off(calendars)?;
        let counted = days_off.as_ref().map_or(Count::Calendar, |days_off| days_off.count);
        let currency = Currency::parse(&self.currency)
            .with_context(|| format!("currency {:?}: write an ISO 4217 code in capitals such as CNY", self.currency))?;
        let around = Surroundings { currency, effective_from: self.effective_from, rates };
        let reminder_steps = reminder_steps(self.reminders.steps)?;
        let credit = self.credit.map(RawCredit::resolve).transpose().context("credit")?;
        let write_off_after = self.write_off.map(|raw| in_days("write_off.after", raw.after, 1)).transpose()?;
        if let Some(after) = write_off_after {
            nothing_after_write_off(after, &reminder_steps, credit)?;
        }
        Ok(Terms {
            effective_from: self.effective_from,
            currency,
            clock: clock(&self.clock, self.auto_confirm)?,
            cut_off: self.cut_off.map(|text| time_of_day("cut_off", &text)).transpose()?,
            bands: bands(self.bands, currency, self.due_day.is_some() || !self.instalments.is_empty())?,
            due_day: self.due_day.map(RawDueDay::resolve).transpose()?,
            days_off,
            freeze_when_overdue: self
                .freeze_when_overdue
                .map(|days| in_days("freeze_when_overdue", days, 0))
                .transpose()?,
            instalments: instalments(self.instalments, counted)?,
            service_fee: share_of_one("service_fee", self.service_fee)?,
            payable_after: in_days("payable_after", self.payable_after, 0)?,
            refund_window: self.refund_window.map(|days| in_days("refund_window", days, 0)).transpose()?,
            allocation: match self.allocation.as_deref() {
                None | Some("fee_first") => Allocation::FeeFirst,
                Some("principal_first") => Allocation::PrincipalFirst,
                Some(other) => bail!("allocation {other:?}: write fee_first or principal_first"),
            },
            late_fee: self.late_fee.resolve(&around).context("late_fee")?,
            extension: self.extension.map(RawExtension::resolve).transpose().context("extension")?,
            holds: self
                .holds
                .into_iter()
                .map(|(reason, raw)| {
                    let days = in_days(&format!("holds.{}.days", reason.name()), raw.days, 1)?;
                    Ok(HoldRule { reason, days, effects: effects(reason, raw.effects)? })
                })
                .collect::<Result<_>>()?,
            reminder_steps,
            credit,
            debit: self.debit.map(RawDebit::resolve).transpose().context("debit")?,
            pay_out: self.pay_out.map(RawPayOut::resolve).transpose().context("pay_out")?,
            write_off_after,
        })
    }
}

fn clock(text: &str, auto: Option<RawAutoConfirm>) -> Result<Clock> {
    ensure!(auto.is_none() || text == "confirmed", "auto_confirm goes with clock = \"confirmed\" only");
    Ok(match text {
        "ordered" => Clock::Ordered,
        "shipped" => Clock::Shipped,
        "delivered" => Clock::Delivered,
        "confirmed" => {
            let resolve = |auto: RawAutoConfirm| {
                let after = match auto.after.as_str() {
                    "shipped" => Event::Shipped,
                    "delivered" => Event::Delivered,
                    other => bail!("auto_confirm.after {other:?}: write shipped or delivered"),
                };
                Ok(AutoConfirm { after, days: in_days("auto_confirm.days", auto.days, 0)? })
            };
            Clock::Confirmed { auto: auto.map(resolve).transpose()? }
        }
        other => bail!("clock {other:?}: write ordered, shipped, delivered or confirmed"),
    })
}

/// `elsewhere`: due days or instalments say when it is due, and a band needs no term.
fn bands(raw: Vec<RawBand>, currency: Currency, elsewhere: bool) -> Result<Vec<Band>> {
    ensure!(!raw.is_empty(), "bands: write at least one, such as {{ score = 550, limit = \"500.00\", term = 7 }}");
    let mut bands: Vec<Band> = Vec::new();
    for RawBand { score, limit, term } in raw {
        let limit_minor = minor("bands.limit", limit, currency)?;
        ensure!(limit_minor > 0, "bands: the limit of score {score} must be more than 0");
        ensure!(term.is_some() || elsewhere, "bands: score {score} has no term; write the days to pay, or a due_day");
        let term = in_days("bands.term", term.unwrap_or(0), 0)?;
        if let Some(lower) = bands.last() {
            ensure!(lower.score < score, "bands: score {score} comes after {}; list them lowest first", lower.score);
            ensure!(
                lower.limit_minor <= limit_minor,
                "bands: score {score} has a lower limit than score {}; a better score cannot owe less",
                lower.score
            );
        }
        bands.push(Band { score, limit_minor, term });
    }
    Ok(bands)
}

impl RawExtension {
    fn resolve(self) -> Result<ExtensionLimits> {
        ensure!(
            (1..=100).contains(&self.times),
            "times {}: write how often, from 1 on; leave [version.extension] out for never",
            self.times
        );
        let ask_within = self.ask_within.map(|days| in_days("ask_within", days, 0)).transpose()?;
        let days = in_days("days", self.days, 1)?;
        Ok(ExtensionLimits { times: self.times, days, ask_within, when_overdue: self.when_overdue })
    }
}

fn reminder_steps(mut steps: Vec<i64>) -> Result<Vec<i64>> {
    for step in &steps {
        ensure!((-60..=365).contains(step), "reminders.steps: {step} is not from -60 to 365 days around the due date");
    }
    let count = steps.len();
    steps.sort_unstable();
    steps.dedup();
    ensure!(steps.len() == count, "reminders.steps: a step stands there twice");
    Ok(steps)
}

impl RawCredit {
    fn resolve(self) -> Result<CreditRule> {
        let notice_after = in_days("notice_after", self.notice_after, 1)?;
        let flag_after = in_days("flag_after", self.flag_after, 0)?;
        let expires_after = self.expires_after.map(|days| in_days("expires_after", days, 1)).transpose()?;
        Ok(CreditRule { notice_after, flag_after, expires_after })
    }
}

impl RawDebit {
    fn resolve(self) -> Result<DebitRule> {
        Ok(DebitRule {
            days_before: in_days("days_before", self.days_before, 0)?,
            retry: retry(self.retry_after, self.retry_every, self.retry_at_most)?,
            assume_failed_after: self
                .assume_failed_after
                .map(|days| in_days("assume_failed_after", days, 1))
                .transpose()?,
            no_answer_after: in_days("no_answer_after", self.no_answer_after, 1)?,
        })
    }
}

impl RawPayOut {
    fn resolve(self) -> Result<PayOutRule> {
        Ok(PayOutRule {
            after: in_days("after", self.after, 0)?,
            retry: retry(self.retry_after, self.retry_every, self.retry_at_most)?,
            no_answer_after: in_days("no_answer_after", self.no_answer_after, 1)?,
        })
    }
}

/// The most attempts that a plan may have.
const MOST_ATTEMPTS: i64 = 366;

fn retry(after: Option<toml::Value>, every: Option<i64>, at_most: Option<i64>) -> Result<Retry> {
    let how = "write days such as [1, 3, 7], or \"until_success\"; leave it out for one attempt only";
    let until_success = after.as_ref().and_then(toml::Value::as_str) == Some("until_success");
    ensure!(
        until_success || (every.is_none() && at_most.is_none()),
        "retry_every and retry_at_most go with retry_after = \"until_success\" only"
    );
    let days = match after {
        None => return Ok(Retry::Never),
        Some(_) if until_success => {
            let at_most = at_most.context("retry_after \"until_success\" needs retry_at_most: how often, at most")?;
            ensure!((1..MOST_ATTEMPTS).contains(&at_most), "retry_at_most {at_most}: write 1 to {}", MOST_ATTEMPTS - 1);
            return Ok(Retry::UntilSuccess { every: in_days("retry_every", every.unwrap_or(1), 1)?, at_most });
        }
        Some(toml::Value::Array(days)) => days,
        Some(other) => bail!("retry_after {other}: {how}"),
    };
    let days = days
        .iter()
        .map(|day| in_days("retry_after", day.as_integer().with_context(|| format!("retry_after {day}: {how}"))?, 1))
        .collect::<Result<Vec<_>>>()?;
    ensure!(!days.is_empty(), "retry_after []: {how}");
    ensure!(days.windows(2).all(|pair| pair[0] < pair[1]), "retry_after: list the days rising, each once");
    Ok(Retry::After(days))
}

/// Once an instalment is written off, nobody is written to about it and no notice is given any more.
fn nothing_after_write_off(after: i64, steps: &[i64], credit: Option<CreditRule>) -> Result<()> {
    if let Some(step) = steps.iter().find(|step| **step >= after) {
        bail!(
            "reminders.steps: step {step} comes when write_off.after {after} is over; take it out, or write off later"
        );
    }
    let flag = credit.map_or(0, |rule| rule.notice_after + rule.flag_after);
    ensure!(
        flag < after,
        "credit: notice_after and flag_after make {flag} days past due, when write_off.after {after} is over; \
         write off later than that"
    );
    Ok(())
}

fn effects(reason: HoldReason, effects: Vec<Effect>) -> Result<Vec<Effect>> {
    let reason = reason.name();
    ensure!(!effects.is_empty(), "holds.{reason}.effects: write at least one of clock, fees, contact, credit, debit");
    for (i, effect) in effects.iter().enumerate() {
        ensure!(!effects[..i].contains(effect), "holds.{reason}.effects: {} stands there twice", effect.name());
    }
    Ok(effects)
}

pub(super) fn in_days(key: &str, days: i64, from: i64) -> Result<i64> {
    ensure!((from..=LONGEST).contains(&days), "{key} {days}: write days from {from} to {LONGEST}");
    Ok(days)
}

pub(super) fn minor(key: &str, amount: Decimal, currency: Currency) -> Result<i64> {
    let minor = currency.minor_of(amount).map_err(|why| anyhow::anyhow!("{key} {amount}: {why}"))?;
    ensure!(minor >= 0, "{key} {amount}: must not be below 0");
    Ok(minor)
}
