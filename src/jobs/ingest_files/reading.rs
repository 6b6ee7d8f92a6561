//! Reads a file's rows into the books. One thread reads ahead, another decides orders and writes answers, and the
//! results are recorded chunk by chunk. The rows, the position in the file and the lengths of its answers are written
//! in one transaction.

use std::io;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use chrono_tz::Tz;
use tokio::sync::mpsc;

use super::answers::{Answers, Place};
use super::chunk::Chunk;
use super::feeds::merchant;
use super::orders::{Decisions, OrderIntake};
use super::outcome::{Noted, Outcome};
use super::{arrival, bills, corrections, delivery_failures, facts, filing, records, results};
use crate::books::environment::{Environment, made};
use crate::domain::intake::status::FileStatus;
use crate::domain::words::count;
use crate::files::acknowledgement::{Acknowledgement, RejectsForm};
use crate::files::inbox::Found;
use crate::files::read::encoding::Encoding;
use crate::files::read::reader::{Line, Rows};
use crate::files::read::source::{self, Unreadable};
use crate::files::rows::Kind;
use crate::scheme::Feed;
use crate::store::files::{self, RecordedFile};
use crate::store::{Tx, exposure};

/// Reads a file from its recorded position, records the outcome of each row, and files the file away.
pub async fn read(
    environment: &Environment,
    feed: &Feed,
    found: &Found,
    file: RecordedFile,
    today: NaiveDate,
) -> Result<RecordedFile> {
    let rows = Rows::open(&feed.delivery(found), file.last_line).map_err(Unreadable::from)?;
    let header = rows.header().to_vec();
    let form = RejectsForm {
        header: rows.header_as_sent().to_vec(),
        delimiter: rows.layout().delimiter,
        is_marked: feed.profile.encodings.first() != Some(&Encoding::Utf8),
    };
    let chunks = read_ahead(rows, &found.name, environment.store.rows_at_once(), environment.scheme.commit_rows);
    let folder = made(environment.scheme.home.outbox(&feed.name))?;
    let mut ack = Acknowledgement::open(&folder, &file.kept_as, file.ack_bytes, file.rejects_bytes, form)?;
    if let (0, Some(code), Some(message)) = (file.ack_bytes, file.code, &file.message) {
        ack.about_file(FileStatus::Taken, Some(code), message)?;
    }
    let answers = Answers::new(ack, &file);
    let clerk = Clerk {
        cover: Cover { kind: feed.kind, file: file.clone(), header, today, zone: environment.scheme.zone },
        answers,
    };
    let books = Books { environment, feed, today, file };
    let file = if feed.kind == Kind::Orders {
        let intake = OrderIntake::of(environment, merchant(environment, feed)?);
        take_in_orders(books, chunks, clerk, intake).await?
    } else {
        take_in(books, chunks, clerk).await?
    };
    filing::file_away(environment, file.clone(), Some(found)).await?;
    tracing::debug!(file = file.name, rows = file.counts.rows, "file taken in");
    Ok(file)
}

/// Reads rows that are decided in the same transaction that records them.
async fn take_in(mut books: Books<'_>, mut chunks: Chunks<'_>, mut clerk: Clerk) -> Result<RecordedFile> {
    let mut tx = books.environment.store.write().await?;
    loop {
        let (lines, ends) = chunks.next().await?;
        let outcomes = decide(&mut tx, books.environment, books.feed, &clerk.cover.chunk(&lines)).await?;
        let done = clerk.answer(&lines, &outcomes, ends)?;
        chunks.give_back(lines);
        tx = books.write(tx, done).await?;
        if ends == Ends::File {
            return Ok(books.file);
        }
    }
}

