//! How the console is served: where it listens, who may look, and what they may see.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};

/// Where the console listens unless something else is said: this machine only.
pub const USUAL_ADDRESS: &str = "127.0.0.1:8340";

#[derive(Debug, Clone)]
pub struct Console {
    pub listen: SocketAddr,
    /// With it people log in, and programs ask for metrics.
    pub token: Option<Token>,
    /// The header in which a proxy in front names the person who looks.
    pub trusted_header: Option<String>,
    /// How long a session lasts.
    pub session: Duration,
    /// Whether names and addresses of customers are shown.
    pub show_customers: bool,
}

/// A secret that is only ever compared. Its hash is kept, so that nothing can print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

/// The shortest token. A shorter one can be guessed.
const SHORTEST: usize = 24;

impl Token {
    pub fn new(secret: &str) -> Result<Token> {
        let length = secret.chars().count();
        ensure!(
            length >= SHORTEST,
            "the console's token has {length} characters; take at least {SHORTEST}, such as those of `openssl rand -hex 24`"
        );
        Ok(Token::hash(secret))
    }

    /// Whether this is the token. Hashes are compared, so that the time it takes says nothing about the token.
    pub fn is(&self, said: &str) -> bool {
        *self == Token::hash(said)
    }

    fn hash(secret: &str) -> Token {
        Token(Sha256::digest(secret.as_bytes()).into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Console {
    /// Whether anybody who reaches the address may look.
    pub fn is_open(&self) -> bool {
        self.token.is_none() && self.trusted_header.is_none()
    }

    /// Refuses an address that other machines reach, unless somebody is asked who they are.
    pub fn refuse_strangers(&self) -> Result<()> {
        ensure!(
            self.listen.ip().is_loopback() || !self.is_open(),
            "other machines reach {}, and nobody would be asked who they are: listen on 127.0.0.1, or say token_file, \
             PAYLATER_CONSOLE_TOKEN or trusted_header",
            self.listen
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(listen: &str) -> Console {
        let listen = listen.parse().unwrap();
        let session = Duration::from_secs(3_600);
        Console { listen, token: None, trusted_header: None, session, show_customers: false }
    }

    #[test]
    fn an_open_console_is_for_this_machine_only() {
        let token = Some(Token::new("a-token-of-24-characters").unwrap());
        for (listen, is_fine) in
            [("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("[::]:1", false)]
        {
            assert_eq!(console(listen).refuse_strangers().is_ok(), is_fine, "{listen}");
            assert!(Console { token: token.clone(), ..console(listen) }.refuse_strangers().is_ok(), "{listen}");
            let header = Some("x-user".to_owned());
            assert!(Console { trusted_header: header, ..console(listen) }.refuse_strangers().is_ok(), "{listen}");
        }
    }

    #[test]
    fn a_token_is_long_and_never_printed() {
        assert!(Token::new("short").is_err());
        let token = Token::new("a-token-of-24-characters").unwrap();
        assert!(token.is("a-token-of-24-characters") && !token.is("a-token-of-24-character") && !token.is(""));
        assert_eq!(format!("{token:?}"), "Token");
    }
}
