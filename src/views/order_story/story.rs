//! Builds an order's story from the books.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::NaiveDate;

use super::bill::Bills;
use super::{Event, EventKind, OrderStory, StoryOrder, bank, late_fee, movement, words};
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::domain::calendar::days_between;
use crate::domain::decide::credit_record::{CreditRecord, CreditStatus};
use crate::domain::decide::due::{ClockDay, due_date_workings};
use crate::domain::decide::during_day::{Owed, owed_now};
use crate::domain::decide::end_of_day::decide;
use crate::domain::decide::holds::HoldEffects;
use crate::domain::decide::position::Position;
use crate::domain::facts::case::Case;
use crate::domain::facts::correction::History;
use crate::domain::facts::fact::{Fact, What};
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::journal::{Account, Kind};
use crate::domain::money::Currency;
use crate::domain::terms::policy::Terms;
use crate::scheme::Merchant;
use crate::store::file_rows::RecordedRow;
use crate::store::journal::JournalRow;
use crate::store::orders::StoredOrder;
use crate::store::{
    Tx, corrections, credit_record, facts, file_rows, files, journal, mails, orders, positions, scheme,
};
use crate::views::instalment::Instalment;
use crate::views::{Amount, some};

const FROM_FILE: EventKind = EventKind::File;
const DUE: EventKind = EventKind::DueDate;
const MONEY: EventKind = EventKind::Money;
const BANK: EventKind = EventKind::Bank;
const MAIL: EventKind = EventKind::Mail;
const CREDIT: EventKind = EventKind::CreditRecord;

