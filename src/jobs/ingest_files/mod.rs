//! Takes in files: finds them, makes sure of each as a whole, and records its rows chunk by chunk. Rows, the place
//! reached in the file and the lengths of the acknowledgement are one transaction, so a stop loses nothing and
//! repeats nothing.

mod arrival;
mod bills;
mod facts;
mod orders;
mod records;
mod results;
pub mod retry;
mod verdict;

use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use tokio::sync::mpsc;

use self::verdict::{Outcome, Verdict};
use super::{Done, Scheme};
use crate::clock;
use crate::config::{Feed, Merchant};
use crate::files::acknowledgement::{self, Acknowledgement, RejectsForm};
use crate::files::encoding::Encoding;
use crate::files::inbox::{self, Found};
use crate::files::incoming::Kind;
use crate::files::reader::{self, Line, Rows};
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
    // A stop may have come between recording a file and putting it away.
    for file in unfiled.into_iter().filter(|file| file.status != "reading") {
        file_away(scheme, file).await?;
    }

    for file in cut_off {
        retry::go_on(scheme, today, &file).await.with_context(|| format!("going on with {}", file.name))?;
    }

    let mut files = 0;
    let mut counts = Counts::default();
    for (feed, found) in arrived(scheme, today).await? {
        let reading = || format!("reading {} file {}", feed.kind.name(), found.path.display());
        if let Some(file) = take(scheme, feed, &found, today, None).await.with_context(reading)? {
            files += 1;
            counts.add(&file.counts);
        }
        if let (true, Ok(mut seen)) = (feed.keep, scheme.dealt_with.lock()) {
            seen.insert((found.path, found.bytes, found.modified));
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
    ]))
}

