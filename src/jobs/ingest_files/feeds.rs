//! The feed of a file and the merchant of a feed.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::NaiveDate;

use crate::books::environment::Environment;
use crate::domain::intake::status::FileStatus;
use crate::files::inbox::Found;
use crate::scheme::{Feed, Merchant};
use crate::store::files::{Counts, RecordedFile};

/// Returns the feed that a file came from.
pub fn feed_of<'s>(environment: &'s Environment, file: &RecordedFile) -> Result<&'s Feed> {
    let feed = environment.scheme.feed(&file.feed);
    feed.with_context(|| {
        format!("{} came by feed {}, which is no longer configured; configure the feed again", file.name, file.feed)
    })
}

/// Returns the merchant whose files a feed brings.
pub fn merchant<'s>(environment: &'s Environment, feed: &Feed) -> Result<&'s Arc<Merchant>> {
    feed.owner
        .merchant()
        .and_then(|id| environment.scheme.merchant(id))
        .with_context(|| format!("feed {} has no merchant", feed.name))
}

/// Returns the record of a file that was found and not read yet.
pub fn new_file(feed: &Feed, found: &Found, today: NaiveDate) -> RecordedFile {
    RecordedFile {
        file_no: 0,
        feed: feed.name.clone(),
        kind: feed.kind,
        provider: feed.provider().to_owned(),
        owner: feed.owner.clone(),
        name: found.name.clone(),
        kept_as: String::new(),
        sha256: String::new(),
        business_date: today,
        dated_on: found.date,
        number: found.number,
        retry_of: None,
        status: FileStatus::Reading,
        filed: false,
        code: None,
        message: None,
        last_line: 0,
        ack_bytes: 0,
        rejects_bytes: 0,
        counts: Counts::default(),
    }
}
