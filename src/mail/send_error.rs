//! How sending a mail can fail, whichever way the mail goes.

/// Why a mail was not sent. The text contains no name and no address, whatever the server's response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No mail can reach the customer's address, or it is not valid.
    #[error("permanently refused: {0}")]
    Address(String),
    /// The server refused this mail permanently (5xx).
    #[error("permanently refused: {0}")]
    Permanent(String),
    /// The connection was lost before the server confirmed the message: it may have been accepted.
    #[error("unknown whether the mail was sent: {0}")]
    Unknown(String),
    /// Any other failure; another attempt may succeed.
    #[error("not sent: {0}")]
    Transient(String),
}
