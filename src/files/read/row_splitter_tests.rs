use super::*;
use crate::domain::intake::code::FileCode;

/// The rows of a text as the CSV reader gets them; a faulty row with its fault and cell.
fn rows(text: &str, width: Option<usize>, longest: u64) -> Result<Vec<String>, FileError> {
    let width = width.map(|cells| Width { header_line: 0, cells, or_more: false });
    let signs = Signs { longest, delimiter: b',', quote: Some(b'"') };
    let mut splits = Vec::new();
    // In pieces of any length, and row by row.
    for length in 1..=text.len().min(12) {
        let pieces = || Pieces(text.as_bytes(), length);
        splits.push(read(RowSplitter::with_width(pieces(), signs, width)));
        let mut one_by_one = RowSplitter::before_header(pieces(), signs);
        one_by_one.width = width;
        splits.push(read(one_by_one));
    }
    for pair in splits.windows(2) {
        assert_eq!(pair[0], pair[1], "{text:?}");
    }
    splits.swap_remove(0)
}

struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(self.0.len()).min(into.len());
        let (piece, rest) = self.0.split_at(length);
        into[..length].copy_from_slice(piece);
        self.0 = rest;
        Ok(length)
    }
}

fn read(mut splitter: RowSplitter<Pieces<'_>>) -> Result<Vec<String>, FileError> {
    let mut text = Vec::new();
    splitter.read_to_end(&mut text).map_err(|why| FileError::of(why).unwrap())?;
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
    let mut reader = builder.from_reader(&text[..]);
    let mut found = Vec::new();
    let mut line = 1;
    for record in reader.records().map(Result::unwrap) {
        let bad = splitter.bad_quotes(line);
        line += 1 + record.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        let cells: Vec<&str> = record.iter().map(|cell| cell.trim_end_matches('\r')).collect();
        found.push(match bad {
            Some(BadQuotes { line, fault, cell }) => format!("{line} {fault:?} {cell}: {}", cells.concat()),
            None => cells.join("|"),
        });
    }
    assert!(splitter.bad.is_empty(), "{:?}", splitter.bad);
    Ok(found)
}

