//! A file as it was seen in a folder, and opening it only if it is still that one: links are never followed, pipes
//! never waited for, and a file that is exchanged or written to meanwhile is told.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

/// What tells a file from another under the same name, and from itself after somebody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    device: u64,
    inode: u64,
    pub bytes: u64,
    /// Seconds and nanoseconds of the last writing, as its sender may set it.
    written: (i64, i64),
    /// Of the last change, by this machine's clock.
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

    /// By what it is known again later, also by another run. The device's number may change when a disk is mounted anew.
    pub fn to_text(self) -> String {
        let Seen { inode, bytes, written, changed, .. } = self;
        format!("{inode} {bytes} {}.{:09} {}.{:09}", written.0, written.1, changed.0, changed.1)
    }

    /// How long it has been left alone. The time of the last change counts, not the one that a sender can set. None if it
    /// lies in the future: a clock was set back.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let (seconds, nanoseconds) = self.changed;
        let changed = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(changed)
    }
}

/// A file that is not the one that was seen any more.
#[derive(Debug, thiserror::Error)]
#[error("it was changed or exchanged while it was read")]
pub struct Changed;

/// Whether an error of reading means that.
pub fn is_changed(why: &io::Error) -> bool {
    why.get_ref().is_some_and(|inner| inner.is::<Changed>())
}

fn changed() -> io::Error {
    io::Error::other(Changed)
}

/// Opens a plain file for reading. A link in its place is an error, and so is anything else that is not a file.
pub fn open_plain(path: &Path) -> io::Result<File> {
    // Without waiting: opening a pipe would wait for somebody to write into it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a plain file")) }
}

/// Opens the file that was seen, and no other.
pub fn open(path: &Path, seen: &Seen) -> io::Result<File> {
    let file = match open_plain(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Err(changed()),
        file => file?,
    };
    check(&file, seen)?;
    Ok(file)
}

/// Refuses a file that was written to since it was seen.
pub fn check(file: &File, seen: &Seen) -> io::Result<()> {
    if Seen::of(&file.metadata()?) == *seen { Ok(()) } else { Err(changed()) }
}

/// Whether the file that was seen still lies there as it was.
pub fn is_there(path: &Path, seen: &Seen) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| Seen::of(&metadata) == *seen)
}

/// SHA-256 of an open file's bytes from where it stands, in hexadecimal.
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
    fn links_are_not_followed_and_pipes_not_waited_for() {
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
    fn a_file_that_was_exchanged_is_told_even_with_the_same_length_and_time() {
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
    fn age_is_told_by_the_clock_of_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.csv");
        fs::write(&path, "text").unwrap();
        // A sender's clock says anything; this machine's says now.
        let years = Duration::from_secs(100_000_000);
        for told in [SystemTime::now() - years, SystemTime::now() + years] {
            File::options().write(true).open(&path).unwrap().set_modified(told).unwrap();
            let seen = Seen::of(&fs::metadata(&path).unwrap());
            assert!(seen.age(SystemTime::now() + Duration::from_secs(1)).unwrap() < Duration::from_secs(60));
            assert_eq!(seen.age(SystemTime::now() - years), None);
        }
    }
}
