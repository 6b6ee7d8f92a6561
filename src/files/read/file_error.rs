//! Why a file counts for nothing as a whole. It travels within errors of reading, since what is wrong with a file often
//! shows only while its bytes are unpacked.

use std::io;

/// Why none of a file's rows count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Distrust {
    pub code: &'static str,
    pub message: String,
}

impl Distrust {
    pub fn new(code: &'static str, message: impl Into<String>) -> Distrust {
        Distrust { code, message: message.into() }
    }

    /// As an error of reading.
    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// The distrust that an error of reading carries; any other error is trouble with the disk.
    pub fn of(why: io::Error) -> io::Result<Distrust> {
        why.downcast::<Distrust>()
    }
}
