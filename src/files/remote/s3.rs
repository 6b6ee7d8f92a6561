//! Objects of an S3-compatible bucket under a prefix. Large ones go in pieces, so that none is ever held in memory as a whole.

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

use super::{Entry, MOST_NAMES, S3Place, Stamp, Trouble, said, too_many_names};

/// What is asked for, or sent, at a time.
const PIECE: u64 = 8 << 20;

const CONNECT: Duration = Duration::from_secs(10);

/// A server gives no more names at once.
const NAMES_OF_A_PAGE: usize = 1_000;

/// Each name that the library can't handle takes some twenty questions to get past.
const MOST_ODD_NAMES: usize = 100;

/// For one piece or one question, with what is tried again.
const ANSWER: Duration = Duration::from_secs(120);

pub struct Bucket {
    store: AmazonS3,
    /// Empty, or ending with a slash.
    prefix: String,
    name: String,
}

impl Bucket {
    pub fn open(place: &S3Place) -> Result<Bucket, Trouble> {
        // Chosen once for the process; that somebody was first is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secret = |secret: &super::Secret| secret.read().map_err(Trouble::Refused);
        let plain = place.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
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
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_virtual_hosted_style_request(place.virtual_host)
            .with_access_key_id(secret(&place.access_key)?)
            .with_secret_access_key(secret(&place.secret_key)?)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let prefix = if place.prefix.is_empty() { String::new() } else { format!("{}/", place.prefix) };
        let name = place.bucket.clone();
        let store = builder.build().map_err(|why| trouble(&name, &why))?;
        Ok(Bucket { store, prefix, name })
    }

