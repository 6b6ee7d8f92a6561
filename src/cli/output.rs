//! Prints and logs lines. A failed write never stops the work: if a pipe is closed or a disk is full, the line is
//! dropped. If standard output fails for another reason than a closed pipe, the exit status is 1.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Whether a write to standard output has failed. Later lines are dropped.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a line was lost for another reason than a closed pipe, such as a full disk.
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

/// Escapes control characters, line breaks and direction marks. Text from senders' files must not control the terminal
/// or look like paylater's own lines.
pub fn on_one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

pub fn print_line(line: Arguments<'_>) {
    if CLOSED.load(Ordering::Relaxed) {
        return;
    }
    if let Err(why) = writeln!(io::stdout(), "{line}") {
        CLOSED.store(true, Ordering::Relaxed);
        // A reader that closes the pipe, such as `head`, has read all it needs.
        if why.kind() != ErrorKind::BrokenPipe {
            LOST.store(true, Ordering::Relaxed);
            print_remark(format_args!("error: the answer can't be printed: {why}"));
        }
    }
}

pub fn print_remark(line: Arguments<'_>) {
    // If standard error fails too, there is no other place to report it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether output was lost.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// How many log lines can wait for a slow reader. Further lines are dropped.
const LINES_WAITING: usize = 4_096;

/// How long the process waits at its end for the last log lines.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

enum Line {
    Text(Vec<u8>),
    /// Asks the log thread to answer once it has written all earlier lines.
    End(SyncSender<()>),
}

static LOG: OnceLock<SyncSender<Line>> = OnceLock::new();

/// A writer that passes log lines to a separate thread, which writes them to standard error. A reader that stops
/// reading blocks only that thread.
pub struct Log;

impl Log {
    pub fn begin() -> Log {
        LOG.get_or_init(|| {
            let (send, lines) = sync_channel(LINES_WAITING);
            // If the thread can't start, nothing is logged and the work continues.
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

/// Waits until the log is written, but at most `FLUSH_WITHIN`, because standard error may have no reader.
pub fn flush_log() {
    let Some(log) = LOG.get() else { return };
    let (done, ended) = sync_channel(1);
    if log.try_send(Line::End(done)).is_ok() {
        let _ = ended.recv_timeout(FLUSH_WITHIN);
    }
}
