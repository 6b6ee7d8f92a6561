//! `[alerts]` and `[[ping]]` of `paylater.toml`: who hears that something is wrong, and which URLs hear of each run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, is_variable, wrong};
use crate::files::remote::Secret;
use crate::files::rows::email;
use crate::scheme::alerts::{self, Alerts, CallUrl, Ping, Pinged, USUAL_PATIENCE, Webhook, WebhookFormat};
use crate::scheme::{JobFile, is_part_of_close};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAlerts {
    /// Addresses of operations, which get mail as the scheme sends it.
    #[serde(default)]
    mail: Vec<String>,
    /// A URL that is sent JSON.
    webhook_url: Option<String>,
    /// A file that holds the URL.
    webhook_url_file: Option<PathBuf>,
    /// The shape of the JSON: alertmanager, text, dingtalk or feishu.
    #[serde(default = "default_format")]
    webhook_format: WebhookFormat,
    /// How many minutes a job that is tried again may fail before that is an alert.
    #[serde(default = "default_patience_minutes")]
    patience_minutes: u64,
}

fn default_format() -> WebhookFormat {
    WebhookFormat::Alertmanager
}

fn default_patience_minutes() -> u64 {
    USUAL_PATIENCE.as_secs() / 60
}

/// The longest patience. A job that fails for a day is no small matter.
const MOST_PATIENCE_MINUTES: u64 = 1_440;

/// The most addresses of operations.
const MOST_ADDRESSES: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPing {
    /// The name of a job, or daemon.
    of: String,
    /// The URL, called at success; with /start and /fail at its end when a run begins and when it failed.
    url: Option<String>,
    /// The variable with the URL.
    url_env: Option<String>,
    /// A file that holds the URL.
    url_file: Option<PathBuf>,
}

/// The variable whose URL overrides the webhook's.
const WEBHOOK_URL: &str = "PAYLATER_WEBHOOK_URL";

const NOT_BUILT_IN: &str =
    "this build of paylater cannot call URLs; build it with the feature `remote`, which is on by default";

impl RawAlerts {
    pub fn resolve(self, base: &Path, rules: &mut Rules) -> Option<Alerts> {
        for (i, address) in self.mail.iter().enumerate() {
            rules.keep(&format!("alerts.mail[{i}]"), is_address(address));
        }
        if self.mail.len() > MOST_ADDRESSES {
            rules.refuse("alerts.mail", format!("has more than {MOST_ADDRESSES} addresses; use a mailing list"));
        }
        let webhook = rules.keep("alerts", self.webhook(base));
        if self.mail.is_empty() && matches!(webhook, Some(None)) {
            let advice = format!("names no receiver; write mail, webhook_url, webhook_url_file or set {WEBHOOK_URL}");
            rules.refuse("alerts", advice);
        }
        if self.patience_minutes > MOST_PATIENCE_MINUTES {
            let minutes = self.patience_minutes;
            let advice = format!("{minutes} is not from 0 to {MOST_PATIENCE_MINUTES} minutes; write a number that is");
            rules.refuse("alerts.patience_minutes", advice);
        }
        Some(Alerts { mail: self.mail, webhook: webhook?, patience: Duration::from_secs(60 * self.patience_minutes) })
    }

    fn webhook(&self, base: &Path) -> Result<Option<Webhook>> {
        let is_in_environment = std::env::var(WEBHOOK_URL).is_ok();
        let url = match (&self.webhook_url_file, &self.webhook_url) {
            _ if is_in_environment => CallUrl::Kept(Secret::Env(WEBHOOK_URL.to_owned())),
            (Some(file), _) => CallUrl::Kept(Secret::File(base.join(file))),
            (None, Some(url)) => CallUrl::Written(written("webhook_url", url)?),
            (None, None) => return Ok(None),
        };
        if !cfg!(feature = "remote") {
            return Err(wrong("webhook_url", NOT_BUILT_IN));
        }
        Ok(Some(Webhook { url, format: self.webhook_format }))
    }
}

/// Resolves the pings. A job, or the daemon, has one at most.
pub fn pings(raw: Vec<RawPing>, jobs: Option<&[JobFile]>, base: &Path, rules: &mut Rules) -> Vec<Ping> {
    let mut pings: Vec<Ping> = Vec::new();
    for (i, raw) in raw.into_iter().enumerate() {
        let at = format!("ping[{i}]");
        let of = rules.keep(&format!("{at}.of"), pinged(&raw.of, jobs));
        let url = rules.keep(&at, raw.url(base));
        let Some((of, url)) = of.zip(url) else { continue };
        if pings.iter().any(|earlier| earlier.of == of) {
            rules.refuse(&format!("{at}.of"), format!("{:?} is listed twice; give it one ping", of.name()));
        }
        pings.push(Ping { of, url });
    }
    pings
}

fn pinged(of: &str, jobs: Option<&[JobFile]>) -> Result<Pinged> {
    if of == "daemon" {
        return Ok(Pinged::Daemon);
    }
    if is_part_of_close(of) {
        bail!("{of} is a part of the close and has no runs of its own; write close_day");
    }
    // Without the job files, which have problems of their own, any name will do.
    let Some(jobs) = jobs else { return Ok(Pinged::Job(of.to_owned())) };
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).filter(|name| !is_part_of_close(name)).collect();
    ensure!(names.contains(&of), "there is no job {of:?}; write daemon, {}", names.join(", "));
    Ok(Pinged::Job(of.to_owned()))
}

impl RawPing {
    fn url(self, base: &Path) -> Result<CallUrl> {
        let url = match (self.url, self.url_env, self.url_file) {
            (Some(url), None, None) => CallUrl::Written(written("url", &url)?),
            (None, Some(name), None) if is_variable(&name) => CallUrl::Kept(Secret::Env(name)),
            // The value may be the URL itself, so the message must not show it.
            (None, Some(_), None) => {
                let advice = "write the name of a variable, of capital letters, digits and _, such as CLOSE_DAY_PING";
                return Err(wrong("url_env", advice));
            }
            (None, None, Some(file)) => CallUrl::Kept(Secret::File(base.join(file))),
            _ => return Err(anyhow!("say where the URL is found, with one of url, url_env and url_file")),
        };
        ensure!(cfg!(feature = "remote"), "{NOT_BUILT_IN}");
        Ok(url)
    }
}

fn written(key: &str, url: &str) -> Result<String> {
    alerts::check(url).map_err(|why| wrong(key, why.to_string()))?;
    Ok(url.to_owned())
}

fn is_address(address: &str) -> Result<()> {
    ensure!(email::wrong(address).is_none(), "write an address such as ops@example.com, without a name");
    Ok(())
}
