//! What several commands ask for in the same way: merchants, and months.

use anyhow::Result;
use chrono::NaiveDate;

use super::Misconfigured;
use crate::scheme::{Merchant, Scheme};

/// Returns the merchant with this id, or all merchants if there is none.
pub fn merchants<'s>(scheme: &'s Scheme, id: Option<&str>) -> Result<Vec<&'s Merchant>> {
    let Some(id) = id else { return Ok(scheme.merchants.iter().map(AsRef::as_ref).collect()) };
    Ok(vec![scheme.merchant_named(id).map_err(Misconfigured)?.as_ref()])
}

/// Reads a month such as 2026-03, and returns its first day.
pub fn month(text: &str) -> Result<NaiveDate, String> {
    let first = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
    first.ok_or_else(|| "write a month such as 2026-03".to_owned())
}
