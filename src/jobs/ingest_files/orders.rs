//! Orders, decided in file order. Each decision takes into account what the customer owes after the orders before it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::chunk::Chunk;
use super::outcome::Outcome;
use super::pending;
use crate::books::environment::Environment;
use crate::books::policy_versions::version_fingerprint;
use crate::domain::business_days::NoYear;
use crate::domain::calendar::day_of;
use crate::domain::decide::due::due_dates_are_known;
use crate::domain::facts::agreement::agreement_for;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Event, Fact, FactRow, What};
use crate::domain::facts::order::{Order, OrderRow};
use crate::domain::facts::source::Source;
use crate::domain::intake::admission::not_before_order;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::eligibility::{self, Request};
use crate::domain::terms::policy::Terms;
use crate::files::read::reader::Line;
use crate::files::rows::Row;
use crate::files::rows::facts::{fingerprint_of, fulfilment_id};
use crate::scheme::Merchant;
use crate::store::customer_standing::{self, CustomerStanding};
use crate::store::facts::{self, NewFact};
use crate::store::orders::{Decided, NewOrder, StoredOrder};
use crate::store::{Tx, orders, scheme};

/// Decides a file's orders, in file order. Its cache stays valid because only the intake of orders works on the books
/// during that time, so it can decide a chunk while the chunk before is still being written.
pub struct OrderIntake {
    merchant: Arc<Merchant>,
    zone: Tz,
    customers: Vec<Customer>,
    /// The index of each customer in `customers`.
    places: ByKey<usize>,
    /// Whether `customers` has every customer with an agreement with the merchant.
    has_all: bool,
    asked: Asked,
    /// Fingerprints of known orders: those that the store has for the next chunk, and those of the last chunk.
    known: ByKey<i64>,
}

/// A map by customer id or order id.
type ByKey<T> = HashMap<String, T, foldhash::fast::RandomState>;

/// The rows that are decided next.
#[derive(Default)]
struct Asked {
    /// The index of each row's customer.
    named: Vec<usize>,
    /// Customers of these rows who are not cached.
    strangers: Vec<String>,
    /// The lowest and the highest order id of these rows.
    ids: Option<(String, String)>,
}

/// A customer as the next order finds them.
#[derive(Default)]
struct Customer {
    standing: CustomerStanding,
    /// The part of their exposure that is not in the store yet.
    unrecorded: i64,
}

/// What is recorded of a chunk.
pub struct Decisions {
    orders: Vec<NewOrder>,
    /// Fulfilments that came with the orders.
    events: Vec<NewFact>,
}

/// The number of customers cached between chunks. Beyond it, customers are loaded again, so that memory stays bounded.
const KEPT_IN_MIND: usize = 250_000;

/// If a chunk names at least one in this many of a merchant's customers, later chunks will name most of them, so all
/// are loaded at once.
const ONE_IN: usize = 50;

