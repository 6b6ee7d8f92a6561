//! Remote folders, through which files are exchanged with other parties: a folder on an SFTP server, the objects of an
//! S3-compatible bucket under a prefix, or a local (for example mounted) folder. All offer the same operations: list, fetch,
//! put, rename and remove. When to fetch or send is decided elsewhere; the contents of files are not interpreted here.

pub mod address;
pub mod local;
#[cfg(feature = "remote")]
mod s3;
pub mod send_queue;
#[cfg(feature = "remote")]
mod sftp;
pub mod spool;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use address::{Address, Secret};

/// The most names listed in one folder. Beyond that, the operator must move old files away.
const MOST_NAMES: usize = 50_000;

/// The size of the largest file that is fetched. S3 cannot copy larger objects in one request, either.
pub const MOST_BYTES: u64 = 4 << 30;

/// A folder and how to connect to it.
#[derive(Debug, Clone)]
pub enum RemoteFolder {
    Local(PathBuf),
    S3(S3Folder),
    Sftp(SftpFolder),
}

#[derive(Debug, Clone)]
pub struct S3Folder {
    pub bucket: String,
    /// Without a slash at either end; empty for the whole bucket.
    pub prefix: String,
    /// `None` for Amazon S3.
    pub endpoint: Option<String>,
    pub region: String,
    /// Whether the bucket is part of the host name, as Amazon and Aliyun expect, or the first part of the path.
    pub virtual_host: bool,
    pub access_key: Secret,
    pub secret_key: Secret,
}

#[derive(Debug, Clone)]
pub struct SftpFolder {
    pub user: String,
    pub host: String,
    pub port: u16,
    /// An absolute path; without a leading slash, relative to the user's home folder.
    pub folder: String,
    pub key_file: PathBuf,
    pub known_hosts_file: PathBuf,
}

/// Identifies the state of a file without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub bytes: u64,
    /// The modification time in seconds, or the object's entity tag.
    pub tag: String,
}

/// An entry of a remote folder. Its name has not been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub stamp: Stamp,
    /// Why it is refused, if it is not a regular file.
    pub not_a_file: Option<String>,
}

/// Why an operation on a remote folder failed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A temporary failure; trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// The machine does not answer, for any of its folders. Trying again may help later.
    #[error("{0}")]
    NoConnection(String),
    /// The server refuses; trying again does not help.
    #[error("{0}")]
    Refused(String),
    /// The file changed while it was being fetched.
    #[error("{0} changed while it was being fetched")]
    Changed(String),
    /// An error on this machine's disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl RemoteFolder {
    /// Connects. A session is meant for one round of operations, not to be kept open.
    pub async fn open(&self) -> Result<Session, RemoteError> {
        match self {
            RemoteFolder::Local(folder) => Ok(Session::Local(folder.clone())),
            #[cfg(feature = "remote")]
            RemoteFolder::S3(folder) => s3::Bucket::open(folder).map(Session::S3),
            #[cfg(feature = "remote")]
            RemoteFolder::Sftp(folder) => {
                sftp::Connection::open(folder).await.map(|open| Session::Sftp(Box::new(open)))
            }
            #[cfg(not(feature = "remote"))]
            RemoteFolder::S3(_) | RemoteFolder::Sftp(_) => Err(RemoteError::Refused(NOT_BUILT_IN.to_owned())),
        }
    }

    /// Whether a file is visible while it is still being written. An S3 object appears only once it is complete.
    pub fn shows_half_files(&self) -> bool {
        !matches!(self, RemoteFolder::S3(_))
    }
}

pub const NOT_BUILT_IN: &str =
    "this build of paylater cannot use remote folders; build it with the feature `remote`, which is on by default";

/// The address as written in the configuration; it contains no secrets.
impl fmt::Display for RemoteFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteFolder::Local(folder) => write!(f, "{}", folder.display()),
            RemoteFolder::S3(S3Folder { bucket, prefix, .. }) if prefix.is_empty() => write!(f, "s3://{bucket}"),
            RemoteFolder::S3(S3Folder { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
            RemoteFolder::Sftp(SftpFolder { user, host, port, folder, .. }) => {
                let folder = folder.strip_prefix('/').map_or_else(|| format!("~/{folder}"), str::to_owned);
                write!(f, "sftp://{user}@{host}:{port}/{folder}")
            }
        }
    }
}

/// A connection to a remote folder. Names are file names, optionally with one subfolder in front.
pub enum Session {
    Local(PathBuf),
    #[cfg(feature = "remote")]
    S3(s3::Bucket),
    #[cfg(feature = "remote")]
    Sftp(Box<sftp::Connection>),
}

impl Session {
    /// The entries of the folder itself, without its subfolders, in no particular order.
    pub async fn list(&self) -> Result<Vec<Entry>, RemoteError> {
        match self {
            Session::Local(folder) => local::list(folder),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.list().await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.list().await,
        }
    }

    /// The stamp of a file, if it exists.
    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, RemoteError> {
        match self {
            Session::Local(folder) => local::stat(folder, name),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.stat(name).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.stat(name).await,
        }
    }

    /// Appends the bytes of a listed file to `to`.
    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), RemoteError> {
        match self {
            Session::Local(folder) => local::fetch(folder, entry, to),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.fetch(entry, to).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.fetch(entry, to).await,
        }
    }

    /// Writes a file atomically, replacing any file of that name.
    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), RemoteError> {
        match self {
            Session::Local(folder) => local::put(folder, name, from),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.put(name, from).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.put(name, from).await,
        }
    }

    /// Renames a file. The new name must not exist yet.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), RemoteError> {
        match self {
            Session::Local(folder) => local::rename(folder, from, to),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.rename(from, to).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.rename(from, to).await,
        }
    }

    pub async fn remove(&self, name: &str) -> Result<(), RemoteError> {
        match self {
            Session::Local(folder) => local::remove(folder, name),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.remove(name).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.remove(name).await,
        }
    }
}

/// A server's message, made safe for the log: one line, at most 300 characters, no control characters.
#[cfg(feature = "remote")]
fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(300).collect()
}

fn too_many_names() -> RemoteError {
    RemoteError::Refused(format!("the folder has more than {MOST_NAMES} files; move old files away"))
}