impl OrderStory {
    pub async fn load(
        tx: &mut Tx,
        environment: &Environment,
        merchant: &Merchant,
        order_id: &str,
    ) -> Result<OrderStory> {
        let ids = [order_id];
        let rows = file_rows::of_order(tx, &merchant.id, order_id).await?;
        let mut told = Told { merchant, names: HashMap::new(), events: Vec::new() };
        let waited: Vec<(Source, &RecordedRow)> =
            rows.iter().map(|(row, _)| (Source { file_no: row.file_no, line: row.line }, row)).collect();
        told.rows_not_recorded(&rows);
        let Some(stored) = orders::load(tx, &merchant.id, &ids).await?.into_iter().next() else {
            let headline = vec![format!("Order {order_id} of {}: no orders file has named it yet.", merchant.name)];
            let in_suspense = suspended(&rows);
            return Ok(OrderStory { headline, in_suspense, ..told.into_story(order_id, None) });
        };
        let facts = facts::with_notes(tx, &merchant.id, &ids).await?;
        let corrections = corrections::of_orders(tx, &merchant.id, &ids).await?.remove(order_id).unwrap_or_default();
        let asked = bank::load(tx, &merchant.id, order_id).await?;
        let sources = facts.iter().map(|(_, fact, _)| fact.source.file_no).chain([stored.order.source.file_no]);
        let bills = Bills::load(tx, &merchant.id, order_id).await?;
        let sources = sources.chain(bills.files());
        let sources = sources.chain(corrections.iter().map(|correction| correction.source.file_no));
        let sources = sources.chain(asked.iter().map(|asked| asked.answer_source.file_no));
        told.names = files::names(tx, &sources.collect::<Vec<_>>()).await?;
        told.ordered(environment, &stored, &rows);
        if stored.declined.is_some() {
            let headline = told.headline(&stored, None);
            return Ok(OrderStory { headline, ..told.into_story(order_id, Some(stored)) });
        }
        let Some(terms) = merchant.policy.version(stored.order.policy_version) else {
            anyhow::bail!(
                "the policy version {} that the order keeps is no longer in its file",
                stored.order.policy_version
            )
        };
        let history = History::of(facts.iter().map(|(_, fact, _)| fact.clone()).collect(), corrections.clone());
        let case = Case::of(stored.order.clone(), history);
        for (_, fact, note) in &facts {
            let note =
                format!("{}{}", note.as_ref().map(|note| format!(", {note}")).unwrap_or_default(), bills.fee_of(fact));
            told.fact(
                fact,
                &note,
                (&stored.order, terms),
                waited.iter().find(|(source, _)| *source == fact.source).map(|(_, row)| *row),
            );
        }
        for correction in &corrections {
            let source = told.source(correction.source);
            told.tell(correction.booked_on, FROM_FILE, words::correction(correction, &stored.order), source);
        }
        let open_day = scheme::days(tx).await?.map_or(stored.order.booked_on, |days| days.business_date);
        told.due_dates(&case, terms, open_day)?;
        let booked_money = journal::of_order(tx, &merchant.id, order_id).await?;
        told.money(&booked_money, &case, terms);
        for line in bank::told(&case, terms, &asked, open_day) {
            match line.source {
                Some(source) => told.tell(line.on, FROM_FILE, line.what, told.source(source)),
                None => told.tell(line.on, BANK, line.what, format!("policy {}", terms.effective_from)),
            }
        }
        let booked: Vec<&Fact> = facts.iter().map(|(_, fact, _)| fact).collect();
        for line in bills.told(&booked, open_day)? {
            let source = line.source.map(|source| told.source(source)).unwrap_or_default();
            told.tell(line.on, BANK, line.what, source);
        }
        for (reminder, mail) in mails::of_order(tx, &merchant.id, order_id).await? {
            let what = match (&mail, &reminder.suppressed) {
                (_, Some(why)) => format!("mail {} ({}) not sent: {why}", reminder.template, reminder.step),
                (Some(mail), None) => format!("mail {} ({}) {}", reminder.template, reminder.step, mail.status),
                (None, None) => continue,
            };
            // A mail that was not sent has no Message-ID to search for.
            let sent = mail.filter(|_| reminder.suppressed.is_none());
            let source = sent.map(|mail| mail.message_id).unwrap_or_default();
            told.tell(reminder.business_date, MAIL, what, source);
        }
        for step in credit_record::of_orders(tx, &merchant.id, &ids).await? {
            let words = credit_words(CreditStatus::parse(&step.status).unwrap_or_default(), step.since < open_day);
            let owed = if step.amount_minor > 0 {
                format!(
                    ", {} {} unpaid, {} past due",
                    stored.order.currency.plain(step.amount_minor),
                    stored.order.currency,
                    words::days(step.days_past_due)
                )
            } else {
                String::new()
            };
            told.tell(step.since, CREDIT, format!("credit record: {words}{owed}"), step.reason);
        }
        told.events.sort_by_key(|event| (event.on, event.kind));
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
        let missing = held_back::missing_at(tx, environment, open_day, Some(at)).await?;
        let held_back = missing.get(merchant.id.as_str()).and_then(|missing| held_back::in_words(missing));
        let is_open = owed.iter().any(|owed| owed.position.is_unpaid());
        let held_back = held_back.filter(|_| is_open);
        now.extend(held_back.iter().map(|why| format!("     {why}")));
        let currency = stored.order.currency;
        let instalments = owed.iter().map(|owed| Instalment::of(&owed.position, currency)).collect();
        let customer_credit = customer_credit(&booked_money);
        let headline = told.headline(&stored, Some(terms));
        let story = told.into_story(order_id, Some(stored));
        Ok(OrderStory { headline, instalments, customer_credit, in_suspense, held_back, now, ..story })
    }
}

/// A story under construction.
struct Told<'a> {
    merchant: &'a Merchant,
    names: HashMap<i64, String>,
    events: Vec<Event>,
}

