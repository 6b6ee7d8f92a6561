//! Between a remote place and the folders here: files on their way in, and files on their way out. What has been fetched
//! and sent is remembered in these folders alone, so that a stop at any moment costs at most one transfer. Who is talked
//! to, and when, is not known here.
//!
//! A file `NAME` on its way in has a note beside it with what it was at the remote place: `.NAME.fetching` is written before
//! the file gets its name, and becomes `.NAME.fetched` after.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::atomic;
use super::place::Stamp;

const FETCHING: &str = ".fetching";
const FETCHED: &str = ".fetched";
const LOCK: &str = ".lock";

/// What a fetched file was at the remote place, and which bytes came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    #[serde(flatten)]
    pub stamp: Stamp,
    pub sha256: String,
}

/// The folder in which a feed's fetched files wait to be taken in.
pub struct Spool {
    folder: PathBuf,
    /// Held while it is open to be changed.
    _lock: Option<File>,
}

impl Spool {
    /// Opens it to look at it.
    pub fn at(folder: &Path) -> Spool {
        Spool { folder: folder.to_owned(), _lock: None }
    }

    /// Opens it for this process alone, and clears up after a stop. While another has it, the error is of the kind
    /// `WouldBlock`.
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

    /// Where the bytes of a file are collected.
    pub fn part_of(&self, name: &str) -> PathBuf {
        atomic::part_of(&self.folder.join(name))
    }

    /// Gives a file that has come whole its name.
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

    /// Whether a file still waits here.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    /// The note of a file that was fetched, whether it still waits or not.
    pub fn note(&self, name: &str) -> io::Result<Option<Note>> {
        match fs::read(self.note_path(name, FETCHED)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Files that were fetched and wait no more, by name.
    pub fn gone(&self) -> io::Result<Vec<String>> {
        let mut names = self.noted(FETCHED)?;
        names.retain(|name| !self.has(name));
        Ok(names)
    }

    /// Forgets that a file was fetched.
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

/// Puts files into a folder of things to be sent, all or none: each is given as where it lies.
pub fn queue_folder(to: &Path, files: &[PathBuf]) -> io::Result<()> {
    let staged = staged(to);
    if staged.exists() {
        fs::remove_dir_all(&staged)?;
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(&staged)?;
    for file in files {
        link(file, &staged.join(file.file_name().unwrap_or_default()))?;
    }
    atomic::rename(&staged, to)
}

/// Puts one file into a folder of things to be sent, if it is there at all.
pub fn queue(to: &Path, file: &Path) -> io::Result<()> {
    if !file.exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    let name = file.file_name().unwrap_or_default();
    let part = staged(&to.join(name));
    if part.exists() {
        fs::remove_file(&part)?;
    }
    link(file, &part)?;
    atomic::rename(&part, &to.join(name))?;
    // Two names of the same file are left as they are by a rename.
    if part.exists() { fs::remove_file(part) } else { Ok(()) }
}

/// What waits to be sent from a folder, by name, one file as the last.
pub fn queued(folder: &Path, last: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort_by(|a, b| (a == last, a).cmp(&(b == last, b)));
    Ok(names)
}

fn staged(to: &Path) -> PathBuf {
    to.with_file_name(format!(".{}.part", to.file_name().unwrap_or_default().to_string_lossy()))
}

/// A second name for a file whose bytes don't change any more; a copy where the disk has no second names.
fn link(file: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(file, to) {
        Ok(()) => Ok(()),
        Err(_) => {
            fs::copy(file, to)?;
            File::open(to)?.sync_all()
        }
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
    fn a_stop_between_note_and_name_costs_one_transfer() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        fs::write(spool.part_of("a.csv"), "abc").unwrap();
        spool.arrived("a.csv", &stamp()).unwrap();
        let note = spool.note("a.csv").unwrap().unwrap();
        assert_eq!(note.stamp, stamp());
        assert_eq!(note.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

        // Stopped after the file got its name: it counts as fetched.
        drop(spool);
        fs::rename(folder.path().join(".a.csv.fetched"), folder.path().join(".a.csv.fetching")).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.note("a.csv").unwrap(), Some(note));
        // Stopped before: it was never fetched.
        drop(spool);
        fs::rename(folder.path().join(".a.csv.fetched"), folder.path().join(".a.csv.fetching")).unwrap();
        fs::remove_file(folder.path().join("a.csv")).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.note("a.csv").unwrap(), None);
        // Stopped in the middle: half a file is no use.
        fs::write(spool.part_of("b.csv"), "half").unwrap();
        assert_eq!(Spool::open(folder.path()).err().map(|why| why.kind()), Some(io::ErrorKind::WouldBlock));
        drop(spool);
        drop(Spool::open(folder.path()).unwrap());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
    }

    #[test]
    fn what_is_queued_twice_is_there_once_and_the_manifest_comes_last() {
        let home = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> =
            ["a.csv", "manifest.json", "z.csv"].iter().map(|name| home.path().join(name)).collect();
        for file in &files {
            fs::write(file, "x").unwrap();
        }
        let to = home.path().join("sending/2026-03-01");
        for _ in 0..2 {
            queue_folder(&to, &files).unwrap();
            assert_eq!(queued(&to, "manifest.json").unwrap(), ["a.csv", "z.csv", "manifest.json"]);
            queue(&home.path().join("acks"), &files[0]).unwrap();
            assert_eq!(queued(&home.path().join("acks"), "").unwrap(), ["a.csv"]);
        }
        assert_eq!(fs::read_dir(home.path().join("acks")).unwrap().count(), 1);
    }
}
