//! Takes one file in: examines it as a whole, records it and reads its rows. A file that was partly read is continued.

use anyhow::Result;
use chrono::NaiveDate;

use super::feeds::new_file;
use super::{arrival, filing, reading, staying};
use crate::books::environment::Environment;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::FileCode;
use crate::domain::intake::status::FileStatus;
use crate::files::inbox::Found;
use crate::files::read::reader;
use crate::files::read::source::{self, Unreadable};
use crate::scheme::Feed;
use crate::store::Tx;
use crate::store::exceptions::{self, NewException};
use crate::store::files::{self, RecordedFile};

/// Takes a file in, or continues it. `retry_of` is the number of the file that is retried. Returns `None` if nothing is
/// recorded: the file is still being written, or the feed has taken it before.
pub async fn take(
    environment: &Environment,
    feed: &Feed,
    found: &Found,
    today: NaiveDate,
    retry_of: Option<i64>,
) -> Result<Option<RecordedFile>> {
    let examined = match reader::examine(&feed.delivery(found)) {
        Err(why) if source::is_changed(&why) => {
            tracing::warn!(file = found.name, "the file is still being written; the next run takes it");
            return Ok(None);
        }
        examined => examined.map_err(Unreadable::from)?,
    };
    if retry_of.is_none() {
        give_up_exchanged(environment, feed, found, &examined.sha256, today).await?;
    }
    let mut tx = environment.store.write().await?;
    if retry_of.is_none() && staying::is_settled(&mut tx, environment, feed, &found.name, &examined.sha256).await? {
        if feed.remote.is_some() {
            // The file was fetched a second time; the first copy is in the archive.
            std::fs::remove_file(&found.path)?;
        }
        return Ok(None);
    }
    let same = files::taken_with_bytes(&mut tx, feed.owner.borrowed(), feed.kind, &examined.sha256).await?;
    if let Some(file) = same.as_ref().filter(|file| file.status == FileStatus::Reading) {
        let theirs = (file.feed.as_str(), file.name.as_str());
        if theirs == (feed.name.as_str(), found.name.as_str()) {
            drop(tx);
            tracing::info!(file = found.name, after_line = file.last_line, "continuing with a partly read file");
            return reading::read(environment, feed, found, file.clone(), today).await.map(Some);
        }
    }
    let (mut file, again) = claim(&mut tx, feed, found, &examined.sha256, today).await?;
    file.retry_of = retry_of;
    let opened = match (&same, &examined.trust) {
        (Some(same), _) => {
            file.status = FileStatus::Duplicate;
            let message = format!("the same bytes as {} of {}; nothing was taken again", same.name, same.business_date);
            (file.code, file.message) = (Some(FileCode::Duplicate), Some(message));
            None
        }
        (None, Err(distrust)) => {
            file.status = FileStatus::Quarantined;
            let message = format!("{}: {}; none of its rows count", found.name, distrust.message);
            (file.code, file.message) = (Some(distrust.code), Some(message.clone()));
            Some(NewException {
                source: Source { file_no: file.file_no, line: 0 },
                ..NewException::new(distrust.code, message)
            })
        }
        (None, Ok(())) => {
            (file.code, file.message) = again.map(|message| (FileCode::NameAgain, message)).unzip();
            None
        }
    };
    exceptions::open(&mut tx, file.owner.borrowed(), today, opened.as_slice()).await?;
    arrival::note(&mut tx, feed, &file, today).await?;
    tx.commit().await?;
    if file.status == FileStatus::Reading {
        return reading::read(environment, feed, found, file, today).await.map(Some);
    }
    tracing::warn!(file = found.name, code = file.code.map(FileCode::name), "the file was not taken");
    filing::file_away(environment, file.clone(), Some(found)).await?;
    Ok(Some(file))
}

/// Gives up partly read files of this name whose sender has replaced them.
async fn give_up_exchanged(
    environment: &Environment,
    feed: &Feed,
    found: &Found,
    sha256: &str,
    today: NaiveDate,
) -> Result<()> {
    let mut tx = environment.store.read().await?;
    let named = files::named(&mut tx, &feed.name, &found.name).await?;
    drop(tx);
    for file in named.into_iter().filter(|file| file.status == FileStatus::Reading && file.sha256 != sha256) {
        filing::give_up(environment, file, today).await?;
    }
    Ok(())
}

/// Returns a new file record, and a message if a file of the same name was taken before with other bytes.
async fn claim(
    tx: &mut Tx,
    feed: &Feed,
    found: &Found,
    sha256: &str,
    today: NaiveDate,
) -> Result<(RecordedFile, Option<String>)> {
    let earlier = files::named(tx, &feed.name, &found.name).await?;
    let kept_as = free_name(tx, feed, &found.name, earlier.len() + 1).await?;
    let was_taken = |file: &&RecordedFile| matches!(file.status, FileStatus::Taken | FileStatus::Interrupted);
    let taken = earlier.iter().rev().find(was_taken).filter(|before| before.sha256 != sha256);
    let again = taken.map(|before| {
        let (name, on) = (&found.name, before.business_date);
        format!(
            "a file named {name} with other content was taken on {on}; this one is kept as {kept_as}, and its rows count by their \
             keys"
        )
    });
    let (file_no, sha256) = (files::next_number(tx).await?, sha256.to_owned());
    Ok((RecordedFile { file_no, kept_as, sha256, ..new_file(feed, found, today) }, again))
}

/// Returns the name under which the file is kept: its own name, or a numbered one if a file of that name is already
/// kept.
async fn free_name(tx: &mut Tx, feed: &Feed, name: &str, mut number: usize) -> Result<String> {
    loop {
        let free = match (number, name.rsplit_once('.')) {
            (1, _) => name.to_owned(),
            (n, Some((stem, extension))) => format!("{stem}.{n}.{extension}"),
            (n, None) => format!("{name}.{n}"),
        };
        // Names that end like a reason file are reserved for reason files.
        if !free.ends_with(filing::REASON) && !files::is_kept_as(tx, &feed.name, &free).await? {
            return Ok(free);
        }
        number += 1;
    }
}
