//! Whether something that arrives may be taken: an order by its customer's agreement and limit, a fact by its order's terms,
//! a file by when it was expected.

pub mod admission;
pub mod arrival;
pub mod decline;
pub mod eligibility;
