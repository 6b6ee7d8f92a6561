//! The objects of an S3-compatible bucket under a prefix. Large objects are transferred in pieces, so that memory use is
//! bounded.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::{self, Path};
use object_store::{
    BackoffConfig, ClientOptions, Error, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, RetryConfig,
};

use super::{Entry, MOST_NAMES, RemoteError, S3Folder, Stamp, one_line, too_many_names};

/// The bytes transferred per request.
const PIECE: u64 = 8 << 20;

const CONNECT: Duration = Duration::from_secs(10);

/// The most names that a server returns per page.
const NAMES_OF_A_PAGE: usize = 1_000;

/// Skipping one name that the library cannot parse takes about twenty requests.
const MOST_ODD_NAMES: usize = 100;

/// The time limit for one request, including retries.
const ANSWER: Duration = Duration::from_secs(120);

pub struct Bucket {
    store: AmazonS3,
    /// Empty, or ending with a slash.
    prefix: String,
    name: String,
}

impl Bucket {
    pub fn open(folder: &S3Folder) -> Result<Bucket, RemoteError> {
        // Set once per process; a second call fails harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secret = |secret: &super::Secret| secret.read().map_err(RemoteError::Refused);
        let plain = folder.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_read_timeout(Duration::from_secs(30))
            .with_timeout(ANSWER)
            .with_allow_http(plain);
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(5),
                ..BackoffConfig::default()
            },
            max_retries: 2,
            retry_timeout: Duration::from_secs(60),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&folder.bucket)
            .with_region(&folder.region)
            .with_virtual_hosted_style_request(folder.virtual_host)
            .with_access_key_id(secret(&folder.access_key)?)
            .with_secret_access_key(secret(&folder.secret_key)?)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &folder.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let prefix = if folder.prefix.is_empty() { String::new() } else { format!("{}/", folder.prefix) };
        let name = folder.bucket.clone();
        let store = builder.build().map_err(|why| remote_error(&name, &why))?;
        Ok(Bucket { store, prefix, name })
    }

    pub async fn list(&self) -> Result<Vec<Entry>, RemoteError> {
        let prefix = (!self.prefix.is_empty()).then_some(self.prefix.as_str());
        let first = PaginatedListOptions { delimiter: Some("/".into()), ..PaginatedListOptions::default() };
        let (mut asked, mut found, mut odd_names) = (first.clone(), Vec::new(), 0);
        loop {
            let page = match self.store.list_paginated(prefix, asked.clone()).await {
                Ok(page) => page,
                // One unparsable name makes a whole page unreadable. Ever smaller pages lead up to this name, and past it.
                Err(why) => match (odd_name(&why), asked.max_keys.unwrap_or(NAMES_OF_A_PAGE)) {
                    (Some(_), most @ 2..) => {
                        asked.max_keys = Some(most / 2);
                        continue;
                    }
                    (Some(odd), _) if odd_names < MOST_ODD_NAMES => {
                        odd_names += 1;
                        found.extend(self.entry(
                            odd,
                            Stamp::default(),
                            Some("has a name that the S3 client cannot handle".to_owned()),
                        ));
                        let past = if odd.ends_with('/') { format!("{odd}{}", char::MAX) } else { odd.to_owned() };
                        asked = PaginatedListOptions { offset: Some(past), ..first.clone() };
                        continue;
                    }
                    _ => return Err(self.remote_error(&why)),
                },
            };
            let objects = page.result.objects.iter();
            found.extend(objects.filter_map(|object| self.entry(object.location.as_ref(), stamp(object), None)));
            if found.len() > MOST_NAMES {
                return Err(too_many_names());
            }
            asked.page_token = page.page_token;
            if asked.page_token.is_none() {
                return Ok(found);
            }
        }
    }

    /// An entry right under the prefix. A folder created by hand is an empty object with the folder's name; it is skipped.
    fn entry(&self, key: &str, stamp: Stamp, not_a_file: Option<String>) -> Option<Entry> {
        let name = key.strip_prefix(&self.prefix).filter(|name| !name.is_empty() && !name.ends_with('/'))?;
        Some(Entry { name: name.to_owned(), stamp, not_a_file })
    }

    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, RemoteError> {
        match self.store.head(&self.path(name)?).await {
            Ok(object) => Ok(Some(stamp(&object))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(why) => Err(self.remote_error(&why)),
        }
    }

    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), RemoteError> {
        let path = self.path(&entry.name)?;
        let mut at = 0;
        while at < entry.stamp.bytes {
            let until = (at + PIECE).min(entry.stamp.bytes);
            let options = GetOptions {
                // Every piece must come from the object that was listed.
                if_match: Some(entry.stamp.tag.clone()).filter(|tag| !tag.is_empty()),
                range: Some(GetRange::Bounded(at..until)),
                ..GetOptions::default()
            };
            let got = self.store.get_opts(&path, options).await;
            let piece = match got {
                Ok(got) => got.bytes().await.map_err(|why| self.remote_error(&why))?,
                Err(Error::Precondition { .. } | Error::NotFound { .. }) => {
                    return Err(RemoteError::Changed(entry.name.clone()));
                }
                Err(why) => return Err(self.remote_error(&why)),
            };
            if piece.len() as u64 != until - at {
                return Err(RemoteError::Changed(entry.name.clone()));
            }
            to.write_all(&piece)?;
            at = until;
        }
        Ok(())
    }

    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), RemoteError> {
        let path = self.path(name)?;
        let first = piece(from)?;
        if (first.len() as u64) < PIECE {
            return self.store.put(&path, first.into()).await.map(|_| ()).map_err(|why| self.remote_error(&why));
        }
        // The object becomes visible only once the upload is complete.
        let mut upload = self.store.put_multipart(&path).await.map_err(|why| self.remote_error(&why))?;
        match self.put_pieces(&mut *upload, first, from).await {
            Ok(()) => Ok(()),
            Err(why) => {
                // The pieces of an abandoned upload cost storage, so abort it; if that fails too, report the first error.
                let _ = upload.abort().await;
                Err(why)
            }
        }
    }

    async fn put_pieces(
        &self,
        upload: &mut dyn MultipartUpload,
        first: Vec<u8>,
        from: &mut File,
    ) -> Result<(), RemoteError> {
        let mut next = first;
        while !next.is_empty() {
            upload.put_part(next.into()).await.map_err(|why| self.remote_error(&why))?;
            next = piece(from)?;
        }
        upload.complete().await.map(|_| ()).map_err(|why| self.remote_error(&why))
    }

    /// S3 cannot rename, so the object is copied, then the original deleted.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), RemoteError> {
        let (from_path, to_path) = (self.path(from)?, self.path(to)?);
        self.store.copy(&from_path, &to_path).await.map_err(|why| self.remote_error(&why))?;
        self.store.delete(&from_path).await.map_err(|why| self.remote_error(&why))
    }

    pub async fn remove(&self, name: &str) -> Result<(), RemoteError> {
        self.store.delete(&self.path(name)?).await.map_err(|why| self.remote_error(&why))
    }

    fn path(&self, name: &str) -> Result<Path, RemoteError> {
        Path::parse(format!("{}{name}", self.prefix)).map_err(|why| RemoteError::Refused(one_line(&why.to_string())))
    }

    fn remote_error(&self, why: &Error) -> RemoteError {
        remote_error(&self.name, why)
    }
}

