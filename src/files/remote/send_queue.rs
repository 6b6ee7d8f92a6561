//! The send queue: folders on this machine that hold links to the files to be sent. A file leaves its folder once it has
//! been sent, so an interruption costs at most one transfer.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::atomic;

/// Queues files as one folder: all of them or none.
pub fn add_folder(to: &Path, files: &[PathBuf]) -> io::Result<()> {
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

/// Queues one file, if it exists.
pub fn add(to: &Path, file: &Path) -> io::Result<()> {
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
    // If `to/name` is already a hard link to the same file, the rename leaves the link under its temporary name.
    if part.exists() { fs::remove_file(part) } else { Ok(()) }
}

/// The queued files of a folder by name, with `last` at the end.
pub fn list(folder: &Path, last: &str) -> io::Result<Vec<String>> {
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

/// A hard link to a file whose bytes no longer change; a copy where the disk has no hard links.
fn link(file: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(file, to) {
        Ok(()) => Ok(()),
        Err(_) => {
            fs::copy(file, to)?;
            File::open(to)?.sync_all()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_queued_twice_is_sent_once_and_the_manifest_last() {
        let home = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> =
            ["a.csv", "manifest.json", "z.csv"].iter().map(|name| home.path().join(name)).collect();
        for file in &files {
            fs::write(file, "x").unwrap();
        }
        let to = home.path().join("sending/2026-03-01");
        for _ in 0..2 {
            add_folder(&to, &files).unwrap();
            assert_eq!(list(&to, "manifest.json").unwrap(), ["a.csv", "z.csv", "manifest.json"]);
            add(&home.path().join("acks"), &files[0]).unwrap();
            assert_eq!(list(&home.path().join("acks"), "").unwrap(), ["a.csv"]);
        }
        assert_eq!(fs::read_dir(home.path().join("acks")).unwrap().count(), 1);
    }
}
