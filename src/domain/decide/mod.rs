//! What follows from an order's facts and terms on a day. Everything here is a function; nothing is kept.

pub mod buckets;
pub mod credit;
pub mod credit_record;
mod credit_steps;
pub mod due;
pub mod during_day;
pub mod end_of_day;
pub mod holds;
mod known_order;
pub mod late_fee;
pub mod opening;
pub mod order_fees;
pub mod position;
pub mod principal;
pub mod reminders;
pub mod replay;
