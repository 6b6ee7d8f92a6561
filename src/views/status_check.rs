//! The view of `status --check`: whether a person has to look, and why. For cron and Nagios.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::monitoring::days_behind;
use super::runs::{Daemon, DaemonState};
use super::status::DAYS_BACK;
use crate::books::environment::Environment;
use crate::books::expected_files::{self, missing_key};
use crate::clock;
use crate::domain::calendar::{days_between, plus};
use crate::domain::intake::code::ExceptionCode;
use crate::domain::words;
use crate::scheme::alerts::Ping;
use crate::scheme::{Clock, Feed};
use crate::store::mails::MailStatus;
use crate::store::runs::{RunRow, RunStatus};
use crate::store::{Tx, alerts, exceptions, mails, runs, scheme};

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
    /// What it is about: a job, a file, a receiver; else empty.
    pub about: String,
    /// In words.
    pub message: String,
    /// Work that is under way or planned soon may end it. Alerts wait for that; `status --check` does not.
    #[serde(skip)]
    pub may_end_soon: bool,
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
    /// A receiver of alerts or pings does not take them.
    ReceiverSilent,
}

impl TroubleCode {
    pub const ALL: [TroubleCode; 8] = [
        TroubleCode::Behind,
        TroubleCode::DaemonStopped,
        TroubleCode::JobFailed,
        TroubleCode::NotPublished,
        TroubleCode::FileOverdue,
        TroubleCode::ExceptionsOld,
        TroubleCode::MailTrouble,
        TroubleCode::ReceiverSilent,
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
            TroubleCode::ReceiverSilent => "RECEIVER_SILENT",
        }
    }

    pub fn parse(name: &str) -> Option<TroubleCode> {
        TroubleCode::ALL.into_iter().find(|code| code.name() == name)
    }

    /// What to do first, as the runbook says it.
    pub fn remedy(self) -> &'static str {
        match self {
            TroubleCode::Behind => {
                "Run `paylater status`: it names the job that failed or is paused, and why. Put that right; the daemon closes the days \
                 automatically, or run `paylater close --through YESTERDAY`."
            }
            TroubleCode::DaemonStopped => {
                "Look at `systemctl status paylater` and the log, then `systemctl restart paylater`. The daemon catches up automatically."
            }
            TroubleCode::JobFailed => {
                "Put right what the message names. The daemon runs the job at its next time; sooner with `paylater job NAME`, or for \
                 `close_day` and its parts with `paylater close --through YESTERDAY`."
            }
            TroubleCode::NotPublished => {
                "See whether the disk is full or the folder not writable, then run `paylater job write_reconciliation`."
            }
            TroubleCode::FileOverdue => {
                "Ask the sender for the file. It is taken in when it comes, however late. If there will be none, close its exception with \
                 a reason."
            }
            TroubleCode::ExceptionsOld => "Run `paylater exceptions --all`, and work on the oldest first.",
            TroubleCode::MailTrouble => {
                "See whether the mail server answers. Today's mails are tried again automatically; for those that failed or are unknown, \
                 run `paylater exceptions`."
            }
            TroubleCode::ReceiverSilent => {
                "See whether the receiver is up and its address, URL or token still right, then run `paylater alerts --test`. Alerts \
                 wait until it takes them."
            }
        }
    }
}

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
        let last_sealed = scheme::last_sealed(tx).await?.map(|day| day.business_date);
        let reasons = with_files_as_one(troubles(tx, environment, max_age).await?);
        Ok(StatusCheck { ok: reasons.is_empty(), business_date: today, last_sealed, reasons })
    }
}

/// Returns all that is wrong. Each missing file is a trouble of its own.
pub async fn troubles(tx: &mut Tx, environment: &Environment, max_age: i64) -> Result<Vec<Trouble>> {
    let days = scheme::days(tx).await?;
    let today = days.as_ref().map_or(environment.scheme.starts_on, |days| days.business_date);
    let now = clock::now();
    let mut found = Found(Vec::new());
    // With the business clock, days end when they are closed, whatever the wall clock says.
    if environment.scheme.clock == Clock::Wall {
        let daemon = Daemon::load(tx, &environment.store).await?;
        found.behind(environment, daemon.as_ref(), today, now);
        if let Some(daemon) = daemon {
            found.daemon(tx, environment, &daemon, now).await?;
        }
    }
    found.jobs(tx, environment, now).await?;
    if let Some(day) = scheme::last_sealed(tx).await?.filter(|day| !day.published) {
        let message = format!("{} is sealed, but its files are not published", day.business_date);
        found.add(TroubleCode::NotPublished, "", message);
    }
    if days.is_some() {
        found.files(tx, environment, today).await?;
        found.exceptions(tx, today, max_age).await?;
        found.mails(tx, environment, today).await?;
    }
    found.receivers(tx, environment).await?;
    Ok(found.0)
}

