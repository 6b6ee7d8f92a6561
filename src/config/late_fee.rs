//! How late fees are written down in a policy, and whether they make sense and are lawful.

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::policy_file::{in_days, minor};
use super::reference_rates::{Rates, RawAnnualRate};
use super::share_of_one;
use crate::domain::late_fee::{CapScope, Caps, Charge, FeeKind, LateFee, LateFees, Step, Tier};
use crate::domain::money::Currency;
use crate::domain::policy::Terms;
use crate::domain::reference_rate::AnnualRate;

/// More steps are a typing error.
const MOST_STEPS: usize = 100;

/// One rule for all orders, or a list of tiers; a tier is a rule with the amount from which it holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLateFee {
    tiers: Option<Vec<RawLateFee>>,
    from: Option<Decimal>,
    kind: Option<String>,
    rate: Option<Decimal>,
    amount: Option<Decimal>,
    grace: Option<i64>,
    accrue_from: Option<String>,
    steps: Option<Vec<RawStep>>,
    cap_amount: Option<Decimal>,
    cap_order_share: Option<Decimal>,
    cap_scope: Option<String>,
    cap_annual_rate: Option<RawAnnualRate>,
    cap_steps: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    after: i64,
    amount: Option<Decimal>,
    rate: Option<Decimal>,
}

/// What a version's late fees are resolved with.
pub(super) struct Surroundings<'a> {
    pub currency: Currency,
    pub effective_from: NaiveDate,
    pub rates: &'a Rates,
}

impl RawLateFee {
    pub(super) fn resolve(self, around: &Surroundings<'_>) -> Result<LateFees> {
        ensure!(self.from.is_none(), "from goes with a tier; write [[version.late_fee.tiers]] above it");
        let Some(tiers) = &self.tiers else { return Ok(LateFees::same_for_all(self.rule(around)?)) };
        ensure!(!tiers.is_empty(), "tiers: write at least one [[version.late_fee.tiers]], or leave tiers out");
        ensure!(
            self.says_only_tiers(),
            "with tiers nothing else stands beside them; write kind, amounts and caps in each tier"
        );
        let mut resolved: Vec<Tier> = Vec::new();
        for raw in self.tiers.unwrap_or_default() {
            let from = raw.from.context("tiers: a tier needs from, the amount of an order from which it holds")?;
            let from_minor = minor("tiers.from", from, around.currency)?;
            match resolved.last() {
                None => ensure!(from_minor == 0, "tiers: the first one is from {from}; write from = \"0\""),
                Some(below) => ensure!(
                    below.from_minor < from_minor,
                    "tiers: from {from} comes after {}; list them by rising amount",
                    around.currency.plain(below.from_minor)
                ),
            }
            ensure!(raw.tiers.is_none(), "tiers: the tier from {from} has tiers itself; list all of them side by side");
            let fee = raw.rule(around).with_context(|| format!("tier from {from}"))?;
            resolved.push(Tier { from_minor, fee });
        }
        let lowest = resolved.remove(0).fee;
        Ok(LateFees { lowest, higher: resolved })
    }

    fn says_only_tiers(&self) -> bool {
        let RawLateFee { tiers: _, from: _, kind, rate, amount, grace, accrue_from, steps, .. } = self;
        let rule = kind.is_some() || rate.is_some() || amount.is_some() || grace.is_some() || steps.is_some();
        !rule && accrue_from.is_none() && !self.says_caps()
    }

    fn says_caps(&self) -> bool {
        let of_all = self.cap_amount.is_some() || self.cap_order_share.is_some() || self.cap_scope.is_some();
        of_all || self.cap_annual_rate.is_some() || self.cap_steps.is_some()
    }

