//! Renders the files of a business day from the books. The open day is rendered from the recorded positions; a sealed
//! day by deciding its orders again as they were known then. Both must give the same bytes.

mod detail;
mod instructions;
mod matching;
mod positions;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use crate::domain::bank::instruction::Direction;
use crate::domain::calendar::{days_between, plus};
use crate::domain::decide::credit_record::StepReason;
use crate::domain::journal::Account;
use crate::domain::money::Currency;
use crate::domain::owner::Owner;
use crate::files::reports::{CreditImpact, Exception, Summary, Written, report};
use crate::scheme::Merchant;
use crate::store::credit_record::{self, CreditStepRow};
use crate::store::fingerprints::PartPrint;
use crate::store::journal::Turnover;
use crate::store::scheme::{Balance, ReportSettings};
use crate::store::{Tx, exceptions, journal, scheme};

pub use positions::standings_on;

/// Which state of the books a day is rendered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Books {
    /// The open day, from the recorded positions.
    Open,
    /// A sealed day, decided again from the facts known then.
    Sealed,
}

/// The files of a day, and the sums that prove it.
pub struct Rendered {
    /// Sorted by name.
    pub files: Vec<Written>,
    pub merchants: Vec<(String, MerchantSums)>,
}

/// An account's day in minor units. Balances are debit less credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountDay {
    pub opening: i64,
    pub debits: i64,
    pub credits: i64,
}

impl AccountDay {
    pub fn closing(&self) -> i64 {
        self.opening + self.debits - self.credits
    }
}

/// The totals of a merchant's files.
#[derive(Debug, Default)]
pub struct MerchantSums {
    pub accounts: BTreeMap<(Currency, Account), AccountDay>,
    pub last_entry_no: i64,
    /// Debits and credits, added up row by row from the detail.
    pub detail: BTreeMap<(Currency, Account), (i64, i64)>,
    pub outstanding: BTreeMap<Currency, i64>,
    pub fees_owed: BTreeMap<Currency, i64>,
    pub suspended: BTreeMap<Currency, i64>,
    /// The payments and refunds booked on the day less chargebacks, according to the matching report.
    pub matched: BTreeMap<Currency, i64>,
    /// The same amounts, according to the facts.
    pub money_booked: BTreeMap<Currency, i64>,
    pub settled: BTreeMap<Currency, i64>,
    /// The fingerprints of the journal from which the detail was made, and of the orders that it booked.
    pub booked: Vec<PartPrint>,
}

impl MerchantSums {
    pub fn balances(&self) -> Vec<Balance> {
        let balance = |((currency, account), day): (&(Currency, Account), &AccountDay)| Balance {
            currency: *currency,
            account: *account,
            opening: day.opening,
            debits: day.debits,
            credits: day.credits,
            closing: day.closing(),
        };
        self.accounts.iter().map(balance).collect()
    }
}

/// Renders a day into a folder, or only computes its fingerprints. A sealed day has the merchants that it was sealed
/// with.
pub async fn render(
    tx: &mut Tx,
    environment: &Environment,
    day: NaiveDate,
    books: Books,
    folder: Option<&Path>,
) -> Result<Rendered> {
    let mut files = Vec::new();
    let mut merchants = Vec::new();
    let (of_day, settings) = match books {
        Books::Open => {
            let all = environment.scheme.merchants.iter().map(|merchant| merchant.id.clone());
            (all.collect(), settings_of_open_day(environment, day))
        }
        // The configuration may have changed since, but the day must not.
        Books::Sealed => (scheme::merchants_of_day(tx, day).await?, scheme::settings_of_day(tx, day).await?),
    };
    for id in of_day {
        let (sums, of_merchant) = render_merchant(tx, environment, &id, day, books, &settings, folder).await?;
        files.extend(of_merchant);
        merchants.push((id, sums));
    }
    let mut rendered = Rendered { files, merchants };
    render_scheme(tx, environment, day, folder, &mut rendered).await?;
    Ok(rendered)
}

