//! The store: everything paylater remembers, in SQLite or PostgreSQL.
//!
//! One file an aggregate, its SQL beside the functions that own it, and one SQL text for both engines wherever
//! both can run it. Functions that write take the transaction; the job opens and commits it. Only bulk writing
//! differs by engine. There is deliberately no business rule below this line.

mod address;
mod bulk;
mod connect;
mod engine;
mod fact_columns;
mod fence;
mod pools;
mod trouble;

pub mod arrivals;
pub mod awaited;
pub mod bills;
pub mod corrections;
pub mod credit_record;
pub mod customers;
pub mod exceptions;
pub mod exposure;
pub mod facts;
pub mod fingerprints;
pub mod held_back;
pub mod input_rows;
pub mod inputs;
pub mod instructions;
pub mod journal;
pub mod kept_files;
pub mod listing;
pub mod mails;
pub mod orders;
pub mod positions;
pub mod runs;
pub mod scheme;
pub mod standings;

pub use connect::damage;
pub use engine::Tx;
pub use fence::Overtaken;
pub use pools::Store;
pub use trouble::is_of_store;
