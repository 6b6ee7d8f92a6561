//! Reading a file, from outside in: `source` opens it, `container` unpacks it, `encoding` decodes its text, `row_splitter`
//! and `table` find its header and rows, and `reader` hands out typed rows. [`file_error`] says why a whole file is refused.

pub mod container;
pub mod encoding;
pub mod file_error;
pub mod reader;
mod row_splitter;
pub mod source;
pub mod table;
