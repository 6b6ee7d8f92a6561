//! What was agreed: a merchant's terms, and when people may be contacted. Terms are data; a rule looks up its own figures (the
//! band of a score, the rate of a day), and what follows from them for an order is in `decide`.
//!
//! `config` reads terms from TOML files; only terms that passed its checks get here.

pub mod contact_hours;
pub mod due_dates;
pub mod hold;
pub mod instructions;
pub mod late_fee;
pub mod policy;
pub mod reference_rate;