impl Told<'_> {
    fn tell(&mut self, on: NaiveDate, kind: EventKind, what: String, source: String) {
        self.events.push(Event { on, kind, what, source: some(source) });
    }

    /// Returns the story without the parts that depend on the positions.
    fn into_story(self, order_id: &str, stored: Option<StoredOrder>) -> OrderStory {
        OrderStory {
            merchant_id: self.merchant.id.clone(),
            merchant_name: self.merchant.name.clone(),
            order_id: order_id.to_owned(),
            order: stored.map(StoryOrder::from),
            headline: Vec::new(),
            events: self.events,
            instalments: Vec::new(),
            customer_credit: None,
            in_suspense: Vec::new(),
            held_back: None,
            now: Vec::new(),
        }
    }

    fn source(&self, source: Source) -> String {
        self.names.get(&source.file_no).map(|name| format!("{name}:{}", source.line)).unwrap_or_default()
    }

    fn headline(&self, stored: &StoredOrder, terms: Option<&Terms>) -> Vec<String> {
        let order = &stored.order;
        let amount = format!("{} {}", order.currency.plain(order.amount_minor), order.currency);
        let item = stored.item.as_ref().map(|item| format!(" for {item}")).unwrap_or_default();
        let mut lines = vec![
            format!("Order {} of {} ({}): {amount}{item}", order.order_id, self.merchant.name, self.merchant.id),
            format!("Customer {}, policy version {}", order.customer_id, order.policy_version),
        ];
        if let Some(terms) = terms {
            lines
                .push(format!("Late fee: {}", late_fee::of_order(&terms.late_fee, order.amount_minor, order.currency)));
            lines
                .extend(terms.write_off_after.map(|days| format!("Written off after: {} past due", words::days(days))));
            lines.extend(terms.debit.as_ref().map(|rule| format!("What is owed: {}", bank::debit_rule(rule))));
            lines.extend(terms.pay_out.as_ref().map(|rule| format!("Customer credit: {}", bank::pay_out_rule(rule))));
        }
        lines
    }

    /// Adds the order. `rows` are the recorded rows of the order; the row of a declined order has the reason with the
    /// figures of the decision.
    fn ordered(&mut self, environment: &Environment, stored: &StoredOrder, rows: &[(RecordedRow, String)]) {
        let order = &stored.order;
        let at = order.ordered_at.with_timezone(&environment.scheme.zone).format("%Y-%m-%d %H:%M");
        let score = stored.credit_score.map(|score| format!("score {score}")).unwrap_or_default();
        let agreement = stored.agreement_id.as_ref().map(|id| format!(", agreement {id}")).unwrap_or_default();
        let what = match &stored.declined {
            None => {
                let terms = self.merchant.policy.version(order.policy_version);
                let band = stored.credit_score.and_then(|score| terms.and_then(|terms| terms.band(score)));
                let limit = band.map(|band| {
                    format!(", limit {} from score {}", order.currency.plain(band.limit_minor), band.score)
                });
                let limit = limit.unwrap_or_default();
                let term = words::time_to_pay(terms, order.term);
                format!("ordered {at} and accepted: {score}{limit}, {term}{agreement}")
            }
            Some(code) => {
                let its_own = |(row, _): &&(RecordedRow, String)| {
                    (row.file_no, row.line) == (order.source.file_no, order.source.line)
                };
                let words = rows.iter().find(its_own).map_or("", |(row, _)| &row.message);
                let known: Vec<String> = [score].into_iter().filter(|text| !text.is_empty()).collect();
                let known =
                    if known.is_empty() { String::new() } else { format!(" ({}{agreement})", known.join(", ")) };
                format!("ordered {at} and declined, {code}: {words}{known}")
            }
        };
        let source = self.source(order.source);
        self.tell(order.booked_on, FROM_FILE, what, source);
    }

    fn rows_not_recorded(&mut self, rows: &[(RecordedRow, String)]) {
        for (row, file) in rows {
            let amount = row.amount_minor.zip(row.currency.as_deref().and_then(Currency::parse));
            let amount =
                amount.map(|(minor, currency)| format!(" of {} {currency}", currency.plain(minor))).unwrap_or_default();
            let source = format!("{file}:{}", row.line);
            if !row.content.is_empty() {
                let not_known = match row.kind.as_str() {
                    "chargebacks" => "its order or payment was not known yet",
                    _ => "its order was not known yet",
                };
                let why = if row.outcome == "pending" { &row.message } else { not_known };
                let waits = format!("{} {}{amount} waits: {why}", row.kind, row.row_key);
                self.tell(row.opened_on, FROM_FILE, waits, source.clone());
            }
            match (&row.resolved_on, row.outcome.as_str()) {
                (_, "accepted" | "declined") if row.kind == "orders" => {}
                (Some(resolved_on), outcome) => {
                    let what = format!("{} {}: no longer waits, {outcome} {}", row.kind, row.row_key, row.message);
                    self.tell(*resolved_on, FROM_FILE, what.trim_end().to_owned(), source);
                }
                (None, "pending") => {}
                (None, outcome) => {
                    let what = format!("{} {}{amount} {outcome}, {}: {}", row.kind, row.row_key, row.code, row.message);
                    self.tell(row.opened_on, FROM_FILE, what, source);
                }
            }
        }
    }

    fn fact(&mut self, fact: &Fact, note: &str, (order, terms): (&Order, &Terms), waited: Option<&RecordedRow>) {
        let currency = order.currency;
        let amount = |minor: i64| format!("{} {currency}", currency.plain(minor));
        let what = match &fact.what {
            What::Fulfilment(event) => event.name().to_owned(),
            What::Payment { minor, .. } => format!("payment {} of {}", fact.id, amount(*minor)),
            What::Refund { minor, .. } => format!("refund {} of {}", fact.id, amount(*minor)),
            What::Chargeback { minor, payment_id, .. } => {
                format!("chargeback {} of {}: payment {payment_id} was taken back", fact.id, amount(*minor))
            }
            What::Extension { days } => format!("extension {} of {} granted", fact.id, words::days(*days)),
            What::Hold { reason, ends_on } => {
                let rule = terms.hold_rule(*reason);
                let usual = || format!("for the policy's usual {}", words::days(rule.days));
                let until = ends_on.map_or_else(usual, |last| format!("to {last}"));
                let stops = words::stops(&rule);
                format!("hold {} ({}) from {} {until}: {stops}", fact.id, reason.name(), fact.effective_on)
            }
            What::Waiver { minor } => format!("late fee of up to {} waived, {}", amount(*minor), fact.id),
            // The story shows these facts with the pay-out that they confirm, or with the movements of the refund.
            What::Notice { .. } | What::PayOut { .. } | What::GivenBack => return,
        };
        let late = if fact.effective_on < fact.booked_on {
            format!("; it counts for {}, known only today", fact.effective_on)
        } else if fact.effective_on > fact.booked_on {
            format!("; it counts for {}", fact.effective_on)
        } else {
            String::new()
        };
        let waited = waited.map(|row| format!(" (waited since {})", row.opened_on)).unwrap_or_default();
        let source = self.source(fact.source);
        self.tell(fact.booked_on, FROM_FILE, format!("{what}{note}{late}{waited}"), source);
    }

    /// Adds the due dates, each on the day on which it became known.
    fn due_dates(&mut self, case: &Case, terms: &Terms, open_day: NaiveDate) -> Result<()> {
        let mut before: Vec<Option<NaiveDate>> = Vec::new();
        let mut day = Some(case.order.booked_on);
        let booked = case.known_days();
        while let Some(today) = day {
            let known = case.as_known_on(today);
            let decision = decide(&known, terms, &[], today)?;
            let due: Vec<Option<NaiveDate>> = decision.positions.iter().map(|position| position.due_on).collect();
            if due != before && due.iter().any(Option::is_some) {
                let former_dates = before.iter().chain(std::iter::repeat(&None));
                let ways = due_date_workings(&known, terms, today)?;
                for ((position, way), former) in decision.positions.iter().zip(ways).zip(former_dates) {
                    let Some(due_on) = position.due_on.filter(|due_on| Some(*due_on) != *former) else { continue };
                    let which = if decision.positions.len() > 1 {
                        format!("instalment {} ", position.instalment)
                    } else {
                        String::new()
                    };
                    let from = match decision.clock {
                        ClockDay::Started { on, .. } => {
                            format!(", counted from {on}: {}", words::clock(terms, decision.clock))
                        }
                        ClockDay::Expected(_) | ClockDay::Unknown => String::new(),
                    };
                    let was = former.map(|former| format!(" instead of {former}")).unwrap_or_default();
                    let version = format!("policy {}", terms.effective_from);
                    let how = way.map(|way| words::way(terms, &way)).transpose()?.unwrap_or_default();
                    self.tell(today, DUE, format!("{which}due {due_on}{was}{from}{how}"), version);
                }
                before = due;
            }
            let by_itself = decision.next_action_on.filter(|_| before.iter().all(Option::is_none));
            let by_fact = booked.iter().copied().filter(|day| *day > today).min();
            day = by_itself.into_iter().chain(by_fact).min().filter(|day| *day <= open_day);
        }
        Ok(())
    }

    fn money(&mut self, rows: &[JournalRow], case: &Case, terms: &Terms) {
        let grows_by_the_day = late_fee::grows_by_the_day(terms.late_fee.of(case.order.amount_minor));
        let mut fee_total = 0;
        let mut growing: Option<Growing> = None;
        for row in rows {
            let amount = |minor: i64| format!("{} {}", row.currency.plain(minor), row.currency);
            if row.movement.kind == Kind::LateFee {
                let charged = row.movement.debit == Account::ReceivableLateFee;
                fee_total += if charged { row.minor } else { -row.minor };
                if charged && row.reason != "corrected" {
                    if !grows_by_the_day {
                        self.fee_grew(growing.take(), case, terms);
                    }
                    let (first, sum) = growing.map_or((row.business_date, 0), |before| (before.first, before.sum));
                    let (last, instalment) = (row.business_date, row.movement.instalment);
                    growing = Some(Growing { first, last, instalment, sum: sum + row.minor, total: fee_total });
                    continue;
                }
                self.fee_grew(growing.take(), case, terms);
                let direction = if charged { "more" } else { "taken back" };
                let what = format!(
                    "late fee of {} {direction}, {} in all: {}",
                    amount(row.minor),
                    amount(fee_total),
                    words::reason(&row.reason)
                );
                self.tell(row.business_date, MONEY, what, format!("policy {}", terms.effective_from));
                continue;
            }
            self.fee_grew(growing.take(), case, terms);
            if let Some(what) = movement::words(row) {
                let source = if row.source.is_empty() {
                    format!("policy {}", terms.effective_from)
                } else {
                    format!("{}:{}", row.source, row.line)
                };
                self.tell(row.business_date, MONEY, what, source);
            }
        }
        self.fee_grew(growing, case, terms);
    }

    /// Adds a late fee that grew day by day, as one line.
    fn fee_grew(&mut self, growing: Option<Growing>, case: &Case, terms: &Terms) {
        let Some(Growing { first, last, instalment, sum, total }) = growing else { return };
        let currency = case.order.currency;
        let (sum, total) = (currency.plain(sum), currency.plain(total));
        let when = if first == last { String::new() } else { format!(" day by day until {last}") };
        let one_of_several = terms.instalments.len() > 1 && first == last;
        let which = if one_of_several { format!(" for instalment {instalment}") } else { String::new() };
        let what = format!(
            "late fee of {sum} {currency} charged{which}{when}, {total} {currency} in all: {}",
            late_fee::on_day(case, terms, instalment, last)
        );
        self.tell(first, MONEY, what, format!("policy {}", terms.effective_from));
    }
}

