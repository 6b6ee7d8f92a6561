//! What a policy says about instructions to a bank: when due amounts are collected by debit, when customer credit is paid
//! out, and how often either is tried again.

/// How a merchant collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebitRule {
    /// Days before the due date on which the first instruction is made, for banks that want time.
    pub days_before: i64,
    pub retry: Retry,
    /// Without an answer so many days after, an attempt counts as failed; none: collection waits for the answer.
    pub assume_failed_after: Option<i64>,
    /// Without an answer so many days after, an exception reports it.
    pub no_answer_after: i64,
}

/// How a merchant pays credit out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOutRule {
    /// Days that credit is in the books before it is paid out.
    pub after: i64,
    pub retry: Retry,
    /// Without an answer so many days after, an exception reports it. A pay-out is never assumed to have failed.
    pub no_answer_after: i64,
}

/// When to try again after an attempt that did not bring everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// One attempt only.
    Never,
    /// So many days after the first attempt, rising. An attempt that had to wait puts off those after it by as much.
    After(Vec<i64>),
    /// Every so many days, at most so many times after the first.
    UntilSuccess { every: i64, at_most: i64 },
}
