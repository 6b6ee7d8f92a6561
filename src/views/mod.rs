//! The output of commands, as structs that serialise. Each file has the structs of one view and the functions that load
//! them. `--json` prints exactly these structs; without it, a command prints them as text. The console shows them as pages.
//!
//! Nothing here prints or knows a terminal. A field keeps its name and meaning while [`VERSION`] stays the same; fields
//! can be added. Amounts are [`Amount`]s. Statuses and codes have the spelling of the store.

pub mod alerts;
mod amount;
pub mod bank_plans;
pub mod check;
pub mod closed_days;
pub mod correction;
pub mod customer;
pub mod exceptions;
pub mod file_check;
pub mod file_rows;
pub mod files;
pub mod generated;
pub mod glance;
pub mod instalment;
pub mod job;
pub mod journal;
pub mod made_again;
pub mod mails;
pub mod money;
pub mod monitoring;
pub mod new_scheme;
pub mod order_story;
pub mod policy;
pub mod retry;
pub mod roll_forward;
pub mod runs;
pub mod schema;
pub mod search;
pub mod statement;
pub mod status;
pub mod status_check;
pub mod today;
pub mod unpaid;
pub mod verification;
pub mod workbook;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use amount::{Amount, grouped};

/// The version of every view. It changes when a field is renamed or removed, or changes its meaning.
pub const VERSION: u32 = 1;

/// A view as a JSON document of its own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<T> {
    /// The version of the document's shape.
    pub version: u32,
    #[serde(flatten)]
    pub view: T,
}

impl<T> Document<T> {
    pub fn of(view: T) -> Document<T> {
        Document { version: VERSION, view }
    }
}

/// The count for each status, code or name.
pub type Tally = BTreeMap<String, i64>;

/// Returns a tally by the names of statuses.
fn by_name<S: Copy>(counts: Vec<(S, i64)>, name: fn(S) -> &'static str) -> Tally {
    counts.into_iter().map(|(status, count)| (name(status).to_owned(), count)).collect()
}

/// Returns `None` for an empty text: the store keeps a missing text as an empty one.
fn some(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}
