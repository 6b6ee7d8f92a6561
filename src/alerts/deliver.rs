//! Sends notes to their receivers. What a receiver does not take stays recorded, and is tried again. After a crash in the middle a
//! note can come twice.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use chrono::TimeDelta;

use super::{webhook, words};
use crate::books::environment::Environment;
use crate::calls;
use crate::clock;
use crate::mail::letter::Sender;
use crate::mail::notice::{self, Notice};
use crate::mail::transport::Transport;
use crate::scheme::alerts::{self as settings, WEBHOOK, Webhook, mail_receiver};
use crate::store::alerts::{self, Note};

/// How often the daemon looks for notes to send.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The wait after a failure. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The time limit for sending a message.
const WITHIN: Duration = Duration::from_secs(45);

/// For how long no other process sends the notes that this one sends.
const CLAIMED_FOR: TimeDelta = TimeDelta::minutes(10);

/// Somebody who gets alerts.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name in messages and in the store.
    pub name: String,
    route: Route,
}

#[derive(Debug, Clone)]
enum Route {
    Mail { address: String },
    Webhook(Webhook),
}

/// The receivers that a scheme names.
pub fn receivers(alerts: &settings::Alerts) -> Vec<Receiver> {
    let mails = alerts
        .mail
        .iter()
        .enumerate()
        .map(|(i, address)| Receiver { name: mail_receiver(i + 1), route: Route::Mail { address: address.clone() } });
    let webhook = alerts
        .webhook
        .iter()
        .map(|webhook| Receiver { name: WEBHOOK.to_owned(), route: Route::Webhook(webhook.clone()) });
    mails.chain(webhook).collect()
}

/// Where notes are sent from. Clones share everything.
#[derive(Clone)]
pub struct Desk {
    environment: Environment,
    transport: Arc<Transport>,
    sender: Arc<Sender>,
}

impl Desk {
    pub fn new(environment: &Environment, transport: Transport, sender: Sender) -> Desk {
        Desk { environment: environment.clone(), transport: Arc::new(transport), sender: Arc::new(sender) }
    }

    /// Sends a receiver its notes as they come, and waits longer and longer while it does not take them.
    pub async fn deliver_always(&self, receiver: &Receiver) {
        let mut failures = 0;
        loop {
            let wait = match failures {
                0 => LOOK_EVERY,
                failures => FIRST_WAIT.saturating_mul(1 << (failures - 1).min(20)).min(LONGEST_WAIT),
            };
            tokio::time::sleep(wait).await;
            failures = if self.deliver(receiver).await.is_ok() { 0 } else { failures + 1 };
        }
    }

    /// Sends a receiver what it has not been sent. Fails if it does not take it, which is then logged and recorded.
    pub async fn deliver(&self, receiver: &Receiver) -> Result<()> {
        let (store, node, name) = (&self.environment.store, &self.environment.node, &receiver.name);
        let now = clock::now();
        let mut tx = store.read().await?;
        let has_unsent = alerts::has_unsent(&mut tx, name, node, now).await?;
        drop(tx);
        if !has_unsent {
            return Ok(());
        }
        let until = now + CLAIMED_FOR;
        let mut tx = store.write().await?;
        let notes = alerts::claim(&mut tx, name, node, now, until).await?;
        tx.commit().await?;
        if notes.is_empty() {
            return Ok(());
        }
        let taken = self.send(receiver, &notes).await;
        let mut tx = store.write().await?;
        match &taken {
            Ok(()) => {
                alerts::sent(&mut tx, name, node, until, clock::now()).await?;
                alerts::heard(&mut tx, name).await?;
            }
            Err(why) => {
                alerts::give_up(&mut tx, name, node).await?;
                alerts::silent(&mut tx, name, why, clock::now()).await?;
            }
        }
        tx.commit().await?;
        match taken {
            Ok(()) => {
                tracing::info!(receiver = name, notes = notes.len(), "alerts were sent");
                Ok(())
            }
            Err(why) => {
                tracing::error!(receiver = name, "alerts could not be sent and wait: {why}");
                Err(anyhow!(why))
            }
        }
    }

    /// Sends a test. If it is taken, the receiver counts as reachable again.
    pub async fn test(&self, receiver: &Receiver, test: &Note) -> Result<(), String> {
        self.send(receiver, std::slice::from_ref(test)).await?;
        let noted = async {
            let mut tx = self.environment.store.write().await?;
            alerts::heard(&mut tx, &receiver.name).await?;
            tx.commit().await
        };
        noted.await.map_err(|why: anyhow::Error| format!("it took the test, but that could not be recorded: {why:#}"))
    }

    async fn send(&self, receiver: &Receiver, notes: &[Note]) -> Result<(), String> {
        let sent = async {
            match &receiver.route {
                Route::Mail { address } => self.mail(address, notes).await,
                Route::Webhook(webhook) => self.call(webhook, notes).await,
            }
        };
        let silent = |_| Err(format!("it does not answer within {} seconds", WITHIN.as_secs()));
        tokio::time::timeout(WITHIN, sent).await.unwrap_or_else(silent)
    }

    async fn mail(&self, address: &str, notes: &[Note]) -> Result<(), String> {
        let scheme = &self.environment.scheme;
        let domain = self.sender.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let first = notes.first().map_or(0, |note| note.note_no);
        let notice = Notice {
            message_id: format!("alert-{first}@{domain}"),
            to: address.to_owned(),
            subject: words::subject(&scheme.name, notes),
            text: words::text(notes, scheme.zone),
            sent_at: clock::now(),
        };
        let mail = notice::compose(&notice, &self.sender).map_err(|why| why.to_string())?;
        self.transport.send(&mail).await.map_err(|why| why.to_string())
    }

    async fn call(&self, webhook: &Webhook, notes: &[Note]) -> Result<(), String> {
        let scheme = &self.environment.scheme;
        let url = webhook.url.read().map_err(|why| format!("{why:#}"))?;
        let body = webhook::body(webhook.format, &scheme.name, notes, scheme.zone);
        let answer = calls::post(&url, &[], body.to_string()).await.map_err(|why| why.to_string())?;
        webhook::ensure_taken(webhook.format, &answer)
    }
}
