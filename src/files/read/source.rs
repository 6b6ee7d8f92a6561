//! Opens a file only if it is still the file that was found in its folder. Links are never followed, opening a pipe never
//! blocks, and a file that was replaced or written to in the meantime is an error.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

/// Identifies a file and its state: another file of the same name, or the same file after a write, has another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    device: u64,
    inode: u64,
    pub bytes: u64,
    /// The modification time in seconds and nanoseconds. A sender can set it.
    written: (i64, i64),
    /// The time of the last status change, set by this machine's clock.
    changed: (i64, i64),
}

impl Seen {
    pub fn of(metadata: &Metadata) -> Seen {
        Seen {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// A text by which a later run recognises the file. It leaves out the device number, which can change on a remount.
    pub fn to_text(self) -> String {
        let Seen { inode, bytes, written, changed, .. } = self;
        format!("{inode} {bytes} {}.{:09} {}.{:09}", written.0, written.1, changed.0, changed.1)
    }

    /// The time since the last status change, which a sender cannot set. `None` if the change is in the future, because the
    /// clock was set back.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let (seconds, nanoseconds) = self.changed;
        let changed = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(changed)
    }
}

/// The file is no longer the one that was found.
#[derive(Debug, thiserror::Error)]
#[error("the file was changed or replaced while it was being read")]
pub struct Changed;

/// A file or a folder of an inbox could not be read. It keeps the words of the error and not the error: the disk and the store
/// are well, and only the files of this inbox wait.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl From<io::Error> for Unreadable {
    fn from(why: io::Error) -> Unreadable {
        Unreadable(why.to_string())
    }
}

/// Whether an error of reading means [`Changed`].
pub fn is_changed(why: &io::Error) -> bool {
    why.get_ref().is_some_and(|inner| inner.is::<Changed>())
}

fn changed() -> io::Error {
    io::Error::other(Changed)
}

/// Opens a regular file for reading. A link, or anything else that is not a regular file, is an error.
pub fn open_plain(path: &Path) -> io::Result<File> {
    // Opening a pipe without O_NONBLOCK would wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Opens the file that was found, and no other.
pub fn open(path: &Path, seen: &Seen) -> io::Result<File> {
    let file = match open_plain(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Err(changed()),
        file => file?,
    };
    check(&file, seen)?;
    Ok(file)
}

/// Fails if the file was written to since it was found.
pub fn check(file: &File, seen: &Seen) -> io::Result<()> {
    if Seen::of(&file.metadata()?) == *seen { Ok(()) } else { Err(changed()) }
}

/// Whether the file that was found is still in place and unchanged.
pub fn is_there(path: &Path, seen: &Seen) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| Seen::of(&metadata) == *seen)
}

/// SHA-256 in hexadecimal of an open file's bytes, from the current position.
pub fn fingerprint(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

pub fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed_and_pipes_do_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, link, pipe) = (folder.path().join("plain"), folder.path().join("link"), folder.path().join("pipe"));
        fs::write(&plain, "text").unwrap();
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(open_plain(&plain).is_ok());
        for wrong in [&link, &pipe, &folder.path().to_owned()] {
            assert!(open_plain(wrong).is_err(), "{}", wrong.display());
        }
    }

    #[test]
    fn a_replaced_file_is_noticed_even_with_the_same_length_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.csv");
        fs::write(&path, "first").unwrap();
        let seen = Seen::of(&fs::metadata(&path).unwrap());
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(open(&path, &seen).is_ok());
        let other = folder.path().join("other");
        fs::write(&other, "other").unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(is_changed(&open(&path, &seen).unwrap_err()));
        assert!(!is_there(&path, &seen));
        fs::remove_file(&path).unwrap();
        assert!(is_changed(&open(&path, &seen).unwrap_err()));
    }

    #[test]
    fn age_is_measured_by_the_clock_of_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.csv");
        fs::write(&path, "text").unwrap();
        // A sender can set any modification time.
        let years = Duration::from_secs(100_000_000);
        for modified in [SystemTime::now() - years, SystemTime::now() + years] {
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            let seen = Seen::of(&fs::metadata(&path).unwrap());
            assert!(seen.age(SystemTime::now() + Duration::from_secs(1)).unwrap() < Duration::from_secs(60));
            assert_eq!(seen.age(SystemTime::now() - years), None);
        }
    }
}
