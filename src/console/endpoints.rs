//! Endpoints for monitoring: `/healthz`, `/readyz` and `/metrics`.
//!
//! The metrics are written in Prometheus' text format here: it is a few lines, every number is a whole number of the view,
//! and nothing is counted between two requests.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{NaiveDate, NaiveTime};

use super::state;
use crate::store;
use crate::views::monitoring::Monitoring;

/// The process answers. Whether it can work is another question: `/readyz`.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers, and has the tables that this paylater knows.
pub async fn readyz(State(console): State<Arc<state::State>>) -> Response {
    let checked = match console.environment().await {
        Ok(Some(environment)) => store::is_ready(&environment.store).await,
        Ok(None) => Err(anyhow::anyhow!("there are no books yet")),
        Err(why) => Err(why),
    };
    match checked {
        Ok(()) => "ready\n".into_response(),
        Err(why) => {
            // The reason may name hosts and folders: it is for the log, not for everybody who asks.
            tracing::warn!(why = format!("{why:#}"), "the console is not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n").into_response()
        }
    }
}

pub async fn metrics(State(console): State<Arc<state::State>>) -> Response {
    match load(&console).await {
        Ok(Some(monitoring)) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&monitoring)).into_response()
        }
        Ok(None) => (StatusCode::SERVICE_UNAVAILABLE, "there are no books yet\n").into_response(),
        Err(why) => {
            tracing::error!(why = format!("{why:#}"), "the metrics can't be computed");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; the log says why\n").into_response()
        }
    }
}

async fn load(console: &state::State) -> anyhow::Result<Option<Monitoring>> {
    let Some(environment) = console.environment().await? else { return Ok(None) };
    let mut tx = environment.store.read().await?;
    Ok(Some(Monitoring::load(&mut tx, &environment).await?))
}

/// Metrics in Prometheus' text format.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn gauge(&mut self, name: &str, help: &str) {
        self.put(&format!("# HELP paylater_{name} {help}\n# TYPE paylater_{name} gauge\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.put(&format!("paylater_{name}{labels} {value}\n"));
    }

    fn put(&mut self, text: &str) {
        // Writing to a string can't fail.
        let _ = self.0.write_str(text);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(monitoring: &Monitoring) -> String {
    let mut out = Exposition::default();
    out.gauge("build_info", "Always 1; the version is its label.");
    out.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    days(&mut out, monitoring);
    jobs(&mut out, monitoring);
    work(&mut out, monitoring);
    out.0
}

fn days(out: &mut Exposition, monitoring: &Monitoring) {
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    out.gauge("business_date_timestamp_seconds", "The open business date, as its midnight in UTC.");
    out.sample("business_date_timestamp_seconds", &[], midnight(monitoring.business_date));
    if let Some(sealed) = monitoring.last_sealed {
        out.gauge("last_sealed_date_timestamp_seconds", "The last sealed business date, as its midnight in UTC.");
        out.sample("last_sealed_date_timestamp_seconds", &[], midnight(sealed));
    }
    if let Some(behind) = monitoring.days_behind {
        out.gauge("days_behind", "Business days that should be sealed by now and are not.");
        out.sample("days_behind", &[], behind);
    }
}

fn jobs(out: &mut Exposition, monitoring: &Monitoring) {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1_000, ms % 1_000);
    out.gauge("runs", "Runs that were due in the last 24 hours, by job and status.");
    for job in &monitoring.jobs {
        for status in ["done", "failed", "interrupted", "running"] {
            let count = job.runs.get(status).copied().unwrap_or_default();
            out.sample("runs", &[("job", &job.job), ("status", status)], count);
        }
    }
    out.gauge("job_last_failed", "1 if the latest run of the job failed.");
    for job in &monitoring.jobs {
        if let Some(status) = &job.last_status {
            out.sample("job_last_failed", &[("job", &job.job)], i64::from(status == "failed"));
        }
    }
    out.gauge("job_last_duration_seconds", "How long the latest run of the job took, once it has ended.");
    for job in &monitoring.jobs {
        if let Some(ms) = job.last_duration_ms {
            out.sample("job_last_duration_seconds", &[("job", &job.job)], seconds(ms));
        }
    }
    out.gauge("job_last_end_timestamp_seconds", "When the latest run of the job ended.");
    for job in &monitoring.jobs {
        if let Some(at) = job.last_finished_at {
            out.sample("job_last_end_timestamp_seconds", &[("job", &job.job)], at.timestamp());
        }
    }
}

fn work(out: &mut Exposition, monitoring: &Monitoring) {
    out.gauge("files", "Files of the last seven business days, by status.");
    for status in ["taken", "duplicate", "quarantined", "interrupted", "reading"] {
        out.sample("files", &[("status", status)], monitoring.files.get(status).copied().unwrap_or_default());
    }
    out.gauge("rows", "Rows of files of the last seven business days, by outcome.");
    for (outcome, count) in monitoring.rows.outcomes() {
        out.sample("rows", &[("outcome", outcome.name())], count);
    }
    out.gauge("mails", "Mails of the last seven business days, by status.");
    for status in ["queued", "sending", "sent", "withdrawn", "failed", "unknown"] {
        out.sample("mails", &[("status", status)], monitoring.mails.get(status).copied().unwrap_or_default());
    }
    out.gauge("exceptions_open", "Open exceptions, by code; a code without one has no line.");
    for open in &monitoring.exceptions {
        out.sample("exceptions_open", &[("code", open.code.name())], open.count);
    }
    out.gauge("exceptions_oldest_age_days", "Business days since the oldest open exception was opened, by code.");
    for open in &monitoring.exceptions {
        out.sample("exceptions_oldest_age_days", &[("code", open.code.name())], open.oldest_days);
    }
    out.gauge("feed_overdue", "1 if a file of the feed should be there by now and is not.");
    for (feed, is_overdue) in &monitoring.feeds {
        out.sample("feed_overdue", &[("feed", feed)], i64::from(*is_overdue));
    }
    out.gauge("feeds_overdue", "How many feeds lack a file that should be there by now.");
    out.sample("feeds_overdue", &[], monitoring.feeds.values().filter(|is_overdue| **is_overdue).count());
}
