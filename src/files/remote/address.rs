//! The addresses of remote folders in a configuration: `s3://bucket/prefix` and `sftp://user@host:port/folder`; and where
//! their secrets come from. A configuration never contains a secret; a secret is read only when needed.

use std::env;
use std::fs;
use std::path::PathBuf;

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    S3 { bucket: String, prefix: String },
    Sftp { user: String, host: String, port: u16, folder: String },
}

impl Address {
    /// `None` for a local folder. The error says what to write.
    pub fn parse(text: &str) -> Option<Result<Address, String>> {
        let (scheme, rest) = text.split_once("://")?;
        Some(match scheme {
            "s3" => s3(rest),
            "sftp" => sftp(rest),
            _ => Err(format!(
                "{scheme}:// is not supported; write a folder, s3://BUCKET/PREFIX or sftp://USER@HOST/FOLDER"
            )),
        })
    }

    /// The address of the whole bucket or server, as the `[[place]]` tables name it.
    pub fn root(&self) -> String {
        match self {
            Address::S3 { bucket, .. } => format!("s3://{bucket}"),
            Address::Sftp { user, host, port: 22, .. } => format!("sftp://{user}@{host}"),
            Address::Sftp { user, host, port, .. } => format!("sftp://{user}@{host}:{port}"),
        }
    }

    /// Whether the address names a whole bucket or server.
    pub fn is_root(&self) -> bool {
        match self {
            Address::S3 { prefix, .. } => prefix.is_empty(),
            Address::Sftp { folder, .. } => folder.is_empty(),
        }
    }
}

fn s3(rest: &str) -> Result<Address, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if rest.contains(['@', ':']) {
        return Err(
            "an address must not contain keys; write s3://BUCKET/PREFIX, and say in its [[place]] where the keys are found".to_owned()
        );
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(plain) {
        let advice = "a bucket name has 3 to 63 lower-case letters, digits, - and .";
        return Err(format!("{bucket:?} is not a bucket name: {advice}; write s3://BUCKET/PREFIX"));
    }
    Ok(Address::S3 { bucket: bucket.to_owned(), prefix: folder(prefix)? })
}

fn sftp(rest: &str) -> Result<Address, String> {
    let advice = "write sftp://USER@HOST/FOLDER, with HOST:PORT if the port is not 22";
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let (user, host) = authority.rsplit_once('@').ok_or_else(|| format!("the address names no user; {advice}"))?;
    if user.contains(':') {
        return Err(
            "an address must not contain a password; sign in with a key, named by key_file in its [[place]]".to_owned()
        );
    }
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let number = port.parse().ok().filter(|port| *port > 0);
            (host, number.ok_or_else(|| format!("{port:?} is not a port; {advice}"))?)
        }
        _ => (host, 22),
    };
    // User and host become arguments of `ssh`.
    let plain = |text: &str, others: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !text.is_empty() && text.chars().all(fine) && !text.starts_with('-')
    };
    if !plain(user, "._-") {
        return Err(format!("{user:?} is not a user name: use letters, digits, dots, _ and - only; {advice}"));
    }
    if !plain(host, ".-:[]") {
        return Err(format!("{host:?} is not a host name or IP address; {advice}"));
    }
    let folder = match path.map(|path| (path.strip_prefix("~/"), path)) {
        None => String::new(),
        Some((Some(relative), _)) => folder(relative)?,
        Some((None, path)) => format!("/{}", folder(path)?),
    };
    Ok(Address::Sftp { user: user.to_owned(), host: host.to_owned(), port, folder })
}

/// A folder without a trailing slash. Empty, `.` and `..` parts are refused.
fn folder(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let odd = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(char::is_control);
    if !text.is_empty() && text.split('/').any(odd) {
        return Err(format!("{text:?}: write the folder without //, . or .."));
    }
    Ok(text.to_owned())
}

/// Where a secret is found; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    Env(String),
    File(PathBuf),
}

impl Secret {
    pub fn read(&self) -> Result<String, String> {
        let secret = match self {
            Secret::Env(name) => env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?,
            Secret::File(path) => {
                fs::read_to_string(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?
            }
        };
        match (secret.trim(), self) {
            ("", Secret::Env(name)) => Err(format!("the environment variable {name} is empty")),
            ("", Secret::File(path)) => Err(format!("{} is empty", path.display())),
            (secret, _) => Ok(secret.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        let s3 = |bucket: &str, prefix: &str| Address::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        let sftp = |user: &str, host: &str, port, folder: &str| Address::Sftp {
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            folder: folder.to_owned(),
        };
        for (text, expected, root) in [
            ("s3://tea-files", s3("tea-files", ""), "s3://tea-files"),
            ("s3://tea-files/in/2026/", s3("tea-files", "in/2026"), "s3://tea-files"),
            ("sftp://pay@bank.example/out", sftp("pay", "bank.example", 22, "/out"), "sftp://pay@bank.example"),
            (
                "sftp://pay@bank.example:2222/~/out",
                sftp("pay", "bank.example", 2222, "out"),
                "sftp://pay@bank.example:2222",
            ),
            ("sftp://pay@[::1]:2222/a/b", sftp("pay", "[::1]", 2222, "/a/b"), "sftp://pay@[::1]:2222"),
            ("sftp://pay@[::1]", sftp("pay", "[::1]", 22, ""), "sftp://pay@[::1]"),
        ] {
            let address = Address::parse(text).unwrap().unwrap();
            assert_eq!((&address, address.root().as_str()), (&expected, root), "{text}");
        }
        assert_eq!(Address::parse("inbox/tea"), None);
    }

    #[test]
    fn a_wrong_address_says_what_to_write() {
        for (text, word) in [
            ("http://shop.example/in", "http:// is not supported"),
            ("s3://Tea/in", "lower-case letters"),
            ("s3://tea/../secret", "without //"),
            ("s3://KEY:secret@tea/in", "must not contain keys"),
            ("sftp://bank.example/out", "names no user"),
            ("sftp://pay:secret@bank.example/out", "must not contain a password"),
            ("sftp://pay@bank.example:99999/out", "not a port"),
            ("sftp://pay@-oProxyCommand=x/out", "not a host name"),
            ("sftp://-l@bank.example/out", "not a user name"),
            ("sftp://pay@bank.example/a/../b", "without //"),
        ] {
            let why = Address::parse(text).unwrap().unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
            assert!(!why.contains("secret@"), "{why}");
        }
    }
}
