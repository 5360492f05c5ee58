//! [`Sequences`]: finds messages that are missing in the numbered messages of other servers.

use parking_lot::Mutex;
use std::collections::HashMap;

/// The servers that are remembered. When there are more, all are forgotten, and counting begins
/// anew.
const MAX_SERVERS: usize = 4_096;

/// Longer ids are not remembered. Those of servers have up to 16 characters.
const MAX_ID: usize = 64;

/// The number of the last message of each server.
#[derive(Debug, Default)]
pub(super) struct Sequences(Mutex<HashMap<Box<str>, u64>>);

impl Sequences {
    /// Notes the number of a received message. Returns how many messages before it are missing.
    ///
    /// The first message of a server has no predecessor. A number that is not larger than the last
    /// one begins a new sequence.
    pub(super) fn note(&self, server: &str, number: u64) -> u64 {
        if server.len() > MAX_ID {
            return 0;
        }
        let mut last = self.0.lock();
        if let Some(last) = last.get_mut(server) {
            let missing = number.saturating_sub(*last).saturating_sub(1);
            *last = number;
            return missing;
        }
        if last.len() >= MAX_SERVERS {
            last.clear();
        }
        last.insert(server.into(), number);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_messages_are_counted() {
        let sequences = Sequences::default();
        assert_eq!(sequences.note("a", 7), 0);
        assert_eq!(sequences.note("a", 8), 0);
        assert_eq!(sequences.note("b", 1), 0);
        assert_eq!(sequences.note("a", 11), 2);
        assert_eq!(sequences.note("a", 1), 0);
        assert_eq!(sequences.note("a", 3), 1);
    }

    #[test]
    fn the_memory_is_bounded() {
        let sequences = Sequences::default();
        for server in 0..3 * MAX_SERVERS {
            sequences.note(&server.to_string(), 1);
        }
        assert!(sequences.0.lock().len() <= MAX_SERVERS);
    }
}
