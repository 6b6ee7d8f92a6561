//! A preview of a file's orders: their outcomes if they came now. Nothing is recorded.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;

use super::chunk::Chunk;
use super::feeds::{merchant, new_file};
use super::orders::OrderIntake;
use crate::books::environment::Environment;
use crate::domain::intake::code::RowCode;
use crate::domain::intake::status::RowOutcome;
use crate::files::inbox::Found;
use crate::files::read::reader::Rows;
use crate::scheme::Feed;

/// The number of rows decided at a time.
const CHUNK: usize = 5_000;

/// The number of orders with the same outcome and code, and the first of them.
#[derive(Debug)]
pub struct Foreseen {
    pub outcome: RowOutcome,
    pub code: RowCode,
    pub count: i64,
    pub line: i64,
    pub message: String,
}

/// Returns the orders of a readable file that would not be accepted, by code.
pub async fn orders(environment: &Environment, feed: &Feed, found: &Found, today: NaiveDate) -> Result<Vec<Foreseen>> {
    let file = new_file(feed, found, today);
    let mut rows = Rows::open(&feed.delivery(found), 0)?;
    let header = rows.header().to_vec();
    let mut intake = OrderIntake::of(environment, merchant(environment, feed)?);
    let mut tx = environment.store.read().await?;
    let mut foreseen: BTreeMap<(&'static str, RowCode), Foreseen> = BTreeMap::new();
    while !rows.is_finished() {
        let lines = rows.take(CHUNK)?;
        if intake.is_full() {
            // Orders of this file decided so far no longer count against the limits. This is acceptable in a preview.
            intake.clear();
        }
        intake.prepare(&lines);
        intake.look_up(&mut tx, &lines, rows.is_finished()).await?;
        let chunk = Chunk {
            kind: feed.kind,
            file: &file,
            header: &header,
            lines: &lines,
            today,
            zone: environment.scheme.zone,
        };
        let (outcomes, _) = intake.decide(&chunk)?;
        for (line, outcome) in lines.iter().zip(&outcomes).filter(|(line, _)| line.parsed.is_ok()) {
            // An accepted order has no code.
            let (Some(code), message) = outcome.code_and_message() else { continue };
            let first =
                || Foreseen { outcome: outcome.kind(), code, count: 0, line: line.number, message: message.to_owned() };
            foreseen.entry((outcome.kind().name(), code)).or_insert_with(first).count += 1;
        }
        rows.give_back(lines);
    }
    Ok(foreseen.into_values().collect())
}
