//! From a file's rows to the books: read ahead on one thread, orders decided on another, and written, chunk by chunk.
//! Rows, the place reached in the file and the lengths of its answers are one transaction.

use std::io;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use tokio::sync::mpsc;

use super::orders::{self, Desk};
use super::verdict::{self, Outcome, Verdict};
use super::{bills, facts, filing, merchant, records, results};
use crate::config::Feed;
use crate::files::acknowledgement::{Acknowledgement, RejectsForm};
use crate::files::encoding::Encoding;
use crate::files::inbox::Found;
use crate::files::incoming::Kind;
use crate::files::reader::{Line, Rows};
use crate::files::source;
use crate::jobs::Scheme;
use crate::store::inputs::{self, Counts, FileRow};
use crate::store::{Tx, exposure};

/// Rows that are decided together. Bounds memory.
const CHUNK: usize = 10_000;

/// Chunks that are committed together. Bounds what a stop throws away; each commit writes what customers owe anew, and
/// a large file names nearly all of them again and again.
const CHUNKS_A_COMMIT: i64 = 50;

/// Reads a file on from where its row stands, records what comes of each row, and puts the file away.
pub async fn read(scheme: &Scheme, feed: &Feed, found: &Found, file: FileRow, today: NaiveDate) -> Result<FileRow> {
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
    if let (0, Some(code), Some(message)) = (file.ack_bytes, &file.code, &file.message) {
        ack.row(0, "", "taken", code, message)?;
    }
    let mut desk = match feed.kind {
        Kind::Orders => Some(Desk::of(scheme, merchant(scheme, feed)?, &file, &header, today)),
        _ => None,
    };
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
        if let Some(mut at_work) = desk.take() {
            if at_work.is_full() {
                if let Some(mut taken) = decided.take() {
                    taken.owed.extend(at_work.owed());
                    tx = books.write(tx, taken).await?;
                }
                at_work.clear();
            }
            at_work.look_up(&mut tx, &lines, finished).await?;
            // While a chunk is written, the next one is decided on another thread.
            let deciding = tokio::task::spawn_blocking(move || {
                let decisions = at_work.decide(&lines);
                (at_work, lines, decisions)
            });
            let writing = async {
                match decided.take() {
                    Some(taken) => books.write(tx, taken).await,
                    None => Ok(tx),
                }
            };
            let (written, answered) = tokio::join!(writing, deciding);
            tx = written?;
            let (mut at_work, lines, decisions) = answered.context("deciding on orders has stopped")?;
            let owed = if ends == Ends::Nothing { Vec::new() } else { at_work.owed() };
            decided = Some(Taken { lines, decisions: Some(decisions?), owed, ends });
            desk = Some(at_work);
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

/// Rows of a file that are decided together.
pub(super) struct Chunk<'a> {
    pub file: &'a FileRow,
    pub header: &'a [String],
    pub lines: &'a [Line],
    pub today: NaiveDate,
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
