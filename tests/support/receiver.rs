//! A web server that is called: by pings and by webhooks. A test decides how it answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub method: String,
    /// With the query.
    pub path: String,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Answers(u16),
    /// Takes the call and never answers.
    Hangs,
}

pub struct HttpReceiver {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Called>>>,
    manner: Arc<Mutex<Manner>>,
}

impl HttpReceiver {
    pub fn start() -> HttpReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, manner) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Manner::Answers(200))));
        let receiver = HttpReceiver { address, calls: calls.clone(), manner: manner.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (calls, manner) = (calls.clone(), manner.clone());
                // Ignore errors: a client may end in the middle.
                thread::spawn(move || drop(converse(stream.unwrap(), &calls, &manner)));
            }
        });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn calls(&self) -> Vec<Called> {
        self.calls.lock().unwrap().clone()
    }

    /// The paths that were called, in order.
    pub fn paths(&self) -> Vec<String> {
        self.calls().into_iter().map(|called| called.path).collect()
    }
}

fn converse(stream: TcpStream, calls: &Mutex<Vec<Called>>, manner: &Mutex<Manner>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let manner = *manner.lock().unwrap();
        calls.lock().unwrap().push(Called { method, path, body: String::from_utf8_lossy(&body).into_owned() });
        match manner {
            Manner::Answers(status) => {
                write!(reader.get_mut(), "HTTP/1.1 {status} Said\r\nContent-Length: 2\r\n\r\nok")?;
            }
            Manner::Hangs => thread::sleep(Duration::from_secs(600)),
        }
    }
}
