//! The view of `generate`: the size of the scheme that it wrote.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize, JsonSchema)]
pub struct GeneratedScheme {
    /// The configuration to run it with.
    pub config: String,
    pub merchants: u64,
    pub customers: u64,
    pub orders: u64,
    pub good_rows: u64,
    pub flawed_rows: u64,
    pub first: NaiveDate,
    /// The last day with files.
    pub last: NaiveDate,
}