    pub async fn list(&self) -> Result<Vec<Entry>, Trouble> {
        let prefix = (!self.prefix.is_empty()).then_some(self.prefix.as_str());
        let first = PaginatedListOptions { delimiter: Some("/".into()), ..PaginatedListOptions::default() };
        let (mut asked, mut found, mut odd_names) = (first.clone(), Vec::new(), 0);
        loop {
            let page = match self.store.list_paginated(prefix, asked.clone()).await {
                Ok(page) => page,
                // A page with one odd name in it can't be read at all. Ever smaller ones lead to it, and past it.
                Err(why) => match (odd_name(&why), asked.max_keys.unwrap_or(NAMES_OF_A_PAGE)) {
                    (Some(_), most @ 2..) => {
                        asked.max_keys = Some(most / 2);
                        continue;
                    }
                    (Some(odd), _) if odd_names < MOST_ODD_NAMES => {
                        odd_names += 1;
                        found.extend(self.entry(odd, Stamp::default(), Some("has an odd name".to_owned())));
                        let past = if odd.ends_with('/') { format!("{odd}{}", char::MAX) } else { odd.to_owned() };
                        asked = PaginatedListOptions { offset: Some(past), ..first.clone() };
                        continue;
                    }
                    _ => return Err(self.trouble(&why)),
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

    /// What lies right under the prefix. A folder that was made by hand is an object of its own name, with nothing in it.
    fn entry(&self, key: &str, stamp: Stamp, no_file: Option<String>) -> Option<Entry> {
        let name = key.strip_prefix(&self.prefix).filter(|name| !name.is_empty() && !name.ends_with('/'))?;
        Some(Entry { name: name.to_owned(), stamp, no_file })
    }

    pub async fn stat(&self, name: &str) -> Result<Option<Stamp>, Trouble> {
        match self.store.head(&self.path(name)?).await {
            Ok(object) => Ok(Some(stamp(&object))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(why) => Err(self.trouble(&why)),
        }
    }

    pub async fn fetch(&self, entry: &Entry, to: &mut File) -> Result<(), Trouble> {
        let path = self.path(&entry.name)?;
        let mut at = 0;
        while at < entry.stamp.bytes {
            let until = (at + PIECE).min(entry.stamp.bytes);
            let options = GetOptions {
                // Each piece is of the very object that was listed.
                if_match: Some(entry.stamp.tag.clone()).filter(|tag| !tag.is_empty()),
                range: Some(GetRange::Bounded(at..until)),
                ..GetOptions::default()
            };
            let got = self.store.get_opts(&path, options).await;
            let piece = match got {
                Ok(got) => got.bytes().await.map_err(|why| self.trouble(&why))?,
                Err(Error::Precondition { .. } | Error::NotFound { .. }) => {
                    return Err(Trouble::Changed(entry.name.clone()));
                }
                Err(why) => return Err(self.trouble(&why)),
            };
            if piece.len() as u64 != until - at {
                return Err(Trouble::Changed(entry.name.clone()));
            }
            to.write_all(&piece)?;
            at = until;
        }
        Ok(())
    }

    pub async fn put(&self, name: &str, from: &mut File) -> Result<(), Trouble> {
        let path = self.path(name)?;
        let first = piece(from)?;
        if (first.len() as u64) < PIECE {
            return self.store.put(&path, first.into()).await.map(|_| ()).map_err(|why| self.trouble(&why));
        }
        // Nobody sees the object before it is completed.
        let mut upload = self.store.put_multipart(&path).await.map_err(|why| self.trouble(&why))?;
        match self.put_pieces(&mut *upload, first, from).await {
            Ok(()) => Ok(()),
            Err(why) => {
                // Pieces of an upload that is given up cost storage; that they can't be taken away is no further trouble.
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
    ) -> Result<(), Trouble> {
        let mut next = first;
        while !next.is_empty() {
            upload.put_part(next.into()).await.map_err(|why| self.trouble(&why))?;
            next = piece(from)?;
        }
        upload.complete().await.map(|_| ()).map_err(|why| self.trouble(&why))
    }

    /// A bucket can't rename: the copy is there before the original goes.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        let (from_path, to_path) = (self.path(from)?, self.path(to)?);
        self.store.copy(&from_path, &to_path).await.map_err(|why| self.trouble(&why))?;
        self.store.delete(&from_path).await.map_err(|why| self.trouble(&why))
    }

    pub async fn remove(&self, name: &str) -> Result<(), Trouble> {
        self.store.delete(&self.path(name)?).await.map_err(|why| self.trouble(&why))
    }

    fn path(&self, name: &str) -> Result<Path, Trouble> {
        Path::parse(format!("{}{name}", self.prefix)).map_err(|why| Trouble::Refused(said(&why.to_string())))
    }

    fn trouble(&self, why: &Error) -> Trouble {
        trouble(&self.name, why)
    }
}

/// The next bytes of a file, as many as are sent at a time; none at its end.
fn piece(from: &mut File) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    from.take(PIECE).read_to_end(&mut piece)?;
    Ok(piece)
}

/// The key that made a page of names unreadable.
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

/// In words for whoever runs the scheme. Credentials travel in headers, and neither they nor those are in any message.
fn trouble(bucket: &str, why: &Error) -> Trouble {
    let whole = chain(why);
    // What the server has to say stands in an XML document; code and message are for people.
    let told =
        [element(&whole, "Code"), element(&whole, "Message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let text = said(if told.is_empty() { &whole } else { &told });
    let status = |codes: &[&str]| codes.iter().any(|code| whole.contains(&format!("status code: {code}")));
    match why {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => refused(bucket, &text),
        _ if status(&["401", "403"]) => refused(bucket, &text),
        _ if whole.contains("NoSuchBucket") => Trouble::Refused(format!("there is no bucket {bucket}: {text}")),
        Error::NotFound { .. } => Trouble::Refused(format!("the bucket {bucket} does not have it: {text}")),
        Error::InvalidPath { .. } => Trouble::Refused(format!(
            "the bucket {bucket} has names in it that can't be handled; remove them there: {text}"
        )),
        Error::Generic { .. } if !status(&["400", "404", "405"]) => Trouble::Unreachable(text),
        _ => Trouble::Refused(text),
    }
}

fn refused(bucket: &str, text: &str) -> Trouble {
    let look_at = "look at the access key, the secret key and their rights";
    Trouble::Refused(format!("the bucket {bucket} does not let us; {look_at}: {text}"))
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

/// An error with what lies behind it. Some repeat that in their own words.
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
    fn what_a_server_says_is_told_in_a_line() {
        let of = |status: &str, body: &str| {
            let source = format!("Server returned non-2xx status code: {status}: {body}").into();
            trouble("tea", &Error::Generic { store: "S3", source })
        };
        let denied =
            of("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>No\n way</Message><Key>K</Key></Error>");
        assert!(matches!(&denied, Trouble::Refused(why) if why.ends_with("AccessDenied: No way")), "{denied}");
        let missing = of("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>");
        assert!(matches!(&missing, Trouble::Refused(why) if why.starts_with("there is no bucket tea")), "{missing}");
        assert!(matches!(of("503 Slow Down", ""), Trouble::Unreachable(_)));
    }
}
