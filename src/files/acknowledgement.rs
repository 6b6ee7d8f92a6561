//! The answer to a file: what became of each row, and the rejected rows ready to be mended.
//!
//! Both grow while the file is taken in, under a temporary name. Their lengths are recorded with the rows, so that
//! after a stop they go on exactly where the books do.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::atomic;
use super::outgoing::defused;

/// An acknowledgement and a rejects file in the making.
pub struct Acknowledgement {
    ack: csv::Writer<BufWriter<File>>,
    rejects: csv::Writer<BufWriter<File>>,
    form: RejectsForm,
}

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
        let ack_path = folder.join(format!("{name}.ack.csv"));
        let rejects_path = folder.join(format!("{name}.rejects.csv"));
        let mut ack = writer(open_at(&atomic::part_of(&ack_path), ack_bytes)?, b',');
        let rejects = writer(open_at(&atomic::part_of(&rejects_path), rejects_bytes)?, form.delimiter);
        if ack_bytes == 0 {
            ack.write_record(["line", "key", "outcome", "code", "message"])?;
        }
        Ok(Acknowledgement { ack, rejects, form })
    }

    pub fn row(&mut self, line: i64, key: &str, outcome: &str, code: &str, message: &str) -> io::Result<()> {
        let cells = [&line.to_string(), &*defused(key), outcome, code, &*defused(message)];
        self.ack.write_record(cells).map_err(io::Error::other)
    }

    /// The rejected row as it came, with why.
    pub fn reject(&mut self, cells: &csv::StringRecord, code: &str, message: &str, first: bool) -> io::Result<()> {
        // Rows that were rejected before bring why; it is not said twice.
        let header = &self.form.header;
        let why_before = if header.ends_with(&["code".to_owned(), "message".to_owned()]) { 2 } else { 0 };
        let width = header.len() - why_before;
        let is_full = cells.len() >= header.len() && cells.iter().skip(header.len()).all(|cell| cell.trim().is_empty());
        let kept = if is_full { width } else { cells.len() };
        let header = &header[..width];
        if first {
            if self.form.is_marked {
                let mut file: &File = self.rejects.get_ref().get_ref();
                file.write_all("\u{feff}".as_bytes())?;
            }
            let header = header.iter().map(String::as_str).chain(["code", "message"]);
            self.rejects.write_record(header).map_err(io::Error::other)?;
        }
        // A row of another length keeps its cells, but for empty ones at its end; code and message stay in their columns
        // where that is possible.
        let missing = header.len().saturating_sub(cells.len());
        let row = cells.iter().take(kept).chain(std::iter::repeat_n("", missing)).chain([code, message]);
        self.rejects.write_record(row).map_err(io::Error::other)
    }

    /// Brings everything so far to the disk and tells both lengths.
    pub fn checkpoint(&mut self) -> io::Result<(i64, i64)> {
        Ok((flush(&mut self.ack)?, flush(&mut self.rejects)?))
    }
}

/// Gives acknowledgement and rejects their names. The latter is there only if a row was rejected.
pub fn publish(folder: &Path, name: &str, has_rejects: bool) -> io::Result<()> {
    for (suffix, wanted) in [("rejects.csv", has_rejects), ("ack.csv", true)] {
        let path = folder.join(format!("{name}.{suffix}"));
        let part = atomic::part_of(&path);
        if !part.exists() {
            continue;
        }
        if wanted {
            atomic::rename(&part, &path)?;
        } else {
            fs::remove_file(&part)?;
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
    let is_out = folder.join(format!("{name}.ack.csv")).exists();
    if !is_out {
        // No row is rejected any more.
        let form = RejectsForm { header: Vec::new(), delimiter: b',', is_marked: false };
        let mut answer = Acknowledgement::open(folder, name, ack_bytes, rejects_bytes, form)?;
        answer.row(0, "", "interrupted", code, message)?;
        answer.checkpoint()?;
    }
    publish(folder, name, rejects_bytes > 0)
}

/// The acknowledgement of a file of which no row counts.
pub fn publish_refusal(folder: &Path, name: &str, outcome: &str, code: &str, message: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut ack = csv::Writer::from_writer(Vec::new());
    ack.write_record(["line", "key", "outcome", "code", "message"]).map_err(io::Error::other)?;
    ack.write_record(["0", "", outcome, code, &*defused(message)]).map_err(io::Error::other)?;
    let bytes = ack.into_inner().map_err(|why| io::Error::other(why.to_string()))?;
    atomic::write(&folder.join(format!("{name}.ack.csv")), &bytes)
}

fn writer(file: File, delimiter: u8) -> csv::Writer<BufWriter<File>> {
    csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(BufWriter::with_capacity(1 << 16, file))
}

fn open_at(path: &Path, bytes: i64) -> io::Result<File> {
    let bytes = u64::try_from(bytes).unwrap_or(0);
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    if file.metadata()?.len() < bytes {
        let message =
            format!("{} is shorter than it was; it may have been moved while a file was half read", path.display());
        return Err(io::Error::other(message));
    }
    file.set_len(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

fn flush(writer: &mut csv::Writer<BufWriter<File>>) -> io::Result<i64> {
    writer.flush()?;
    let file = writer.get_ref().get_ref();
    file.sync_data()?;
    Ok(i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX))
}
