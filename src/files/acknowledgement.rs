//! The answer to a file: an acknowledgement with the outcome of each row, and a rejects file with the rejected rows, ready to
//! be corrected and sent again. Programs read both, so keys and rows are written exactly as they came.
//!
//! Both files grow under temporary names while the file is taken in. Their lengths are recorded with the rows, so that after
//! an interruption they continue exactly where the books do. If the partial files are lost, they start again and say so:
//! earlier answers cannot be recreated, and a lost answer must not block the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::atomic;
use super::reports::defused;
use crate::domain::intake::code::{FileCode, RowCode};
use crate::domain::intake::status::{FileStatus, RowOutcome};

/// An acknowledgement and a rejects file that are being written.
pub struct Acknowledgement {
    ack: Answer,
    rejects: Answer,
    form: RejectsForm,
}

/// One of the two files, still under its temporary name.
struct Answer {
    csv: csv::Writer<BufWriter<File>>,
    part: PathBuf,
    /// The header has been written.
    is_begun: bool,
}

const ACK: &str = "ack.csv";
const REJECTS: &str = "rejects.csv";
const ACK_HEADER: [&str; 5] = ["line", "key", "outcome", "code", "message"];

/// How rejected rows are written, so that the file can go back into its feed unchanged: always as UTF-8.
#[derive(Debug, Clone)]
pub struct RejectsForm {
    /// The sender's column names.
    pub header: Vec<String>,
    pub delimiter: u8,
    /// The file begins with a byte order mark, because the feed's files normally have another encoding.
    pub is_marked: bool,
}

impl Acknowledgement {
    /// Opens `<name>.ack.csv` and `<name>.rejects.csv`, truncated to the recorded lengths.
    pub fn open(
        folder: &Path,
        name: &str,
        ack_bytes: i64,
        rejects_bytes: i64,
        form: RejectsForm,
    ) -> io::Result<Acknowledgement> {
        fs::create_dir_all(folder)?;
        let ack = Answer::open(folder.join(format!("{name}.{ACK}")), ack_bytes, b',')?;
        let rejects = Answer::open(folder.join(format!("{name}.{REJECTS}")), rejects_bytes, form.delimiter)?;
        let is_lost = ack_bytes > 0 && !ack.is_begun || rejects_bytes > 0 && !rejects.is_begun;
        let mut both = Acknowledgement { ack, rejects, form };
        if !both.ack.is_begun {
            both.ack.csv.write_record(ACK_HEADER)?;
        }
        if is_lost {
            tracing::warn!(
                file = name,
                code = FileCode::AnswersLost.name(),
                "the partial answers to the file were removed; the remaining answers are written"
            );
            both.about_file(FileStatus::Taken, Some(FileCode::AnswersLost), &lost(name))?;
        }
        Ok(both)
    }

    /// Writes the outcome of a row.
    pub fn row(
        &mut self,
        line: i64,
        key: &str,
        outcome: RowOutcome,
        code: Option<RowCode>,
        message: &str,
    ) -> io::Result<()> {
        let code = code.map_or("", RowCode::name);
        let cells = [&line.to_string(), key, outcome.name(), code, &*defused(message)];
        self.ack.csv.write_record(cells).map_err(io::Error::other)
    }

    /// Writes what is to be said about the whole file.
    pub fn about_file(&mut self, status: FileStatus, code: Option<FileCode>, message: &str) -> io::Result<()> {
        self.ack.csv.write_record(about_file(status, code, &defused(message))).map_err(io::Error::other)
    }

    /// Writes a rejected row as it came, with the reason.
    pub fn reject(&mut self, cells: &csv::StringRecord, code: RowCode, message: &str) -> io::Result<()> {
        // A row that was rejected before already has a code and a message; they are replaced.
        let header = &self.form.header;
        let why_before = if header.ends_with(&["code".to_owned(), "message".to_owned()]) { 2 } else { 0 };
        let width = header.len() - why_before;
        let is_full = cells.len() >= header.len() && cells.iter().skip(header.len()).all(|cell| cell.trim().is_empty());
        let code_before = cells.get(cells.len().wrapping_sub(2));
        let code_before = code_before.and_then(RowCode::parse);
        let is_of_wrong_length = matches!(code_before, Some(RowCode::ColumnCount | RowCode::BadQuotes));
        let has_old_reason = || why_before > 0 && is_of_wrong_length;
        let kept = match is_full {
            true => width,
            false if has_old_reason() => cells.len() - why_before,
            false => cells.len(),
        };
        let header = &header[..width];
        let Answer { csv, is_begun, .. } = &mut self.rejects;
        if !*is_begun {
            *is_begun = true;
            if self.form.is_marked {
                let mut file: &File = csv.get_ref().get_ref();
                file.write_all("\u{feff}".as_bytes())?;
            }
            let header = header.iter().map(String::as_str).chain(["code", "message"]);
            csv.write_record(header).map_err(io::Error::other)?;
        }
        // A row of the wrong length keeps its length. Padded with empty cells it would be accepted, although cells may be
        // missing.
        let row = cells.iter().take(kept).chain([code.name(), message]);
        csv.write_record(row).map_err(io::Error::other)
    }