/// Joins the missing files to one trouble, which names the first.
fn with_files_as_one(troubles: Vec<Trouble>) -> Vec<Trouble> {
    let missing = troubles.iter().filter(|trouble| trouble.code == TroubleCode::FileOverdue).count();
    let mut joined: Vec<Trouble> = Vec::new();
    for mut trouble in troubles {
        if trouble.code == TroubleCode::FileOverdue {
            if joined.iter().any(|earlier| earlier.code == TroubleCode::FileOverdue) {
                continue;
            }
            if missing > 1 {
                trouble.message.push_str(&format!(", and {} more", missing - 1));
            }
        }
        joined.push(trouble);
    }
    joined
}

/// The reasons found so far.
struct Found(Vec<Trouble>);

impl Found {
    fn add(&mut self, code: TroubleCode, about: &str, message: String) {
        self.0.push(Trouble { code, about: about.to_owned(), message, may_end_soon: false });
    }

    /// A day is to be closed at the first time of `close_day` after its end.
    fn behind(&mut self, environment: &Environment, daemon: Option<&Daemon>, today: NaiveDate, now: DateTime<Utc>) {
        let behind = days_behind(environment, today, now - CLOSED_WITHIN).unwrap_or(0);
        if behind > 0 {
            let are = words::count_with(behind, "day", "are");
            let message = format!("{are} over and not closed, the first is {today}");
            let patience = TimeDelta::from_std(environment.scheme.alerts.patience).unwrap_or(TimeDelta::MAX);
            // A daemon that has just been started catches up.
            let has_just_started =
                |daemon: &Daemon| daemon.state == DaemonState::Running && now - daemon.started_at < patience;
            let may_end_soon = daemon.is_some_and(has_just_started);
            self.0.push(Trouble { code: TroubleCode::Behind, about: String::new(), message, may_end_soon });
        }
    }

    /// A daemon that was stopped is missed as well, unless people have run jobs by hand since.
    async fn daemon(
        &mut self,
        tx: &mut Tx,
        environment: &Environment,
        daemon: &Daemon,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut latest = Vec::new();
        for job in &environment.scheme.jobs {
            latest.extend(runs::latest(tx, &job.name, now).await?);
        }
        let seen = daemon.seen_at.with_timezone(&environment.scheme.zone).format("%Y-%m-%d %H:%M");
        let is_since = |run: &&RunRow| run.asked_by.is_some() && run.started_at > Some(daemon.seen_at);
        let is_made_up_for = now - daemon.seen_at < BACK_WITHIN || latest.iter().any(|run| is_since(&run));
        let message = match daemon.state {
            DaemonState::Stopped if !is_made_up_for => format!("the daemon was stopped at {seen}; start it again"),
            DaemonState::Killed => format!("the daemon {} was killed after {seen}; start it again", daemon.node),
            DaemonState::Silent => format!("the daemon {} has given no sign of life since {seen}", daemon.node),
            DaemonState::Running | DaemonState::Stopped => return Ok(()),
        };
        self.add(TroubleCode::DaemonStopped, "", message);
        Ok(())
    }

    async fn jobs(&mut self, tx: &mut Tx, environment: &Environment, now: DateTime<Utc>) -> Result<()> {
        let mut failed = Vec::new();
        for job in &environment.scheme.jobs {
            let last = runs::last_ended(tx, &job.name, now).await?;
            failed.extend(last.map(|run| (run, job.schedule.as_ref())));
        }
        failed.extend(runs::last_recorded(tx, runs::CLOCK).await?.map(|run| (run, None)));
        for (run, schedule) in failed.into_iter().filter(|(run, _)| run.status == RunStatus::Failed) {
            let is_early = schedule
                .is_some_and(|schedule| schedule.retries.waited(run.attempt) < environment.scheme.alerts.patience);
            let may_end_soon = is_early && is_followed(tx, &run).await?;
            let why = run.outcome.as_deref().and_then(|why| why.lines().next()).unwrap_or_default();
            let message = format!("{} for {} failed: {why}", run.job, run.business_date);
            self.0.push(Trouble { code: TroubleCode::JobFailed, about: run.job, message, may_end_soon });
        }
        Ok(())
    }

