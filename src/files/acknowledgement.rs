//! The answer to a file: what became of each row, and the rejected rows ready to be mended. Machines read both back, so keys and
//! rows stand in them as they came.
//!
//! Both grow while the file is taken in, under a temporary name. Their lengths are recorded with the rows, so that
//! after a stop they go on exactly where the books do. If what they had grown to is lost meanwhile, they begin anew and say
//! so: answers can't be made again, and they hold up no file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::atomic;
use super::outgoing::defused;

/// An acknowledgement and a rejects file in the making.
pub struct Acknowledgement {
    ack: Answer,
    rejects: Answer,
    form: RejectsForm,
}

/// One of the two, on the way to its name.
struct Answer {
    csv: csv::Writer<BufWriter<File>>,
    part: PathBuf,
    /// It has its header.
    is_begun: bool,
}

const ACK: &str = "ack.csv";
const REJECTS: &str = "rejects.csv";
const ACK_HEADER: [&str; 5] = ["line", "key", "outcome", "code", "message"];
const LOST: &str = "ANSWERS_LOST";

/// How rejected rows are written, so that they can be dropped into their feed as they are: always as UTF-8.
#[derive(Debug, Clone)]
pub struct RejectsForm {
    /// The sender's column names.
    pub header: Vec<String>,
    pub delimiter: u8,
    /// Begins with a byte order mark: the feed's files are in another encoding otherwise.
    pub is_marked: bool,
}

impl Acknowledgement {
    /// Opens both beside each other as `<name>.ack.csv` and `<name>.rejects.csv`, cut to the recorded lengths.
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
                code = LOST,
                "answers to the file were taken away; what is left of them is made"
            );
            both.row(0, "", "taken", LOST, &lost(name))?;
        }
        Ok(both)
    }

    pub fn row(&mut self, line: i64, key: &str, outcome: &str, code: &str, message: &str) -> io::Result<()> {
        let cells = [&line.to_string(), key, outcome, code, &*defused(message)];
        self.ack.csv.write_record(cells).map_err(io::Error::other)
    }

    /// The rejected row as it came, with why.
    pub fn reject(&mut self, cells: &csv::StringRecord, code: &str, message: &str) -> io::Result<()> {
        // Rows that were rejected before bring why; it is not said twice.
        let header = &self.form.header;
        let why_before = if header.ends_with(&["code".to_owned(), "message".to_owned()]) { 2 } else { 0 };
        let width = header.len() - why_before;
        let is_full = cells.len() >= header.len() && cells.iter().skip(header.len()).all(|cell| cell.trim().is_empty());
        let code_before = cells.get(cells.len().wrapping_sub(2));
        let brings_why = || why_before > 0 && matches!(code_before, Some("COLUMN_COUNT" | "BAD_QUOTES"));
        let kept = match is_full {
            true => width,
            false if brings_why() => cells.len() - why_before,
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
        // A row of another length keeps its cells, but for empty ones at its end, and its length: filled up it would be taken
        // as it is, though nobody knows what was cut off.
        let row = cells.iter().take(kept).chain([code, message]);
        csv.write_record(row).map_err(io::Error::other)
    }

    /// Brings everything so far to the disk and tells both lengths.
    pub fn checkpoint(&mut self) -> io::Result<(i64, i64)> {
        Ok((self.ack.flush()?, self.rejects.flush()?))
    }
}

impl Answer {
    /// Goes on with one of a recorded length, if that is still there, and begins it anew otherwise.
    fn open(path: PathBuf, bytes: i64, delimiter: u8) -> io::Result<Answer> {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        let part = atomic::part_of(&path);
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        // An older state of the books was put back, and the answers are out already: they are the same.
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
        // Else what is written from now on would be lost without a word.
        if !self.part.exists() {
            let part = self.part.display();
            let why = format!(
                "{part} was taken away while it was written; leave names that end in .part alone and run again"
            );
            return Err(io::Error::other(why));
        }
        Ok(i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX))
    }
}

fn lost(name: &str) -> String {
    format!(
        "the first answers to {name} were lost and can't be given again; the rows count as they were decided: ask for those \
         that were not accepted"
    )
}

/// Gives acknowledgement and rejects their names. The latter is there only if a row was rejected.
pub fn publish(folder: &Path, name: &str, has_rejects: bool) -> io::Result<()> {
    for (suffix, wanted) in [(REJECTS, has_rejects), (ACK, true)] {
        let path = folder.join(format!("{name}.{suffix}"));
        let part = atomic::part_of(&path);
        match (part.exists(), wanted) {
            (true, true) => atomic::rename(&part, &path)?,
            (true, false) => fs::remove_file(&part)?,
            // Done before a stop, unless it is not there either.
            (false, true) if !path.exists() => {
                tracing::warn!(file = name, code = LOST, "{} was taken away before it was finished", path.display());
                if suffix == ACK {
                    publish_refusal(folder, name, "taken", LOST, &lost(name))?;
                }
            }
            (false, _) => {}
        }
    }
    Ok(())
}

