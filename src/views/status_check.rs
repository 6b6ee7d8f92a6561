//! The view of `status --check`: whether a person has to look, and why. For cron and Nagios.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::monitoring::days_behind;
use super::runs::{Daemon, DaemonState};
use super::status::DAYS_BACK;
use crate::books::environment::Environment;
use crate::books::held_back;
use crate::clock;
use crate::domain::calendar::{days_between, plus};
use crate::domain::intake::code::ExceptionCode;
use crate::domain::words;
use crate::scheme::Clock;
use crate::store::mails::MailStatus;
use crate::store::runs::{RunRow, RunStatus};
use crate::store::{Tx, exceptions, mails, runs, scheme};

#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusCheck {
    /// Whether there is no reason to look.
    pub ok: bool,
    /// The open business day; before anything has run, the first one.
    pub business_date: NaiveDate,
    pub last_sealed: Option<NaiveDate>,
    pub reasons: Vec<Trouble>,
}

/// A reason to look.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    pub code: TroubleCode,
    /// In words.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TroubleCode {
    /// Days are over and not closed.
    Behind,
    /// The daemon was killed, gives no sign of life, or was stopped half an hour ago.
    DaemonStopped,
    /// The latest run of a job failed.
    JobFailed,
    /// A day is sealed and its files are not out.
    NotPublished,
    /// A file that should be there has not come.
    FileOverdue,
    /// Exceptions are open for too long.
    ExceptionsOld,
    /// Mails failed, or wait although their time is over.
    MailTrouble,
}

impl TroubleCode {
    pub const ALL: [TroubleCode; 7] = [
        TroubleCode::Behind,
        TroubleCode::DaemonStopped,
        TroubleCode::JobFailed,
        TroubleCode::NotPublished,
        TroubleCode::FileOverdue,
        TroubleCode::ExceptionsOld,
        TroubleCode::MailTrouble,
    ];

    pub fn name(self) -> &'static str {
        match self {
            TroubleCode::Behind => "BEHIND",
            TroubleCode::DaemonStopped => "DAEMON_STOPPED",
            TroubleCode::JobFailed => "JOB_FAILED",
            TroubleCode::NotPublished => "NOT_PUBLISHED",
            TroubleCode::FileOverdue => "FILE_OVERDUE",
            TroubleCode::ExceptionsOld => "EXCEPTIONS_OLD",
            TroubleCode::MailTrouble => "MAIL_TROUBLE",
        }
    }
}

/// The codes of exceptions about files that have not come.
const NOT_THERE: [ExceptionCode; 2] = [ExceptionCode::FileGap, ExceptionCode::FileMissing];

/// How long after the time of its job a day may be closed.
const CLOSED_WITHIN: TimeDelta = TimeDelta::hours(2);

/// How long a daemon may be stopped.
const BACK_WITHIN: TimeDelta = TimeDelta::minutes(30);

/// How long a mail may wait after the moment at which it can be sent.
const SENT_WITHIN: TimeDelta = TimeDelta::hours(1);

impl StatusCheck {
    /// Loads the state of the scheme. Exceptions may be open for at most `max_age` days.
    pub async fn load(tx: &mut Tx, environment: &Environment, max_age: i64) -> Result<StatusCheck> {
        let days = scheme::days(tx).await?;
        let today = days.as_ref().map_or(environment.scheme.starts_on, |days| days.business_date);
        let sealed = scheme::last_sealed(tx).await?;
        let last_sealed = sealed.as_ref().map(|day| day.business_date);
        let now = clock::now();
        let mut latest = Vec::new();
        for job in &environment.scheme.jobs {
            latest.extend(runs::latest(tx, &job.name, now).await?);
        }
        latest.extend(runs::last_recorded(tx, runs::CLOCK).await?);
        let mut found = Found(Vec::new());
        // With the business clock, days end when they are closed, whatever the wall clock says.
        if environment.scheme.clock == Clock::Wall {
            found.behind(environment, today, now);
            found.daemon(tx, environment, &latest, now).await?;
        }
        for run in latest.iter().filter(|run| run.status == RunStatus::Failed) {
            let why = run.outcome.as_deref().and_then(|why| why.lines().next()).unwrap_or_default();
            found.add(TroubleCode::JobFailed, format!("{} for {} failed: {why}", run.job, run.business_date));
        }
        if let Some(day) = sealed.filter(|day| !day.published) {
            let message = format!(
                "{} is sealed, but its files are not published; run `paylater job write_reconciliation`",
                day.business_date
            );
            found.add(TroubleCode::NotPublished, message);
        }
        if days.is_some() {
            found.files(tx, environment, today).await?;
            found.exceptions(tx, today, max_age).await?;
            found.mails(tx, environment, today).await?;
        }
        let Found(reasons) = found;
        Ok(StatusCheck { ok: reasons.is_empty(), business_date: today, last_sealed, reasons })
    }
}