/// Charges of a late fee that share one line, with the total of all late fees of the order after them.
#[derive(Clone, Copy)]
struct Growing {
    first: NaiveDate,
    last: NaiveDate,
    /// The instalment of the last charge.
    instalment: i64,
    sum: i64,
    total: i64,
}

/// Returns a step of the credit record in words. `reported`: the day of the step is sealed, so the report is published.
fn credit_words(status: CreditStatus, reported: bool) -> &'static str {
    match status {
        CreditStatus::Clear => "clear again, nothing is reported",
        CreditStatus::OnTime => "paid on time, which is reported in the customer's favour",
        CreditStatus::NoticeDue => "a notice has to be sent before anything may be reported",
        CreditStatus::NoticeSent => "the notice was sent",
        CreditStatus::Flagged if reported => "reported as late",
        CreditStatus::Flagged => "to be reported as late when the day is closed",
        CreditStatus::SettledLate => "reported as settled late",
        CreditStatus::Corrected => "the report was wrong and is withdrawn",
        CreditStatus::Expired => "the report has run out and is taken off",
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
        let next = position
            .next_action_on
            .map_or("nothing changes by itself".to_owned(), |day| format!("something changes by itself on {day}"));
        lines.push(format!("     {next}"));
        lines.extend(next_debit(position).map(|next| format!("     {next}")));
    }
    lines
}

/// Returns the order's money in suspense, in each currency.
fn suspended(rows: &[(RecordedRow, String)]) -> Vec<Amount> {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for (row, _) in rows.iter().filter(|(row, _)| row.outcome == "pending") {
        let currency = row.currency.as_deref().and_then(Currency::parse);
        if let Some((minor, currency)) = row.amount_minor.zip(currency) {
            *sums.entry(currency).or_default() += minor;
        }
    }
    sums.into_iter().map(|(currency, minor)| Amount::new(minor, currency)).collect()
}

/// Returns the balance of the order's customer credit, or `None` if it is zero.
fn customer_credit(booked: &[JournalRow]) -> Option<Amount> {
    let side = |row: &JournalRow| {
        i64::from(row.movement.credit == Account::CustomerCredit)
            - i64::from(row.movement.debit == Account::CustomerCredit)
    };
    let minor = booked.iter().map(|row| side(row) * row.minor).sum();
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
