//! TOML that people write, independent of its subject: `document` has values that know their line, `problems` the
//! errors found in them, `schema` and `shape` the allowed keys and their types, `rules` and `values` the checks of
//! values, and `read` combines these for one file.

mod document;
mod problems;
mod read;
mod rules;
pub mod schema;
pub mod shape;
mod values;

pub use document::{Node, Table, Value, parse};
pub use problems::{AllProblems, Location, Problem, Problems, join, wrong};
pub use read::{read, read_as, without_detours};
pub use rules::Rules;
pub use values::{
    days_within, in_days, is_name, is_variable, maybe_days, minor, share_of_one, time_of_day, time_zone, weekdays,
};
