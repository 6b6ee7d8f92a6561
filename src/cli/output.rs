//! What is printed and logged. A line that nobody can take, because a pipe is closed or a disk is full, never stops the work:
//! it is left out, and what could not be printed for want of room is said in the exit status.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Standard output takes nothing any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Something was not printed that should have been: there was no room for it.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line to standard output.
macro_rules! say {
    () => { $crate::cli::output::print_line(format_args!("")) };
    ($($text:tt)*) => { $crate::cli::output::print_line(format_args!($($text)*)) };
}
pub(super) use say;

/// Prints a remark to standard error.
macro_rules! remark {
    ($($text:tt)*) => { $crate::cli::output::print_remark(format_args!($($text)*)) };
}
pub(super) use remark;

pub fn print_line(line: Arguments<'_>) {
    if CLOSED.load(Ordering::Relaxed) {
        return;
    }
    if let Err(why) = writeln!(io::stdout(), "{line}") {
        CLOSED.store(true, Ordering::Relaxed);
        // A reader that goes away has seen enough.
        if why.kind() != ErrorKind::BrokenPipe {
            LOST.store(true, Ordering::Relaxed);
            print_remark(format_args!("error: the answer can't be printed: {why}"));
        }
    }
}

pub fn print_remark(line: Arguments<'_>) {
    // Nobody is left to be told that this failed.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether an answer was lost.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Log lines that may wait for a slow reader. More are left out.
const LINES_WAITING: usize = 4_096;

/// How long the last lines of the log may take at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

enum Line {
    Text(Vec<u8>),
    /// Answered when everything before is written.
    End(SyncSender<()>),
}

static LOG: OnceLock<SyncSender<Line>> = OnceLock::new();

/// The log, on its way to standard error through a thread of its own: a reader that stops reading stops that thread only.
pub struct Log;

impl Log {
    pub fn begin() -> Log {
        LOG.get_or_init(|| {
            let (send, lines) = sync_channel(LINES_WAITING);
            // Without the thread nothing is logged, and the work goes on.
            let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_log(&lines));
            send
        });
        Log
    }
}

fn write_log(lines: &Receiver<Line>) {
    for line in lines {
        match line {
            Line::Text(text) => drop(io::stderr().write_all(&text)),
            Line::End(done) => drop(done.try_send(())),
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(log) = LOG.get() {
            let _ = log.try_send(Line::Text(bytes.to_vec()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets the log come to its end, if somebody reads it.
pub fn flush_log() {
    let Some(log) = LOG.get() else { return };
    let (done, ended) = sync_channel(1);
    if log.try_send(Line::End(done)).is_ok() {
        let _ = ended.recv_timeout(FLUSH_WITHIN);
    }
}
