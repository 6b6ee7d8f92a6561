//! Corrections of facts: the key of the fact, the action, and who approved it. An empty cell keeps the fact's value.

use chrono::{DateTime, NaiveTime, Utc};

use super::{Fingerprint, Parsed, Row};
use crate::domain::calendar::instant_of;
use crate::domain::facts::correction::{Action, Changes, CorrectionRow, KINDS, parse_kind};
use crate::domain::facts::fact::{FactKind, HoldReason};
use crate::domain::intake::code::RowCode;
use crate::files::rows::cell::{Cells, Rejection};

pub const COLUMNS: &[&str] = &["correction_id", "kind", "fact_id", "action", "corrected_at", "reason", "approved_by"];

pub const OPTIONAL: &[&str] = &[
    "order_id",
    "amount",
    "currency",
    "occurred_at",
    "paid_at",
    "refunded_at",
    "charged_back_at",
    "payment_id",
    "requested_at",
    "days",
    "hold_reason",
    "starts_on",
    "ends_on",
    "waived_on",
    "channel",
];

/// The columns that can replace values of a fact of this kind.
pub fn columns_of(kind: FactKind) -> &'static [&'static str] {
    match kind {
        FactKind::Fulfilment => &["occurred_at"],
        FactKind::Payment => &["amount", "currency", "paid_at", "channel"],
        FactKind::Refund => &["amount", "currency", "refunded_at"],
        FactKind::Chargeback => &["amount", "currency", "charged_back_at", "payment_id"],
        FactKind::Extension => &["days", "requested_at"],
        FactKind::Hold => &["hold_reason", "starts_on", "ends_on"],
        FactKind::Waiver => &["amount", "currency", "waived_on"],
        FactKind::Notice | FactKind::PayOut | FactKind::GivenBack => &[],
    }
}

pub fn parse(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let id = cells.key("correction_id")?;
    let kind = cells.word("kind", parse_kind, &KINDS.map(FactKind::name))?;
    let fact_id = cells.key("fact_id")?;
    let is_void = |text: &str| match text {
        "void" => Some(true),
        "replace" => Some(false),
        _ => None,
    };
    let is_void = cells.word("action", is_void, &["void", "replace"])?;
    let given: Vec<&&str> = OPTIONAL[1..].iter().filter(|column| !cells.raw(column).is_empty()).collect();
    let of_kind = columns_of(kind);
    if let Some(column) = given.iter().find(|column| is_void || !of_kind.contains(**column)) {
        let message = if is_void {
            format!("column {column}: a void fact has no content; leave the column empty, or write replace as action")
        } else {
            format!("column {column}: a {kind} has no such column; {} can be replaced", listed(of_kind))
        };
        return Err(Rejection::new(RowCode::BadValue, message));
    }
    let order_id = if cells.raw("order_id").is_empty() { None } else { Some(cells.key("order_id")?) };
    let action = if is_void {
        Action::Void
    } else if given.is_empty() && order_id.is_none() {
        let what =
            if of_kind.is_empty() { "write void as action".to_owned() } else { format!("fill in {}", listed(of_kind)) };
        return Err(Rejection::new(RowCode::MissingValue, format!("the row replaces nothing of the {kind}; {what}")));
    } else {
        Action::Replace(changes(kind, cells)?)
    };
    let (corrected_at, reason) = (cells.instant("corrected_at")?, required_text(cells, "reason")?);
    let approved_by = required_text(cells, "approved_by")?;
    let channel = cells.text("channel")?;
    let row = CorrectionRow { id, kind, fact_id, action, order_id, channel, corrected_at, reason, approved_by };
    Ok(Parsed { fingerprint: fingerprint_of(&row), row: Row::Correction(row) })
}

pub fn fingerprint_of(row: &CorrectionRow) -> i64 {
    let fingerprint = Fingerprint::of("correction")
        .and(row.kind)
        .and(&row.fact_id)
        .and(format_args!("{:?}", row.action))
        .and_maybe(row.order_id.as_ref())
        .and(row.corrected_at.timestamp_micros())
        .and(&row.reason)
        .and(&row.approved_by);
    // Corrections without a channel keep the fingerprint that they had before the column existed.
    match &row.channel {
        Some(channel) => fingerprint.and(channel).finish(),
        None => fingerprint.finish(),
    }
}

