//! A folder on an SFTP server. The protocol is spoken here, the connection is made by the system's own `ssh`: its ciphers,
//! its host keys, its security updates. Nothing of the user's or the system's ssh configuration is read, nothing is asked,
//! and a host whose key is not in the given file is not talked to.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh_sftp::client::error::Error;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use super::{Entry, MOST_NAMES, SftpPlace, Stamp, Trouble, said, too_many_names};
use crate::files::inbox;

/// Until the server has let us in.
const CONNECT: Duration = Duration::from_secs(30);

/// For one answer.
const ANSWER_SECONDS: u64 = 30;

/// What every server takes at a time, and what OpenSSH does.
const PIECE: u64 = 32 << 10;
const LARGE_PIECE: u64 = 255 << 10;

/// The part of a mode that says what something is, and what it is of a folder.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;

const POSIX_RENAME: &str = "posix-rename@openssh.com";

pub struct Connection {
    sftp: RawSftpSession,
    folder: String,
    piece: u64,
    renames_over: bool,
    words: Words,
    /// Ends with the connection.
    _ssh: Child,
}

/// The end of what `ssh` has to say.
type Words = Arc<Mutex<Vec<u8>>>;

impl Connection {
    pub async fn open(place: &SftpPlace) -> Result<Connection, Trouble> {
        for file in [&place.key_file, &place.known_hosts_file] {
            File::open(file).map_err(|why| Trouble::Refused(format!("{} can't be read: {why}", file.display())))?;
        }
        let mut ssh = command(place).spawn().map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => {
                Trouble::Refused("the program ssh is needed: apt-get install openssh-client".to_owned())
            }
            _ => Trouble::Disk(why),
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take()) else {
            return Err(Trouble::Unreachable("ssh has no pipes".to_owned()));
        };
        let words = Words::default();
        let listener = tokio::spawn(listen(stderr, words.clone()));
        let config = Config { request_timeout_secs: ANSWER_SECONDS, ..Config::default() };
        let sftp = RawSftpSession::new_with_config(tokio::io::join(stdout, stdin), config);
        let Ok(Ok(version)) = tokio::time::timeout(CONNECT, sftp.init()).await else {
            // It ends by itself when it was not let in, and has said why by then.
            let _ = tokio::time::timeout(Duration::from_secs(1), listener).await;
            return Err(not_let_in(place, &words));
        };
        let piece = match version.extensions.contains_key("limits@openssh.com") {
            true => {
                let limits = sftp.limits().await.map_err(|why| lost(&why, &words))?;
                let least = [limits.max_read_len, limits.max_write_len].into_iter().filter(|most| *most > 0).min();
                least.unwrap_or(PIECE).min(LARGE_PIECE)
            }
            false => PIECE,
        };
        let renames_over = version.extensions.contains_key(POSIX_RENAME);
        Ok(Connection { sftp, folder: place.folder.clone(), piece, renames_over, words, _ssh: ssh })
    }

    pub async fn list(&self) -> Result<Vec<Entry>, Trouble> {
        let here = if self.folder.is_empty() { "." } else { &self.folder };
        let opened = self.sftp.opendir(here).await;
        let handle = opened.map_err(|why| self.trouble(&format!("looking into the folder {here}"), &why))?.handle;
        let mut found = Vec::new();
        loop {
            match self.sftp.readdir(handle.as_str()).await {
                // Some servers end with no names instead of the end.
                Ok(names) if names.files.is_empty() => break,
                Ok(names) => {
                    for file in names.files {
                        // The library's own questions take links for files. A server that does not say has files only.
                        let mode = file.attrs.permissions.filter(|mode| mode & KIND != 0);
                        if mode.is_none_or(|mode| mode & KIND != FOLDER) {
                            let no_file = mode.and_then(inbox::no_file);
                            found.push(Entry { name: file.filename, stamp: stamp(&file.attrs), no_file });
                        }
                    }
                }
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(why) => return Err(self.trouble("listing", &why)),
            }
            if found.len() > MOST_NAMES {
                return Err(too_many_names());
            }
        }
        self.sftp.close(handle).await.map_err(|why| self.trouble("listing", &why))?;
        Ok(found)
    }

    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, Trouble> {
        match self.sftp.lstat(self.path(name)).await {
            Ok(found) => Ok(Some(stamp(&found.attrs))),
            Err(why) if is(&why, StatusCode::NoSuchFile) => Ok(None),
            Err(why) => Err(self.trouble(name, &why)),
        }
    }

    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), Trouble> {
        let trouble = |why: Error| match is(&why, StatusCode::NoSuchFile) {
            true => Trouble::Changed(entry.name.clone()),
            false => self.trouble(&format!("reading {}", entry.name), &why),
        };
        let changed = || Trouble::Changed(entry.name.clone());
        let opened = self.sftp.open(self.path(&entry.name), OpenFlags::READ, FileAttributes::empty()).await;
        let handle = opened.map_err(trouble)?.handle;
        let mut at = 0;
        while at < entry.stamp.bytes {
            let wanted = u32::try_from(self.piece.min(entry.stamp.bytes - at)).unwrap_or(u32::MAX);
            match self.sftp.read(handle.as_str(), at, wanted).await {
                Ok(piece) if piece.data.is_empty() || piece.data.len() > wanted as usize => return Err(changed()),
                Ok(piece) => {
                    to.write_all(&piece.data)?;
                    at += piece.data.len() as u64;
                }
                Err(why) if is(&why, StatusCode::Eof) => return Err(changed()),
                Err(why) => return Err(trouble(why)),
            }
        }
        let after = self.sftp.fstat(handle.as_str()).await.map_err(trouble)?;
        self.sftp.close(handle).await.map_err(trouble)?;
        if stamp(&after.attrs) == entry.stamp { Ok(()) } else { Err(changed()) }
    }

    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), Trouble> {
        let trouble = |why: Error| self.trouble(&format!("writing {name}"), &why);
        self.make_folder_of(name).await?;
        let part = format!("{name}.part");
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let opened = self.sftp.open(self.path(&part), flags, FileAttributes::empty()).await;
        let handle = opened.map_err(trouble)?.handle;
        let mut at = 0;
        loop {
            let mut piece = Vec::new();
            from.take(self.piece).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            let bytes = piece.len() as u64;
            self.sftp.write(handle.as_str(), at, piece).await.map_err(trouble)?;
            at += bytes;
        }
        let written = self.sftp.fstat(handle.as_str()).await.map_err(trouble)?;
        self.sftp.close(handle).await.map_err(trouble)?;
        if written.attrs.size != Some(at) {
            return Err(Trouble::Unreachable(format!("{name} has not arrived whole")));
        }
        self.rename_over(&part, name).await
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.make_folder_of(to).await?;
        let renamed = self.sftp.rename(self.path(from), self.path(to)).await;
        renamed.map(|_| ()).map_err(|why| self.trouble(&format!("moving {from} to {to}"), &why))
    }

    pub async fn remove(&self, name: &str) -> Result<(), Trouble> {
        let removed = self.sftp.remove(self.path(name)).await;
        removed.map(|_| ()).map_err(|why| self.trouble(&format!("deleting {name}"), &why))
    }

    /// Renames in one step where the server can. Where it can't, the old file goes first, and for a moment there is none.
    async fn rename_over(&self, from: &str, to: &str) -> Result<(), Trouble> {
        if !self.renames_over {
            if self.stat(to).await?.is_some() {
                self.remove(to).await?;
            }
            return self.rename(from, to).await;
        }
        let mut names = Vec::new();
        for name in [from, to] {
            let path = self.path(name);
            names.extend(u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes());
            names.extend(path.as_bytes());
        }
        let answer = match self.sftp.extended(POSIX_RENAME, names).await {
            Ok(Packet::Status(status)) if status.status_code == StatusCode::Ok => return Ok(()),
            Ok(Packet::Status(status)) => Error::Status(status),
            Ok(_) => Error::UnexpectedPacket,
            Err(why) => why,
        };
        Err(self.trouble(&format!("giving {to} its name"), &answer))
    }

    async fn make_folder_of(&self, name: &str) -> Result<(), Trouble> {
        let Some((folder, _)) = name.rsplit_once('/') else { return Ok(()) };
        if self.stat(folder).await?.is_none() {
            let made = self.sftp.mkdir(self.path(folder), FileAttributes::empty()).await;
            made.map_err(|why| self.trouble(&format!("making the folder {folder}"), &why))?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        match self.folder.as_str() {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }
    }

    fn trouble(&self, doing: &str, why: &Error) -> Trouble {
        match why {
            Error::Status(status) if is(why, StatusCode::NoSuchFile) => {
                Trouble::Refused(format!("{doing}: there is no such file or folder ({})", said(&status.error_message)))
            }
            Error::Status(status) if is(why, StatusCode::PermissionDenied) => {
                Trouble::Refused(format!("{doing}: the server does not permit it ({})", said(&status.error_message)))
            }
            // A full disk, a quota, a name that is taken: the protocol has one word for all.
            Error::Status(status) => Trouble::Unreachable(format!("{doing}: {}", said(&status.error_message))),
            why => lost(why, &self.words),
        }
    }
}

