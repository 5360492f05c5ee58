//! The table that finds the handler of an event: built at compile time, looked up without allocating.
//!
//! Names lie in an open-addressed hash table of twice as many slots as handlers. Handlers of lifecycle events are kept
//! apart, so that no client can reach one by sending its name.

use super::handler::{Handler, Key, Lifecycle};

/// A table of handlers, built at compile time by [`events!`](crate::events).
///
/// It is a constant: keep it in one, and compose tables of several modules or crates into one.
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
    /// The handler's position, counted from 1; 0 in a free slot.
    pub(super) handler: u32,
}

/// The handlers without a name of their own: lifecycle events, then the fallback.
#[doc(hidden)]
pub type Special = [Option<&'static Handler>; 9];

pub(super) const FALLBACK: usize = 8;

impl Events {
    /// The names of the events that are handled, lifecycle events left out.
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

/// The hash of an event's name. Names are short: eight bytes at a time, then the rest as one word with the length.
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

    #[test]
    fn ten_thousand_names_have_few_collisions() {
        let mut hashes: Vec<u32> = (0..10_000).map(|n| hash(&format!("event:{n}"))).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() > 9_990, "{}", hashes.len());
    }
}
