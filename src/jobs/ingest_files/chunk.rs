//! A chunk: rows of a file that are decided together.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::files::read::reader::Line;
use crate::files::rows::Kind;
use crate::store::files::RecordedFile;

/// Rows of a file that are decided together.
pub struct Chunk<'a> {
    pub kind: Kind,
    pub file: &'a RecordedFile,
    pub header: &'a [String],
    pub lines: &'a [Line],
    pub today: NaiveDate,
    /// The zone of the scheme.
    pub zone: Tz,
}
