//! SMTP: each mail is one conversation, over connections that are reused.
//!
//! This module pools the connections itself. lettre's pool would return a connection whose send timed out to the next mail,
//! which would then read the responses to the earlier mail. Here a connection returns to the pool only after a successful
//! conversation. This also distinguishes a server that refuses *the sender* from one that refuses *a mail*.

use std::error::Error as _;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::{Mailboxes, header};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands;
use tokio::sync::Semaphore;

use super::compose::Mail;
use super::dkim::Dkim;
use super::send_error::SendError;
use super::smtp_server::{ConnectError, Server};

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 4;

/// Responses about the account and not the mail: sign in first, weak mechanism, wrong password, encrypt first.
const ABOUT_OUR_ACCOUNT: [&str; 4] = ["530", "534", "535", "538"];

/// Responses that the address will always get.
const ABOUT_THE_ADDRESS: [&str; 3] = ["550", "551", "553"];

/// A mail server, and the connections to it.
pub struct Smtp {
    server: Server,
    timeout: Duration,
    pub(super) connections: usize,
    /// Limits the number of conversations at once.
    places: Semaphore,
    /// Idle connections, never more than the limit.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    /// Signs mails; without it they go unsigned.
    dkim: Option<Box<Dkim>>,
}

/// Why a text is not an SMTP URL. The error does not quote the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an SMTP URL such as smtp://user:password@host:587, smtps://user:password@host or smtp://host:25: {0}")]
pub struct SmtpUrlError(&'static str);

impl Smtp {
    /// Parses a URL. `smtps://` uses TLS from the start. `smtp://` uses STARTTLS if a password is sent, and no encryption
    /// otherwise; `?tls=required` and `?tls=none` override this. In a password, write `@` as `%40`.
    pub fn new(url: &str) -> Result<Smtp, SmtpUrlError> {
        let server = Server::parse(url).map_err(SmtpUrlError)?;
        let connections = CONNECTIONS;
        Ok(Smtp {
            server,
            timeout: TIMEOUT,
            connections,
            places: Semaphore::new(connections),
            idle: Mutex::default(),
            dkim: None,
        })
    }

    /// The time limit for one mail, from the greeting to the last response.
    pub fn with_timeout(self, timeout: Duration) -> Smtp {
        Smtp { timeout, ..self }
    }

    /// Signs each mail.
    pub fn with_dkim(self, dkim: Dkim) -> Smtp {
        Smtp { dkim: Some(Box::new(dkim)), ..self }
    }

    /// The number of mails in transit at once.
    pub fn with_connections(self, connections: usize) -> Smtp {
        let connections = connections.max(1);
        Smtp { connections, places: Semaphore::new(connections), ..self }
    }

    pub(super) async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let message_began = AtomicBool::new(false);
        let silent = || format!("no response within {:?}", self.timeout);
        match tokio::time::timeout(self.timeout, self.converse(mail, &message_began)).await {
            Ok(result) => result,
            Err(_) if message_began.load(Ordering::Relaxed) => Err(SendError::Unknown(silent())),
            Err(_) => Err(SendError::Transient(silent())),
        }
    }

    /// Closes the idle connections.
    pub(super) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().expect("no holder of the lock can panic"));
        for mut connection in idle {
            // A missing response to QUIT does no harm.
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.quit()).await;
        }
    }

    async fn converse(&self, mail: &Mail, message_began: &AtomicBool) -> Result<(), SendError> {
        // A failure before the mail is announced, even a permanent one, is not caused by the mail.
        let mut connection = self.connection().await.map_err(|error| match error {
            ConnectError::Smtp(error) => SendError::Transient(described(&error, mail)),
            error @ ConnectError::Network { .. } => SendError::Transient(error.to_string()),
        })?;
        // lettre adds a line break before the final dot; the message's own line break would leave an empty line.
        let bytes = self.signed(mail);
        let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(&bytes);
        let envelope = mail.message().envelope();
        let is_ascii = envelope.to().iter().chain(envelope.from()).all(|address| address.to_string().is_ascii());
        let sent = if is_ascii {
            hand_over(&mut connection, envelope, bytes, message_began).await
        } else {
            // lettre reports without a request that the server does not support such addresses.
            connection.send(envelope, bytes).await.map(|_| ())
        };
        sent.map_err(|error| match error.status() {
            None if message_began.load(Ordering::Relaxed) => SendError::Unknown(described(&error, mail)),
            _ => refusal(&error, mail),
        })?;
        self.idle.lock().expect("no holder of the lock can panic").push(connection);
        Ok(())
    }

    fn signed(&self, mail: &Mail) -> Vec<u8> {
        let Some(dkim) = &self.dkim else { return mail.bytes() };
        let mut message = mail.message().clone();
        dkim.sign(&mut message);
        message.formatted()
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, ConnectError> {
        loop {
            let parked = self.idle.lock().expect("no holder of the lock can panic").pop();
            match parked {
                Some(mut connection) => {
                    // The server may have closed the connection since.
                    if connection.test_connected().await {
                        return Ok(connection);
                    }
                }
                None => return self.server.connect(self.timeout).await,
            }
        }
    }
}

