//! Pings: calls of URLs when a job's run begins, succeeds and fails, and while the daemon works. Somebody else's monitoring waits
//! for them, and raises the alarm when they stay away. A URL that hangs holds up nobody: each has a queue and a task of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use crate::calls;
use crate::clock;
use crate::jobs::Job;
use crate::scheme::alerts::{CallUrl, Ping, Pinged, with_segment};
use crate::store::{Store, alerts};

/// How often the daemon calls its URL while it works.
const DAEMON_CALLS: Duration = Duration::from_secs(60);

/// How long a command waits at its end until its calls are made.
pub const COMMAND_WAITS: Duration = Duration::from_secs(30);

/// How many calls wait for a URL that hangs; further ones are dropped.
const MOST_WAITING: usize = 16;

/// The waits before a call is tried again. Monitoring allows for more.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// What a URL is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Start,
    Success,
    Fail,
}

/// The URLs to call. Clones share them.
#[derive(Clone, Default)]
pub struct Pings(Arc<Vec<(Pinged, Sender<Signal>)>>);

/// The tasks that call the URLs. Dropped, they end.
#[derive(Default)]
pub struct Calls(JoinSet<()>);

impl Calls {
    /// Begins to call the URLs of a scheme. `store` is where a URL that does not answer is noted.
    pub fn begin(&mut self, pings: &[Ping], store: &Store) -> Pings {
        let mut senders = Vec::new();
        for ping in pings {
            let (sender, signals) = channel(MOST_WAITING);
            senders.push((ping.of.clone(), sender));
            let line = Line { receiver: ping.receiver(), url: ping.url.clone(), store: store.clone() };
            self.0.spawn(line.call_all(signals));
        }
        Pings(Arc::new(senders))
    }

    /// Waits until all calls are made, for a while. All `Pings` must have been dropped.
    pub async fn finish(mut self, within: Duration) {
        let all = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("not all pings could be sent");
        }
    }
}

impl Pings {
    /// A run of a job begins.
    pub fn began(&self, job: Job) {
        self.send(&Pinged::Job(job.name().to_owned()), Signal::Start);
    }

    /// A run of a job succeeded, or failed for good. A failure that is tried again soon is not reported.
    pub fn ended(&self, job: Job, is_done: bool) {
        let signal = if is_done { Signal::Success } else { Signal::Fail };
        self.send(&Pinged::Job(job.name().to_owned()), signal);
    }

    fn send(&self, of: &Pinged, signal: Signal) {
        for (pinged, sender) in self.0.iter().filter(|(pinged, _)| pinged == of) {
            if sender.try_send(signal).is_err() {
                tracing::debug!(ping = pinged.name(), "dropped: earlier calls still wait");
            }
        }
    }
}

/// Tells a URL, from time to time, that the daemon works.
#[derive(Default)]
pub struct SignsOfLife(Option<Instant>);

impl SignsOfLife {
    /// The daemon has just done what was due.
    pub fn works(&mut self, pings: &Pings) {
        let now = clock::monotonic();
        if self.0.is_none_or(|last| now - last >= DAEMON_CALLS) {
            self.0 = Some(now);
            pings.send(&Pinged::Daemon, Signal::Success);
        }
    }

    /// The daemon ends with an error.
    pub fn fails(pings: &Pings) {
        pings.send(&Pinged::Daemon, Signal::Fail);
    }
}

/// A URL with its signals, which are sent in order: a start that came after its success would look like a run that hangs.
struct Line {
    receiver: String,
    url: CallUrl,
    store: Store,
}

impl Line {
    async fn call_all(self, mut signals: Receiver<Signal>) {
        // What is recorded; unknown at first.
        let mut is_silent = None;
        while let Some(signal) = signals.recv().await {
            let called = self.call(signal).await;
            if is_silent == Some(called.is_err()) {
                continue;
            }
            match &called {
                Ok(()) if is_silent.is_some() => tracing::info!(receiver = self.receiver, "it answers again"),
                Ok(()) => {}
                Err(why) => tracing::warn!(receiver = self.receiver, "it could not be called: {why}"),
            }
            match self.note(&called).await {
                Ok(true) => is_silent = Some(called.is_err()),
                // The store is busy; the next call notes it.
                Ok(false) => {}
                Err(why) => tracing::warn!(receiver = self.receiver, "that could not be recorded: {why:#}"),
            }
        }
    }

    async fn call(&self, signal: Signal) -> Result<(), String> {
        let mut waits = AGAIN_AFTER.iter();
        loop {
            let why = match self.call_once(signal).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            let Some(wait) = waits.next() else { return Err(why) };
            tokio::time::sleep(*wait).await;
        }
    }

    async fn call_once(&self, signal: Signal) -> Result<(), String> {
        let url = self.url.read().map_err(|why| format!("{why:#}"))?;
        let url = match signal {
            Signal::Start => with_segment(&url, "start"),
            Signal::Success => url,
            Signal::Fail => with_segment(&url, "fail"),
        };
        calls::get(&url).await.map_err(|why| why.to_string())
    }

    /// Records whether the URL answers. Returns false if the store is busy.
    async fn note(&self, called: &Result<(), String>) -> anyhow::Result<bool> {
        let mut tx = self.store.read().await?;
        let is_noted = alerts::silent_receivers(&mut tx).await?.iter().any(|silent| silent.receiver == self.receiver);
        drop(tx);
        if called.is_ok() && !is_noted {
            return Ok(true);
        }
        let Some(mut tx) = self.store.try_write().await? else { return Ok(false) };
        match called {
            Ok(()) => alerts::heard(&mut tx, &self.receiver).await?,
            Err(why) => alerts::silent(&mut tx, &self.receiver, why, clock::now()).await?,
        }
        tx.commit().await?;
        Ok(true)
    }
}
