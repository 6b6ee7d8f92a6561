//! The daemon: runs each job at its times. A heartbeat checks every second what is due. Due times come from each job's cron text in
//! the job's own time zone, and are recorded as runs under a unique key before they begin, so that no run happens twice and no
//! restart loses one. Each run works in its job's lane: a slow mail server does not hold up the books, and between two runs a
//! person's command takes its turn.
//!
//! The scheduler crate's own cron jobs are deliberately not used: they freeze a zone's offset, do not catch up, and let
//! runs of one job overlap.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio_cron_scheduler::{Job as Heartbeat, JobScheduler};

use super::pings::{Calls, Pings, SignsOfLife};
use super::plan::{self, hindrance};
use super::presence::{self, Presence};
use super::signals::{self, Request};
use super::wall_clock::Watch;
use super::{business_day, plausible, run, supervisor};
use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::clock;
use crate::domain::calendar::plus;
use crate::jobs::Job;
use crate::scheme::{Clock, JobFile, Schedule};
use crate::store::lanes::Taker;
use crate::store::runs::{self, NewRun, RunRow};
use crate::store::{Lane, Store, Tx, is_of_store};

/// How long the jobs under way may continue after SIGTERM. Interrupting them at any time is safe; the wait only saves their work.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// How long the store may take to answer between runs.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long the last pings may take when the daemon ends.
const PINGS_WITHIN: Duration = Duration::from_secs(5);

/// How long a run waits for the jobs that come before it.
const FOR_JOBS_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// Runs jobs at their times until SIGTERM or SIGINT. At SIGHUP, `reload` reads the configuration again.
pub async fn run(environment: Environment, reload: impl Fn() -> Result<Environment>) -> Result<()> {
    let mut requests = signals::listen()?;
    let (mut heart, mut beats) = heartbeat().await?;
    // The heartbeat pauses when the wall clock is set back; a monotonic interval does not.
    let mut interval = tokio::time::interval(Duration::from_secs(30));
    let mut daemon = tokio::select! {
        daemon = Daemon::begin(environment) => daemon?,
        Some(Request::Stop) = requests.recv() => return Ok(()),
    };
    supervisor::ready();
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            _ = beats.recv() => None,
            _ = interval.tick() => None,
            Some(ended) = daemon.under_way.join_next_with_id() => {
                daemon.ended(ended);
                None
            }
        };
        let request = match request {
            None => tokio::select! {
                request = requests.recv() => request,
                beaten = daemon.beat() => {
                    if beaten.is_err() {
                        daemon.say_it_fails().await;
                    }
                    beaten?;
                    supervisor::alive(&daemon.in_words());
                    None
                }
            },
            request => request,
        };
        match request {
            None => {}
            Some(Request::Stop) => break,
            Some(Request::Reload) => {
                supervisor::reloading();
                daemon.reload(reload());
                supervisor::ready();
            }
        }
    }
    supervisor::stopping();
    let stopped = daemon.stop(&mut requests).await;
    heart.shutdown().await.context("stopping the heartbeat")?;
    tracing::info!("stopped");
    stopped
}

async fn heartbeat() -> Result<(JobScheduler, mpsc::Receiver<()>)> {
    let (beat, beats) = mpsc::channel(1);
    let heart = JobScheduler::new().await.context("starting the heartbeat")?;
    let heartbeat = Heartbeat::new_async("* * * * * *", move |_, _| {
        let beat = beat.clone();
        Box::pin(async move {
            // A full channel means that the last beat is still being handled.
            let _ = beat.try_send(());
        })
    });
    heart.add(heartbeat.context("the heartbeat")?).await.context("the heartbeat")?;
    heart.start().await.context("starting the heartbeat")?;
    Ok((heart, beats))
}

/// A run under way, which records how its work ended. The error is from the store.
type Ended = Result<()>;

struct Daemon {
    environment: Environment,
    watch: Watch,
    presence: Presence,
    under_way: JoinSet<Ended>,
    /// The job of each task under way.
    jobs: HashMap<Id, Job>,
    /// Ends the runs under way at once.
    cut_off: watch::Sender<bool>,
    pings: Pings,
    calls: Calls,
    signs_of_life: SignsOfLife,
}