/// Sends the envelope, sets the mark, then sends the message. A failure before the mark means that nothing was sent.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
    message_began: &AtomicBool,
) -> Result<(), Error> {
    connection.command(commands::Mail::new(envelope.from().cloned(), Vec::new())).await?;
    for to in envelope.to() {
        connection.command(commands::Rcpt::new(to.clone(), Vec::new())).await?;
    }
    connection.command(commands::Data).await?;
    message_began.store(true, Ordering::Relaxed);
    connection.message(bytes).await.map(|_| ())
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({:?})", self.server)
    }
}

fn refusal(error: &Error, mail: &Mail) -> SendError {
    let text = described(error, mail);
    let about_us = error.status().is_some_and(|code| ABOUT_OUR_ACCOUNT.contains(&code.to_string().as_str()));
    // If the server lacks SMTPUTF8, lettre sends nothing, so there is no code; another attempt does not help.
    let beyond_ascii = error.is_client() && text.contains("SMTPUTF8");
    // A policy response (5.7) is about this mail or the sender, not the address.
    let about_address = error.status().is_some_and(|code| ABOUT_THE_ADDRESS.contains(&code.to_string().as_str()));
    if beyond_ascii || about_address && !text.contains("5.7.") {
        SendError::Address(text)
    } else if error.is_permanent() && !about_us {
        SendError::Permanent(text)
    } else {
        SendError::Transient(text)
    }
}

/// The code and text of a response, or the error without a response. Servers quote addresses and names in their responses;
/// words that contain them are replaced by `…`.
fn described(error: &Error, mail: &Mail) -> String {
    let text = match (error.status(), error.source()) {
        (Some(code), Some(answer)) => format!("{code} {answer}"),
        _ => error.to_string(),
    };
    let mut struck = vec![String::from("@")];
    for mailbox in mail.message().headers().get::<header::To>().map(Mailboxes::from).unwrap_or_default() {
        let names = mailbox.name.as_deref().unwrap_or_default().split_whitespace();
        struck.extend(names.chain([mailbox.email.user()]).map(str::to_lowercase));
    }
    let is_struck = |word: &str| {
        let word = word.to_lowercase();
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        // Inside longer words, only names that are long enough not to occur by chance.
        struck.iter().any(|person| bare == person || ((person == "@" || person.len() > 2) && word.contains(person)))
    };
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| if is_struck(word) { "…" } else { word }).collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
#[path = "../../tests/support/smtp.rs"]
mod server;

#[cfg(test)]
mod tests {
    use super::server::{Answer, SmtpServer};
    use super::*;
    use crate::mail::compose::tests::mail_to;
    use crate::mail::transport::Transport;

    fn transport(server: &SmtpServer) -> Transport {
        Transport::Smtp(Smtp::new(&server.url()).unwrap().with_timeout(Duration::from_secs(1)))
    }

    fn mail() -> Mail {
        mail_to("Zhou Ruoxi", "ruoxi.zhou@example.org")
    }

