//! Decisions: what follows from an order's facts and terms on a day. Everything here is computed; nothing is stored.
//!
//! The steps of a decision on one order:
//!
//! ```text
//! end_of_day::decide                   the close calls it for each order
//!   known_order                        the facts effective by the day, its holds, the day its term starts
//!     holds, due                       which days are held; when each instalment is due
//!     replay                           payments, refunds, chargebacks, pay-outs, write-offs, one after the other
//!       late_fee                       each instalment's fee by the days it was unpaid, its caps, less waivers
//!     position                         what is left of each instalment, and when it changes next
//!   credit_steps, credit               the steps that the day's end adds to the credit record
//!   opening                            the exposure with which the next day opens
//! ```
//!
//! `during_day` answers the same questions for a day that is still open, `fee_days` dates late fees, and `order_fees`
//! explains how a fee was computed.

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
pub mod mail_events;
pub mod opening;
pub mod order_fees;
pub mod pay_off;
pub mod position;
pub mod principal;
pub mod reminders;
pub mod replay;
