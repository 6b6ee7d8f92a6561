//! Files with their outcomes and the rows that were not accepted; downloads of rejected rows and of a day's reports.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use futures_util::stream;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;
use tokio::fs::File as OpenFile;
use tokio::io::AsyncReadExt;

use super::failure::Failure;
use super::page::Page;
use crate::books::day_folders;
use crate::books::environment::Environment;
use crate::domain::intake::kind::Kind;
use crate::domain::intake::status::RowOutcome;
use crate::store::{Tx, listing, scheme};
use crate::views::file_rows::{FileHead, Row};
use crate::views::files::{File, FileState, Inboxes, Which};

#[derive(Deserialize)]
pub struct OfFiles {
    day: Option<NaiveDate>,
    #[serde(default)]
    feed: String,
    #[serde(default)]
    status: String,
    before: Option<i64>,
}

/// How many files, and how many rows of a file, a page lists.
const FILES: i64 = 50;
const ROWS: i64 = 100;

pub async fn page(page: Page, Query(of): Query<OfFiles>) -> Response {
    let made = list(&page, of).await;
    page.answer("files", made)
}

async fn list(page: &Page, of: OfFiles) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    // Files are listed from the latest on, a page at a time, so those of every day may be asked for.
    let which = Which { date: of.day, feed: text(&of.feed), status: FileState::parse(&of.status), all: true };
    let mut tx = environment.store.read().await?;
    let filter = which.filter(&mut tx).await?;
    let files = File::load(&mut tx, &filter, of.before.unwrap_or(i64::MAX), FILES).await?;
    // Folders are only looked into when somebody asks for them: an inbox can have very many files.
    let shows_inboxes = of.status == "waiting";
    let waiting = if shows_inboxes { Inboxes::load(&mut tx, &environment, &which).await? } else { Inboxes::default() };
    let is_full = i64::try_from(files.len()).is_ok_and(|count| count == FILES);
    let next = files.last().filter(|_| is_full).map(|file| file.file_no);
    let feeds: Vec<Value> = environment.scheme.feeds.iter().map(|feed| Value::from(feed.name.as_str())).collect();
    let value = context! {
        day => of.day.map(|day| day.to_string()),
        feed => of.feed, status => of.status, feeds, next, shows_inboxes,
        waiting => Serde(waiting.waiting),
        files => Serde(files),
    };
    Ok((environment.clone(), value))
}

#[derive(Deserialize)]
pub struct OfRows {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    after: i64,
}

pub async fn file(page: Page, Path(file_no): Path<i64>, Query(of): Query<OfRows>) -> Response {
    let made = rows(&page, file_no, of).await;
    page.answer("file", made)
}

async fn rows(page: &Page, file_no: i64, of: OfRows) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let listed = listing::file(&mut tx, file_no).await?.ok_or_else(Failure::not_found)?;
    let rows = Row::load(&mut tx, &environment, &listed.file, RowOutcome::parse(&of.outcome), of.after, ROWS).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == ROWS);
    let next = rows.last().filter(|_| is_full).map(|row| row.line);
    let can_download = rejects_path(&environment, &listed.file.feed, &listed.file.kept_as).is_file()
        && may_download(page, listed.file.kind);
    let outcomes = File::from(listed.file.clone()).rows.outcomes();
    let head = FileHead::of(&environment, listed);
    let outcomes: Vec<Value> =
        outcomes.iter().map(|(outcome, count)| context! { outcome => outcome.name(), count => *count }).collect();
    let value = context! {
        outcome => of.outcome, after => of.after, next, can_download, outcomes,
        head => Serde(head),
        rows => Serde(rows),
    };
    Ok((environment.clone(), value))
}

/// Rejected rows of customers have names and addresses in them.
fn may_download(page: &Page, kind: Kind) -> bool {
    kind != Kind::Customers || page.console.settings.show_customers
}

fn rejects_path(environment: &Environment, feed: &str, kept_as: &str) -> PathBuf {
    environment.scheme.home.outbox(feed).join(format!("{kept_as}.rejects.csv"))
}

pub async fn rejects(page: Page, Path(file_no): Path<i64>) -> Response {
    match find_rejects(&page, file_no).await {
        Ok(path) => download(&page, path, &format!("file-{file_no}.rejects.csv")).await,
        Err(why) => page.fail(why),
    }
}

async fn find_rejects(page: &Page, file_no: i64) -> Result<PathBuf, Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let listed = listing::file(&mut tx, file_no).await?.ok_or_else(Failure::not_found)?;
    if !may_download(page, listed.file.kind) {
        return Err(Failure::personal());
    }
    if listed.file.kind == Kind::Customers {
        tracing::info!(who = page.visitor.name, file = file_no, "rejected rows of customers were downloaded");
    }
    Ok(rejects_path(&environment, &listed.file.feed, &listed.file.kept_as))
}

/// The reports of a sealed day.
pub async fn reports(page: Page, Path(day): Path<NaiveDate>) -> Response {
    let made = list_reports(&page, day).await;
    page.answer("reports", made)
}

async fn list_reports(page: &Page, day: NaiveDate) -> Result<(Arc<Environment>, Value), Failure> {
    let environment = page.environment().await?;
    let mut tx = environment.store.read().await?;
    let files = scheme::sealed_files(&mut tx, day).await?;
    if files.is_empty() {
        return Err(Failure::not_found());
    }
    let folder = day_folders::folder_of(&environment.scheme, day);
    let file = |file: &scheme::SealedFile| {
        context! { name => file.name.as_str(), rows => file.row_count, sha256 => file.sha256.as_str(), is_there => folder.join(&file.name).is_file() }
    };
    let files: Vec<Value> = files.iter().map(file).collect();
    Ok((environment.clone(), context! { day => day.to_string(), files }))
}

pub async fn report(page: Page, Path((day, name)): Path<(NaiveDate, String)>) -> Response {
    match find_report(&page, day, &name).await {
        Ok(path) => download(&page, path, &name).await,
        Err(why) => page.fail(why),
    }
}

/// Only a name that the seal of the day has leads to a file.
async fn find_report(page: &Page, day: NaiveDate, name: &str) -> Result<PathBuf, Failure> {
    let environment = page.environment().await?;
    let mut tx: Tx = environment.store.read().await?;
    if !scheme::is_sealed_file(&mut tx, day, name).await? {
        return Err(Failure::not_found());
    }
    Ok(day_folders::folder_of(&environment.scheme, day).join(name))
}

/// How many bytes of a download are in memory at a time.
const CHUNK: usize = 64 << 10;

async fn download(page: &Page, path: PathBuf, name: &str) -> Response {
    let file = match OpenFile::open(&path).await {
        Ok(file) => file,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            return page.fail(Failure::not_found());
        }
        Err(why) => {
            let why = anyhow::Error::from(why).context(format!("opening {}", path.display()));
            return page.fail(why.into());
        }
    };
    let chunks = stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    let attachment = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).context("a plain name");
    match attachment {
        Ok(attachment) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
                (header::CONTENT_DISPOSITION, attachment),
            ];
            (headers, Body::from_stream(chunks)).into_response()
        }
        Err(why) => page.fail(why.into()),
    }
}
