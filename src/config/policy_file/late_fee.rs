//! The keys of a policy about late fees, and whether they are consistent and lawful.

use anyhow::Result;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::reference_rates::{Rates, RawAnnualRate};
use crate::config::toml::{Rules, in_days, join, minor, share_of_one, wrong};
use crate::domain::money::Currency;
use crate::domain::terms::late_fee::{CapScope, Caps, Charge, FeeKind, LateFee, LateFees, Step, Tier};
use crate::domain::terms::policy::Terms;
use crate::domain::terms::reference_rate::AnnualRate;

/// The most steps of a late fee. More are a typing error.
const MOST_STEPS: usize = 100;

/// One rule for all orders, or a list of tiers. Keys that belong to neither are refused by the schema: serde can't, where
/// one struct stands within another.
#[derive(Deserialize, JsonSchema)]
pub struct RawLateFee {
    /// Rules by the amount of an order, lowest first, in place of all other keys here.
    tiers: Option<Vec<RawTier>>,
    #[serde(flatten)]
    rule: RawRule,
}

#[derive(Deserialize, JsonSchema)]
struct RawTier {
    /// The amount of an order from which this tier holds; "0" for the first.
    from: Decimal,
    #[serde(flatten)]
    rule: RawRule,
}

#[derive(Deserialize, JsonSchema)]
struct RawRule {
    /// How the fee is computed. A table with its own kind or tiers inherits no other key.
    kind: Option<RawFeeKind>,
    /// Of percent and daily: "0.0005" is 0.05 %.
    rate: Option<Decimal>,
    /// Of flat.
    amount: Option<Decimal>,
    /// Days after the due date without a fee; not of steps.
    grace: Option<i64>,
    /// Of daily: where the sum starts.
    accrue_from: Option<RawAccrueFrom>,
    /// Of steps: the days on which something is added, and what.
    steps: Option<Vec<RawStep>>,
    /// The most in all.
    cap_amount: Option<Decimal>,
    /// The most, as a share of the order.
    cap_order_share: Option<Decimal>,
    /// Whether these two are of each instalment or of all together.
    cap_scope: Option<CapScope>,
    /// The most by the year, as a share of the instalment.
    cap_annual_rate: Option<RawAnnualRate>,
    /// Of steps: how many count.
    cap_steps: Option<i64>,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawFeeKind {
    None,
    Flat,
    Percent,
    Daily,
    Steps,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawAccrueFrom {
    Grace,
    Due,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawStep {
    /// Days after the due date.
    after: i64,
    /// What is added then; or rate.
    amount: Option<Decimal>,
    /// What is added then, as a share of what is overdue; or amount.
    rate: Option<Decimal>,
}

/// The context that late fees of a version are resolved in.
pub struct Surroundings<'a> {
    pub currency: Currency,
    pub effective_from: NaiveDate,
    pub rates: &'a Rates,
}

impl RawLateFee {
    pub fn resolve(self, around: &Surroundings<'_>, rules: &mut Rules) -> Option<LateFees> {
        let Some(tiers) = self.tiers else {
            return self.rule.resolve("late_fee", around, rules).map(LateFees::same_for_all);
        };
        for key in self.rule.given() {
            rules.refuse(
                &join("late_fee", key),
                "can't be used beside tiers; write it in each tier that it is meant for, or leave it out",
            );
        }
        let count = tiers.len();
        if count == 0 {
            let advice = "is empty; write at least one [[version.late_fee.tiers]], or leave tiers out";
            rules.refuse("late_fee.tiers", advice);
        }
        let mut resolved: Vec<Tier> = Vec::new();
        let mut below = None;
        for (i, RawTier { from, rule }) in tiers.into_iter().enumerate() {
            let at = format!("late_fee.tiers[{i}]");
            let from_minor = rules.keep(&at, minor("from", from, around.currency));
            if let Some(from_minor) = from_minor {
                rules.keep(&at, follows(below, from_minor, around.currency));
                below = Some(from_minor);
            }
            let fee = rule.resolve(&at, around, rules);
            resolved.extend(from_minor.zip(fee).map(|(from_minor, fee)| Tier { from_minor, fee }));
        }
        if count == 0 || resolved.len() < count {
            return None;
        }
        let lowest = resolved.remove(0).fee;
        Some(LateFees { lowest, higher: resolved })
    }
}

/// Whether a tier may begin at `from`, given where the tier below it begins.
fn follows(below: Option<i64>, from: i64, currency: Currency) -> Result<()> {
    match below {
        None if from != 0 => Err(wrong("from", "the first tier is for the smallest orders; write from = \"0\"")),
        Some(below) if from <= below => {
            let (less, more) = (currency.plain(from), currency.plain(below));
            Err(wrong("from", format!("{less} comes after {more}; list tiers by rising amount, each amount once")))
        }
        _ => Ok(()),
    }
}

impl RawRule {
    /// The names of the keys that are set.
    fn given(&self) -> Vec<&'static str> {
        let keys = [
            ("kind", self.kind.is_some()),
            ("rate", self.rate.is_some()),
            ("amount", self.amount.is_some()),
            ("grace", self.grace.is_some()),
            ("accrue_from", self.accrue_from.is_some()),
            ("steps", self.steps.is_some()),
            ("cap_amount", self.cap_amount.is_some()),
            ("cap_order_share", self.cap_order_share.is_some()),
            ("cap_scope", self.cap_scope.is_some()),
            ("cap_annual_rate", self.cap_annual_rate.is_some()),
            ("cap_steps", self.cap_steps.is_some()),
        ];
        keys.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }

    /// Checks and converts the rule. `at` is the key of its table.
    fn resolve(self, at: &str, around: &Surroundings<'_>, rules: &mut Rules) -> Option<LateFee> {
        let key = |name: &str| join(at, name);
        let Some(kind) = self.kind else {
            let or_tiers = if at == "late_fee" { ", or tiers in its place" } else { "" };
            let advice = format!("is missing; write none, flat, percent, daily or steps{or_tiers}");
            rules.refuse(&key("kind"), advice);
            return None;
        };
        let given = self.given();
        for name in ["rate", "amount", "grace", "accrue_from", "steps", "cap_steps"] {
            match (given.contains(&name), kind.use_of(name)) {
                (true, Use::None) => rules.refuse(&key(name), kind.does_not_take(name)),
                (false, Use::Needed) => {
                    rules.refuse(&key(name), format!("is missing, and kind = {:?} needs it", kind.name()));
                }
                _ => {}
            }
        }
        let money = |amount: Option<Decimal>| amount.map(|amount| minor("", amount, around.currency)).transpose();
        let share = |share: Option<Decimal>| share.map(|share| share_of_one("", share)).transpose();
        let rate = rules.keep(&key("rate"), share(self.rate));
        let amount = rules.keep(&key("amount"), money(self.amount));
        let grace = rules.keep(&key("grace"), in_days("", self.grace.unwrap_or(0), 0));
        let steps = match self.steps {
            Some(raw) => steps_of(raw, &key("steps"), around.currency, rules).map(Some),
            None => Some(None),
        };
        if self.cap_scope.is_some() && self.cap_amount.is_none() && self.cap_order_share.is_none() {
            let advice = "says what cap_amount and cap_order_share are caps of; write one of them too, or leave it out";
            rules.refuse(&key("cap_scope"), advice);
        }
        let cap_amount = rules.keep(&key("cap_amount"), money(self.cap_amount));
        let cap_order_share = rules.keep(&key("cap_order_share"), share(self.cap_order_share));
        let cap_steps = rules.keep(&key("cap_steps"), self.cap_steps.map(how_many).transpose());
        let annual_rate = match self.cap_annual_rate {
            Some(raw) => {
                let rate = rules.keep(&key("cap_annual_rate"), around.rates.annual_rate(raw));
                rate.flatten().filter(|rate| {
                    rules.keep(&key("cap_annual_rate"), known_in_time(rate, around.effective_from)).is_some()
                })
            }
            .map(Some),
            None => Some(None),
        };
        let from_due = self.accrue_from == Some(RawAccrueFrom::Due);
        let kind = match (kind, rate?, amount?, steps?) {
            (RawFeeKind::None, ..) => FeeKind::None,
            (RawFeeKind::Flat, _, Some(amount), _) => FeeKind::Flat(amount),
            (RawFeeKind::Percent, Some(rate), ..) => FeeKind::Percent(rate),
            (RawFeeKind::Daily, Some(rate), ..) => FeeKind::Daily { rate, from_due },
            (RawFeeKind::Steps, .., Some(steps)) => FeeKind::Steps(steps),
            // A required key is missing, which is already reported.
            _ => return None,
        };
        let caps = Caps {
            amount: cap_amount?,
            order_share: cap_order_share?,
            scope: self.cap_scope.unwrap_or_default(),
            annual_rate: annual_rate?,
            steps: cap_steps?,
        };
        Some(LateFee { kind, grace: grace?, caps })
    }
}

/// Whether a kind of fee uses a key.
enum Use {
    None,
    Possible,
    Needed,
}

impl RawFeeKind {
    fn name(self) -> &'static str {
        match self {
            RawFeeKind::None => "none",
            RawFeeKind::Flat => "flat",
            RawFeeKind::Percent => "percent",
            RawFeeKind::Daily => "daily",
            RawFeeKind::Steps => "steps",
        }
    }

