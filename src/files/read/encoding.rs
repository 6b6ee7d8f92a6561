//! Decodes a stream of bytes strictly. Nothing is replaced or guessed: bytes that are not valid in the encoding are an error
//! with their position.

use std::io::{self, Cursor, Read};

use encoding_rs::{Decoder, DecoderResult};

/// An encoding that a profile can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    /// Includes GBK and GB2312.
    #[serde(rename = "gb18030")]
    Gb18030,
    /// The byte order mark says which byte order.
    #[serde(rename = "utf-16")]
    Utf16,
}

/// The encoding of a file. `table` chooses among the possible ones: the first in which a header is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Utf8,
    Gb18030,
    Utf16Le,
    Utf16Be,
}

/// How many bytes the longest byte order mark has.
pub const MARK: usize = 4;

impl Script {
    pub fn name(self) -> &'static str {
        match self {
            Script::Utf8 => "UTF-8",
            Script::Gb18030 => "GB18030",
            Script::Utf16Le => "UTF-16 (little endian)",
            Script::Utf16Be => "UTF-16 (big endian)",
        }
    }

    /// The allowed encodings that a file with this beginning can have. UTF-8 with its mark is always allowed, because
    /// paylater's own rejects files are written so. Empty: the file's mark belongs to an encoding that is not allowed.
    pub fn possible(beginning: &[u8], allowed: &[Encoding]) -> Vec<Script> {
        let unmarked = |encoding: &Encoding| match encoding {
            Encoding::Utf8 => Some(Script::Utf8),
            Encoding::Gb18030 => Some(Script::Gb18030),
            Encoding::Utf16 => None,
        };
        match beginning {
            [0xef, 0xbb, 0xbf, ..] => vec![Script::Utf8],
            [0xff, 0xfe, ..] if allowed.contains(&Encoding::Utf16) => vec![Script::Utf16Le],
            [0xfe, 0xff, ..] if allowed.contains(&Encoding::Utf16) => vec![Script::Utf16Be],
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Vec::new(),
            _ => allowed.iter().filter_map(unmarked).collect(),
        }
    }

    fn mark(self) -> &'static [u8] {
        match self {
            Script::Utf8 => &[0xef, 0xbb, 0xbf],
            Script::Gb18030 => &[0x84, 0x31, 0x95, 0x33],
            Script::Utf16Le => &[0xff, 0xfe],
            Script::Utf16Be => &[0xfe, 0xff],
        }
    }

    fn decoder(self) -> Decoder {
        let encoding = match self {
            Script::Utf8 => encoding_rs::UTF_8,
            Script::Gb18030 => encoding_rs::GB18030,
            Script::Utf16Le => encoding_rs::UTF_16LE,
            Script::Utf16Be => encoding_rs::UTF_16BE,
        };
        encoding.new_decoder_without_bom_handling()
    }
}

/// The position of bytes that are not valid text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} is not {}", script.name())]
pub struct Malformed {
    pub at: u64,
    pub script: Script,
}

impl Malformed {
    /// The malformed text that an error of reading reports, if it does.
    pub fn of(why: &io::Error) -> Option<Malformed> {
        why.get_ref()?.downcast_ref().copied()
    }
}

/// Text as UTF-8, without the byte order mark.
pub struct Text<R>(Way<R>);

enum Way<R> {
    /// UTF-8 that was checked before; passed on unchanged.
    Plain(R),
    Decoding(Decoding<R>),
}

/// Decodes bytes and checks every one of them.
pub fn checked<R: Read>(bytes: R, script: Script) -> io::Result<Text<impl Read + use<R>>> {
    let (bytes, skipped) = without_mark(bytes, script)?;
    Ok(Text(Way::Decoding(Decoding::new(bytes, script, skipped))))
}

/// Decodes bytes that were checked before.
pub fn trusted<R: Read>(bytes: R, script: Script) -> io::Result<Text<impl Read + use<R>>> {
    let (bytes, skipped) = without_mark(bytes, script)?;
    Ok(Text(match script {
        Script::Utf8 => Way::Plain(bytes),
        _ => Way::Decoding(Decoding::new(bytes, script, skipped)),
    }))
}

/// The first bytes, at most [`MARK`].
pub fn beginning(bytes: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(MARK);
    bytes.take(MARK as u64).read_to_end(&mut first)?;
    Ok(first)
}

fn without_mark<R: Read>(mut bytes: R, script: Script) -> io::Result<(impl Read + use<R>, u64)> {
    let first = beginning(&mut bytes)?;
    let skip = if first.starts_with(script.mark()) { script.mark().len() } else { 0 };
    let mut rest = Cursor::new(first);
    rest.set_position(skip as u64);
    Ok((rest.chain(bytes), skip as u64))
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Plain(bytes) => bytes.read(into),
            Way::Decoding(decoding) => decoding.read(into),
        }
    }
}