#[test]
fn a_row_whose_quotes_are_wrong_is_one_line() {
    for (text, expected) in [
        ("a,b\n1,2\n", &["a|b", "1|2"][..]),
        ("a,b\r\n\"1\",\"2\"\r\n", &["a|b", "1|2"]),
        ("\"1\",\"2\"", &["1|2"]),
        ("1,\"2\"\r", &["1|2"]),
        ("1,\"\"\n\"\",2\n", &["1|", "|2"]),
        ("\"1\n2\",3\n4,5\n", &["1\n2|3", "4|5"]),
        ("1,\"2\"\"3\"\n", &["1|2\"3"]),
        ("1,\"\"\"2\"\"\"\n", &["1|\"2\""]),
        // Text after a closing quote, even a blank.
        ("1,\"2\"x\n3,4\n", &["1 TextAfter 1: 1,\"2\"x", "3|4"]),
        ("1,\"2\" \n3,4\n", &["1 TextAfter 1: 1,\"2\" ", "3|4"]),
        ("\"1\"0,2\n3,4\n", &["1 TextAfter 0: \"1\"0,2", "3|4"]),
        ("1,\"2\"\"3\"4\n5,6\n", &["1 TextAfter 1: 1,\"2\"\"3\"4", "5|6"]),
        ("1,\"2\"\rx\n3,4\n", &["1 TextAfter 1: 1,\"2\"\rx", "3|4"]),
        // A quote inside a cell.
        ("1,2\"\n3,4\n", &["1 QuoteWithin 1: 1,2\"", "3|4"]),
        ("1, \"2\"\n3,4\n", &["1 QuoteWithin 1: 1, \"2\"", "3|4"]),
        ("1,=\"2\"\r\n3,4\r\n", &["1 QuoteWithin 1: 1,=\"2\"", "3|4"]),
        // A quote that is not closed, up to the next quote or the end.
        ("1,\"2\n3,\"4\"\n5,6\n", &["1 NotClosed 1: 1,\"2", "3|4", "5|6"]),
        ("1,\"2\n\"3\",4\n", &["1 NotClosed 1: 1,\"2", "3|4"]),
        ("1,\"2\n3,4\n5,6\n", &["1 NotClosed 1: 1,\"2", "3|4", "5|6"]),
        ("1,\"2\n3,4\n5,6", &["1 NotClosed 1: 1,\"2", "3|4", "5|6"]),
        ("\"1\",\"2\n\n3,4\n", &["1 NotClosed 1: \"1\",\"2", "3|4"]),
        ("1,\"2\n3,4\",5\"\n6,7\n", &["1 NotClosed 1: 1,\"2", "2 QuoteWithin 1: 3,4\",5\"", "6|7"]),
    ] {
        assert_eq!(rows(text, None, 1_000).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn a_row_of_several_lines_is_not_several_rows() {
    for (text, expected) in [
        ("1,2,\"3\n4\"\n5,6,7\n", &["1|2|3\n4", "5|6|7"][..]),
        ("1,\"2 2\n3, 3\",4\n", &["1|2 2\n3, 3|4"]),
        // Two misplaced quotes that would join two rows, or three with a correct row between them.
        ("1,2,\"3\n4,5,6\"\n7,8,9\n", &["1 NotClosed 2: 1,2,\"3", "2 QuoteWithin 2: 4,5,6\"", "7|8|9"]),
        ("1,\"2,3\n4,5\",6\n7,8,9\n", &["1 NotClosed 1: 1,\"2,3", "2 QuoteWithin 1: 4,5\",6", "7|8|9"]),
        ("1,2,\"3\n4,5,6\n7,8,9\"\n", &["1 NotClosed 2: 1,2,\"3", "4|5|6", "3 QuoteWithin 2: 7,8,9\""]),
        // Another cell count than the header's.
        ("1,\"2\n3\"\n4,5,6\n", &["1 NotClosed 1: 1,\"2", "2 QuoteWithin 0: 3\"", "4|5|6"]),
        ("1,\"2\n3\",4,5\n", &["1 NotClosed 1: 1,\"2", "2 QuoteWithin 0: 3\",4,5"]),
    ] {
        assert_eq!(rows(text, Some(3), 1_000).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let refused = |text: &str, longest| rows(text, None, longest).map_err(|why| (why.code, why.message));
    assert!(refused("a,b\n1,2\n", 3).is_ok());
    assert!(refused("a,b\r\n1,2\r\n", 4).is_ok());
    for text in ["a,b\n1,23\n", "a,b\n1,23", "a,b\n1,\"2\n", "a,b\n1,2\"3\n"] {
        let (code, message) = refused(text, 3).unwrap_err();
        assert!(
            code == FileCode::LineTooLong && message.starts_with("line 2 is longer than the limit of 3 bytes"),
            "{message}"
        );
    }
    // An unclosed quote is the fault of one line.
    assert_eq!(refused("1,\"2\n3,4\n5,6\n7,\"8\"\n", 9).unwrap(), ["1 NotClosed 1: 1,\"2", "3|4", "5|6", "7|8"]);
}

#[test]
fn a_file_that_ends_inside_a_quote_is_incomplete() {
    for text in ["1,2\n3,\"4", "1,2\n3,\"4\"\"", "\"1\n2,\"3"] {
        let why = rows(text, None, 1_000).unwrap_err();
        assert_eq!(why.code, FileCode::Truncated, "{text:?}");
        assert!(why.message.contains("in its last line, 2: "), "{why}");
    }
}

#[test]
fn every_line_is_accounted_for_and_good_text_is_left_as_it_is() {
    // All texts of seven of these characters.
    let signs = [b'a', b',', b'"', b'\n', b'\r'];
    for number in 0..5_u32.pow(7) {
        let text: Vec<u8> = (0..7).map(|i| signs[(number / 5_u32.pow(i) % 5) as usize]).collect();
        let signs = Signs { longest: 1_000, delimiter: b',', quote: Some(b'"') };
        let mut splitter = RowSplitter::with_width(&text[..], signs, None);
        let mut split = Vec::new();
        if let Err(why) = splitter.read_to_end(&mut split) {
            assert_eq!(FileError::of(why).unwrap().code, FileCode::Truncated);
            continue;
        }
        let lines =
            |text: &[u8]| text.strip_suffix(b"\n").unwrap_or(text).iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines(&split), lines(&text), "{:?}", String::from_utf8_lossy(&text));
        if splitter.bad.is_empty() {
            assert_eq!(split, text);
        }
    }
}
