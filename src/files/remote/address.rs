//! How places are written in a configuration: `s3://bucket/prefix`, `sftp://user@host:port/folder`; and where their secrets
//! come from. Secrets themselves never stand in a configuration, and are read only when they are needed.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The parts of an address of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    S3 { bucket: String, prefix: String },
    Sftp { user: String, host: String, port: u16, folder: String },
}

impl Address {
    /// None for what is no address but a folder here; the error says what to write.
    pub fn parse(text: &str) -> Option<Result<Address, String>> {
        let (scheme, rest) = text.split_once("://")?;
        Some(match scheme {
            "s3" => s3(rest),
            "sftp" => sftp(rest),
            _ => {
                Err(format!("{scheme}:// is not known; write a folder, s3://BUCKET/PREFIX or sftp://USER@HOST/FOLDER"))
            }
        })
    }

    /// The address of the bucket or server as a whole, as tables of places name it.
    pub fn root(&self) -> String {
        match self {
            Address::S3 { bucket, .. } => format!("s3://{bucket}"),
            Address::Sftp { user, host, port: 22, .. } => format!("sftp://{user}@{host}"),
            Address::Sftp { user, host, port, .. } => format!("sftp://{user}@{host}:{port}"),
        }
    }

    /// Whether it is the address of the bucket or server as a whole.
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
            "keys must not stand here; write s3://BUCKET/PREFIX, and where they are found in its [[place]]".to_owned()
        );
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(plain) {
        let advice = "names of buckets have 3 to 63 small letters, digits, - and .";
        return Err(format!("{bucket:?} is no bucket: {advice}; write s3://BUCKET/PREFIX"));
    }
    Ok(Address::S3 { bucket: bucket.to_owned(), prefix: folder(prefix)? })
}

fn sftp(rest: &str) -> Result<Address, String> {
    let advice = "write sftp://USER@HOST/FOLDER, with HOST:PORT if the port is not 22";
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let (user, host) = authority.rsplit_once('@').ok_or_else(|| format!("it names no user; {advice}"))?;
    if user.contains(':') {
        return Err("a password must not stand here; sign in with a key, in key_file of its [[place]]".to_owned());
    }
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let number = port.parse().ok().filter(|port| *port > 0);
            (host, number.ok_or_else(|| format!("{port:?} is no port; {advice}"))?)
        }
        _ => (host, 22),
    };
    // Both become arguments of a program.
    let plain = |text: &str, others: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !text.is_empty() && text.chars().all(fine) && !text.starts_with('-')
    };
    if !plain(user, "._-") {
        return Err(format!("{user:?} is no user: letters, digits, dots, _ and - only; {advice}"));
    }
    if !plain(host, ".-:[]") {
        return Err(format!("{host:?} is no host: a name or a number; {advice}"));
    }
    let folder = match path.map(|path| (path.strip_prefix("~/"), path)) {
        None => String::new(),
        Some((Some(relative), _)) => folder(relative)?,
        Some((None, path)) => format!("/{}", folder(path)?),
    };
    Ok(Address::Sftp { user: user.to_owned(), host: host.to_owned(), port, folder })
}

/// A folder without a slash at its end and without steps that lead elsewhere.
fn folder(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let odd = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(char::is_control);
    if !text.is_empty() && text.split('/').any(odd) {
        return Err(format!("{text:?}: write the folder plainly, without //, . or .."));
    }
    Ok(text.to_owned())
}

/// Where a secret is found. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    Env(String),
    File(PathBuf),
}

impl Secret {
    pub fn read(&self) -> Result<String, String> {
        let secret = match self {
            Secret::Env(name) => env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
            Secret::File(path) => {
                fs::read_to_string(path).map_err(|why| format!("{} can't be read: {why}", path.display()))?
            }
        };
        match (secret.trim(), self) {
            ("", Secret::Env(name)) => Err(format!("the variable {name} is empty")),
            ("", Secret::File(path)) => Err(format!("{} is empty", path.display())),
            (secret, _) => Ok(secret.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
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
    fn addresses_that_are_none_say_what_to_write() {
        for (text, word) in [
            ("http://shop.example/in", "http:// is not known"),
            ("s3://Tea/in", "small letters"),
            ("s3://tea/../secret", "without //"),
            ("s3://KEY:secret@tea/in", "keys must not stand here"),
            ("sftp://bank.example/out", "names no user"),
            ("sftp://pay:secret@bank.example/out", "a password must not stand here"),
            ("sftp://pay@bank.example:99999/out", "no port"),
            ("sftp://pay@-oProxyCommand=x/out", "no host"),
            ("sftp://-l@bank.example/out", "no user"),
            ("sftp://pay@bank.example/a/../b", "without //"),
        ] {
            let why = Address::parse(text).unwrap().unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
            assert!(!why.contains("secret@"), "{why}");
        }
    }
}