    fn rule(self, around: &Surroundings<'_>) -> Result<LateFee> {
        let kind = self.kind.as_deref().context("write kind: none, flat, percent, daily or steps; or tiers")?;
        let takes = |key: &str, given: bool, wanted: bool| match (given, wanted) {
            (true, false) => bail!("kind {kind:?} takes no {key}; leave it out"),
            (false, true) => bail!("kind {kind:?} needs {key}"),
            _ => Ok(()),
        };
        let (rate, amount, steps) = match kind {
            "none" => (false, false, false),
            "flat" => (false, true, false),
            "percent" | "daily" => (true, false, false),
            "steps" => (false, false, true),
            other => bail!("kind {other:?}: write none, flat, percent, daily or steps"),
        };
        takes("rate", self.rate.is_some(), rate)?;
        takes("amount", self.amount.is_some(), amount)?;
        takes("steps", self.steps.is_some(), steps)?;
        ensure!(
            self.grace.is_none() || !steps,
            "kind \"steps\" takes no grace; write the days in each step's after, such as {{ after = 3, … }}"
        );
        ensure!(self.cap_steps.is_none() || steps, "cap_steps goes with kind = \"steps\" only");
        ensure!(self.accrue_from.is_none() || kind == "daily", "accrue_from goes with kind = \"daily\" only");
        let from_due = match self.accrue_from.as_deref() {
            None | Some("grace") => false,
            Some("due") => true,
            Some(other) => bail!("accrue_from {other:?}: write grace or due"),
        };
        let grace = in_days("grace", self.grace.unwrap_or(0), 0)?;
        let rate = self.rate.map(|rate| share_of_one("rate", rate)).transpose()?;
        let amount = self.amount.map(|amount| minor("amount", amount, around.currency)).transpose()?;
        let kind = match (kind, rate, amount, self.steps) {
            ("flat", _, Some(amount), _) => FeeKind::Flat(amount),
            ("percent", Some(rate), ..) => FeeKind::Percent(rate),
            ("daily", Some(rate), ..) => FeeKind::Daily { rate, from_due },
            ("steps", .., Some(raw)) => FeeKind::Steps(steps_of(raw, around.currency)?),
            _ => FeeKind::None,
        };
        let lasting = self.cap_amount.is_some() || self.cap_order_share.is_some();
        let scope = match self.cap_scope.as_deref() {
            None | Some("instalment") => CapScope::Instalment,
            Some("order") => CapScope::Order,
            Some(other) => bail!("cap_scope {other:?}: write instalment or order"),
        };
        ensure!(
            self.cap_scope.is_none() || lasting,
            "cap_scope says what cap_amount and cap_order_share are caps of; write one of them too, or leave it out"
        );
        let cap_steps = self.cap_steps.map(|count| match usize::try_from(count) {
            Ok(count) if count > 0 => Ok(count),
            _ => bail!("cap_steps {count}: write how many steps count, from 1 on, or kind = \"none\""),
        });
        let annual_rate =
            self.cap_annual_rate.map(|raw| around.rates.annual_rate("cap_annual_rate", raw)).transpose()?;
        if let Some(AnnualRate::Reference(reference)) = &annual_rate {
            let starts_on = reference.table.starts_on();
            ensure!(
                starts_on <= around.effective_from,
                "cap_annual_rate: the reference rate {:?} is known from {starts_on} only; add the one in force on {} to \
                 [reference_rates.{}]",
                reference.name,
                around.effective_from,
                reference.name
            );
        }
        let caps = Caps {
            amount: self.cap_amount.map(|amount| minor("cap_amount", amount, around.currency)).transpose()?,
            order_share: self.cap_order_share.map(|share| share_of_one("cap_order_share", share)).transpose()?,
            scope,
            annual_rate,
            steps: cap_steps.transpose()?,
        };
        Ok(LateFee { kind, grace, caps })
    }
}

