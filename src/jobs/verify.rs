//! Proves the books again: every order from its facts, every balance from the journal, every sealed day's files from
//! the books and against what lies on the disk. It changes nothing.

use std::fs;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::Scheme;
use super::deciding::{PAGE, differs, into_cases, which_order};
use super::proof;
use super::reconciliation::{Books, render, standings_on};
use super::write_reconciliation::manifest;
use crate::domain::journal::difference;
use crate::domain::position::decide;
use crate::files::outgoing::{seal, sha256};
use crate::store::scheme::SealedDay;
use crate::store::{Tx, bills, credit_record, exposure, facts, instructions, journal, orders, positions, scheme};

/// What was looked at, and what was wrong.
#[derive(Debug, Default, serde::Serialize)]
pub struct Verified {
    pub orders: i64,
    pub days: i64,
    pub files: i64,
    pub problems: Vec<String>,
}

pub async fn run(scheme: &Scheme) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut tx = scheme.store.read().await?;
    if let Err(changed) = scheme.check_policy_versions(&mut tx).await {
        verified.problems.push(format!("{changed:#}"));
    }
    let Some(last) = scheme::last_sealed(&mut tx).await? else { return Ok(verified) };
    verify_orders(&mut tx, scheme, last.business_date, &mut verified).await?;
    let mut before: Option<SealedDay> = None;
    for day in scheme::sealed_days(&mut tx).await? {
        (scheme.progress)(&format!("verifying {}", day.business_date));
        verify_day(&mut tx, scheme, &day, before.as_ref(), &mut verified).await?;
        verified.days += 1;
        before = Some(day);
    }
    Ok(verified)
}

/// Every order, decided again at the end of the last sealed day, says what the journal and its positions say.
async fn verify_orders(tx: &mut Tx, scheme: &Scheme, day: NaiveDate, verified: &mut Verified) -> Result<()> {
    for merchant in &scheme.config.merchants {
        for customer in exposure::untrue(tx, &merchant.id, PAGE).await? {
            let problem = "what they owe in all is not the sum of their orders";
            verified.problems.push(format!("{} customer {customer}: {problem}", merchant.id));
        }
        for id in instructions::paid_but_not_booked(tx, &merchant.id).await? {
            let problem = format!("{}: {id} was answered as paid, but its money is not booked", merchant.id);
            verified.problems.push(problem);
        }
        for (event, key) in bills::untrue(tx, &merchant.id, day, PAGE).await? {
            let problem =
                format!("{}: {event} {key}: what bills say of it is not matched as the books have it", merchant.id);
            verified.problems.push(problem);
        }
        let mut after = String::new();
        loop {
            let page = orders::accepted(tx, &merchant.id, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.order.order_id);
            let ids: Vec<String> = page.iter().map(|stored| stored.order.order_id.clone()).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let facts = facts::of_orders(tx, &merchant.id, &ids).await?;
            let mut recorded = journal::recorded(tx, &merchant.id, &ids, day).await?;
            for (order_id, fees) in journal::recorded_late_fees(tx, &merchant.id, &ids, day).await? {
                recorded.entry(order_id).or_default().extend(fees);
            }
            let positions = positions::of_orders(tx, &merchant.id, &ids).await?;
            let steps = credit_record::of_orders(tx, &merchant.id, &ids).await?;
            for (_, case) in into_cases(page, facts) {
                if case.order.booked_on > day {
                    continue;
                }
                let case = case.as_known_on(day);
                let id = &case.order.order_id;
                let terms = scheme.terms(&merchant.id, case.order.policy_version)?;
                let standings = standings_on(&steps, id, day)?;
                let decision =
                    decide(&case, terms, &standings, day).with_context(|| which_order(&merchant.id, &case))?;
                let booked = recorded.get(id).map(Vec::as_slice).unwrap_or_default();
                for entry in difference(&decision.movements, booked) {
                    let amount = case.order.currency.plain(entry.minor);
                    let kind = entry.movement.kind.name();
                    verified.problems.push(format!("{} order {id}: the books lack a {kind} of {amount}", merchant.id));
                }
                if !decision.credit_steps.is_empty() {
                    verified
                        .problems
                        .push(format!("{} order {id}: its credit record is not as it should be", merchant.id));
                }
                let stored = positions.get(id).map(Vec::as_slice).unwrap_or_default();
                let decided = decision.positions.iter().zip(stored).filter(|(_, stored)| stored.decided_on <= day);
                if stored.len() != decision.positions.len()
                    || decided.into_iter().any(|(fresh, stored)| differs(stored, fresh))
                {
                    verified.problems.push(format!(
                        "{} order {id}: its recorded position is not what follows from its facts",
                        merchant.id
                    ));
                }
                verified.orders += 1;
            }
            (scheme.progress)(&format!("verifying {}: {} orders", merchant.id, verified.orders));
        }
    }
    Ok(())
}

/// A sealed day's balances follow from the journal, its files from the books, and its seal from both.
async fn verify_day(
    tx: &mut Tx,
    scheme: &Scheme,
    day: &SealedDay,
    before: Option<&SealedDay>,
    verified: &mut Verified,
) -> Result<()> {
    let date = day.business_date;
    let problems = &mut verified.problems;
    let rendered = render(tx, scheme, date, Books::Sealed, None).await?;
    for (merchant, sums) in &rendered.merchants {
        proof::adds_up(merchant, sums, problems);
        if sums.balances() != scheme::balances(tx, merchant, date).await? {
            problems.push(format!("{date} {merchant}: the sealed balances are not what the journal gives"));
        }
    }
    let manifest = manifest(tx, day).await?;
    let previous = before.map_or("", |before| before.seal.as_str());
    if day.previous_seal != previous
        || seal(previous, date, day.sequence, &manifest.files, &manifest.missing) != day.seal
    {
        problems.push(format!("{date}: the seal does not follow from its files and the seal before"));
    }
    let folder = scheme.config.home.join("reconciliation").join(date.to_string());
    for file in &manifest.files {
        let again = rendered.files.iter().find(|written| written.name == file.name);
        if again.is_none_or(|written| written.sha256 != file.sha256) {
            problems.push(format!("{date}: made again, {} is not what was sealed", file.name));
        }
        match fs::read(folder.join(&file.name)) {
            Ok(bytes) if sha256(&bytes) == file.sha256 => {}
            Ok(_) => problems.push(format!("{date}: {} on the disk is not what was sealed", file.name)),
            Err(why) => problems.push(format!("{date}: {} on the disk: {why}", file.name)),
        }
        verified.files += 1;
    }
    if rendered.files.len() != manifest.files.len() {
        problems.push(format!(
            "{date}: {} files were sealed, {} follow from the books",
            manifest.files.len(),
            rendered.files.len()
        ));
    }
    match fs::read(folder.join("manifest.json")) {
        Ok(bytes) if bytes == manifest.to_bytes() => {}
        Ok(_) => problems.push(format!("{date}: manifest.json on the disk is not what was sealed")),
        Err(why) => problems.push(format!("{date}: manifest.json on the disk: {why}")),
    }
    Ok(())
}