fn changes(kind: FactKind, cells: &Cells<'_>) -> Result<Changes, Rejection> {
    let is_given = |column: &str| !cells.raw(column).is_empty();
    let money = if is_given("amount") || is_given("currency") {
        let currency = cells.currency("currency")?;
        Some((cells.amount("amount", currency)?, currency))
    } else {
        None
    };
    let effective_at: Option<DateTime<Utc>> = match kind {
        FactKind::Fulfilment => cells.optional_instant("occurred_at")?,
        FactKind::Payment => cells.optional_instant("paid_at")?,
        FactKind::Refund => cells.optional_instant("refunded_at")?,
        FactKind::Chargeback => cells.optional_instant("charged_back_at")?,
        FactKind::Extension => cells.optional_instant("requested_at")?,
        FactKind::Waiver => cells.optional_instant("waived_on")?,
        FactKind::Hold => {
            cells.optional_date("starts_on")?.map(|day| instant_of(day.and_time(NaiveTime::MIN), cells.zone))
        }
        FactKind::Notice | FactKind::PayOut | FactKind::GivenBack => None,
    };
    let hold_reason = if is_given("hold_reason") {
        Some(cells.word("hold_reason", HoldReason::parse, &HoldReason::ALL.map(HoldReason::name))?)
    } else {
        None
    };
    Ok(Changes {
        effective_at,
        money,
        days: if is_given("days") { Some(cells.integer("days", 1..=366)?) } else { None },
        hold_reason,
        ends_on: cells.optional_date("ends_on")?,
        payment_id: if is_given("payment_id") { Some(cells.key("payment_id")?) } else { None },
    })
}

/// A required text.
fn required_text(cells: &Cells<'_>, column: &str) -> Result<String, Rejection> {
    let missing = || Rejection::new(RowCode::MissingValue, format!("column {column} is empty; it is required"));
    cells.text(column)?.ok_or_else(missing)
}

fn listed(columns: &[&str]) -> String {
    columns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &str) -> String {
        let header = COLUMNS.iter().chain(OPTIONAL).map(|column| (*column).to_owned()).collect::<Vec<_>>();
        let given: std::collections::BTreeMap<&str, &str> =
            cells.split(' ').map(|cell| cell.split_once('=').unwrap()).collect();
        let usual = |column: &str| match column {
            "correction_id" => "K1",
            "fact_id" => "F1",
            "corrected_at" => "2026-03-10",
            "reason" => "typed wrong",
            "approved_by" => "wang.li",
            _ => "",
        };
        let row = header.iter().map(|column| given.get(column.as_str()).copied().unwrap_or_else(|| usual(column)));
        let row: csv::StringRecord = row.collect();
        let cells = Cells { header: &header, cells: &row, zone: chrono_tz::Asia::Shanghai, as_sent: None };
        match parse(&cells) {
            Ok(Parsed { row: Row::Correction(row), .. }) => format!("{} {}", row.kind, row.action.name()),
            Ok(other) => panic!("{other:?}"),
            Err(rejection) => format!("{} {}", rejection.code, rejection.message),
        }
    }

    #[test]
    fn a_row_voids_or_replaces_a_fact() {
        for (row, expected) in [
            ("kind=payment action=void", "payment void"),
            ("kind=payments action=void", "payment void"),
            ("kind=hold action=replace ends_on=2026-03-12", "hold replace"),
            ("kind=fulfilment action=replace occurred_at=2026-03-12", "fulfilment replace"),
            ("kind=payment action=replace amount=1.00 currency=CNY", "payment replace"),
            ("kind=payment action=replace order_id=O2", "payment replace"),
            ("kind=payment action=replace amount=1.00", "MISSING_VALUE column currency is empty; it is required"),
            (
                "kind=payment action=replace days=3",
                "BAD_VALUE column days: a payment has no such column; amount, currency, paid_at, channel can be replaced",
            ),
            (
                "kind=payment action=void amount=1.00",
                "BAD_VALUE column amount: a void fact has no content; leave the column empty, or write replace as action",
            ),
            (
                "kind=hold action=replace",
                "MISSING_VALUE the row replaces nothing of the hold; fill in hold_reason, starts_on, ends_on",
            ),
            (
                "kind=pay_out action=replace",
                "MISSING_VALUE the row replaces nothing of the pay_out; write void as action",
            ),
            (
                "kind=notice action=void",
                "BAD_VALUE column kind, value \"notice\": write one of fulfilment, payment, refund, chargeback, extension, \
                 hold, waiver, pay_out",
            ),
            ("kind=payment action=void approved_by=", "MISSING_VALUE column approved_by is empty; it is required"),
        ] {
            assert_eq!(read(row), expected, "{row}");
        }
    }
}
