//! The agreed terms: a merchant's terms, and when and with what letterhead people are written to. Terms are data with look-ups of their own
//! figures (the band of a score, the rate of a day); `decide` has what follows from them for an order.
//!
//! `config` reads terms from TOML files; all terms here have passed its checks.

pub mod contact_hours;
pub mod due_dates;
pub mod hold;
pub mod instructions;
pub mod late_fee;
pub mod letterhead;
pub mod policy;
pub mod reference_rate;
pub mod reminders;
