//! The events of an order's story: each date with what happened on it and where that comes from.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::{Event, EventKind, OrderStory, StoryOrder, bank, late_fee, movement, words};
use crate::books::environment::Environment;
use crate::domain::decide::credit_record::CreditStatus;
use crate::domain::decide::due::{ClockDay, due_date_workings};
use crate::domain::decide::end_of_day::decide;
use crate::domain::facts::case::Case;
use crate::domain::facts::fact::{Fact, What};
use crate::domain::facts::order::Order;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::RowOutcome;
use crate::domain::journal::{Account, EntryKind, Reason};
use crate::domain::money::Currency;
use crate::domain::terms::policy::Terms;
use crate::files::rows::Kind;
use crate::scheme::Merchant;
use crate::store::file_rows::RecordedRow;
use crate::store::journal::JournalRow;
use crate::store::orders::StoredOrder;
use crate::views::some;

use crate::store::credit_record::CreditStepRow;
use crate::store::mails::{MailRow, ReminderRow};

pub const FROM_FILE: EventKind = EventKind::File;
pub const DUE: EventKind = EventKind::DueDate;
pub const MONEY: EventKind = EventKind::Money;
pub const BANK: EventKind = EventKind::Bank;
pub const MAIL: EventKind = EventKind::Mail;
pub const CREDIT: EventKind = EventKind::CreditRecord;

/// The events of a story under construction.
pub struct Events<'a> {
    pub merchant: &'a Merchant,
    /// The names of files by number.
    pub names: HashMap<i64, String>,
    pub events: Vec<Event>,
}

impl Events<'_> {
    pub fn add(&mut self, on: NaiveDate, kind: EventKind, what: String, source: String) {
        self.events.push(Event { on, kind, what, source: some(source) });
    }

    /// Returns the story without the parts that depend on the positions.
    pub fn into_story(self, order_id: &str, stored: Option<StoredOrder>) -> OrderStory {
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

    pub fn source(&self, source: Source) -> String {
        self.names.get(&source.file_no).map(|name| format!("{name}:{}", source.line)).unwrap_or_default()
    }

    pub fn headline(&self, stored: &StoredOrder, terms: Option<&Terms>) -> Vec<String> {
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
    pub fn ordered(&mut self, environment: &Environment, stored: &StoredOrder, rows: &[(RecordedRow, String)]) {
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
        self.add(order.booked_on, FROM_FILE, what, source);
    }

    pub fn rows_not_recorded(&mut self, rows: &[(RecordedRow, String)]) {
        for (row, file) in rows {
            let amount = row.amount_minor.zip(row.currency.as_deref().and_then(Currency::parse));
            let amount =
                amount.map(|(minor, currency)| format!(" of {} {currency}", currency.plain(minor))).unwrap_or_default();
            let source = format!("{file}:{}", row.line);
            if !row.content.is_empty() {
                let not_known = if row.kind == Kind::Chargebacks {
                    "its order or payment was not known yet"
                } else {
                    "its order was not known yet"
                };
                let why = if row.outcome == RowOutcome::Pending { &row.message } else { not_known };
                let waits = format!("{} {}{amount} waits: {why}", row.kind, row.row_key);
                self.add(row.opened_on, FROM_FILE, waits, source.clone());
            }
            match (&row.resolved_on, row.outcome) {
                (_, RowOutcome::Accepted | RowOutcome::Declined) if row.kind == Kind::Orders => {}
                (Some(resolved_on), outcome) => {
                    let what = format!("{} {}: no longer waits, {outcome} {}", row.kind, row.row_key, row.message);
                    self.add(*resolved_on, FROM_FILE, what.trim_end().to_owned(), source);
                }
                (None, RowOutcome::Pending) => {}
                (None, outcome) => {
                    let code = row.code.map_or("", RowCode::name);
                    let what = format!("{} {}{amount} {outcome}, {code}: {}", row.kind, row.row_key, row.message);
                    self.add(row.opened_on, FROM_FILE, what, source);
                }
            }
        }
    }

    pub fn fact(&mut self, fact: &Fact, note: &str, (order, terms): (&Order, &Terms), waited: Option<&RecordedRow>) {
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
        self.add(fact.booked_on, FROM_FILE, format!("{what}{note}{late}{waited}"), source);
    }

    /// Adds the due dates, each on the day on which it became known.
    pub fn due_dates(&mut self, case: &Case, terms: &Terms, open_day: NaiveDate) -> Result<()> {
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
                    self.add(today, DUE, format!("{which}due {due_on}{was}{from}{how}"), version);
                }
                before = due;
            }
            let by_itself = decision.next_action_on.filter(|_| before.iter().all(Option::is_none));
            let by_fact = booked.iter().copied().filter(|day| *day > today).min();
            day = by_itself.into_iter().chain(by_fact).min().filter(|day| *day <= open_day);
        }
        Ok(())
    }

    pub fn money(&mut self, rows: &[JournalRow], case: &Case, terms: &Terms) {
        let grows_by_the_day = late_fee::grows_by_the_day(terms.late_fee.of(case.order.amount_minor));
        let mut fee_total = 0;
        let mut growing: Option<Growing> = None;
        for row in rows {
            let amount = |minor: i64| format!("{} {}", row.currency.plain(minor), row.currency);
            if row.movement.kind == EntryKind::LateFee {
                let charged = row.movement.debit == Account::ReceivableLateFee;
                fee_total += if charged { row.minor } else { -row.minor };
                if charged && row.reason != Reason::Corrected {
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
                    words::reason(row.reason)
                );
                self.add(row.business_date, MONEY, what, format!("policy {}", terms.effective_from));
                continue;
            }
            self.fee_grew(growing.take(), case, terms);
            if let Some(what) = movement::words(row) {
                let source = if row.source.is_empty() {
                    format!("policy {}", terms.effective_from)
                } else {
                    format!("{}:{}", row.source, row.line)
                };
                self.add(row.business_date, MONEY, what, source);
            }
        }
        self.fee_grew(growing, case, terms);
    }

    pub fn mails(&mut self, reminders: &[(ReminderRow, Option<MailRow>)]) {
        for (reminder, mail) in reminders {
            let what = match (mail, &reminder.suppressed) {
                (_, Some(why)) => format!("mail {} ({}) not sent: {why}", reminder.template.name(), reminder.step),
                (Some(mail), None) => {
                    format!("mail {} ({}) {}", reminder.template.name(), reminder.step, mail.status.name())
                }
                (None, None) => continue,
            };
            // A mail that was not sent has no Message-ID to search for.
            let sent = mail.as_ref().filter(|_| reminder.suppressed.is_none());
            let source = sent.map(|mail| mail.message_id.clone()).unwrap_or_default();
            self.add(reminder.business_date, MAIL, what, source);
        }
    }

    pub fn credit_record(&mut self, steps: &[CreditStepRow], currency: Currency, open_day: NaiveDate) {
        for step in steps {
            let words = credit_words(step.status, step.since < open_day);
            let owed = if step.amount_minor > 0 {
                let (amount, past_due) = (currency.plain(step.amount_minor), words::days(step.days_past_due));
                format!(", {amount} {currency} unpaid, {past_due} past due")
            } else {
                String::new()
            };
            self.add(step.since, CREDIT, format!("credit record: {words}{owed}"), step.reason.clone());
        }
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
        self.add(first, MONEY, what, format!("policy {}", terms.effective_from));
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
