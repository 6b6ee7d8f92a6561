//! What the targets share: bytes as a file that was found in an inbox, without a disk in between.

use std::path::Path;

use paylater::files::inbox::Found;
use paylater::files::read::source::Seen;

/// Puts bytes where they can be read from like any file. Each process has one place, written anew each time.
pub fn found(bytes: &[u8], name: &str) -> Found {
    let path = Path::new("/dev/shm").join(format!("paylater-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("there is room in memory");
    let seen = Seen::of(&std::fs::metadata(&path).expect("the file was just written"));
    Found { path, name: name.to_owned(), date: None, number: None, seen }
}
