//! [`Sessions`]: the ids with which admins log in again without a password.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// How long an admin may log in again, like the reference server.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// Beyond this number, the oldest session ends.
const MAX_SESSIONS: usize = 1_000;

/// The sessions, from the oldest to the newest, with the time at which each began.
#[derive(Default)]
pub(super) struct Sessions(Mutex<VecDeque<(String, Instant)>>);

impl Sessions {
    /// Begins a session.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no random bytes.
    pub(super) fn begin(&self) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system provides random bytes");
        let mut id = String::with_capacity(32);
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(id, "{byte:02x}");
        }
        let mut sessions = self.0.lock();
        if sessions.len() == MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back((id.clone(), Instant::now()));
        id
    }

    /// Whether the id belongs to a session. All ids are compared, each in constant time.
    pub(super) fn contains(&self, id: &str) -> bool {
        let mut sessions = self.0.lock();
        while sessions.front().is_some_and(|(_, began)| began.elapsed() >= LIFETIME) {
            sessions.pop_front();
        }
        sessions.iter().fold(false, |found, (known, _)| found | bool::from(known.as_bytes().ct_eq(id.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_a_day() {
        let sessions = Sessions::default();
        let id = sessions.begin();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        advance(LIFETIME - Duration::from_secs(1)).await;
        let later = sessions.begin();
        assert!(sessions.contains(&id) && sessions.contains(&later));
        advance(Duration::from_secs(1)).await;
        assert!(!sessions.contains(&id) && sessions.contains(&later));
        assert!(!sessions.contains("") && !sessions.contains(&later[1..]));
    }

    #[test]
    fn the_number_of_sessions_is_limited() {
        let sessions = Sessions::default();
        let ids: Vec<_> = (0..=MAX_SESSIONS).map(|_| sessions.begin()).collect();
        assert!(!sessions.contains(&ids[0]));
        assert!(ids[1..].iter().all(|id| sessions.contains(id)));
    }
}
