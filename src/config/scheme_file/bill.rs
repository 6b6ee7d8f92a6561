//! Feeds of bills: whose payments and refunds a provider's bill must show, and how soon.

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, shape, wrong};
use crate::files::rows::Kind;
use crate::scheme::{Bill, Feed};

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct RawBill {
    /// Days after a payment by whose end the bill with it has come.
    #[serde(default = "default_delay")]
    usual_delay: i64,
    /// Feeds whose payments and refunds the bill must show; those with the same provider if it is left out.
    answers_for: Option<Vec<String>>,
    /// Of those, only payments with one of these channels.
    #[serde(default)]
    channels: Vec<String>,
}

fn default_delay() -> i64 {
    1
}

/// The bill rules of each feed, in the order of the feeds; `None` for feeds without bills. Each item of `raw` comes
/// with its key.
pub fn resolve(feeds: &[Feed], raw: Vec<(String, Option<RawBill>)>, rules: &mut Rules) -> Vec<Option<Bill>> {
    let mut bills: Vec<Option<Bill>> = Vec::new();
    for (feed, (at, raw)) in feeds.iter().zip(raw) {
        let bill = match (feed.kind, raw) {
            (Kind::Bills, raw) => rules.keep(&at, bill(feed, raw.unwrap_or_else(RawBill::usual), feeds)),
            (_, None) => None,
            (kind, Some(_)) => {
                let advice = format!("goes with kind = \"bills\", not with {}; leave it out", kind.name());
                rules.keep(&at, Err::<Bill, _>(anyhow::anyhow!(advice)))
            }
        };
        let alone = bill.as_ref().map_or(Ok(()), |bill| answers_alone(feed, bill, feeds, &bills));
        rules.keep(&at, alone);
        bills.push(bill);
    }
    bills
}

impl RawBill {
    fn usual() -> RawBill {
        RawBill { usual_delay: default_delay(), ..RawBill::default() }
    }
}

/// Checks that no payment must appear in bills of two providers: it would always be missing from one of them.
fn answers_alone(feed: &Feed, bill: &Bill, feeds: &[Feed], before: &[Option<Bill>]) -> Result<()> {
    for (other_feed, other) in feeds.iter().zip(before).filter_map(|(feed, bill)| Some((feed, bill.as_ref()?))) {
        if other_feed.provider() == feed.provider() {
            continue;
        }
        let Some(shared) = bill.answers_for.iter().find(|name| other.answers_for.contains(name)) else { continue };
        let all = bill.channels.is_empty() || other.channels.is_empty();
        if all || bill.channels.iter().any(|channel| other.channels.contains(channel)) {
            let other = &other_feed.name;
            let advice = "tell them apart with channels = [\"…\"] in both";
            return Err(wrong("answers_for", format!("{other} answers for the same payments of {shared}; {advice}")));
        }
    }
    Ok(())
}

fn bill(feed: &Feed, raw: RawBill, feeds: &[Feed]) -> Result<Bill> {
    let (delay, most) = (raw.usual_delay, 60);
    if !(0..=most).contains(&delay) {
        return Err(wrong("usual_delay", format!("{delay} is not from 0 to {most} days")));
    }
    let can = |other: &&Feed| {
        other.owner == feed.owner && matches!(other.kind, Kind::Payments | Kind::Refunds | Kind::DebitResults)
    };
    let theirs: Vec<&Feed> = feeds.iter().filter(can).collect();
    let answers_for = match raw.answers_for {
        None => {
            let same = theirs.iter().filter(|other| other.provider() == feed.provider());
            same.map(|other| other.name.clone()).collect()
        }
        Some(names) => {
            let known: Vec<&str> = theirs.iter().map(|other| other.name.as_str()).collect();
            if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
                let meant = shape::nearest(name, &known).map(|meant| format!("; did you mean {meant}?"));
                let all = || format!("; write {}", shape::listed(&known));
                let advice = meant.or_else(|| (!known.is_empty()).then(all)).unwrap_or_default();
                let merchant = feed.owner.merchant().context("bills are somebody's")?;
                let what = format!("{name:?} is no feed of payments, refunds or debit_results of {merchant}{advice}");
                return Err(wrong("answers_for", what));
            }
            names
        }
    };
    Ok(Bill { usual_delay: raw.usual_delay, answers_for, channels: raw.channels })
}
