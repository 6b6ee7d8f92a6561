//! The view of `statement`: a merchant's month, or that of all merchants together, as finance hands it out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Amount;
use super::roll_forward::{RollForward, Rolls};
use crate::books::environment::Environment;
use crate::books::sealed_reports;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::scheme::Merchant;
use crate::store::Tx;

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Statement {
    /// The first day of the month.
    pub month: NaiveDate,
    /// Null of all merchants together.
    pub merchant_id: Option<String>,
    /// The first and last sealed day of the month.
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// The seal of the last of them.
    pub seal: String,
    /// The accounts, one for each currency.
    pub roll_forward: Vec<RollForward>,
    /// What customers owed at the end of the last day, by days past due.
    pub ageing: Vec<Ageing>,
}

/// What the command prints with `--json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Statements {
    /// The first day of the month.
    pub month: NaiveDate,
    /// One for each merchant and, if all were asked for, one of all together.
    pub statements: Vec<Statement>,
}

/// What customers owe in a currency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Ageing {
    pub currency: String,
    pub buckets: Vec<AgeingBucket>,
    pub outstanding: Amount,
    pub late_fees: Amount,
    /// The receivables less what the buckets add up to: always 0.
    pub difference: Amount,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AgeingBucket {
    /// As in the positions report: current, 1-7, 8-30, …
    pub bucket: String,
    pub instalments: i64,
    pub outstanding: Amount,
    pub late_fees: Amount,
}

/// The statement of a merchant, with the sums from which that of the scheme is made.
pub struct OfMerchant {
    pub statement: Statement,
    rolls: Rolls,
    buckets: Buckets,
}

/// By currency and bucket, in the order of days past due: instalments, goods and late fees.
type Buckets = BTreeMap<(Currency, (i64, String)), (i64, i64, i64)>;

/// The columns of the positions report that say how old a debt is.
#[derive(Deserialize)]
struct Position {
    currency: String,
    outstanding: String,
    late_fee: String,
    late_fee_paid: String,
    bucket: String,
}

impl Statement {
    /// Returns a merchant's statement of the sealed days from..=to, or `None` if none was sealed with it. Reports that must be
    /// made again are written below `temporary`.
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        merchant: &Merchant,
        (from, to): (NaiveDate, NaiveDate),
        temporary: &Path,
    ) -> Result<Option<OfMerchant>> {
        let days = sealed_reports::days_with(tx, &merchant.id, (from, to)).await?;
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(None) };
        (environment.progress)(&format!("statement of {}", merchant.id));
        let rolls = Rolls::of_merchant(tx, &merchant.id, (from, to)).await?;
        let reports = sealed_reports::of_day(tx, environment, &merchant.id, last, temporary).await?;
        let positions = reports.iter().find(|report| report.kind == "positions").context("a day without positions")?;
        let buckets = ageing(&positions.path).with_context(|| format!("reading {}", positions.path.display()))?;
        let statement = Statement {
            month: from,
            merchant_id: Some(merchant.id.clone()),
            first: first.business_date,
            last: last.business_date,
            seal: last.seal.clone(),
            roll_forward: rolls.each(Some(&merchant.id)),
            ageing: Vec::new(),
        };
        Ok(Some(OfMerchant { statement: statement.with_ageing(&buckets), rolls, buckets }))
    }

    /// Returns the statement of all merchants together, or `None` if there is none.
    pub fn of_scheme(merchants: &[OfMerchant]) -> Option<Statement> {
        let (mut rolls, mut buckets) = (Rolls::default(), Buckets::new());
        for merchant in merchants {
            rolls.add(&merchant.rolls);
            for (key, (instalments, outstanding, late_fees)) in &merchant.buckets {
                let sum = buckets.entry(key.clone()).or_default();
                *sum = (sum.0 + instalments, sum.1 + outstanding, sum.2 + late_fees);
            }
        }
        let last = merchants.iter().map(|merchant| &merchant.statement).max_by_key(|statement| statement.last)?;
        let first = merchants.iter().map(|merchant| merchant.statement.first).min()?;
        let roll_forward = rolls.each(None);
        let statement = Statement { merchant_id: None, first, roll_forward, ageing: Vec::new(), ..last.clone() };
        Some(statement.with_ageing(&buckets))
    }

    fn with_ageing(mut self, buckets: &Buckets) -> Statement {
        for roll in &self.roll_forward {
            let Some(currency) = Currency::parse(&roll.currency) else { continue };
            let amount = |minor| Amount::new(minor, currency);
            let mut of_currency = Vec::new();
            for ((of, (_, bucket)), (instalments, outstanding, late_fees)) in buckets {
                if *of == currency {
                    of_currency.push(AgeingBucket {
                        bucket: bucket.clone(),
                        instalments: *instalments,
                        outstanding: amount(*outstanding),
                        late_fees: amount(*late_fees),
                    });
                }
            }
            let buckets = of_currency;
            let outstanding: i64 = buckets.iter().map(|bucket| bucket.outstanding.minor).sum();
            let late_fees: i64 = buckets.iter().map(|bucket| bucket.late_fees.minor).sum();
            let closing = |account| roll.account(account).map_or(0, |roll| roll.closing.minor);
            let receivable = closing(Account::ReceivablePrincipal) + closing(Account::ReceivableLateFee);
            self.ageing.push(Ageing {
                currency: roll.currency.clone(),
                buckets,
                outstanding: amount(outstanding),
                late_fees: amount(late_fees),
                difference: amount(receivable - outstanding - late_fees),
            });
        }
        self
    }
}

/// Adds up a sealed positions report.
fn ageing(path: &Path) -> Result<Buckets> {
    let mut buckets = Buckets::new();
    let mut reader = csv::Reader::from_reader(BufReader::new(File::open(path)?));
    for position in reader.deserialize() {
        let position: Position = position?;
        let currency = Currency::parse(&position.currency).context("an unknown currency")?;
        let first_day = position.bucket.split(['-', '+']).next().and_then(|day| day.parse().ok()).unwrap_or(0);
        let sum = buckets.entry((currency, (first_day, position.bucket))).or_default();
        sum.0 += 1;
        sum.1 += currency.parse_minor(&position.outstanding)?;
        sum.2 += currency.parse_minor(&position.late_fee)? - currency.parse_minor(&position.late_fee_paid)?;
    }
    Ok(buckets)
}