/// Reads orders. They are decided on a separate thread while the chunk before is being written.
async fn take_in_orders(
    mut books: Books<'_>,
    mut chunks: Chunks<'_>,
    mut clerk: Clerk,
    mut intake: OrderIntake,
) -> Result<RecordedFile> {
    let mut tx = books.environment.store.write().await?;
    let (mut lines, mut ends) = chunks.next().await?;
    intake.prepare(&lines);
    let mut decided: Option<Done> = None;
    loop {
        if intake.is_full() {
            if let Some(mut done) = decided.take() {
                done.owed.extend(intake.owed());
                tx = books.write(tx, done).await?;
            }
            intake.clear();
            intake.prepare(&lines);
        }
        intake.look_up(&mut tx, &lines, ends == Ends::File).await?;
        let coming = if ends == Ends::File { None } else { Some(chunks.next().await?) };
        let deciding = tokio::task::spawn_blocking(move || {
            let done = decide_orders(&mut intake, &mut clerk, &lines, ends);
            if let Some((lines, _)) = &coming {
                intake.prepare(lines);
            }
            (intake, clerk, done, lines, coming)
        });
        let writing = async {
            match decided.take() {
                Some(done) => books.write(tx, done).await,
                None => Ok(tx),
            }
        };
        let (written, answered) = tokio::join!(writing, deciding);
        tx = written?;
        let (done, coming);
        (intake, clerk, done, lines, coming) = answered.context("deciding on orders has stopped")?;
        chunks.give_back(lines);
        let done = done?;
        let Some(next) = coming else {
            books.write(tx, done).await?;
            return Ok(books.file);
        };
        (lines, ends) = next;
        decided = Some(done);
    }
}

fn decide_orders(intake: &mut OrderIntake, clerk: &mut Clerk, lines: &[Line], ends: Ends) -> Result<Done> {
    let (outcomes, decisions) = intake.decide(&clerk.cover.chunk(lines))?;
    let mut done = clerk.answer(lines, &outcomes, ends)?;
    done.decisions = Some(decisions);
    if ends != Ends::Nothing {
        done.owed = intake.owed();
    }
    Ok(done)
}

/// What a chunk completes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Nothing,
    Commit,
    File,
}

/// Writes the answers to decided rows. It needs no store.
struct Clerk {
    cover: Cover,
    answers: Answers,
}

/// The context that all chunks of a file share.
struct Cover {
    kind: Kind,
    /// The record as it was when reading began.
    file: RecordedFile,
    /// The column names under which the file's rows are parsed.
    header: Vec<String>,
    today: NaiveDate,
    /// The zone of the scheme.
    zone: Tz,
}

impl Cover {
    fn chunk<'a>(&'a self, lines: &'a [Line]) -> Chunk<'a> {
        let Cover { kind, file, header, today, zone } = self;
        Chunk { kind: *kind, file, header, lines, today: *today, zone: *zone }
    }
}

impl Clerk {
    fn answer(&mut self, lines: &[Line], outcomes: &[Outcome], ends: Ends) -> Result<Done> {
        ensure!(outcomes.len() == lines.len(), "{} rows got {} outcomes", lines.len(), outcomes.len());
        let chunk = self.cover.chunk(lines);
        let noted = Noted::of(&chunk, outcomes);
        self.answers.give(&chunk, outcomes)?;
        if ends != Ends::Nothing {
            self.answers.bring_to_disk()?;
        }
        Ok(Done { decisions: None, noted, place: self.answers.place, owed: Vec::new(), ends })
    }
}

/// A decided chunk that is not recorded yet.
struct Done {
    /// The decisions on orders. Other kinds are written as they are decided.
    decisions: Option<Decisions>,
    noted: Noted,
    place: Place,
    /// How much more each customer owes.
    owed: Vec<(String, i64)>,
    ends: Ends,
}

/// Records decided chunks.
struct Books<'a> {
    environment: &'a Environment,
    feed: &'a Feed,
    today: NaiveDate,
    file: RecordedFile,
}

