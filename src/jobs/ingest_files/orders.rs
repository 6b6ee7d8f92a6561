//! Orders: decided in file order, each on what its customer owes after the ones before it.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
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
use crate::store::orders::{Decided, NewOrder, StoredOrder};
use crate::store::{Tx, customers, exposure, orders, scheme};

/// Where a file's orders are decided, in its order. Nothing else changes what it keeps in mind: whoever takes in orders
/// is the only one at work on the books. So it can decide on a chunk while the one before is still being written.
#[derive(Default)]
pub struct Desk {
    customers: HashMap<String, Standing>,
    /// The content of orders known before: those that the store has of the chunk to come, and the last chunk's.
    known: HashMap<String, i64>,
}

/// A customer as the merchant's next order finds them.
#[derive(Default)]
struct Standing {
    applicant: Option<Applicant>,
    agreement: Option<Agreement>,
    exposure: Exposure,
    /// What of the exposure the store does not say yet.
    unrecorded: i64,
}

/// What comes of a chunk.
#[derive(Default)]
pub struct Decisions {
    pub verdicts: Vec<Verdict>,
    orders: Vec<NewOrder>,
    /// Fulfilments that came with the orders.
    events: Vec<NewFact>,
}

/// Customers kept in mind between chunks. More are looked up again; memory stays bounded.
const KEPT_IN_MIND: usize = 250_000;

/// Rows decided before whoever writes the chunk before is let on.
const ROWS_A_TURN: usize = 64;

impl Desk {
    pub fn is_full(&self) -> bool {
        self.customers.len() > KEPT_IN_MIND
    }

    /// Forgets customers. What they owe has to be recorded before.
    pub fn clear(&mut self) {
        self.customers.clear();
    }

