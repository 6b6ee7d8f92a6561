//! Files: from bytes to typed rows, and from rows to the bytes of reports. What is wrong with a row is data, not an
//! error; only trouble with the disk is. There is deliberately no database and no rule below this line.

pub mod acknowledgement;
pub mod atomic;
pub mod cell;
pub mod container;
pub mod distrust;
mod email;
pub mod encoding;
pub mod inbox;
pub mod incoming;
pub mod kept;
mod key;
pub mod look;
pub mod outgoing;
pub mod place;
pub mod profile;
pub mod reader;
mod row_splitter;
pub mod source;
pub mod spool;
pub mod table;
pub mod waiting;