/// How the reports of the open day are made.
pub fn settings_of_open_day(environment: &Environment, day: NaiveDate) -> ReportSettings {
    let scheme = &environment.scheme;
    ReportSettings { buckets: scheme.buckets.clone(), positions: scheme.positions.on(day) }
}

/// Renders a merchant's part of a day.
pub async fn render_merchant(
    tx: &mut Tx,
    environment: &Environment,
    id: &str,
    day: NaiveDate,
    books: Books,
    settings: &ReportSettings,
    folder: Option<&Path>,
) -> Result<(MerchantSums, Vec<Written>)> {
    let merchant = environment.scheme.merchant(id).with_context(|| {
        format!(
            "{day} was sealed with the books of {id}, but the configuration no longer names that merchant; add it again"
        )
    })?;
    let since = scheme::missing_since(tx, id, day).await?.unwrap_or(day);
    let page = DayOf { environment, merchant, since, day, books, settings, folder };
    let mut files = Vec::new();
    let sums = page.render(tx, &mut files).await.with_context(|| format!("files of {id} for {day}"))?;
    Ok((sums, files))
}

/// Adds the files of the scheme to those of its merchants: the credit records of these merchants' customers, and
/// exceptions.
pub async fn render_scheme(
    tx: &mut Tx,
    environment: &Environment,
    day: NaiveDate,
    folder: Option<&Path>,
    rendered: &mut Rendered,
) -> Result<()> {
    let mut ids: Vec<&str> = rendered.merchants.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    let mut steps = Vec::new();
    for id in ids {
        let since = scheme::missing_since(tx, id, day).await?.unwrap_or(day);
        steps.extend(credit_record::on(tx, id, since, day).await?);
    }
    let impact = exported(&steps).map(|step| credit_impact(environment, step)).collect::<Result<Vec<_>>>()?;
    rendered.files.push(report(folder, format!("credit-impact_{day}.csv"), &impact)?);
    let open = exceptions::open_at(tx, Owner::Scheme, day, day).await?;
    let rows = open.iter().map(|row| exception(row, day)).collect::<Result<Vec<_>>>()?;
    rendered.files.push(report(folder, format!("scheme_{day}_exceptions.csv"), &rows)?);
    rendered.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// A merchant's day.
struct DayOf<'a> {
    environment: &'a Environment,
    merchant: &'a Merchant,
    /// The first day that the files cover: the day itself, unless the days before it were sealed without the merchant.
    since: NaiveDate,
    day: NaiveDate,
    books: Books,
    settings: &'a ReportSettings,
    folder: Option<&'a Path>,
}