/// The reasons found so far.
struct Found(Vec<Trouble>);

impl Found {
    fn add(&mut self, code: TroubleCode, message: String) {
        self.0.push(Trouble { code, message });
    }

    /// A day is to be closed at the first time of `close_day` after its end.
    fn behind(&mut self, environment: &Environment, today: NaiveDate, now: DateTime<Utc>) {
        let behind = days_behind(environment, today, now - CLOSED_WITHIN).unwrap_or(0);
        if behind > 0 {
            let are = words::count_with(behind, "day", "are");
            self.add(TroubleCode::Behind, format!("{are} over and not closed, the first is {today}"));
        }
    }

    /// A daemon that was stopped is missed as well, unless people have run jobs by hand since.
    async fn daemon(
        &mut self,
        tx: &mut Tx,
        environment: &Environment,
        latest: &[RunRow],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(daemon) = Daemon::load(tx, &environment.store).await? else { return Ok(()) };
        let seen = daemon.seen_at.with_timezone(&environment.scheme.zone).format("%Y-%m-%d %H:%M");
        let is_since = |run: &&RunRow| run.asked_by.is_some() && run.started_at > Some(daemon.seen_at);
        let is_made_up_for = now - daemon.seen_at < BACK_WITHIN || latest.iter().any(|run| is_since(&run));
        let message = match daemon.state {
            DaemonState::Stopped if !is_made_up_for => format!("the daemon was stopped at {seen}; start it again"),
            DaemonState::Killed => format!("the daemon {} was killed after {seen}; start it again", daemon.node),
            DaemonState::Silent => format!("the daemon {} has given no sign of life since {seen}", daemon.node),
            DaemonState::Running | DaemonState::Stopped => return Ok(()),
        };
        self.add(TroubleCode::DaemonStopped, message);
        Ok(())
    }

    async fn files(&mut self, tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
        let now = environment.now_of("watch_feeds", today);
        let mut missing = Vec::new();
        for merchant in &environment.scheme.merchants {
            let held_back = held_back::missing_at(tx, environment, merchant, today, Some(now)).await?;
            missing.extend(held_back.iter().map(held_back::Missing::words));
        }
        for reported in exceptions::open_with_code(tx, &NOT_THERE, i64::MAX).await? {
            missing.push(reported.message);
        }
        missing.sort_unstable();
        missing.dedup();
        if let Some(first) = missing.first() {
            let others = match missing.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            self.add(TroubleCode::FileOverdue, format!("{first}{others}"));
        }
        Ok(())
    }

    async fn exceptions(&mut self, tx: &mut Tx, today: NaiveDate, max_age: i64) -> Result<()> {
        let (count, oldest) = exceptions::open_since_before(tx, plus(today, -max_age)).await?;
        if let Some(oldest) = oldest {
            let age = days_between(oldest, today);
            let are = words::count_with(count, "exception", "are");
            let (most, age) = (words::count(max_age, "day"), words::count(age, "day"));
            let message = format!("{are} open for more than {most}, the oldest for {age}; see `paylater exceptions`");
            self.add(TroubleCode::ExceptionsOld, message);
        }
        Ok(())
    }

    async fn mails(&mut self, tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
        for (status, count) in mails::counts(tx, plus(today, 1 - DAYS_BACK), today).await? {
            let mails = words::count(count, "mail");
            match status {
                MailStatus::Failed => self
                    .add(TroubleCode::MailTrouble, format!("{mails} of the last {DAYS_BACK} days could not be sent")),
                MailStatus::Unknown => {
                    let message = format!(
                        "{mails} of the last {DAYS_BACK} days may have been sent or not; the exceptions MAIL_UNKNOWN say how to find out"
                    );
                    self.add(TroubleCode::MailTrouble, message);
                }
                MailStatus::Queued | MailStatus::Sending | MailStatus::Sent | MailStatus::Withdrawn => {}
            }
        }
        let by = environment.now_of("send_reminders", today) - SENT_WITHIN;
        let waiting = mails::count_waiting(tx, by).await?;
        if waiting > 0 {
            let wait = words::count_with(waiting, "mail", "wait");
            self.add(TroubleCode::MailTrouble, format!("{wait} although the time to send is over"));
        }
        Ok(())
    }
}
