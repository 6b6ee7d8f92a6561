//! Whether an arriving row or file is acceptable: an order by its customer's agreement and limit, a fact by its order's
//! terms, a file by when it was expected.

pub mod admission;
pub mod arrival;
pub mod decline;
pub mod eligibility;