fn command(place: &SftpPlace) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-p", &place.port.to_string(), "-l", &place.user]);
    // Quoted, so that a path may have spaces; what else it may have was looked at with the configuration.
    command.arg("-o").arg(format!("IdentityFile=\"{}\"", place.key_file.display()));
    command.arg("-o").arg(format!("UserKnownHostsFile=\"{}\"", place.known_hosts_file.display()));
    for option in [
        "BatchMode=yes",
        "ClearAllForwardings=yes",
        "ConnectTimeout=10",
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "LogLevel=ERROR",
        "PreferredAuthentications=publickey",
        "ServerAliveCountMax=3",
        "ServerAliveInterval=10",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
    ] {
        command.args(["-o", option]);
    }
    let host = place.host.trim_start_matches('[').trim_end_matches(']');
    command.args(["-s", "--", host, "sftp"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A Ctrl-C is for paylater to deal with: it ends its connections itself.
    command.process_group(0);
    command
}

/// Listens until the end, so that `ssh` never waits for somebody to hear it, and keeps the last of it.
async fn listen(mut stderr: ChildStderr, words: Words) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        if let Ok(mut words) = words.lock() {
            words.extend(&buffer[..read]);
            let over = words.len().saturating_sub(4096);
            words.drain(..over);
        }
    }
}

