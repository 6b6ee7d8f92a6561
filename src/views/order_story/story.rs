//! Builds an order's story from the books.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::bill::Bills;
use super::events::{BANK, Events, FROM_FILE};
use super::{OrderStory, StoryOrder, bank, words};
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::domain::bank::pay_out::credit_of;
use crate::domain::calendar::days_between;
use crate::domain::decide::credit_record::CreditRecord;
use crate::domain::decide::during_day::{Owed, owed_now};
use crate::domain::decide::holds::HoldEffects;
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::facts::correction::History;
use crate::domain::facts::fact::Fact;
use crate::domain::facts::source::Source;
use crate::domain::intake::status::RowOutcome;
use crate::domain::money::Currency;
use crate::scheme::Merchant;
use crate::store::file_rows::RecordedRow;
use crate::store::journal::JournalRow;
use crate::store::orders::StoredOrder;
use crate::store::{
    Tx, corrections, credit_record, facts, file_rows, files, journal, mails, orders, positions, scheme,
};
use crate::views::Amount;
use crate::views::bank_plans;
use crate::views::instalment::Instalment;

impl OrderStory {
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        merchant: &Merchant,
        order_id: &str,
    ) -> Result<OrderStory> {
        let ids = [order_id];
        let rows = file_rows::of_order(tx, &merchant.id, order_id).await?;
        let mut events = Events { merchant, names: HashMap::new(), events: Vec::new() };
        let waited: Vec<(Source, &RecordedRow)> =
            rows.iter().map(|(row, _)| (Source { file_no: row.file_no, line: row.line }, row)).collect();
        events.rows_not_recorded(&rows);
        let Some(stored) = orders::load(tx, &merchant.id, &ids).await?.into_iter().next() else {
            let headline = vec![format!("Order {order_id} of {}: no orders file has named it yet.", merchant.name)];
            let in_suspense = suspended(&rows);
            return Ok(OrderStory { headline, in_suspense, ..events.into_story(order_id, None) });
        };
        let facts = facts::with_notes(tx, &merchant.id, &ids).await?;
        let corrections = corrections::of_orders(tx, &merchant.id, &ids).await?.remove(order_id).unwrap_or_default();
        let asked = bank_plans::instructions_of(tx, &merchant.id, &ids).await?.remove(order_id).unwrap_or_default();
        let sources = facts.iter().map(|(_, fact, _)| fact.source.file_no).chain([stored.order.source.file_no]);
        let bills = Bills::load(tx, &merchant.id, order_id).await?;
        let sources = sources.chain(bills.files());
        let sources = sources.chain(corrections.iter().map(|correction| correction.source.file_no));
        let sources = sources.chain(asked.iter().map(|asked| asked.answer_source.file_no));
        events.names = files::names(tx, &sources.collect::<Vec<_>>()).await?;
        events.ordered(environment, &stored, &rows);
        if stored.declined.is_some() {
            let headline = events.headline(&stored, None);
            return Ok(OrderStory { headline, ..events.into_story(order_id, Some(stored)) });
        }
        let Some(terms) = merchant.policy.version(stored.order.policy_version) else {
            anyhow::bail!(
                "the order was accepted under version {} of the policy, which is no longer in its file; put that version back",
                stored.order.policy_version
            )
        };
        let history = History::of(facts.iter().map(|(_, fact, _)| fact.clone()).collect(), corrections.clone());
        let case = Case::of(stored.order.clone(), history);
        for (_, fact, note) in &facts {
            let note =
                format!("{}{}", note.as_ref().map(|note| format!(", {note}")).unwrap_or_default(), bills.fee_of(fact));
            events.fact(
                fact,
                &note,
                (&stored.order, terms),
                waited.iter().find(|(source, _)| *source == fact.source).map(|(_, row)| *row),
            );
        }
        for correction in &corrections {
            let source = events.source(correction.source);
            events.add(correction.booked_on, FROM_FILE, words::correction(correction, &stored.order), source);
        }
        let open_day = scheme::days(tx).await?.map_or(stored.order.booked_on, |days| days.business_date);
        events.due_dates(&case, terms, open_day)?;
        let booked_money = journal::of_order(tx, &merchant.id, order_id).await?;
        events.money(&booked_money, &case, terms);
        for line in bank::lines(&case, terms, &asked, open_day) {
            match line.source {
                Some(source) => events.add(line.on, FROM_FILE, line.what, events.source(source)),
                None => events.add(line.on, BANK, line.what, format!("policy {}", terms.effective_from)),
            }
        }
        let booked: Vec<&Fact> = facts.iter().map(|(_, fact, _)| fact).collect();
        for line in bills.lines(&booked, open_day)? {
            let source = line.source.map(|source| events.source(source)).unwrap_or_default();
            events.add(line.on, BANK, line.what, source);
        }
        events.mails(&mails::of_order(tx, &merchant.id, order_id).await?);
        events.credit_record(&credit_record::of_orders(tx, &merchant.id, &ids).await?, stored.order.currency, open_day);
        events.events.sort_by_key(|event| (event.on, event.kind));
        let recorded = positions::of_orders(tx, &merchant.id, &ids).await?.remove(order_id).unwrap_or_default();
        let standings: Vec<CreditRecord> = recorded.iter().map(|position| position.credit).collect();
        let owed = owed_now(&case, terms, &standings, open_day)?;
        let mut now =
            now(&owed, stored.order.currency, |position| bank::next_debit(&case, terms, position, &asked, open_day));
        let in_arrears = owed.iter().any(|owed| owed.position.is_unpaid() && owed.position.days_past_due > 0);
        now.extend(bank::credit(&booked_money, terms, &asked, in_arrears, open_day));
        let in_suspense = suspended(&rows);
        now.extend(in_suspense.iter().map(|amount| format!("     {amount} in suspense")));
        let at = environment.now_of("watch_feeds", open_day);
        let missing = held_back::missing_at(tx, environment, merchant, open_day, Some(at)).await?;
        let held_back = held_back::in_words(&missing);
        let is_open = owed.iter().any(|owed| owed.position.is_unpaid());
        let held_back = held_back.filter(|_| is_open);
        now.extend(held_back.iter().map(|why| format!("     {why}")));
        let currency = stored.order.currency;
        let instalments = owed.iter().map(|owed| Instalment::of(&owed.position, currency)).collect();
        let customer_credit = customer_credit(&booked_money);
        let headline = events.headline(&stored, Some(terms));
        let story = events.into_story(order_id, Some(stored));
        Ok(OrderStory { headline, instalments, customer_credit, in_suspense, held_back, now, ..story })
    }
}

