//! The keys of a policy about due and overdue instalments: reminders, the credit record, and the write-off.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, in_days, maybe_days, wrong};
use crate::domain::terms::policy::CreditRule;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct RawReminders {
    /// Days around the due date, before it negative, each once.
    steps: Vec<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCredit {
    /// Days past due at which a notice becomes due.
    notice_after: i64,
    /// Days from the notice to the flag.
    flag_after: i64,
    /// Days from the flag until the record expires; without it, it stays.
    expires_after: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWriteOff {
    /// Days past due.
    after: i64,
}

impl RawReminders {
    /// Returns the steps in ascending order. Refuses a step at or after `write_off_after`.
    pub fn resolve(self, write_off_after: Option<i64>, rules: &mut Rules) -> Option<Vec<i64>> {
        for (i, step) in self.steps.iter().enumerate() {
            if let Some(after) = write_off_after.filter(|after| step >= after) {
                let message =
                    format!("{step} comes when write_off.after, {after}, is over; take it out, or write off later");
                rules.refuse(&format!("reminders.steps[{i}]"), message);
            }
        }
        rules.keep("reminders.steps", rising(self.steps))
    }
}

fn rising(mut steps: Vec<i64>) -> Result<Vec<i64>> {
    for (i, step) in steps.iter().enumerate() {
        let key = format!("[{i}]");
        if !(-60..=365).contains(step) {
            let message = format!("{step} is not from -60 to 365 days around the due date; write one that is");
            return Err(wrong(key, message));
        }
        if steps[..i].contains(step) {
            return Err(wrong(key, format!("{step} is listed twice; write each day once")));
        }
    }
    steps.sort_unstable();
    Ok(steps)
}

impl RawCredit {
    pub fn resolve(self, write_off_after: Option<i64>, rules: &mut Rules) -> Option<CreditRule> {
        let notice_after = rules.keep("credit.notice_after", in_days("", self.notice_after, 1));
        let flag_after = rules.keep("credit.flag_after", in_days("", self.flag_after, 0));
        let expires_after = rules.keep("credit.expires_after", maybe_days(self.expires_after, 1));
        let rule = CreditRule { notice_after: notice_after?, flag_after: flag_after?, expires_after: expires_after? };
        let flagged = rule.notice_after + rule.flag_after;
        if let Some(after) = write_off_after.filter(|after| *after <= flagged) {
            let least = flagged + 1;
            let message = format!(
                "{after} is not after the {flagged} days past due that credit.notice_after and credit.flag_after make; \
                 write {least} or more"
            );
            rules.refuse("write_off.after", message);
        }
        Some(rule)
    }
}

impl RawWriteOff {
    pub fn resolve(self, rules: &mut Rules) -> Option<i64> {
        rules.keep("write_off.after", in_days("", self.after, 1))
    }
}
