//! The view of `alerts`: what operations were alerted to and is not over, and who is told.

use anyhow::Result;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::scheme::Scheme;
use crate::scheme::alerts::Ping;
use crate::store::{Tx, alerts};

#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertList {
    /// Alerts that are not over, in the order in which they began.
    pub alerts: Vec<Alert>,
    pub receivers: Vec<ReceiverState>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Alert {
    /// As in `status --check`.
    pub code: String,
    /// What it is about: a job, a file, a receiver; else empty.
    pub about: String,
    /// In words, as it was when it began.
    pub message: String,
    pub began_at: DateTime<Utc>,
}

/// A receiver of alerts, or the URL of a ping.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReceiverState {
    /// mail 1, mail 2, … in the order of the configuration, webhook, or ping of a job or the daemon.
    pub receiver: String,
    /// Since when it has taken nothing; null if it took what it was sent last.
    pub silent_since: Option<DateTime<Utc>>,
    /// Why it took nothing.
    pub reason: Option<String>,
    /// With --test: whether it took the test; else, and for pings, null.
    pub took_test: Option<bool>,
}

impl AlertList {
    pub async fn load(tx: &mut Tx, scheme: &Scheme) -> Result<AlertList> {
        let open = alerts::open(tx).await?.into_iter().map(|alert| {
            let alerts::OpenAlert { code, about, message, began_at, .. } = alert;
            Alert { code, about, message, began_at }
        });
        Ok(AlertList { alerts: open.collect(), receivers: receivers(tx, scheme).await? })
    }
}

/// Returns the receivers of alerts and pings.
pub async fn receivers(tx: &mut Tx, scheme: &Scheme) -> Result<Vec<ReceiverState>> {
    let silent = alerts::silent_receivers(tx).await?;
    let names = scheme.alerts.receivers().into_iter().chain(scheme.pings.iter().map(Ping::receiver));
    let receivers = names.map(|receiver| {
        let silent = silent.iter().find(|silent| silent.receiver == receiver);
        ReceiverState {
            silent_since: silent.map(|silent| silent.since),
            reason: silent.map(|silent| silent.reason.clone()),
            took_test: None,
            receiver,
        }
    });
    Ok(receivers.collect())
}