    async fn files(&mut self, tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
        let now = environment.now_of("watch_feeds", today);
        let mut missing = Vec::new();
        for slice in environment.scheme.slices() {
            for (key, _) in exceptions::files_missing(tx, slice.owner()).await? {
                let of_feed = |feed: &&Feed| expected_files::missing_date(&feed.name, &key).is_some();
                let feed = environment.scheme.feeds_of(slice).find(of_feed);
                let date = feed.and_then(|feed| expected_files::missing_date(&feed.name, &key));
                let message = match feed.zip(date) {
                    Some((feed, date)) => not_come(feed, date),
                    None => format!("a file of a feed that is no longer configured has not come: {key}"),
                };
                missing.push((key, message));
            }
            for (feed, date) in expected_files::missing_by_now(tx, environment, slice, today, Some(now)).await? {
                missing.push((missing_key(&feed.name, date), not_come(feed, date)));
            }
        }
        for gap in exceptions::open_with_code(tx, &[ExceptionCode::FileGap], i64::MAX).await? {
            missing.push((format!("{}-N{}", gap.owner, gap.exception_no), gap.message));
        }
        missing.sort_unstable();
        missing.dedup();
        for (key, message) in missing {
            self.add(TroubleCode::FileOverdue, &key, message);
        }
        Ok(())
    }

    async fn exceptions(&mut self, tx: &mut Tx, today: NaiveDate, max_age: i64) -> Result<()> {
        let (count, oldest) = exceptions::open_since_before(tx, plus(today, -max_age)).await?;
        if let Some(oldest) = oldest {
            let age = days_between(oldest, today);
            let are = words::count_with(count, "exception", "are");
            let (most, age) = (words::count(max_age, "day"), words::count(age, "day"));
            let message = format!("{are} open for more than {most}, the oldest for {age}");
            self.add(TroubleCode::ExceptionsOld, "", message);
        }
        Ok(())
    }

    async fn mails(&mut self, tx: &mut Tx, environment: &Environment, today: NaiveDate) -> Result<()> {
        for (status, count) in mails::counts(tx, plus(today, 1 - DAYS_BACK), today).await? {
            let mails = words::count(count, "mail");
            match status {
                MailStatus::Failed => {
                    let message = format!("{mails} of the last {DAYS_BACK} days could not be sent");
                    self.add(TroubleCode::MailTrouble, "failed", message);
                }
                MailStatus::Unknown => {
                    let message = format!("{mails} of the last {DAYS_BACK} days may have been sent or not");
                    self.add(TroubleCode::MailTrouble, "unknown", message);
                }
                MailStatus::Queued | MailStatus::Sending | MailStatus::Sent | MailStatus::Withdrawn => {}
            }
        }
        let by = environment.now_of("send_reminders", today) - SENT_WITHIN;
        let waiting = mails::count_waiting(tx, by).await?;
        if waiting > 0 {
            let wait = words::count_with(waiting, "mail", "wait");
            self.add(TroubleCode::MailTrouble, "waiting", format!("{wait} although the time to send is over"));
        }
        Ok(())
    }

    async fn receivers(&mut self, tx: &mut Tx, environment: &Environment) -> Result<()> {
        let scheme = &environment.scheme;
        let mut known = scheme.alerts.receivers();
        known.extend(scheme.pings.iter().map(Ping::receiver));
        for silent in alerts::silent_receivers(tx).await?.into_iter().filter(|silent| known.contains(&silent.receiver))
        {
            let since = silent.since.with_timezone(&environment.scheme.zone).format("%Y-%m-%d %H:%M");
            let message = format!("{} has taken nothing since {since}: {}", silent.receiver, silent.reason);
            self.add(TroubleCode::ReceiverSilent, &silent.receiver, message);
        }
        Ok(())
    }
}

fn not_come(feed: &Feed, date: NaiveDate) -> String {
    format!("no file of {} for {date} has come (feed {})", feed.kind.name(), feed.name)
}

/// Whether a later attempt at a run is planned or under way.
async fn is_followed(tx: &mut Tx, run: &RunRow) -> Result<bool> {
    let newest = runs::at(tx, &run.job, run.scheduled_for).await?;
    Ok(newest.is_some_and(|newest| newest.attempt > run.attempt))
}
