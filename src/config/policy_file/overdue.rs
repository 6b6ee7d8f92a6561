//! The keys of a policy about due and overdue instalments: reminders, the credit record, and the write-off.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, in_days, maybe_days, wrong};
use crate::domain::decide::reminders::Template;
use crate::domain::terms::policy::CreditRule;
use crate::domain::terms::reminders::Reminders;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct RawReminders {
    /// Days around the due date, before it negative, each once; one with a letter of its own as a table.
    #[serde(default)]
    steps: Vec<RawStep>,
    /// What customers are told of besides, when it happened.
    #[serde(default)]
    events: Vec<RawEvent>,
}

#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawEvent {
    OrderAccepted,
    PaymentReceived,
    RefundNoted,
    CreditPaidOut,
    HoldEnded,
    HoldBegun,
    ExtensionAgreed,
    ReportWithdrawn,
    DebitAnnounced,
    FeeCharged,
    DebitFailed,
}

impl RawEvent {
    fn template(self) -> Template {
        match self {
            RawEvent::OrderAccepted => Template::OrderAccepted,
            RawEvent::PaymentReceived => Template::PaymentReceived,
            RawEvent::RefundNoted => Template::RefundNoted,
            RawEvent::CreditPaidOut => Template::CreditPaidOut,
            RawEvent::HoldEnded => Template::HoldEnded,
            RawEvent::HoldBegun => Template::HoldBegun,
            RawEvent::ExtensionAgreed => Template::ExtensionAgreed,
            RawEvent::ReportWithdrawn => Template::ReportWithdrawn,
            RawEvent::DebitAnnounced => Template::DebitAnnounced,
            RawEvent::FeeCharged => Template::FeeCharged,
            RawEvent::DebitFailed => Template::DebitFailed,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawStep {
    Day(i64),
    Named(RawNamedStep),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawNamedStep {
    /// Days around the due date, before it negative.
    day: i64,
    /// The letter: second_reminder, last_reminder, or one of your own templates.
    template: String,
}

impl RawStep {
    fn day(&self) -> i64 {
        match self {
            RawStep::Day(day) => *day,
            RawStep::Named(step) => step.day,
        }
    }
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
    pub fn resolve(self, write_off_after: Option<i64>, rules: &mut Rules) -> Option<Reminders> {
        let days: Vec<i64> = self.steps.iter().map(RawStep::day).collect();
        for (i, step) in days.iter().enumerate() {
            if let Some(after) = write_off_after.filter(|after| step >= after) {
                let message =
                    format!("{step} comes when write_off.after, {after}, is over; take it out, or write off later");
                rules.refuse(&format!("reminders.steps[{i}]"), message);
            }
        }
        let mut letters = BTreeMap::new();
        for (i, step) in self.steps.into_iter().enumerate() {
            if let RawStep::Named(RawNamedStep { day, template }) = step {
                rules.keep(&format!("reminders.steps[{i}].template"), letter_name(&template));
                letters.insert(day, template);
            }
        }
        let steps = rules.keep("reminders.steps", rising(days));
        let events = self.events.into_iter().map(RawEvent::template).collect();
        Some(Reminders { steps: steps?, letters, events })
    }
}

/// Letters are files, so their names are plain. The usual letters go with their days by themselves.
fn letter_name(name: &str) -> Result<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') && !name.is_empty();
    ensure!(is_plain, "{name:?}: write a name of small letters, digits and _, such as \"second_reminder\"");
    let is_usual = ["layout", "lines", "notice"].contains(&name);
    ensure!(!is_usual, "{name:?} is no reminder; write the name of another template");
    Ok(())
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
