//! Mail: composes messages to customers and sends them to a server or into a folder.
//!
//! `compose` is pure: the same letter gives the same bytes. `transport` sends them. The domain decides whom to write to, about
//! what and when; the store records what was sent. Nothing in this room logs, and no error or debug output contains a name or
//! an address.

mod accent;
mod addressing;
mod cleaned;
pub mod compose;
pub mod dkim;
mod formats;
pub mod language;
pub mod letter;
mod made_up;
pub mod notice;
mod qr;
pub mod reference;
mod send_error;
mod smtp;
mod smtp_server;
pub mod template_files;
pub mod templates;
pub mod transport;
mod view;
mod ways;
