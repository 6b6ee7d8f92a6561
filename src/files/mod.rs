//! Files: from bytes to typed rows, and from rows to the bytes of reports. A bad row is data, not an error; only a failing
//! disk or connection is an error. This room has no database and no business rules.

pub mod acknowledgement;
pub mod atomic;
pub mod exports;
pub mod inbox;
pub mod preview;
pub mod profile;
pub mod read;
pub mod remote;
pub mod reports;
pub mod rows;
pub mod sorter;
