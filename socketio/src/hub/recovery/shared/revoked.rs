//! [`RevokedSessions`]: which of the sessions that the cluster stores may not be resumed.
//!
//! The engine finds a session only by its token, so that those of a user can't be removed. Each
//! server remembers what was revoked, for as long as sessions are stored, and compares it with a
//! session that a client resumes.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::hub::revoking::Revoked;
use crate::hub::socket::attributes::SocketAttributes;

/// How many are remembered.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct RevokedSessions(Mutex<VecDeque<(SystemTime, Arc<Revoked>)>>);

impl RevokedSessions {
    /// Adds what is revoked now. Sessions are stored for `kept`.
    pub(super) fn add(&self, revoked: &Arc<Revoked>, kept: Duration) {
        let now = SystemTime::now();
        let mut all = self.0.lock();
        all.push_back((now, Arc::clone(revoked)));
        let is_over = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > kept);
        while all.front().is_some_and(|(at, _)| is_over(*at)) || all.len() > MOST {
            all.pop_front();
        }
    }

    /// Whether a session with these attributes was revoked since it was stored. Without that time
    /// it counts as old.
    pub(super) fn includes(&self, attributes: &SocketAttributes, stored_at: Option<SystemTime>) -> bool {
        let is_later = |at: SystemTime| stored_at.is_none_or(|stored_at| stored_at <= at);
        self.0.lock().iter().any(|(at, revoked)| is_later(*at) && revoked.includes(attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_older_sessions_with_the_attribute_are_revoked() {
        let attributes: SocketAttributes = [("user".to_owned(), json!(42))].into_iter().collect();
        let (kept, minute) = (Duration::from_secs(600), Duration::from_secs(60));
        let revoked = RevokedSessions::default();
        assert!(!revoked.includes(&attributes, None));
        revoked.add(&Arc::new(Revoked::new("user", json!(7))), kept);
        assert!(!revoked.includes(&attributes, None));
        revoked.add(&Arc::new(Revoked::new("user", json!(42))), kept);
        let now = SystemTime::now();
        assert!(revoked.includes(&attributes, None));
        assert!(revoked.includes(&attributes, Some(now - minute)));
        assert!(!revoked.includes(&attributes, Some(now + minute)));
        assert!(!revoked.includes(&SocketAttributes::default(), None));
        for user in 0..MOST {
            revoked.add(&Arc::new(Revoked::new("user", json!(user.to_string()))), kept);
        }
        assert!(!revoked.includes(&attributes, None));
    }
}