    #[tokio::test]
    async fn what_the_server_takes_is_what_was_composed() {
        let server = SmtpServer::start();
        let transport = transport(&server);
        let mail = mail();
        for _ in 0..3 {
            transport.send(&mail).await.unwrap();
        }
        transport.close().await;
        let received = server.received();
        assert_eq!(received.len(), 3);
        assert_eq!(received[0].from, "reminders@paylater.example");
        assert_eq!(received[0].to, ["ruoxi.zhou@example.org"]);
        assert_eq!(String::from_utf8_lossy(&received[0].content), String::from_utf8_lossy(&mail.bytes()));
        assert_eq!(server.connections(), 1, "a connection is used again");
    }

    /// What a program prints. `.ci/test` brings the programs.
    fn printed(program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = std::process::Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|why| panic!("{program}: {why}; .ci/test brings it"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Verified by dkimpy with a key of openssl.
    #[tokio::test]
    async fn a_signature_is_verified_by_another_program() {
        let wrong = Dkim::new("paylater.example", "s1", "nonsense").unwrap_err();
        assert_eq!(wrong, crate::mail::dkim::DkimKeyError);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (key, public, message) = (path("key.pem"), path("public.pem"), path("message.eml"));
        printed("openssl", &["genrsa", "-traditional", "-out", &key, "2048"]);
        printed("openssl", &["rsa", "-in", &key, "-pubout", "-out", &public]);
        let server = SmtpServer::start();
        let dkim = Dkim::new("paylater.example", "s1", &std::fs::read_to_string(&key).unwrap()).unwrap();
        let transport = Transport::Smtp(Smtp::new(&server.url()).unwrap().with_dkim(dkim));
        transport.send(&mail()).await.unwrap();
        let content = server.received()[0].content.clone();
        assert!(String::from_utf8_lossy(&content).contains("DKIM-Signature: v=1;"));
        let verify = "import dkim, sys\n\
                      key = ''.join(line.strip() for line in open(sys.argv[2]) if not line.startswith('-----'))\n\
                      record = ('v=DKIM1; k=rsa; p=' + key).encode()\n\
                      message = open(sys.argv[1], 'rb').read()\n\
                      print(dkim.verify(message, dnsfunc=lambda *a, **k: record))";
        let verified = |content: &[u8]| {
            std::fs::write(&message, content).unwrap();
            let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/finance/bin/python");
            String::from_utf8(printed(python, &["-c", verify, &message, &public])).unwrap()
        };
        assert_eq!(verified(&content), "True\n");
        let changed = String::from_utf8(content).unwrap().replace("ruoxi.zhou@", "other.zhou@");
        assert_eq!(verified(changed.as_bytes()), "False\n");
    }

    #[tokio::test]
    async fn a_refusal_is_for_good_or_for_now_and_names_nobody() {
        for (answers, expected) in [
            (
                Answer::to("RCPT", "550 5.1.1 <ruoxi.zhou@example.org>: no mailbox ruoxi.zhou for Zhou Ruoxi here"),
                "Address(\"550 5.1.1 … no mailbox … for … … here\")",
            ),
            (Answer::to("RCPT", "450 4.2.1 mailbox busy"), "Transient(\"450 4.2.1 mailbox busy\")"),
            (Answer::to("MAIL", "421 4.3.2 closing"), "Transient(\"421 4.3.2 closing\")"),
            (Answer::to("RCPT", "550 5.7.1 we don't like this"), "Permanent(\"550 5.7.1 we don't like this\")"),
            (Answer::to("DATA", "554-5.6.0 no\r\n554 thanks"), "Permanent(\"554 5.6.0 no thanks\")"),
            (Answer::to(".", "552 5.2.2 full"), "Permanent(\"552 5.2.2 full\")"),
            // These responses refuse the sender; the customer's address is not at fault.
            (Answer::to("connect", "554 5.7.1 not from there"), "Transient(\"554 5.7.1 not from there\")"),
            (Answer::to("MAIL", "530 5.7.0 sign in first"), "Transient(\"530 5.7.0 sign in first\")"),
            (Answer::silence("connect"), "Transient(\"no response within 1s\")"),
            (Answer::silence("RCPT"), "Transient(\"no response within 1s\")"),
            // After the end of the message, the server may or may not have accepted it.
            (Answer::silence("."), "Unknown(\"no response within 1s\")"),
        ] {
            let server = SmtpServer::start();
            server.answer(answers);
            let transport = transport(&server);
            let error = transport.send(&mail()).await.unwrap_err();
            assert_eq!(format!("{error:?}"), expected);
            assert!(!format!("{error} {transport:?}").contains("uoxi"));
            // The next mail uses a new connection and does not read the responses to this one.
            server.answer_well();
            transport.send(&mail()).await.unwrap();
            assert_eq!(server.received().last().unwrap().to, ["ruoxi.zhou@example.org"], "{expected}");
        }
    }

    #[tokio::test]
    async fn a_server_that_hung_up_or_is_not_there_is_asked_again() {
        let server = SmtpServer::start();
        let transport = transport(&server);
        transport.send(&mail()).await.unwrap();
        server.hang_up();
        transport.send(&mail()).await.unwrap();
        assert_eq!(server.connections(), 2);
        let url = server.url();
        drop(server);
        let gone = Transport::Smtp(Smtp::new(&url).unwrap());
        assert!(matches!(gone.send(&mail()).await, Err(SendError::Transient(text)) if text.contains("refused")));
    }

    #[tokio::test]
    async fn a_connection_lost_before_the_message_has_sent_nothing_and_after_it_nobody_knows() {
        for (command, is_unknown) in [("MAIL", false), ("DATA", false), (".", true)] {
            let server = SmtpServer::start();
            server.answer(Answer::hang_up(command));
            let error = transport(&server).send(&mail()).await.unwrap_err();
            assert_eq!(matches!(error, SendError::Unknown(_)), is_unknown, "{command}: {error:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_the_server_cannot_write_is_refused_for_good() {
        let server = SmtpServer::start();
        let error = transport(&server).send(&mail_to("若曦", "若曦@example.org")).await.unwrap_err();
        assert!(matches!(&error, SendError::Address(text) if text.contains("SMTPUTF8")), "{error:?}");
    }

    #[tokio::test]
    async fn no_more_conversations_at_once_than_places() {
        let server = SmtpServer::start();
        let smtp = Smtp::new(&server.url()).unwrap().with_connections(2);
        let (smtp, mail) = (std::sync::Arc::new(smtp), mail());
        let mut sends = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (smtp, mail) = (smtp.clone(), mail.clone());
            sends.spawn(async move { smtp.send(&mail).await });
        }
        assert!(sends.join_all().await.iter().all(Result::is_ok));
        assert_eq!(server.received().len(), 10);
        assert!(server.connections() <= 2);
    }

    #[test]
    fn a_url_says_where_and_how() {
        for (url, expected) in [
            ("smtp://mail.example:25", "Smtp(mail.example:25, None)"),
            ("smtp://mail.example", "Smtp(mail.example:25, None)"),
            ("smtps://u:p@mail.example/", "Smtp(mail.example:465, Tls)"),
            ("smtp://u:p@mail.example", "Smtp(mail.example:587, StartTls)"),
            ("smtp://u:p%40%3A@mail.example:2525?tls=none", "Smtp(mail.example:2525, None)"),
            ("smtp://[::1]:25?tls=required", "Smtp(::1:25, StartTls)"),
        ] {
            assert_eq!(format!("{:?}", Smtp::new(url).unwrap()), expected, "{url}");
        }
        for url in [
            "",
            "mail.example",
            "http://x",
            "smtp://",
            "smtp://u@x",
            "smtp://u:s3cret%4@x",
            "smtp://x:0",
            "smtps://x?tls=none",
        ] {
            let error = Smtp::new(url).err().unwrap().to_string();
            assert!(!error.contains("s3cret"), "{url}: {error}");
        }
        assert_eq!(super::super::smtp_server::percent_decoded("a%40b%e4%b8%ad").as_deref(), Some("a@b中"));
    }
}
