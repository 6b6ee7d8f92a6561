//! The daemon: runs each job at its times. A heartbeat checks every second which jobs are due. Due times come from each
//! job's cron text in the job's own time zone, and each run is claimed in the store, so that no run happens twice and
//! no restart loses one.
//!
//! The scheduler crate's own cron jobs are deliberately not used: they freeze a zone's offset, do not catch up, and let
//! runs of one job overlap.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job as Heartbeat, JobScheduler};

use super::business_day;
use super::plausible::{self, Doubt, Finding, Look, WallClock};
use super::run::{self, IfDone, Run};
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::plus;
use crate::jobs::Job;
use crate::scheme::{CatchUp, Clock, JobFile};
use crate::store::runs;

/// A run that is this late counts as missed, for jobs that don't catch up.
const MISSED_AFTER: TimeDelta = TimeDelta::minutes(10);

/// How long a job may continue after SIGTERM. Interrupting it at any time is safe; the wait only saves its work.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Runs jobs at their times until SIGTERM or SIGINT.
pub async fn run(environment: &Environment) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let (beat, mut beats) = mpsc::channel(1);
    let mut heart = JobScheduler::new().await.context("starting the heartbeat")?;
    let heartbeat = Heartbeat::new_async("* * * * * *", move |_, _| {
        let beat = beat.clone();
        Box::pin(async move {
            // A full channel means that the last beat's work is still running.
            let _ = beat.try_send(());
        })
    });
    heart.add(heartbeat.context("the heartbeat")?).await.context("the heartbeat")?;
    heart.start().await.context("starting the heartbeat")?;
    // The heartbeat pauses when the wall clock is set back; a monotonic interval does not.
    let mut interval = tokio::time::interval(Duration::from_secs(30));
    let mut watch = Watch::begin(environment).await?;
    tracing::info!(scheme = environment.scheme.name, "running");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = beats.recv() => {}
            _ = interval.tick() => {}
        }
        let mut work = std::pin::pin!(work_off(environment, &mut watch));
        tokio::select! {
            worked = &mut work => worked?,
            _ = terminate.recv() => { finish_within(work).await; break }
            _ = interrupt.recv() => { finish_within(work).await; break }
        }
    }
    heart.shutdown().await.context("stopping the heartbeat")?;
    tracing::info!("stopped");
    Ok(())
}

async fn finish_within(work: std::pin::Pin<&mut impl Future<Output = Result<()>>>) {
    tracing::info!("stopping once the job under way is done");
    match tokio::time::timeout(STOP_WITHIN, work).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::error!("{why:#}"),
        Err(_) => tracing::warn!("the job under way was cut off; it continues where it stopped at the next start"),
    }
}

/// Runs all jobs that are due now, in the order of a business day.
async fn work_off(environment: &Environment, watch: &mut Watch) -> Result<()> {
    watch.look(environment).await?;
    for file in &environment.scheme.jobs {
        let Some(job) = Job::parse(&file.name).filter(|job| watch.lets(*job)) else { continue };
        let now = clock::now();
        let Some(due) = due(environment, file, now).await? else { continue };
        // The clock may have stepped while another job ran.
        watch.look(environment).await?;
        if !watch.lets(job) {
            continue;
        }
        let today = environment.business_date().await?;
        let due = Run { job, scheduled_for: due, today };
        // A failed job is recorded as failed, and tried again at its next time. If the store fails, the daemon ends.
        drop(run::run(environment, due, IfDone::Skip, work_of(environment, file, job, today, now)).await?);
    }
    Ok(())
}

