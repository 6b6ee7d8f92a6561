//! Orders. A row may already contain fulfilments.

use super::{Fingerprint, Parsed, Row};
use crate::domain::facts::fact::Event;
use crate::domain::facts::order::OrderRow;
use crate::files::rows::cell::{Cells, Rejection};

pub const COLUMNS: &[&str] = &["order_id", "customer_id", "amount", "currency", "ordered_at"];

pub fn parse(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let order_id = cells.key("order_id")?;
    let customer_id = cells.key("customer_id")?;
    let currency = cells.currency("currency")?;
    let amount_minor = cells.amount("amount", currency)?;
    let ordered_at = cells.instant("ordered_at")?;
    let item = cells.text("item")?;
    let mut events = Vec::new();
    for (column, event) in
        [("shipped_at", Event::Shipped), ("delivered_at", Event::Delivered), ("confirmed_at", Event::Confirmed)]
    {
        events.extend(cells.optional_instant(column)?.map(|at| (event, at)));
    }
    let mut content = Fingerprint::of("order")
        .and(&customer_id)
        .and(amount_minor)
        .and(currency)
        .and(ordered_at.timestamp_micros())
        .and_maybe(item.as_ref());
    for (event, at) in &events {
        content = content.and(event.name()).and(at.timestamp_micros());
    }
    let fingerprint = content.finish();
    let row = OrderRow { order_id, customer_id, amount_minor, currency, ordered_at, item, events };
    Ok(Parsed { fingerprint, row: Row::Order(row) })
}
