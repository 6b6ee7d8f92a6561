//! The one place where the wall clock is read.

use std::time::{Instant, SystemTime};

use chrono::{DateTime, Utc};

/// Now, as everything but tests and samples means it.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A clock that only counts on, whatever the wall clock is set to.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Now, in the terms of file systems.
pub fn system_now() -> SystemTime {
    SystemTime::now()
}
