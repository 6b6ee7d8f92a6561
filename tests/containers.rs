//! Compressed files and archives: the ones that are read, and the ones that are refused, with their messages. Runs the
//! real program on archives that the tests create.

use std::io::Write;

use crate::support::{POLICY, Scheme};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const NAME: &str = "payments-2026-03-01.csv";
const PAYMENTS: &str =
    "payment_id,order_id,amount,currency,paid_at\nP1,O1,1.00,CNY,2026-03-01\nP2,O2,2.00,CNY,2026-03-01\n";

/// A shop with these bytes as its payments file of the day, and these keys for the feed.
fn shop(bytes: &[u8], keys: &str) -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let feed = "kind = \"payments\"\n";
    let config = scheme.read("paylater.toml");
    assert!(config.contains(feed));
    scheme.write("paylater.toml", config.replace(feed, &format!("{feed}{keys}\n")));
    scheme.write(&format!("inbox/{NAME}"), bytes);
    scheme
}

/// Returns the acknowledgement after the close of the day.
fn answer(bytes: &[u8], keys: &str) -> String {
    let scheme = shop(bytes, keys);
    scheme.close("2026-03-01");
    scheme.read(&format!("run/outbox/payments/{NAME}.ack.csv"))
}

#[track_caller]
fn is_read(bytes: &[u8], keys: &str) {
    let ack = answer(bytes, keys);
    assert!(ack.contains("2,P1,pending,UNKNOWN_ORDER") && ack.contains("3,P2,pending"), "{ack}");
}