    /// Syncs both files to disk and returns their lengths.
    pub fn checkpoint(&mut self) -> io::Result<(i64, i64)> {
        Ok((self.ack.flush()?, self.rejects.flush()?))
    }
}

impl Answer {
    /// Continues a partial file of the recorded length, or starts again if it is gone.
    fn open(path: PathBuf, bytes: i64, delimiter: u8) -> io::Result<Answer> {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        let part = atomic::part_of(&path);
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        // An older backup of the books was restored after the answers were published: the published answers are the same.
        if length(&part) < bytes && length(&path) >= bytes {
            fs::copy(&path, &part)?;
        }
        let is_begun = bytes > 0 && length(&part) >= bytes;
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&part)?;
        file.set_len(if is_begun { bytes } else { 0 })?;
        file.seek(SeekFrom::End(0))?;
        let mut csv = csv::WriterBuilder::new();
        let csv = csv.flexible(true).delimiter(delimiter).from_writer(BufWriter::with_capacity(1 << 16, file));
        Ok(Answer { csv, part, is_begun })
    }

    fn flush(&mut self) -> io::Result<i64> {
        self.csv.flush()?;
        let file = self.csv.get_ref().get_ref();
        file.sync_data()?;
        // Without this check, everything written from now on would be lost silently.
        if !self.part.exists() {
            let part = self.part.display();
            let why = format!(
                "{part} was removed while it was being written; do not touch files that end in .part, and run again"
            );
            return Err(io::Error::other(why));
        }
        Ok(i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX))
    }
}

fn lost(name: &str) -> String {
    format!(
        "the first answers to {name} were lost and cannot be written again; the rows count as decided: ask for the rows \
         that were not accepted"
    )
}

/// Gives both files their final names. The rejects file exists only if a row was rejected.
pub fn publish(folder: &Path, name: &str, has_rejects: bool) -> io::Result<()> {
    for (suffix, wanted) in [(REJECTS, has_rejects), (ACK, true)] {
        let path = folder.join(format!("{name}.{suffix}"));
        let part = atomic::part_of(&path);
        match (part.exists(), wanted) {
            (true, true) => atomic::rename(&part, &path)?,
            (true, false) => fs::remove_file(&part)?,
            // Published before an interruption, unless the published file is missing as well.
            (false, true) if !path.exists() => {
                tracing::warn!(
                    file = name,
                    code = FileCode::AnswersLost.name(),
                    "{} was removed before it was complete",
                    path.display()
                );
                if suffix == ACK {
                    publish_refusal(folder, name, FileStatus::Taken, Some(FileCode::AnswersLost), &lost(name))?;
                }
            }
            (false, _) => {}
        }
    }
    Ok(())
}

/// Publishes the answer to a file that was not read to its end: the rows that count, and a last line that says so.
pub fn publish_interrupted(
    folder: &Path,
    name: &str,
    (ack_bytes, rejects_bytes): (i64, i64),
    code: Option<FileCode>,
    message: &str,
) -> io::Result<()> {
    if folder.join(format!("{name}.{ACK}")).exists() {
        return publish(folder, name, rejects_bytes > 0);
    }
    // No further row will be rejected, so the form does not matter.
    let form = RejectsForm { header: Vec::new(), delimiter: b',', is_marked: false };
    let mut answer = Acknowledgement::open(folder, name, ack_bytes, rejects_bytes, form)?;
    answer.about_file(FileStatus::Interrupted, code, message)?;
    let (_, rejects_bytes) = answer.checkpoint()?;
    publish(folder, name, rejects_bytes > 0)
}

/// The cells of a line about the whole file. Such a line has the number 0.
fn about_file(status: FileStatus, code: Option<FileCode>, message: &str) -> [&str; 5] {
    ["0", "", status.name(), code.map_or("", FileCode::name), message]
}

