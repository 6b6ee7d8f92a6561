//! Alerts: operations hear once that something is wrong, and once that it is over. What is wrong is what `status --check` finds; it
//! is compared with the alerts that are open, and the difference is recorded and sent. So a restart, a rerun and a second process
//! alert nobody twice. Beside the daemon, this runs in tasks of its own: a receiver that hangs holds up nothing.
//!
//! `changes` compares, `deliver` sends notes and keeps those that could not be sent, `words` and `webhook` write them.

mod changes;
mod deliver;
mod webhook;
mod words;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use self::changes::Changes;
use self::deliver::Desk;
pub use self::deliver::{Receiver, receivers};
use crate::books::environment::Environment;
use crate::clock;
use crate::mail::letter::Sender;
use crate::mail::transport::Transport;
use crate::store::alerts;
use crate::store::alerts::Note;
use crate::views::status_check::{self, Trouble, TroubleCode};

/// How often the daemon looks for something that is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(60);

/// After how many days an open exception is worth an alert.
const MAX_AGE: i64 = 7;

/// Looks for what is wrong in a scheme, and tells its receivers. Clones share everything.
#[derive(Clone)]
pub struct Alerts {
    environment: Environment,
    receivers: Arc<Vec<Receiver>>,
    desk: Desk,
}

impl Alerts {
    /// The alerts of a scheme. The transport is for alerts alone, so that no queue of other mail is before them.
    pub fn new(environment: Environment, transport: Transport, sender: Sender) -> Alerts {
        let receivers = Arc::new(receivers(&environment.scheme.alerts));
        let desk = Desk::new(&environment, transport, sender);
        Alerts { environment, receivers, desk }
    }

    /// Looks and tells, beside the daemon, for as long as it is polled.
    pub async fn watch(self) {
        let mut deliveries = JoinSet::new();
        for receiver in self.receivers.iter() {
            let (desk, receiver) = (self.desk.clone(), receiver.clone());
            deliveries.spawn(async move { desk.deliver_always(&receiver).await });
        }
        let mut is_away = false;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            // The daemon cannot see that it is dead itself; another process can.
            let looked = self.look(|trouble| trouble.code != TroubleCode::DaemonStopped).await;
            if let Err(why) = &looked
                && !is_away
            {
                tracing::warn!("alerts: what is wrong could not be found out: {why:#}");
            }
            is_away = looked.is_err();
        }
    }

    /// Looks and tells once, at the end of a command, unless a daemon does so.
    pub async fn tell_once(&self) -> Result<()> {
        if self.environment.store.has_daemon().await? {
            return Ok(());
        }
        self.look(|_| true).await?;
        let mut deliveries = JoinSet::new();
        for receiver in self.receivers.iter() {
            let (desk, receiver) = (self.desk.clone(), receiver.clone());
            deliveries.spawn(async move { desk.deliver(&receiver).await });
        }
        while let Some(delivered) = deliveries.join_next().await {
            // What could not be sent is logged and recorded there, and waits for the next time.
            delivered.context("telling a receiver")?.ok();
        }
        Ok(())
    }

    /// Sends a test to a receiver. Returns why it did not take it.
    pub async fn test(&self, receiver: &Receiver) -> Result<(), String> {
        let now = clock::now();
        let message = "This is a test: alerts from paylater reach you. Nothing is wrong.".to_owned();
        let (code, about) = ("TEST".to_owned(), String::new());
        let test = Note {
            note_no: now.timestamp(),
            alert_no: 0,
            is_over: false,
            code,
            about,
            message,
            began_at: now,
            over_at: None,
        };
        self.desk.test(receiver, &test).await
    }

    /// Compares what is wrong with the open alerts, and records the difference.
    async fn look(&self, is_heeded: impl Fn(&Trouble) -> bool) -> Result<()> {
        let looked = tokio::time::timeout(LOOK_WITHIN, async {
            let mut tx = self.environment.store.read().await?;
            let mut troubles = status_check::troubles(&mut tx, &self.environment, MAX_AGE).await?;
            troubles.retain(is_heeded);
            let open = alerts::open(&mut tx).await?;
            anyhow::Ok(Changes::of(&open, troubles))
        });
        let changes = looked.await.context("the store does not answer")??;
        if changes.is_none() {
            return Ok(());
        }
        // While a run writes for long, this waits for the next look.
        let Some(mut tx) = self.environment.store.try_write().await? else { return Ok(()) };
        let names = self.environment.scheme.alerts.receivers();
        changes.record(&mut tx, &names, clock::now()).await?;
        tx.commit().await?;
        changes.log();
        Ok(())
    }
}
