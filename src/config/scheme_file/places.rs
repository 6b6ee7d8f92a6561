//! Places in `paylater.toml`: the addresses written as `folder` or `outbox`, and the tables that say how to reach them.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml::{Rules, is_variable, join, wrong};
use crate::files::remote::{Address, NOT_BUILT_IN, RemoteFolder, S3Folder, Secret, SftpFolder};
use crate::scheme::{Afterwards, Unreachable};

/// How to get at an SFTP server or a bucket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPlace {
    /// s3://BUCKET, or sftp://USER@HOST; folders that begin with it lie there.
    url: String,
    /// The server of a bucket, such as `https://oss-cn-hangzhou.aliyuncs.com`; Amazon's own if left out.
    endpoint: Option<String>,
    /// The region of a bucket.
    region: Option<String>,
    /// Whether the bucket's name stands in the host's name, instead of in the path.
    virtual_host: Option<bool>,
    /// The variable with the access key of a bucket.
    access_key_env: Option<String>,
    /// A file with the access key of a bucket.
    access_key_file: Option<PathBuf>,
    /// The variable with the secret key of a bucket.
    secret_key_env: Option<String>,
    /// A file with the secret key of a bucket.
    secret_key_file: Option<PathBuf>,
    /// The file with our private key for an SFTP server.
    key_file: Option<PathBuf>,
    /// The file with the host keys of SFTP servers, as ssh keeps them.
    known_hosts_file: Option<PathBuf>,
}

/// The tables of places, by their root URLs.
#[derive(Default)]
pub struct Places(Vec<(String, RemoteFolder)>);

impl Places {
    pub fn resolve(raw: Vec<RawPlace>, base: &Path, rules: &mut Rules) -> Places {
        let mut places: Vec<(String, RemoteFolder)> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let resolved = raw.resolve(base).and_then(|(root, place)| {
                let twice = places.iter().any(|(other, _)| *other == root);
                if twice { Err(wrong("url", format!("{root} is listed twice"))) } else { Ok((root, place)) }
            });
            places.extend(rules.keep(&format!("place[{i}]"), resolved));
        }
        Places(places)
    }

    /// Resolves a written folder to a local or remote folder.
    pub fn place(&self, written: &str, base: &Path) -> Result<RemoteFolder> {
        let Some(address) = Address::parse(written) else { return Ok(RemoteFolder::Local(base.join(written))) };
        let address = address.map_err(|why| anyhow!("{why}"))?;
        ensure!(cfg!(feature = "remote"), "{NOT_BUILT_IN}");
        let root = address.root();
        let Some((_, place)) = self.0.iter().find(|(other, _)| *other == root) else {
            bail!("nothing says how to get at {root}; add a [[place]] with url = \"{root}\"");
        };
        Ok(match (place.clone(), address) {
            (RemoteFolder::S3(place), Address::S3 { prefix, .. }) => RemoteFolder::S3(S3Folder { prefix, ..place }),
            (RemoteFolder::Sftp(place), Address::Sftp { folder, .. }) => {
                RemoteFolder::Sftp(SftpFolder { folder, ..place })
            }
            (place, _) => place,
        })
    }

    /// Resolves a written folder if it is a remote address.
    pub fn remote(&self, at: &str, written: &Path, rules: &mut Rules) -> Option<RemoteFolder> {
        let written = written.to_str().filter(|_| is_remote(written))?;
        rules.keep(at, self.place(written, Path::new("")))
    }

    /// Resolves the folder to which acknowledgements or reports are sent.
    pub fn outbox(&self, at: &str, written: Option<&str>, base: &Path, rules: &mut Rules) -> Option<RemoteFolder> {
        rules.keep(at, self.place(written?, base))
    }
}

/// Whether a folder is written as an address.
pub fn is_remote(written: &Path) -> bool {
    written.to_str().is_some_and(|text| text.contains("://"))
}

/// Checks the keys about remote files for consistency and returns them with their defaults.
pub fn afterwards(
    at: &str,
    is_remote: bool,
    keep: bool,
    written: (Option<Afterwards>, Option<Unreachable>),
    rules: &mut Rules,
) -> (Afterwards, Unreachable) {
    let (afterwards, unreachable) = written;
    if !is_remote {
        for (key, stands) in [("afterwards", afterwards.is_some()), ("unreachable", unreachable.is_some())] {
            if stands {
                rules.refuse(&join(at, key), "is for folders in a bucket or on an SFTP server; leave it out");
            }
        }
    } else if keep && afterwards.is_some_and(|afterwards| afterwards != Afterwards::Keep) {
        rules.refuse(&join(at, "afterwards"), "keep = true says otherwise; leave out one of them");
    }
    let usual = if keep { Afterwards::Keep } else { Afterwards::Archive };
    (afterwards.unwrap_or(usual), unreachable.unwrap_or_default())
}

