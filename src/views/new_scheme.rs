//! The view of `init`: the scheme that it wrote.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize, JsonSchema)]
pub struct NewScheme {
    /// The configuration to run it with.
    pub config: String,
    /// The first business day, for which there are files.
    pub first: NaiveDate,
    /// What was written, by its path in the folder.
    pub files: Vec<String>,
}