struct Decoding<R> {
    bytes: R,
    script: Script,
    decoder: Decoder,
    /// Bytes read but not yet decoded.
    raw: Vec<u8>,
    raw_from: usize,
    raw_to: usize,
    /// Text decoded but not yet handed out.
    text: Vec<u8>,
    text_from: usize,
    text_to: usize,
    /// The number of bytes decoded.
    at: u64,
    no_more: bool,
    finished: bool,
    /// Reported once all text before it has been handed out.
    wrong: Option<Malformed>,
}

const PIECE: usize = 1 << 16;

impl<R: Read> Decoding<R> {
    fn new(bytes: R, script: Script, at: u64) -> Decoding<R> {
        Decoding {
            bytes,
            script,
            decoder: script.decoder(),
            raw: vec![0; PIECE],
            raw_from: 0,
            raw_to: 0,
            text: vec![0; PIECE],
            text_from: 0,
            text_to: 0,
            at,
            no_more: false,
            finished: false,
            wrong: None,
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.text_from == self.text_to && !self.finished {
            self.decode()?;
        }
        if let Some(malformed) = self.wrong.filter(|_| self.text_from == self.text_to) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, malformed));
        }
        let length = into.len().min(self.text_to - self.text_from);
        into[..length].copy_from_slice(&self.text[self.text_from..self.text_from + length]);
        self.text_from += length;
        Ok(length)
    }

    fn decode(&mut self) -> io::Result<()> {
        if self.raw_from == self.raw_to && !self.no_more {
            self.raw_from = 0;
            self.raw_to = self.bytes.read(&mut self.raw)?;
            self.no_more = self.raw_to == 0;
        }
        let raw = &self.raw[self.raw_from..self.raw_to];
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, self.no_more);
        self.raw_from += read;
        self.at += read as u64;
        (self.text_from, self.text_to) = (0, written);
        match result {
            DecoderResult::InputEmpty => self.finished = self.no_more,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                let at = self.at.saturating_sub(u64::from(length) + u64::from(after));
                self.wrong = Some(Malformed { at, script: self.script });
                self.finished = true;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in pieces of one size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = into.len().min(self.1).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            into[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn decoded(bytes: &[u8], script: Script, piece: usize) -> Result<String, Malformed> {
        let mut text = String::new();
        let read = checked(Pieces(bytes, piece), script).unwrap().read_to_string(&mut text);
        read.map(|_| text).map_err(|why| Malformed::of(&why).expect("malformed"))
    }

    fn utf16(text: &str, bytes_of: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn text_is_the_same_in_every_encoding_and_in_pieces_of_any_size() {
        let text = "先用后付 €1 𠮷 end\r\n".repeat(50);
        let gb = encoding_rs::GB18030.encode(&text).0;
        for (bytes, script) in [
            (text.as_bytes().to_vec(), Script::Utf8),
            (format!("\u{feff}{text}").into_bytes(), Script::Utf8),
            (gb.to_vec(), Script::Gb18030),
            ([Script::Gb18030.mark(), &*gb].concat(), Script::Gb18030),
            (utf16(&text, u16::to_le_bytes), Script::Utf16Le),
            (utf16(&text, u16::to_be_bytes), Script::Utf16Be),
        ] {
            for piece in [1, 2, 3, 7, 100_000] {
                assert_eq!(decoded(&bytes, script, piece).as_deref(), Ok(&*text), "{script:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn invalid_bytes_are_reported_with_their_position() {
        for (bytes, script, at) in [
            (b"abc\xd6\xd0".as_slice(), Script::Utf8, 3),
            (b"\xef\xbb\xbfabc\xff", Script::Utf8, 6),
            (b"abc\xe4\xb8", Script::Utf8, 3),
            (b"abc\xd6\xd0\xff\xff", Script::Gb18030, 5),
            (b"ab\x81", Script::Gb18030, 2),
            (b"\xff\xfea\0b", Script::Utf16Le, 4),
            (b"\xff\xfea\0\0\xdcb\0", Script::Utf16Le, 4),
            (b"\xfe\xff\0a\xd8\0\0b", Script::Utf16Be, 4),
        ] {
            for piece in [1, 2, 1_000] {
                let found = decoded(bytes, script, piece).map_err(|malformed| malformed.at);
                assert_eq!(found, Err(at), "{bytes:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_overrides_the_profile() {
        use Encoding::{Gb18030, Utf8, Utf16};
        for (bytes, allowed, possible) in [
            (b"ab".as_slice(), [Gb18030, Utf8].as_slice(), [Script::Gb18030, Script::Utf8].as_slice()),
            (b"\xef\xbb\xbfab", &[Gb18030], &[Script::Utf8]),
            (b"\xff\xfea\0", &[Utf16], &[Script::Utf16Le]),
            (b"\xfe\xff\0a", &[Utf8, Utf16], &[Script::Utf16Be]),
            (b"\xff\xfea\0", &[Utf8], &[]),
            (b"a\0b\0", &[Utf16], &[]),
            (b"", &[Utf8], &[Script::Utf8]),
        ] {
            assert_eq!(Script::possible(bytes, allowed), possible, "{bytes:?}");
        }
    }
}
