//! The part of a policy about instructions to a bank: when due amounts are collected by debit, when customer credit is
//! paid out, and how often each is tried again.

/// How a merchant collects due amounts by debit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebitRule {
    /// Days before the due date on which the first instruction is made, for banks that need time.
    pub days_before: i64,
    pub retry: Retry,
    /// Days without an answer after which an attempt counts as failed; `None` if collection waits for the answer.
    pub assume_failed_after: Option<i64>,
    /// Days without an answer after which an exception reports it.
    pub no_answer_after: i64,
}

/// How a merchant pays credit out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOutRule {
    /// Days that credit stays in the books before it is paid out.
    pub after: i64,
    pub retry: Retry,
    /// Days without an answer after which an exception reports it. A pay-out is never assumed to have failed.
    pub no_answer_after: i64,
}

/// When to try again after an attempt that did not collect or pay out the full amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// One attempt only.
    Never,
    /// Days after the first attempt, ascending. A delayed attempt delays all later attempts by as much.
    After(Vec<i64>),
    /// Every `every` days, at most `at_most` times after the first attempt.
    UntilSuccess { every: i64, at_most: i64 },
}