/// The work of the daemon for a job at its time.
async fn work_of(
    environment: &Environment,
    file: &JobFile,
    job: Job,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<String> {
    match (job, environment.scheme.clock) {
        (Job::CloseDay, Clock::Wall) => close_days_over(environment, now).await,
        (Job::CloseDay, Clock::Business) => {
            business_day::run_now(environment, job, today).await.map(|done| done.to_string())
        }
        _ => super::work(job, environment, today, environment.now(file, today)).await.map(|done| done.to_string()),
    }
}

/// The latest due time at which a job has not run yet.
async fn due(environment: &Environment, file: &JobFile, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let Some(latest) = file.latest_by(now) else { return Ok(None) };
    let mut tx = environment.store.read().await?;
    let last = runs::last_scheduled(&mut tx, &file.name, now).await?;
    let catch_up = file.schedule.as_ref().map(|schedule| schedule.catch_up);
    let missed = catch_up == Some(CatchUp::Skip) && now - latest > MISSED_AFTER;
    Ok(Some(latest).filter(|latest| last.is_none_or(|last| last < *latest) && !missed))
}

/// Closes every day that is over. Each has the same result as a close on time.
async fn close_days_over(environment: &Environment, now: DateTime<Utc>) -> Result<String> {
    let yesterday = plus(now.with_timezone(&environment.scheme.zone).date_naive(), -1);
    if let Some(why) =
        plausible::too_many_days(environment.business_date().await?, yesterday, environment.scheme.days_at_once)
    {
        bail!(why);
    }
    let days = business_day::close_through(environment, yesterday).await?;
    Ok(match days.last() {
        Some(last) => format!("days closed {}, the last {last}", days.len()),
        None => "nothing to do".to_owned(),
    })
}

/// `status` shows the state of the wall clock as a run with this name. It has one row.
const CLOCK: &str = "clock";
const CLOCK_ROW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Watches the wall clock. The business clock does not depend on it.
struct Watch {
    began: Instant,
    clock: Option<WallClock>,
}

impl Watch {
    async fn begin(environment: &Environment) -> Result<Watch> {
        let began = clock::monotonic();
        let mut watch = Watch { began, clock: None };
        if environment.scheme.clock == Clock::Wall {
            let mut tx = environment.store.read().await?;
            let last_known = runs::last_known(&mut tx).await?;
            watch.clock = Some(WallClock::new(watch.both(), last_known, environment.scheme.clock_wait));
        }
        Ok(watch)
    }

    fn both(&self) -> Look {
        Look { wall: clock::now(), running: clock::monotonic() - self.began }
    }

    /// Reads the wall clock, and reports changes.
    async fn look(&mut self, environment: &Environment) -> Result<()> {
        let look = self.both();
        let Some(clock) = &mut self.clock else { return Ok(()) };
        let finding = clock.look(look);
        let minutes = environment.scheme.clock_wait.as_secs() / 60;
        let (status, words) = match (finding, clock.doubt()) {
            (Finding::Unchanged, _) => return Ok(()),
            (Finding::Ahead(by), Some(Doubt::Stopped)) => (
                "done",
                format!(
                    "nothing ran for {}, if the clock is right; no day is closed until it has held for {minutes} minutes",
                    in_words(by)
                ),
            ),
            (Finding::Ahead(by), _) => (
                "failed",
                format!(
                    "the clock stepped ahead by {}; only files are taken in until it is set right, or has held for {minutes} \
                     minutes",
                    in_words(by)
                ),
            ),
            (Finding::Back(by), _) => ("done", format!("the clock was set back by {}", in_words(by))),
            (Finding::Returned, _) => ("done", "the clock is right again".to_owned()),
            (Finding::Believed(by), _) => (
                "done",
                format!("the clock is ahead by {} and has held for {minutes} minutes; it is believed", in_words(by)),
            ),
        };
        match status {
            "failed" => tracing::error!("{words}"),
            _ => tracing::warn!("{words}"),
        }
        let believed = clock.believed(look);
        let today = environment.business_date().await?;
        let mut tx = environment.store.write().await?;
        runs::claim(&mut tx, CLOCK, CLOCK_ROW, today, believed).await?;
        runs::finish(&mut tx, CLOCK, CLOCK_ROW, status, &words, believed).await?;
        tx.commit().await
    }

    /// Whether the current state of the wall clock allows a job to run.
    fn lets(&self, job: Job) -> bool {
        match self.clock.as_ref().and_then(WallClock::doubt) {
            None => true,
            Some(Doubt::Stopped) => job != Job::CloseDay,
            Some(Doubt::Stepped) => job == Job::IngestFiles,
        }
    }
}

/// Formats a duration, such as `1 day 2 hours` or `20 minutes`.
fn in_words(delta: TimeDelta) -> String {
    let parts = [(delta.num_days(), "day"), (delta.num_hours() % 24, "hour"), (delta.num_minutes() % 60, "minute")];
    let words = parts.into_iter().filter(|(count, _)| *count != 0).take(2);
    let words: Vec<String> = words.map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" })).collect();
    words.join(" ")
}
