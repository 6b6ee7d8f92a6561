//! Where a fact came from.

/// The file's number and the line in it. Line 0 of file 0 is the program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    pub file_no: i64,
    pub line: i64,
}
