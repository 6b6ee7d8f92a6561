//! Reports what is overdue: files that are expected by a time, and orders that rows wait for.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use crate::books::done::Done;
use crate::books::environment::Environment;
use crate::books::expected_files;
use crate::scheme::Slice;

pub async fn run(environment: &Environment, slice: Slice<'_>, today: NaiveDate, now: DateTime<Utc>) -> Result<Done> {
    let mut tx = environment.store.write().await?;
    let done = expected_files::report(&mut tx, environment, slice, today, Some(now)).await?;
    tx.commit().await?;
    Ok(done)
}

pub async fn dry_run(
    environment: &Environment,
    slice: Slice<'_>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let mut tx = environment.store.read().await?;
    expected_files::would_report(&mut tx, environment, slice, today, now).await
}
