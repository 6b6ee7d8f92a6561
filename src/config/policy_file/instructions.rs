//! The keys of a policy about instructions to banks: debits of due amounts, and pay-outs of credit.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, in_days, join, maybe_days};
use crate::domain::terms::instructions::{DebitRule, PayOutRule, Retry};

/// The most attempts that a plan may have, including the first.
const MOST_ATTEMPTS: i64 = 366;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDebit {
    /// The first instruction so many days before the due date.
    #[serde(default)]
    days_before: i64,
    /// Days after the first attempt, rising, or "until_success"; without it one attempt only.
    retry_after: Option<RawRetryAfter>,
    /// Of until_success: days from one attempt to the next; 1 if left out.
    retry_every: Option<i64>,
    /// Of until_success: attempts after the first.
    retry_at_most: Option<i64>,
    /// Without an answer so many days after, it counts as failed; if left out, it is waited for.
    assume_failed_after: Option<i64>,
    /// Without an answer so many days after, an exception is opened.
    #[serde(default = "default_no_answer")]
    no_answer_after: i64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPayOut {
    /// Days that credit stands before it is paid out.
    after: i64,
    /// Days after the first attempt, rising, or "until_success"; without it one attempt only.
    retry_after: Option<RawRetryAfter>,
    /// Of until_success: days from one attempt to the next; 1 if left out.
    retry_every: Option<i64>,
    /// Of until_success: attempts after the first.
    retry_at_most: Option<i64>,
    /// Without an answer so many days after, an exception is opened.
    #[serde(default = "default_no_answer")]
    no_answer_after: i64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawRetryAfter {
    Days(Vec<i64>),
    Always(RawAlways),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RawAlways {
    UntilSuccess,
}

/// The default of `no_answer_after`: banks answer within a few days.
fn default_no_answer() -> i64 {
    5
}

impl RawDebit {
    pub fn resolve(self, rules: &mut Rules) -> Option<DebitRule> {
        let days_before = rules.keep("debit.days_before", in_days("", self.days_before, 0));
        let retry = retry("debit", self.retry_after, self.retry_every, self.retry_at_most, rules);
        let assume_failed_after = rules.keep("debit.assume_failed_after", maybe_days(self.assume_failed_after, 1));
        let no_answer_after = rules.keep("debit.no_answer_after", in_days("", self.no_answer_after, 1));
        Some(DebitRule {
            days_before: days_before?,
            retry: retry?,
            assume_failed_after: assume_failed_after?,
            no_answer_after: no_answer_after?,
        })
    }
}

impl RawPayOut {
    pub fn resolve(self, rules: &mut Rules) -> Option<PayOutRule> {
        let after = rules.keep("pay_out.after", in_days("", self.after, 0));
        let retry = retry("pay_out", self.retry_after, self.retry_every, self.retry_at_most, rules);
        let no_answer_after = rules.keep("pay_out.no_answer_after", in_days("", self.no_answer_after, 1));
        Some(PayOutRule { after: after?, retry: retry?, no_answer_after: no_answer_after? })
    }
}

fn retry(
    at: &str,
    after: Option<RawRetryAfter>,
    every: Option<i64>,
    at_most: Option<i64>,
    rules: &mut Rules,
) -> Option<Retry> {
    let key = |name: &str| join(at, name);
    if let Some(RawRetryAfter::Always(RawAlways::UntilSuccess)) = after {
        let every = rules.keep(&key("retry_every"), in_days("", every.unwrap_or(1), 1));
        let most = MOST_ATTEMPTS - 1;
        let Some(at_most) = at_most else {
            let message = format!("is missing, and retry_after = \"until_success\" needs it; write 1 to {most}");
            rules.refuse(&key("retry_at_most"), message);
            return None;
        };
        if !(1..=most).contains(&at_most) {
            let message = format!("{at_most} is not from 1 to {most}; write how often it is tried again at most");
            rules.refuse(&key("retry_at_most"), message);
            return None;
        }
        return Some(Retry::UntilSuccess { every: every?, at_most });
    }
    for (name, given) in [("retry_every", every.is_some()), ("retry_at_most", at_most.is_some())] {
        if given {
            let message = format!(
                "goes with retry_after = \"until_success\" only; leave it out, or write {name} = false if it is inherited"
            );
            rules.refuse(&key(name), message);
        }
    }
    let Some(RawRetryAfter::Days(days)) = after else { return Some(Retry::Never) };
    if days.is_empty() {
        let advice = "is empty; write days such as [1, 3, 7], or \"until_success\"; leave it out for one attempt only";
        rules.refuse(&key("retry_after"), advice);
        return None;
    }
    for (i, day) in days.iter().enumerate() {
        let at = format!("{}[{i}]", key("retry_after"));
        rules.keep(&at, in_days("", *day, 1))?;
        if let Some(before) = days[..i].last().filter(|before| *before >= day) {
            rules.refuse(&at, format!("{day} comes after {before}; list the days rising, each once"));
            return None;
        }
    }
    Some(Retry::After(days))
}