fn steps_of(raw: Vec<RawStep>, currency: Currency) -> Result<Vec<Step>> {
    ensure!(
        (1..=MOST_STEPS).contains(&raw.len()),
        "steps: write from 1 to {MOST_STEPS}, such as {{ after = 7, amount = \"7.00\" }}"
    );
    let mut steps: Vec<Step> = Vec::new();
    for RawStep { after, amount, rate } in raw {
        let after = in_days("steps.after", after, 0)?;
        if let Some(before) = steps.last() {
            let last = before.after;
            ensure!(last < after, "steps: after {after} comes after {last}; list them by rising days, each day once");
        }
        let charge = match (amount, rate) {
            (Some(amount), None) => Charge::Amount(minor("steps.amount", amount, currency)?),
            (None, Some(rate)) => Charge::Rate(share_of_one("steps.rate", rate)?),
            _ => bail!("steps: the step after {after} days needs either amount or rate"),
        };
        steps.push(Step { after, charge });
    }
    Ok(steps)
}

/// Refuses terms whose fees the law would not allow on a day on which they can be agreed on, as far as the scheme says
/// what the law is: an annual cap above the legal one, or a fee that grows by the day without any. The version is
/// followed by another from `followed_on`.
pub(super) fn lawful(terms: &Terms, followed_on: Option<NaiveDate>, rates: &Rates) -> Result<()> {
    let Some(legal) = rates.legal(terms.currency) else { return Ok(()) };
    let refused = terms.late_fee.rules().find_map(|rule| against_the_law(rule, terms, legal, followed_on));
    refused.map_or(Ok(()), |why| bail!("late_fee: {why}"))
}

fn against_the_law(
    rule: &LateFee,
    terms: &Terms,
    legal: &AnnualRate,
    followed_on: Option<NaiveDate>,
) -> Option<String> {
    let code = terms.currency.code();
    let Some(cap) = &rule.caps.annual_rate else {
        let grows = matches!(rule.kind, FeeKind::Daily { .. });
        return grows.then(|| {
            format!(
                "a daily fee grows without end, and [legal.{code}] sets a highest annual rate; write {} or less",
                as_cap(legal)
            )
        });
    };
    let days = days_to_compare(terms.effective_from, cap, legal).into_iter();
    // An order's rate is agreed on when it is placed, unless it follows a table from day to day.
    let mut days = days.filter(|day| cap.may_change() || followed_on.is_none_or(|followed_on| *day < followed_on));
    let above = days.find(|day| cap.on(*day) > legal.on(*day))?;
    let percent = |rate: Decimal| (rate * Decimal::ONE_HUNDRED).normalize();
    let newer = if above == terms.effective_from { "" } else { " in a new [[version]] from that day on" };
    Some(format!(
        "the annual cap of {} % is above the {} % that [legal.{code}] allows on {above}; write {} or less{newer}",
        percent(cap.on(above)),
        percent(legal.on(above)),
        as_cap(legal)
    ))
}

/// The first day and every later one on which either rate changes; none before the law's first entry.
fn days_to_compare(from: NaiveDate, cap: &AnnualRate, legal: &AnnualRate) -> Vec<NaiveDate> {
    let changes = |rate: &AnnualRate| -> Vec<NaiveDate> {
        match rate {
            AnnualRate::Fixed(_) => Vec::new(),
            AnnualRate::Reference(reference) => reference.table.entries().iter().map(|(day, _)| *day).collect(),
        }
    };
    let lawful_from = match legal {
        AnnualRate::Fixed(_) => from,
        AnnualRate::Reference(reference) => reference.table.starts_on().max(from),
    };
    let later = changes(cap).into_iter().chain(changes(legal)).filter(|day| *day > lawful_from);
    let mut days: Vec<NaiveDate> = std::iter::once(lawful_from).chain(later).collect();
    days.sort_unstable();
    days
}

/// The law's rate as one would write it in a policy.
fn as_cap(legal: &AnnualRate) -> String {
    match legal {
        AnnualRate::Fixed(rate) => format!("cap_annual_rate = \"{rate}\""),
        AnnualRate::Reference(reference) => {
            format!("cap_annual_rate = {{ reference = \"{}\", times = \"{}\" }}", reference.name, reference.times)
        }
    }
}
