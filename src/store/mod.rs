//! The store: all state of paylater, in SQLite or PostgreSQL.
//!
//! Each aggregate has a file, with its SQL beside the functions that own it, and one SQL text serves both engines wherever
//! both can run it. Functions that write take the transaction; the job opens and commits it. Only bulk writing differs by
//! engine. This room has no business rules.

mod address;
mod as_text;
mod bulk;
mod connect;
mod engine;
mod fact_columns;
mod impossible;
mod lane;
mod locks;
mod pools;
mod trouble;

pub mod alerts;
pub mod arrivals;

pub mod bills;
pub mod corrections;
pub mod credit_record;
pub mod customer_standing;
pub mod customers;
pub mod delivery_failures;
pub mod done_in_inbox;
pub mod exceptions;
pub mod expected_in_bill;
pub mod exposure;
pub mod facts;
pub mod failed_intakes;
pub mod file_rows;
pub mod files;
pub mod fingerprints;
pub mod held_back;
pub mod instructions;
pub mod journal;
pub mod lanes;
pub mod listing;
pub mod mail_events;
pub mod mails;
pub mod nodes;
pub mod orders;
pub mod overview;
pub mod positions;
pub mod receivables;
pub mod reference_rates;
pub mod runs;
pub mod scheme;

pub use connect::{damage, is_ready};
pub use engine::Tx;
pub use impossible::in_words;
pub use lane::Lane;
pub use lanes::Overtaken;
pub use locks::LEASE;
pub use pools::{OnlyDaemon, Store};
pub use trouble::is_of_store;
