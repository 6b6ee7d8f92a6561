//! Orders: decided in file order, each on what its customer owes after the ones before it.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::super::{Scheme, version_fingerprint};
use super::verdict::{Outcome, Verdict};
use super::{Chunk, facts};
use crate::config::Merchant;
use crate::domain::business_days::NoYear;
use crate::domain::calendar::day_of;
use crate::domain::due::can_be_told;
use crate::domain::eligibility::{self, Agreement, Applicant, Exposure, Request};
use crate::domain::order::{Case, Event, Fact, FactRow, Order, OrderRow, Source, What};
use crate::domain::policy::Terms;
use crate::files::incoming::facts::{fingerprint_of, fulfilment_id};
use crate::files::incoming::{Kind, Row};
use crate::files::reader::Line;
use crate::store::facts::NewFact;
use crate::store::orders::{Decided, StoredOrder};
use crate::store::{Tx, customers, exposure, orders, scheme};

/// What is known of customers while a file is read. Nothing else changes it in the meantime: whoever takes in orders
/// is the only one at work on the books.
#[derive(Default)]
pub struct Customers(HashMap<String, Standing>);

/// A customer as the merchant's next order finds them.
#[derive(Default)]
struct Standing {
    applicant: Option<Applicant>,
    agreement: Option<Agreement>,
    exposure: Exposure,
    /// What of the exposure the store does not say yet.
    unrecorded: i64,
}

/// Customers kept in mind between chunks. More are looked up again; memory stays bounded.
const KEPT_IN_MIND: usize = 300_000;

impl Customers {
    /// Looks up those of the customers who are not in mind yet.
    async fn meet(&mut self, tx: &mut Tx, merchant: &Merchant, rows: &[&OrderRow]) -> Result<()> {
        if self.0.len() > KEPT_IN_MIND {
            self.record(tx, &merchant.id).await?;
            self.0.clear();
        }
        let mut who: Vec<&str> = rows.iter().map(|row| row.customer_id.as_str()).collect();
        who.retain(|id| !self.0.contains_key(*id));
        who.sort_unstable();
        who.dedup();
        if who.is_empty() {
            return Ok(());
        }
        let mut applicants = customers::applicants(tx, &who).await?;
        let mut agreements = customers::agreements(tx, &merchant.id, &who).await?;
        let exposures = exposure::of(tx, &merchant.id, &who).await?;
        for id in who {
            let (applicant, agreement) = (applicants.remove(id), agreements.remove(id));
            let exposure = exposures.get(id).copied().unwrap_or_default();
            self.0.insert(id.to_owned(), Standing { applicant, agreement, exposure, unrecorded: 0 });
        }
        Ok(())
    }

    /// Writes what they owe more. Belongs into every transaction that their orders are in.
    pub async fn record(&mut self, tx: &mut Tx, merchant: &str) -> Result<()> {
        let changed = self.0.iter_mut().filter(|(_, customer)| customer.unrecorded != 0);
        let mut changes: Vec<(&str, i64)> =
            changed.map(|(id, customer)| (id.as_str(), std::mem::take(&mut customer.unrecorded))).collect();
        changes.sort_unstable();
        exposure::add(tx, merchant, &changes).await
    }
}

pub async fn decide(
    tx: &mut Tx,
    scheme: &Scheme,
    merchant: &Merchant,
    customers: &mut Customers,
    chunk: &Chunk<'_>,
) -> Result<Vec<Verdict>> {
    let mut desk = Desk::open(tx, scheme, merchant, customers, chunk).await?;
    let mut verdicts = Vec::with_capacity(chunk.lines.len());
    for line in chunk.lines {
        verdicts.push(match (&line.parsed, order_row(line)) {
            (Ok(parsed), Some(row)) => {
                let outcome = desk.decide(row, parsed.fingerprint, line.number);
                Verdict { key: parsed.key.clone(), outcome }
            }
            (Err(rejection), _) => Verdict::unreadable(Kind::Orders, chunk.header, line, rejection),
            (Ok(_), None) => unreachable!("a file of orders holds orders"),
        });
    }
    desk.write(tx).await?;
    Ok(verdicts)
}

fn order_row(line: &Line) -> Option<&OrderRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Order(row) => Some(row),
        Row::Customer(_) | Row::Opening(_) | Row::Fact(_) | Row::Result(_) => None,
    }
}

/// Everything that deciding a chunk of orders needs, loaded in one go, and what comes of it.
struct Desk<'a> {
    scheme: &'a Scheme,
    merchant: &'a Merchant,
    chunk: &'a Chunk<'a>,
    /// Orders known before, and those of this chunk: the content's fingerprint.
    known: HashMap<String, i64>,
    customers: &'a mut Customers,
    decided: Vec<(StoredOrder, i64, Decided)>,
    events: Vec<NewFact>,
}

