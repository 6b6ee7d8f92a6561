//! Why a whole file is refused. A [`FileError`] travels inside an [`io::Error`], because the fault often shows only while
//! the file is being unpacked.

use std::io;

use crate::domain::intake::code::FileCode;

/// Why none of a file's rows are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FileError {
    pub code: FileCode,
    pub message: String,
}

impl FileError {
    pub fn new(code: FileCode, message: impl Into<String>) -> FileError {
        FileError { code, message: message.into() }
    }

    /// Wraps the error for a reader to return.
    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// The error inside a reader's error. Any other error comes from the disk and is passed on.
    pub fn of(why: io::Error) -> io::Result<FileError> {
        why.downcast::<FileError>()
    }
}
