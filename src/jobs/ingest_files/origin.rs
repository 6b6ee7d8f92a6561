//! Where an unfiled file is: in its inbox, or, if it is retried, in quarantine or `retry/`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::staying;
use crate::books::environment::Environment;
use crate::domain::intake::status::FileStatus;
use crate::scheme::Feed;
use crate::store::files::RecordedFile;
use crate::store::listing;

/// Returns the path of an unfiled file, and whether the file stays there.
pub async fn source(environment: &Environment, feed: &Feed, file: &RecordedFile) -> Result<(PathBuf, bool)> {
    let Some(first) = file.retry_of else {
        let path = feed.folder.join(&file.name);
        if !staying::may_stay(environment, feed, &file.name) {
            return Ok((path, false));
        }
        let mut tx = environment.store.read().await?;
        return Ok((path, staying::stays(&mut tx, environment, feed, &file.name, &file.sha256).await?));
    };
    let mut tx = environment.store.read().await?;
    let first = listing::file(&mut tx, first).await?.with_context(|| format!("file {first} is not there"))?.file;
    let path_again = if first.status == FileStatus::Quarantined {
        in_quarantine(environment, &first)
    } else {
        again(environment, &first)
    };
    Ok((path_again, false))
}

/// Returns the path of a quarantined file.
pub fn in_quarantine(environment: &Environment, file: &RecordedFile) -> PathBuf {
    environment.scheme.home.quarantine(&file.feed).join(&file.kept_as)
}

pub fn again(environment: &Environment, file: &RecordedFile) -> PathBuf {
    environment.scheme.home.retry(&file.feed).join(format!("{}.rejects.csv", file.kept_as))
}
