//! [`History`]: in which rooms a socket was when a message was emitted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::wire::offset::Offset;

/// The most changes of one session that are kept.
const MAX_CHANGES: usize = 4096;
/// The number of changes from which on old ones are looked for.
const MANY: usize = 16;

/// The changes of a session's rooms. The room with the session's id is one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    changes: Vec<Change>,
    /// The number of changes at which old ones are dropped.
    full_at: usize,
    /// Messages with a lower offset may have been emitted before a change that is forgotten.
    known_from: Offset,
}

/// A change of a session's rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Messages from this offset on are emitted after the change.
    pub(crate) from: Offset,
    pub(crate) room: Arc<str>,
    pub(crate) joined: bool,
}

impl History {
    /// Adds a change. Changes before the `oldest` message that is kept are dropped.
    pub(crate) fn add(&mut self, change: Change, oldest: Offset) {
        if self.changes.len() >= self.full_at.max(MANY) {
            self.changes.retain(|change| change.from > oldest);
            self.full_at = self.changes.len() * 2;
        }
        if self.changes.len() >= MAX_CHANGES {
            let forgotten = self.changes.drain(..MAX_CHANGES / 2).next_back();
            self.known_from = forgotten.map_or(self.known_from, |change| change.from);
        }
        self.changes.push(change);
    }

    /// The history of a session that was stored elsewhere.
    #[cfg(feature = "cluster")]
    pub(crate) fn of(changes: Vec<Change>, known_from: Offset) -> Self {
        Self { changes, full_at: 0, known_from }
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The offset from which on the recipients of messages are known for sure.
    pub(crate) fn known_from(&self) -> Offset {
        self.known_from
    }

    /// The changes of each room, in their order.
    pub(crate) fn by_room(&self) -> ByRoom<'_> {
        let mut rooms: HashMap<&str, Vec<(Offset, bool)>> = HashMap::new();
        for Change { from, room, joined } in &self.changes {
            rooms.entry(room).or_default().push((*from, *joined));
        }
        ByRoom(rooms)
    }
}

/// The changes of a session by room.
pub(crate) struct ByRoom<'a>(HashMap<&'a str, Vec<(Offset, bool)>>);

impl ByRoom<'_> {
    /// Whether the session was in the room when the message was emitted. `is_in_now`: whether it is
    /// after all changes.
    pub(crate) fn was_in(&self, room: &str, message: Offset, is_in_now: impl FnOnce() -> bool) -> bool {
        let Some(changes) = self.0.get(room) else { return is_in_now() };
        match changes.iter().rfind(|(from, _)| *from <= message) {
            Some((_, joined)) => *joined,
            // Before the first change it was the other way round.
            None => changes.first().is_some_and(|(_, joined)| !joined),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Offset {
        Offset { epoch: 1, number }
    }

    fn add(history: &mut History, number: u64, room: &str, joined: bool, oldest: u64) {
        history.add(Change { from: at(number), room: room.into(), joined }, at(oldest));
    }

    fn was_in(history: &History, room: &str, numbers: std::ops::Range<u64>, now: bool) -> Vec<bool> {
        let rooms = history.by_room();
        numbers.map(|number| rooms.was_in(room, at(number), || now)).collect()
    }

    #[test]
    fn a_room_counts_from_the_join_to_the_leave() {
        let mut history = History::default();
        add(&mut history, 2, "a", true, 0);
        add(&mut history, 4, "a", false, 0);
        add(&mut history, 3, "b", false, 0);
        assert_eq!(was_in(&history, "a", 1..6, false), [false, true, true, false, false]);
        assert_eq!(was_in(&history, "b", 1..6, false), [true, true, false, false, false]);
        assert_eq!(was_in(&history, "c", 1..3, true), [true, true]);
    }

    #[test]
    fn the_last_change_before_a_message_counts() {
        let mut history = History::default();
        for joined in [true, false, true] {
            add(&mut history, 2, "a", joined, 0);
        }
        assert_eq!(was_in(&history, "a", 1..3, true), [false, true]);
    }

    #[test]
    fn changes_before_the_oldest_message_are_dropped() {
        let mut history = History::default();
        for number in 1..1_000 {
            add(&mut history, number, "a", number % 2 == 0, number - 1);
        }
        assert!(history.changes.len() <= 2 * MANY, "{}", history.changes.len());
        assert_eq!(history.known_from(), Offset::default());
        assert_eq!(was_in(&history, "a", 998..1_000, false), [true, false]);
    }

    #[test]
    fn it_is_bounded_and_knows_what_it_has_forgotten() {
        let mut history = History::default();
        for number in 1..10_000 {
            add(&mut history, number, "a", number % 2 == 0, 0);
        }
        assert!(history.changes.len() <= MAX_CHANGES);
        let from = history.known_from().number;
        assert!(from > 1);
        assert_eq!(was_in(&history, "a", from..from + 2, false), [from % 2 == 0, from % 2 != 0]);
    }
}
