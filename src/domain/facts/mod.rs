//! What happened, as files and people report it. Facts are kept for ever and never change.
//!
//! Nothing here knows a merchant's terms or draws a conclusion: `terms` has what was agreed, `decide` what follows.

pub mod agreement;
pub mod case;
pub mod correction;
pub mod customer;
pub mod delivery_failure;
pub mod fact;
pub mod order;
pub mod source;
