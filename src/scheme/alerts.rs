//! Whom operations let know: receivers of alerts, and URLs that hear of each run.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::files::remote::Secret;

/// Who gets alerts, and when.
#[derive(Debug)]
pub struct Alerts {
    /// Addresses of operations. Each gets a mail of its own, by the scheme's mail.
    pub mail: Vec<String>,
    pub webhook: Option<Webhook>,
    /// How long a job that is tried again may fail before that is an alert.
    pub patience: Duration,
}

/// How long a job may fail, unless something else is said: the built-in close is then tried for the fifth time.
pub const USUAL_PATIENCE: Duration = Duration::from_secs(15 * 60);

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts { mail: Vec::new(), webhook: None, patience: USUAL_PATIENCE }
    }
}

/// A URL that is sent JSON.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: CallUrl,
    pub format: WebhookFormat,
}

/// The shape of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// As Prometheus' Alertmanager calls webhooks (version 4).
    Alertmanager,
    /// `{"text": …}`: Slack, Mattermost, Rocket.Chat, Google Chat, Teams.
    Text,
    /// `{"msgtype": "text", …}`: DingTalk and WeCom.
    Dingtalk,
    /// `{"msg_type": "text", …}`: Feishu and Lark.
    Feishu,
}

/// A URL that hears when something begins, succeeds and fails.
#[derive(Debug, Clone)]
pub struct Ping {
    pub of: Pinged,
    pub url: CallUrl,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinged {
    /// The daemon, which calls every minute while it works.
    Daemon,
    /// The runs of the job of this name.
    Job(String),
}

impl Alerts {
    /// Whether anybody hears of alerts.
    pub fn is_empty(&self) -> bool {
        self.mail.is_empty() && self.webhook.is_none()
    }

    /// The receivers' names, in messages and in the store. They do not show addresses.
    pub fn receivers(&self) -> Vec<String> {
        let mails = (1..=self.mail.len()).map(mail_receiver);
        mails.chain(self.webhook.as_ref().map(|_| WEBHOOK.to_owned())).collect()
    }
}

/// The name of the webhook as a receiver.
pub const WEBHOOK: &str = "webhook";

/// The name of the nth address as a receiver.
pub fn mail_receiver(nth: usize) -> String {
    format!("mail {nth}")
}

impl Ping {
    /// Its name as a receiver.
    pub fn receiver(&self) -> String {
        format!("ping of {}", self.of.name())
    }
}

impl Pinged {
    pub fn name(&self) -> &str {
        match self {
            Pinged::Daemon => "daemon",
            Pinged::Job(name) => name,
        }
    }
}

/// A URL to call, or where it is kept. Whoever knows it can call it too, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum CallUrl {
    Written(String),
    Kept(Secret),
}

impl fmt::Debug for CallUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallUrl::Written(_) => f.write_str("Written"),
            CallUrl::Kept(secret) => f.debug_tuple("Kept").field(secret).finish(),
        }
    }
}

impl CallUrl {
    /// Returns the URL. The error does not show it.
    pub fn read(&self) -> Result<String> {
        let url = match self {
            CallUrl::Written(url) => url.clone(),
            CallUrl::Kept(secret) => secret.read().map_err(anyhow::Error::msg)?,
        };
        check(&url)?;
        Ok(url)
    }
}

/// Checks that a text is a URL that can be called. The error does not show it.
pub fn check(url: &str) -> Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let is_plain = !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#');
    ensure!(!host.is_empty() && is_plain, "it is no URL; write it like https://hc.example.com/ping/NAME");
    Ok(())
}

/// Adds `/start` or `/fail` to the path of a URL.
pub fn with_segment(url: &str, segment: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{segment}{query}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_added_to_the_path() {
        for (url, expected) in [
            ("https://hc.example/ping/a", "https://hc.example/ping/a/start"),
            ("https://hc.example/ping/a/", "https://hc.example/ping/a/start"),
            ("https://hc.example/ping/a?create=1", "https://hc.example/ping/a/start?create=1"),
        ] {
            assert_eq!(with_segment(url, "start"), expected);
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_showing_it() {
        for (url, is_fine) in [
            ("https://a", true),
            ("http://127.0.0.1:9093/x?y", true),
            ("ftp://secret", false),
            ("secret", false),
            ("https://", false),
            ("https://secret /a", false),
            ("https://secret/\n", false),
        ] {
            let checked = check(url);
            assert_eq!(checked.is_ok(), is_fine, "{url}");
            assert!(checked.is_ok() || !checked.unwrap_err().to_string().contains("secret"), "{url}");
        }
        assert_eq!(format!("{:?}", CallUrl::Written("https://secret".to_owned())), "Written");
    }
}
