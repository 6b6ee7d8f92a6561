//! Matches the two sides of the day's money: providers' bills, and the books.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::environment::Environment;
use super::order_decisions::PAGE;
use crate::domain::calendar::plus;
use crate::domain::facts::fact::FactKind;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::{ExceptionCode, RowCode};
use crate::domain::money::Currency;
use crate::domain::owner::Owner;
use crate::domain::words::count;
use crate::files::rows::Kind;
use crate::scheme::{Bill, Feed, Merchant};
use crate::store::exceptions::NewException;
use crate::store::expected_in_bill::{Booked, Expected};
use crate::store::{Tx, bills, exceptions, expected_in_bill};

/// Counts of what a matching does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub settled: i64,
    /// Matched earlier today, and corrected since.
    pub unsettled: i64,
    pub awaited: i64,
    pub ended: i64,
    pub late: i64,
}

impl Left {
    pub fn add(&mut self, other: Left) {
        self.settled += other.settled;
        self.unsettled += other.unsettled;
        self.awaited += other.awaited;
        self.ended += other.ended;
        self.late += other.late;
    }

    pub fn all(self) -> i64 {
        self.settled + self.unsettled + self.awaited + self.ended + self.late
    }
}

/// Settles the lines that match, records the money that a bill has yet to show, and reports money that a bill should
/// have shown by now.
pub async fn match_day(tx: &mut Tx, environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Left> {
    let mut all = Left { unsettled: bills::count_to_unsettle(tx, &merchant.id, today).await?, ..Left::default() };
    if all.unsettled > 0 {
        bills::unsettle(tx, &merchant.id, today).await?;
    }
    all.settled = bills::count_to_settle(tx, &merchant.id, today).await?;
    if all.settled > 0 {
        bills::settle(tx, &merchant.id, today).await?;
        let corrected = bills::corrected_on(tx, &merchant.id, today).await?;
        let corrected: Vec<&str> = corrected.iter().map(String::as_str).collect();
        exceptions::resolve(tx, Owner::Merchant(&merchant.id), &[RowCode::Conflict.into()], &corrected, today).await?;
    }
    let answers = Answers::of(environment, merchant);
    let rerouted = answers.look_at_rerouted(tx, today).await?;
    all.add(rerouted.record(tx, merchant, today).await?);
    let mut after = Key::default();
    while let Some(findings) = answers.look_at_new(tx, today, &mut after).await? {
        all.add(findings.record(tx, merchant, today).await?);
    }
    let mut after = Key::default();
    while let Some(findings) = answers.look_at_awaited(tx, today, &mut after).await? {
        all.add(findings.record(tx, merchant, today).await?);
    }
    Ok(all)
}

/// Returns what is left to match of a merchant's day.
pub async fn left(tx: &mut Tx, environment: &Environment, merchant: &Merchant, today: NaiveDate) -> Result<Left> {
    let answers = Answers::of(environment, merchant);
    let settled = bills::count_to_settle(tx, &merchant.id, today).await?;
    let unsettled = bills::count_to_unsettle(tx, &merchant.id, today).await?;
    let mut all = Left { settled, unsettled, ..Left::default() };
    all.add(answers.look_at_rerouted(tx, today).await?.counted());
    let mut after = Key::default();
    while let Some(findings) = answers.look_at_new(tx, today, &mut after).await? {
        all.add(findings.counted());
    }
    let mut after = Key::default();
    while let Some(findings) = answers.look_at_awaited(tx, today, &mut after).await? {
        all.add(findings.counted());
    }
    Ok(all)
}

/// The event and key at the end of the last page.
#[derive(Default)]
struct Key(String, String);

/// The bills that answer for a merchant's money.
struct Answers<'a> {
    merchant: &'a Merchant,
    feeds: &'a [Feed],
    bills: Vec<(&'a Feed, &'a Bill)>,
}

/// The channels and feeds by which each order was paid.
type PaidBy = HashMap<String, Vec<(Option<String>, String)>>;

