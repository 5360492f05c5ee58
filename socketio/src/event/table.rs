//! [`Events`]: the table that finds the handler of an event. It is built at compile time, and
//! lookups do not allocate.
//!
//! Names are stored in an open-addressed hash table with at least twice as many slots as handlers.
//! Handlers of lifecycle events are stored separately, so that no client can call one by sending
//! its name.

use super::handler::{Handler, Key, Lifecycle};

/// A table of handlers, built at compile time by [`events!`](crate::events).
///
/// Tables are constants. Store them in a `const`, and combine the tables of several modules or
/// crates into one.
///
/// ```
/// use socketio::{Events, event, events};
///
/// mod chat {
///     use socketio::{Events, event, events};
///
///     #[event("say")]
///     pub fn say(_text: String) {}
///
///     pub const EVENTS: Events = events![say];
/// }
///
/// #[event("time")]
/// fn time() -> u64 {
///     0
/// }
///
/// const EVENTS: Events = events![time, ..chat::EVENTS];
/// assert_eq!(EVENTS.names().count(), 2);
/// ```
#[derive(Clone, Copy)]
pub struct Events {
    pub(super) handlers: &'static [&'static Handler],
    pub(super) slots: &'static [Slot],
    pub(super) special: Special,
}

/// A slot of the hash table.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub(super) hash: u32,
    /// The handler's position, counted from 1. 0 marks a free slot.
    pub(super) handler: u32,
}

/// The handlers without an event name: those of lifecycle events, then the fallback.
#[doc(hidden)]
pub type Special = [Option<&'static Handler>; 9];

pub(super) const FALLBACK: usize = 8;

impl Events {
    /// The names of the handled events, without lifecycle events.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.handlers.iter().filter_map(|handler| match handler.key {
            Key::Name(name) => Some(name),
            Key::Lifecycle(_) | Key::Fallback | Key::Invalid => None,
        })
    }

    pub(crate) const fn handlers(&self) -> &'static [&'static Handler] {
        self.handlers
    }

    pub(crate) fn find(&self, name: &str, hash: u32) -> Option<&'static Handler> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            let position = slot.handler.checked_sub(1)?;
            if slot.hash == hash {
                let handler = self.handlers[position as usize];
                if handler.key.as_str() == name {
                    return Some(handler);
                }
            }
            at = (at + 1) & mask;
        }
    }

    pub(crate) fn lifecycle(&self, lifecycle: Lifecycle) -> Option<&'static Handler> {
        self.special[lifecycle as usize]
    }

    pub(crate) fn fallback(&self) -> Option<&'static Handler> {
        self.special[FALLBACK]
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.handlers.iter().map(|handler| handler.key.as_str())).finish()
    }
}

/// Hashes an event's name. It reads eight bytes at a time, then the rest as one word with the
/// length.
pub(crate) const fn hash(name: &str) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut rest = name.as_bytes();
    let mut hash = rest.len() as u64;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
        rest = tail;
    }
    let mut word = 0;
    let mut at = 0;
    while at < rest.len() {
        word |= (rest[at] as u64) << (8 * at);
        at += 1;
    }
    hash = (hash ^ word).wrapping_mul(FACTOR);
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::build::{NotHandler, Part, Table, slot_count};
    use std::hint::black_box;

    #[test]
    fn ten_thousand_names_have_few_collisions() {
        let mut hashes: Vec<u32> = (0..10_000).map(|n| hash(&format!("event:{n}"))).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() > 9_990, "{}", hashes.len());
    }

    const MOST: usize = 1000;
    const LENGTH: usize = "event:000".len();

    /// The names `event:000`, `event:001` and so on.
    static NAMES: [u8; MOST * LENGTH] = {
        let mut names = [0; MOST * LENGTH];
        let mut at = 0;
        while at < names.len() {
            let (number, place) = (at / LENGTH, at % LENGTH);
            names[at] = match place {
                6 => b'0' + (number / 100) as u8,
                7 => b'0' + (number / 10 % 10) as u8,
                8 => b'0' + (number % 10) as u8,
                _ => b"event:"[place],
            };
            at += 1;
        }
        names
    };

    const fn name(number: usize) -> &'static str {
        match std::str::from_utf8(NAMES.split_at(number * LENGTH).1.split_at(LENGTH).0) {
            Ok(name) => name,
            Err(_) => panic!("digits are ASCII"),
        }
    }

    static HANDLERS: [Handler; MOST] = {
        let mut handlers = [const { Handler::placeholder(Key::Fallback) }; MOST];
        let mut at = 0;
        while at < MOST {
            handlers[at].key = Key::Name(name(at));
            at += 1;
        }
        handlers
    };

    static PARTS: [Part; MOST] = {
        let mut parts = [Part::Missing(NotHandler::Other); MOST];
        let mut at = 0;
        while at < MOST {
            parts[at] = Part::One(&HANDLERS[at]);
            at += 1;
        }
        parts
    };

    const fn table<const N: usize, const S: usize>() -> Table<N, S> {
        Table::build(PARTS.split_at(N).0)
    }

    /// Run it alone and optimized:
    /// `cargo test --release -p socketio --lib look_ups -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    #[allow(clippy::print_stdout, reason = "people read the times")]
    fn look_ups_in_small_and_large_tables() {
        static TEN: Table<10, { slot_count(10) }> = table();
        static HUNDRED: Table<100, { slot_count(100) }> = table();
        static THOUSAND: Table<MOST, { slot_count(MOST) }> = table();
        for (count, events) in [(10, TEN.events()), (100, HUNDRED.events()), (MOST, THOUSAND.events())] {
            // A pseudo-random order defeats the branch predictor.
            let names: Vec<String> = (0..100_000).map(|n: usize| name(n * 7919 % 104_729 % count).to_owned()).collect();
            let best = (0..50).map(|_| {
                let begin = std::time::Instant::now();
                for name in &names {
                    assert!(black_box(events.find(black_box(name), hash(name))).is_some());
                }
                begin.elapsed()
            });
            let best = best.min().expect("there are fifty rounds");
            println!("{count} events: {:.1} ns a look-up", best.as_secs_f64() * 1e9 / names.len() as f64);
        }
    }
}