impl Books<'_> {
    /// Records a chunk. Returns the same transaction, or a new one after a commit.
    async fn write(&mut self, mut tx: Tx, done: Done) -> Result<Tx> {
        let Books { environment, feed, today, file } = self;
        let Done { decisions, noted, place, owed, ends } = done;
        if let Some(decisions) = decisions {
            decisions.write(&mut tx, environment, merchant(environment, feed)?, *today).await?;
        }
        noted.write(&mut tx, file.owner.borrowed(), *today).await?;
        if !feed.kind.is_of_scheme() && feed.kind != Kind::Corrections {
            corrections::try_again(&mut tx, environment, merchant(environment, feed)?, *today).await?;
        }
        place.note(file);
        (environment.progress)(&format!("{today} {}: {}", file.name, count(file.counts.rows, "row")));
        let owed: Vec<(&str, i64)> = owed.iter().map(|(customer, minor)| (customer.as_str(), *minor)).collect();
        if let Some(merchant) = file.owner.merchant() {
            exposure::add(&mut tx, merchant, &owed).await?;
        }
        if ends == Ends::File {
            ensure!(file.counts.adds_up(), "the outcomes of {} don't add up to its rows: {:?}", file.name, file.counts);
            file.status = FileStatus::Taken;
            arrival::judge(&mut tx, feed, file, *today).await?;
        }
        if ends != Ends::Nothing {
            files::save(&mut tx, file).await?;
            tx.commit().await?;
            environment.keep_going()?;
            tx = environment.store.write().await?;
        }
        Ok(tx)
    }
}

async fn decide(tx: &mut Tx, environment: &Environment, feed: &Feed, chunk: &Chunk<'_>) -> Result<Vec<Outcome>> {
    match chunk.kind {
        Kind::Customers => records::customers(tx, environment, chunk).await,
        Kind::Agreements => records::agreements(tx, environment, chunk).await,
        Kind::DeliveryFailures => delivery_failures::decide(tx, chunk).await,
        Kind::Orders => bail!("orders are decided at their intake"),
        Kind::DebitResults | Kind::PayoutResults => {
            results::decide(tx, environment, merchant(environment, feed)?, chunk).await
        }
        Kind::Bills => bills::decide(tx, environment, merchant(environment, feed)?, chunk).await,
        Kind::Corrections => corrections::decide(tx, environment, merchant(environment, feed)?, chunk).await,
        Kind::Fulfilments
        | Kind::Holds
        | Kind::Extensions
        | Kind::Payments
        | Kind::Refunds
        | Kind::Chargebacks
        | Kind::Waivers => facts::decide(tx, environment, merchant(environment, feed)?, chunk).await,
    }
}

/// Adds advice to the error of a file that changed while it was read.
fn explained(why: io::Error, name: &str) -> anyhow::Error {
    let changed = source::is_changed(&why);
    let why = anyhow::Error::new(Unreadable::from(why));
    if !changed {
        return why;
    }
    why.context(format!(
        "{name} changed while it was being read: senders must write a file under a name that ends in .part, and rename it \
         when it is complete; the next run reads the file from its beginning"
    ))
}

/// A file's chunks, read ahead.
struct Chunks<'a> {
    ahead: mpsc::Receiver<io::Result<(Vec<Line>, Ends)>>,
    /// Answered chunks, returned to the reader for reuse.
    spent: std::sync::mpsc::Sender<Vec<Line>>,
    file: &'a str,
}

impl Chunks<'_> {
    async fn next(&mut self) -> Result<(Vec<Line>, Ends)> {
        let chunk = self.ahead.recv().await.context("the file's reader has stopped")?;
        chunk.map_err(|why| explained(why, self.file))
    }

    /// Returns answered rows to the reader for reuse.
    fn give_back(&self, lines: Vec<Line>) {
        // The send fails if the reader has already reached the end of the file.
        self.spent.send(lines).ok();
    }
}

/// Reads and parses a file on a separate thread, one chunk ahead of the decisions.
fn read_ahead(mut rows: Rows, file: &str, chunk: usize, commit_rows: usize) -> Chunks<'_> {
    let (ahead, chunks) = mpsc::channel(1);
    let (spent, back) = std::sync::mpsc::channel();
    tokio::task::spawn_blocking(move || {
        let mut uncommitted = 0;
        loop {
            back.try_iter().for_each(|lines| rows.give_back(lines));
            let lines = rows.take(chunk.min(commit_rows));
            uncommitted += lines.as_ref().map_or(0, Vec::len);
            let ends = if rows.is_finished() || lines.is_err() {
                Ends::File
            } else if uncommitted >= commit_rows {
                uncommitted = 0;
                Ends::Commit
            } else {
                Ends::Nothing
            };
            if ahead.blocking_send(lines.map(|lines| (lines, ends))).is_err() || ends == Ends::File {
                break;
            }
        }
    });
    Chunks { ahead: chunks, spent, file }
}