/// The next piece of a file; empty at its end.
fn piece(from: &mut File) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    from.take(PIECE).read_to_end(&mut piece)?;
    Ok(piece)
}

/// The key that made a page unreadable.
fn odd_name(why: &Error) -> Option<&str> {
    match why {
        Error::InvalidPath { source: path::Error::EmptySegment { path } | path::Error::BadSegment { path, .. } } => {
            Some(path)
        }
        _ => None,
    }
}

fn stamp(object: &ObjectMeta) -> Stamp {
    let tag = object.e_tag.clone().unwrap_or_else(|| object.last_modified.timestamp().to_string());
    Stamp { bytes: object.size, tag }
}

/// The error with a message for the operator. Credentials travel in request headers, which no message contains.
fn remote_error(bucket: &str, why: &Error) -> RemoteError {
    let whole = chain(why);
    // The server answers with an XML document; its code and message are for people.
    let reported =
        [element(&whole, "Code"), element(&whole, "Message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let text = one_line(if reported.is_empty() { &whole } else { &reported });
    let status = |codes: &[&str]| codes.iter().any(|code| whole.contains(&format!("status code: {code}")));
    match why {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => refused(bucket, &text),
        _ if status(&["401", "403"]) => refused(bucket, &text),
        _ if whole.contains("NoSuchBucket") => RemoteError::Refused(format!("there is no bucket {bucket}: {text}")),
        Error::NotFound { .. } => RemoteError::Refused(format!("the object is not in the bucket {bucket}: {text}")),
        Error::InvalidPath { .. } => RemoteError::Refused(format!(
            "the bucket {bucket} contains names that the S3 client cannot handle; remove these objects: {text}"
        )),
        Error::Generic { .. } if !status(&["400", "404", "405"]) => RemoteError::Unreachable(text),
        _ => RemoteError::Refused(text),
    }
}

fn refused(bucket: &str, text: &str) -> RemoteError {
    let advice = "check the access key, the secret key and their permissions";
    RemoteError::Refused(format!("the bucket {bucket} denies access; {advice}: {text}"))
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

/// An error with its sources. Sources that an error already quotes are not repeated.
fn chain(why: &dyn std::error::Error) -> String {
    let mut text = why.to_string();
    let mut behind = why.source();
    while let Some(why) = behind {
        let more = why.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        behind = why.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_error_becomes_one_line() {
        let of = |status: &str, body: &str| {
            let source = format!("Server returned non-2xx status code: {status}: {body}").into();
            remote_error("tea", &Error::Generic { store: "S3", source })
        };
        let denied =
            of("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>No\n way</Message><Key>K</Key></Error>");
        assert!(matches!(&denied, RemoteError::Refused(why) if why.ends_with("AccessDenied: No way")), "{denied}");
        let missing = of("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>");
        assert!(
            matches!(&missing, RemoteError::Refused(why) if why.starts_with("there is no bucket tea")),
            "{missing}"
        );
        assert!(matches!(of("503 Slow Down", ""), RemoteError::Unreachable(_)));
    }
}
