//! A mail server for tests. A test decides whether it accepts mail, refuses it, does not answer or closes the
//! connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The reply to one command (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, or `.` for the end of a message) instead of a
/// positive reply. `None` means no reply; an empty reply closes the connection.
#[derive(Clone)]
pub struct Answer {
    command: &'static str,
    reply: Option<&'static str>,
}

impl Answer {
    pub fn to(command: &'static str, reply: &'static str) -> Answer {
        Answer { command, reply: Some(reply) }
    }

    pub fn silence(command: &'static str) -> Answer {
        Answer { command, reply: None }
    }

    pub fn hang_up(command: &'static str) -> Answer {
        Answer { command, reply: Some("") }
    }
}

#[derive(Clone, Default)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub content: Vec<u8>,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    received: Vec<Received>,
    /// Whether the server accepts mails and lets the client wait for the reply.
    held: bool,
    streams: Vec<TcpStream>,
    stopped: bool,
}

pub struct SmtpServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl SmtpServer {
    pub fn start() -> SmtpServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut state = shared.lock().unwrap();
                if state.stopped {
                    break;
                }
                state.streams.push(stream.try_clone().unwrap());
                let shared = shared.clone();
                // Ignore errors: in some tests the client closes the connection in the middle.
                thread::spawn(move || drop(converse(stream, &shared)));
            }
        });
        SmtpServer { address, state }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = Some(answer);
    }

    pub fn answer_well(&self) {
        let mut state = self.state.lock().unwrap();
        (state.answer, state.held) = (None, false);
    }

    /// From now on, accepts mails without a reply until [`SmtpServer::answer_well`].
    #[allow(dead_code, reason = "unit tests of the mail client hold nothing")]
    pub fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().streams.len()
    }

    pub fn hang_up(&self) {
        for stream in &self.state.lock().unwrap().streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for SmtpServer {
    /// Connects once to wake the listener, and waits until its port is closed.
    fn drop(&mut self) {
        self.hang_up();
        self.state.lock().unwrap().stopped = true;
        drop(TcpStream::connect(self.address));
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }
}

fn converse(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut mail = Received::default();
    reply(&mut stream, state, "connect", "220 test")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match line.split([' ', ':', '\r']).next().unwrap_or_default() {
            "EHLO" => reply(&mut stream, state, "EHLO", "250-test\r\n250 8BITMIME")?,
            "MAIL" => {
                mail = Received { from: address(), ..Received::default() };
                reply(&mut stream, state, "MAIL", "250 ok")?
            }
            "RCPT" => {
                mail.to.push(address());
                reply(&mut stream, state, "RCPT", "250 ok")?
            }
            "DATA" if !reply(&mut stream, state, "DATA", "354 go on")? => continue,
            "DATA" => {
                mail.content = content(&mut reader)?;
                // Store the mail before the reply: the test may check it as soon as the client has the reply.
                if state.lock().unwrap().answer.as_ref().is_none_or(|answer| answer.command != ".") {
                    state.lock().unwrap().received.push(mail.clone());
                }
                while state.lock().unwrap().held {
                    thread::sleep(Duration::from_millis(10));
                }
                reply(&mut stream, state, ".", "250 taken")?
            }
            "QUIT" => return reply(&mut stream, state, "QUIT", "221 bye").map(drop),
            _ => reply(&mut stream, state, "other", "250 ok")?,
        };
    }
}

/// Reads the lines up to the line with a single dot, and removes the extra dot at the start of a line.
fn content(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 || line == b".\r\n" {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// Sends the positive reply, or the reply that the test set for this command. Returns whether it sent the positive
/// reply.
fn reply(stream: &mut TcpStream, state: &Mutex<State>, command: &str, yes: &str) -> std::io::Result<bool> {
    let ordered = state.lock().unwrap().answer.clone().filter(|answer| answer.command == command);
    let text = match &ordered {
        Some(Answer { reply: None, .. }) => return Ok(false),
        Some(Answer { reply: Some(""), .. }) => {
            stream.shutdown(Shutdown::Both)?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Some(Answer { reply: Some(text), .. }) => text,
        None => yes,
    };
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    Ok(ordered.is_none())
}
