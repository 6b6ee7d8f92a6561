//! A folder on an SFTP server. This module speaks the SFTP protocol; the system's own `ssh` makes the connection, so ciphers
//! and security updates are the system's. `ssh` reads neither the user's nor the system's configuration, never prompts, and
//! refuses a host whose key is not in the given file.

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

use super::{Entry, MOST_NAMES, RemoteError, SftpFolder, Stamp, one_line, too_many_names};
use crate::files::inbox;

/// The time limit for signing in.
const CONNECT: Duration = Duration::from_secs(30);

/// The time limit for one response.
const ANSWER_SECONDS: u64 = 30;

/// The bytes per request that every server accepts, and that OpenSSH accepts.
const PIECE: u64 = 32 << 10;
const LARGE_PIECE: u64 = 255 << 10;

/// The file-type bits of a mode, and their value for a folder.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;

const POSIX_RENAME: &str = "posix-rename@openssh.com";

pub struct Connection {
    sftp: RawSftpSession,
    folder: String,
    piece: u64,
    renames_over: bool,
    output: SshOutput,
    /// Killed when the connection is dropped.
    _ssh: Child,
}

/// The last bytes that `ssh` wrote to standard error.
type SshOutput = Arc<Mutex<Vec<u8>>>;

impl Connection {
    pub async fn open(folder: &SftpFolder) -> Result<Connection, RemoteError> {
        for file in [&folder.key_file, &folder.known_hosts_file] {
            File::open(file)
                .map_err(|why| RemoteError::Refused(format!("{} cannot be read: {why}", file.display())))?;
        }
        let mut ssh = command(folder).spawn().map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => {
                RemoteError::Refused("the program ssh is not installed: apt-get install openssh-client".to_owned())
            }
            _ => RemoteError::Disk(why),
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take()) else {
            return Err(RemoteError::Unreachable("ssh has no pipes".to_owned()));
        };
        let output = SshOutput::default();
        let listener = tokio::spawn(listen(stderr, output.clone()));
        let config = Config { request_timeout_secs: ANSWER_SECONDS, ..Config::default() };
        let sftp = RawSftpSession::new_with_config(tokio::io::join(stdout, stdin), config);
        let Ok(Ok(version)) = tokio::time::timeout(CONNECT, sftp.init()).await else {
            // If the server refuses the sign-in, `ssh` exits and has reported the reason by then.
            let _ = tokio::time::timeout(Duration::from_secs(1), listener).await;
            return Err(not_let_in(folder, &output));
        };
        let piece = match version.extensions.contains_key("limits@openssh.com") {
            true => {
                let limits = sftp.limits().await.map_err(|why| lost(&why, &output))?;
                let least = [limits.max_read_len, limits.max_write_len].into_iter().filter(|most| *most > 0).min();
                least.unwrap_or(PIECE).min(LARGE_PIECE)
            }
            false => PIECE,
        };
        let renames_over = version.extensions.contains_key(POSIX_RENAME);
        Ok(Connection { sftp, folder: folder.folder.clone(), piece, renames_over, output, _ssh: ssh })
    }

    pub async fn list(&self) -> Result<Vec<Entry>, RemoteError> {
        let here = if self.folder.is_empty() { "." } else { &self.folder };
        let opened = self.sftp.opendir(here).await;
        let handle = opened.map_err(|why| self.remote_error(&format!("opening the folder {here}"), &why))?.handle;
        let mut found = Vec::new();
        loop {
            match self.sftp.readdir(handle.as_str()).await {
                // Some servers signal the end with an empty list.
                Ok(names) if names.files.is_empty() => break,
                Ok(names) => {
                    for file in names.files {
                        // The library's own check takes links for files. If a server sends no mode, the entry counts as a file.
                        let mode = file.attrs.permissions.filter(|mode| mode & KIND != 0);
                        if mode.is_none_or(|mode| mode & KIND != FOLDER) {
                            let not_a_file = mode.and_then(inbox::not_a_file);
                            found.push(Entry { name: file.filename, stamp: stamp(&file.attrs), not_a_file });
                        }
                    }
                }
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(why) => return Err(self.remote_error("listing", &why)),
            }
            if found.len() > MOST_NAMES {
                return Err(too_many_names());
            }
        }
        self.sftp.close(handle).await.map_err(|why| self.remote_error("listing", &why))?;
        Ok(found)
    }

    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, RemoteError> {
        match self.sftp.lstat(self.path(name)).await {
            Ok(found) => Ok(Some(stamp(&found.attrs))),
            Err(why) if is(&why, StatusCode::NoSuchFile) => Ok(None),
            Err(why) => Err(self.remote_error(name, &why)),
        }
    }

    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), RemoteError> {
        let remote_error = |why: Error| match is(&why, StatusCode::NoSuchFile) {
            true => RemoteError::Changed(entry.name.clone()),
            false => self.remote_error(&format!("reading {}", entry.name), &why),
        };
        let changed = || RemoteError::Changed(entry.name.clone());
        let opened = self.sftp.open(self.path(&entry.name), OpenFlags::READ, FileAttributes::empty()).await;
        let handle = opened.map_err(remote_error)?.handle;
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
                Err(why) => return Err(remote_error(why)),
            }
        }
        let after = self.sftp.fstat(handle.as_str()).await.map_err(remote_error)?;
        self.sftp.close(handle).await.map_err(remote_error)?;
        if stamp(&after.attrs) == entry.stamp { Ok(()) } else { Err(changed()) }
    }

    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), RemoteError> {
        let remote_error = |why: Error| self.remote_error(&format!("writing {name}"), &why);
        self.make_folder_of(name).await?;
        let part = format!("{name}.part");
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let opened = self.sftp.open(self.path(&part), flags, FileAttributes::empty()).await;
        let handle = opened.map_err(remote_error)?.handle;
        let mut at = 0;
        loop {
            let mut piece = Vec::new();
            from.take(self.piece).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            let bytes = piece.len() as u64;
            self.sftp.write(handle.as_str(), at, piece).await.map_err(remote_error)?;
            at += bytes;
        }
        let written = self.sftp.fstat(handle.as_str()).await.map_err(remote_error)?;
        self.sftp.close(handle).await.map_err(remote_error)?;
        if written.attrs.size != Some(at) {
            return Err(RemoteError::Unreachable(format!("{name} was not transferred completely")));
        }
        self.rename_over(&part, name).await
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), RemoteError> {
        self.make_folder_of(to).await?;
        let renamed = self.sftp.rename(self.path(from), self.path(to)).await;
        renamed.map(|_| ()).map_err(|why| self.remote_error(&format!("moving {from} to {to}"), &why))
    }

    pub async fn remove(&self, name: &str) -> Result<(), RemoteError> {
        let removed = self.sftp.remove(self.path(name)).await;
        removed.map(|_| ()).map_err(|why| self.remote_error(&format!("deleting {name}"), &why))
    }

    /// Replaces a file in one step where the server can. Elsewhere the old file is removed first, so that for a moment no
    /// file has the name.
    async fn rename_over(&self, from: &str, to: &str) -> Result<(), RemoteError> {
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
        Err(self.remote_error(&format!("renaming {from} to {to}"), &answer))
    }

    async fn make_folder_of(&self, name: &str) -> Result<(), RemoteError> {
        let Some((folder, _)) = name.rsplit_once('/') else { return Ok(()) };
        if self.stat(folder).await?.is_none() {
            let made = self.sftp.mkdir(self.path(folder), FileAttributes::empty()).await;
            made.map_err(|why| self.remote_error(&format!("making the folder {folder}"), &why))?;
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

    fn remote_error(&self, doing: &str, why: &Error) -> RemoteError {
        match why {
            Error::Status(status) if is(why, StatusCode::NoSuchFile) => {
                RemoteError::Refused(format!("{doing}: no such file or folder ({})", one_line(&status.error_message)))
            }
            Error::Status(status) if is(why, StatusCode::PermissionDenied) => {
                RemoteError::Refused(format!("{doing}: permission denied ({})", one_line(&status.error_message)))
            }
            // The protocol has one code for a full disk, an exceeded quota and an existing name.
            Error::Status(status) => RemoteError::Unreachable(format!("{doing}: {}", one_line(&status.error_message))),
            why => lost(why, &self.output),
        }
    }
}

fn command(folder: &SftpFolder) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-p", &folder.port.to_string(), "-l", &folder.user]);
    // Quoted, because a path may have spaces. The configuration has checked its other characters.
    command.arg("-o").arg(format!("IdentityFile=\"{}\"", folder.key_file.display()));
    command.arg("-o").arg(format!("UserKnownHostsFile=\"{}\"", folder.known_hosts_file.display()));
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
    let host = folder.host.trim_start_matches('[').trim_end_matches(']');
    command.args(["-s", "--", host, "sftp"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C must reach paylater only; paylater closes its connections itself.
    command.process_group(0);
    command
}

/// Reads standard error to its end, so that `ssh` never blocks, and keeps the last 4 KiB.
async fn listen(mut stderr: ChildStderr, output: SshOutput) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        if let Ok(mut kept) = output.lock() {
            kept.extend(&buffer[..read]);
            let over = kept.len().saturating_sub(4096);
            kept.drain(..over);
        }
    }
}