fn heard(words: &Words) -> String {
    let words = words.lock().map(|words| words.clone()).unwrap_or_default();
    said(&String::from_utf8_lossy(&words))
}

fn not_let_in(place: &SftpPlace, words: &Words) -> Trouble {
    let SftpPlace { user, host, key_file, known_hosts_file, .. } = place;
    let words = heard(words);
    let (key_file, known_hosts) = (key_file.display(), known_hosts_file.display());
    if words.contains("Host key verification failed") || words.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return Trouble::Refused(format!(
            "the host key of {host} is not the one in {known_hosts}, or none is there; have its owner tell you the key and \
             write it there: {words}"
        ));
    }
    if words.contains("Permission denied") || words.contains("Load key") {
        return Trouble::Refused(format!("{host} does not let {user} in with the key {key_file}: {words}"));
    }
    if words.contains("subsystem request failed") {
        return Trouble::Refused(format!("{host} offers no SFTP: {words}"));
    }
    let words = if words.is_empty() { "no answer".to_owned() } else { words };
    Trouble::Unreachable(format!("{host} can't be reached: {words}"))
}

/// The connection did not last, or the server does not keep to the protocol.
fn lost(why: &Error, words: &Words) -> Trouble {
    let heard = heard(words);
    let heard = if heard.is_empty() { String::new() } else { format!(": {heard}") };
    Trouble::Unreachable(format!("the connection was lost ({}){heard}", said(&why.to_string())))
}

fn is(why: &Error, code: StatusCode) -> bool {
    matches!(why, Error::Status(status) if status.status_code == code)
}

fn stamp(attrs: &FileAttributes) -> Stamp {
    Stamp { bytes: attrs.size.unwrap_or_default(), tag: attrs.mtime.unwrap_or_default().to_string() }
}
