//! How long rows are, before anybody keeps one: a quote that is never closed makes one row of all that follows. Where
//! rows end is told exactly as the CSV reader tells it.

use std::io::{self, Read};

use super::distrust::Distrust;

/// Watches text that comes in pieces, and refuses a row that is longer than it may be.
#[derive(Debug)]
pub struct LineGauge {
    longest: u64,
    delimiter: u8,
    /// What cells may be put in; none if quotes mean nothing.
    sign: Option<u8>,
    /// Bytes seen before this piece.
    offset: u64,
    /// Where the row begins: its offset, and its line.
    row_at: u64,
    row_line: u64,
    line: u64,
    quoted: bool,
    /// Just after the quote that may have closed a cell.
    closed_at: Option<u64>,
    /// The byte before the piece.
    before: u8,
}

impl LineGauge {
    pub fn new(longest: u64, delimiter: u8, sign: Option<u8>) -> LineGauge {
        LineGauge {
            longest,
            delimiter,
            sign,
            offset: 0,
            row_at: 0,
            row_line: 1,
            line: 1,
            quoted: false,
            closed_at: None,
            before: b'\n',
        }
    }

    /// Looks at the next piece.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Distrust> {
        for at in memchr::memchr2_iter(self.sign.unwrap_or(b'\n'), b'\n', piece) {
            let here = self.offset + at as u64;
            match piece[at] {
                sign if Some(sign) == self.sign => self.quote(here, if at == 0 { self.before } else { piece[at - 1] }),
                _ => {
                    self.line += 1;
                    if !self.quoted {
                        self.check(here)?;
                        (self.row_at, self.row_line) = (here + 1, self.line);
                    }
                }
            }
        }
        self.offset += piece.len() as u64;
        self.before = piece.last().copied().unwrap_or(self.before);
        self.check(self.offset)
    }

    /// A quote opens a cell at its beginning, closes an open one, and doubled within one is a sign like any other.
    fn quote(&mut self, here: u64, before: u8) {
        if self.quoted {
            (self.quoted, self.closed_at) = (false, Some(here + 1));
            return;
        }
        self.quoted = here == self.row_at || before == self.delimiter || self.closed_at == Some(here);
    }

    /// The text ends here. A quote that is still open has made one row of what may be many.
    fn end(&self) -> Result<(), Distrust> {
        if !self.quoted {
            return Ok(());
        }
        let message = format!(
            "a quote is opened in the row that begins at line {}, and not closed to the end: the file is not whole, or the \
             quote a slip; mend it and send it again",
            self.row_line
        );
        Err(Distrust::new("FILE_TRUNCATED", message))
    }

    fn check(&self, end: u64) -> Result<(), Distrust> {
        if end - self.row_at <= self.longest {
            return Ok(());
        }
        let (line, longest) = (self.row_line, self.longest);
        let why = if self.quoted { "; a quote is opened there and not closed" } else { "" };
        let message = format!(
            "the row that begins at line {line} is longer than {longest} bytes{why}; mend it, or raise line_kib in \
             the feed's limits"
        );
        Err(Distrust::new("FILE_LINE_TOO_LONG", message))
    }
}

/// Text that is watched on its way.
pub struct Gauged<R> {
    text: R,
    gauge: LineGauge,
}

impl<R: Read> Gauged<R> {
    pub fn new(text: R, gauge: LineGauge) -> Gauged<R> {
        Gauged { text, gauge }
    }
}

impl<R: Read> Read for Gauged<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.text.read(into)?;
        let fits = if length == 0 && !into.is_empty() { self.gauge.end() } else { self.gauge.take(&into[..length]) };
        fits.map_err(Distrust::into_io)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of the row that is too long, with pieces of any length.
    fn refused(text: &str, longest: u64) -> Option<u64> {
        let refused: Vec<Option<u64>> = (1..=text.len())
            .map(|length| {
                let mut gauge = LineGauge::new(longest, b',', Some(b'"'));
                let wrong = text.as_bytes().chunks(length).find_map(|piece| gauge.take(piece).err());
                wrong.map(|_| gauge.row_line)
            })
            .collect();
        assert!(refused.windows(2).all(|pair| pair[0] == pair[1]), "{text:?}: {refused:?}");
        refused[0]
    }

    #[test]
    fn a_row_ends_where_the_csv_reader_says() {
        for (text, longest, line) in [
            ("a,b\n1,2\n", 3, None),
            ("a,b\n1,23\n", 3, Some(2)),
            ("a,b\r\n1,2\r\n", 4, None),
            ("a,b\n\"1\n2\",3\n", 4, Some(2)),
            ("a,b\n\"1\n\n2\",3\n", 9, None),
            // Never closed.
            ("a,b\n1,\"2\n3,4\n5,6\n", 8, Some(2)),
            // In the midst of a cell it is a sign like any other.
            ("a,b\n1,2\"\n3,4\n5,6\n", 8, None),
            ("a,b\n1,\"2\"\"\"\n3,4\n5,6\n", 8, None),
            ("a,b\n1,\"2\"\"\n3,4\n5,6\n", 8, Some(2)),
            ("a,b\n1,\"2\"x\"\n3,4\n5,6\n", 8, None),
        ] {
            assert_eq!(refused(text, longest), line, "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_row() {
        let read = |text: &str| {
            let mut gauged = Gauged::new(text.as_bytes(), LineGauge::new(1_000, b',', Some(b'"')));
            gauged.read_to_end(&mut Vec::new()).map_err(|why| Distrust::of(why).unwrap())
        };
        for (text, line) in [
            ("a,b\n1,\"2\n3,4\n", Some(2)),
            ("a,b\n1,2\n\"3\"\"", Some(3)),
            ("a,b\n1,\"2\n3\",4", None),
            ("a,b\n1,2\"", None),
        ] {
            let wrong = read(text).err();
            assert_eq!(wrong.as_ref().map(|wrong| wrong.code), line.map(|_| "FILE_TRUNCATED"), "{text:?}");
            let says = line.map_or(String::new(), |line| format!("begins at line {line}, and not closed"));
            assert!(wrong.is_none_or(|wrong| wrong.message.contains(&says)), "{text:?}");
        }
    }

    #[test]
    fn rows_are_those_of_the_csv_reader_whatever_the_text() {
        // All texts of seven signs that mean something.
        let signs = [b'a', b',', b'"', b'\n', b'\r'];
        let rows = |text: &[u8]| {
            let mut builder = csv::ReaderBuilder::new();
            builder.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
            let reader = builder.buffer_capacity(64).from_reader(text);
            reader.into_byte_records().count()
        };
        for number in 0..5_u32.pow(7) {
            let text: Vec<u8> = (0..7).map(|i| signs[(number / 5_u32.pow(i) % 5) as usize]).collect();
            let mut gauge = LineGauge::new(1_000, b',', Some(b'"'));
            gauge.take(&text).unwrap();
            // One more row is one more row only if no quote is open.
            let more = rows(&[&text, b"\nx\n".as_slice()].concat()) - rows(&[&text, b"\n".as_slice()].concat());
            assert_eq!(gauge.quoted, more == 0, "{:?}", String::from_utf8_lossy(&text));
        }
    }
}
