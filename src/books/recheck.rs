//! Decides orders again from their facts, and compares the results with the recorded journal, positions and credit
//! records. `verify` does this for all orders; each close does it for some of them in turn.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::environment::Environment;
use super::held_back;
use super::order_decisions::{PAGE, differs, into_cases, which_order};
use super::proof::Faults;
use super::reconciliation::{Books, standings_on};
use super::sealed_days::Finding;
use crate::clock;
use crate::domain::decide::end_of_day::{Decision, decide_with};
use crate::domain::decide::opening::Opening;
use crate::domain::decide::position::Position;
use crate::domain::journal::difference;
use crate::domain::owner::Owner;
use crate::store::fingerprints::{self, Round};
use crate::store::orders::Decided;
use crate::store::{Tx, bills, credit_record, exposure, facts, instructions, journal, orders, positions, receivables};

/// The result of rechecking a page of a merchant's orders.
pub struct Page {
    /// The id of its last order.
    pub last: String,
    pub orders: i64,
}

/// Compares the sums and marks stored beside a merchant's orders with the rows that they follow from, and returns the
/// differences.
pub async fn sums(tx: &mut Tx, merchant: &str, day: NaiveDate) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for customer in exposure::inconsistent(tx, merchant, PAGE).await? {
        let what = format!("customer {customer}: what they owe in all is not the sum of their orders");
        findings.push(Finding::of(Owner::Merchant(merchant), what));
    }
    if receivables::kept(tx, merchant).await? != receivables::added_up(tx, merchant).await? {
        let what = "what all customers owe is not the sum of the open positions";
        findings.push(Finding::of(Owner::Merchant(merchant), what));
    }
    for id in instructions::paid_but_not_booked(tx, merchant).await? {
        findings.push(Finding::of(
            Owner::Merchant(merchant),
            format!("{id} was answered as paid, but its money is not booked"),
        ));
    }
    for (event, key) in bills::inconsistent(tx, merchant, day, PAGE).await? {
        let what = format!("{event} {key}: its matching with the bills does not agree with the books");
        findings.push(Finding::of(Owner::Merchant(merchant), what));
    }
    Ok(findings)
}

/// Decides the accepted orders after `after` again, as of the end of a sealed day. Returns `None` if there are no more.
pub async fn page(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &str,
    day: NaiveDate,
    after: &str,
    findings: &mut Vec<Finding>,
) -> Result<Option<Page>> {
    decide_page(tx, environment, merchant, (day, Books::Sealed), after, findings).await
}

