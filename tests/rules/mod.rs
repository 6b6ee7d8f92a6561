//! The rules as tables of days: terms, a story, and the expected state at the end of each day.
//!
//! Every figure was calculated by hand from the words of the rule; none was copied from the program.
//! Columns: `left` principal still owed, `fee` late fee owed in total, `past_due` days past due, `credit` the
//! customer's credit, `record` the credit record, `next` the first day on which anything can change automatically.

mod admission;
mod business_days;
mod cancellations;
mod chargebacks;
mod credit_record;
mod due_dates;
mod instalments;
mod late_fees;
mod next_action;
mod pay_outs;
mod payments;
mod provider_refunds;
mod write_offs;
