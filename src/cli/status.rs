//! `paylater status`: shows the scheme's days, files, mails, exceptions and jobs.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::open::At;
use super::output::on_one_line;
use super::table::{print_box, print_fields};
use super::{Ending, json, say};
use crate::books::environment::Environment;
use crate::domain::intake::status::FileStatus;
use crate::domain::words::{count, count_with};
use crate::views::Tally;
use crate::views::runs::DaemonState;
use crate::views::status::{self, DAYS_BACK, Proved};
use crate::views::status_check::StatusCheck;

#[derive(clap::Args)]
pub struct Status {
    /// Print one line for cron and Nagios, OK, or TROUBLE with the reasons; exit with 1 if there is a reason.
    #[arg(long)]
    check: bool,

    /// With --check: report exceptions that have been open for more than this many days.
    #[arg(long, value_name = "DAYS", requires = "check", default_value = "7", value_parser = clap::value_parser!(i64).range(0..=3650))]
    max_age: i64,
}

/// The width of the labels.
const LABELS: u16 = 20;

impl Status {
    pub async fn run(self, at: &At) -> Result<Ending> {
        let environment = at.look().await?;
        let mut tx = environment.store.read().await?;
        if self.check {
            let check = StatusCheck::load(&mut tx, &environment, self.max_age).await?;
            if at.json {
                json::print(&check)?;
            } else {
                say!("{}", on_a_line(&check));
            }
            return Ok(if check.ok { Ending::Done } else { Ending::Failures });
        }
        let status = status::Status::load(&mut tx, &environment).await?;
        if at.json {
            json::print(&status)?;
        } else if status.begun {
            print(&status, &environment);
        } else {
            say!("Nothing has run yet. The first business day is {}.", status.business_date);
        }
        Ok(if status.has_failures() { Ending::Failures } else { Ending::Done })
    }
}

/// Returns the check as one line. Nagios takes what follows a `|` as figures.
fn on_a_line(check: &StatusCheck) -> String {
    if check.ok {
        let sealed = check.last_sealed.map_or("no day is sealed yet".to_owned(), |day| format!("{day} is sealed"));
        return format!("OK: {sealed}, {} is open", check.business_date);
    }
    let reasons = check.reasons.iter().map(|reason| format!("{}: {}", reason.code.name(), reason.message));
    let line = format!("TROUBLE: {}", reasons.collect::<Vec<_>>().join("; "));
    on_one_line(&line.replace(['\n', '\r', '|'], " "))
}

fn print(status: &status::Status, environment: &Environment) {
    let zone = environment.scheme.zone;
    let time = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let mut fields = Vec::new();
    let mut field = |label: &str, text: String| fields.push((label.to_owned(), text));
    field("open business date", status.business_date.to_string());
    field("last sealed day", last_sealed(status));
    field("proved again", proved(&status.proved));
    let mut by_status: BTreeMap<String, i64> = BTreeMap::new();
    for file in &status.files {
        *by_status.entry(file.status.to_string()).or_default() += 1;
    }
    field(&format!("files in {DAYS_BACK} days"), listed(&by_status));
    field(&format!("rows in {DAYS_BACK} days"), format!("{}: {}", status.rows.rows, status.rows));
    for file in status.files.iter().filter(|file| file.status != FileStatus::Taken || file.code.is_some()) {
        let why = file.message.as_deref().unwrap_or(file.status.name());
        field("", format!("{} {}: {why}", file.business_date, file.name));
    }
    field(&format!("mails in {DAYS_BACK} days"), listed(&status.mails));
    field("bank not answered", listed(&status.instructions_without_answer));
    field("open exceptions", listed(&status.open_exceptions));
    for urgent in &status.urgent_exceptions {
        field("", format!("{}: {}", urgent.opened_on, urgent.message));
    }
    for held_back in &status.held_back {
        field("held back", format!("{}: {}", held_back.merchant_id, held_back.message));
    }
    if let Some(daemon) = &status.daemon {
        let text = match daemon.state {
            DaemonState::Running => format!("running as {} since {}", daemon.node, time(daemon.started_at)),
            DaemonState::Stopped => format!("stopped at {}", time(daemon.seen_at)),
            DaemonState::Silent => {
                format!("runs as {}, but has given no sign of life since {}", daemon.node, time(daemon.seen_at))
            }
            DaemonState::Killed => format!("not running: {} was killed after {}", daemon.node, time(daemon.seen_at)),
        };
        field("daemon", text);
    }
    for job in &status.jobs {
        if let Some(paused) = &job.paused {
            let at = time(paused.at);
            field("paused", format!("{} by {} at {at}: {}", job.job, paused.by, paused.reason));
        }
    }
    for failed in &status.failed_intakes {
        let whose = failed.merchant_id.as_deref().unwrap_or("the scheme");
        field("files not taken in", format!("{whose}: since {}: {}", failed.since, failed.reason));
    }
    if let Some(clock) = &status.clock {
        let (at, outcome) = (clock.finished_at.map(time), clock.outcome.as_deref());
        field("clock", format!("{}: {}", at.unwrap_or_default(), outcome.unwrap_or_default()));
    }
    say!("{}", status.scheme);
    print_fields(LABELS, fields);
    let rows = status.jobs.iter().map(|job| {
        let last = job.last.as_ref();
        vec![
            job.job.clone(),
            last.map(|run| run.business_date.to_string()).unwrap_or_default(),
            last.map(|run| run.finished_at.map_or_else(|| run.status.clone(), time)).unwrap_or_default(),
            last.and_then(|run| run.outcome.clone()).unwrap_or_default(),
            job.next.map(time).unwrap_or_default(),
        ]
    });
    print_box(&["job", "last run for", "ended", "did", "next"], rows);
}

fn last_sealed(status: &status::Status) -> String {
    let Some(day) = &status.last_sealed else { return "none".to_owned() };
    let out = if day.published { "" } else { ", files not out yet" };
    format!("{} (no. {}, seal {:.12}…{out})", day.business_date, day.sequence, day.seal)
}

fn proved(proved: &Proved) -> String {
    let Some(since) = proved.days_since else { return "nothing yet".to_owned() };
    let mut words = match proved.days_not_proved {
        0 => format!("every sealed day, by the close of {since} or later"),
        others => format!("{}, by the close of {since} or later; {others} not yet", count(proved.days, "sealed day")),
    };
    match proved.every_order_since {
        Some(since) => words.push_str(&format!("; every order since {since}")),
        None => words.push_str("; not every order yet"),
    }
    match proved.days_fingerprinted_late {
        0 => {}
        late => {
            let were = count_with(late, "day", "were");
            words.push_str(&format!("; {were} sealed before paylater kept fingerprints"));
        }
    }
    words
}

/// Returns the counts on one line: `3 taken, 1 quarantined`, or `none`.
pub fn listed(tally: &Tally) -> String {
    let listed: Vec<String> = tally.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}
