//! Whether an arriving row or file is acceptable: an order by its customer's agreement and limit (`eligibility`, with the
//! reasons in `decline`), a fact by its order's terms (`admission`), a file by when it was expected (`arrival`); and what
//! becomes of it (`status`) and why (`code`).

pub mod admission;
pub mod arrival;
pub mod code;
pub mod decline;
pub mod eligibility;
pub mod kind;
pub mod status;
