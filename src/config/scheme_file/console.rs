//! `[console]` of `paylater.toml`: where the console listens, and who may look.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, read, wrong};
use crate::scheme::console::{Console, Token, USUAL_ADDRESS};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawConsole {
    /// Address and port, such as 127.0.0.1:8340.
    #[serde(default = "default_listen")]
    listen: String,
    /// A file that holds the token with which people log in.
    token_file: Option<PathBuf>,
    /// The header in which a proxy in front names the person, such as X-Forwarded-User.
    trusted_header: Option<String>,
    /// How many hours a session lasts.
    #[serde(default = "default_session_hours")]
    session_hours: u64,
    /// Whether names and addresses of customers are shown; each look is logged.
    #[serde(default)]
    show_customers: bool,
}

impl Default for RawConsole {
    fn default() -> RawConsole {
        RawConsole {
            listen: default_listen(),
            token_file: None,
            trusted_header: None,
            session_hours: default_session_hours(),
            show_customers: false,
        }
    }
}

fn default_listen() -> String {
    USUAL_ADDRESS.to_owned()
}

fn default_session_hours() -> u64 {
    10
}

/// The longest session. Whoever looks daily logs in weekly.
const MOST_SESSION_HOURS: u64 = 168;

impl RawConsole {
    pub fn resolve(self, base: &Path, rules: &mut Rules) -> Option<Console> {
        let listen = rules.keep("console.listen", address(&self.listen));
        let token = rules.keep("console", token(self.token_file.map(|file| base.join(file))));
        let trusted_header = rules.keep("console.trusted_header", header(self.trusted_header));
        let session = rules.keep("console.session_hours", session(self.session_hours));
        let console = Console {
            listen: listen?,
            token: token?,
            trusted_header: trusted_header?,
            session: session?,
            show_customers: self.show_customers,
        };
        rules.keep("console.listen", console.refuse_strangers())?;
        Some(console)
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().ok().with_context(|| format!("{text:?}: write an address and a port, such as {USUAL_ADDRESS:?}"))
}

/// The token of the environment or, if there is none, of the file.
fn token(file: Option<PathBuf>) -> Result<Option<Token>> {
    let from_file = file.map(|file| read(&file).map_err(|why| wrong("token_file", format!("{why:#}")))).transpose()?;
    let secret = std::env::var("PAYLATER_CONSOLE_TOKEN").ok().or(from_file);
    secret.map(|secret| Token::new(secret.trim()).map_err(|why| wrong("token_file", why.to_string()))).transpose()
}

fn header(name: Option<String>) -> Result<Option<String>> {
    let is_header = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let Some(name) = name else { return Ok(None) };
    ensure!(is_header(&name), "{name:?}: write the name of a header, such as \"X-Forwarded-User\"");
    Ok(Some(name.to_lowercase()))
}

fn session(hours: u64) -> Result<Duration> {
    ensure!(
        (1..=MOST_SESSION_HOURS).contains(&hours),
        "{hours} is not from 1 to {MOST_SESSION_HOURS}; write a number that is"
    );
    Ok(Duration::from_secs(3_600 * hours))
}
