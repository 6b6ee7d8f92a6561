//! Takes in files: finds them, makes sure of each as a whole, and records its rows chunk by chunk. Rows, the place
//! reached in the file and the lengths of the acknowledgement are one transaction, so a stop loses nothing and
//! repeats nothing.

mod arrival;
mod bills;
mod facts;
mod filing;
mod inboxes;
mod orders;
mod records;
mod results;
pub mod retry;
mod verdict;

use std::io;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use tokio::sync::mpsc;

use self::verdict::{Outcome, Verdict};
use super::{Done, Scheme};
use crate::config::{Feed, Merchant};
use crate::files::acknowledgement::{Acknowledgement, RejectsForm};
use crate::files::encoding::Encoding;
use crate::files::inbox::Found;
use crate::files::incoming::Kind;
use crate::files::reader::{self, Line, Rows};
use crate::files::source;
use crate::store::inputs::{self, Counts, FileRow};
use crate::store::{Tx, exceptions, exposure};

/// Rows that are decided together. Bounds memory.
const CHUNK: usize = 10_000;

/// Chunks that are committed together. Bounds what a stop throws away; each commit writes what customers owe anew, and
/// a large file names nearly all of them again and again.
const CHUNKS_A_COMMIT: i64 = 50;

pub async fn run(scheme: &Scheme, today: NaiveDate) -> Result<Done> {
    let mut tx = scheme.store.read().await?;
    let unfiled = inputs::unfiled(&mut tx).await?;
    let cut_off = retry::cut_off(&mut tx).await?;
    scheme.check_policy_versions(&mut tx).await?;
    scheme.config.check_calendars(today)?;
    drop(tx);
    filing::finish(scheme, unfiled, today).await?;

    for file in cut_off {
        retry::go_on(scheme, today, &file).await.with_context(|| format!("going on with {}", file.name))?;
    }

    let mut files = 0;
    let mut counts = Counts::default();
    let arrived = inboxes::look(scheme, today).await?;
    let refused = inboxes::report(scheme, &arrived.refused, today).await?;
    for (feed, found) in arrived.files {
        let reading = || format!("reading {} file {}", feed.kind.name(), found.path.display());
        if let Some(file) = take(scheme, feed, &found, today, None).await.with_context(reading)? {
            files += 1;
            counts.add(&file.counts);
        }
        if let (true, Ok(mut seen)) = (feed.keep, scheme.dealt_with.lock()) {
            seen.insert((found.path, found.seen));
        }
    }
    Ok(Done(vec![
        ("files", files),
        ("rows", counts.rows),
        ("accepted", counts.accepted),
        ("declined", counts.declined),
        ("duplicate", counts.duplicate),
        ("conflict", counts.conflict),
        ("pending", counts.pending),
        ("rejected", counts.rejected),
        ("refused", refused),
    ]))
}

pub async fn dry_run(scheme: &Scheme, today: NaiveDate) -> Result<Vec<String>> {
    let arrived = inboxes::look(scheme, today).await?;
    let mut would: Vec<String> =
        arrived.refused.iter().map(|(_, refused)| format!("{}: {}", refused.name, refused.why)).collect();
    for (feed, found) in arrived.files {
        let examined = match reader::examine(&feed.delivery(&found)) {
            Err(why) if source::is_changed(&why) => continue,
            examined => examined?,
        };
        let mut tx = scheme.store.read().await?;
        if is_settled_matter(&mut tx, feed, &found, &examined.sha256).await? {
            continue;
        }
        let taken = inputs::file_with_bytes(&mut tx, merchant_of(feed), feed.kind.name(), &examined.sha256).await?;
        would.push(match (taken, &examined.trust) {
            (Some(file), _) if file.status == "taken" => {
                format!(
                    "{}: the same bytes as {}, taken on {}; nothing to do",
                    found.name, file.name, file.business_date
                )
            }
            (_, Err(distrust)) => format!("{}: would be quarantined: {}", found.name, distrust.message),
            (_, Ok(())) => format!("{}: {} would be read for feed {}", found.name, feed.kind.name(), feed.name),
        });
    }
    Ok(would)
}

