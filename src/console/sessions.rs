//! Sessions of people who logged in with the token. They end after their time, with a logout, and with the process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub struct Sessions {
    lasts: Duration,
    /// The end of each session by the hash of its id.
    ends: Mutex<HashMap<[u8; 32], Instant>>,
}

/// How many sessions there can be. When there are more, the one that ends first ends.
const MOST: usize = 1_000;

impl Sessions {
    pub fn new(lasts: Duration) -> Sessions {
        Sessions { lasts, ends: Mutex::default() }
    }

    /// Begins a session and returns its id.
    pub fn begin(&self, now: Instant) -> Result<String> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).context("random numbers for a session")?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let Ok(mut ends) = self.ends.lock() else { anyhow::bail!("the sessions are lost") };
        ends.retain(|_, end| *end > now);
        if ends.len() >= MOST
            && let Some(first) = ends.iter().min_by_key(|(_, end)| **end).map(|(hash, _)| *hash)
        {
            ends.remove(&first);
        }
        ends.insert(hash(&id), now + self.lasts);
        Ok(id)
    }

    pub fn is_valid(&self, id: &str, now: Instant) -> bool {
        self.ends.lock().is_ok_and(|ends| ends.get(&hash(id)).is_some_and(|end| *end > now))
    }

    pub fn end(&self, id: &str) {
        if let Ok(mut ends) = self.ends.lock() {
            ends.remove(&hash(id));
        }
    }
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_its_time_or_with_a_logout() {
        let sessions = Sessions::new(Duration::from_secs(60));
        let now = Instant::now();
        let id = sessions.begin(now).unwrap();
        assert!(sessions.is_valid(&id, now + Duration::from_secs(59)));
        assert!(!sessions.is_valid(&id, now + Duration::from_secs(60)));
        assert!(!sessions.is_valid("", now));
        let other = sessions.begin(now).unwrap();
        assert_ne!(id, other);
        sessions.end(&other);
        assert!(!sessions.is_valid(&other, now) && sessions.is_valid(&id, now));
    }

    #[test]
    fn the_session_that_ends_first_makes_room() {
        let sessions = Sessions::new(Duration::from_secs(60));
        let now = Instant::now();
        let first = sessions.begin(now).unwrap();
        for _ in 0..MOST {
            sessions.begin(now + Duration::from_secs(1)).unwrap();
        }
        assert!(!sessions.is_valid(&first, now));
        assert_eq!(sessions.ends.lock().unwrap().len(), MOST);
    }
}