/// Returns the positions now, in words. They count the days that are over.
fn now(owed: &[Owed], currency: Currency, next_debit: impl Fn(&Position) -> Option<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for Owed { position, gone_on, .. } in owed {
        let paid_late = gone_on.zip(position.due_on).map_or(0, |(gone_on, due_on)| days_between(due_on, gone_on));
        let due = position.due_on.map_or("no due date yet".to_owned(), |due_on| format!("due {due_on}"));
        let status = position.credit.status.name();
        let late = match position.days_past_due {
            days if position.written_off_on.is_some() => format!(", {} past due when written off", words::days(days)),
            _ if position.outstanding() == 0 && paid_late > 0 => format!(", paid {} late", words::days(paid_late)),
            days if position.outstanding() > 0 && days > 0 => format!(", {} past due", words::days(days)),
            _ => String::new(),
        };
        lines.push(format!(
            "Now: {} {currency} of {} open, late fee {} open of {}; {due}{late}; credit record {status}",
            currency.plain(position.outstanding()),
            currency.plain(position.principal),
            currency.plain(position.fee_owed()),
            currency.plain(position.late_fee),
        ));
        if let Some(on) = position.written_off_on {
            lines.push(format!(
                "     written off on {on}: {} {currency}, of which {} paid since",
                currency.plain(position.written_off),
                currency.plain(position.recovered)
            ));
        }
        if position.hold_effects != HoldEffects::default() {
            lines.push(format!("     held, which stops: {}", position.hold_effects.names().replace(' ', ", ")));
        }
        let next = position.next_action_on.map_or("nothing changes automatically".to_owned(), |day| {
            format!("something changes automatically on {day}")
        });
        lines.push(format!("     {next}"));
        lines.extend(next_debit(position).map(|next| format!("     {next}")));
    }
    lines
}

/// Returns the order's money in suspense, in each currency.
fn suspended(rows: &[(RecordedRow, String)]) -> Vec<Amount> {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for (row, _) in rows.iter().filter(|(row, _)| row.outcome == RowOutcome::Pending) {
        let currency = row.currency.as_deref().and_then(Currency::parse);
        if let Some((minor, currency)) = row.amount_minor.zip(currency) {
            *sums.entry(currency).or_default() += minor;
        }
    }
    sums.into_iter().map(|(currency, minor)| Amount::new(minor, currency)).collect()
}

/// Returns the balance of the order's customer credit, or `None` if it is zero.
fn customer_credit(booked: &[JournalRow]) -> Option<Amount> {
    let minor = booked.iter().map(|row| credit_of(&row.movement, row.minor)).sum();
    Some(Amount::new(minor, booked.first()?.currency)).filter(|amount| amount.minor != 0)
}

impl From<StoredOrder> for StoryOrder {
    fn from(stored: StoredOrder) -> StoryOrder {
        let StoredOrder { order, item, declined, credit_score, agreement_id, .. } = stored;
        StoryOrder {
            customer_id: order.customer_id,
            amount: Amount::new(order.amount_minor, order.currency),
            item,
            ordered_at: order.ordered_at,
            booked_on: order.booked_on,
            policy_version: order.policy_version,
            declined,
            credit_score,
            agreement_id,
        }
    }
}