impl<'a> Answers<'a> {
    fn of(environment: &'a Environment, merchant: &'a Merchant) -> Answers<'a> {
        let feeds = &environment.scheme.feeds;
        let theirs = feeds.iter().filter(|feed| feed.owner.merchant() == Some(&merchant.id));
        let bills = theirs.filter_map(|feed| Some((feed, feed.bill.as_ref()?))).collect();
        Answers { merchant, feeds, bills }
    }

    /// Returns a page of today's payments and refunds that no bill has listed, or `None` after the last page.
    async fn look_at_new(&self, tx: &mut Tx, today: NaiveDate, after: &mut Key) -> Result<Option<Findings>> {
        if self.bills.is_empty() {
            return Ok(None);
        }
        let page = expected_in_bill::not_listed(tx, &self.merchant.id, today, (&after.0, &after.1), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Key(last.event.name().to_owned(), last.event_key.clone());
        self.await_all(tx, page).await.map(Some)
    }

    /// Returns earlier payments that another bill answers for from today, because their channel was corrected.
    async fn look_at_rerouted(&self, tx: &mut Tx, today: NaiveDate) -> Result<Findings> {
        if self.bills.is_empty() {
            return Ok(Findings::default());
        }
        let rerouted = expected_in_bill::rerouted(tx, &self.merchant.id, today).await?;
        self.await_all(tx, rerouted).await
    }

    /// Collects the money that a bill must show, as expected in that bill.
    async fn await_all(&self, tx: &mut Tx, page: Vec<Booked>) -> Result<Findings> {
        let paid_by = self.paid_by(tx, page.iter()).await?;
        let mut findings = Findings::default();
        for booked in page {
            if let Some((feed, bill)) = self.bill_of(&booked, &paid_by) {
                let late_on = plus(booked.effective_on, bill.usual_delay + 1);
                findings.awaited.push((booked, feed.provider().to_owned(), late_on));
            }
        }
        Ok(findings)
    }

    /// Returns a page of the money expected in bills, or `None` after the last page.
    async fn look_at_awaited(&self, tx: &mut Tx, today: NaiveDate, after: &mut Key) -> Result<Option<Findings>> {
        let page = expected_in_bill::open(tx, &self.merchant.id, (&after.0, &after.1), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Key(last.booked.event.name().to_owned(), last.booked.event_key.clone());
        let paid_by = self.paid_by(tx, page.iter().map(|awaited| &awaited.booked)).await?;
        let mut findings = Findings::default();
        for awaited in page {
            let bill = self.bill_of(&awaited.booked, &paid_by).filter(|(feed, _)| feed.provider() == awaited.provider);
            match bill {
                _ if awaited.has_line || awaited.is_void => findings.ended.push(awaited),
                // The configuration or the channel has changed, and the bill no longer answers for this money.
                None => findings.ended.push(awaited),
                Some((_, bill)) if awaited.late_on <= today && !awaited.reported => {
                    findings.late.push((awaited, bill.usual_delay));
                }
                Some(_) => {}
            }
        }
        Ok(Some(findings))
    }

    /// Returns the bill that must show a payment or refund.
    fn bill_of(&self, booked: &Booked, paid_by: &PaidBy) -> Option<(&'a Feed, &'a Bill)> {
        let is_it = |(feed, bill): &&(&'a Feed, &'a Bill)| match booked.event {
            FactKind::Refund => {
                let payments = paid_by.get(&booked.order_id).map(Vec::as_slice).unwrap_or_default();
                let by_this = |(channel, from): &(Option<String>, String)| {
                    *from == feed.name || self.shows_payment(bill, from, channel.as_deref())
                };
                // A refund goes back the way the payment came.
                let went_this_way = bill.channels.is_empty() || (!payments.is_empty() && payments.iter().all(by_this));
                bill.answers_for(&booked.feed) && went_this_way
            }
            _ => self.shows_payment(bill, &booked.feed, booked.note.as_deref()),
        };
        self.bills.iter().find(is_it).copied()
    }

    fn shows_payment(&self, bill: &Bill, feed: &str, channel: Option<&str>) -> bool {
        // A bank's answer to a debit names no channel.
        let is_debit = self.feeds.iter().any(|known| known.name == feed && known.kind == Kind::DebitResults);
        bill.answers_for(feed) && (is_debit || bill.takes(channel))
    }

    /// Returns how the orders of refunds were paid, if that decides which bill shows a refund.
    async fn paid_by(&self, tx: &mut Tx, page: impl Iterator<Item = &Booked>) -> Result<PaidBy> {
        if self.bills.iter().all(|(_, bill)| bill.channels.is_empty()) {
            return Ok(PaidBy::new());
        }
        let order_ids: Vec<&str> =
            page.filter(|booked| booked.event == FactKind::Refund).map(|booked| booked.order_id.as_str()).collect();
        let mut paid_by = PaidBy::new();
        for (order_id, channel, feed) in expected_in_bill::payments_of(tx, &self.merchant.id, &order_ids).await? {
            paid_by.entry(order_id).or_default().push((channel, feed));
        }
        Ok(paid_by)
    }
}

/// The findings about a page.
#[derive(Default)]
struct Findings {
    awaited: Vec<(Booked, String, NaiveDate)>,
    ended: Vec<Expected>,
    /// Each with the bill's usual delay.
    late: Vec<(Expected, i64)>,
}

impl Findings {
    fn counted(&self) -> Left {
        let count = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        Left {
            settled: 0,
            unsettled: 0,
            awaited: count(self.awaited.len()),
            ended: count(self.ended.len()),
            late: count(self.late.len()),
        }
    }

    async fn record(self, tx: &mut Tx, merchant: &Merchant, today: NaiveDate) -> Result<Left> {
        let counted = self.counted();
        expected_in_bill::add(tx, &merchant.id, &self.awaited).await?;
        for event in [FactKind::Payment, FactKind::Refund] {
            let keys = |of: &mut dyn Iterator<Item = &Expected>| {
                let of_event = of.filter(|awaited| awaited.booked.event == event);
                of_event.map(|awaited| awaited.booked.event_key.clone()).collect::<Vec<_>>()
            };
            let (ended, late) = (keys(&mut self.ended.iter()), keys(&mut self.late.iter().map(|(awaited, _)| awaited)));
            let ended: Vec<&str> = ended.iter().map(String::as_str).collect();
            let late: Vec<&str> = late.iter().map(String::as_str).collect();
            expected_in_bill::close(tx, &merchant.id, event, &ended, today).await?;
            expected_in_bill::mark_reported(tx, &merchant.id, event, &late, today).await?;
        }
        let late: Vec<NewException> = self.late.iter().map(|(awaited, delay)| not_in_bill(awaited, *delay)).collect();
        exceptions::open(tx, Owner::Merchant(&merchant.id), today, &late).await?;
        let ended: Vec<String> = self.ended.iter().map(row_key).collect();
        let ended: Vec<&str> = ended.iter().map(String::as_str).collect();
        exceptions::resolve(tx, Owner::Merchant(&merchant.id), &[ExceptionCode::NotInBill], &ended, today).await?;
        Ok(counted)
    }
}

/// Returns an exception's key. It includes the event, because a payment and its refund may share a key.
fn row_key(awaited: &Expected) -> String {
    format!("{} {}", awaited.booked.event, awaited.booked.event_key)
}

fn not_in_bill(awaited: &Expected, delay: i64) -> NewException {
    let Expected { booked, provider, .. } = awaited;
    let amount = match Currency::parse(&booked.currency) {
        Some(currency) => format!("{} {currency}", currency.plain(booked.amount_minor)),
        None => booked.currency.clone(),
    };
    let (event, key, on) = (&booked.event, &booked.event_key, booked.effective_on);
    let days = count(delay, "day");
    NewException {
        code: ExceptionCode::NotInBill,
        row_key: row_key(awaited),
        order_id: booked.order_id.clone(),
        source: Source { file_no: booked.file_no, line: booked.line },
        amount_minor: Some(booked.amount_minor),
        currency: Some(booked.currency.clone()),
        message: format!(
            "{event} {key} of {amount}, made on {on}, is in no bill of {provider}, which usually shows it within {days}; \
             ask {provider} and whoever sent us this row"
        ),
    }
}