fn last_output(output: &SshOutput) -> String {
    let output = output.lock().map(|kept| kept.clone()).unwrap_or_default();
    one_line(&String::from_utf8_lossy(&output))
}

fn not_let_in(folder: &SftpFolder, output: &SshOutput) -> RemoteError {
    let SftpFolder { user, host, key_file, known_hosts_file, .. } = folder;
    let output = last_output(output);
    let (key_file, known_hosts) = (key_file.display(), known_hosts_file.display());
    if output.contains("Host key verification failed") || output.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return RemoteError::Refused(format!(
            "the host key of {host} is missing in {known_hosts} or differs; ask the server's owner for the key and add it \
             to that file: {output}"
        ));
    }
    if output.contains("Permission denied") || output.contains("Load key") {
        return RemoteError::Refused(format!("{host} rejects the user {user} with the key {key_file}: {output}"));
    }
    if output.contains("subsystem request failed") {
        return RemoteError::Refused(format!("{host} does not offer SFTP: {output}"));
    }
    let output = if output.is_empty() { "no answer".to_owned() } else { output };
    RemoteError::NoConnection(format!("cannot connect to {host}: {output}"))
}

/// The connection broke, or the server violated the protocol.
fn lost(why: &Error, output: &SshOutput) -> RemoteError {
    let heard = last_output(output);
    let heard = if heard.is_empty() { String::new() } else { format!(": {heard}") };
    RemoteError::Unreachable(format!("the connection was lost ({}){heard}", one_line(&why.to_string())))
}

fn is(why: &Error, code: StatusCode) -> bool {
    matches!(why, Error::Status(status) if status.status_code == code)
}

fn stamp(attrs: &FileAttributes) -> Stamp {
    Stamp { bytes: attrs.size.unwrap_or_default(), tag: attrs.mtime.unwrap_or_default().to_string() }
}
