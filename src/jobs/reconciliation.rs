//! The files of a business day, rendered from the books. The open day is rendered from the recorded positions, a sealed
//! one by deciding its orders again as they were known then: both must give the same bytes.

mod instructions;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::Scheme;
use super::deciding::{PAGE, into_cases, which_order};
use crate::config::Merchant;
use crate::domain::calendar::{days_between, plus};
use crate::domain::credit::{Standing, Status, WITHDRAWN};
use crate::domain::instruction::Direction;
use crate::domain::journal::{Account, Kind};
use crate::domain::money::Currency;
use crate::domain::position::{Position, decide};
use crate::files::incoming::Kind as IncomingKind;
use crate::files::outgoing::{
    CreditImpact, Detail, Exception, Matching, OpenInstalment, Report, Settlement, Summary, Written, report,
};
use crate::store::credit_record::{self, CreditStepRow};
use crate::store::inputs::InputRow;
use crate::store::journal::{JournalRow, Turnover};
use crate::store::scheme::Balance;
use crate::store::{Tx, exceptions, facts, inputs, journal, orders, positions, scheme};

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
    /// By name.
    pub files: Vec<Written>,
    pub merchants: Vec<(String, MerchantSums)>,
}

/// An account's day, in minor units, debit less credit.
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

/// What a merchant's files add up to.
#[derive(Debug, Default)]
pub struct MerchantSums {
    pub accounts: BTreeMap<(Currency, Account), AccountDay>,
    pub last_entry_no: i64,
    /// Debits and credits, added up row by row from the detail.
    pub detail: BTreeMap<(Currency, Account), (i64, i64)>,
    pub outstanding: BTreeMap<Currency, i64>,
    pub fees_owed: BTreeMap<Currency, i64>,
    pub suspended: BTreeMap<Currency, i64>,
    pub settled: BTreeMap<Currency, i64>,
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

/// Renders all files of a day into a folder, or nowhere to only learn their fingerprints.
pub async fn render(
    tx: &mut Tx,
    scheme: &Scheme,
    day: NaiveDate,
    books: Books,
    folder: Option<&Path>,
) -> Result<Rendered> {
    let mut files = Vec::new();
    let mut merchants = Vec::new();
    let (of_day, buckets) = match books {
        Books::Open => {
            let all = scheme.config.merchants.iter().map(|merchant| merchant.id.clone());
            (all.collect(), scheme.config.buckets.clone())
        }
        // The configuration may have changed since; the day has not.
        Books::Sealed => (scheme::merchants_of_day(tx, day).await?, scheme::buckets_of_day(tx, day).await?),
    };
    for id in of_day {
        let merchant = scheme.config.merchant(&id).with_context(|| {
            format!("{day} was sealed with the books of {id}, but the configuration no longer names that merchant")
        })?;
        let buckets = &buckets;
        let page = DayOf { scheme, merchant, day, books, buckets, folder };
        let sums = page.render(tx, &mut files).await.with_context(|| format!("files of {} for {day}", merchant.id))?;
        merchants.push((merchant.id.clone(), sums));
    }
    let steps = credit_record::on(tx, day).await?;
    let impact = exported(&steps).map(|step| credit_impact(scheme, step)).collect::<Result<Vec<_>>>()?;
    files.push(report(folder, format!("credit-impact_{day}.csv"), &impact)?);
    let open = exceptions::open_at(tx, "", day).await?;
    let rows = open.iter().map(|row| exception(row, day)).collect::<Result<Vec<_>>>()?;
    files.push(report(folder, format!("scheme_{day}_exceptions.csv"), &rows)?);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Rendered { files, merchants })
}