/// Publishes an acknowledgement without rows: none counts, or their answers are lost.
pub fn publish_refusal(
    folder: &Path,
    name: &str,
    status: FileStatus,
    code: Option<FileCode>,
    message: &str,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut ack = csv::Writer::from_writer(Vec::new());
    ack.write_record(ACK_HEADER).map_err(io::Error::other)?;
    ack.write_record(about_file(status, code, &defused(message))).map_err(io::Error::other)?;
    let bytes = ack.into_inner().map_err(|why| io::Error::other(why.to_string()))?;
    atomic::write(&folder.join(format!("{name}.{ACK}")), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "orders.csv";

    /// Partial answers with one accepted and one rejected row, and their lengths.
    fn begun(folder: &Path) -> (i64, i64) {
        let mut answers = continued(folder, (0, 0));
        answers.row(2, "O1", RowOutcome::Accepted, None, "").unwrap();
        answers.row(3, "O2", RowOutcome::Rejected, Some(RowCode::BadAmount), "why").unwrap();
        answers.reject(&csv::StringRecord::from(vec!["O2", "x"]), RowCode::BadAmount, "why").unwrap();
        answers.checkpoint().unwrap()
    }

    fn continued(folder: &Path, (ack_bytes, rejects_bytes): (i64, i64)) -> Acknowledgement {
        let header = vec!["order_id".to_owned(), "amount".to_owned()];
        let form = RejectsForm { header, delimiter: b',', is_marked: false };
        Acknowledgement::open(folder, NAME, ack_bytes, rejects_bytes, form).unwrap()
    }

    fn read(folder: &Path, suffix: &str) -> Option<String> {
        fs::read_to_string(folder.join(format!("{NAME}.{suffix}"))).ok()
    }

    #[test]
    fn a_restored_backup_continues_published_answers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let older = begun(folder);
        let mut answers = continued(folder, older);
        answers.row(4, "O3", RowOutcome::Accepted, None, "").unwrap();
        answers.checkpoint().unwrap();
        publish(folder, NAME, true).unwrap();
        let (ack, rejects) = (read(folder, ACK), read(folder, REJECTS));
        let mut answers = continued(folder, older);
        answers.row(4, "O3", RowOutcome::Accepted, None, "").unwrap();
        answers.checkpoint().unwrap();
        publish(folder, NAME, true).unwrap();
        assert_eq!((read(folder, ACK), read(folder, REJECTS)), (ack, rejects));
    }

    #[test]
    fn a_lost_answer_is_reported_and_the_others_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let lengths = begun(folder);
        fs::remove_file(folder.join(format!("{NAME}.{REJECTS}.part"))).unwrap();
        publish(folder, NAME, true).unwrap();
        let ack = read(folder, ACK).unwrap();
        assert!(ack.contains("2,O1,accepted") && ack.contains("3,O2,rejected"), "{ack}");

        // Everything is lost of a file that was not read to its end.
        fs::remove_file(folder.join(format!("{NAME}.{ACK}"))).unwrap();
        publish_interrupted(folder, NAME, lengths, Some(FileCode::Changed), "gone").unwrap();
        let ack = read(folder, ACK).unwrap();
        assert!(
            ack.contains("\n0,,taken,ANSWERS_LOST,") && ack.ends_with("0,,interrupted,FILE_CHANGED,gone\n"),
            "{ack}"
        );
        assert_eq!(read(folder, REJECTS), None);

        let lengths = begun(folder);
        fs::remove_file(folder.join(format!("{NAME}.{ACK}"))).unwrap();
        fs::remove_file(folder.join(format!("{NAME}.{ACK}.part"))).unwrap();
        publish(folder, NAME, lengths.1 > 0).unwrap();
        assert!(read(folder, ACK).unwrap().contains("\n0,,taken,ANSWERS_LOST,"));
        assert!(read(folder, REJECTS).unwrap().contains("O2,x,BAD_AMOUNT,why"));
    }

    #[test]
    fn answers_removed_while_they_are_written_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut answers = continued(folder.path(), begun(folder.path()));
        fs::remove_file(folder.path().join(format!("{NAME}.{ACK}.part"))).unwrap();
        answers.row(4, "O3", RowOutcome::Accepted, None, "").unwrap();
        assert!(answers.checkpoint().unwrap_err().to_string().contains("was removed while it was being written"));
    }
}