/// Takes a file in, or goes on with it; `retry_of`: one that is tried again. None: it is one that lies where it lay before.
async fn take(
    scheme: &Scheme,
    feed: &Feed,
    found: &Found,
    today: NaiveDate,
    retry_of: Option<i64>,
) -> Result<Option<FileRow>> {
    let examined = match reader::examine(&feed.delivery(found)) {
        Err(why) if source::is_changed(&why) => {
            tracing::warn!(file = found.name, "still being written to; left for the next run");
            return Ok(None);
        }
        examined => examined?,
    };
    if retry_of.is_none() {
        give_up_exchanged(scheme, feed, found, &examined.sha256, today).await?;
    }
    let mut tx = scheme.store.write().await?;
    if retry_of.is_none() && is_settled_matter(&mut tx, feed, found, &examined.sha256).await? {
        return Ok(None);
    }
    let same = inputs::file_with_bytes(&mut tx, merchant_of(feed), feed.kind.name(), &examined.sha256).await?;
    if let Some(file) = same.as_ref().filter(|file| file.status == "reading") {
        let theirs = (file.feed.as_str(), file.name.as_str());
        if theirs == (feed.name.as_str(), found.name.as_str()) {
            drop(tx);
            tracing::info!(file = found.name, after_line = file.last_line, "going on with a file");
            return read(scheme, feed, found, file.clone(), today).await.map(Some);
        }
    }
    let (mut file, again) = claim(&mut tx, feed, found, &examined.sha256, today).await?;
    file.retry_of = retry_of;
    let opened = match (&same, &examined.trust) {
        (Some(same), _) => {
            file.status = "duplicate".to_owned();
            let message = format!("the same bytes as {} of {}; nothing was taken again", same.name, same.business_date);
            (file.code, file.message) = (Some("FILE_DUPLICATE".to_owned()), Some(message));
            None
        }
        (None, Err(distrust)) => {
            file.status = "quarantined".to_owned();
            let message = format!("{}: {}; none of its rows count", found.name, distrust.message);
            (file.code, file.message) = (Some(distrust.code.to_owned()), Some(message.clone()));
            Some(exceptions::NewException {
                code: distrust.code.to_owned(),
                source: crate::domain::order::Source { file_no: file.file_no, line: 0 },
                message,
                ..exceptions::NewException::default()
            })
        }
        (None, Ok(())) => {
            (file.code, file.message) = again.map(|message| ("FILE_NAME_AGAIN".to_owned(), message)).unzip();
            None
        }
    };
    exceptions::open(&mut tx, &file.merchant_id, today, opened.as_slice()).await?;
    arrival::note(&mut tx, feed, &file, today).await?;
    inputs::save_file(&mut tx, &file).await?;
    tx.commit().await?;
    if file.status == "reading" {
        return read(scheme, feed, found, file, today).await.map(Some);
    }
    tracing::warn!(file = found.name, code = file.code, "file not taken");
    filing::file_away(scheme, file.clone(), Some(found)).await?;
    Ok(Some(file))
}

/// A feed that keeps its files shows each again every day; those that were dealt with are no news.
async fn is_settled_matter(tx: &mut Tx, feed: &Feed, found: &Found, sha256: &str) -> Result<bool> {
    if !feed.keep {
        return Ok(false);
    }
    let named = inputs::files_named(tx, &feed.name, &found.name).await?;
    Ok(named.iter().any(|file| file.sha256 == sha256 && file.filed))
}

/// Lets go of a file that was half read when another was put in its place.
async fn give_up_exchanged(scheme: &Scheme, feed: &Feed, found: &Found, sha256: &str, today: NaiveDate) -> Result<()> {
    let mut tx = scheme.store.read().await?;
    let named = inputs::files_named(&mut tx, &feed.name, &found.name).await?;
    drop(tx);
    for file in named.into_iter().filter(|file| file.status == "reading" && file.sha256 != sha256) {
        filing::give_up(scheme, file, today).await?;
    }
    Ok(())
}

/// A file's row; and if one of its name was taken before, what to say about it.
async fn claim(
    tx: &mut Tx,
    feed: &Feed,
    found: &Found,
    sha256: &str,
    today: NaiveDate,
) -> Result<(FileRow, Option<String>)> {
    let earlier = inputs::files_named(tx, &feed.name, &found.name).await?;
    let kept_as = free_name(tx, feed, &found.name, earlier.len() + 1).await?;
    let was_taken = |file: &&FileRow| matches!(file.status.as_str(), "taken" | "interrupted");
    let taken = earlier.iter().rev().find(was_taken).filter(|before| before.sha256 != sha256);
    let again = taken.map(|before| {
        let (name, on) = (&found.name, before.business_date);
        format!(
            "{name} came before, on {on}, with other bytes; this one is kept as {kept_as}, its rows count by their keys"
        )
    });
    let file = FileRow {
        file_no: inputs::next_file_no(tx).await?,
        feed: feed.name.clone(),
        kind: feed.kind.name().to_owned(),
        provider: feed.provider().to_owned(),
        merchant_id: merchant_of(feed).to_owned(),
        name: found.name.clone(),
        kept_as,
        sha256: sha256.to_owned(),
        business_date: today,
        dated_on: found.date,
        number: found.number,
        retry_of: None,
        status: "reading".to_owned(),
        filed: false,
        code: None,
        message: None,
        last_line: 0,
        ack_bytes: 0,
        rejects_bytes: 0,
        counts: Counts::default(),
    };
    Ok((file, again))
}

