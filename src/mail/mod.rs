//! Mail: from what a customer should know to a message, and from a message to a server or a folder.
//!
//! `compose` is pure: the same letter gives the same bytes. `transport` carries them. Deliberately absent: whom to write
//! to, about what and when (the domain decides), and any record of what was sent (the store keeps it). Nothing here
//! logs, and no error or debug output carries a name or an address.

pub mod compose;
mod language;
mod send_error;
mod smtp;
mod templates;
pub mod transport;