impl<'a> Desk<'a> {
    async fn open(
        tx: &mut Tx,
        scheme: &'a Scheme,
        merchant: &'a Merchant,
        customers: &'a mut Customers,
        chunk: &'a Chunk<'a>,
    ) -> Result<Desk<'a>> {
        let rows: Vec<&OrderRow> = chunk.lines.iter().filter_map(order_row).collect();
        let ids: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
        customers.meet(tx, merchant, &rows).await?;
        let known = orders::known(tx, &merchant.id, &ids).await?;
        Ok(Desk {
            scheme,
            merchant,
            chunk,
            known: known.into_iter().map(|(id, (fingerprint, _))| (id, fingerprint)).collect(),
            customers,
            decided: Vec::with_capacity(rows.len()),
            events: Vec::new(),
        })
    }

    fn decide(&mut self, row: &OrderRow, fingerprint: i64, line: i64) -> Outcome {
        if let Some(known) = self.known.get(&row.order_id) {
            return Outcome::of_known(*known, fingerprint, "order", &row.order_id);
        }
        let ordered = day_of(row.ordered_at, self.scheme.config.zone, None);
        let Some(terms) = self.merchant.policy.in_force(ordered) else {
            let first = self.merchant.policy.versions[0].effective_from;
            let message =
                format!("column ordered_at: no policy was in force on {ordered}; the first begins on {first}");
            return Outcome::Rejected { code: "NO_POLICY", message };
        };
        let request = Request {
            amount_minor: row.amount_minor,
            currency: row.currency,
            ordered_at: row.ordered_at,
            today: self.chunk.today,
        };
        let customer = self.customers.0.get_mut(&row.customer_id).expect("everyone in the chunk has been met");
        let (applicant, agreement) = (customer.applicant.as_ref(), customer.agreement.as_ref());
        let answer = eligibility::decide(&request, applicant, agreement, customer.exposure, terms);
        let order = Order {
            merchant_id: self.merchant.id.clone(),
            order_id: row.order_id.clone(),
            customer_id: row.customer_id.clone(),
            amount_minor: row.amount_minor,
            currency: row.currency,
            ordered_at: row.ordered_at,
            ordered_on: day_of(row.ordered_at, self.scheme.config.zone, terms.cut_off),
            term: answer.as_ref().map_or(0, |band| band.term),
            policy_version: terms.effective_from,
            booked_on: self.chunk.today,
            source: Source { file_no: self.chunk.file.file_no, line },
        };
        let stored = StoredOrder {
            order,
            item: row.item.clone(),
            declined: answer.as_ref().err().map(|decline| decline.code().to_owned()),
            credit_score: applicant.map(|applicant| applicant.credit_score),
            agreement_id: agreement.map(|agreement| agreement.agreement_id.clone()),
            owed_minor: 0,
            closed_on: None,
        };
        match answer {
            Ok(_) => {
                let events = events_of(row, terms, &stored.order, self.scheme.config.zone);
                if let Err(no_year) = due_dates_can_be_told(&stored.order, &events, terms) {
                    let message = format!("its due date cannot be told: {no_year}");
                    return Outcome::Rejected { code: "NO_CALENDAR_YEAR", message };
                }
                self.known.insert(row.order_id.clone(), fingerprint);
                self.events.extend(events);
                customer.exposure.minor += row.amount_minor;
                customer.unrecorded += row.amount_minor;
                // Owed in full until the day's positions are assessed.
                let today = Some(self.chunk.today);
                let owed = Decided { owed_minor: row.amount_minor, next_action_on: today, ..Decided::default() };
                self.decided.push((stored, fingerprint, owed));
                Outcome::Accepted
            }
            Err(decline) => {
                self.known.insert(row.order_id.clone(), fingerprint);
                let closed = Decided { closed_on: Some(self.chunk.today), ..Decided::default() };
                self.decided.push((stored, fingerprint, closed));
                Outcome::Declined { code: decline.code(), message: decline.words().to_owned() }
            }
        }
    }

    async fn write(self, tx: &mut Tx) -> Result<()> {
        let Desk { scheme, merchant, chunk, decided, events, .. } = self;
        let mut versions: Vec<_> = decided.iter().map(|(stored, ..)| stored.order.policy_version).collect();
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            let fingerprint = version_fingerprint(merchant, version).context("a policy version without fingerprint")?;
            scheme::use_policy_version(tx, &merchant.id, version, fingerprint, chunk.today).await?;
        }
        orders::add(tx, &merchant.id, &decided).await?;
        crate::store::facts::add(tx, &merchant.id, &events).await?;
        // Rows that came before their order can be looked at again.
        let ids: Vec<&str> = decided.iter().map(|(stored, ..)| stored.order.order_id.as_str()).collect();
        facts::retry_pending(tx, scheme, merchant, &ids, chunk.today).await
    }
}

/// Fulfilment that the order's own row carries, as facts of their own.
fn events_of(row: &OrderRow, terms: &Terms, order: &Order, zone: Tz) -> Vec<NewFact> {
    let event = |(event, at): &(Event, DateTime<Utc>)| {
        let fact_row = FactRow {
            id: fulfilment_id(&row.order_id, *event),
            order_id: row.order_id.clone(),
            effective_at: *at,
            what: What::Fulfilment(*event),
            currency: None,
            note: None,
        };
        let fingerprint = fingerprint_of(&fact_row);
        let fact = Fact {
            id: fact_row.id,
            effective_at: *at,
            effective_on: day_of(*at, zone, terms.cut_off),
            booked_on: order.booked_on,
            source: order.source,
            what: fact_row.what,
        };
        NewFact { order_id: fact_row.order_id, fact, note: None, fingerprint }
    };
    row.events.iter().map(event).collect()
}

/// A row that leads where the calendar knows no days is refused now; later nobody could decide the order.
fn due_dates_can_be_told(order: &Order, events: &[NewFact], terms: &Terms) -> Result<(), NoYear> {
    if terms.days_off.is_none() {
        return Ok(());
    }
    let facts = events.iter().map(|new| new.fact.clone()).collect();
    can_be_told(&Case { order: order.clone(), facts }, terms)
}
