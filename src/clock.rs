//! The only module that reads the wall clock.

use std::time::{Instant, SystemTime};

use chrono::{DateTime, Utc};

/// The current time. Only tests and samples use another one.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A clock that only advances, whatever the wall clock is set to.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The current time as file systems represent it.
pub fn system_now() -> SystemTime {
    SystemTime::now()
}
