//! A mail server: the URL that names it, and connections to it.
//!
//! Connections are made here and not by lettre, which leaves TCP_NODELAY unset: lettre writes a message and its final dot
//! separately, so that each mail would wait for a delayed acknowledgement (40 ms).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after a plain greeting; nothing is sent if the server does not support TLS.
    StartTls,
    None,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{step}: {error}")]
    Network { step: &'static str, error: io::Error },
    #[error(transparent)]
    Smtp(#[from] Error),
}

impl Server {
    pub fn parse(url: &str) -> Result<Server, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL begins with neither smtp:// nor smtps://")?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (account, place) = match authority.rsplit_once('@') {
            Some((account, place)) => (Some(account), place),
            None => (None, authority),
        };
        let credentials = account.map(credentials).transpose()?;
        let security = match (scheme, query) {
            ("smtps", "") => Security::Tls,
            ("smtp", "tls=required") => Security::StartTls,
            ("smtp", "tls=none") => Security::None,
            ("smtp", "") if credentials.is_some() => Security::StartTls,
            ("smtp", "") => Security::None,
            ("smtp" | "smtps", _) => {
                return Err("after the ?, only tls=required and tls=none are allowed, with smtp://");
            }
            _ => return Err("the URL begins with neither smtp:// nor smtps://"),
        };
        let (host, port) = match place.rsplit_once(':') {
            // Colons inside brackets belong to an IPv6 address.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (place, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err("the host is missing");
        }
        let port = match (port, security) {
            (Some(port), _) => port.parse().ok().filter(|port| *port != 0).ok_or("the port is not a number")?,
            (None, Security::Tls) => 465,
            (None, Security::StartTls) => 587,
            (None, Security::None) => 25,
        };
        Ok(Server { host, port, security, credentials })
    }

    /// Connects, encrypts and signs in. Each step has at most `limit`.
    pub async fn connect(&self, limit: Duration) -> Result<AsyncSmtpConnection, ConnectError> {
        let hello = ClientId::default();
        let stream = within(limit, "connecting", self.stream()).await?;
        let stream: Box<dyn AsyncTokioStream> = match self.security {
            Security::Tls => Box::new(within(limit, "encrypting", self.encrypted(stream)).await?),
            Security::StartTls | Security::None => Box::new(stream),
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await?;
        if self.security == Security::StartTls {
            connection.starttls(TlsParameters::new(self.host.clone())?, &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    async fn stream(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn encrypted(&self, stream: TcpStream) -> io::Result<Encrypted> {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        Ok(Encrypted(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port, security, .. } = self;
        write!(f, "{host}:{port}, {security:?}")
    }
}

/// Runs one step of connecting within a time limit.
async fn within<T>(
    limit: Duration,
    step: &'static str,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, ConnectError> {
    let done = tokio::time::timeout(limit, work).await;
    let done =
        done.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))));
    done.map_err(|error| ConnectError::Network { step, error })
}

/// A connection that is encrypted from its first byte, in the form that lettre takes.
#[derive(Debug)]
struct Encrypted(TlsStream<TcpStream>);

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn credentials(account: &str) -> Result<Credentials, &'static str> {
    let (user, password) = account.split_once(':').ok_or("the password is missing")?;
    let decoded = |text| percent_decoded(text).ok_or("a % in the user or password is not followed by two hex digits");
    Ok(Credentials::new(decoded(user)?, decoded(password)?))
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_mail_waits_for_a_delayed_acknowledgement() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let stream = Server::parse(&url).unwrap().stream().await.unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
