//! What follows from an order's facts and terms on a day. Everything here is computed; nothing is kept.
//!
//! One order's way through a decision:
//!
//! ```text
//! end_of_day::decide                   the close calls it for each order
//!   known_order                        the facts effective by the day, its holds, the day its term starts
//!     holds, due                       which days are held; when each instalment is due
//!     replay                           payments, refunds, chargebacks, pay-outs, write-offs, one after the other
//!       late_fee                       each instalment's fee by the days it was unpaid, its caps, less waivers
//!     position                         what is left of each instalment, and when it changes next
//!   credit_steps, credit               the steps that the day's end adds to the credit record
//!   opening                            what the next day opens with
//! ```
//!
//! `during_day` asks the same of a day that is still open, `fee_days` dates late fees, and
//! `order_fees` says how one came about.

pub mod buckets;
pub mod cancellation;
pub mod credit;
pub mod credit_record;
mod credit_steps;
pub mod due;
pub mod during_day;
pub mod end_of_day;
pub mod fee_days;
pub mod holds;
mod known_order;
pub mod late_fee;
pub mod opening;
pub mod order_fees;
pub mod position;
pub mod principal;
pub mod reminders;
pub mod replay;