    /// Looks up what deciding these rows needs: orders known before, and those of the customers not in mind yet. Has to
    /// see all chunks but the last one decided, whose orders are still in mind.
    pub async fn look_up(&mut self, tx: &mut Tx, merchant: &Merchant, lines: &[Line]) -> Result<()> {
        let rows: Vec<&OrderRow> = lines.iter().filter_map(order_row).collect();
        let ids: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
        let stored = orders::known(tx, &merchant.id, &ids).await?;
        self.known.extend(stored.into_iter().map(|(id, (fingerprint, _))| (id, fingerprint)));

        let mut who: Vec<&str> = rows.iter().map(|row| row.customer_id.as_str()).collect();
        who.retain(|id| !self.customers.contains_key(*id));
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
            self.customers.insert(id.to_owned(), Standing { applicant, agreement, exposure, unrecorded: 0 });
        }
        Ok(())
    }

    /// Decides on a chunk that was looked up, row by row in file order.
    pub async fn decide(&mut self, scheme: &Scheme, merchant: &Merchant, chunk: &Chunk<'_>) -> Result<Decisions> {
        let mut decisions = Decisions::default();
        let known = std::mem::take(&mut self.known);
        let mut fresh = HashMap::with_capacity(chunk.lines.len());
        for (n, line) in chunk.lines.iter().enumerate() {
            let verdict = match (&line.parsed, order_row(line)) {
                (Ok(parsed), Some(row)) => {
                    let content = parsed.fingerprint;
                    let outcome = match fresh.get(&row.order_id).or_else(|| known.get(&row.order_id)) {
                        Some(known) => Outcome::of_known(*known, content, "order", &row.order_id),
                        None => self.answer(scheme, merchant, chunk, (row, content, line.number), &mut decisions),
                    };
                    // What is rejected leaves no trace; mended, it may come once more in the same file.
                    if !matches!(outcome, Outcome::Rejected { .. }) {
                        fresh.entry(row.order_id.clone()).or_insert(content);
                    }
                    Verdict { key: parsed.key.clone(), outcome }
                }
                (Err(rejection), _) => Verdict::unreadable(Kind::Orders, chunk.header, line, rejection),
                (Ok(_), None) => unreachable!("a file of orders holds orders"),
            };
            decisions.verdicts.push(verdict);
            if n % ROWS_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        // The next chunk is looked up before this one is written.
        self.known = fresh;
        Ok(decisions)
    }

    fn answer(
        &mut self,
        scheme: &Scheme,
        merchant: &Merchant,
        chunk: &Chunk<'_>,
        (row, fingerprint, line): (&OrderRow, i64, i64),
        decisions: &mut Decisions,
    ) -> Outcome {
        let zone = scheme.config.zone;
        let ordered = day_of(row.ordered_at, zone, None);
        let Some(terms) = merchant.policy.in_force(ordered) else {
            let first = merchant.policy.versions[0].effective_from;
            let message =
                format!("column ordered_at: no policy was in force on {ordered}; the first begins on {first}");
            return Outcome::Rejected { code: "NO_POLICY", message };
        };
        let request = Request {
            amount_minor: row.amount_minor,
            currency: row.currency,
            ordered_at: row.ordered_at,
            today: chunk.today,
        };
        let customer = self.customers.get_mut(&row.customer_id).expect("everyone in the chunk has been looked up");
        let (applicant, agreement) = (customer.applicant.as_ref(), customer.agreement.as_ref());
        let answer = eligibility::decide(&request, applicant, agreement, customer.exposure, terms);
        let order = Order {
            merchant_id: merchant.id.clone(),
            order_id: row.order_id.clone(),
            customer_id: row.customer_id.clone(),
            amount_minor: row.amount_minor,
            currency: row.currency,
            ordered_at: row.ordered_at,
            ordered_on: day_of(row.ordered_at, zone, terms.cut_off),
            term: answer.as_ref().map_or(0, |band| band.term),
            policy_version: terms.effective_from,
            booked_on: chunk.today,
            source: Source { file_no: chunk.file.file_no, line },
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
                let events = events_of(row, terms, &stored.order, zone);
                if let Err(no_year) = due_dates_can_be_told(&stored.order, &events, terms) {
                    let message = format!("its due date cannot be told: {no_year}");
                    return Outcome::Rejected { code: "NO_CALENDAR_YEAR", message };
                }
                decisions.events.extend(events);
                customer.exposure.minor += row.amount_minor;
                customer.unrecorded += row.amount_minor;
                // Owed in full until the day's positions are assessed.
                let today = Some(chunk.today);
                let owed = Decided { owed_minor: row.amount_minor, next_action_on: today, ..Decided::default() };
                decisions.orders.push((stored, fingerprint, owed));
                Outcome::Accepted
            }
            Err(decline) => {
                let closed = Decided { closed_on: Some(chunk.today), ..Decided::default() };
                decisions.orders.push((stored, fingerprint, closed));
                Outcome::Declined { code: decline.code(), message: decline.words().to_owned() }
            }
        }
    }

    /// What customers owe more, by all that was decided. It belongs into the transaction that their orders are in.
    pub fn owed(&mut self) -> Vec<(String, i64)> {
        let changed = self.customers.iter_mut().filter(|(_, customer)| customer.unrecorded != 0);
        let mut owed: Vec<(String, i64)> =
            changed.map(|(id, customer)| (id.clone(), std::mem::take(&mut customer.unrecorded))).collect();
        owed.sort_unstable();
        owed
    }
}

fn order_row(line: &Line) -> Option<&OrderRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Order(row) => Some(row),
        Row::Customer(_) | Row::Opening(_) | Row::Fact(_) | Row::Result(_) | Row::Bill(_) => None,
    }
}

impl Decisions {
    pub async fn write(&self, tx: &mut Tx, scheme: &Scheme, merchant: &Merchant, today: NaiveDate) -> Result<()> {
        let mut versions: Vec<_> = self.orders.iter().map(|(stored, ..)| stored.order.policy_version).collect();
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            let fingerprint = version_fingerprint(merchant, version).context("a policy version without fingerprint")?;
            scheme::use_policy_version(tx, &merchant.id, version, fingerprint, today).await?;
        }
        orders::add(tx, &merchant.id, &self.orders).await?;
        crate::store::facts::add(tx, &merchant.id, &self.events).await?;
        // Rows that came before their order can be looked at again.
        let ids: Vec<&str> = self.orders.iter().map(|(stored, ..)| stored.order.order_id.as_str()).collect();
        facts::retry_pending(tx, scheme, merchant, &ids, today).await
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
