//! Configuration: turns `paylater.toml`, and the files it names, into a scheme. Everything is checked while it is read;
//! each problem is reported with file, line and advice on what to write instead. Nothing is read from the store.
//!
//! The files form layers: `toml` (values that know their line), then a file or folder for each kind of file people
//! write, then `load`, which reads a scheme with all its files, and `schemas`. Only the command line imports any of
//! them.

mod calendar_file;
mod job_file;
mod load;
mod policy_file;
mod profile_file;
pub mod profiles;
mod reference_rates;
mod schemas;
mod scheme_file;
mod toml;

pub use calendar_file::Calendars;
pub use job_file::BUILT_IN as BUILT_IN_JOBS;
pub use load::{load, load_feed};
pub use policy_file::{Parent, Version, written_out};
pub use schemas::Written;
pub use scheme_file::Loaded;
pub use toml::{AllProblems, Location, Node, Problem, Problems};
