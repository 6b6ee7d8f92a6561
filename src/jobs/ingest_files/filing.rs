//! Puts finished files away: publishes their answers, writes a reason beside quarantined files, and moves the files.
//! Every step can be repeated after an interruption.

use anyhow::{Context, Result};
use chrono::NaiveDate;

use super::feeds::feed_of;
use super::origin;
use crate::books::environment::{Environment, made};
use crate::books::remote;
use crate::domain::facts::source::Source;
use crate::domain::intake::code::FileCode;
use crate::domain::intake::status::FileStatus;
use crate::domain::words::count;
use crate::files::inbox::{self, Filing, Found, Known};
use crate::files::{acknowledgement, atomic};
use crate::store::exceptions::{self, NewException};
use crate::store::files::{self, RecordedFile};

/// Continues after an interruption between recording files and putting them away, and gives up partly read files that
/// are gone from the inbox.
pub async fn finish(environment: &Environment, unfiled: Vec<RecordedFile>, today: NaiveDate) -> Result<()> {
    // Retried files are not in the inbox.
    for file in unfiled.into_iter().filter(|file| file.status != FileStatus::Reading || file.retry_of.is_none()) {
        let feed = feed_of(environment, &file)?;
        if file.status != FileStatus::Reading {
            file_away(environment, file, None).await?;
        } else if feed.folder.is_dir() && std::fs::symlink_metadata(feed.folder.join(&file.name)).is_err() {
            give_up(environment, file, today).await?;
        }
    }
    Ok(())
}

/// Ends a partly read file that its sender replaced or removed. The rows read so far count.
pub async fn give_up(environment: &Environment, mut file: RecordedFile, today: NaiveDate) -> Result<()> {
    let rows = file.counts.rows;
    let message = format!(
        "{} was replaced or removed while it was being read: {} counted before that, and no other row was read; send it \
         again: rows that already count change nothing",
        file.name,
        count(rows, "row")
    );
    tracing::warn!(file = file.name, code = FileCode::Changed.name(), rows, "the file was not read to its end");
    file.status = FileStatus::Interrupted;
    (file.code, file.message) = (Some(FileCode::Changed), Some(message.clone()));
    let mut tx = environment.store.write().await?;
    exceptions::open(&mut tx, file.owner.borrowed(), today, &[about(&file, message)]).await?;
    files::save(&mut tx, &file).await?;
    tx.commit().await?;
    file_away(environment, file, None).await
}

/// Publishes the answers and moves the file out of the inbox. `found` is the file if it was read in this run.
pub async fn file_away(environment: &Environment, mut file: RecordedFile, found: Option<&Found>) -> Result<()> {
    let feed = feed_of(environment, &file)?;
    let answers = made(environment.scheme.home.outbox(&feed.name))?;
    let home = &environment.scheme.home;
    let is_quarantined = file.status == FileStatus::Quarantined;
    let folder = if is_quarantined { home.quarantine(&feed.name) } else { home.archive(&feed.name) };
    let folder = made(folder)?;
    let (code, message) = (file.code, file.message.as_deref().unwrap_or_default());
    match file.status {
        FileStatus::Taken => acknowledgement::publish(&answers, &file.kept_as, file.rejects_bytes > 0)?,
        FileStatus::Interrupted => {
            let lengths = (file.ack_bytes, file.rejects_bytes);
            acknowledgement::publish_interrupted(&answers, &file.kept_as, lengths, code, message)?;
        }
        status @ (FileStatus::Reading | FileStatus::Duplicate | FileStatus::Quarantined) => {
            acknowledgement::publish_refusal(&answers, &file.kept_as, status, code, message)?;
        }
    }
    remote::queue_answers(environment, feed, &answers, &file.kept_as)?;
    if file.status == FileStatus::Quarantined {
        atomic::write(&folder.join(format!("{}{REASON}", file.kept_as)), reason(&file).as_bytes())?;
    }
    let mut opened = Vec::new();
    if file.status != FileStatus::Interrupted {
        let (from, keep) = origin::source(environment, feed, &file).await?;
        let done = feed.done.as_deref().filter(|_| file.retry_of.is_none());
        let filing = Filing { from: &from, folder: &folder, name: &file.kept_as, keep, done };
        let known = found.map_or(Known::Sha256(&file.sha256), |found| Known::Seen(&found.seen));
        let filed = inbox::file_away(&filing, known).with_context(|| {
            let folder = feed.folder.display();
            format!("filing {}: paylater must be allowed to move files out of {folder}", file.name)
        })?;
        if !filed {
            let name = &file.name;
            let message = format!(
                "{name} was {}, but its sender removed or replaced it before it was moved out of the inbox",
                file.status
            );
            tracing::warn!(
                file = file.name,
                code = FileCode::Changed.name(),
                "the file could not be moved out of the inbox"
            );
            opened.push(about(&file, message));
        }
    }
    file.filed = true;
    let mut tx = environment.store.write().await?;
    exceptions::open(&mut tx, file.owner.borrowed(), file.business_date, &opened).await?;
    files::save(&mut tx, &file).await?;
    tx.commit().await
}

/// The ending of reason files' names.
pub const REASON: &str = ".reason.txt";

/// Returns the text of the reason file beside a quarantined file, which says why the file is there.
fn reason(file: &RecordedFile) -> String {
    let (code, message) = (file.code.map_or("", FileCode::name), file.message.as_deref().unwrap_or_default());
    let RecordedFile { name, feed, sha256, business_date, .. } = file;
    format!(
        "file: {name}\nfeed: {feed}\nbusiness date: {business_date}\nsha256: {sha256}\ncode: {code}\nreason: {message}\n\
         what to do: have it corrected and send it again, under the same name or another\n"
    )
}

fn about(file: &RecordedFile, message: String) -> NewException {
    let source = Source { file_no: file.file_no, line: 0 };
    NewException { source, ..NewException::new(FileCode::Changed, message) }
}
