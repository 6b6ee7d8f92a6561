//! What can come of sending a mail, other than that it is sent: for every way that mail goes.

/// Why a mail was not sent. The text carries no name and no address, whatever the server said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing gets to the customer's address, or it is none.
    #[error("refused for good: {0}")]
    Address(String),
    /// The server refused this mail (5xx), and would again.
    #[error("refused for good: {0}")]
    Permanent(String),
    /// The connection was lost between the message and the server's word for it: it may have been taken.
    #[error("it is not known whether it was sent: {0}")]
    Unknown(String),
    /// Anything else: it may go better another time.
    #[error("not sent: {0}")]
    Transient(String),
}