/// The name that a file is kept under: its own, or with a number if one of that name is there, so that both are kept.
async fn free_name(tx: &mut Tx, feed: &Feed, name: &str, mut number: usize) -> Result<String> {
    loop {
        let free = match (number, name.rsplit_once('.')) {
            (1, _) => name.to_owned(),
            (n, Some((stem, extension))) => format!("{stem}.{n}.{extension}"),
            (n, None) => format!("{name}.{n}"),
        };
        // A name like that of a reason is left to the reason.
        if !free.ends_with(filing::REASON) && !inputs::is_kept_as(tx, &feed.name, &free).await? {
            return Ok(free);
        }
        number += 1;
    }
}

async fn read(scheme: &Scheme, feed: &Feed, found: &Found, file: FileRow, today: NaiveDate) -> Result<FileRow> {
    let rows = Rows::open(&feed.delivery(found), file.last_line)?;
    let header = rows.header().to_vec();
    let form = RejectsForm {
        header: rows.header_as_sent().to_vec(),
        delimiter: rows.layout().delimiter,
        is_marked: feed.profile.encodings.first() != Some(&Encoding::Utf8),
    };
    let mut chunks = read_ahead(rows);
    let answers = scheme.folder(&format!("outbox/{}", feed.name))?;
    let mut ack = Acknowledgement::open(&answers, &file.kept_as, file.ack_bytes, file.rejects_bytes, form)?;
    let mut desk = orders::Desk::default();
    if let (0, Some(code), Some(message)) = (file.ack_bytes, &file.code, &file.message) {
        ack.row(0, "", "taken", code, message)?;
    }
    let mut tx = scheme.store.write().await?;
    let mut books = Books { scheme, feed, header: &header, today, file, ack };
    let mut decided: Option<Taken> = None;
    for taken in 1.. {
        let chunk = chunks.recv().await.context("the file's reader has stopped")?;
        let (lines, finished) = chunk.map_err(|why| explained(why, &found.name))?;
        let ends = match taken % CHUNKS_A_COMMIT {
            _ if finished => Ends::File,
            0 => Ends::Commit,
            _ => Ends::Nothing,
        };
        if feed.kind == Kind::Orders {
            if desk.is_full() {
                if let Some(mut taken) = decided.take() {
                    taken.owed.extend(desk.owed());
                    tx = books.write(tx, taken).await?;
                }
                desk.clear();
            }
            let merchant = merchant(scheme, feed)?;
            desk.look_up(&mut tx, merchant, &lines, finished).await?;
            let file = books.file.clone();
            let chunk = Chunk { file: &file, header: &header, lines: &lines, today };
            // While a chunk is written, the next one is decided.
            let writing = async {
                match decided.take() {
                    Some(taken) => books.write(tx, taken).await,
                    None => Ok(tx),
                }
            };
            let (written, decisions) = tokio::join!(writing, desk.decide(scheme, merchant, &chunk));
            tx = written?;
            let decisions = Some(decisions?);
            let owed = if ends == Ends::Nothing { Vec::new() } else { desk.owed() };
            decided = Some(Taken { lines, decisions, owed, ends });
        } else {
            tx = books.write(tx, Taken { lines, decisions: None, owed: Vec::new(), ends }).await?;
        }
        if finished {
            break;
        }
    }
    if let Some(taken) = decided {
        tx = books.write(tx, taken).await?;
    }
    drop(tx);
    let file = books.file;
    filing::file_away(scheme, file.clone(), Some(found)).await?;
    tracing::debug!(file = file.name, rows = file.counts.rows, "file taken in");
    Ok(file)
}

/// A chunk on its way into the books.
struct Taken {
    lines: Vec<Line>,
    /// Orders are decided before; everything else is decided as it is written.
    decisions: Option<orders::Decisions>,
    /// What customers owe more.
    owed: Vec<(String, i64)>,
    ends: Ends,
}

/// What a chunk is the last of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Nothing,
    Commit,
    File,
}

/// Where the chunks of a file are written: the store and the answers, step by step together.
struct Books<'a> {
    scheme: &'a Scheme,
    feed: &'a Feed,
    header: &'a [String],
    today: NaiveDate,
    file: FileRow,
    ack: Acknowledgement,
}