impl DayOf<'_> {
    async fn render(&self, tx: &mut Tx, files: &mut Vec<Written>) -> Result<MerchantSums> {
        let id = &self.merchant.id;
        let first = scheme::last_entry_by(tx, id, plus(self.day, -1)).await?;
        let last_entry_no = match self.books {
            Books::Open => journal::last_entry_no(tx, id).await?,
            Books::Sealed => scheme::last_entry_by(tx, id, self.day).await?,
        };
        let mut sums = MerchantSums { last_entry_no, ..MerchantSums::default() };
        let opening = scheme::balances_before(tx, id, self.day).await?;
        let turnover = journal::turnover(tx, id, first, last_entry_no).await?;
        sums.accounts = self.accounts(&opening, &turnover);
        files.push(self.summary(&sums)?);
        let (detail, settlement) = self.detail_and_settlement(tx, first, &mut sums).await?;
        files.extend([detail, settlement]);
        files.push(self.positions(tx, &mut sums).await?);
        files.push(self.matching(tx, &mut sums).await?);
        for direction in Direction::ALL {
            files.extend(self.instructions(tx, direction).await?);
        }
        let open = exceptions::open_at(tx, Owner::Merchant(id), self.since, self.day).await?;
        let rows = open.iter().map(|row| exception(row, self.day)).collect::<Result<Vec<_>>>()?;
        files.push(report(self.folder, self.name("exceptions"), &rows)?);
        Ok(sums)
    }

    fn is_of_day(&self, booked_on: NaiveDate) -> bool {
        (self.since..=self.day).contains(&booked_on)
    }

    fn name(&self, kind: &str) -> String {
        format!("{}_{}_{kind}.csv", self.merchant.id, self.day)
    }

    /// Returns every account in every currency of the merchant, including accounts without movements.
    fn accounts(&self, opening: &[Balance], turnover: &[Turnover]) -> BTreeMap<(Currency, Account), AccountDay> {
        let versions = self.merchant.policy.versions.iter().filter(|terms| terms.effective_from <= self.day);
        let currencies = versions
            .map(|terms| terms.currency)
            .chain(opening.iter().map(|balance| balance.currency))
            .chain(turnover.iter().map(|turnover| turnover.currency));
        let mut accounts: BTreeMap<(Currency, Account), AccountDay> = BTreeMap::new();
        for currency in currencies {
            accounts.extend(Account::ALL.map(|account| ((currency, account), AccountDay::default())));
        }
        for balance in opening {
            accounts.entry((balance.currency, balance.account)).or_default().opening = balance.closing;
        }
        for turnover in turnover {
            let day = accounts.entry((turnover.currency, turnover.account)).or_default();
            (day.debits, day.credits) = (turnover.debits, turnover.credits);
        }
        accounts
    }

    fn summary(&self, sums: &MerchantSums) -> Result<Written> {
        let row = |((currency, account), day): (&(Currency, Account), &AccountDay)| Summary {
            merchant_id: &self.merchant.id,
            business_date: self.day,
            currency: *currency,
            account: *account,
            opening: day.opening,
            debits: day.debits,
            credits: day.credits,
            closing: day.closing(),
        };
        let rows: Vec<Summary<'_>> = sums.accounts.iter().map(row).collect();
        Ok(report(self.folder, self.name("summary"), &rows)?)
    }
}

/// Returns the steps of a day that its seal exports: all except flags that were withdrawn before anyone could see them.
fn exported(steps: &[CreditStepRow]) -> impl Iterator<Item = &CreditStepRow> {
    let withdrawn = |step: &CreditStepRow| step.reason == StepReason::FlagWithdrawn.words();
    let is_next_withdrawn = move |i: usize| steps.get(i + 1).is_some_and(withdrawn);
    let kept = move |(i, step): &(usize, &CreditStepRow)| !withdrawn(step) && !is_next_withdrawn(*i);
    steps.iter().enumerate().filter(kept).map(|(_, step)| step)
}

fn credit_impact<'r>(environment: &Environment, step: &'r CreditStepRow) -> Result<CreditImpact<'r>> {
    Ok(CreditImpact {
        customer_id: &step.customer_id,
        order_id: &step.order_id,
        instalment: step.instalment,
        merchant_id: &step.merchant_id,
        status: step.status.name(),
        since: step.since,
        days_past_due: step.days_past_due,
        minor: step.amount_minor,
        currency: currency(&step.currency)?,
        notice_sent_at: step.notice_sent_at,
        zone: environment.scheme.zone,
        reason: &step.reason,
    })
}

fn exception(row: &exceptions::ExceptionRow, day: NaiveDate) -> Result<Exception<'_>> {
    let amount = match row.amount_minor.zip(row.currency.as_deref()) {
        Some((minor, code)) => Some((minor, currency(code)?)),
        None => None,
    };
    Ok(Exception {
        exception_id: super::exceptions::name(row),
        code: row.code.name(),
        owner: row.owner.borrowed(),
        order_id: &row.order_id,
        file: row.file.as_deref().unwrap_or_default(),
        line: row.line,
        amount,
        opened_on: row.opened_on,
        days_open: days_between(row.opened_on, day),
        message: match &row.resolution {
            Some(why) if row.resolved_on == Some(day) => format!("closed: {why}; {}", row.message).into(),
            _ => row.message.as_str().into(),
        },
    })
}

fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).with_context(|| format!("the store has an unknown currency {code}"))
}