    fn use_of(self, key: &str) -> Use {
        match (key, self) {
            ("rate", RawFeeKind::Percent | RawFeeKind::Daily)
            | ("amount", RawFeeKind::Flat)
            | ("steps", RawFeeKind::Steps) => Use::Needed,
            ("grace", RawFeeKind::Steps) => Use::None,
            ("grace", _) | ("accrue_from", RawFeeKind::Daily) | ("cap_steps", RawFeeKind::Steps) => Use::Possible,
            _ => Use::None,
        }
    }

    fn does_not_take(self, key: &str) -> String {
        let instead = if key == "grace" {
            "write the days in each step's after, such as { after = 3, amount = \"5.00\" }"
        } else {
            "leave it out"
        };
        format!("kind = {:?} does not take it; {instead}", self.name())
    }
}

fn how_many(count: i64) -> Result<usize> {
    let advice = "is below 1; write how many steps count, or kind = \"none\"";
    usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| wrong("", format!("{count} {advice}")))
}

/// Checks that a reference rate is known on the first day of the terms.
fn known_in_time(rate: &AnnualRate, effective_from: NaiveDate) -> Result<()> {
    let AnnualRate::Reference(reference) = rate else { return Ok(()) };
    let (name, starts_on) = (&reference.name, reference.table.starts_on());
    if starts_on > effective_from {
        let message = format!(
            "the reference rate {name:?} is known from {starts_on} only; add the one in force on {effective_from} to \
             [reference_rates.{name}]"
        );
        return Err(wrong("reference", message));
    }
    Ok(())
}