/// The answer to a file that was not read to its end: the rows that count, and a last line that says so.
pub fn publish_interrupted(
    folder: &Path,
    name: &str,
    (ack_bytes, rejects_bytes): (i64, i64),
    code: &str,
    message: &str,
) -> io::Result<()> {
    if folder.join(format!("{name}.{ACK}")).exists() {
        return publish(folder, name, rejects_bytes > 0);
    }
    // No row is rejected any more.
    let form = RejectsForm { header: Vec::new(), delimiter: b',', is_marked: false };
    let mut answer = Acknowledgement::open(folder, name, ack_bytes, rejects_bytes, form)?;
    answer.row(0, "", "interrupted", code, message)?;
    let (_, rejects_bytes) = answer.checkpoint()?;
    publish(folder, name, rejects_bytes > 0)
}

/// An acknowledgement that says nothing of rows: none counts, or what was said of them is lost.
pub fn publish_refusal(folder: &Path, name: &str, outcome: &str, code: &str, message: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut ack = csv::Writer::from_writer(Vec::new());
    ack.write_record(ACK_HEADER).map_err(io::Error::other)?;
    ack.write_record(["0", "", outcome, code, &*defused(message)]).map_err(io::Error::other)?;
    let bytes = ack.into_inner().map_err(|why| io::Error::other(why.to_string()))?;
    atomic::write(&folder.join(format!("{name}.{ACK}")), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "orders.csv";

    /// Answers to a row that was accepted and one that was rejected, in the making, and their lengths.
    fn begun(folder: &Path) -> (i64, i64) {
        let mut answers = go_on(folder, (0, 0));
        answers.row(2, "O1", "accepted", "", "").unwrap();
        answers.row(3, "O2", "rejected", "BAD_AMOUNT", "why").unwrap();
        answers.reject(&csv::StringRecord::from(vec!["O2", "x"]), "BAD_AMOUNT", "why").unwrap();
        answers.checkpoint().unwrap()
    }

    fn go_on(folder: &Path, (ack_bytes, rejects_bytes): (i64, i64)) -> Acknowledgement {
        let header = vec!["order_id".to_owned(), "amount".to_owned()];
        let form = RejectsForm { header, delimiter: b',', is_marked: false };
        Acknowledgement::open(folder, NAME, ack_bytes, rejects_bytes, form).unwrap()
    }

    fn read(folder: &Path, suffix: &str) -> Option<String> {
        fs::read_to_string(folder.join(format!("{NAME}.{suffix}"))).ok()
    }

    #[test]
    fn an_older_state_of_the_books_goes_on_with_answers_that_are_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let older = begun(folder);
        let mut answers = go_on(folder, older);
        answers.row(4, "O3", "accepted", "", "").unwrap();
        answers.checkpoint().unwrap();
        publish(folder, NAME, true).unwrap();
        let (ack, rejects) = (read(folder, ACK), read(folder, REJECTS));
        let mut answers = go_on(folder, older);
        answers.row(4, "O3", "accepted", "", "").unwrap();
        answers.checkpoint().unwrap();
        publish(folder, NAME, true).unwrap();
        assert_eq!((read(folder, ACK), read(folder, REJECTS)), (ack, rejects));
    }

    #[test]
    fn what_is_lost_is_said_and_nothing_else_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let lengths = begun(folder);
        fs::remove_file(folder.join(format!("{NAME}.{REJECTS}.part"))).unwrap();
        publish(folder, NAME, true).unwrap();
        let ack = read(folder, ACK).unwrap();
        assert!(ack.contains("2,O1,accepted") && ack.contains("3,O2,rejected"), "{ack}");

        // Nothing is left of a file that was not read to its end.
        fs::remove_file(folder.join(format!("{NAME}.{ACK}"))).unwrap();
        publish_interrupted(folder, NAME, lengths, "FILE_CHANGED", "gone").unwrap();
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
    fn answers_that_are_taken_away_while_they_are_written_are_no_answers() {
        let folder = tempfile::tempdir().unwrap();
        let mut answers = go_on(folder.path(), begun(folder.path()));
        fs::remove_file(folder.path().join(format!("{NAME}.{ACK}.part"))).unwrap();
        answers.row(4, "O3", "accepted", "", "").unwrap();
        assert!(answers.checkpoint().unwrap_err().to_string().contains("was taken away while it was written"));
    }
}
