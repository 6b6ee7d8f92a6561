//! Whatever bytes come as a container: unpacking ends, hands out no more than is allowed, agrees with other people's unpackers
//! where they understand the bytes as well, and what comes out counts just as if it had been sent plain. The first byte of
//! the input chooses limits.
#![no_main]

use std::io::{self, Cursor, Read};
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use paylater::files::read::container::{self, Delivery, Limits, Packing};
use paylater::files::read::file_error::FileError;
use paylater::files::inbox::{Found, NamePattern};
use paylater::files::rows::Kind;
use paylater::files::profile::Profile;
use paylater::files::read::reader::examine;
use paylater_fuzz::found;

static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::canonical()));

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let entry = (choice & 1 == 1).then(|| NamePattern::parse("*.csv").expect("a pattern"));
    // The ratio counts only beyond 16 MiB, which takes a while to unpack.
    let most = if *choice == b'F' { 17 << 20 } else { 64 << 10 };
    let packing = Packing { entry, limits: Limits { ratio: 200, bytes: most, entries: 3, line: 4 << 10 } };
    let sent = found(bytes, "packed");
    let unpacked = text(&delivery(&sent, &packing));
    let trust = examine(&delivery(&sent, &packing)).expect("only a disk makes trouble").trust;
    let Ok((text, is_plain)) = unpacked else {
        assert!(trust.is_err(), "what cannot be unpacked does not count");
        return;
    };
    if is_plain {
        assert_eq!(text, bytes);
        return;
    }
    for first in [gzip(bytes, text.len()), zstd(bytes, text.len())].into_iter().flatten() {
        assert!(text.starts_with(&first), "{} bytes, and elsewhere {}", text.len(), first.len());
    }
    if let Some(other) = zip(bytes) {
        assert!(text == other, "{} bytes, and elsewhere {}", text.len(), other.len());
    }
    if text.len() > 64 << 10 {
        return;
    }
    let plain = found(&text, "plain");
    let plain = examine(&delivery(&plain, &packing)).expect("only a disk makes trouble").trust;
    assert_eq!(trust, plain, "packed or plain, it is the same file");
});

fn delivery<'a>(found: &'a Found, packing: &'a Packing) -> Delivery<'a> {
    let zone = chrono_tz::Asia::Shanghai;
    Delivery { found, packing, profile: &PROFILE, kind: Kind::Payments, zone }
}

/// All there is in a file, and whether it was plain.
fn text(delivery: &Delivery<'_>) -> Result<(Vec<u8>, bool), FileError> {
    let told = |why: io::Error| {
        let distrust = FileError::of(why).expect("only a disk makes trouble");
        assert!(!distrust.message.chars().any(char::is_control), "{:?}", distrust.message);
        distrust
    };
    let mut text = container::open(delivery).map_err(told)?;
    let (mut all, mut buffer) = (Vec::new(), vec![0; 10_000]);
    loop {
        match text.read(&mut buffer).map_err(told)? {
            0 => return Ok((all, text.is_plain())),
            read => all.extend_from_slice(&buffer[..read]),
        }
        assert!(all.len() as u64 <= delivery.packing.limits.bytes, "more than is allowed");
    }
}

/// The first part of a gzip file.
fn gzip(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut text = vec![0; most + 1];
    let length = libdeflater::Decompressor::new().gzip_decompress(bytes, &mut text).ok()?;
    text.truncate(length);
    Some(text)
}

/// The first frame of a zstd file.
fn zstd(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let frame = ruzstd::decoding::StreamingDecoder::new(bytes).ok()?;
    frame.take(most as u64 + 1).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The one file that a zip's own list of entries names.
fn zip(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"PK") {
        return None;
    }
    let mut archive = ::zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut text = Vec::new();
    let mut file = (archive.len() == 1).then(|| archive.by_index(0))?.ok()?;
    file.read_to_end(&mut text).ok()?;
    Some(text)
}