pub async fn dry_run(scheme: &Scheme, today: NaiveDate) -> Result<Vec<String>> {
    let mut would = Vec::new();
    for (feed, found) in arrived(scheme, today).await? {
        let examined = reader::examine(&found.path, feed.kind, &feed.profile)?;
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

/// Files whose day has come, in the order in which a day takes them.
async fn arrived(scheme: &Scheme, today: NaiveDate) -> Result<Vec<(&Feed, Found)>> {
    let mut all = Vec::new();
    for feed in &scheme.config.feeds {
        let looking = || format!("looking into the inbox {}", feed.folder.display());
        for found in inbox::look(&feed.folder, &feed.pattern).with_context(looking)? {
            if found.date.is_none_or(|date| date <= today) && !is_dealt_with(scheme, &found) {
                all.push((feed, found));
            }
        }
    }
    // Sorting is stable: within a kind, feeds stay in the order of the configuration and files in that of their dates.
    all.sort_by_key(|(feed, found)| (feed.kind, found.date));
    wait_for_writers(&all).await;
    all.retain(|(feed, found)| inbox::is_settled(found, feed.settle, clock::system_now()).unwrap_or(false));
    Ok(all)
}

fn is_dealt_with(scheme: &Scheme, found: &Found) -> bool {
    let seen = scheme.dealt_with.lock();
    seen.is_ok_and(|seen| seen.contains(&(found.path.clone(), found.bytes, found.modified)))
}

/// Gives files that were touched just now the time in which they must stay as they are.
async fn wait_for_writers(found: &[(&Feed, Found)]) {
    let now = clock::system_now();
    let left = found.iter().filter_map(|(feed, found)| {
        let age = now.duration_since(found.modified).unwrap_or_default();
        feed.settle.checked_sub(age)
    });
    if let Some(longest) = left.max().filter(|left| !left.is_zero()) {
        tokio::time::sleep(longest + Duration::from_millis(10)).await;
    }
}

/// Takes a file in, or goes on with it; `retry_of`: one that is tried again. None: it is one that lies where it lay before.
async fn take(
    scheme: &Scheme,
    feed: &Feed,
    found: &Found,
    today: NaiveDate,
    retry_of: Option<i64>,
) -> Result<Option<FileRow>> {
    let examined = reader::examine(&found.path, feed.kind, &feed.profile)?;
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
    let mut file = claim(&mut tx, feed, found, &examined.sha256, today).await?;
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
        (None, Ok(())) => None,
    };
    exceptions::open(&mut tx, &file.merchant_id, today, opened.as_slice()).await?;
    arrival::note(&mut tx, feed, &file, today).await?;
    inputs::save_file(&mut tx, &file).await?;
    tx.commit().await?;
    if file.status == "reading" {
        return read(scheme, feed, found, file, today).await.map(Some);
    }
    tracing::warn!(file = found.name, code = file.code, "file not taken");
    file_away(scheme, file.clone()).await?;
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

async fn claim(tx: &mut Tx, feed: &Feed, found: &Found, sha256: &str, today: NaiveDate) -> Result<FileRow> {
    // The same name came before: keep both, and let the newer have a number.
    let earlier = inputs::files_named(tx, &feed.name, &found.name).await?.len();
    let kept_as = match (earlier, found.name.rsplit_once('.')) {
        (0, _) => found.name.clone(),
        (n, Some((stem, extension))) => format!("{stem}.{}.{extension}", n + 1),
        (n, None) => format!("{}.{}", found.name, n + 1),
    };
    Ok(FileRow {
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
    })
}

async fn read(scheme: &Scheme, feed: &Feed, found: &Found, file: FileRow, today: NaiveDate) -> Result<FileRow> {
    let rows = Rows::open(&found.path, feed.kind, &feed.profile, feed.zone, file.last_line)?;
    let header = rows.header().to_vec();
    let form = RejectsForm {
        header: rows.header_as_sent().to_vec(),
        delimiter: rows.layout().delimiter,
        is_marked: feed.profile.encodings.first() != Some(&Encoding::Utf8),
    };
    let mut chunks = read_ahead(rows);
    let answers = scheme.folder(&format!("outbox/{}", feed.name))?;
    let ack = Acknowledgement::open(&answers, &file.kept_as, file.ack_bytes, file.rejects_bytes, form)?;
    let mut desk = orders::Desk::default();
    let mut tx = scheme.store.write().await?;
    let mut books = Books { scheme, feed, header: &header, today, file, ack };
    let mut decided: Option<Taken> = None;
    for taken in 1.. {
        let lines = chunks.recv().await.context("the file's reader has stopped")??;
        let finished = lines.len() < CHUNK;
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
            desk.look_up(&mut tx, merchant, &lines).await?;
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
    file_away(scheme, file.clone()).await?;
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

/// Reads and parses a file on a thread of its own, a chunk ahead of whoever decides on its rows. Only the last chunk is
/// not full.
fn read_ahead(mut rows: Rows) -> mpsc::Receiver<io::Result<Vec<Line>>> {
    let (ahead, chunks) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let lines = rows.take(CHUNK);
            let last = lines.as_ref().is_ok_and(|lines| lines.len() < CHUNK) || lines.is_err();
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

/// Publishes the answers and moves the file out of the inbox; both can be repeated.
async fn file_away(scheme: &Scheme, mut file: FileRow) -> Result<()> {
    let feed = feed_of(scheme, &file)?;
    let answers = scheme.folder(&format!("outbox/{}", feed.name))?;
    let folder = scheme.folder(&format!(
        "{}/{}",
        if file.status == "quarantined" { "quarantine" } else { "archive" },
        feed.name
    ))?;
    if file.status == "taken" {
        acknowledgement::publish(&answers, &file.kept_as, file.rejects_bytes > 0)?;
    } else {
        let (code, message) = (file.code.as_deref().unwrap_or_default(), file.message.as_deref().unwrap_or_default());
        acknowledgement::publish_refusal(&answers, &file.kept_as, &file.status, code, message)?;
    }
    let (from, keep) = retry::source(scheme, feed, &file).await?;
    inbox::file_away(&from, &folder, &file.kept_as, keep).with_context(|| format!("filing {}", file.name))?;
    file.filed = true;
    let mut tx = scheme.store.write().await?;
    inputs::save_file(&mut tx, &file).await?;
    tx.commit().await
}
