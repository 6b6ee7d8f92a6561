//! The one place where the wall clock is read.

use std::time::{Instant, SystemTime};

use chrono::{DateTime, Utc};

/// Now, as everything but tests and samples means it.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Now, in the terms of file systems.
pub fn system_now() -> SystemTime {
    SystemTime::now()
}

/// A clock that never goes back, to measure how long something takes.
pub fn monotonic() -> Instant {
    Instant::now()
}
