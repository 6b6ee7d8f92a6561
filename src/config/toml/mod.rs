//! TOML that people write, whatever it is about: `document` has values that know their line, `problems` what is wrong with
//! them, `schema` and `shape` which keys there are and of which kind, `rules` and `values` what makes sense, `read` all of
//! it for one file.

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
pub use values::{days_within, in_days, is_name, maybe_days, minor, share_of_one, time_of_day, time_zone, weekdays};
