//! Places: where files lie outside of this machine or in a folder of somebody else's: a local folder, a folder on an SFTP
//! server, the objects of an S3-compatible bucket under a prefix. All are asked the same few things: list, fetch, put,
//! rename, remove. What is fetched when, and what has been sent, is not known here; nor are rows.

pub mod address;
pub mod local;
#[cfg(feature = "remote")]
mod s3;
#[cfg(feature = "remote")]
mod sftp;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use address::{Address, Secret};

/// More names than this in one folder are not looked through: somebody must tidy up first.
const MOST_NAMES: usize = 50_000;

/// Larger files are not fetched. A bucket can't copy larger ones in one go, either.
pub const MOST_BYTES: u64 = 4 << 30;

/// A folder somewhere, and what is needed to get at it.
#[derive(Debug, Clone)]
pub enum Place {
    Local(PathBuf),
    S3(S3Place),
    Sftp(SftpPlace),
}

#[derive(Debug, Clone)]
pub struct S3Place {
    pub bucket: String,
    /// Without a slash at either end; empty for the bucket as a whole.
    pub prefix: String,
    /// None for Amazon's own.
    pub endpoint: Option<String>,
    pub region: String,
    /// Whether the bucket is a part of the host's name, as Amazon and Aliyun want it, or the first folder of the path.
    pub virtual_host: bool,
    pub access_key: Secret,
    pub secret_key: Secret,
}

#[derive(Debug, Clone)]
pub struct SftpPlace {
    pub user: String,
    pub host: String,
    pub port: u16,
    /// From the root of what the server shows; without a slash in front, from the folder one lands in.
    pub folder: String,
    pub key_file: PathBuf,
    pub known_hosts_file: PathBuf,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub bytes: u64,
    /// The time of change in seconds, or a bucket's entity tag.
    pub tag: String,
}

/// Something in a place, under a name that nobody has looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub stamp: Stamp,
    /// What it is if it is no plain file.
    pub no_file: Option<String>,
}

/// Why a place did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Worth another try.
    #[error("{0}")]
    Unreachable(String),
    /// It answers and says no; trying again would not help.
    #[error("{0}")]
    Refused(String),
    /// The file was changed while it was fetched.
    #[error("{0} was changed while it was fetched")]
    Changed(String),
    /// On this machine.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Place {
    /// Connects. A session is good for one look, not for keeping.
    pub async fn open(&self) -> Result<Session, Trouble> {
        match self {
            Place::Local(folder) => Ok(Session::Local(folder.clone())),
            #[cfg(feature = "remote")]
            Place::S3(place) => s3::Bucket::open(place).map(Session::S3),
            #[cfg(feature = "remote")]
            Place::Sftp(place) => sftp::Connection::open(place).await.map(|open| Session::Sftp(Box::new(open))),
            #[cfg(not(feature = "remote"))]
            Place::S3(_) | Place::Sftp(_) => Err(Trouble::Refused(NOT_BUILT_IN.to_owned())),
        }
    }

    /// Whether a file can be seen there while it is still being written. An object of a bucket is there whole or not at all.
    pub fn shows_half_files(&self) -> bool {
        !matches!(self, Place::S3(_))
    }
}

pub const NOT_BUILT_IN: &str = "this paylater was built without remote places; build it with the feature `remote`, which is on unless told otherwise";

/// As it stands in the configuration, without secrets.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(folder) => write!(f, "{}", folder.display()),
            Place::S3(S3Place { bucket, prefix, .. }) if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Place::S3(S3Place { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
            Place::Sftp(SftpPlace { user, host, port, folder, .. }) => {
                let folder = folder.strip_prefix('/').map_or_else(|| format!("~/{folder}"), str::to_owned);
                write!(f, "sftp://{user}@{host}:{port}/{folder}")
            }
        }
    }
}

/// An open way to a place. Names are plain file names, or have one folder before them.
pub enum Session {
    Local(PathBuf),
    #[cfg(feature = "remote")]
    S3(s3::Bucket),
    #[cfg(feature = "remote")]
    Sftp(Box<sftp::Connection>),
}

impl Session {
    /// What lies in the place itself, not in folders below it, in no particular order.
    pub async fn list(&self) -> Result<Vec<Entry>, Trouble> {
        match self {
            Session::Local(folder) => local::list(folder),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.list().await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.list().await,
        }
    }

    /// The stamp of a file, if it is there.
    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, Trouble> {
        match self {
            Session::Local(folder) => local::stat(folder, name),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.stat(name).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.stat(name).await,
        }
    }

    /// Writes a file's bytes, as it was listed, to the end of `to`.
    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), Trouble> {
        match self {
            Session::Local(folder) => local::fetch(folder, entry, to),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.fetch(entry, to).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.fetch(entry, to).await,
        }
    }

    /// Puts a file there, whole or not at all, in place of one of that name.
    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), Trouble> {
        match self {
            Session::Local(folder) => local::put(folder, name, from),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.put(name, from).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.put(name, from).await,
        }
    }

    /// Gives a file another name, which must be free.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        match self {
            Session::Local(folder) => local::rename(folder, from, to),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.rename(from, to).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.rename(from, to).await,
        }
    }

    pub async fn remove(&self, name: &str) -> Result<(), Trouble> {
        match self {
            Session::Local(folder) => local::remove(folder, name),
            #[cfg(feature = "remote")]
            Session::S3(bucket) => bucket.remove(name).await,
            #[cfg(feature = "remote")]
            Session::Sftp(connection) => connection.remove(name).await,
        }
    }
}

/// What a server said, made fit for a line of the log: one line, no control characters, not endless.
#[cfg(feature = "remote")]
fn said(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(300).collect()
}

fn too_many_names() -> Trouble {
    Trouble::Refused(format!("more than {MOST_NAMES} names lie there; move away what is done with"))
}