async fn decide_page(
    tx: &mut Tx,
    environment: &Environment,
    merchant: &str,
    (day, books): (NaiveDate, Books),
    after: &str,
    findings: &mut Vec<Finding>,
) -> Result<Option<Page>> {
    let page = orders::accepted(tx, merchant, after, PAGE).await?;
    let Some(last) = page.last().map(|stored| stored.order.order_id.clone()) else { return Ok(None) };
    let ids: Vec<String> = page.iter().map(|stored| stored.order.order_id.clone()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let facts = facts::of_orders(tx, merchant, &ids).await?;
    let mut recorded = journal::recorded(tx, merchant, &ids, day).await?;
    for (order_id, fees) in journal::recorded_late_fees(tx, merchant, &ids, day).await? {
        recorded.entry(order_id).or_default().extend(fees);
    }
    let news = held_back::news_on(tx, merchant, day).await?;
    let positions = positions::of_orders(tx, merchant, &ids).await?;
    let steps = credit_record::of_orders(tx, merchant, &ids).await?;
    // Orders' own rows are compared for the open day only, when every order is decided. After a sealed day, the next
    // one may have begun.
    let own_rows = match books {
        Books::Open => orders::decided(tx, merchant, &ids).await?,
        Books::Sealed => HashMap::new(),
    };
    let mut decided = 0;
    for (_, case) in into_cases(page, facts) {
        if case.order.booked_on > day {
            continue;
        }
        let case = case.as_known_on(day);
        let id = &case.order.order_id;
        let terms = environment.terms(merchant, case.order.policy_version)?;
        let standings = standings_on(&steps, id, day)?;
        let decision =
            decide_with(&case, terms, &standings, day, news).with_context(|| which_order(merchant, &case))?;
        let mut wrong =
            |what: String| findings.push(Finding::of(Owner::Merchant(merchant), format!("order {id}: {what}")));
        let booked = recorded.get(id).map(Vec::as_slice).unwrap_or_default();
        for entry in difference(&decision.movements, booked) {
            let amount = case.order.currency.plain(entry.minor);
            wrong(format!("the books lack a {} of {amount}", entry.movement.kind.name()));
        }
        if !decision.credit_steps.is_empty() {
            wrong("its credit record is not as it should be".to_owned());
        }
        let stored = positions.get(id).map(Vec::as_slice).unwrap_or_default();
        let pairs = decision.positions.iter().zip(stored).filter(|(_, stored)| stored.decided_on <= day);
        if stored.len() != decision.positions.len() || pairs.into_iter().any(|(fresh, stored)| differs(stored, fresh)) {
            wrong("its recorded position is not what follows from its facts".to_owned());
        }
        if own_rows.get(id).is_some_and(|row| !follows(row, &decision)) {
            wrong("the amount or the future dates in its row do not follow from its facts".to_owned());
        }
        let later = |position: &Position| books == Books::Open && position.decided_on > day;
        if stored.iter().any(later) {
            wrong("its recorded position is dated in the future".to_owned());
        }
        decided += 1;
    }
    Ok(Some(Page { last, orders: decided }))
}

/// Whether an order's row agrees with the decision. Its next decision may be scheduled earlier than necessary.
fn follows(row: &Decided, decision: &Decision) -> bool {
    let in_time = match (row.next_action_on, decision.decide_on) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(kept), Some(due)) => kept <= due,
    };
    let same_state = row.closed_on.is_none() == decision.is_open();
    let opening = Opening { owed_minor: row.owed_minor, past_due_from: row.past_due_from };
    opening == decision.opening && same_state && in_time
}

/// Decides orders again until the time is over, starting with the merchant that was proved longest ago. Returns the
/// progress of each merchant, and adds the findings to the faults.
pub async fn go_round(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    until: Instant,
    faults: &mut Faults,
) -> Result<Vec<Round>> {
    let known = fingerprints::rounds(tx).await?;
    let of = |id: &str| known.iter().find(|round| round.merchant_id == id).cloned();
    let new =
        |id: &str| Round { merchant_id: id.to_owned(), after_order: String::new(), begun_on: today, proved_on: None };
    let merchants = environment.scheme.merchants.iter().filter(|merchant| !faults.is_stopped(&merchant.id));
    let mut rounds: Vec<Round> =
        merchants.map(|merchant| of(&merchant.id).unwrap_or_else(|| new(&merchant.id))).collect();
    rounds.sort_by(|a, b| (a.proved_on, &a.merchant_id).cmp(&(b.proved_on, &b.merchant_id)));
    let mut gone = Vec::new();
    for round in rounds {
        if clock::monotonic() >= until {
            break;
        }
        let merchant = round.merchant_id.clone();
        (environment.progress)(&format!("deciding orders of {merchant} again"));
        match tx.part(async |tx| go_on(tx, environment, today, until, round).await).await? {
            Ok((round, findings)) => {
                faults.add(&merchant, findings.iter().map(Finding::to_string).collect());
                gone.push(round);
            }
            Err(why) => drop(faults.stop(&merchant, why)?),
        }
    }
    Ok(gone)
}

/// Continues a merchant's round.
async fn go_on(
    tx: &mut Tx,
    environment: &Environment,
    today: NaiveDate,
    until: Instant,
    mut round: Round,
) -> Result<(Round, Vec<Finding>)> {
    let mut findings = Vec::new();
    if round.after_order.is_empty() {
        round.begun_on = today;
        findings.extend(sums(tx, &round.merchant_id, today).await?);
    }
    loop {
        let open = (today, Books::Open);
        match decide_page(tx, environment, &round.merchant_id, open, &round.after_order, &mut findings).await? {
            Some(page) => round.after_order = page.last,
            None => {
                round.proved_on = Some(round.begun_on);
                round.after_order = String::new();
                break;
            }
        }
        if clock::monotonic() >= until {
            break;
        }
    }
    Ok((round, findings))
}