impl Daemon {
    async fn begin(environment: Environment) -> Result<Daemon> {
        let presence = Presence::begin(&environment).await?;
        let today = environment.business_date().await?;
        let watch = Watch::begin(&environment).await?;
        presence::started(&environment).await?;
        let scheme = &environment.scheme;
        let store = Store::place(&scheme.store_url, scheme.home.path())?;
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, node = environment.node, scheme = scheme.name, store, day = %today, "running");
        let mut calls = Calls::default();
        let pings = calls.begin(&scheme.pings, &environment.store);
        Ok(Daemon {
            environment,
            watch,
            presence,
            under_way: JoinSet::new(),
            jobs: HashMap::new(),
            cut_off: watch::Sender::new(false),
            pings,
            calls,
            signs_of_life: SignsOfLife::default(),
        })
    }

    /// Does what is due now. If the store is away, waits for it; any other error ends the daemon.
    async fn beat(&mut self) -> Result<()> {
        if self.presence.waits_for_store() {
            return Ok(());
        }
        let why = match tokio::time::timeout(STORE_ANSWERS_WITHIN, self.work_off()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) if is_of_store(&why) => why,
            Ok(Err(why)) => return Err(why),
            Err(_) => anyhow::anyhow!(
                "it does not answer within {} seconds: it is frozen, or another command writes for long",
                STORE_ANSWERS_WITHIN.as_secs()
            ),
        };
        self.presence.store_is_away(&why);
        Ok(())
    }

    async fn work_off(&mut self) -> Result<()> {
        self.presence.keep(&self.environment).await?;
        self.watch.look(&self.environment).await?;
        let today = self.environment.business_date().await?;
        self.presence.sign_of_life(&self.environment).await?;
        self.presence.store_is_back();
        let now = clock::now();
        run::interrupt_left_in_free_lanes(&self.environment, |lane| self.works_in(lane), now).await?;
        self.plan(today, now).await?;
        self.begin_runs(now).await?;
        self.signs_of_life.works(&self.pings);
        Ok(())
    }

    /// Records what has come due.
    async fn plan(&self, today: NaiveDate, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.environment.store.read().await?;
        let paused = runs::paused(&mut tx).await?;
        let mut plans = Vec::new();
        for file in self.scheduled() {
            let newest = runs::newest(&mut tx, &file.name, now).await?;
            let paused = paused.iter().find(|paused| paused.job == file.name);
            let cut_off = runs::cut_off(&mut tx, &file.name, now).await?;
            let plan = plan::plan(file, newest.as_ref(), &cut_off, paused, today, now);
            if plan != plan::Plan::default() {
                plans.push((file, plan));
            }
        }
        drop(tx);
        if plans.is_empty() {
            return Ok(());
        }
        // While a run writes, planning waits for the next beat: due times are not lost.
        let Some(mut tx) = self.environment.store.try_write().await? else { return Ok(()) };
        for (file, plan) in plans {
            if let Some(before) = plan.skip_before {
                runs::skip(&mut tx, &file.name, before, "its next time came before it could begin", now).await?;
            }
            for run in &plan.new {
                runs::add(&mut tx, run).await?;
                log_skipped(run);
            }
        }
        tx.commit().await
    }

    /// The jobs with times of their own, in the order of a business day.
    fn scheduled(&self) -> impl Iterator<Item = &JobFile> {
        self.environment.scheme.jobs.iter().filter(|file| file.schedule.is_some())
    }

    fn works_in(&self, lane: Lane) -> bool {
        self.jobs.values().any(|job| job.lane() == lane)
    }

    /// Begins a run in each lane that is free: the one that has been due for longest, scheduled runs before those asked for.
    async fn begin_runs(&mut self, now: DateTime<Utc>) -> Result<()> {
        let mut tx = self.environment.store.read().await?;
        let due = runs::due(&mut tx, now).await?;
        let paused = runs::paused(&mut tx).await?;
        drop(tx);
        let scheme = self.environment.scheme.clone();
        for lane in Lane::ALL {
            if self.works_in(lane) {
                continue;
            }
            let mut first: Option<(Job, &JobFile, &Schedule, &RunRow)> = None;
            for file in &scheme.jobs {
                let Some(job) = Job::parse(&file.name).filter(|job| job.lane() == lane) else { continue };
                let Some(schedule) = file.schedule.as_ref().filter(|schedule| schedule.enabled) else { continue };
                let of_job = due.iter().filter(|run| run.job == file.name);
                let Some(run) = of_job.min_by_key(|run| (run.asked_by.is_some(), run.scheduled_for)) else { continue };
                let is_paused = paused.iter().any(|paused| paused.job == file.name);
                if is_paused
                    || !self.watch.lets(job)
                    || self.waits(file, run, &due, now)
                    || self.is_too_late(schedule, run, now).await?
                {
                    continue;
                }
                let rank = |run: &RunRow| (run.asked_by.is_some(), run.not_before);
                // The jobs are in the order of a business day, which decides among runs due at the same time.
                if first.is_none_or(|(_, _, _, earlier)| rank(run) < rank(earlier)) {
                    first = Some((job, file, schedule, run));
                }
            }
            if let Some((job, file, schedule, run)) = first
                && !self.begin_run(lane, job, file, schedule, run, now).await?
            {
                tracing::debug!(lane = lane.name(), job = file.name, "the lane is taken; waiting for it");
            }
        }
        Ok(())
    }

    /// Whether the deadline of a run has passed. If so, it is skipped.
    async fn is_too_late(&self, schedule: &Schedule, run: &RunRow, now: DateTime<Utc>) -> Result<bool> {
        let why = hindrance(schedule, None, run.scheduled_for, now).filter(|_| run.asked_by.is_none());
        let Some(why) = why else { return Ok(false) };
        if let Some(mut tx) = self.environment.store.try_write().await? {
            runs::skip(&mut tx, &run.job, run.scheduled_for + TimeDelta::milliseconds(1), &why, now).await?;
            tx.commit().await?;
        }
        Ok(true)
    }

    /// Whether a run waits for a job that comes before it and is due or under way.
    fn waits(&self, file: &JobFile, run: &RunRow, due: &[RunRow], now: DateTime<Utc>) -> bool {
        let is_before = |name: &str| file.after.iter().any(|before| before == name);
        let is_due = due.iter().any(|other| is_before(&other.job) && other.scheduled_for <= run.scheduled_for);
        let is_under_way = self.jobs.values().any(|job| is_before(job.name()));
        (is_due || is_under_way) && now - run.not_before < FOR_JOBS_BEFORE
    }

    /// Begins a run. Returns false if another process works in its lane.
    async fn begin_run(
        &mut self,
        lane: Lane,
        job: Job,
        file: &JobFile,
        schedule: &Schedule,
        run: &RunRow,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let taker = Taker { node: self.environment.node.clone(), doing: file.name.clone(), since: now };
        let begin = async |tx: &mut Tx| {
            run::interrupt_left(tx, &[lane], now).await?;
            // Another process may have closed the day until this one got the lane.
            let today = self.environment.open_day(tx).await?.context("the books have no open day")?;
            Ok((today, runs::begin(tx, run.run_no, today, clock::now(), &self.environment.node).await?))
        };
        let Some((store, (today, is_begun))) = self.environment.store.take(&[lane], &taker, begin).await? else {
            return Ok(false);
        };
        if !is_begun {
            // Somebody has skipped the run, or has done its work, since it was looked up.
            store.give_back().await;
            return Ok(true);
        }
        let environment = self.environment.with_store(store);
        let (file, schedule, run) = (file.clone(), schedule.clone(), run.clone());
        let (mut cut_off, pings) = (self.cut_off.subscribe(), self.pings.clone());
        // Deciding a chunk of orders takes a processor for a while, so each run has a thread of its own.
        let runtime = tokio::runtime::Handle::current();
        let task = self.under_way.spawn_blocking(move || {
            runtime.block_on(async move {
                let work = work_of(&environment, &file, job, today, now);
                let ended = tokio::select! {
                    ended = run::work_off(&environment, &pings, &run, &schedule, today, work) => ended,
                    _ = cut_off.wait_for(|is_cut_off| *is_cut_off) => Ok(()),
                };
                environment.store.give_back().await;
                ended
            })
        });
        self.jobs.insert(task.id(), job);
        Ok(true)
    }

    fn ended(&mut self, ended: Result<(Id, Ended), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(why) => why.id(),
        };
        let job = self.jobs.remove(&id).map_or("", Job::name);
        match ended {
            // The run has recorded and logged how its work ended.
            Ok((_, Ok(()))) => {}
            Ok((_, Err(why))) => tracing::error!(job, why = format!("{why:#}"), "the run could not be recorded"),
            Err(why) => tracing::error!(job, %why, "the run broke off; it is tried again"),
        }
    }

    /// Tells the daemon's ping that it ends with an error.
    async fn say_it_fails(&mut self) {
        SignsOfLife::fails(&self.pings);
        self.pings = Pings::default();
        std::mem::take(&mut self.calls).finish(PINGS_WITHIN).await;
    }

    /// What it is doing, in words.
    fn in_words(&self) -> String {
        if self.presence.is_store_away() {
            return "the store is away; waiting for it".to_owned();
        }
        let mut jobs: Vec<&str> = self.jobs.values().map(|job| job.name()).collect();
        jobs.sort_unstable();
        if jobs.is_empty() { "waiting for the next job".to_owned() } else { format!("running {}", jobs.join(", ")) }
    }

    /// Takes a new configuration, if it is right.
    fn reload(&mut self, loaded: Result<Environment>) {
        match loaded {
            Ok(environment) => {
                // Runs under way keep the old pings, and end them.
                self.pings = self.calls.begin(&environment.scheme.pings, &environment.store);
                self.environment = environment;
                tracing::info!("the configuration was read again and is in force; runs under way end with the old one");
            }
            Err(why) => {
                let why = format!("{why:#}");
                tracing::error!(why, "the configuration was read again and has errors; the old one stays in force");
            }
        }
    }

    /// Lets the runs under way end at their next step, for a while. A second request to stop ends the wait.
    async fn stop(mut self, requests: &mut UnboundedReceiver<Request>) -> Result<()> {
        self.environment.stop();
        if !self.under_way.is_empty() {
            tracing::info!("stopping once the step under way is done");
        }
        let deadline = tokio::time::sleep(STOP_WITHIN);
        tokio::pin!(deadline);
        while !self.under_way.is_empty() {
            let at_once = tokio::select! {
                Some(ended) = self.under_way.join_next_with_id() => { self.ended(ended); false }
                request = requests.recv() => request == Some(Request::Stop),
                () = &mut deadline => true,
            };
            if at_once {
                tracing::warn!("the runs under way were cut off; they continue where they stopped at the next start");
                self.cut_off.send_replace(true);
                break;
            }
        }
        drop(self.pings);
        self.calls.finish(PINGS_WITHIN).await;
        presence::stopped(&self.environment).await;
        Ok(())
    }
}

fn log_skipped(run: &NewRun) {
    if let Some(why) = &run.outcome {
        tracing::warn!(job = run.job, scheduled_for = %run.scheduled_for, why, "the run is skipped");
    }
}

/// The work of the daemon for a job at its time.
async fn work_of(
    environment: &Environment,
    file: &JobFile,
    job: Job,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Done> {
    match (job, environment.scheme.clock) {
        (Job::CloseDay, Clock::Wall) => close_days_over(environment, now).await,
        _ => super::work(job, environment, today, environment.now(file, today)).await,
    }
}

/// Closes every day that is over. Each has the same result as a close on time.
async fn close_days_over(environment: &Environment, now: DateTime<Utc>) -> Result<Done> {
    let yesterday = plus(now.with_timezone(&environment.scheme.zone).date_naive(), -1);
    if let Some(why) =
        plausible::too_many_days(environment.business_date().await?, yesterday, environment.scheme.days_at_once)
    {
        bail!(why);
    }
    let days = business_day::close_through(environment, yesterday).await?;
    Ok(Done(vec![("days closed", i64::try_from(days.len()).unwrap_or(i64::MAX))]))
}