impl Books<'_> {
    /// Gives back the transaction, or the next one after a commit.
    async fn write(&mut self, mut tx: Tx, taken: Taken) -> Result<Tx> {
        let Books { scheme, feed, header, today, file, ack } = self;
        let Taken { lines, decisions, owed, ends } = taken;
        let chunk = Chunk { file, header, lines: &lines, today: *today };
        let verdicts = match decisions {
            None => decide(&mut tx, scheme, feed, &chunk).await?,
            Some(decisions) => {
                decisions.write(&mut tx, scheme, merchant(scheme, feed)?, *today).await?;
                decisions.verdicts
            }
        };
        ensure!(verdicts.len() == lines.len(), "{} rows got {} outcomes", lines.len(), verdicts.len());
        verdict::record(&mut tx, feed.kind, &chunk, &verdicts).await?;
        acknowledge(ack, &lines, &verdicts, &mut file.counts)?;
        file.last_line = lines.last().map_or(file.last_line, |line| line.number);
        (scheme.progress)(&format!("{today} {}: {} rows", file.name, file.counts.rows));
        let owed: Vec<(&str, i64)> = owed.iter().map(|(customer, minor)| (customer.as_str(), *minor)).collect();
        exposure::add(&mut tx, &file.merchant_id, &owed).await?;
        if ends == Ends::File {
            ensure!(file.counts.adds_up(), "the outcomes of {} don't add up to its rows: {:?}", file.name, file.counts);
            file.status = "taken".to_owned();
        }
        if ends != Ends::Nothing {
            (file.ack_bytes, file.rejects_bytes) = ack.checkpoint()?;
            inputs::save_file(&mut tx, file).await?;
            tx.commit().await?;
            tx = scheme.store.write().await?;
        }
        Ok(tx)
    }
}

/// What to do about a file that changes while it is read.
fn explained(why: io::Error, name: &str) -> anyhow::Error {
    let changed = source::is_changed(&why);
    let why = anyhow::Error::new(why);
    if !changed {
        return why;
    }
    why.context(format!(
        "{name} must not be written to any more when it lies in the inbox: write it under a name that ends in .part and \
         rename it; the next run begins with it as it is then"
    ))
}

/// Reads and parses a file on a thread of its own, a chunk ahead of whoever decides on its rows. Each comes with
/// whether it is the last.
fn read_ahead(mut rows: Rows) -> mpsc::Receiver<io::Result<(Vec<Line>, bool)>> {
    let (ahead, chunks) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let lines = rows.take(CHUNK).map(|lines| (lines, rows.is_finished()));
            let last = lines.as_ref().map_or(true, |(_, finished)| *finished);
            if ahead.blocking_send(lines).is_err() || last {
                break;
            }
        }
    });
    chunks
}

/// Rows of a file that are decided together.
struct Chunk<'a> {
    file: &'a FileRow,
    header: &'a [String],
    lines: &'a [Line],
    today: NaiveDate,
}

async fn decide(tx: &mut Tx, scheme: &Scheme, feed: &Feed, chunk: &Chunk<'_>) -> Result<Vec<Verdict>> {
    match feed.kind {
        Kind::Customers => records::customers(tx, chunk).await,
        Kind::Agreements => records::agreements(tx, scheme, chunk).await,
        Kind::Orders => bail!("orders are decided at their desk"),
        Kind::DebitResults | Kind::PayoutResults => {
            results::decide(tx, scheme, merchant(scheme, feed)?, feed.kind, chunk).await
        }
        Kind::Bills => bills::decide(tx, scheme, merchant(scheme, feed)?, chunk).await,
        _ => facts::decide(tx, scheme, merchant(scheme, feed)?, feed.kind, chunk).await,
    }
}

fn feed_of<'s>(scheme: &'s Scheme, file: &FileRow) -> Result<&'s Feed> {
    let feed = scheme.config.feeds.iter().find(|feed| feed.name == file.feed);
    feed.with_context(|| format!("{} came by feed {}, which is no longer configured", file.name, file.feed))
}

fn merchant_of(feed: &Feed) -> &str {
    feed.merchant.as_deref().unwrap_or_default()
}

fn merchant<'s>(scheme: &'s Scheme, feed: &Feed) -> Result<&'s Merchant> {
    scheme.config.merchant(merchant_of(feed)).with_context(|| format!("feed {} has no merchant", feed.name))
}

fn acknowledge(ack: &mut Acknowledgement, lines: &[Line], verdicts: &[Verdict], counts: &mut Counts) -> Result<()> {
    for (line, verdict) in lines.iter().zip(verdicts) {
        let (code, message) = verdict.outcome.code_and_message();
        ack.row(line.number, &verdict.key, verdict.outcome.name(), code, message)?;
        if let Outcome::Rejected { .. } = verdict.outcome {
            ack.reject(&line.cells, code, message, counts.rejected == 0)?;
        }
        verdict.outcome.count(counts);
    }
    Ok(())
}
