//! The spool: the folder on this machine in which fetched files wait until they are taken in. The spool alone records what
//! has been fetched, so an interruption costs at most one transfer. When to fetch, and from where, is decided elsewhere.
//!
//! Beside each file `NAME` is a note with the size and tag the file had in its remote folder. `.NAME.fetching` is written
//! before the file gets its name; it becomes `.NAME.fetched` afterwards.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Stamp;
use crate::files::atomic;

const FETCHING: &str = ".fetching";
const FETCHED: &str = ".fetched";
const LOCK: &str = ".lock";

/// The remote state of a fetched file, and the hash of the bytes that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    #[serde(flatten)]
    pub stamp: Stamp,
    pub sha256: String,
}

/// A feed's spool.
pub struct Spool {
    folder: PathBuf,
    /// Held while the spool is open for writing.
    _lock: Option<File>,
}

impl Spool {
    /// Opens the spool for reading only.
    pub fn at(folder: &Path) -> Spool {
        Spool { folder: folder.to_owned(), _lock: None }
    }

    /// Opens the spool for this process alone, and clears up after an interruption. While another process has it open, the
    /// error kind is `WouldBlock`.
    pub fn open(folder: &Path) -> io::Result<Spool> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock()?;
        let spool = Spool { folder: folder.to_owned(), _lock: Some(lock) };
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path)?;
            }
        }
        for name in spool.noted(FETCHING)? {
            let fetching = spool.note_path(&name, FETCHING);
            if spool.has(&name) {
                atomic::rename(&fetching, &spool.note_path(&name, FETCHED))?;
            } else {
                fs::remove_file(fetching)?;
            }
        }
        Ok(spool)
    }

    /// The path that collects the bytes of a file while it is fetched.
    pub fn part_of(&self, name: &str) -> PathBuf {
        atomic::part_of(&self.folder.join(name))
    }

    /// Gives a completely fetched file its name.
    pub fn arrived(&self, name: &str, stamp: &Stamp) -> io::Result<()> {
        let part = self.part_of(name);
        let file = File::open(&part)?;
        file.sync_all()?;
        let note = Note { stamp: stamp.clone(), sha256: sha256_of(file)? };
        let fetching = self.note_path(name, FETCHING);
        atomic::write(&fetching, &serde_json::to_vec(&note)?)?;
        atomic::rename(&part, &self.folder.join(name))?;
        atomic::rename(&fetching, &self.note_path(name, FETCHED))
    }

    /// Whether a file is still in the spool.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    /// The note of a fetched file, whether or not the file is still in the spool.
    pub fn note(&self, name: &str) -> io::Result<Option<Note>> {
        match fs::read(self.note_path(name, FETCHED)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Fetched files that have left the spool, by name.
    pub fn gone(&self) -> io::Result<Vec<String>> {
        let mut names = self.noted(FETCHED)?;
        names.retain(|name| !self.has(name));
        Ok(names)
    }

    /// Deletes the note of a fetched file.
    pub fn forget(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.note_path(name, FETCHED))
    }

    fn note_path(&self, name: &str, state: &str) -> PathBuf {
        self.folder.join(format!(".{name}{state}"))
    }

    fn noted(&self, state: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            names.extend(name.strip_prefix('.').and_then(|rest| rest.strip_suffix(state)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

fn sha256_of(file: File) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { bytes: 3, tag: "7".to_owned() }
    }

    #[test]
    fn an_interruption_costs_at_most_one_transfer() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        fs::write(spool.part_of("a.csv"), "abc").unwrap();
        spool.arrived("a.csv", &stamp()).unwrap();
        let note = spool.note("a.csv").unwrap().unwrap();
        assert_eq!(note.stamp, stamp());
        assert_eq!(note.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

        // Interrupted after the file got its name: it counts as fetched.
        drop(spool);
        fs::rename(folder.path().join(".a.csv.fetched"), folder.path().join(".a.csv.fetching")).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.note("a.csv").unwrap(), Some(note));
        // Interrupted before: it counts as not fetched.
        drop(spool);
        fs::rename(folder.path().join(".a.csv.fetched"), folder.path().join(".a.csv.fetching")).unwrap();
        fs::remove_file(folder.path().join("a.csv")).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.note("a.csv").unwrap(), None);
        // Interrupted during the transfer: the half file is removed.
        fs::write(spool.part_of("b.csv"), "half").unwrap();
        assert_eq!(Spool::open(folder.path()).err().map(|why| why.kind()), Some(io::ErrorKind::WouldBlock));
        drop(spool);
        drop(Spool::open(folder.path()).unwrap());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
    }
}