/// A merchant's day.
struct DayOf<'a> {
    scheme: &'a Scheme,
    merchant: &'a Merchant,
    day: NaiveDate,
    books: Books,
    buckets: &'a [i64],
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
        let opening = scheme::balances(tx, id, plus(self.day, -1)).await?;
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
        let open = exceptions::open_at(tx, id, self.day).await?;
        let rows = open.iter().map(|row| exception(row, self.day)).collect::<Result<Vec<_>>>()?;
        files.push(report(self.folder, self.name("exceptions"), &rows)?);
        Ok(sums)
    }

    fn name(&self, kind: &str) -> String {
        format!("{}_{}_{kind}.csv", self.merchant.id, self.day)
    }

    /// Every account in every currency of the merchant, also where nothing happened.
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

    async fn detail_and_settlement(
        &self,
        tx: &mut Tx,
        first: i64,
        sums: &mut MerchantSums,
    ) -> Result<(Written, Written)> {
        let mut detail = Report::begin::<Detail<'_>>(self.folder, self.name("detail"))?;
        let mut settled: BTreeMap<(Currency, String), Settled> = BTreeMap::new();
        let mut after = first;
        loop {
            let rows = journal::rows(tx, &self.merchant.id, after, sums.last_entry_no, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.entry_no;
            for row in &rows {
                detail.row(&self.detail_row(row))?;
                sums.detail.entry((row.currency, row.movement.debit)).or_default().0 += row.minor;
                sums.detail.entry((row.currency, row.movement.credit)).or_default().1 += row.minor;
                if [row.movement.debit, row.movement.credit].contains(&Account::MerchantPayable) {
                    settled.entry((row.currency, row.order_id.clone())).or_default().take(row);
                }
            }
        }
        let settlement_id = format!("{}-{}", self.merchant.id, self.day);
        let mut settlement = Report::begin::<Settlement<'_>>(self.folder, self.name("settlement"))?;
        for ((currency, order_id), settled) in &settled {
            let row = Settlement {
                settlement_id: &settlement_id,
                merchant_id: &self.merchant.id,
                currency: *currency,
                order_id,
                gross: settled.gross,
                refunds: settled.refunds,
                service_fee: settled.service_fee,
                payable_on: plus(self.day, self.payable_after(settled.policy_version)),
            };
            *sums.settled.entry(*currency).or_default() += row.net();
            settlement.row(&row)?;
        }
        Ok((detail.finish()?, settlement.finish()?))
    }

    fn detail_row<'r>(&'r self, row: &'r JournalRow) -> Detail<'r> {
        Detail {
            entry_no: row.entry_no,
            merchant_id: &self.merchant.id,
            business_date: row.business_date,
            effective_on: row.effective_on,
            order_id: &row.order_id,
            currency: row.currency,
            movement: &row.movement,
            minor: row.minor,
            source: &row.source,
            source_line: row.line,
            policy_version: row.policy_version,
            reason: &row.reason,
        }
    }

    fn payable_after(&self, version: Option<NaiveDate>) -> i64 {
        let policy = &self.merchant.policy;
        let terms = version.and_then(|version| policy.version(version)).or_else(|| policy.in_force(self.day));
        terms.map_or(0, |terms| terms.payable_after)
    }

    async fn positions(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<OpenInstalment<'_>>(self.folder, self.name("positions"))?;
        match self.books {
            Books::Open => {
                let mut after = (String::new(), 0);
                loop {
                    let page = positions::open(tx, &self.merchant.id, (&after.0, after.1), PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = (last.order_id.clone(), last.position.instalment);
                    for open in &page {
                        let row = (open.order_id.as_str(), open.customer_id.as_str(), open.currency, &open.position);
                        self.position(&mut report, sums, row)?;
                    }
                }
            }
            Books::Sealed => {
                let mut after = String::new();
                loop {
                    let page = orders::open_at(tx, &self.merchant.id, self.day, &after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after.clone_from(&last.order.order_id);
                    self.positions_again(tx, page, &mut report, sums).await?;
                }
            }
        }
        Ok(report.finish()?)
    }

    /// Decides a page of orders as they were known at the end of the day.
    async fn positions_again(
        &self,
        tx: &mut Tx,
        page: Vec<orders::StoredOrder>,
        report: &mut Report,
        sums: &mut MerchantSums,
    ) -> Result<()> {
        let ids: Vec<String> = page.iter().map(|stored| stored.order.order_id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let facts = facts::of_orders(tx, &self.merchant.id, &ids).await?;
        let steps = credit_record::of_orders(tx, &self.merchant.id, &ids).await?;
        for (_, case) in into_cases(page, facts) {
            let case = case.as_known_on(self.day);
            let order = &case.order;
            let terms = self.scheme.terms(&self.merchant.id, order.policy_version)?;
            let standings = standings_on(&steps, &order.order_id, self.day)?;
            let decision = decide(&case, terms, &standings, self.day).with_context(|| which_order(&case))?;
            for position in decision.positions.iter().filter(|position| position.is_open()) {
                let row = (order.order_id.as_str(), order.customer_id.as_str(), order.currency, position);
                self.position(report, sums, row)?;
            }
        }
        Ok(())
    }

    fn position(
        &self,
        report: &mut Report,
        sums: &mut MerchantSums,
        (order_id, customer_id, currency, position): (&str, &str, Currency, &Position),
    ) -> Result<()> {
        *sums.outstanding.entry(currency).or_default() += position.outstanding();
        *sums.fees_owed.entry(currency).or_default() += position.fee_owed();
        report.row(&OpenInstalment {
            merchant_id: &self.merchant.id,
            business_date: self.day,
            order_id,
            customer_id,
            currency,
            position,
            buckets: self.buckets,
        })?;
        Ok(())
    }

    /// Money that reached its order today, money that still waits for one, and contradictions of today.
    async fn matching(&self, tx: &mut Tx, sums: &mut MerchantSums) -> Result<Written> {
        let mut report = Report::begin::<Matching<'_>>(self.folder, self.name("matching"))?;
        for booked in facts::money_booked_on(tx, &self.merchant.id, self.day).await? {
            report.row(&Matching {
                provider: &booked.provider,
                payment_id: &booked.fact_id,
                order_id: &booked.order_id,
                provider_minor: booked.amount_minor,
                our_minor: booked.amount_minor,
                currency: currency(&booked.currency)?,
                status: "matched",
                days_open: 0,
            })?;
        }
        for (waiting, provider) in inputs::suspended_at(tx, &self.merchant.id, self.day).await? {
            let Some((minor, currency)) = signed_amount(&waiting)? else { continue };
            *sums.suspended.entry(currency).or_default() += minor;
            report.row(&Matching {
                provider: &provider,
                payment_id: &waiting.row_key,
                order_id: &waiting.order_id,
                provider_minor: minor,
                our_minor: 0,
                currency,
                status: "missing_here",
                days_open: days_between(waiting.opened_on, self.day),
            })?;
        }
        for (conflict, provider, ours) in inputs::money_conflicts_on(tx, &self.merchant.id, self.day).await? {
            let Some((minor, currency)) = signed_amount(&conflict)? else { continue };
            let ours = if minor < 0 { -ours } else { ours };
            report.row(&Matching {
                provider: &provider,
                payment_id: &conflict.row_key,
                order_id: &conflict.order_id,
                provider_minor: minor,
                our_minor: ours,
                currency,
                status: "amount_differs",
                days_open: 0,
            })?;
        }
        Ok(report.finish()?)
    }
}

/// How an order changed what its merchant is owed.
#[derive(Default)]
struct Settled {
    gross: i64,
    refunds: i64,
    service_fee: i64,
    policy_version: Option<NaiveDate>,
}

impl Settled {
    fn take(&mut self, row: &JournalRow) {
        // Owed to the merchant is a credit; a correction comes the other way round.
        let owed = if row.movement.credit == Account::MerchantPayable { row.minor } else { -row.minor };
        match row.movement.kind {
            Kind::ServiceFee => self.service_fee -= owed,
            Kind::Refund | Kind::Suspense => self.refunds -= owed,
            _ => self.gross += owed,
        }
        self.policy_version = self.policy_version.or(row.policy_version);
    }
}

/// The credit record of an order as it was at the end of a day, by instalment.
pub fn standings_on(steps: &[CreditStepRow], order_id: &str, day: NaiveDate) -> Result<Vec<Standing>> {
    let mut standings: Vec<Standing> = Vec::new();
    for step in steps.iter().filter(|step| step.order_id == order_id && step.since <= day) {
        let at = usize::try_from(step.instalment - 1).context("an instalment below 1")?;
        if standings.len() <= at {
            standings.resize(at + 1, Standing::default());
        }
        let status = Status::parse(&step.status).with_context(|| format!("unknown credit status {}", step.status))?;
        standings[at] = standings[at].after(status, step.since);
    }
    Ok(standings)
}

/// The steps of a day that its seal exports: all but flags that were withdrawn before anyone has seen them.
fn exported(steps: &[CreditStepRow]) -> impl Iterator<Item = &CreditStepRow> {
    let withdrawn = |step: &CreditStepRow| step.reason == WITHDRAWN;
    let is_next_withdrawn = move |i: usize| steps.get(i + 1).is_some_and(withdrawn);
    let kept = move |(i, step): &(usize, &CreditStepRow)| !withdrawn(step) && !is_next_withdrawn(*i);
    steps.iter().enumerate().filter(kept).map(|(_, step)| step)
}

fn credit_impact<'r>(scheme: &Scheme, step: &'r CreditStepRow) -> Result<CreditImpact<'r>> {
    Ok(CreditImpact {
        customer_id: &step.customer_id,
        order_id: &step.order_id,
        instalment: step.instalment,
        merchant_id: &step.merchant_id,
        status: &step.status,
        since: step.since,
        days_past_due: step.days_past_due,
        minor: step.amount_minor,
        currency: currency(&step.currency)?,
        notice_sent_at: step.notice_sent_at,
        zone: scheme.config.zone,
        reason: &step.reason,
    })
}

fn exception(row: &exceptions::ExceptionRow, day: NaiveDate) -> Result<Exception<'_>> {
    let amount = match row.amount_minor.zip(row.currency.as_deref()) {
        Some((minor, code)) => Some((minor, currency(code)?)),
        None => None,
    };
    let merchant = if row.merchant_id.is_empty() { "scheme" } else { &row.merchant_id };
    Ok(Exception {
        exception_id: format!("{merchant}-X{}", row.exception_no),
        code: &row.code,
        merchant_id: &row.merchant_id,
        order_id: &row.order_id,
        file: row.file.as_deref().unwrap_or_default(),
        line: row.line,
        amount,
        opened_on: row.opened_on,
        days_open: days_between(row.opened_on, day),
        message: &row.message,
    })
}

/// The money of a row; of a chargeback, which takes it back, negative.
fn signed_amount(row: &InputRow) -> Result<Option<(i64, Currency)>> {
    let Some((minor, code)) = row.amount_minor.zip(row.currency.as_deref()) else { return Ok(None) };
    let minor = if row.kind == IncomingKind::Chargebacks.name() { -minor } else { minor };
    Ok(Some((minor, currency(code)?)))
}

fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).with_context(|| format!("unknown currency {code}"))
}
