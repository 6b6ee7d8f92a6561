//! The answers to a file's sender: the outcome of every row, and the rejected rows to correct.

use anyhow::Result;

use super::chunk::Chunk;
use super::outcome::{Outcome, key};
use crate::files::acknowledgement::Acknowledgement;
use crate::store::files::{Counts, RecordedFile};

/// The answers to a file, as they are written.
pub struct Answers {
    ack: Acknowledgement,
    /// The position up to which rows are answered.
    pub place: Place,
}

/// The position up to which a file is answered.
#[derive(Clone, Copy)]
pub struct Place {
    last_line: i64,
    counts: Counts,
    /// The length of each answer that is safely on disk.
    ack_bytes: i64,
    rejects_bytes: i64,
}

impl Answers {
    /// Continues the answers to a file from its recorded position.
    pub fn new(ack: Acknowledgement, file: &RecordedFile) -> Answers {
        let RecordedFile { last_line, counts, ack_bytes, rejects_bytes, .. } = *file;
        Answers { ack, place: Place { last_line, counts, ack_bytes, rejects_bytes } }
    }

    pub fn give(&mut self, chunk: &Chunk<'_>, outcomes: &[Outcome]) -> Result<()> {
        let Answers { ack, place } = self;
        for (line, outcome) in chunk.lines.iter().zip(outcomes) {
            let (code, message) = outcome.code_and_message();
            ack.row(line.number, &key(chunk, line), outcome.kind(), code, message)?;
            if let Outcome::Rejected { code, message } = outcome {
                ack.reject(&line.cells, *code, message)?;
            }
            outcome.count(&mut place.counts);
            place.last_line = line.number;
        }
        Ok(())
    }

    pub fn bring_to_disk(&mut self) -> Result<()> {
        (self.place.ack_bytes, self.place.rejects_bytes) = self.ack.checkpoint()?;
        Ok(())
    }
}

impl Place {
    /// Copies the position into the file's record.
    pub fn note(self, file: &mut RecordedFile) {
        let Place { last_line, counts, ack_bytes, rejects_bytes } = self;
        (file.last_line, file.counts) = (last_line, counts);
        (file.ack_bytes, file.rejects_bytes) = (ack_bytes, rejects_bytes);
    }
}
