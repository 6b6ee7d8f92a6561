//! The daemon's presence: that it is the only one on its books, that it shows a sign of life, and that it waits for a store that is
//! away.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use chrono::TimeDelta;

use crate::books::environment::Environment;
use crate::clock;
use crate::store::nodes::{self, NodeRow};
use crate::store::{LEASE, OnlyDaemon};

/// How often the daemon records a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// The longest wait between two attempts to reach a store that is away.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long the record of the stop may take: a store that is away or frozen must not keep the daemon from stopping.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

pub struct Presence {
    only: Option<OnlyDaemon>,
    seen: Option<Instant>,
    away: Option<Away>,
}

/// The store could not be reached.
struct Away {
    tries: u32,
    until: Instant,
}

impl Presence {
    /// Makes this process the only daemon. If another one is frozen, this one takes over when its lease has ended.
    pub async fn begin(environment: &Environment) -> Result<Presence> {
        let began = clock::monotonic();
        let mut is_told = false;
        loop {
            let only = environment.store.be_daemon().await?;
            if only.is_some() {
                return Ok(Presence { only, seen: None, away: None });
            }
            let mut tx = environment.store.read().await?;
            let last = nodes::last_seen(&mut tx).await?;
            drop(tx);
            if last.as_ref().is_some_and(is_alive) || clock::monotonic() - began > LEASE + SIGN_OF_LIFE {
                bail!("another paylater daemon runs on these books; stop it first");
            }
            if !is_told {
                let (node, within_seconds) = (last.map(|last| last.node), LEASE.as_secs());
                tracing::warn!(
                    node,
                    within_seconds,
                    "another paylater daemon holds these books and has given no sign of life lately; this one takes over if none \
                     comes"
                );
                is_told = true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Takes the daemon's lock again if it was lost with its connection.
    pub async fn keep(&mut self, environment: &Environment) -> Result<()> {
        if self.only.as_ref().is_some_and(OnlyDaemon::is_kept) {
            return Ok(());
        }
        self.only = None;
        self.only = environment.store.be_daemon().await?;
        if self.only.is_some() {
            tracing::warn!("the daemon's lock was lost with its connection and is taken again");
            return Ok(());
        }
        let mut tx = environment.store.read().await?;
        let last = nodes::last_seen(&mut tx).await?;
        if last.is_some_and(|last| last.node == environment.node) {
            // The server has not noticed yet that the old connection is gone.
            let why = "the lock of this daemon's lost connection is still held";
            return Err(std::io::Error::other(why).into());
        }
        bail!(
            "another paylater daemon took over these books while this one was frozen or the store was away; this one stops"
        )
    }

    pub async fn sign_of_life(&mut self, environment: &Environment) -> Result<()> {
        if self.seen.is_some_and(|seen| clock::monotonic() - seen < SIGN_OF_LIFE) {
            return Ok(());
        }
        // A long transaction of a run is a sign of life as well.
        let Some(mut tx) = environment.store.try_write().await? else { return Ok(()) };
        nodes::seen(&mut tx, &environment.node, clock::now()).await?;
        tx.commit().await?;
        self.seen = Some(clock::monotonic());
        Ok(())
    }

    pub fn is_store_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether it is too early to try again to reach the store.
    pub fn waits_for_store(&self) -> bool {
        self.away.as_ref().is_some_and(|away| clock::monotonic() < away.until)
    }

    pub fn store_is_away(&mut self, why: &Error) {
        let tries = self.away.as_ref().map_or(0, |away| away.tries) + 1;
        let wait = Duration::from_secs(1 << tries.min(6)).min(LONGEST_WAIT);
        tracing::error!(why = format!("{why:#}"), in_seconds = wait.as_secs(), "the store is away; trying again");
        self.away = Some(Away { tries, until: clock::monotonic() + wait });
    }

    pub fn store_is_back(&mut self) {
        if self.away.take().is_some() {
            tracing::warn!("the store is back; work continues");
        }
    }
}

/// Whether a daemon has just given a sign of life. A time to come says nothing: the clock was set.
fn is_alive(last: &NodeRow) -> bool {
    let ago = clock::now() - last.seen_at;
    last.stopped_at.is_none() && ago >= TimeDelta::zero() && ago.to_std().is_ok_and(|ago| ago < LEASE)
}

/// Records that the daemon has started.
pub async fn started(environment: &Environment) -> Result<()> {
    let mut tx = environment.store.write().await?;
    nodes::started(&mut tx, &environment.node, env!("CARGO_PKG_VERSION"), clock::now()).await?;
    tx.commit().await
}

/// Records that the daemon stops as asked.
pub async fn stopped(environment: &Environment) {
    let farewell = async {
        let mut tx = environment.store.write().await?;
        nodes::stopped(&mut tx, &environment.node, clock::now()).await?;
        tx.commit().await
    };
    match tokio::time::timeout(FAREWELL_WITHIN, farewell).await {
        Ok(Err(why)) => tracing::warn!(why = format!("{why:#}"), "the stop could not be recorded"),
        Err(_) => tracing::warn!(why = "the store does not answer", "the stop could not be recorded"),
        Ok(Ok(())) => {}
    }
}
