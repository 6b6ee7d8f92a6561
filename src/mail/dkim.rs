//! Signs mails with DKIM (RFC 6376), just before they go to a server. The time of the signature is the wall clock's, so a signed
//! message is not composed but sent.

use std::fmt;

use lettre::Message;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;

/// The headers that are signed if a mail has them. Those about unsubscribing must be (RFC 8058). Content-Type cannot be: lettre
/// keeps it with the body, and would sign that there is none.
const SIGNED: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "MIME-Version",
];

/// A key that signs for a domain. Nothing prints it.
pub struct Dkim(DkimConfig);

/// Why a text is no key. The error does not quote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither an RSA key as PEM (PKCS #1, such as from `openssl genrsa -traditional 2048`) nor an Ed25519 key in base64"
)]
pub struct DkimKeyError;

impl Dkim {
    /// Reads a key: RSA as PEM, or Ed25519 as the base64 of its 32 bytes.
    pub fn new(domain: &str, selector: &str, key: &str) -> Result<Dkim, DkimKeyError> {
        let algorithm =
            if key.contains("-----BEGIN") { DkimSigningAlgorithm::Rsa } else { DkimSigningAlgorithm::Ed25519 };
        let key = DkimSigningKey::new(key.trim(), algorithm).map_err(|_| DkimKeyError)?;
        let relaxed = DkimCanonicalizationType::Relaxed;
        let canonicalization = DkimCanonicalization { header: relaxed, body: relaxed };
        let headers = SIGNED.into_iter().map(HeaderName::new_from_ascii_str).collect();
        Ok(Dkim(DkimConfig::new(selector.to_owned(), domain.to_owned(), key, headers, canonicalization)))
    }

    pub(super) fn sign(&self, message: &mut Message) {
        message.sign(&self.0);
    }
}

impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dkim")
    }
}
