//! Delivery failures: bounces, complaints and wishes to get no more reminders.

use super::{Fingerprint, Parsed, Row};
use crate::domain::facts::delivery_failure::{DeliveryFailure, FailureKind};
use crate::files::rows::cell::{Cells, Rejection};

pub const COLUMNS: &[&str] = &["message_id", "address", "kind", "at"];

pub fn parse(cells: &Cells<'_>) -> Result<Parsed, Rejection> {
    let failure = DeliveryFailure {
        message_id: cells.key("message_id")?.trim_matches(['<', '>']).to_owned(),
        address: cells.email("address")?,
        kind: cells.word("kind", FailureKind::parse, &FailureKind::ALL.map(FailureKind::name))?,
        at: cells.instant("at")?,
    };
    let fingerprint =
        Fingerprint::of("delivery_failure").and(&failure.address).and(failure.kind.name()).and(failure.at).finish();
    Ok(Parsed { fingerprint, row: Row::DeliveryFailure(failure) })
}