impl OrderIntake {
    pub fn of(environment: &Environment, merchant: &Arc<Merchant>) -> OrderIntake {
        OrderIntake {
            merchant: merchant.clone(),
            zone: environment.scheme.zone,
            customers: Vec::new(),
            places: ByKey::default(),
            has_all: false,
            asked: Asked::default(),
            known: ByKey::default(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.customers.len() > KEPT_IN_MIND
    }

    /// Clears the cached customers. What they owe must be recorded first.
    pub fn clear(&mut self) {
        self.customers.clear();
        self.places.clear();
        self.has_all = false;
    }

    /// Finds the customers of the next rows, and what must be loaded from the store.
    pub fn prepare(&mut self, lines: &[Line]) {
        let Asked { named, strangers, ids } = &mut self.asked;
        named.clear();
        strangers.clear();
        for row in lines.iter().filter_map(order_row) {
            match self.places.get(&row.customer_id) {
                Some(place) => named.push(*place),
                None => strangers.push(row.customer_id.clone()),
            }
        }
        strangers.sort_unstable();
        strangers.dedup();
        let rows = || lines.iter().filter_map(order_row).map(|row| &row.order_id);
        *ids = rows().min().cloned().zip(rows().max().cloned());
    }

    /// Loads what deciding the prepared rows needs: known orders, and customers who are not cached yet. `tx` must see
    /// all earlier chunks except the last one decided, whose orders are still cached.
    pub async fn look_up(&mut self, tx: &mut Tx, lines: &[Line], is_last: bool) -> Result<()> {
        let merchant = self.merchant.clone();
        // New orders usually have ids above all known ones, so one query shows that none is known.
        if let Some((first, last)) = &self.asked.ids
            && orders::any_between(tx, &merchant.id, first, last).await?
        {
            let ids: Vec<&str> = lines.iter().filter_map(order_row).map(|row| row.order_id.as_str()).collect();
            let stored = orders::known(tx, &merchant.id, &ids).await?;
            self.known.extend(stored.into_iter().map(|(id, (fingerprint, _))| (id, fingerprint)));
        }
        if !is_last && !self.has_all && !self.asked.strangers.is_empty() {
            let many = self.asked.strangers.len() * ONE_IN;
            let count = usize::try_from(customer_standing::count(tx, &merchant.id, i64::try_from(many + 1)?).await?)?;
            if count <= many {
                let before = self.customers.len();
                self.customers.reserve(count);
                self.places.reserve(count);
                customer_standing::of_all(tx, &merchant.id, |id, standing| self.meet(before, id, standing)).await?;
                self.has_all = true;
                // Customers without an agreement are not among those loaded.
                self.prepare(lines);
            }
        }
        if !self.asked.strangers.is_empty() {
            let strangers: Vec<&str> = self.asked.strangers.iter().map(String::as_str).collect();
            let before = self.customers.len();
            for (id, standing) in customer_standing::of(tx, &merchant.id, &strangers).await? {
                self.meet(before, id, standing);
            }
            self.prepare(lines);
            let left = self.asked.strangers.len();
            ensure!(left == 0, "customers that were looked up and not found: {left}");
        }
        Ok(())
    }

    /// Caches a customer's standing. `before` is the number of customers cached before the lookup: for these, the cache
    /// is ahead of the store and is not changed.
    fn meet(&mut self, before: usize, id: String, standing: CustomerStanding) {
        match self.places.entry(id) {
            Entry::Vacant(free) => {
                free.insert(self.customers.len());
                self.customers.push(Customer { standing, unrecorded: 0 });
            }
            Entry::Occupied(known) if *known.get() >= before => {
                let known = &mut self.customers[*known.get()].standing;
                known.agreements.extend(standing.agreements);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Decides the rows of a prepared chunk in file order.
    pub fn decide(&mut self, chunk: &Chunk<'_>) -> Result<(Vec<Outcome>, Decisions)> {
        let lines = chunk.lines;
        let mut outcomes = Vec::with_capacity(lines.len());
        let mut decisions = Decisions { orders: Vec::with_capacity(lines.len()), events: Vec::new() };
        let known = std::mem::take(&mut self.known);
        let named = std::mem::take(&mut self.asked.named);
        let mut named = named.into_iter();
        let mut fresh = ByKey::with_capacity_and_hasher(lines.len(), Default::default());
        for line in lines {
            let outcome = match (&line.parsed, order_row(line)) {
                (Ok(parsed), Some(row)) => {
                    let content = parsed.fingerprint;
                    let customer = named.next().context("an order whose customer was not looked up")?;
                    let outcome = match fresh.get(&row.order_id).or_else(|| known.get(&row.order_id)) {
                        Some(known) => Outcome::of_known(*known, content, "order", &row.order_id),
                        None => self.answer(chunk, (row, content, line.number), customer, &mut decisions),
                    };
                    // A rejected order is not recorded; its corrected row may follow in the same file.
                    if !matches!(outcome, Outcome::Rejected { .. }) {
                        fresh.entry(row.order_id.clone()).or_insert(content);
                    }
                    outcome
                }
                (Err(rejection), _) => Outcome::from(rejection),
                (Ok(_), None) => unreachable!("a file of orders holds orders"),
            };
            outcomes.push(outcome);
        }
        // The next chunk is looked up before this one is written.
        self.known = fresh;
        Ok((outcomes, decisions))
    }

    fn answer(
        &mut self,
        chunk: &Chunk<'_>,
        (row, fingerprint, line): (&OrderRow, i64, i64),
        customer: usize,
        decisions: &mut Decisions,
    ) -> Outcome {
        let OrderIntake { merchant, customers, zone, .. } = self;
        let (zone, today) = (*zone, chunk.today);
        let ordered = day_of(row.ordered_at, zone, None);
        let Some(terms) = merchant.policy.in_force(ordered) else {
            let first = merchant.policy.versions[0].effective_from;
            let message =
                format!("column ordered_at: no policy was in force on {ordered}; the first begins on {first}");
            return Outcome::Rejected { code: RowCode::NoPolicy, message };
        };
        if let Err(rejected) = events_not_before_order(row, terms, zone) {
            return rejected;
        }
        let OrderRow { amount_minor, currency, ordered_at, .. } = *row;
        let request = Request { amount_minor, currency, ordered_at, today, zone };
        let customer = &mut customers[customer];
        let CustomerStanding { applicant, agreements, exposure } = &customer.standing;
        let agreement = agreement_for(agreements, ordered_at).map(|(agreement, _)| agreement);
        let answer = eligibility::decide(&request, applicant.as_ref(), agreements, *exposure, terms);
        let order = Order {
            order_id: row.order_id.clone(),
            customer_id: row.customer_id.clone(),
            amount_minor: row.amount_minor,
            currency: row.currency,
            ordered_at: row.ordered_at,
            ordered_on: day_of(row.ordered_at, zone, terms.cut_off),
            term: answer.as_ref().map_or(0, |band| band.term),
            policy_version: terms.effective_from,
            booked_on: today,
            source: Source { file_no: chunk.file.file_no, line },
        };
        let stored = StoredOrder {
            order,
            item: row.item.clone(),
            declined: answer.as_ref().err().map(|decline| decline.code()),
            credit_score: applicant.as_ref().map(|applicant| applicant.credit_score),
            agreement_id: agreement.map(|agreement| agreement.agreement_id.clone()),
            owed_minor: 0,
            past_due_from: None,
            closed_on: None,
        };
        match answer {
            Ok(_) => {
                let events = events_of(row, terms, &stored.order, zone);
                if let Err(no_year) = due_dates_can_be_told(&stored.order, &events, terms) {
                    let (column, at) = latest(row);
                    let on = day_of(at, zone, None);
                    let message =
                        format!("column {column}, value \"{on}\": its due date cannot be determined: {no_year}");
                    return Outcome::Rejected { code: RowCode::NoCalendarYear, message };
                }
                decisions.events.extend(events);
                customer.standing.exposure.minor += row.amount_minor;
                customer.unrecorded += row.amount_minor;
                // The order is owed in full until the day's positions are assessed.
                let today = Some(today);
                let owed = Decided { owed_minor: row.amount_minor, next_action_on: today, ..Decided::default() };
                decisions.orders.push((stored, fingerprint, owed));
                Outcome::Accepted
            }
            Err(decline) => {
                let closed = Decided { closed_on: Some(today), ..Decided::default() };
                decisions.orders.push((stored, fingerprint, closed));
                Outcome::Declined { code: decline.code().into(), message: decline.to_string() }
            }
        }
    }

    /// Returns how much more each customer owes after all decisions so far. The caller records the amounts in the
    /// transaction that has the orders.
    pub fn owed(&mut self) -> Vec<(String, i64)> {
        let mut owed = Vec::new();
        for (id, place) in &self.places {
            match std::mem::take(&mut self.customers[*place].unrecorded) {
                0 => {}
                minor => owed.push((id.clone(), minor)),
            }
        }
        owed.sort_unstable();
        owed
    }
}

fn order_row(line: &Line) -> Option<&OrderRow> {
    match &line.parsed.as_ref().ok()?.row {
        Row::Order(row) => Some(row),
        Row::Customer(_)
        | Row::Opening(_)
        | Row::Fact(_)
        | Row::Result(_)
        | Row::Bill(_)
        | Row::Correction(_)
        | Row::DeliveryFailure(_) => None,
    }
}

impl Decisions {
    pub async fn write(
        &self,
        tx: &mut Tx,
        environment: &Environment,
        merchant: &Merchant,
        today: NaiveDate,
    ) -> Result<()> {
        let mut versions: Vec<_> = self.orders.iter().map(|(stored, ..)| stored.order.policy_version).collect();
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            let fingerprint = version_fingerprint(merchant, version).context("a policy version without fingerprint")?;
            scheme::use_policy_version(tx, &merchant.id, version, fingerprint, today).await?;
        }
        orders::add(tx, &merchant.id, &self.orders).await?;
        facts::add(tx, &merchant.id, &self.events).await?;
        // Pending rows of these orders can be tried again now.
        let ids: Vec<&str> = self.orders.iter().map(|(stored, ..)| stored.order.order_id.as_str()).collect();
        pending::try_again(tx, environment, merchant, &ids, today).await
    }
}

/// Returns the fulfilment events in the order's own row, as facts.
fn events_of(row: &OrderRow, terms: &Terms, order: &Order, zone: Tz) -> Vec<NewFact> {
    let event = |(event, at): &(Event, DateTime<Utc>)| {
        let fact_row = FactRow {
            id: fulfilment_id(&row.order_id, *event),
            order_id: row.order_id.clone(),
            effective_at: *at,
            what: What::Fulfilment(*event),
            currency: None,
            note: None,
            failed: false,
        };
        let fingerprint = fingerprint_of(&fact_row);
        let fact = Fact {
            id: fact_row.id,
            effective_at: *at,
            effective_on: day_of(*at, zone, terms.cut_off).max(order.ordered_on),
            booked_on: order.booked_on,
            source: order.source,
            what: fact_row.what,
        };
        NewFact { order_id: fact_row.order_id, fact, note: None, fingerprint }
    };
    row.events.iter().map(event).collect()
}

/// Rejects a row with an event long before its order: one of the two days is wrong.
fn events_not_before_order(row: &OrderRow, terms: &Terms, zone: Tz) -> Result<(), Outcome> {
    for (event, at) in &row.events {
        if let Err(refusal) = not_before_order(&row.order_id, row.ordered_at, terms, *at, zone) {
            let (column, on) = (event.name(), day_of(*at, zone, None));
            let message = format!("column {column}_at, value \"{on}\": {refusal}");
            return Err(Outcome::Rejected { code: refusal.code(), message });
        }
    }
    Ok(())
}

/// Returns the column and time of the latest day in a row.
fn latest(row: &OrderRow) -> (String, DateTime<Utc>) {
    let ordered = ("ordered_at".to_owned(), row.ordered_at);
    let events = row.events.iter().map(|(event, at)| (format!("{}_at", event.name()), *at));
    events.fold(ordered, |latest, event| if event.1 > latest.1 { event } else { latest })
}

/// Rejects a row whose due dates need a year that the calendar does not have; otherwise the order could never be
/// decided.
fn due_dates_can_be_told(order: &Order, events: &[NewFact], terms: &Terms) -> Result<(), NoYear> {
    if terms.days_off.is_none() {
        return Ok(());
    }
    let facts = events.iter().map(|new| new.fact.clone()).collect();
    due_dates_are_known(&Case::new(order.clone(), facts), terms)
}
