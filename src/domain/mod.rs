//! The rules: what should be true at the end of a day, decided from facts.
//!
//! Everything here is pure. There is no file, no database, no clock and no async below this line; a day
//! is always handed in. Nothing here knows where a fact came from beyond its source line.

pub mod admission;
pub mod allocation;
pub mod arrival;
pub mod business_days;
pub mod calendar;
pub mod credit;
pub mod customer;
pub mod debit;
pub mod due;
pub mod eligibility;
pub mod hold;
pub mod instruction;
pub mod journal;
pub mod late_fee;
pub mod losses;
pub mod money;
pub mod order;
pub mod pay_out;
pub mod policy;
pub mod position;
pub mod principal;
pub mod reference_rate;
pub mod reminders;
