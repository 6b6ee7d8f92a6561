//! The days on which late fees, waivers and returned fees take effect. A decision dates them on its own day, which is
//! right if their facts are known on time. With late facts, they take effect on the day of their cause.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::end_of_day::Decision;
use super::known_order::{KnownOrder, Moment};
use crate::domain::business_days::NoYear;
use crate::domain::calendar::{first_between, plus};
use crate::domain::facts::case::Case;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Declared, EntryKind, Movement, Recorded, booked};
use crate::domain::terms::policy::Terms;

/// Dates late fees, waivers and returned fees that the books lack. Each gets the day of its cause, which is `today` if
/// the facts are known on time. A fee that is found late is dated before the payment that pays it.
pub fn date_fees(
    decision: &mut Decision,
    case: &Case,
    terms: &Terms,
    recorded: &[Recorded],
    today: NaiveDate,
) -> Result<(), NoYear> {
    let by_rule = |declared: &Declared| match declared.movement.kind {
        EntryKind::LateFee | EntryKind::Waiver => true,
        EntryKind::FeeReturned => declared.movement.cause.is_empty(),
        EntryKind::Order
        | EntryKind::ServiceFee
        | EntryKind::Payment
        | EntryKind::Refund
        | EntryKind::Chargeback
        | EntryKind::WriteOff
        | EntryKind::Recovery
        | EntryKind::Suspense
        | EntryKind::PayOut => false,
    };
    date_taken_back(decision, case, terms, recorded, today)?;
    let lacks = |declared: &&mut Declared| by_rule(declared) && declared.minor > booked(&declared.movement, recorded);
    let mut lacking = decision.movements.iter_mut().filter(lacks).peekable();
    if lacking.peek().is_none() {
        return Ok(());
    }
    let facts = case.effective_by(today);
    let known = KnownOrder::of(case, terms, &facts, Moment::end_of(today));
    let replay = known.replay();
    let instalments = known.money()?.0.instalments;
    for declared in lacking {
        let had = booked(&declared.movement, recorded);
        let instalment = declared.movement.instalment;
        if declared.movement.kind == EntryKind::FeeReturned {
            declared.effective_on = returned_since(case, terms, (instalment, had), today)?;
            continue;
        }
        let at = instalments.iter().position(|state| state.due.instalment == instalment);
        let is_more_on = |day: NaiveDate| {
            let fee = at.and_then(|at| replay.fees(&instalments, day).into_iter().nth(at));
            fee.is_some_and(|fee| {
                (if declared.movement.kind == EntryKind::LateFee { fee.total } else { fee.waived }) > had
            })
        };
        let yesterday = plus(today, -1);
        declared.effective_on =
            if is_more_on(yesterday) { first_between(case.order.ordered_on, yesterday, is_more_on) } else { today };
    }
    Ok(())
}

/// Dates the reduction of returned fees of which the books have too much. It takes effect on the day on which a fee
/// grew again, or late news took effect.
fn date_taken_back(
    decision: &mut Decision,
    case: &Case,
    terms: &Terms,
    recorded: &[Recorded],
    today: NaiveDate,
) -> Result<(), NoYear> {
    let by_rule = |row: &&Recorded| row.movement.kind == EntryKind::FeeReturned && row.movement.cause.is_empty();
    let mut first_days: BTreeMap<i64, NaiveDate> = BTreeMap::new();
    for row in recorded.iter().filter(by_rule) {
        let first = first_days.entry(row.movement.instalment).or_insert(row.effective_on);
        *first = row.effective_on.min(*first);
    }
    for (instalment, first) in first_days {
        let movement = Movement {
            kind: EntryKind::FeeReturned,
            instalment,
            debit: Account::ReceivableLateFee,
            credit: Account::CustomerCredit,
            cause: String::new(),
        };
        let had = booked(&movement, recorded);
        let at = decision.movements.iter().position(|declared| declared.movement == movement);
        if at.map_or(0, |at| decision.movements[at].minor) >= had {
            continue;
        }
        let mut effective_on = today;
        while effective_on > first && paid_too_much(case, terms, instalment, plus(effective_on, -1))? < had {
            effective_on = plus(effective_on, -1);
        }
        match at {
            Some(at) => decision.movements[at].effective_on = effective_on,
            None => decision.movements.push(Declared { movement, minor: 0, effective_on, source: Source::default() }),
        }
    }
    Ok(())
}

/// The day since which the paid part of an instalment's late fee exceeds the owed fee by more than the books have
/// returned: the day on which a waiver, an extension or a hold took effect. Only such a fact can make a paid fee no
/// longer owed; afterwards a fee that grows again may use some or all of the excess.
fn returned_since(
    case: &Case,
    terms: &Terms,
    (instalment, had): (i64, i64),
    today: NaiveDate,
) -> Result<NaiveDate, NoYear> {
    let days: BTreeSet<NaiveDate> = case.facts.iter().map(|fact| fact.effective_on).filter(|on| *on <= today).collect();
    let mut since = None;
    for on in days.into_iter().filter(|on| *on >= case.order.ordered_on) {
        if paid_too_much(case, terms, instalment, plus(on, -1))? <= had {
            since = None;
        }
        if paid_too_much(case, terms, instalment, on)? > had {
            since = since.or(Some(on));
        }
    }
    Ok(since.unwrap_or(today))
}

/// By how much the paid part of an instalment's late fee exceeds the owed fee at the end of a day.
fn paid_too_much(case: &Case, terms: &Terms, instalment: i64, day: NaiveDate) -> Result<i64, NoYear> {
    let facts = case.effective_by(day);
    let (result, fees) = KnownOrder::of(case, terms, &facts, Moment::end_of(day)).money()?;
    let of_it = result.instalments.iter().zip(&fees).find(|(state, _)| state.due.instalment == instalment);
    Ok(of_it.map_or(0, |(state, fee)| state.fee_paid - fee.net()))
}