impl RawPlace {
    fn resolve(self, base: &Path) -> Result<(String, RemoteFolder)> {
        let advice = "write s3://BUCKET, or sftp://USER@HOST, with HOST:PORT if the port is not 22";
        let address = Address::parse(&self.url).unwrap_or_else(|| Err(advice.to_owned()));
        let address = address.map_err(|why| wrong("url", why))?;
        if !address.is_root() {
            let root = address.root();
            return Err(wrong("url", format!("write {root}, without a folder; each feed names its folder")));
        }
        let root = address.root();
        let of_s3 = [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("virtual_host", self.virtual_host.is_some()),
            ("access_key_env", self.access_key_env.is_some()),
            ("access_key_file", self.access_key_file.is_some()),
            ("secret_key_env", self.secret_key_env.is_some()),
            ("secret_key_file", self.secret_key_file.is_some()),
        ];
        let of_sftp = [("key_file", self.key_file.is_some()), ("known_hosts_file", self.known_hosts_file.is_some())];
        let (others, whose): (&[(&str, bool)], _) = match address {
            Address::S3 { .. } => (&of_sftp, "an SFTP server"),
            Address::Sftp { .. } => (&of_s3, "a bucket"),
        };
        if let Some((key, _)) = others.iter().find(|(_, stands)| *stands) {
            return Err(wrong(*key, format!("is for {whose}; leave it out")));
        }
        let place = match address {
            Address::S3 { bucket, .. } => {
                if let Some(endpoint) = &self.endpoint {
                    endpoint_is_plain(endpoint).map_err(|why| wrong("endpoint", why.to_string()))?;
                }
                RemoteFolder::S3(S3Folder {
                    bucket,
                    prefix: String::new(),
                    region: self.region.unwrap_or_else(|| "us-east-1".to_owned()),
                    virtual_host: self.virtual_host.unwrap_or(self.endpoint.is_none()),
                    endpoint: self.endpoint,
                    access_key: secret("access_key", self.access_key_env, self.access_key_file, base)?,
                    secret_key: secret("secret_key", self.secret_key_env, self.secret_key_file, base)?,
                })
            }
            Address::Sftp { user, host, port, .. } => RemoteFolder::Sftp(SftpFolder {
                user,
                host,
                port,
                folder: String::new(),
                key_file: file("key_file", self.key_file, base)?,
                known_hosts_file: file("known_hosts_file", self.known_hosts_file, base)?,
            }),
        };
        Ok((root, place))
    }
}

fn endpoint_is_plain(endpoint: &str) -> Result<()> {
    let advice = "write it like https://storage.example.com, with :PORT if need be";
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let host = host.unwrap_or_default().trim_end_matches('/');
    ensure!(!host.is_empty() && !host.contains(['@', '?', '#', ' ']), "{advice}, and without keys in it");
    Ok(())
}

fn secret(key: &str, env: Option<String>, file: Option<PathBuf>, base: &Path) -> Result<Secret> {
    match (env, file) {
        (Some(env), None) if is_variable(&env) => Ok(Secret::Env(env)),
        // The value may be the secret itself, so the message must not show it.
        (Some(_), None) => {
            let advice = "write the name of a variable, of capital letters, digits and _, such as S3_SECRET_KEY";
            Err(wrong(format!("{key}_env"), advice))
        }
        (None, Some(file)) => Ok(Secret::File(base.join(file))),
        _ => {
            let advice = format!("say where it is found, with either {key}_env or {key}_file");
            Err(wrong(format!("{key}_env"), advice))
        }
    }
}

/// Checks the path of a file that is passed to ssh. ssh would interpret some characters in the path.
fn file(key: &str, file: Option<PathBuf>, base: &Path) -> Result<PathBuf> {
    let Some(file) = file else {
        return Err(wrong(key, "is missing; an SFTP server needs both key_file and known_hosts_file"));
    };
    let file = std::path::absolute(base.join(file)).map_err(|why| wrong(key, why.to_string()))?;
    let odd = |c: char| c.is_control() || matches!(c, '"' | '%' | '$' | '~' | '\\');
    if file.to_str().is_none_or(|text| text.contains(odd)) {
        return Err(wrong(key, "the path can't have \" % $ ~ \\ in it; ssh would read them in its own way"));
    }
    Ok(file)
}
