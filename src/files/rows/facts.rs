//! Facts about an order: fulfilments, money, extensions, holds and waivers.

use chrono::NaiveTime;

use super::{Fingerprint, Kind, Parsed, Row};
use crate::domain::calendar::instant_of;
use crate::domain::facts::fact::{Event, FactKind, FactRow, HoldReason, What};
use crate::domain::intake::code::RowCode;
use crate::domain::money::Currency;
use crate::files::rows::cell::{Cells, Rejection};

pub const FULFILMENT_COLUMNS: &[&str] = &["order_id", "event", "occurred_at"];
pub const HOLD_COLUMNS: &[&str] = &["hold_id", "order_id", "reason", "starts_on"];
pub const EXTENSION_COLUMNS: &[&str] = &["extension_id", "order_id", "days", "requested_at"];
pub const PAYMENT_COLUMNS: &[&str] = &["payment_id", "order_id", "amount", "currency", "paid_at"];
pub const REFUND_COLUMNS: &[&str] = &["refund_id", "order_id", "amount", "currency", "refunded_at"];
pub const CHARGEBACK_COLUMNS: &[&str] =
    &["chargeback_id", "order_id", "payment_id", "amount", "currency", "charged_back_at"];
pub const WAIVER_COLUMNS: &[&str] = &["waiver_id", "order_id", "amount", "currency", "waived_on"];

pub fn parse(kind: Kind, cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let order_id = cells.key("order_id")?;
    let fact = match kind {
        Kind::Fulfilments => {
            let event = cells.word("event", Event::parse, &Event::ALL.map(Event::name))?;
            FactRow {
                id: fulfilment_id(&order_id, event),
                order_id,
                effective_at: cells.instant("occurred_at")?,
                what: What::Fulfilment(event),
                currency: None,
                note: None,
                failed: false,
            }
        }
        Kind::Payments | Kind::Refunds | Kind::Chargebacks | Kind::Waivers => money(kind, order_id, cells)?,
        Kind::Extensions => FactRow {
            id: cells.key("extension_id")?,
            order_id,
            effective_at: cells.instant("requested_at")?,
            what: What::Extension { days: cells.integer("days", 1..=366)? },
            currency: None,
            note: cells.text("approved_by")?,
            failed: false,
        },
        Kind::Holds => hold(order_id, cells)?,
        Kind::Customers
        | Kind::Agreements
        | Kind::Orders
        | Kind::DebitResults
        | Kind::Bills
        | Kind::PayoutResults
        | Kind::Corrections
        | Kind::DeliveryFailures => {
            return Err(Rejection::new(RowCode::BadValue, format!("{} are not facts of an order", kind.name())));
        }
    };
    let fingerprint = fingerprint_of(&fact);
    Ok(Parsed { fingerprint, row: Row::Fact(fact) })
}

/// The key of a fulfilment. Its file has no key column.
pub fn fulfilment_id(order_id: &str, event: Event) -> String {
    format!("{order_id}:{}", event.name())
}

/// The content's fingerprint, equal for a fact from its own file and from an order's row.
pub fn fingerprint_of(fact: &FactRow) -> i64 {
    Fingerprint::of(if fact.failed { "failed" } else { fact.what.kind().name() })
        .and(&fact.order_id)
        .and(fact.effective_at.timestamp_micros())
        .and(format_args!("{:?}", fact.what))
        .and_maybe(fact.currency)
        .and_maybe(fact.note.as_ref())
        .finish()
}

/// The fingerprint of a payment or refund that two sources report. It leaves out time and channel, in which the sources may
/// differ. Rows of bills and answers to debits have this fingerprint only.
pub fn fingerprint_of_money(kind: FactKind, order_id: &str, minor: i64, currency: Option<Currency>) -> i64 {
    fingerprint_under(if kind == FactKind::Payment { "debit" } else { kind.name() }, order_id, minor, currency)
}

/// The same for money that is no fact, under a name of its own.
pub fn fingerprint_under(what: &str, order_id: &str, minor: i64, currency: Option<Currency>) -> i64 {
    Fingerprint::of(what).and(order_id).and(minor).and_maybe(currency).finish()
}

fn money(kind: Kind, order_id: String, cells: &Cells<'_>) -> Result<FactRow, Rejection> {
    let currency = cells.currency("currency")?;
    let is_moved = matches!(kind, Kind::Payments | Kind::Refunds);
    let minor = if is_moved { cells.moved("amount", currency)? } else { cells.amount("amount", currency)? };
    let suspended = false;
    let (id, at, what, note) = match kind {
        Kind::Payments => ("payment_id", "paid_at", What::Payment { minor, suspended }, "channel"),
        Kind::Refunds => ("refund_id", "refunded_at", What::Refund { minor, suspended }, "reason"),
        Kind::Chargebacks => {
            let what = What::Chargeback { minor, payment_id: cells.key("payment_id")?, suspended };
            ("chargeback_id", "charged_back_at", what, "reason")
        }
        _ => ("waiver_id", "waived_on", What::Waiver { minor }, "approved_by"),
    };
    Ok(FactRow {
        id: cells.key(id)?,
        order_id,
        effective_at: cells.instant(at)?,
        what,
        currency: Some(currency),
        note: cells.text(note)?,
        failed: kind == Kind::Refunds && has_failed(cells)?,
    })
}

fn hold(order_id: String, cells: &Cells<'_>) -> Result<FactRow, Rejection> {
    let starts_on = cells.date("starts_on")?;
    let ends_on = cells.optional_date("ends_on")?;
    if ends_on.is_some_and(|ends_on| ends_on < starts_on) {
        let message = format!("column ends_on, value \"{}\": before starts_on {starts_on}", cells.raw("ends_on"));
        return Err(Rejection::new(RowCode::BadTime, message));
    }
    Ok(FactRow {
        id: cells.key("hold_id")?,
        order_id,
        effective_at: instant_of(starts_on.and_time(NaiveTime::MIN), cells.zone),
        what: What::Hold {
            reason: cells.word("reason", HoldReason::parse, &HoldReason::ALL.map(HoldReason::name))?,
            ends_on,
        },
        currency: None,
        note: None,
        failed: false,
    })
}

/// Whether a refunds file marks a refund as failed. Without a status, the refund was done.
fn has_failed(cells: &Cells<'_>) -> Result<bool, Rejection> {
    let failed = |text: &str| match text {
        "done" => Some(false),
        "failed" => Some(true),
        _ => None,
    };
    if cells.raw("status").is_empty() { Ok(false) } else { cells.word("status", failed, &["done", "failed"]) }
}
