//! The first page: the open day, what its close has done and what comes next, feeds, runs, exceptions and mails.

use std::sync::Arc;

use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use super::charts;
use super::failure::Failure;
use super::page::Page;
use crate::books::environment::Environment;
use crate::domain::intake::code::ExceptionCode;
use crate::views::today::{FeedState, FeedToday, Timeline, Today};

pub async fn page(page: Page) -> Response {
    let made = make(&page).await;
    page.answer("today", made)
}

async fn make(page: &Page) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let today = Today::load(&mut tx, &environment).await?;
    let missing = today.feeds.iter().filter(|feed| feed.state == FeedState::Missing).count();
    let refused = today.feeds.iter().filter(|feed| feed.refused > 0).count();
    let failed: Vec<Value> = today
        .status
        .jobs
        .iter()
        .filter(|job| job.last.as_ref().is_some_and(|run| run.status == "failed"))
        .map(|job| Value::from(job.job.as_str()))
        .collect();
    let open: i64 = today.exceptions.iter().map(|ages| ages.count).sum();
    let broken = today.status.open_exceptions.get(ExceptionCode::BooksBroken.name()).copied().unwrap_or_default();
    let closes_at =
        today.status.jobs.iter().find(|job| job.job == "close_day").and_then(|job| job.next).map(|at| at.to_rfc3339());
    let mails = tally(&today.status.mails);
    let steps = steps(&today);
    let lines = line(&today.timeline);
    let value = context! {
        missing, refused, open, broken, closes_at, mails, steps,
        board => board(&today.feeds),
        failed => failed,
        line => Serde(lines),
        today => Serde(&today),
    };
    Ok((environment.clone(), value))
}

/// Returns the feeds by merchant, those of the whole scheme first, in the order of the configuration.
fn board(feeds: &[FeedToday]) -> Vec<Value> {
    let mut owners: Vec<Option<&str>> = vec![None];
    for feed in feeds {
        if !owners.contains(&feed.merchant_id.as_deref()) {
            owners.push(feed.merchant_id.as_deref());
        }
    }
    let group = |owner: Option<&str>| {
        let of_owner = || feeds.iter().filter(|feed| feed.merchant_id.as_deref() == owner);
        let feeds: Vec<Value> = of_owner().map(|feed| Value::from(Serde(feed))).collect();
        let quiet = of_owner().filter(|feed| feed.state == FeedState::Quiet).count();
        (!feeds.is_empty()).then(|| context! { merchant => owner, feeds, quiet })
    };
    owners.into_iter().filter_map(group).collect()
}

/// A status with its count and the length of its bar.
fn tally(tally: &crate::views::Tally) -> Vec<Value> {
    let counts: Vec<i64> = tally.values().copied().collect();
    let bars = charts::bars(&counts);
    tally.iter().zip(bars).map(|((status, count), bar)| context! { status, count, bar }).collect()
}

/// Returns the jobs of a day in order, each with whether it has run for the last sealed day.
fn steps(today: &Today) -> Vec<Value> {
    let sealed = today.status.last_sealed.as_ref().map(|sealed| sealed.business_date);
    let step = |job: &crate::views::runs::JobRuns| {
        let last = job.last.as_ref();
        let state = match last {
            None => "never",
            Some(run) if run.status == "running" => "running",
            Some(run) if run.status == "failed" || run.status == "interrupted" => "failed",
            Some(run) if Some(run.business_date) >= sealed => "done",
            Some(_) => "earlier",
        };
        context! { state, job => Serde(job) }
    };
    today.status.jobs.iter().map(step).collect()
}

#[derive(Serialize)]
struct Line {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    hours: Vec<Hour>,
    rows: Vec<Row>,
    height: i64,
}

#[derive(Serialize)]
struct Hour {
    x: i64,
    at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Row {
    job: String,
    y: i64,
    runs: usize,
    marks: Vec<Mark>,
}

/// Runs of one status side by side, as one mark.
#[derive(Serialize)]
struct Mark {
    x: i64,
    width: i64,
    status: String,
}

/// The height of a job's row, and how near two marks may be before they become one.
const ROW: i64 = 30;
const NEAR: i64 = 4;

fn line(timeline: &Timeline) -> Line {
    let (from, to) = (timeline.from, timeline.to);
    let row = |(y, job): (i64, &crate::views::today::JobLine)| {
        let mut marks: Vec<Mark> = Vec::new();
        for run in &job.runs {
            let x = charts::on_line(run.scheduled_for, from, to);
            let took = run.finished_at.zip(run.started_at).map_or(TimeDelta::zero(), |(end, start)| end - start);
            let width = (charts::on_line(from + took, from, to)).max(5);
            match marks.last_mut().filter(|mark| mark.status == run.status && x - (mark.x + mark.width) <= NEAR) {
                Some(mark) => mark.width = (x + width - mark.x).max(mark.width),
                None => marks.push(Mark { x, width, status: run.status.clone() }),
            }
        }
        Row { job: job.job.clone(), y: y * ROW, runs: job.runs.len(), marks }
    };
    let jobs = timeline.jobs.iter().filter(|job| !job.runs.is_empty());
    let rows: Vec<Row> = (0..).zip(jobs).map(row).collect();
    let every = TimeDelta::hours(4);
    let hours = (0..=6).map(|i| from + every * i).map(|at| Hour { x: charts::on_line(at, from, to), at });
    let height = ROW * i64::try_from(rows.len()).unwrap_or(0);
    Line { from, to, hours: hours.collect(), rows, height }
}