fn steps_of(raw: Vec<RawStep>, at: &str, currency: Currency, rules: &mut Rules) -> Option<Vec<Step>> {
    let count = raw.len();
    if !(1..=MOST_STEPS).contains(&count) {
        let advice = format!("has {count}; write from 1 to {MOST_STEPS}, such as {{ after = 7, amount = \"7.00\" }}");
        rules.refuse(at, advice);
        return None;
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut last = None;
    for (i, RawStep { after, amount, rate }) in raw.into_iter().enumerate() {
        let at = format!("{at}[{i}]");
        let after = rules.keep(&at, in_days("after", after, 0));
        if let (Some(last), Some(after)) = (last, after)
            && after <= last
        {
            let message = format!("{after} comes after {last}; list steps by rising days, each day once");
            rules.refuse(&join(&at, "after"), message);
        }
        last = after.or(last);
        let charge = match (amount, rate) {
            (Some(amount), None) => rules.keep(&at, minor("amount", amount, currency)).map(Charge::Amount),
            (None, Some(rate)) => rules.keep(&at, share_of_one("rate", rate)).map(Charge::Rate),
            (Some(_), Some(_)) => {
                rules.refuse(
                    &join(&at, "rate"),
                    "can't be used beside amount; a step adds one of them, so leave one out",
                );
                None
            }
            (None, None) => {
                rules.refuse(&at, "adds nothing; write amount, or rate, in this step");
                None
            }
        };
        steps.extend(after.zip(charge).map(|(after, charge)| Step { after, charge }));
    }
    (steps.len() == count).then_some(steps)
}

/// Refuses terms whose fees the law forbids on a day on which orders can get these terms, as far as the scheme states
/// the law: an annual cap above the legal one, or a fee that grows daily without an annual cap. `followed_on` is the
/// first day of the next version. The error's key names the rule, or the rule's tier if the policy is `tiered`.
pub fn lawful(terms: &Terms, followed_on: Option<NaiveDate>, tiered: bool, rates: &Rates) -> Result<()> {
    let Some(legal) = rates.legal(terms.currency) else { return Ok(()) };
    for (i, rule) in terms.late_fee.rules().enumerate() {
        if let Some(why) = against_the_law(rule, terms, legal, followed_on) {
            let at = if tiered { format!("tiers[{i}].cap_annual_rate") } else { "cap_annual_rate".to_owned() };
            return Err(wrong(at, why));
        }
    }
    Ok(())
}

fn against_the_law(
    rule: &LateFee,
    terms: &Terms,
    legal: &AnnualRate,
    followed_on: Option<NaiveDate>,
) -> Option<String> {
    let code = terms.currency.code();
    let Some(cap) = &rule.caps.annual_rate else {
        return rule.kind.grows_by_the_day().then(|| {
            format!(
                "is missing: a daily fee grows without end, and [legal.{code}] sets a highest annual rate; write {} or less",
                as_cap(legal)
            )
        });
    };
    let days = days_to_compare(terms.effective_from, cap, legal).into_iter();
    // The rate of an order is fixed when the order is placed, unless the rate follows a table from day to day.
    let mut days = days.filter(|day| cap.may_change() || followed_on.is_none_or(|followed_on| *day < followed_on));
    let above = days.find(|day| cap.on(*day) > legal.on(*day))?;
    let percent = |rate: Decimal| (rate * Decimal::ONE_HUNDRED).normalize();
    let newer = if above == terms.effective_from { "" } else { " in a new [[version]] from that day on" };
    Some(format!(
        "{} % is above the {} % that [legal.{code}] allows on {above}; write {} or less{newer}",
        percent(cap.on(above)),
        percent(legal.on(above)),
        as_cap(legal)
    ))
}

/// The first day, and every later day on which either rate changes; no day before the law's first entry.
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

/// The law's rate as written in a policy.
fn as_cap(legal: &AnnualRate) -> String {
    match legal {
        AnnualRate::Fixed(rate) => format!("cap_annual_rate = \"{rate}\""),
        AnnualRate::Reference(reference) => {
            format!("cap_annual_rate = {{ reference = \"{}\", times = \"{}\" }}", reference.name, reference.times)
        }
    }
}