/// Checks that the whole file is quarantined with this code and these words, with a reason file beside it and with
/// unchanged bytes.
#[track_caller]
fn is_refused(bytes: &[u8], keys: &str, code: &str, words: &str) {
    let scheme = shop(bytes, keys);
    scheme.close("2026-03-01");
    let ack = scheme.read(&format!("run/outbox/payments/{NAME}.ack.csv"));
    assert!(ack.contains(&format!("0,,quarantined,{code},")) && ack.contains(words), "{ack}");
    assert_eq!(ack.lines().count(), 2, "{ack}");
    assert_eq!(std::fs::read(scheme.path(&format!("run/quarantine/payments/{NAME}"))).unwrap(), bytes);
    let reason = scheme.read(&format!("run/quarantine/payments/{NAME}.reason.txt"));
    assert!(reason.contains(&format!("code: {code}\n")) && reason.contains(words), "{reason}");
    let exceptions = scheme.read("run/reconciliation/2026-03-01/SHOP_2026-03-01_exceptions.csv");
    assert!(exceptions.contains(code), "{exceptions}");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive of one file, with only the parts that paylater reads.
fn tar(name: &str, text: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; (512 - text.len() % 512) % 512 + 1024];
    [header, text.to_vec(), padding].concat()
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
        } else {
            writer.start_file(*name, deflated()).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Replaces every occurrence of some bytes with other bytes of the same length.
fn exchanged(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn it_is_read_whatever_it_is_packed_in() {
    let text = PAYMENTS.as_bytes();
    let (first, second) = text.split_at(50);
    is_read(text, "");
    is_read(&gzip(text), "");
    is_read(&[gzip(first), gzip(second)].concat(), "");
    is_read(&zstd(text, 20), "");
    is_read(&[zstd(first, 20), zstd(second, 20)].concat(), "");
    // A skippable frame comes first.
    is_read(&[b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec(), zstd(text, 20)].concat(), "");
    is_read(&zip(&[("payments.csv", text)]), "");
    is_read(
        &zip(&[
            ("2026/", b""),
            ("__MACOSX/._x", b"x"),
            ("2026/.DS_Store", b"x"),
            ("2026/payments.csv", text),
            ("readme.txt", b"x"),
        ]),
        "entry = \"payments*.csv\"",
    );
    is_read(&zip(&[("__MACOSX/._payments.csv", b"x"), ("folder/", b""), ("folder/payments.csv", text)]), "");
}

#[test]
fn names_in_gbk_are_understood() {
    // 汇总.csv and 明细.csv in GBK, as Windows writes them.
    let (sums, rows) = (b"\xbb\xe3\xd7\xdc.csv", b"\xc3\xf7\xcf\xb8.csv");
    let bytes = zip(&[("AAAA.csv", b"x"), ("BBBB.csv", PAYMENTS.as_bytes())]);
    let bytes = exchanged(exchanged(bytes, b"AAAA.csv", sums), b"BBBB.csv", rows);
    is_read(&bytes, "entry = \"明细*.csv\"");
    is_refused(&bytes, "", "FILE_ARCHIVE", "it contains 汇总.csv, 明细.csv");
}

#[test]
fn a_zip_must_hold_one_file_that_is_meant() {
    let text = PAYMENTS.as_bytes();
    let two = zip(&[("a.csv", text), ("b.csv", text)]);
    is_refused(
        &two,
        "",
        "FILE_ARCHIVE",
        "must contain one file, or the feed must name one with entry; it contains a.csv, b.csv",
    );
    is_refused(&two, "entry = \"*.csv\"", "FILE_ARCHIVE", "must contain one file that matches the feed's entry *.csv");
    is_refused(
        &two,
        "entry = \"c.csv\"",
        "FILE_ARCHIVE",
        "must contain one file that matches the feed's entry c.csv; it contains a.csv",
    );
    let one = zip(&[("a.csv", text)]);
    is_refused(&[one.clone(), one].concat(), "", "FILE_ARCHIVE", "consists of several joined zip files");
    is_refused(&zip(&[]), "", "FILE_ARCHIVE", "contains no file");
    is_refused(&zip(&[("folder/", b"")]), "", "FILE_ARCHIVE", "contains no file");
    is_refused(&zip(&[("xl/workbook.xml", b"<x/>"), ("x.xml", b"<x/>")]), "", "FILE_ARCHIVE", "is an Excel workbook");
}

#[test]
fn entries_with_bad_names_are_refused() {
    let text = PAYMENTS.as_bytes();
    for (name, words) in [
        ("../a.csv", "the entry ../a.csv has a name that leads out of the archive"),
        ("x/../../a.csv", "has a name that leads out of the archive"),
        ("..\\a.csv", "has a name that leads out of the archive"),
        ("/etc/a.csv", "has a name that leads out of the archive"),
        ("C:\\a.csv", "has a name that leads out of the archive"),
        ("a\u{7}.csv", "has control characters in its name"),
    ] {
        // Write the entry under a harmless name of the same length first, because zip writers refuse these names.
        let harmless: String = name.chars().map(|_| 'Q').collect();
        let bytes = exchanged(zip(&[(&harmless, text)]), harmless.as_bytes(), name.as_bytes());
        is_refused(&bytes, "", "FILE_ARCHIVE", words);
    }
    let twice = exchanged(zip(&[("QQ.csv", text), ("RR.csv", text)]), b"QQ.csv", b"RR.csv");
    is_refused(&twice, "", "FILE_ARCHIVE", "has two entries named RR.csv");
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("a.csv", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let link = writer.finish().unwrap().into_inner();
    is_refused(&link, "", "FILE_ARCHIVE", "the entry a.csv is a symbolic link");
}

#[test]
fn what_cannot_be_unpacked_is_said() {
    let text = PAYMENTS.as_bytes();
    // A text file that only looks like a tar archive is not one. Found by fuzzing.
    let far = 257 - PAYMENTS.len();
    is_read(format!("{PAYMENTS}P3,{:far$}ustar,1.00,CNY,2026-03-01\n", "", far = far - 3).as_bytes(), "");
    let mut encrypted = zip(&[("a.csv", text)]);
    // Set the lowest flag bit in both headers.
    let central = (0..encrypted.len()).find(|at| encrypted[*at..].starts_with(b"PK\x01\x02")).unwrap();
    encrypted[6] |= 1;
    encrypted[central + 8] |= 1;
    is_refused(&encrypted, "", "FILE_ARCHIVE", "the entry a.csv is encrypted");
    let mut method = zip(&[("a.csv", text)]);
    (method[8], method[central + 10]) = (14, 14);
    is_refused(&method, "", "FILE_ARCHIVE", "use deflate");
    for (bytes, words) in [
        (gzip(&gzip(text)), "is packed twice"),
        (zip(&[("a.csv.gz", &gzip(text))]), "is packed twice"),
        (zstd(&zip(&[("a.csv", text)]), 20), "is packed twice"),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "is a 7z archive"),
        (b"Rar!\x1a\x07\x01\0".to_vec(), "is a RAR archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), "is an old Excel"),
        (tar("a.csv", text), "is a tar archive"),
        (gzip(&tar("a.csv", text)), "is a tar archive"),
        ([zip(&[("a.csv", text)]), text.to_vec()].concat(), "has something after its end"),
        ([zip(&[("a.csv", text)]), gzip(text)].concat(), "has something after its end"),
        ([zip(&[("a.csv", text)]), vec![b'x'; 60_000]].concat(), "has something after its end"),
    ] {
        is_refused(&bytes, "", "FILE_ARCHIVE", words);
    }
}

#[test]
fn damaged_archives_count_for_nothing() {
    // Long enough that rows are read before the damaged part.
    let mut text = PAYMENTS.to_owned();
    for i in 0..20_000 {
        text.push_str(&format!("Q{i},O{},{}.00,CNY,2026-03-01\n", i * 7919 % 10_007, i % 977 + 1));
    }
    let text = text.as_bytes();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 9].to_vec();
    let flipped = |mut bytes: Vec<u8>, from_end: usize| {
        let at = bytes.len() - from_end;
        bytes[at] ^= 0xff;
        bytes
    };
    let zipped = zip(&[("a.csv", text)]);
    let mut lying = zipped.clone();
    let central = (0..lying.len()).find(|at| lying[*at..].starts_with(b"PK\x01\x02")).unwrap();
    // The header states a smaller unpacked size than the real one.
    lying[central + 24] ^= 0x01;
    for (bytes, words) in [
        (cut(gzip(text)), "cannot be unpacked to its end"),
        // Damages the checksum.
        (flipped(gzip(text), 6), "cannot be unpacked to its end"),
        ([gzip(text), b"and more".to_vec()].concat(), "cannot be unpacked to its end"),
        (cut(zstd(text, 20)), "cannot be unpacked to its end"),
        (flipped(zstd(text, 20), 2), "cannot be unpacked to its end"),
        (cut(zipped.clone()), "is not a complete zip file"),
        (zipped[..zipped.len() / 2].to_vec(), "is not a complete zip file"),
        ([zipped.clone(), vec![b'x'; 100_000]].concat(), "is not a complete zip file"),
        (flipped(zipped.clone(), zipped.len() / 2), "cannot be unpacked to its end"),
        (lying, "cannot be unpacked to its end"),
        (gzip(text)[..5].to_vec(), "cannot be unpacked to its end"),
    ] {
        is_refused(&bytes, "", "FILE_UNREADABLE", words);
    }
    is_refused(&gzip(b""), "", "FILE_EMPTY", "the file is empty");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let blank = vec![b'\n'; 40 << 20];
    let most = "FILE_TOO_LARGE";
    is_refused(&gzip(&blank), "", most, "unpacks to more than 200 times its packed size");
    is_refused(&zstd(&blank, 20), "", most, "unpacks to more than 200 times its packed size");
    is_refused(&zip(&[("a.csv", &blank)]), "", most, "unpacks to more than 200 times its packed size");
    is_refused(&gzip(&blank), "limits = { ratio = 2000, file_mib = 20 }", most, "holds more than 20 MiB of text");
    is_refused(&blank, "limits = { file_mib = 20 }", most, "holds more than 20 MiB of text");
    is_refused(&zstd(PAYMENTS.as_bytes(), 27), "", most, "window of more than 8 MiB");
    let names: Vec<String> = (0..10_001).map(|i| format!("{i}.csv")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    is_refused(&zip(&entries), "", "FILE_ARCHIVE", "has 10001 entries, more than 1000");
}

#[test]
fn a_line_without_end_is_refused() {
    let long = format!("{PAYMENTS}P3,{},3.00,CNY,2026-03-01\n", "x".repeat(2_000));
    is_refused(
        long.as_bytes(),
        "limits.line_kib = 1",
        "FILE_LINE_TOO_LONG",
        "line 4 is longer than the limit of 1024 bytes",
    );
}

#[test]
fn the_same_rows_packed_otherwise_are_duplicates() {
    let scheme = shop(PAYMENTS.as_bytes(), "");
    scheme.close("2026-03-01");
    scheme.write("inbox/payments-2026-03-02.csv", gzip(PAYMENTS.as_bytes()));
    scheme.write("inbox/payments-2026-03-02-again.csv", PAYMENTS);
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-02.csv.ack.csv");
    assert!(ack.contains("2,P1,duplicate") && ack.contains("3,P2,duplicate"), "{ack}");
    let ack = scheme.read("run/outbox/payments/payments-2026-03-02-again.csv.ack.csv");
    assert!(ack.contains("0,,duplicate,FILE_DUPLICATE"), "{ack}");
}

#[test]
fn limits_that_make_no_sense_are_told() {
    let scheme =
        shop(PAYMENTS.as_bytes(), "limits = { ratio = 0, line_kib = 9000000 }\nentry = \"a/b\"\ndone = \"done\"");
    let told = scheme.run_failing(&["check"], 2);
    for words in [
        "feed.limits.ratio: 0: write 1 to 1000000",
        "feed.limits.line_kib: 9000000: write 1 to 1000000",
        "feed.entry: \"a/b\": a pattern is a file name without folders",
        "feed.done: \"done\": write a point and letters, digits, - and _, such as \".done\"",
    ] {
        assert!(told.contains(words), "{told}");
    }
}
