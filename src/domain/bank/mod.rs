//! Instructions to banks: which instalments to debit, and which customer credit to pay out.

pub mod debit;
pub mod instruction;
pub mod pay_out;
